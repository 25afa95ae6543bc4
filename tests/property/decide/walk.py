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


def late(
    events: Sequence[Event], policy: Policy, end: int, wakes: Iterable[int] = (), again: bool = False
) -> list[Action]:
    """
    Return every action of a worker that looks only at events, at the instants *wakes* and at the *end*.

    *again*: at each of them it decides once more than it has to, as after a crash or a duplicate wake-up.
    """
    facts: Facts | None = None
    actions: list[Action] = []
    agenda = sorted([*((event.at, 0, event) for event in events), *((wake, 1, None) for wake in wakes)], key=_when)
    for instant, _, event in [*agenda, (end, 1, None)]:
        if facts is not None and event is not None:
            facts, decided = advance(facts, policy, instant - 1, instant)
            actions += [action for decision in decided for action in decision.actions]
        if event is not None:
            facts = taken(facts, event, policy)
        if facts is not None:
            facts, decided = advance(facts, policy, instant, instant)
            if again:
                decided = (*decided, decide(facts, policy, instant))
                facts = after(facts, decided[-1])
            actions += [action for decision in decided for action in decision.actions]
    return actions


def _when(item: tuple[int, int, Event | None]) -> tuple[int, int]:
    return item[:2]
