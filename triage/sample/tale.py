"""One record's tale in the making: its events in time order, with ids of their own, and scores made up from moods."""

from __future__ import annotations

import random
from typing import Any

from triage.domain.instant import HOUR, MINUTE, SECOND
from triage.domain.work import Event, EventType

_MOODS = {
    "thankful": ("positive", 0.8, 0.05),
    "calm": ("neutral", 0.05, 0.2),
    "worried": ("neutral", -0.25, 0.45),
    "angry": ("negative", -0.7, 0.65),
    "urgent": ("negative", -0.85, 0.88),
}
"""Mood of a text -> the label, score and urgency that a model would give it, more or less."""


class Tale:
    """The events of one record so far. `at` is the instant of the last one; nothing comes before it."""

    def __init__(self, object_: str, record_id: str, at: int) -> None:
        self.object = object_
        self.id = record_id
        self.at = at
        self.events: list[Event] = []

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

    def feels(self, rng: random.Random, mood: str, language: str) -> None:
        """Let the simulated scores of the last text come in, some seconds after it."""
        label, score, urgency = _MOODS[mood]
        scores = {
            "urgency": {"score": round(min(0.99, max(0.01, rng.gauss(urgency, 0.07))), 3)},
            "sentiment": {"label": label, "score": round(max(-1.0, min(1.0, rng.gauss(score, 0.05))), 3)},
            "language": language,
        }
        self.add("scored", self.at + rng.randrange(3, 20) * SECOND, scores=scores, origin="system")


def open_minutes(rng: random.Random, low: int, high: int) -> int:
    """Return a working time between *low* and *high* minutes, in ms, to the second."""
    return rng.randrange(low * MINUTE, high * MINUTE, SECOND)


def wall_hours(rng: random.Random, low: float, high: float) -> int:
    """Return a time on the wall between *low* and *high* hours, in ms, to the second."""
    return rng.randrange(int(low * HOUR), int(high * HOUR), SECOND)
