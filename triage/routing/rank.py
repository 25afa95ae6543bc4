"""What to do first: urgency x value x time left x mood, each to a power that the policy sets, explained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from triage.domain.facts import Facts, MilestoneState
from triage.domain.instant import MINUTE, format_duration
from triage.policy import Policy
from triage.routing.wanted import money, urgency_of
from triage.sla.milestones import due as milestone_due

PARTS = ("urgency", "value", "sla", "sentiment")

MOST_USED = 2.0
"""A promise broken long ago counts no more than one broken by as much again as was allowed."""

_MOODS = {"negative": 1.0, "neutral": 0.5, "positive": 0.0}


class Part(Struct, frozen=True):
    """One factor of a rank: at least 1, and the words for it."""

    name: str
    factor: float
    words: str


class Rank(Struct, frozen=True):
    """How soon a record should be worked on, the higher the sooner; 1 where nothing speaks for it."""

    score: float
    parts: tuple[Part, ...] = ()

    def words(self) -> str:
        """Return the rank for people: `3.42 = 1.90 (urgency 90%) x 1.80 (80% of first_response used)`."""
        told = " x ".join(f"{part.factor:.2f} ({part.words})" for part in self.parts if part.factor != 1)
        return f"{self.score:.2f} = {told}" if told else f"{self.score:.2f}, nothing speaks for it"


def rank(facts: Facts, policy: Policy, now: int) -> Rank:
    """
    Return the record's rank at *now*.

    Each factor is 1 + a share: urgency 0..1, money m / (m + worth_half), time used of the promise that has least left
    (2 at most), mood 0..1 from positive to negative. What is not known is 1. `routing.queue` holds the powers.
    """
    parts = tuple(
        Part(name, round((1.0 + share) ** (policy.routing.queue.get(name, 100) / 100), 4), words)
        for name, (share, words) in zip(PARTS, _shares(facts, policy, now), strict=True)
    )
    score = 1.0
    for part in parts:
        score *= part.factor
    return Rank(round(score, 4), parts)


def ranked(items: Sequence[Facts], policy: Policy, now: int) -> list[tuple[Facts, Rank]]:
    """Return *items* with their ranks, what to do first on top; equal ones go by age, then by id."""
    found = [(facts, rank(facts, policy, now)) for facts in items]
    return sorted(found, key=lambda one: (-one[1].score, one[0].item.created_at, one[0].item.object, one[0].item.id))


def _shares(facts: Facts, policy: Policy, now: int) -> list[tuple[float, str]]:
    fields, name = facts.item.fields, facts.item.object
    urgency = urgency_of(fields, policy, name)
    amount = money(fields, policy.routing)
    used, promise = time_used(facts, policy, now)
    mood = _mood(fields)
    dear = 0.0 if amount is None or amount <= 0 else amount / (amount + policy.routing.worth_half)
    return [
        (0.0, "urgency unknown") if urgency is None else (urgency, f"urgency {urgency:.0%}"),
        (dear, "value unknown" if amount is None else f"worth {amount:,.0f}"),
        (min(MOST_USED, used), promise),
        (0.0, "mood unknown") if mood is None else (mood, f"mood {_named(fields)}"),
    ]


def time_used(facts: Facts, policy: Policy, now: int) -> tuple[float, str]:
    """Return the largest share used of any open promise (above 1: broken), and the words for it; 0 for none."""
    best, words = 0.0, "no promise runs"
    for state in facts.memory.milestones:
        if state.completed is not None or state.stopped is not None or not state.target:
            continue
        used = (
            _hours(facts, policy)(state.hours).elapsed(state.start, max(now, state.start), state.pauses) / state.target
        )
        if used > best:
            best, words = used, _promise(state, used, facts, policy, now)
    return best, words


def _promise(state: MilestoneState, used: float, facts: Facts, policy: Policy, now: int) -> str:
    due = milestone_due(state, _hours(facts, policy))
    if used >= 1 and due is not None and due <= now:
        return f"{state.name} late by {format_duration(max(MINUTE, (now - due) // MINUTE * MINUTE))}"
    return f"{used:.0%} of {state.name} used"


def _hours(facts: Facts, policy: Policy) -> Callable[[str], Any]:
    return lambda name: policy.hours_for(facts.item) if name == "record" else policy.calendars[name]


def _mood(fields: dict[str, Any]) -> float | None:
    score = fields.get("sentiment.score")
    if isinstance(score, int | float):
        return (1.0 - max(-1.0, min(1.0, score))) / 2
    return _MOODS.get(str(fields.get("sentiment.label")))


def _named(fields: dict[str, Any]) -> str:
    return str(fields.get("sentiment.label") or f"{fields.get('sentiment.score'):+.2f}")
