"""The agent, queue, pool or address an action is for, with who was passed over and why."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from triage.calendars.calendar import Calendar
from triage.domain.facts import Facts
from triage.domain.instant import DAY
from triage.domain.work import Agent
from triage.policy import Policy
from triage.rules.language import ActionSpec, Target

_SHOWN = 10
_KINDS = ("user:", "queue:", "pool:", "team:")


class Assignment(Struct, frozen=True, kw_only=True, gc=False):
    """
    Who an action is for: `target` as `kind:name`, empty for nobody; `note` says why, `passed_over` who was not taken.
    """

    target: str = ""
    note: str = ""
    passed_over: tuple[str, ...] = ()


def assign(spec: ActionSpec, facts: Facts, policy: Policy, now: int) -> Assignment:
    """
    Return who the action *spec* is for at *now*.

    A team or pool that no known agent belongs to is taken as a queue of that name. With known members the least loaded
    eligible one is taken (ties by id); with none eligible the fall-backs are tried: the next tiers and pools in the
    directory's order, then nobody, which leaves the record in the hold queue.
    """
    target = spec.target
    if spec.kind == "reassign" and target.kind in ("team", "pool"):
        return _from_group(spec, facts, policy, now)
    if target.kind == "user":
        return _one_user(spec, facts, policy, now)
    if target.kind == "field" and spec.kind not in ("set", "reprioritise"):
        found = facts.item.fields.get(target.name)
        return (
            Assignment(target=_person_or_address(str(found))) if found else Assignment(note=f"{target.name} is missing")
        )
    if target.kind == "owner" or (target.kind == "role" and target.name == "owner"):
        return _owner(facts)
    if target.kind == "manager" or (target.kind == "role" and target.name == "manager"):
        manager = _manager(facts, policy)
        return _no_return(manager, facts, now) if spec.kind == "reassign" else manager
    if target.kind == "customer":
        return _customer(facts)
    return Assignment(target=named(target))


def named(target: Target) -> str:
    """Return *target* as text: `queue:Tier2`."""
    return f"{target.kind}:{target.name}" if target.name else target.kind


def known_agents(facts: Facts, policy: Policy) -> Sequence[Agent]:
    """Return the agents of the snapshot, or those the policy lists where no snapshot was taken."""
    return facts.agents or policy.directory.agents


def ineligible(agent: Agent, spec: ActionSpec, facts: Facts, policy: Policy, now: int) -> str:
    """Return why *agent* cannot take the record at *now*, or an empty string."""
    if agent.id == facts.item.fields.get("owner"):
        return "owns it"
    if agent.id in had_it(facts, now):
        return "had it within 24 h"
    if any(_names(other, agent) for other in spec.exclude):
        return "excluded by the rule"
    if agent.presence != "online":
        return agent.presence
    if agent.capacity is not None and agent.load >= agent.capacity and spec.params.get("respect_capacity") is not False:
        return f"at capacity ({agent.load} of {agent.capacity})"
    shift = policy.calendars.get(agent.shift) if agent.shift else None
    if isinstance(shift, Calendar) and not shift.is_open(now):
        return "off shift"
    lacking = [need.removeprefix("skill:") for need in spec.require if not _meets(agent, need, facts)]
    return f"lacks {', '.join(lacking)}" if lacking else ""


def _names(other: str, agent: Agent) -> bool:
    kind, _, name = other.partition(":")
    return (kind == "user" and name == agent.id) or (kind == "team" and name in agent.teams)


def _meets(agent: Agent, need: str, facts: Facts) -> bool:
    """Return whether *agent* has what `require` names; presence, capacity and shift are asked of everybody anyway."""
    kind, _, name = need.partition(":")
    if kind == "skill":
        skill, _, level = name.partition(":")
        return agent.skills.get(skill, 0) >= int(level or 1)
    if kind == "tier":
        return agent.tier >= int(name)
    if kind == "team":
        return name in agent.teams
    spoken = facts.item.fields.get("language") if kind == "language" else None
    return spoken is None or agent.skills.get(str(spoken), 0) >= 1


def had_it(facts: Facts, now: int) -> set[str]:
    """Return those whom the record left in the last 24 h: it never goes back to one of them."""
    return {change.before for change in facts.memory.owner_changes if change.at > now - DAY}


def _no_return(found: Assignment, facts: Facts, now: int) -> Assignment:
    person = found.target.removeprefix("user:")
    return Assignment(note=f"{person}: had it within 24 h") if person in had_it(facts, now) else found


def _from_group(spec: ActionSpec, facts: Facts, policy: Policy, now: int) -> Assignment:
    passed: list[str] = []
    groups = _groups(spec.target, policy)
    for group in groups[:1] if spec.params.get("if_none") == "hold" else groups:
        members = [agent for agent in known_agents(facts, policy) if group.name in _memberships(agent, group.kind)]
        if not members:
            if group == spec.target:
                return Assignment(target=named(group), note="no members known: left to its queue")
            continue
        free = []
        for agent in members:
            reason = ineligible(agent, spec, facts, policy, now)
            if reason:
                passed.append(f"{agent.name or agent.id}: {reason}")
            else:
                free.append(agent)
        if free:
            chosen = min(free, key=lambda agent: (agent.load, agent.id))
            note = f"least loaded of {len(free)} in {group.name} ({_load(chosen)})"
            return Assignment(target=f"user:{chosen.id}", note=note, passed_over=tuple(passed[:_SHOWN]))
    return Assignment(note=f"nobody eligible in {spec.target.name}", passed_over=tuple(passed[:_SHOWN]))


def _groups(target: Target, policy: Policy) -> list[Target]:
    """The group asked for, the tiers above it, then the pools: where a record looks for somebody, in order."""
    tiers = policy.directory.tiers
    above = tiers[tiers.index(target.name) + 1 :] if target.name in tiers else ()
    others = (*above, *policy.directory.pools) if target.kind != "pool" else above
    return [target, *(Target(kind="pool", name=name) for name in dict.fromkeys(others))]


def _memberships(agent: Agent, kind: str) -> tuple[str, ...]:
    return agent.teams if kind == "team" else (*agent.pools, *agent.teams)


def _load(agent: Agent) -> str:
    return f"{agent.load} of {agent.capacity}" if agent.capacity is not None else f"{agent.load}, no limit"


def _one_user(spec: ActionSpec, facts: Facts, policy: Policy, now: int) -> Assignment:
    """A named person is taken unless known to be unable to; somebody unknown to us is taken at the rule's word."""
    named_one = Assignment(target=named(spec.target))
    if spec.kind != "reassign" or spec.target.name == facts.item.fields.get("owner"):
        return named_one
    agent = next((known for known in known_agents(facts, policy) if known.id == spec.target.name), None)
    if agent is None:
        return _no_return(named_one, facts, now)
    reason = ineligible(agent, spec, facts, policy, now)
    return Assignment(note=f"{agent.name or agent.id}: {reason}") if reason else named_one


def _customer(facts: Facts) -> Assignment:
    found = facts.item.fields.get("customer")
    return Assignment(target=f"customer:{found}" if found else "customer")


def _owner(facts: Facts) -> Assignment:
    owner = facts.item.fields.get("owner")
    if owner is None:
        return Assignment(note="the record has no owner")
    text = str(owner)
    return Assignment(target=text if ":" in text else f"user:{text}")


def _manager(facts: Facts, policy: Policy) -> Assignment:
    owner = facts.item.fields.get("owner")
    agent = next((known for known in known_agents(facts, policy) if known.id == owner), None)
    name = (agent.manager if agent is not None else "") or policy.safety.manager
    return Assignment(target=_person_or_address(name)) if name else Assignment(note="no manager is known")


def _person_or_address(name: str) -> str:
    """What stands in a field may be anybody's text: with an @ it is an address, whatever comes before it."""
    if "@" in name:
        return f"address:{name.removeprefix('address:')}"
    return name if name.startswith(_KINDS) else f"user:{name}"
