"""The hold queue: what nobody could take, given to whoever can now, the highest in rank first."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from msgspec.structs import replace

from triage.domain.decision import Action
from triage.domain.facts import Facts
from triage.domain.instant import DAY
from triage.domain.work import Agent
from triage.policy import Policy
from triage.routing.assign import desk_of, groups_of, match_of, members_of
from triage.routing.eligible import has_room, open_for_work
from triage.routing.rank import rank
from triage.routing.standing import gained, restated, tracked
from triage.routing.wanted import Wanted, reserved, wanted_of
from triage.rules.language import ActionSpec, Target

Place = Callable[[Action, Facts, Policy, int, Collection[str] | None], Action | None]
"""How one action is placed with the agents of its facts, those among some ids; None for still nobody."""


def drain(
    waiting: Sequence[tuple[Action, Facts]], agents: Sequence[Agent], policy: Policy, now: int, place: Place,
    specs_of: Callable[[Action, Policy], Sequence[ActionSpec]],
) -> list[Action]:  # fmt: skip
    """
    Return those of *waiting* that somebody of *agents* can take at *now*, each with whom it goes to.

    The highest rank goes first; records whose group is matched `optimal` are solved together, and what one record takes
    of somebody is not there for the next.
    """
    free = _free(agents, policy, now)
    if agents and not free:
        return []
    people = {agent.id: agent for agent in agents}
    track = tracked(policy)
    placed: list[Action] = []
    queue = sorted(waiting, key=lambda one: (-rank(one[1], policy, now).score, one[0].due, one[0].key))
    chosen = _together(queue, agents, policy, now, specs_of)
    for action, facts in queue:
        if agents and not free:
            break
        known = chosen.get(action.key)
        seen = replace(facts, agents=tuple(people.values()))
        # Solved together: the one that was chosen is asked first.
        found = None if known is None else place(action, seen, policy, now, (known,))
        found = found or place(action, seen, policy, now, free if agents else None)
        if found is None:
            continue
        placed.append(found)
        taker = found.target.removeprefix("user:")
        if found.kind == "reassign" and taker in people:
            # What is urgent, or too much, counts at once: one who is overloaded by it is given nothing more here.
            taken = gained(people[taker], reserved(found.params), now, track=track)
            people[taker] = restated(taken, policy.routing.overloaded)
            if not has_room(people[taker]) or people[taker].standing.overloaded:
                free.pop(taker, None)
    return placed


def anyone(agents: Sequence[Agent], policy: Policy, now: int) -> bool:
    """Return whether anybody of *agents* is there and has room; true where nobody is known at all."""
    return not agents or bool(_free(agents, policy, now))


def returns(facts: Facts, now: int) -> int | None:
    """Return when somebody who had the record within 24 h may have it again, None where nobody had it."""
    return min((change.at + DAY for change in facts.memory.owner_changes if change.at > now - DAY), default=None)


def _free(agents: Sequence[Agent], policy: Policy, now: int) -> dict[str, Agent]:
    desk = desk_of(policy, now)
    return {one.id: one for one in agents if open_for_work(one, desk)}


def _together(
    queue: Sequence[tuple[Action, Facts]], agents: Sequence[Agent], policy: Policy, now: int,
    specs_of: Callable[[Action, Policy], Sequence[ActionSpec]],
) -> dict[str, str]:  # fmt: skip
    """Return who takes each record of groups that are matched `optimal`, by the action's key."""
    groups: dict[tuple[str, str], list[Wanted]] = {}
    for action, facts in queue:
        spec = next(iter(specs_of(action, policy)), None)
        if spec is None or spec.kind != "reassign" or spec.target.kind not in ("team", "pool"):
            continue
        group = groups_of(spec, policy)[0]
        if match_of(spec, group.name, policy) == "optimal":
            wanted = replace(wanted_of(spec, facts, policy, now), key=action.key)
            groups.setdefault((group.kind, group.name), []).append(wanted)
    if not groups:
        return {}
    from triage.routing.batch import assign_batch

    chosen: dict[str, str] = {}
    for (kind, name), items in groups.items():
        plan = assign_batch(items, members_of(Target(kind=kind, name=name), agents), desk_of(policy, now), "optimal")
        chosen |= {one.key: one.agent for one in plan.placed}
    return chosen
