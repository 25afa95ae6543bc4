"""What changes about an agent as work comes and goes: load, turns taken, urgent and missed, and being overloaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from triage.calendars.calendar import Calendar
from triage.domain.instant import HOUR
from triage.domain.work import Agent, Standing
from triage.policy import Policy
from triage.routing.choose import TRACKED
from triage.routing.wanted import Burden
from triage.rules.document import Overload


def tracked(policy: Policy) -> bool:
    """Return whether *policy* asks for more about people than their load: turns, idleness, overload, silence."""
    routing = policy.routing
    if routing.overloaded is not None or routing.stale_after or routing.costs.get("fairness"):
        return True
    return not set(TRACKED).isdisjoint(policy.matches)


def gained(agent: Agent, burden: Burden, at: int, *, track: bool) -> Agent:
    """Return *agent* with one record more at *at*; *track*: the policy asks when."""
    agent = replace(agent, load=max(0, agent.load + burden.weight))
    if not track and agent.max_per_hour is None:
        return agent
    now = agent.standing
    given = (*(instant for instant in now.given if instant > at - HOUR), at) if agent.max_per_hour is not None else ()
    standing = _counted(now, burden, 1)
    return replace(agent, standing=replace(standing, given=given, given_at=max(at, now.given_at), idle_since=at))


def lost(agent: Agent, burden: Burden, at: int, *, track: bool) -> Agent:
    """Return *agent* with one record less at *at*."""
    agent = replace(agent, load=max(0, agent.load - burden.weight))
    if not track:
        return agent
    return replace(agent, standing=replace(_counted(agent.standing, burden, -1), idle_since=at))


def ungiven(agent: Agent, burden: Burden) -> Agent:
    """Return *agent* without what was reserved for a record that did not come, or has come by now."""
    agent = replace(agent, load=max(0, agent.load - burden.weight))
    if burden.urgent:
        agent = replace(agent, standing=_counted(agent.standing, burden, -1))
    if agent.max_per_hour is None or not agent.standing.given:
        return agent
    return replace(agent, standing=replace(agent.standing, given=agent.standing.given[:-1]))


def changed(agent: Agent, was: Burden, now: Burden) -> Agent:
    """Return *agent* after one of the records held counts for more, or less."""
    agent = replace(agent, load=max(0, agent.load + now.weight - was.weight))
    if (was.urgent, was.missed) == (now.urgent, now.missed):
        return agent
    return replace(agent, standing=_counted(_counted(agent.standing, was, -1), now, 1))


def restated(agent: Agent, limits: Overload | None) -> Agent:
    """Return *agent* overloaded, where a limit is reached, and free again once all that was limited has cleared."""
    if limits is None:
        return agent
    over, clear = _over(agent, limits), _clear(agent, limits)
    state = agent.standing.overloaded
    told = over if over and not state else "" if state and clear else state
    return agent if told == state else replace(agent, standing=replace(agent.standing, overloaded=told))


def eased(was: Mapping[str, Agent], now: Iterable[Agent]) -> list[Agent]:
    """Return who of those that were there before has more room by now, or is no longer overloaded."""
    found = []
    for agent in now:
        before = was.get(agent.id)
        if before is None or before is agent:
            continue
        if agent.load < before.load or (before.standing.overloaded and not agent.standing.overloaded):
            found.append(agent)
    return found


def next_change(agents: Sequence[Agent], policy: Policy, now: int) -> int | None:
    """Return the next instant at which somebody may take work without any event: a shift begins, an absence ends."""
    found: list[int] = []
    for agent in agents:
        found += [end for _, end in agent.away if end is not None and end > now]
        shift = policy.calendars.get(agent.shift) if agent.shift else None
        if isinstance(shift, Calendar) and not shift.is_open(now):
            found.append(shift.next_open(now))
        if agent.max_per_hour is not None and agent.standing.given:
            found.append(agent.standing.given[0] + HOUR)
    return min((instant for instant in found if instant > now), default=None)


def _counted(now: Standing, burden: Burden, amount: int) -> Standing:
    if not (burden.urgent or burden.missed):
        return now
    return replace(
        now,
        urgent=max(0, now.urgent + amount * burden.urgent),
        missed=max(0, now.missed + amount * burden.missed),
    )


def _over(agent: Agent, limits: Overload) -> str:
    """Return why *agent* is overloaded, or an empty string."""
    if limits.load and agent.capacity and agent.load * 100 >= limits.load * agent.capacity:
        return f"overloaded ({agent.load} of {agent.capacity})"
    if limits.urgent and agent.standing.urgent >= limits.urgent:
        return f"overloaded ({agent.standing.urgent} urgent)"
    if limits.missed and agent.standing.missed >= limits.missed:
        return f"overloaded ({agent.standing.missed} promises missed)"
    return ""


def _clear(agent: Agent, limits: Overload) -> bool:
    if limits.load and agent.capacity and agent.load * 100 > limits.clear_load * agent.capacity:
        return False
    if limits.urgent and agent.standing.urgent > limits.clear_urgent:
        return False
    return not limits.missed or agent.standing.missed <= limits.clear_missed
