"""One person's or one team's open records spread over others, all at once, as a plan to look at first."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from triage.domain.facts import Facts
from triage.domain.work import Agent
from triage.policy import Policy
from triage.routing.assign import desk_of, members_of
from triage.routing.batch import Plan, assign_batch
from triage.routing.rank import rank
from triage.routing.wanted import wanted_of
from triage.rules.language import ActionSpec, Target


def redistribution(
    items: Sequence[Facts], agents: Sequence[Agent], to: Target | None, policy: Policy, now: int, match: str
) -> Plan:
    """
    Return who would take which of *items* at *now*, the highest in rank first; nobody gets a record they held today.

    Args:
        to: The team, pool or person to give them to; None for everybody who shares a team or a pool with the owner.
    """
    spec = ActionSpec(kind="reassign", target=to or Target(kind="team"))
    wanted = [replace(wanted_of(spec, facts, policy, now), rank=rank(facts, policy, now).score) for facts in items]
    return assign_batch(wanted, takers(items, agents, to), desk_of(policy, now), match)


def takers(items: Sequence[Facts], agents: Sequence[Agent], to: Target | None) -> list[Agent]:
    """Return who is asked: the group or person *to*, else the colleagues of those who own *items* now."""
    if to is not None and to.kind == "user":
        return [agent for agent in agents if agent.id == to.name]
    if to is not None:
        return members_of(to, agents)
    owners = {str(facts.item.fields.get("owner", "")) for facts in items}
    groups = {group for agent in agents if agent.id in owners for group in (*agent.teams, *agent.pools)}
    return [agent for agent in agents if agent.id not in owners and groups & {*agent.teams, *agent.pools}]
