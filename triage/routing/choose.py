"""One person out of those who may take a record: by the policy that the rule, or its group, names."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from triage.domain.instant import format_instant
from triage.domain.work import Agent
from triage.routing.eligible import Desk, why_not
from triage.routing.fit import means_of, score
from triage.routing.wanted import Wanted

SCORED = ("best", "sticky", "optimal")
"""Policies that need track records and scores; `optimal` for a record by itself is `best`."""

TRACKED = ("round_robin", "longest_idle")
"""Policies that need to know when work came to whom."""


class Choice(Struct, frozen=True):
    """Who is taken, and why, with who came second."""

    agent: Agent
    note: str


def choose(match: str, free: Sequence[Agent], wanted: Wanted, group: str, peers: Sequence[Agent], desk: Desk) -> Choice:
    """
    Return who of *free*, which is not empty, takes the record, by the policy *match*; ties go by id.

    Args:
        peers: Everybody in the group, whose mean a track record is compared with.
    """
    if match in SCORED:
        return _by_score(match, free, wanted, group, peers, desk)
    phrase, key, said = _ORDERS[match]
    ranked = sorted(free, key=lambda agent: (key(agent), agent.id))
    return Choice(ranked[0], f"{phrase} of {len(free)} in {group} ({said(ranked[0])}){_second(ranked, said)}")


def shown(agent: Agent) -> str:
    """Return what people call *agent*."""
    return agent.name or agent.id


def load_text(agent: Agent) -> str:
    """Return how much *agent* holds: `3 of 10`."""
    return f"{agent.load} of {agent.capacity}" if agent.capacity is not None else f"{agent.load}, no limit"


def _by_score(
    match: str, free: Sequence[Agent], wanted: Wanted, group: str, peers: Sequence[Agent], desk: Desk
) -> Choice:
    known = next((agent for agent in free if agent.id == wanted.sticky), None) if match == "sticky" else None
    if known is not None:
        return Choice(known, f"knows the customer ({load_text(known)})")
    means = means_of(peers, wanted.about)
    scores = {agent.id: score(agent, wanted, desk.routing, means) for agent in free}
    ranked = sorted(free, key=lambda agent: (-scores[agent.id].total, agent.id))
    note = f"best of {len(free)} in {group} ({scores[ranked[0].id].words()})"
    if len(ranked) > 1:
        note += f"; second {shown(ranked[1])} ({scores[ranked[1].id].total:.2f})"
    return Choice(ranked[0], note + _unable(match, wanted, peers, desk))


def _unable(match: str, wanted: Wanted, peers: Sequence[Agent], desk: Desk) -> str:
    """Say why the one who knows the customer does not get it."""
    known = next((agent for agent in peers if agent.id == wanted.sticky), None) if match == "sticky" else None
    return "" if known is None else f"; {shown(known)}, who knows the customer: {why_not(known, wanted, desk)}"


def _second(ranked: Sequence[Agent], said: Callable[[Agent], str]) -> str:
    return f"; second {shown(ranked[1])} ({said(ranked[1])})" if len(ranked) > 1 else ""


def _given(agent: Agent) -> str:
    at = agent.standing.given_at
    return f"last given work {format_instant(at)}" if at else "given none yet"


def _idle(agent: Agent) -> str:
    at = agent.standing.idle_since
    return f"idle since {format_instant(at)}" if at else "idle all along"


_ORDERS: dict[str, tuple[str, Callable[[Agent], int], Callable[[Agent], str]]] = {
    "first_available": ("first available", lambda agent: 0, load_text),
    "least_loaded": ("least loaded", lambda agent: agent.load, load_text),
    "round_robin": ("next in turn", lambda agent: agent.standing.given_at, _given),
    "longest_idle": ("longest idle", lambda agent: agent.standing.idle_since, _idle),
}
