"""Hours that never close: plain elapsed time, the default of rule clocks."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from triage.calendars.ledger import Stretch, open_ledger
from triage.calendars.pauses import FOREVER, add_around, elapsed_around, subtract_around
from triage.domain.facts import Pause
from triage.errors import CalendarError


class WallTime:
    """The same questions as a Calendar, of time without hours; instants in ms UTC, amounts in ms."""

    __slots__ = ()
    name = "none"
    zone = "UTC"
    digest = hashlib.sha256(b"none").hexdigest()

    def elapsed(self, start: int, end: int, pauses: Sequence[Pause] = ()) -> int:
        """Return the time from *start* to *end* outside *pauses*; 0 where *end* is not after *start*."""
        if pauses:
            return elapsed_around(self, start, end, pauses)
        return end - start if end > start else 0

    def add(self, start: int, amount: int, pauses: Sequence[Pause] = ()) -> int | None:
        """Return the earliest instant at which *amount* since *start* is used up; None where a pause swallows it."""
        if pauses:
            return add_around(self, start, amount, pauses, FOREVER)
        if amount < 0:
            raise CalendarError(f"{amount} ms is a negative amount of time: add takes 0 or more")
        return start + amount

    def subtract(self, end: int, amount: int, pauses: Sequence[Pause] = ()) -> int | None:
        """Return the latest instant from which *amount* passes until *end*."""
        if pauses:
            return subtract_around(self, end, amount, pauses, -FOREVER)
        if amount < 0:
            raise CalendarError(f"{amount} ms is a negative amount of time: subtract takes 0 or more")
        return end - amount

    def is_open(self, t: int) -> bool:
        """Say True: wall time never closes."""
        return True

    def next_open(self, t: int) -> int:
        """Return *t*."""
        return t

    def prev_open(self, t: int) -> int:
        """Return *t*."""
        return t

    def ledger(self, start: int, end: int, pauses: Sequence[Pause] = ()) -> tuple[Stretch, ...]:
        """Return every ms from *start* to *end* exactly once, open or paused."""
        return open_ledger(start, end, pauses)
