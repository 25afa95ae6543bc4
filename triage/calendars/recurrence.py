"""Recurring holidays: which days of a range a recurrence falls on. Days are counted from 1970-01-01."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import NamedTuple

from triage.calendars.definition import Recurrence

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LONG_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_NTH = {"First": 0, "Second": 1, "Third": 2, "Fourth": 3, "Last": -1}
_EPOCH = date(1970, 1, 1).toordinal()
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_DAY_OF_MONTH = {"RecursMonthly", "RecursYearly"}
_WEEKDAYS_NEEDED = {"RecursWeekly", "RecursMonthlyNth", "RecursYearlyNth"}


class Pattern(NamedTuple):
    """A recurrence in numbers: days since 1970-01-01, weekdays from Monday = 0, months from January = 1."""

    type: str
    start: int | None
    end: int | None
    interval: int
    weekdays: frozenset[int]
    day: int
    month: int
    nth: int


def parse_day(text: str) -> int:
    """Return the days from 1970-01-01 to the date *text*; raise ValueError where it is not `YYYY-MM-DD`."""
    if not _DATE.fullmatch(text):
        raise ValueError(f"{text!r} is not a date: write 2026-12-25")
    try:
        return date.fromisoformat(text).toordinal() - _EPOCH
    except ValueError as cause:
        raise ValueError(f"{text!r} is not a date: {cause}") from cause


def to_date(day: int) -> date:
    """Return the date *day* days after 1970-01-01."""
    return date.fromordinal(day + _EPOCH)


def weekday_of(day: int) -> int:
    """Return the weekday of *day*, Monday = 0."""
    return (day + 3) % 7


def read_pattern(recurrence: Recurrence) -> Pattern:
    """Return *recurrence* in numbers; raise ValueError naming what is missing or wrong."""
    kind = recurrence.type
    pattern = Pattern(
        kind,
        None if recurrence.start is None else parse_day(recurrence.start),
        None if recurrence.end is None else parse_day(recurrence.end),
        recurrence.interval,
        frozenset(_weekday(text) for text in recurrence.days),
        recurrence.day or 0,
        _month(recurrence.month) if recurrence.month else 0,
        _NTH[recurrence.instance] if recurrence.instance else 0,
    )
    if lacking := _lacking(pattern, recurrence):
        raise ValueError(f"{kind}{lacking}")
    return pattern


def _lacking(pattern: Pattern, recurrence: Recurrence) -> str:
    if pattern.interval < 1:
        return f": interval {pattern.interval} must be 1 or more"
    if pattern.interval > 1 and pattern.start is None:
        return f": an interval of {pattern.interval} needs a start date to count from"
    kind = pattern.type
    for needed, given, field in (
        (kind in _DAY_OF_MONTH, 1 <= pattern.day <= 31, "day (1 to 31)"),
        (kind in _WEEKDAYS_NEEDED, bool(pattern.weekdays), "days (Monday to Sunday)"),
        (kind.endswith("Nth"), recurrence.instance is not None, "instance (First to Fourth, or Last)"),
        (kind.startswith("RecursYearly"), pattern.month > 0, "month (January to December)"),
    ):
        if needed and not given:
            return f" needs {field}"
    return ""


def days_between(pattern: Pattern, first: int, last: int) -> Iterator[int]:
    """Yield, in order, the days of *pattern* from *first* to before *last*."""
    low = first if pattern.start is None else max(first, pattern.start)
    high = last if pattern.end is None else min(last, pattern.end + 1)
    return _WALKS[pattern.type](pattern, low, high)


def _daily(pattern: Pattern, low: int, high: int) -> Iterator[int]:
    origin = low if pattern.start is None else pattern.start
    yield from range(low + (origin - low) % pattern.interval, high, pattern.interval)


def _every_weekday(pattern: Pattern, low: int, high: int) -> Iterator[int]:
    yield from (day for day in range(low, high) if weekday_of(day) < 5)


def _weekly(pattern: Pattern, low: int, high: int) -> Iterator[int]:
    origin = _week(low if pattern.start is None else pattern.start)
    for day in range(low, high):
        if weekday_of(day) in pattern.weekdays and (_week(day) - origin) % pattern.interval == 0:
            yield day


def _monthly(pattern: Pattern, low: int, high: int) -> Iterator[int]:
    for month in _months(pattern, low, high):
        day = month + pattern.day - 1
        if low <= day < high and to_date(day).day == pattern.day:
            yield day


def _monthly_nth(pattern: Pattern, low: int, high: int) -> Iterator[int]:
    for month in _months(pattern, low, high):
        number = to_date(month).month
        matching = [
            day
            for day in range(month, month + 31)
            if weekday_of(day) in pattern.weekdays and to_date(day).month == number
        ]
        if low <= matching[pattern.nth] < high:
            yield matching[pattern.nth]


def _months(pattern: Pattern, low: int, high: int) -> Iterator[int]:
    """Yield the first day of each month that the pattern's interval and month allow."""
    if low >= high:
        return
    yearly = pattern.month > 0 and pattern.type.startswith("RecursYearly")
    begin, finish = _month_index(low), _month_index(high)
    origin = begin if pattern.start is None else _month_index(pattern.start)
    for index in range(begin, finish + 1):
        year, month = divmod(index, 12)
        if yearly:
            wanted = month + 1 == pattern.month and (year - origin // 12) % pattern.interval == 0
        else:
            wanted = (index - origin) % pattern.interval == 0
        if wanted:
            yield date(year, month + 1, 1).toordinal() - _EPOCH


def _month_index(day: int) -> int:
    moment = to_date(day)
    return moment.year * 12 + moment.month - 1


def _week(day: int) -> int:
    """Number the weeks from Sunday, as Salesforce does: 1970-01-04 was one."""
    return (day - 3) // 7


def _weekday(text: str) -> int:
    folded = text.strip().casefold()
    for names in (_LONG_DAYS, WEEKDAYS):
        if folded in names:
            return names.index(folded)
    raise ValueError(f"{text!r} is not a day of the week: write Monday to Sunday")


def _month(text: str) -> int:
    folded = text.strip().casefold()
    if folded not in _MONTHS:
        raise ValueError(f"{text!r} is not a month: write January to December")
    return _MONTHS.index(folded) + 1


_WALKS: dict[str, Callable[[Pattern, int, int], Iterator[int]]] = {
    "RecursDaily": _daily,
    "RecursEveryWeekday": _every_weekday,
    "RecursWeekly": _weekly,
    "RecursMonthly": _monthly,
    "RecursMonthlyNth": _monthly_nth,
    "RecursYearly": _monthly,
    "RecursYearlyNth": _monthly_nth,
}
