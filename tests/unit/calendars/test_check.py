"""Definitions are read whole: every fault is found in one go, with its place."""

from __future__ import annotations

import pytest

from triage.calendars import CalendarDefinition, Holiday, PublicHolidays, Recurrence, check_definition
from triage.calendars.check import build_plan, parse_interval
from triage.domain.instant import DAY, HOUR, SECOND
from triage.errors import ConfigError


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        (("09:00", "17:00"), (9 * HOUR, 17 * HOUR)),
        (("09:00:01", "09:00:02"), (9 * HOUR + SECOND, 9 * HOUR + 2 * SECOND)),
        (("16:00", "00:00"), (16 * HOUR, DAY)),
        (("16:00", "24:00"), (16 * HOUR, DAY)),
        (("00:00", "00:00"), (0, DAY)),
        (("00:00", "24:00"), (0, DAY)),
        (("09:00", "09:00"), (9 * HOUR, 33 * HOUR)),
        (("22:00", "06:00"), (22 * HOUR, 30 * HOUR)),
    ],
)
def test_an_interval_ends_the_next_day_when_its_end_is_not_after_its_start(pair, expected) -> None:
    assert parse_interval(*pair) == expected


@pytest.mark.parametrize("text", ["9:00", "24:01", "25:00", "09:60", "09:00:60", "0900", "", "09:00Z", "noon", "٠٩:00"])
def test_a_malformed_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time of day"):
        parse_interval(text, "17:00")


def test_a_window_cannot_open_at_24() -> None:
    with pytest.raises(ValueError, match="cannot open"):
        parse_interval("24:00", "06:00")


def test_every_fault_is_reported_at_once_with_its_place() -> None:
    wrong = CalendarDefinition(
        name="support",
        tz="Europe/Londn",
        weekly={"monday": (("09:00", "17:00"),), "tue": (("9", "17:00"),), "xyz": ()},
        holidays=(Holiday(name="x"), Holiday(date="2026-02-30"), Holiday(recurrence=Recurrence(type="RecursYearly"))),
        overrides={"soon": (), "2026-01-01": (("10:00", "26:00"),)},
        breaks={"dayly": (), "2026-13-01": (), "Fri": (("a", "b"),)},
        public=PublicHolidays(country="XX"),
    )
    problems = check_definition(wrong)
    assert [problem.path for problem in problems] == [
        "tz", "public", "holidays[0]", "holidays[1]", "holidays[2]", "breaks.dayly", "breaks.Fri", "breaks.Fri",
        "breaks.2026-13-01", "weekly.monday", "weekly.tue", "weekly.xyz", "overrides.soon", "overrides.2026-01-01",
    ]  # fmt: skip
    with pytest.raises(ConfigError) as raised:
        build_plan(wrong)
    lines = str(raised.value).splitlines()
    assert len(lines) == len(problems)
    assert "calendar 'support': weekly.monday: 'monday' is not a day: write 'mon'" in lines


def test_nothing_is_wrong_with_a_plain_calendar() -> None:
    assert check_definition(CalendarDefinition(tz="UTC", weekly={"mon": (("09:00", "17:00"),)})) == ()


def test_a_holiday_with_both_a_date_and_a_recurrence_is_refused() -> None:
    both = Holiday(date="2026-01-01", recurrence=Recurrence(type="RecursDaily"))
    (problem,) = check_definition(CalendarDefinition(tz="UTC", holidays=(both,)))
    assert problem == ("holidays[0]", "give either a date or a recurrence")


def test_a_holiday_with_one_end_lasts_from_or_until_midnight() -> None:
    plan = build_plan(
        CalendarDefinition(
            tz="UTC", holidays=(Holiday(date="1970-01-02", start="12:00"), Holiday(date="1970-01-02", end="08:00"))
        )
    )
    assert [span for span, _ in plan.dated[1]] == [(12 * HOUR, DAY), (0, 8 * HOUR)]


def test_breaks_of_a_weekday_add_to_the_daily_ones() -> None:
    plan = build_plan(
        CalendarDefinition(tz="UTC", breaks={"daily": (("12:00", "13:00"),), "tue": (("12:30", "14:00"),)})
    )
    assert plan.breaks_weekly[0] == ((12 * HOUR, 13 * HOUR),)
    assert plan.breaks_weekly[1] == ((12 * HOUR, 14 * HOUR),)
