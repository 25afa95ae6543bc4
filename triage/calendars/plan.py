"""A definition in numbers, and the local spans it lays out over a range of days."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from triage.calendars.definition import PublicHolidays
from triage.calendars.public import holidays_of_year
from triage.calendars.recurrence import Pattern, days_between, to_date, weekday_of
from triage.calendars.spans import Span, union, without
from triage.domain.instant import DAY

WHOLE_DAY: Span = (0, DAY)


class Closure(NamedTuple):
    """One holiday on one day: local ms from and until, the day it belongs to, its name."""

    start: int
    end: int
    day: int
    name: str


class Layers(NamedTuple):
    """
    Local spans of a range of days, each layer inside the one before.

    `shifts` as rostered, `kept` after holidays, `open` after breaks; `closures` are the holidays themselves.
    """

    shifts: list[Span]
    kept: list[Span]
    open: list[Span]
    closures: list[Closure]


@dataclass(frozen=True, slots=True)
class Plan:
    """
    A definition in numbers: spans in ms from a day's local midnight, up to 48 h; days since 1970-01-01.

    The tuples over a week have seven items, Monday first. `dated` and `recurring` are holidays with their names.
    """

    zone: str
    weekly: tuple[tuple[Span, ...], ...]
    overrides: dict[int, tuple[Span, ...]]
    dated: dict[int, tuple[tuple[Span, str], ...]]
    recurring: tuple[tuple[Pattern, Span, str], ...]
    public: PublicHolidays | None
    breaks_weekly: tuple[tuple[Span, ...], ...]
    breaks_dated: dict[int, tuple[Span, ...]]

    @property
    def surely_opens(self) -> bool:
        """Say whether it opens some day without looking: weekly hours that only single dates can close."""
        closed_at_will = self.recurring or self.public or any(self.breaks_weekly)
        return any(self.weekly) and not closed_at_will


def lay_out(plan: Plan, first: int, last: int) -> Layers:
    """
    Return the layers made by the shifts, holidays and breaks that belong to the days *first* to before *last*.

    A shift may reach into the day after its own, so that only instants from *first* + 1 to *last* are complete.
    """
    closures = [closure for closure in _closures(plan, first, last) if closure.day not in plan.overrides]
    special = [span for day, spans in plan.overrides.items() if first <= day < last for span in _on(day, spans)]
    shifts = union((*_regular_shifts(plan, first, last), *special))
    kept = without(shifts, union((closure.start, closure.end) for closure in closures)) if closures else shifts
    breaks = _breaks(plan, first, last)
    return Layers(shifts, kept, without(kept, breaks) if breaks else kept, closures)


def _regular_shifts(plan: Plan, first: int, last: int) -> Iterable[Span]:
    weekly, overrides = plan.weekly, plan.overrides
    for day in range(first, last):
        hours = weekly[(day + 3) % 7]
        if hours and day not in overrides:
            midnight = day * DAY
            for start, end in hours:
                yield midnight + start, midnight + end


def _closures(plan: Plan, first: int, last: int) -> Iterable[Closure]:
    for day, holidays in sorted(plan.dated.items()):
        if first <= day < last:
            yield from (_closure(day, span, name) for span, name in holidays)
    for pattern, span, name in plan.recurring:
        yield from (_closure(day, span, name) for day in days_between(pattern, first, last))
    if plan.public is not None:
        for year in range(to_date(first).year, to_date(last - 1).year + 1):
            for day, name in holidays_of_year(plan.public, year).items():
                if first <= day < last:
                    yield _closure(day, WHOLE_DAY, name)


def _closure(day: int, span: Span, name: str) -> Closure:
    return Closure(day * DAY + span[0], day * DAY + span[1], day, name)


def _breaks(plan: Plan, first: int, last: int) -> list[Span]:
    found = [span for day, spans in plan.breaks_dated.items() if first <= day < last for span in _on(day, spans)]
    if any(plan.breaks_weekly):
        for day in range(first, last):
            found += _on(day, plan.breaks_weekly[weekday_of(day)])
    return union(found)


def _on(day: int, spans: Iterable[Span]) -> list[Span]:
    midnight = day * DAY
    return [(midnight + start, midnight + end) for start, end in spans]
