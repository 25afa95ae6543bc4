"""Calendars in words: openings and closures to come, and the ledger as lines."""

from __future__ import annotations

from triage.calendars import CalendarDefinition, Holiday, WallTime, compile_calendar
from triage.calendars.describe import describe_ledger, describe_openings, ledger_text, local_text
from triage.domain.instant import DAY, HOUR, parse_instant

WORKDAYS = ("mon", "tue", "wed", "thu", "fri")
OFFICE = compile_calendar(
    CalendarDefinition(
        tz="Europe/Berlin",
        weekly=dict.fromkeys(WORKDAYS, (("09:00", "17:00"),)),
        holidays=(
            Holiday(date="2026-12-25", name="Christmas"),
            Holiday(date="2026-12-24", name="Christmas Eve", start="14:00"),
        ),
        breaks={"mon": (("12:00", "13:00"),)},
    )
)
THURSDAY = parse_instant("2026-12-24T09:00:00Z")


def test_openings_and_closures_come_in_order_with_local_time_utc_and_the_holiday() -> None:
    changes = describe_openings(OFFICE, THURSDAY, 5)
    assert [(change.kind, change.reason) for change in changes] == [
        ("closes", "Christmas Eve"), ("holiday", "Christmas"), ("opens", ""), ("closes", "break"), ("opens", ""),
    ]  # fmt: skip
    assert changes[0].local == "Thu 24 Dec 2026 14:00 +01:00"
    assert changes[0].utc == "2026-12-24T13:00:00Z"
    assert changes[2].local == "Mon 28 Dec 2026 09:00 +01:00"


def test_a_long_closure_is_looked_through() -> None:
    fair = compile_calendar(CalendarDefinition(tz="UTC", overrides={"2027-06-01": (("10:00", "12:00"),)}))
    changes = describe_openings(fair, THURSDAY, 4)
    assert [(change.kind, change.utc) for change in changes] == [
        ("opens", "2027-06-01T10:00:00Z"), ("closes", "2027-06-01T12:00:00Z"),
    ]  # fmt: skip


def test_what_never_changes_has_nothing_to_tell() -> None:
    always = compile_calendar(
        CalendarDefinition(tz="UTC", weekly=dict.fromkeys((*WORKDAYS, "sat", "sun"), (("00:00", "24:00"),)))
    )
    assert describe_openings(always, THURSDAY, 3) == describe_openings(WallTime(), THURSDAY, 3) == ()


def test_none_asked_for_is_none_told() -> None:
    assert describe_openings(OFFICE, THURSDAY, 0) == ()


def test_openings_stop_where_the_years_covered_end() -> None:
    assert len(describe_openings(OFFICE, parse_instant("2199-12-30T00:00:00Z"), 100)) < 100


def test_local_text_shows_offsets_either_side_of_utc() -> None:
    noon = parse_instant("2026-01-02T12:00:00Z")
    assert local_text(noon, "America/St_Johns") == "Fri  2 Jan 2026 08:30 -03:30"
    assert local_text(noon, "Asia/Kathmandu") == "Fri  2 Jan 2026 17:45 +05:45"


def test_ledger_lines_say_what_counted_and_which_holiday_closed() -> None:
    lines = describe_ledger(OFFICE.ledger(THURSDAY, parse_instant("2026-12-28T09:00:00Z")), "Europe/Berlin")
    assert [(line.when, line.what, line.counted) for line in lines] == [
        ("Thu 24 Dec 10:00-14:00", "counted", "4h"),
        ("Thu 24 Dec 14:00-17:00", "closed: Christmas Eve", ""),
        ("Thu 24 Dec 17:00 - Fri 25 Dec 09:00", "closed", ""),
        ("Fri 25 Dec 09:00-17:00", "closed: Christmas", ""),
        ("Fri 25 Dec 17:00 - Mon 28 Dec 09:00", "closed", ""),
        ("Mon 28 Dec 09:00-10:00", "counted", "1h"),
    ]


def test_open_time_is_cut_at_local_midnight() -> None:
    night = compile_calendar(CalendarDefinition(tz="Europe/Berlin", weekly={"sat": (("22:00", "06:00"),)}))
    start = parse_instant("2026-10-24T19:30:00Z")
    lines = describe_ledger(night.ledger(start, start + DAY), "Europe/Berlin")
    assert [(line.when, line.counted) for line in lines if line.counted] == [
        ("Sat 24 Oct 22:00-24:00", "2h"), ("Sun 25 Oct 00:00-06:00", "7h"),
    ]  # fmt: skip


def test_open_time_over_a_skipped_day_and_a_skipped_midnight_still_tiles() -> None:
    for zone, start in (("Pacific/Apia", "2011-12-29T00:00:00Z"), ("America/Sao_Paulo", "2018-11-03T00:00:00Z")):
        begin = parse_instant(start)
        lines = describe_ledger(WallTime().ledger(begin, begin + 4 * DAY), zone)
        assert 4 <= len(lines) <= 6


def test_the_text_ends_with_the_sum() -> None:
    text = ledger_text(OFFICE.ledger(THURSDAY, THURSDAY + DAY, [(THURSDAY, THURSDAY + HOUR)]), "Europe/Berlin")
    assert text.splitlines()[0] == "Thu 24 Dec 10:00-11:00               paused"
    assert text.splitlines()[-1].split() == ["sum", "counted", "3h"]


def test_seconds_and_milliseconds_are_shown_where_there_are_any() -> None:
    lines = describe_ledger(WallTime().ledger(THURSDAY + 1_000, THURSDAY + 2_250), "UTC")
    assert [line.when for line in lines] == ["Thu 24 Dec 09:00:01-09:00:02.250"]
