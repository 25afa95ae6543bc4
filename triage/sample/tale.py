"""One record's tale in the making: its events in time order, with ids of their own, and what no event tells."""

from __future__ import annotations

import random
from typing import Any

from msgspec import Struct

from triage.domain.instant import HOUR, MINUTE, SECOND
from triage.domain.work import Event, EventType


class Mood(Struct, frozen=True):
    """How the customer of a record felt when they wrote at *at*: calm, worried, angry, urgent or thankful."""

    record: str
    at: int
    mood: str


class Told(Struct, frozen=True):
    """A tale that has been told: its events in time order, the moods behind them, and what a lead is worth in money."""

    events: tuple[Event, ...]
    moods: tuple[Mood, ...] = ()
    worth: float = 0.0


class Tale:
    """The events of one record so far. `at` is the instant of the last one; nothing comes before it."""

    def __init__(self, object_: str, record_id: str, at: int) -> None:
        self.object = object_
        self.id = record_id
        self.at = at
        self.events: list[Event] = []
        self.moods: list[Mood] = []

    def add(self, type_: EventType, at: int, **values: Any) -> None:
        """Let something happen at *at*, or right after the last event where that was later."""
        self.at = max(at, self.at + SECOND) if self.events else at
        event_id = f"{self.id}/{len(self.events) + 1}"
        self.events.append(Event(at=self.at, type=type_, event_id=event_id, object=self.object, id=self.id, **values))

    def update(self, at: int, actor: str, **changes: Any) -> None:
        """Let *actor* change fields, by CRM name."""
        self.add("updated", at, changes=changes, actor=actor)

    def says(self, at: int, sender: str, body: str, *, auto: bool = False) -> None:
        """Let a mail come in."""
        self.add("message", at, direction="in", channel="email", body=body, sender=sender, auto=auto)

    def writes(self, at: int, actor: str, body: str) -> None:
        """Let an agent's mail go out."""
        self.add("message", at, direction="out", channel="email", body=body, actor=actor, sender="support@example.com")

    def feels(self, mood: str) -> None:
        """Remember in which mood the last text was written."""
        self.moods.append(Mood(self.id, self.at, mood))

    def told(self, worth: float = 0.0) -> Told:
        """Return the tale as it stands."""
        return Told(tuple(self.events), tuple(self.moods), worth)


def open_minutes(rng: random.Random, low: int, high: int) -> int:
    """Return a working time between *low* and *high* minutes, in ms, to the second."""
    return rng.randrange(low * MINUTE, high * MINUTE, SECOND)


def wall_hours(rng: random.Random, low: float, high: float) -> int:
    """Return a time on the wall between *low* and *high* hours, in ms, to the second."""
    return rng.randrange(int(low * HOUR), int(high * HOUR), SECOND)
