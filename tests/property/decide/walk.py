"""The core, walked as a worker walks it: timers before an event first, then the event, then what it makes true."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tests.property.decide.generate import RELATED
from triage.domain.decision import Action, Decision
from triage.domain.facts import Facts
from triage.domain.work import Event
from triage.observe import observe
from triage.pipeline import advance, advancing, after, decide
from triage.policy import Policy

Walked = tuple[list[Facts], list[Decision]]


def taken(facts: Facts | None, event: Event, policy: Policy) -> Facts:
    """Return *facts* with *event* observed, nothing decided."""
    return observe(facts, event, policy, RELATED, "o")


def upto(facts: Facts, policy: Policy, instant: int, at: int | None = None) -> Walked:
    """Return the facts after each crossing up to *instant*, and the decisions."""
    pairs = list(advancing(facts, policy, instant, at))
    return [state for state, _ in pairs], [decision for _, decision in pairs]


def punctual(events: Sequence[Event], policy: Policy, end: int) -> Walked:
    """Return every state and decision of a worker that was never late, up to and including *end* (ms)."""
    facts: Facts | None = None
    states: list[Facts] = []
    decisions: list[Decision] = []
    for event in events:
        if facts is not None:
            states, decisions, facts = _gone(facts, policy, event.at - 1, states, decisions)
        facts = taken(facts, event, policy)
        states, decisions, facts = _gone(facts, policy, event.at, states, decisions)
    assert facts is not None
    states, decisions, _ = _gone(facts, policy, end, states, decisions)
    return states, decisions


def _gone(
    facts: Facts, policy: Policy, instant: int, states: list[Facts], decisions: list[Decision]
) -> tuple[list[Facts], list[Decision], Facts]:
    more, decided = upto(facts, policy, instant)
    return [*states, *more], [*decisions, *decided], more[-1] if more else facts


def late(events: Sequence[Event], policy: Policy, end: int, wakes: Iterable[int] = ()) -> list[Action]:
    """Return every action of a worker that looks only at events, at the instants *wakes* and at the *end*."""
    facts: Facts | None = None
    actions: list[Action] = []
    for instant, event in _agenda(events, wakes, end):
        if facts is not None and event is not None:
            facts, decided = advance(facts, policy, instant - 1, instant)
            actions += _of(decided)
        if event is not None:
            facts = taken(facts, event, policy)
        if facts is not None:
            facts, decided = advance(facts, policy, instant, instant)
            actions += _of(decided)
    return actions


def restless(events: Sequence[Event], policy: Policy, end: int, looks: Iterable[int]) -> list[Action]:
    """Return every action of a punctual worker that decides once more at each of *looks*, each event and the *end*."""
    facts: Facts | None = None
    actions: list[Action] = []
    for instant, event in _agenda(events, looks, end):
        if facts is not None:
            facts, decided = advance(facts, policy, instant - 1)
            actions += _of(decided)
        if event is not None:
            facts = taken(facts, event, policy)
        if facts is not None:
            facts, decided = advance(facts, policy, instant)
            decision = decide(facts, policy, instant)
            actions += _of((*decided, decision))
            facts = after(facts, decision)
    return actions


def _of(decisions: Iterable[Decision]) -> list[Action]:
    return [action for decision in decisions for action in decision.actions]


def _agenda(events: Sequence[Event], wakes: Iterable[int], end: int) -> list[tuple[int, Event | None]]:
    """Return all instants in order, events before wakes of the same instant."""
    agenda: list[tuple[int, Event | None]] = [*((event.at, event) for event in events), *((t, None) for t in wakes)]
    return [*sorted(agenda, key=lambda one: (one[0], one[1] is None)), (end, None)]
