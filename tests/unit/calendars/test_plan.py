"""The local layers of a plan: shifts, less holidays, less breaks."""

from __future__ import annotations

from triage.calendars import CalendarDefinition, Holiday, Recurrence
from triage.calendars.check import build_plan
from triage.calendars.plan import Closure, lay_out
from triage.domain.instant import DAY, HOUR

WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def layers_of(first: int, last: int, **fields: object):
    return lay_out(build_plan(CalendarDefinition(tz="UTC", **fields)), first, last)  # type: ignore[arg-type]


def hours(*spans: tuple[float, float]) -> list[tuple[float, float]]:
    return [(start * HOUR, end * HOUR) for start, end in spans]


def test_without_holidays_and_breaks_all_layers_are_the_shifts() -> None:
    layers = layers_of(0, 2, weekly=dict.fromkeys(WEEK, (("09:00", "17:00"),)))
    assert layers.shifts == layers.kept == layers.open == hours((9, 17), (33, 41))
    assert layers.closures == []


def test_each_layer_lies_inside_the_one_before() -> None:
    layers = layers_of(
        0,
        1,
        weekly={"thu": (("09:00", "17:00"),)},
        holidays=(Holiday(date="1970-01-01", start="15:00", name="early close"),),
        breaks={"daily": (("12:00", "13:00"),)},
    )
    assert layers.shifts == hours((9, 17))
    assert layers.kept == hours((9, 15))
    assert layers.open == hours((9, 12), (13, 15))
    assert layers.closures == [Closure(15 * HOUR, DAY, 0, "early close")]


def test_a_holiday_of_the_next_day_takes_the_tail_of_an_override() -> None:
    layers = layers_of(
        0,
        3,
        overrides={"1970-01-02": (("22:00", "06:00"),)},
        holidays=(Holiday(date="1970-01-03"), Holiday(date="1970-01-02")),
    )
    assert layers.kept == hours((46, 48))


def test_days_outside_the_range_lay_out_nothing() -> None:
    layers = layers_of(
        10,
        11,
        overrides={"1970-01-02": (("10:00", "11:00"),)},
        holidays=(Holiday(date="1970-01-02"),),
        breaks={"1970-01-02": (("10:00", "11:00"),)},
    )
    assert layers == ([], [], [], [])


def test_weekly_hours_without_anything_that_comes_back_surely_open() -> None:
    weekly = {"mon": (("09:00", "17:00"),)}
    plain = CalendarDefinition(tz="UTC", weekly=weekly, holidays=(Holiday(date="2026-01-01"),))
    daily = CalendarDefinition(tz="UTC", weekly=weekly, holidays=(Holiday(recurrence=Recurrence(type="RecursDaily")),))
    assert build_plan(plain).surely_opens
    assert not build_plan(daily).surely_opens
