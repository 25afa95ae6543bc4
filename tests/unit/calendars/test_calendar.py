"""A compiled calendar: the facts it must get right, by instant."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from triage.calendars import (
    FIRST,
    LAST,
    Calendar,
    CalendarDefinition,
    Holiday,
    PublicHolidays,
    Recurrence,
    compile_calendar,
    read_salesforce_holiday,
)
from triage.domain.instant import DAY, HOUR, MINUTE, SECOND, format_instant, parse_instant
from triage.errors import CalendarError, ConfigError

WORKDAYS = ("mon", "tue", "wed", "thu", "fri")
DAYS = (*WORKDAYS, "sat", "sun")


def calendar_of(tz: str, *hours: tuple[str, str], days: tuple[str, ...] = WORKDAYS, **more: object) -> Calendar:
    return compile_calendar(CalendarDefinition(tz=tz, weekly=dict.fromkeys(days, hours), **more))  # type: ignore[arg-type]


def at(text: str) -> int:
    return parse_instant(text)


def due(calendar: Calendar, start: str, amount: int, pauses=()) -> str | None:
    found = calendar.add(at(start), amount, [(at(begin), at(end) if end else None) for begin, end in pauses])
    return None if found is None else format_instant(found)


LONDON = calendar_of("Europe/London", ("09:00", "17:00"))


def test_add_is_due_at_closing_time_when_the_day_ends_the_amount() -> None:
    assert due(LONDON, "2026-01-09T16:00:00Z", HOUR) == "2026-01-09T17:00:00Z"


def test_add_counts_from_monday_when_started_at_closing_time() -> None:
    assert due(LONDON, "2026-01-09T17:00:00Z", MINUTE) == "2026-01-12T09:01:00Z"


@pytest.mark.parametrize(
    ("start", "hours", "expected"),
    [
        ("2026-03-08T05:00:00Z", 4, "2026-03-08T09:00:00Z"),
        ("2026-03-08T05:00:00Z", 8, "2026-03-09T05:00:00Z"),
        ("2026-11-01T04:00:00Z", 4, "2026-11-01T08:00:00Z"),
        ("2026-11-01T04:00:00Z", 9, "2026-11-01T13:00:00Z"),
    ],
)
def test_add_counts_real_hours_when_clocks_change_inside_the_window(start: str, hours: int, expected: str) -> None:
    new_york = calendar_of("America/New_York", ("00:00", "08:00"), days=DAYS)
    assert due(new_york, start, hours * HOUR) == expected


def test_add_skips_two_holidays_and_follows_the_end_of_summer_time_in_sydney() -> None:
    holidays = (Holiday(name="Good Friday", date="2026-04-03"), Holiday(name="Easter Monday", date="2026-04-06"))
    sydney = calendar_of("Australia/Sydney", ("09:00", "17:00"), holidays=holidays)
    assert due(sydney, "2026-04-02T05:00:00Z", 2 * HOUR) == "2026-04-07T00:00:00Z"


def test_add_waits_for_noon_when_a_partial_holiday_takes_the_morning() -> None:
    morning = Holiday(date="2026-01-14", start="08:00", end="12:00")
    london = calendar_of("Europe/London", ("09:00", "17:00"), holidays=(morning,))
    assert due(london, "2026-01-14T09:00:00Z", HOUR) == "2026-01-14T13:00:00Z"


def test_add_steps_over_a_daily_partial_holiday_used_as_lunch() -> None:
    lunch = read_salesforce_holiday(
        {
            "name": "lunch",
            "recurrenceType": "RecursDaily",
            "recurrenceInterval": 1,
            "recurrenceStartDate": "2024-11-01",
            "startTime": "11:30:00.000Z",
            "endTime": "13:00:00.000Z",
        }
    )
    sao_paulo = calendar_of("America/Sao_Paulo", ("09:00", "18:00"), holidays=(lunch,))
    assert due(sao_paulo, "2026-01-12T14:00:00Z", HOUR) == "2026-01-12T16:30:00Z"


def test_add_skips_the_second_saturday_when_it_is_a_monthly_holiday() -> None:
    second = Holiday(recurrence=Recurrence(type="RecursMonthlyNth", instance="Second", days=("Saturday",)))
    india = calendar_of("Asia/Kolkata", ("09:00", "18:00"), days=DAYS[:6], holidays=(second,))
    assert due(india, "2026-01-09T12:00:00Z", 2 * HOUR) == "2026-01-12T05:00:00Z"


def test_add_skips_yearly_holidays_of_both_kinds() -> None:
    fourth = Recurrence(type="RecursYearlyNth", instance="Fourth", days=("Thursday",), month="November")
    christmas = Recurrence(type="RecursYearly", day=25, month="December")
    holidays = (Holiday(recurrence=fourth), Holiday(recurrence=christmas))
    new_york = calendar_of("America/New_York", ("09:00", "17:00"), holidays=holidays)
    assert due(new_york, "2026-11-25T21:00:00Z", 2 * HOUR) == "2026-11-27T15:00:00Z"
    assert due(new_york, "2026-12-24T21:00:00Z", 2 * HOUR) == "2026-12-28T15:00:00Z"


def test_round_the_clock_counts_wall_time_across_midnight() -> None:
    always = calendar_of("UTC", ("00:00", "00:00"), days=DAYS)
    assert due(always, "2026-01-12T10:00:00Z", 4 * HOUR) == "2026-01-12T14:00:00Z"
    assert due(always, "2026-01-12T22:00:00Z", 4 * HOUR) == "2026-01-13T02:00:00Z"


def test_subtract_crosses_the_night_back_in_business_time() -> None:
    assert due(LONDON, "2026-01-12T09:00:00Z", 9 * HOUR) == "2026-01-13T10:00:00Z"
    warned = LONDON.subtract(at("2026-01-13T10:00:00Z"), 2 * HOUR)
    assert warned == at("2026-01-12T16:00:00Z")


def test_a_pause_moves_the_target_by_the_open_time_it_covers() -> None:
    pauses = [("2026-01-12T10:00:00Z", "2026-01-12T11:30:00Z")]
    assert due(LONDON, "2026-01-12T09:00:00Z", 4 * HOUR, pauses) == "2026-01-12T14:30:00Z"


def test_a_pause_over_the_night_counts_only_open_time() -> None:
    pauses = [("2026-01-12T16:00:00Z", "2026-01-13T10:00:00Z")]
    assert due(LONDON, "2026-01-12T15:00:00Z", 4 * HOUR, pauses) == "2026-01-13T13:00:00Z"


def test_add_is_never_when_an_open_pause_swallows_the_rest() -> None:
    assert due(LONDON, "2026-01-12T09:00:00Z", 4 * HOUR, [("2026-01-12T12:00:00Z", None)]) is None


def test_add_is_due_as_the_open_pause_begins_when_the_amount_just_fits() -> None:
    pauses = [("2026-01-12T12:00:00Z", None)]
    assert due(LONDON, "2026-01-12T09:00:00Z", 3 * HOUR, pauses) == "2026-01-12T12:00:00Z"


def test_add_of_nothing_is_the_start_even_when_closed_or_paused() -> None:
    saturday = at("2026-01-10T03:00:00Z")
    assert LONDON.add(saturday, 0, [(saturday - DAY, None)]) == saturday


def test_subtract_gives_the_latest_instant_when_several_have_the_same_elapsed_time() -> None:
    monday_opening = at("2026-01-12T09:00:00Z")
    assert LONDON.subtract(monday_opening, 8 * HOUR) == at("2026-01-09T09:00:00Z")
    assert LONDON.subtract(at("2026-01-12T17:00:00Z"), 8 * HOUR) == monday_opening


def test_elapsed_is_nothing_when_the_end_is_not_after_the_start() -> None:
    noon = at("2026-01-12T12:00:00Z")
    assert LONDON.elapsed(noon, noon) == 0
    assert LONDON.elapsed(noon, noon - HOUR) == 0
    assert LONDON.elapsed(noon, noon - HOUR, [(noon - DAY, noon)]) == 0


def test_next_and_previous_opening_when_open_are_the_instant_itself() -> None:
    opening = at("2026-01-12T09:00:00Z")
    assert LONDON.next_open(opening) == LONDON.prev_open(opening) == opening
    assert LONDON.is_open(opening)


def test_next_and_previous_opening_at_closing_time() -> None:
    closing = at("2026-01-09T17:00:00Z")
    assert not LONDON.is_open(closing)
    assert LONDON.prev_open(closing) == closing
    assert LONDON.next_open(closing) == at("2026-01-12T09:00:00Z")


def test_an_evening_that_ends_at_midnight_belongs_to_its_day() -> None:
    late = calendar_of("UTC", ("16:00", "00:00"))
    assert late.is_open(at("2026-01-09T23:59:59.999Z"))
    assert not late.is_open(at("2026-01-10T00:00:00Z"))
    assert late.elapsed(at("2026-01-09T00:00:00Z"), at("2026-01-11T00:00:00Z")) == 8 * HOUR


def test_an_overnight_shift_belongs_to_the_day_it_starts() -> None:
    night = calendar_of("UTC", ("22:00", "06:00"), days=("fri",))
    assert night.is_open(at("2026-01-10T05:59:59Z"))
    assert not night.is_open(at("2026-01-09T05:00:00Z"))


def test_equal_ends_are_twenty_four_hours() -> None:
    day = calendar_of("UTC", ("09:00", "09:00"), days=("mon",))
    assert day.elapsed(at("2026-01-12T00:00:00Z"), at("2026-01-14T00:00:00Z")) == DAY
    assert day.prev_open(at("2026-01-13T12:00:00Z")) == at("2026-01-13T09:00:00Z")


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
def test_a_whole_day_has_the_hours_its_clock_change_leaves(day: str, hours: int) -> None:
    london = calendar_of("Europe/London", ("00:00", "24:00"), days=DAYS)
    midnight = compile_calendar(
        CalendarDefinition(tz="Europe/London", weekly={}, overrides={day: (("00:00", "24:00"),)})
    )
    start = midnight.next_open(at(f"{day}T00:00:00Z") - 2 * HOUR)
    assert midnight.elapsed(start, start + 2 * DAY) == hours * HOUR
    assert london.elapsed(start, start + DAY) == DAY


def test_lord_howe_changes_by_half_an_hour() -> None:
    island = calendar_of("Australia/Lord_Howe", ("00:00", "04:00"), days=("sun",))
    assert island.elapsed(at("2026-04-04T00:00:00Z"), at("2026-04-06T00:00:00Z")) == 4 * HOUR + 30 * MINUTE
    assert island.elapsed(at("2026-10-03T00:00:00Z"), at("2026-10-05T00:00:00Z")) == 3 * HOUR + 30 * MINUTE


def test_apia_never_had_its_thirtieth_of_december_2011() -> None:
    apia = calendar_of("Pacific/Apia", ("09:00", "17:00"), days=DAYS)
    assert apia.elapsed(at("2011-12-29T10:00:00Z"), at("2011-12-31T10:00:00Z")) == 16 * HOUR
    thursday_closing = at("2011-12-30T03:00:00Z")
    assert apia.next_open(thursday_closing) == at("2011-12-30T19:00:00Z")


def test_casablanca_turns_its_clock_back_for_ramadan() -> None:
    casablanca = calendar_of("Africa/Casablanca", ("09:00", "10:00"), days=DAYS)
    assert casablanca.next_open(at("2025-02-20T00:00:00Z")) == at("2025-02-20T08:00:00Z")
    assert casablanca.next_open(at("2025-03-10T00:00:00Z")) == at("2025-03-10T09:00:00Z")
    assert casablanca.next_open(at("2025-04-10T00:00:00Z")) == at("2025-04-10T08:00:00Z")


def test_an_override_replaces_weekly_hours_and_the_holiday_of_its_date() -> None:
    shop = calendar_of(
        "UTC",
        ("09:00", "17:00"),
        holidays=(Holiday(date="2026-12-25"),),
        overrides={"2026-12-25": (("10:00", "14:00"),), "2026-12-24": ()},
    )
    assert shop.elapsed(at("2026-12-24T00:00:00Z"), at("2026-12-25T00:00:00Z")) == 0
    assert shop.elapsed(at("2026-12-25T00:00:00Z"), at("2026-12-26T00:00:00Z")) == 4 * HOUR


def test_a_holiday_takes_the_tail_of_the_night_shift_before_it() -> None:
    night = calendar_of("UTC", ("22:00", "06:00"), days=DAYS, holidays=(Holiday(date="2026-12-25"),))
    assert night.prev_open(at("2026-12-25T03:00:00Z")) == at("2026-12-25T00:00:00Z")
    assert night.next_open(at("2026-12-25T03:00:00Z")) == at("2026-12-26T00:00:00Z")


def test_an_override_replaces_the_holidays_of_its_date_for_the_tail_of_the_shift_before_too() -> None:
    night = calendar_of(
        "UTC",
        ("22:00", "06:00"),
        days=DAYS,
        holidays=(Holiday(date="2026-12-25"),),
        overrides={"2026-12-25": (("04:00", "08:00"),)},
    )
    assert night.elapsed(at("2026-12-25T00:00:00Z"), at("2026-12-26T00:00:00Z")) == 8 * HOUR
    assert night.is_open(at("2026-12-25T01:00:00Z"))


def test_an_override_leaves_the_tail_of_the_shift_before_when_no_holiday_takes_it() -> None:
    night = calendar_of("UTC", ("22:00", "06:00"), days=DAYS, overrides={"2026-12-25": ()})
    assert night.is_open(at("2026-12-25T03:00:00Z"))
    assert not night.is_open(at("2026-12-25T23:00:00Z"))


def test_breaks_take_from_overrides_as_well() -> None:
    shop = calendar_of(
        "UTC",
        ("09:00", "17:00"),
        overrides={"2026-01-12": (("10:00", "14:00"),)},
        breaks={"daily": (("12:00", "12:30"),), "mon": (("10:00", "10:15"),), "2026-01-12": (("13:00", "13:05"),)},
    )
    assert shop.elapsed(at("2026-01-12T00:00:00Z"), at("2026-01-13T00:00:00Z")) == 4 * HOUR - 50 * MINUTE
    assert shop.elapsed(at("2026-01-13T00:00:00Z"), at("2026-01-14T00:00:00Z")) == 8 * HOUR - 30 * MINUTE


def test_overlapping_intervals_count_once() -> None:
    double = calendar_of("UTC", ("09:00", "13:00"), ("12:00", "17:00"), ("10:00", "11:00"), days=("mon",))
    assert double.elapsed(at("2026-01-12T00:00:00Z"), at("2026-01-13T00:00:00Z")) == 8 * HOUR


def test_public_holidays_close_by_country_and_subdivision() -> None:
    bavaria = calendar_of(
        "Europe/Berlin", ("09:00", "17:00"), public=PublicHolidays(country="DE", subdivisions=("BY",))
    )
    germany = calendar_of("Europe/Berlin", ("09:00", "17:00"), public=PublicHolidays(country="DE"))
    epiphany = at("2026-01-06T10:00:00Z")
    assert not bavaria.is_open(epiphany)
    assert germany.is_open(epiphany)
    assert not germany.is_open(at("2026-01-01T10:00:00Z"))


def test_seconds_and_milliseconds_are_kept() -> None:
    odd = calendar_of("UTC", ("09:00:30", "09:01:15"), days=("mon",))
    start = at("2026-01-12T09:00:30.250Z")
    assert odd.add(start, 500) == start + 500
    assert odd.elapsed(start, start + DAY) == 45 * SECOND - 250


def test_answers_are_the_same_whichever_years_were_asked_for_first() -> None:
    questions = [at(f"{year}-03-28T12:00:00Z") for year in (2026, 1971, 2100, 1999, 2025, 2030)]
    forward, backward = (calendar_of("Europe/London", ("20:00", "02:00")) for _ in range(2))
    first = [(forward.add(t, 500 * HOUR), forward.subtract(t, 500 * HOUR), forward.next_open(t)) for t in questions]
    second = [
        (backward.add(t, 500 * HOUR), backward.subtract(t, 500 * HOUR), backward.next_open(t))
        for t in reversed(questions)
    ]
    assert first == second[::-1]


def test_threads_that_share_a_fresh_calendar_get_the_answers_of_one_thread() -> None:
    """The table grows while others read it: nobody may see half of one."""
    questions = [at(f"{1975 + index % 200}-06-01T12:00:00Z") for index in range(0, 2000, 37)] * 8
    alone, shared = (calendar_of("Europe/London", ("20:00", "02:00")) for _ in range(2))
    expected = [alone.add(t, 40 * HOUR) for t in questions]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda t: shared.add(t, 40 * HOUR), questions)) == expected


def test_a_night_shift_over_new_year_is_one_span_across_compiled_years() -> None:
    night = calendar_of("UTC", ("22:00", "06:00"), days=DAYS)
    eve = at("2026-12-31T22:00:00Z")
    assert night.add(eve, 8 * HOUR) == at("2027-01-01T06:00:00Z")
    assert night.prev_open(at("2027-01-01T07:00:00Z")) == at("2027-01-01T06:00:00Z")
    assert night.subtract(at("2027-01-01T06:00:00Z"), 8 * HOUR) == eve


@pytest.mark.parametrize("instant", [FIRST - 1, LAST, -(10**18), 10**18])
def test_instants_outside_the_years_covered_are_refused(instant: int) -> None:
    for ask in (LONDON.is_open, LONDON.next_open, LONDON.prev_open):
        with pytest.raises(CalendarError, match="outside 1970 to 2199"):
            ask(instant)
    with pytest.raises(CalendarError, match="outside 1970 to 2199"):
        LONDON.add(instant, 1)


def test_the_first_and_last_instants_covered_are_answered() -> None:
    always = calendar_of("UTC", ("00:00", "24:00"), days=DAYS)
    assert always.elapsed(FIRST, LAST - 1) == LAST - 1 - FIRST
    assert always.is_open(FIRST)
    assert always.is_open(LAST - 1)


def test_an_amount_that_reaches_past_the_years_covered_is_refused() -> None:
    with pytest.raises(CalendarError, match="would reach past 2199"):
        LONDON.add(at("2026-01-12T09:00:00Z"), 10**18)
    with pytest.raises(CalendarError, match="would reach back before 1970"):
        LONDON.subtract(at("2026-01-12T09:00:00Z"), 10**18)


def test_a_negative_amount_is_refused() -> None:
    for ask in (LONDON.add, LONDON.subtract):
        with pytest.raises(CalendarError, match="negative"):
            ask(0, -1)


def test_no_further_opening_is_said_when_only_one_date_ever_opens() -> None:
    once = compile_calendar(CalendarDefinition(tz="UTC", name="fair", overrides={"2026-05-01": (("10:00", "12:00"),)}))
    assert once.next_open(FIRST) == at("2026-05-01T10:00:00Z")
    assert once.prev_open(LAST - 1) == at("2026-05-01T12:00:00Z")
    with pytest.raises(CalendarError, match="'fair' does not open after 2026-05-01T12:00:00Z"):
        once.next_open(at("2026-05-01T12:00:00Z"))
    with pytest.raises(CalendarError, match="'fair' was not open before"):
        once.prev_open(at("2026-05-01T09:00:00Z"))


@pytest.mark.parametrize(
    "more",
    [
        {"weekly": {}},
        {"weekly": {"mon": ()}},
        {"weekly": {"mon": (("09:00", "17:00"),)}, "breaks": {"daily": (("00:00", "24:00"),)}},
        {"weekly": {"mon": (("09:00", "17:00"),)}, "holidays": (Holiday(recurrence=Recurrence(type="RecursDaily")),)},
        {"overrides": {"2026-01-01": ()}},
    ],
)
def test_a_calendar_that_never_opens_is_refused(more: dict) -> None:
    with pytest.raises(CalendarError, match="'idle' is never open"):
        compile_calendar(CalendarDefinition(tz="UTC", name="idle", **more))


def test_a_calendar_that_opens_on_one_odd_day_only_is_accepted() -> None:
    closed_until = Recurrence(type="RecursDaily", end="2187-06-01")
    rare = calendar_of("UTC", ("09:00", "17:00"), holidays=(Holiday(recurrence=closed_until),))
    assert rare.next_open(FIRST) == at("2187-06-04T09:00:00Z")


def test_the_digest_changes_with_any_hour_and_not_with_the_order_of_keys() -> None:
    weekly = {"mon": (("09:00", "17:00"),), "tue": (("09:00", "17:00"),)}
    turned = dict(reversed(weekly.items()))
    digests = [
        compile_calendar(CalendarDefinition(tz="UTC", weekly=hours)).digest
        for hours in (weekly, turned, weekly | {"tue": (("09:00", "17:01"),)})
    ]
    assert digests[0] == digests[1] != digests[2]


def test_the_digest_changes_when_public_holidays_are_used() -> None:
    plain, public = LONDON, calendar_of("Europe/London", ("09:00", "17:00"), public=PublicHolidays(country="GB"))
    assert plain.digest != public.digest
    assert plain == calendar_of("Europe/London", ("09:00", "17:00"))
    assert len({plain, public}) == 2


def test_unknown_countries_are_refused_with_a_suggestion() -> None:
    with pytest.raises(ConfigError, match="country 'gb': did you mean 'GB'"):
        calendar_of("UTC", ("09:00", "17:00"), public=PublicHolidays(country="gb"))
    with pytest.raises(ConfigError, match="DE has no subdivision 'by': did you mean 'BY'"):
        calendar_of("UTC", ("09:00", "17:00"), public=PublicHolidays(country="DE", subdivisions=("by",)))
