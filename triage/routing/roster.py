"""What is odd about the people of a desk, in sentences, so that nothing waits in silence for who never comes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from triage.domain.work import Agent
from triage.routing.assign import members_of
from triage.routing.eligible import UNLIMITED, Desk, stale
from triage.rules.language import ActionSpec, Target

_SHOWN = 5


def oddities(agents: Sequence[Agent], desk: Desk, room: int) -> tuple[str, ...]:
    """
    Return what is odd about *agents* and may be meant so: capacities of 0 or without end, nobody's shift known.

    Args:
        room: What somebody "unlimited" is taken to hold.
    """
    count = len(agents)
    zero = sum(agent.capacity == 0 for agent in agents)
    endless = sum(agent.capacity is not None and agent.capacity >= UNLIMITED for agent in agents)
    shiftless = sum(not agent.shift for agent in agents)
    found = []
    if zero:
        found.append(f"capacity 0: {zero} of {count} take nothing")
    if endless:
        found.append(f"unlimited capacity: {endless} of {count}, whose load is judged as if they could hold {room}")
    if shiftless:
        found.append(f"no shift: {shiftless} of {count}, judged by their presence alone")
    return tuple(found)


def faults(agents: Sequence[Agent], desk: Desk) -> tuple[str, ...]:
    """Return what is wrong with *agents*: shifts that are no calendar's name, and presence that is told no more."""
    count = len(agents)
    unknown = [agent.shift for agent in agents if agent.shift and agent.shift not in desk.calendars]
    silent = sum(bool(stale(agent, desk)) for agent in agents)
    found = []
    if unknown:
        named = ", ".join(map(repr, sorted(set(unknown))[:_SHOWN]))
        found.append(f"shift unknown: {len(unknown)} of {count}, judged by their presence alone: no calendar {named}")
    if silent:
        found.append(f"presence stale: nothing told of {silent} of {count} for too long, they are given nothing")
    return tuple(found)


def empty_groups(specs: Iterable[ActionSpec], agents: Sequence[Agent]) -> tuple[str, ...]:
    """Return the teams and pools that *specs* give records to and nobody is in: those go to the queue of that name."""
    targets = {
        (spec.target.kind, spec.target.name)
        for spec in specs
        if spec.kind == "reassign" and spec.target.kind in ("team", "pool")
    }
    return tuple(name for kind, name in sorted(targets) if not members_of(Target(kind=kind, name=name), agents))
