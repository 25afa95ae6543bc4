"""Pauses around any kind of hours: they remove only the open time that they overlap."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from triage.domain.facts import Pause

FOREVER = 1 << 62
"""Stands in for the end of a pause that is still open; later than any instant."""


class Measure(Protocol):
    """Hours that can measure and add without pauses."""

    def elapsed(self, start: int, end: int) -> int:
        """Return the open ms between two instants."""

    def add(self, start: int, amount: int) -> int | None:
        """Return the earliest instant at which *amount* ms are used up."""

    def subtract(self, end: int, amount: int) -> int | None:
        """Return the latest instant with *amount* ms left until *end*."""


def union_pauses(pauses: Iterable[Pause]) -> list[tuple[int, int]]:
    """Return *pauses* in order, joined where they overlap or touch; open ends last FOREVER, empty ones are dropped."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted((start, FOREVER if end is None else end) for start, end in pauses):
        if end <= start:
            continue
        if joined and start <= joined[-1][1]:
            if end > joined[-1][1]:
                joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def elapsed_around(hours: Measure, start: int, end: int, pauses: Sequence[Pause]) -> int:
    """Return the open ms from *start* to *end* outside *pauses*."""
    if end <= start:
        return 0
    total = hours.elapsed(start, end)
    for begin, finish in union_pauses(pauses):
        begin, finish = max(begin, start), min(finish, end)
        if begin < finish:
            total -= hours.elapsed(begin, finish)
    return total


def add_around(hours: Measure, start: int, amount: int, pauses: Sequence[Pause], horizon: int) -> int | None:
    """
    Return the earliest instant at which *amount* open ms outside *pauses* are used up; None is never.

    *horizon* is the last instant that *hours* can measure to.
    """
    if amount <= 0:
        return hours.add(start, amount)
    at = start
    for begin, finish in union_pauses(pauses):
        if finish <= at:
            continue
        free = hours.elapsed(at, min(begin, horizon)) if begin > at else 0
        if free >= amount:
            break
        if finish == FOREVER:
            return None
        amount -= free
        at = finish
    return hours.add(at, amount)


def subtract_around(hours: Measure, end: int, amount: int, pauses: Sequence[Pause], horizon: int) -> int | None:
    """Return the latest instant from which *amount* open ms outside *pauses* pass until *end*; see `add_around`."""
    if amount <= 0:
        return hours.subtract(end, amount)
    at = end
    for begin, finish in reversed(union_pauses(pauses)):
        if begin >= at:
            continue
        free = hours.elapsed(max(finish, horizon), at) if finish < at else 0
        if free >= amount:
            break
        amount -= free
        at = begin
    return hours.subtract(at, amount)
