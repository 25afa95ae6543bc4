"""Reads a definition into a plan and lists everything that is wrong with it in one go."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from triage.calendars.definition import CalendarDefinition, Holiday, Interval, label_of
from triage.calendars.plan import WHOLE_DAY, Plan
from triage.calendars.public import check_public
from triage.calendars.recurrence import WEEKDAYS, Pattern, parse_day, read_pattern
from triage.calendars.spans import Span, union
from triage.calendars.zones import load_zone
from triage.domain.instant import DAY, HOUR, MINUTE, SECOND
from triage.errors import ConfigError

_TIME = re.compile(r"(\d{2}):(\d{2})(?::(\d{2}))?", re.ASCII)
_DATED = dict[int, tuple[tuple[Span, str], ...]]
_WEEK = tuple[tuple[Span, ...], ...]


class Problem(NamedTuple):
    """One thing wrong in a definition: where (`weekly.mon`) and what, with the way to mend it."""

    path: str
    text: str


def build_plan(definition: CalendarDefinition) -> Plan:
    """Return *definition* in numbers; raise ConfigError listing everything that is wrong with it."""
    plan, problems = _read(definition)
    if problems:
        label = label_of(definition.name)
        raise ConfigError("\n".join(f"{label}: {path}: {text}" for path, text in problems))
    return plan


def check_definition(definition: CalendarDefinition) -> tuple[Problem, ...]:
    """Return everything wrong with *definition*, for a loader that knows the lines; nothing where all is well."""
    return tuple(_read(definition)[1])


def parse_interval(opens: str, closes: str) -> Span:
    """
    Return from and until in ms after local midnight; an end at or before the start is the next day's.

    Raises:
        ValueError: a malformed time; the text says which.
    """
    start, end = _parse_time(opens), _parse_time(closes)
    if start == DAY:
        raise ValueError("'24:00' cannot open a window: write '00:00' on the next day")
    return start, end if end > start else end + DAY


def _parse_time(text: str) -> int:
    found = _TIME.fullmatch(text)
    hour, minute, second = (int(part or 0) for part in found.groups()) if found else (99, 0, 0)
    millis = hour * HOUR + minute * MINUTE + second * SECOND
    if minute > 59 or second > 59 or millis > DAY:
        raise ValueError(f"{text!r} is not a time of day: write 09:00, 17:30:15 or 24:00")
    return millis


def _read(definition: CalendarDefinition) -> tuple[Plan, list[Problem]]:
    problems: list[Problem] = []
    with _noting(problems, "tz"):
        load_zone(definition.tz)
    if definition.public is not None and (text := check_public(definition.public)):
        problems.append(Problem("public", text))
    dated, recurring = _read_holidays(problems, definition.holidays)
    breaks_weekly, breaks_dated = _read_breaks(problems, definition.breaks)
    plan = Plan(
        zone=definition.tz,
        weekly=_read_weekly(problems, definition.weekly),
        overrides=_read_dates(problems, "overrides", definition.overrides),
        dated=dated,
        recurring=recurring,
        public=definition.public,
        breaks_weekly=breaks_weekly,
        breaks_dated=breaks_dated,
    )
    return plan, problems


def _read_weekly(problems: list[Problem], weekly: Mapping[str, Sequence[Interval]]) -> _WEEK:
    week: list[tuple[Span, ...]] = [()] * 7
    for key, pairs in weekly.items():
        spans = _read_intervals(problems, f"weekly.{key}", pairs)
        if key in WEEKDAYS:
            week[WEEKDAYS.index(key)] = spans
        else:
            problems.append(Problem(f"weekly.{key}", _unknown_day(key, "mon to sun")))
    return tuple(week)


def _read_dates(
    problems: list[Problem], field: str, given: Mapping[str, Sequence[Interval]]
) -> dict[int, tuple[Span, ...]]:
    found = {}
    for key, pairs in given.items():
        spans = _read_intervals(problems, f"{field}.{key}", pairs)
        with _noting(problems, f"{field}.{key}"):
            found[parse_day(key)] = spans
    return found


def _read_breaks(
    problems: list[Problem], breaks: Mapping[str, Sequence[Interval]]
) -> tuple[_WEEK, dict[int, tuple[Span, ...]]]:
    week: list[tuple[Span, ...]] = [()] * 7
    dates = {}
    for key, pairs in breaks.items():
        if key[:1].isdigit():
            dates[key] = pairs
            continue
        spans = _read_intervals(problems, f"breaks.{key}", pairs)
        if key != "daily" and key not in WEEKDAYS:
            problems.append(Problem(f"breaks.{key}", _unknown_day(key, "mon to sun, daily, or a date")))
            continue
        for index in range(7) if key == "daily" else (WEEKDAYS.index(key),):
            week[index] = tuple(union((*week[index], *spans)))
    return tuple(week), _read_dates(problems, "breaks", dates)


def _read_holidays(
    problems: list[Problem], holidays: Sequence[Holiday]
) -> tuple[_DATED, tuple[tuple[Pattern, Span, str], ...]]:
    dated: _DATED = {}
    recurring: list[tuple[Pattern, Span, str]] = []
    for index, holiday in enumerate(holidays):
        with _noting(problems, f"holidays[{index}]"):
            if (holiday.date is None) == (holiday.recurrence is None):
                raise ValueError("give either a date or a recurrence")
            span = WHOLE_DAY
            if holiday.start is not None or holiday.end is not None:
                span = parse_interval(holiday.start or "00:00", holiday.end or "24:00")
            if holiday.recurrence is not None:
                recurring.append((read_pattern(holiday.recurrence), span, holiday.name))
            elif holiday.date is not None:
                day = parse_day(holiday.date)
                dated[day] = (*dated.get(day, ()), (span, holiday.name))
    return dated, tuple(recurring)


def _read_intervals(problems: list[Problem], path: str, pairs: Iterable[Interval]) -> tuple[Span, ...]:
    spans: list[Span] = []
    for opens, closes in pairs:
        with _noting(problems, path):
            spans.append(parse_interval(opens, closes))
    return tuple(union(spans))


def _unknown_day(key: str, known: str) -> str:
    meant = next((day for day in WEEKDAYS if key.strip().casefold().startswith(day)), "")
    return f"{key!r} is not a day: " + (f"write {meant!r}" if meant else f"write {known}")


@contextmanager
def _noting(problems: list[Problem], path: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, ConfigError) as cause:
        problems.append(Problem(path, str(cause)))
