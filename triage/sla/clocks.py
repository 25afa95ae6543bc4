"""Every running clock of one record at one instant, and the instant at which an amount of it is used up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Protocol

from triage.domain.facts import MilestoneState, Pause
from triage.domain.instant import SECOND

NEVER = 1 << 62
"""Later than any instant: an amount that an open pause keeps from ever being used up."""


class Hours(Protocol):
    """What a clock asks of a calendar, or of the wall."""

    def elapsed(self, start: int, end: int, pauses: Sequence[Pause] = ()) -> int:
        """Return the open ms in [start, end) outside *pauses*."""
        ...

    def add(self, start: int, amount: int, pauses: Sequence[Pause] = ()) -> int | None:
        """Return the earliest instant at which *amount* open ms are used up; None is never."""
        ...

    def next_open(self, instant: int) -> int:
        """Return *instant* where it is open, else the next opening."""
        ...


class Ask:
    """One question put to clocks: when is *amount* of *clock* used up? Told apart by identity, so that answers keep."""

    __slots__ = ("amount", "clock", "hours", "of_remaining")

    def __init__(self, clock: str, amount: int | Fraction, hours: str, of_remaining: bool = False) -> None:
        self.clock = clock
        self.amount = amount
        self.hours = hours
        self.of_remaining = of_remaining


class Clocks:
    """
    The clocks of one record: starts by name, open milestones by name, and the hours they run in.

    `subject` is the milestone that `sla` means while one rule is looked at. Deadlines are computed once and kept,
    because many rules ask for the same one.
    """

    __slots__ = ("_known", "calendars", "marks", "milestones", "record_hours", "subject")

    def __init__(
        self,
        marks: Mapping[str, int],
        milestones: Sequence[MilestoneState],
        calendars: Mapping[str, Hours],
        record_hours: Hours,
    ) -> None:
        self.marks = marks
        self.milestones = {m.name: m for m in milestones if m.completed is None and m.stopped is None}
        self.calendars = calendars
        self.record_hours = record_hours
        self.subject: MilestoneState | None = None
        self._known: dict[tuple[Ask, str], int | None] = {}

    def hours(self, name: str) -> Hours:
        """Return the hours called *name*: `record` is the record's own calendar."""
        return self.record_hours if name == "record" else self.calendars[name]

    def start(self, clock: str) -> int | None:
        """Return when *clock* (`created`, .., `milestone:NAME`, `sla`) started, None while it does not run."""
        if clock == "sla" or clock.startswith("milestone:"):
            milestone = self._milestone(clock)
            return None if milestone is None else milestone.start
        return self.marks.get(clock)

    def deadline(self, ask: Ask) -> int | None:
        """
        Return the instant at which the asked amount is used up: None where the clock does not run, NEVER while paused.

        A Fraction is a share of a milestone's target, rounded up to whole seconds. `of_remaining` counts back from the
        target, still as an addition to the start (never a subtraction from the due instant).
        """
        clock = ask.clock
        start = self.marks.get(clock)
        if start is not None:
            return start + ask.amount if ask.hours == "none" else self._plain(start, ask)  # type: ignore[return-value]
        milestone = self.subject if clock == "sla" else self._milestone(clock)
        if milestone is None:
            return None
        key = (ask, milestone.name)
        if key not in self._known:
            self._known[key] = self._share(milestone, ask.amount, ask.of_remaining)
        return self._known[key]

    def _milestone(self, clock: str) -> MilestoneState | None:
        if clock == "sla":
            return self.subject
        return self.milestones.get(clock[10:]) if clock.startswith("milestone:") else None

    def _plain(self, start: int, ask: Ask) -> int | None:
        key = (ask, "")
        if key not in self._known:
            found = self.hours(ask.hours).add(start, ask.amount)  # type: ignore[arg-type]
            self._known[key] = NEVER if found is None else found
        return self._known[key]

    def _share(self, milestone: MilestoneState, amount: int | Fraction, of_remaining: bool) -> int | None:
        used = used_amount(milestone.target, amount, of_remaining)
        if used is None:
            return None
        found = self.hours(milestone.hours).add(milestone.start, used, milestone.pauses)
        return NEVER if found is None else found


def used_amount(target: int | None, amount: int | Fraction, of_remaining: bool) -> int | None:
    """
    Return the ms of a milestone that are used up where *amount* is reached; None where it has no target to share.

    Shares are exact and rounded up to whole seconds, so that 80 % of 50 minutes is 2,400 s and of 1 s is 1 s.
    """
    if isinstance(amount, Fraction):
        if not target:
            return None
        share = 1 - amount if of_remaining else amount
        return max(0, -(-share.numerator * target // (share.denominator * SECOND)) * SECOND)
    if not of_remaining:
        return amount
    return None if not target else max(0, target - amount)
