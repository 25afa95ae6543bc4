"""The agent, queue, pool or address an action is for, with who was passed over and why."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from triage.domain.facts import Facts
from triage.domain.work import Agent
from triage.policy import Policy
from triage.routing.choose import choose, shown
from triage.routing.eligible import Desk, why_not
from triage.routing.wanted import had_it, wanted_of
from triage.rules.language import ActionSpec, Target

_SHOWN = 10
_KINDS = ("user:", "queue:", "pool:", "team:")


class Assignment(Struct, frozen=True, kw_only=True, gc=False):
    """
    Who an action is for: `target` as `kind:name`, empty for nobody; `note` says why, `passed_over` who was not taken.

    `counts` is what of the record has to stand with the action, so that as much is given back: its weight where that is
    not 1, and that it is urgent where a policy limits those.
    """

    target: str = ""
    note: str = ""
    passed_over: tuple[str, ...] = ()
    counts: dict[str, Any] = {}


def assign(
    spec: ActionSpec, facts: Facts, policy: Policy, now: int, among: Collection[str] | None = None
) -> Assignment:
    """
    Return who the action *spec* is for at *now*.

    A team or pool that no known agent belongs to is taken as a queue of that name. With known members one of the
    eligible is taken, by the policy that the rule or its group names (`choose.py`); with none eligible the fall-backs
    are tried: the next tiers and pools in the directory's order, then nobody: the record waits in the hold queue.

    Args:
        among: Ids of those who are known to be free; nobody else of a group is asked.
    """
    target = spec.target
    if spec.kind == "reassign" and target.kind in ("team", "pool"):
        return _from_group(spec, facts, policy, now, among)
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
    return why_not(agent, wanted_of(spec, facts, policy, now), desk_of(policy, now))


def desk_of(policy: Policy, now: int) -> Desk:
    """Return what is asked besides the agents at *now*."""
    return Desk(policy.routing, policy.calendars, now)


def match_of(spec: ActionSpec, group: str, policy: Policy) -> str:
    """Return how somebody of *group* is chosen: as the rule says, else the group, else the policy."""
    return spec.match or policy.routing.groups.get(group) or policy.routing.match


def _no_return(found: Assignment, facts: Facts, now: int) -> Assignment:
    person = found.target.removeprefix("user:")
    return Assignment(note=f"{person}: had it within 24 h") if person in had_it(facts, now) else found


def _from_group(spec: ActionSpec, facts: Facts, policy: Policy, now: int, among: Collection[str] | None) -> Assignment:
    passed: list[str] = []
    wanted, desk = wanted_of(spec, facts, policy, now), desk_of(policy, now)
    for group in groups_of(spec, policy):
        members = members_of(group, known_agents(facts, policy))
        if not members:
            if group == spec.target:
                return Assignment(target=named(group), note="no members known: left to its queue")
            continue
        free = []
        for agent in members:
            if among is not None and agent.id not in among:
                continue
            reason = why_not(agent, wanted, desk)
            if reason:
                passed.append(f"{shown(agent)}: {reason}")
            else:
                free.append(agent)
        if free:
            chosen = choose(match_of(spec, group.name, policy), free, wanted, group.name, members, desk)
            return Assignment(
                target=f"user:{chosen.agent.id}", note=chosen.note, passed_over=tuple(passed[:_SHOWN]),
                counts=_counts(wanted.weight, wanted.urgent, policy),
            )  # fmt: skip
    return Assignment(note=f"nobody eligible in {spec.target.name}", passed_over=tuple(passed[:_SHOWN]))


def groups_of(spec: ActionSpec, policy: Policy) -> list[Target]:
    """Return where a record looks for somebody, in order: the group asked for, and what follows where it may go on."""
    found = _groups(spec.target, policy)
    return found[:1] if spec.params.get("if_none") == "hold" else found


def members_of(group: Target, agents: Sequence[Agent]) -> list[Agent]:
    """Return those of *agents* who belong to *group*, in their order."""
    name = group.name
    if group.kind == "team":
        return [agent for agent in agents if name in agent.teams]
    return [agent for agent in agents if name in agent.pools or name in agent.teams]


def _groups(target: Target, policy: Policy) -> list[Target]:
    """The group asked for, the tiers above it, then the pools: where a record looks for somebody, in order."""
    tiers = policy.directory.tiers
    above = tiers[tiers.index(target.name) + 1 :] if target.name in tiers else ()
    others = (*above, *policy.directory.pools) if target.kind != "pool" else above
    return [target, *(Target(kind="pool", name=name) for name in dict.fromkeys(others))]


def _one_user(spec: ActionSpec, facts: Facts, policy: Policy, now: int) -> Assignment:
    """A named person is taken unless known to be unable to; somebody unknown to us is taken at the rule's word."""
    named_one = Assignment(target=named(spec.target))
    if spec.kind != "reassign" or spec.target.name == facts.item.fields.get("owner"):
        return named_one
    agent = next((known for known in known_agents(facts, policy) if known.id == spec.target.name), None)
    if agent is None:
        return _no_return(named_one, facts, now)
    reason = ineligible(agent, spec, facts, policy, now)
    if reason:
        return Assignment(note=f"{shown(agent)}: {reason}")
    wanted = wanted_of(spec, facts, policy, now)
    return replace(named_one, counts=_counts(wanted.weight, wanted.urgent, policy))


def _counts(weight: int, urgent: bool, policy: Policy) -> dict[str, Any]:
    limits = policy.routing.overloaded
    found: dict[str, Any] = {} if weight == 1 else {"weight": weight}
    return found | {"urgent": True} if urgent and limits is not None and limits.urgent else found


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
