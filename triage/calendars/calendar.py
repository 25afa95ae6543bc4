"""Business hours compiled to UTC spans with running sums: measure, add, subtract, find openings, explain."""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

import msgspec

from triage.calendars.check import build_plan
from triage.calendars.definition import CalendarDefinition, label_of
from triage.calendars.ledger import Stretch, build_ledger
from triage.calendars.pauses import add_around, elapsed_around, subtract_around
from triage.calendars.plan import Plan, lay_out
from triage.calendars.public import HOLIDAYS_VERSION
from triage.calendars.spans import Span, to_utc
from triage.calendars.zones import TZDATA_VERSION, segments_between, year_start
from triage.domain.facts import Pause
from triage.domain.instant import DAY, format_duration, format_instant, to_datetime
from triage.errors import CalendarError

FIRST_YEAR, LAST_YEAR = 1970, 2200
FIRST, LAST = year_start(FIRST_YEAR), year_start(LAST_YEAR)
"""Calendars know every instant from FIRST to before LAST, in ms UTC."""


class _Table(NamedTuple):
    """
    What is compiled so far: every opening and closing between `lo` and `hi`, and the sums that go with them.

    `points` alternates openings and closings. With i points at or before t, the open time from `lo` to t is
    base[i], plus t where i is odd (t is open). `after[k]` is that sum at the end of span k, and an amount a that is
    used up inside span k is used up at a + shift[k].
    """

    points: list[int]
    base: list[int]
    after: list[int]
    shift: list[int]
    lo: int
    hi: int


_NOTHING = _Table([], [0], [], [], LAST, FIRST)


class Calendar:
    """
    One calendar's hours; instants in ms UTC, amounts in ms. Made by `compile_calendar`, never changed afterwards.

    Spans are compiled by whole years when first asked for. The table is replaced in one assignment, so that threads
    may share a calendar: at worst two of them compile the same years.

    Every method raises CalendarError for instants outside 1970 to 2199 and for answers that would lie there.
    """

    __slots__ = ("_plan", "_table", "digest", "name", "zone")

    def __init__(self, name: str, digest: str, plan: Plan) -> None:
        self.name = name
        self.zone = plan.zone
        self.digest = digest
        self._plan = plan
        self._table = _NOTHING

    def __repr__(self) -> str:
        return f"Calendar({self.name!r}, {self.zone!r}, {self.digest[:12]})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Calendar) and other.digest == self.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def elapsed(self, start: int, end: int, pauses: Sequence[Pause] = ()) -> int:
        """Return the open time from *start* to *end* outside *pauses*; 0 where *end* is not after *start*."""
        if pauses:
            return elapsed_around(self, start, end, pauses)
        if end <= start:
            return 0
        points, base, _, _, lo, hi = self._table
        if start < lo or end >= hi:
            points, base, _, _, lo, hi = self._cover(start, end)
        i, j = bisect_right(points, start), bisect_right(points, end)
        return (base[j] + end if j & 1 else base[j]) - (base[i] + start if i & 1 else base[i])

    def add(self, start: int, amount: int, pauses: Sequence[Pause] = ()) -> int | None:
        """
        Return the earliest instant at which *amount* of open time since *start* is used up; *start* for 0.

        An amount used up at closing time is due at closing time, not at the next opening. None is never: a pause
        without end swallows the rest.
        """
        if pauses:
            return add_around(self, start, amount, pauses, LAST - 1)
        if amount <= 0:
            return _nothing(start, amount)
        points, base, after, shift, lo, hi = self._table
        if start < lo or start >= hi:
            points, base, after, shift, lo, hi = self._cover(start, start)
        i = bisect_right(points, start)
        used = (base[i] + start if i & 1 else base[i]) + amount
        k = bisect_left(after, used)
        return used + shift[k] if k < len(after) else self._add_beyond(start, amount)

    def subtract(self, end: int, amount: int, pauses: Sequence[Pause] = ()) -> int | None:
        """Return the latest instant from which *amount* of open time passes until *end*; *end* for 0."""
        if pauses:
            return subtract_around(self, end, amount, pauses, FIRST)
        if amount <= 0:
            return _nothing(end, amount)
        points, base, after, shift, lo, hi = self._table
        if end < lo or end >= hi:
            points, base, after, shift, lo, hi = self._cover(end, end)
        i = bisect_right(points, end)
        used = (base[i] + end if i & 1 else base[i]) - amount
        return used + shift[bisect_right(after, used)] if used >= 0 else self._subtract_beyond(end, amount)

    def is_open(self, t: int) -> bool:
        """Say whether *t* is open; closing time itself is closed."""
        points, _, _, _, lo, hi = self._table
        if t < lo or t >= hi:
            points = self._cover(t, t).points
        return bisect_right(points, t) & 1 == 1

    def next_open(self, t: int) -> int:
        """Return *t* where it is open, else the next opening."""
        table = self._table if self._table.lo <= t < self._table.hi else self._cover(t, t)
        i = bisect_right(table.points, t)
        while i == len(table.points) and table.hi < LAST:
            table = self._cover(t, table.hi)
            i = bisect_right(table.points, t)
        if i & 1:
            return t
        if i == len(table.points):
            raise CalendarError(f"{label_of(self.name)} does not open after {format_instant(t)}")
        return table.points[i]

    def prev_open(self, t: int) -> int:
        """Return *t* where it is open, else the last closing."""
        table = self._table if self._table.lo <= t < self._table.hi else self._cover(t, t)
        while not (i := bisect_right(table.points, t)) and table.lo > FIRST:
            table = self._cover(table.lo - 1, t)
        if i & 1:
            return t
        if not i:
            raise CalendarError(f"{label_of(self.name)} was not open before {format_instant(t)}")
        return table.points[i - 1]

    def ledger(self, start: int, end: int, pauses: Sequence[Pause] = ()) -> tuple[Stretch, ...]:
        """Return every ms from *start* to *end* exactly once, with why it counted or did not; in order."""
        if end <= start:
            return ()
        _check_range(start, end)
        return build_ledger(self._plan, start, end, pauses)

    def ever_opens(self) -> bool:
        """Say whether any instant of the years covered is open."""
        if self._plan.surely_opens:
            return True
        near = sorted({min(max(day * DAY, FIRST), LAST - 1) for day in self._plan.overrides})
        decades = [year_start(year) for year in range(FIRST_YEAR, LAST_YEAR, 10)]
        years = [to_datetime(at).year for at in (*near, *decades)]
        if any(_compile(self._plan, year, min(year + 1, LAST_YEAR)) for year in dict.fromkeys(years)):
            return True
        return bool(_compile(self._plan, FIRST_YEAR, LAST_YEAR))

    def _add_beyond(self, start: int, amount: int) -> int:
        table = self._table
        while table.hi < LAST:
            table = self._cover(start, table.hi)
            used = _used(table, start) + amount
            k = bisect_left(table.after, used)
            if k < len(table.after):
                return used + table.shift[k]
        raise CalendarError(self._beyond(amount, f"from {format_instant(start)}", f"past {LAST_YEAR - 1}"))

    def _subtract_beyond(self, end: int, amount: int) -> int:
        table = self._table
        while table.lo > FIRST:
            table = self._cover(table.lo - 1, end)
            used = _used(table, end) - amount
            if used >= 0:
                return used + table.shift[bisect_right(table.after, used)]
        raise CalendarError(self._beyond(amount, f"until {format_instant(end)}", f"back before {FIRST_YEAR}"))

    def _beyond(self, amount: int, span: str, limit: str) -> str:
        return f"{label_of(self.name)}: {format_duration(amount)} of open time {span} would reach {limit}"

    def _cover(self, start: int, end: int) -> _Table:
        """Return a table that reaches from *start* past *end*; each growth at least doubles it on that side."""
        _check_range(start, end)
        table = self._table
        first, last = to_datetime(start).year, to_datetime(end).year + 1
        spans: list[Span] = []
        if table is _NOTHING:
            _extend(spans, _compile(self._plan, first, last))
        else:
            old_first, old_last = to_datetime(table.lo).year, to_datetime(table.hi).year
            size = old_last - old_first
            first = max(FIRST_YEAR, min(first, old_first - size)) if first < old_first else old_first
            last = min(LAST_YEAR, max(last, old_last + size)) if last > old_last else old_last
            _extend(spans, _compile(self._plan, first, old_first))
            _extend(spans, list(zip(table.points[::2], table.points[1::2], strict=True)))
            _extend(spans, _compile(self._plan, old_last, last))
        self._table = grown = _tabulate(spans, year_start(first), year_start(last))
        return grown


