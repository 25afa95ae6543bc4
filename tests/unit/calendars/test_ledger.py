"""The ledger names why each stretch counted or did not."""

from __future__ import annotations

from triage.calendars import CalendarDefinition, Holiday, Stretch, compile_calendar
from triage.domain.instant import DAY, HOUR, MINUTE, parse_instant

MONDAY = parse_instant("2026-01-12T00:00:00Z")


def office(**more: object):
    weekly = dict.fromkeys(("mon", "tue"), (("09:00", "17:00"),))
    return compile_calendar(CalendarDefinition(tz="UTC", weekly=weekly, **more))  # type: ignore[arg-type]


def kinds(stretches) -> list[tuple[str, str, float]]:
    return [(stretch.kind, stretch.label, (stretch.end - stretch.start) / HOUR) for stretch in stretches]


def test_a_plain_day_is_closed_open_closed() -> None:
    assert office().ledger(MONDAY, MONDAY + DAY) == (
        Stretch(MONDAY, MONDAY + 9 * HOUR, "closed"),
        Stretch(MONDAY + 9 * HOUR, MONDAY + 17 * HOUR, "open"),
        Stretch(MONDAY + 17 * HOUR, MONDAY + DAY, "closed"),
    )


def test_a_holiday_names_the_rostered_hours_it_takes() -> None:
    ledger = office(holidays=(Holiday(date="2026-01-12", name="Founders' day"),)).ledger(MONDAY, MONDAY + DAY)
    assert kinds(ledger) == [("closed", "", 9), ("holiday", "Founders' day", 8), ("closed", "", 7)]


def test_of_two_holidays_over_one_hour_the_earlier_one_names_it() -> None:
    holidays = (
        Holiday(date="2026-01-12", name="late", start="11:00", end="14:00"),
        Holiday(date="2026-01-12", name="early", start="10:00", end="12:00"),
    )
    ledger = office(holidays=holidays).ledger(MONDAY + 9 * HOUR, MONDAY + 17 * HOUR)
    assert kinds(ledger) == [("open", "", 1), ("holiday", "early", 2), ("holiday", "late", 2), ("open", "", 3)]


def test_a_break_takes_what_holidays_left() -> None:
    calendar = office(
        holidays=(Holiday(date="2026-01-12", name="morning", end="12:30"),), breaks={"daily": (("12:00", "13:00"),)}
    )
    ledger = calendar.ledger(MONDAY + 9 * HOUR, MONDAY + 17 * HOUR)
    assert kinds(ledger) == [("holiday", "morning", 3.5), ("break", "", 0.5), ("open", "", 4)]


def test_a_pause_takes_only_open_time() -> None:
    pauses = [(MONDAY + 8 * HOUR, MONDAY + 10 * HOUR), (MONDAY + 16 * HOUR, None)]
    ledger = office().ledger(MONDAY, MONDAY + DAY, pauses)
    assert kinds(ledger) == [
        ("closed", "", 9),
        ("paused", "", 1),
        ("open", "", 6),
        ("paused", "", 1),
        ("closed", "", 7),
    ]


def test_a_shift_through_a_clock_change_is_one_stretch() -> None:
    night = compile_calendar(CalendarDefinition(tz="Europe/London", weekly={"sat": (("22:00", "06:00"),)}))
    start = parse_instant("2026-03-28T12:00:00Z")
    (shift,) = [stretch for stretch in night.ledger(start, start + DAY) if stretch.kind == "open"]
    assert shift.end - shift.start == 7 * HOUR


def test_a_ledger_may_begin_and_end_inside_a_stretch_and_over_new_year() -> None:
    always = compile_calendar(CalendarDefinition(tz="UTC", weekly={"thu": (("00:00", "24:00"),)}))
    eve = parse_instant("2026-12-31T23:59:00Z")
    assert always.ledger(eve, eve + 2 * MINUTE) == (
        Stretch(eve, eve + MINUTE, "open"),
        Stretch(eve + MINUTE, eve + 2 * MINUTE, "closed"),
    )


def test_a_ledger_of_no_time_is_empty() -> None:
    assert office().ledger(MONDAY, MONDAY) == office().ledger(MONDAY, MONDAY - 1) == ()