def compile_calendar(definition: CalendarDefinition) -> Calendar:
    """
    Return the calendar that *definition* describes; its digest changes with any hour, zone data or holiday data.

    Raises:
        ConfigError: times, dates, days, zone or country that cannot be read, all of them at once.
        CalendarError: it would never be open.
    """
    calendar = Calendar(definition.name, _digest(definition), build_plan(definition))
    if not calendar.ever_opens():
        raise CalendarError(
            f"{label_of(definition.name)} is never open: give it weekly hours or an override with hours"
        )
    return calendar


def _digest(definition: CalendarDefinition) -> str:
    versions = f"tzdata {TZDATA_VERSION}" + (f" holidays {HOLIDAYS_VERSION}" if definition.public else "")
    canonical = msgspec.json.encode(definition, order="sorted")
    return hashlib.sha256(canonical + b"\n" + versions.encode()).hexdigest()


def _compile(plan: Plan, first_year: int, last_year: int) -> list[Span]:
    """Return the open UTC spans of the years *first_year* to before *last_year*."""
    if first_year >= last_year:
        return []
    # Offsets reach a day either way and shifts run into the next day: three days around leave nothing incomplete.
    layers = lay_out(plan, year_start(first_year) // DAY - 3, year_start(last_year) // DAY + 3)
    return to_utc(layers.open, segments_between(plan.zone, first_year, last_year))


def _extend(spans: list[Span], more: list[Span]) -> None:
    if spans and more and spans[-1][1] == more[0][0]:
        more = [(spans.pop()[0], more[0][1]), *more[1:]]
    spans += more


def _tabulate(spans: list[Span], lo: int, hi: int) -> _Table:
    after = list(accumulate(end - start for start, end in spans))
    shift = [end - total for (_, end), total in zip(spans, after, strict=True)]
    base = [0]
    for moved, total in zip(shift, after, strict=True):
        base += (-moved, total)
    return _Table([point for span in spans for point in span], base, after, shift, lo, hi)


def _used(table: _Table, t: int) -> int:
    i = bisect_right(table.points, t)
    return table.base[i] + t if i & 1 else table.base[i]


def _check_range(start: int, end: int) -> None:
    if start < FIRST or end >= LAST:
        raise CalendarError(f"{_name(start if start < FIRST else end)} lies outside {FIRST_YEAR} to {LAST_YEAR - 1}")


def _name(instant: int) -> str:
    try:
        return format_instant(instant)
    except OverflowError:
        return f"{instant} ms"


def _nothing(at: int, amount: int) -> int:
    if amount < 0:
        raise CalendarError(f"{amount} ms is a negative amount of time: add and subtract take 0 or more")
    return at
