"""
Work handed out by hand from a store: the ranked queue of a person or team, the next record, skipping, spreading.

What is handed out is an order (an `override` event of action `reroute`) and goes the way of every other event; nothing
is written to a record here.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from triage.domain.decision import AuditEntry
from triage.domain.facts import Facts
from triage.domain.instant import HOUR, format_instant
from triage.domain.work import Agent, Event
from triage.errors import IntakeError
from triage.policy import Policy
from triage.ports import Store, Unit, record_key
from triage.routing.assign import desk_of
from triage.routing.batch import Plan
from triage.routing.eligible import why_not
from triage.routing.rank import Rank, ranked
from triage.routing.redistribute import redistribution
from triage.routing.wanted import wanted_of
from triage.rules.language import ActionSpec, Target

SKIPPED_FOR = 4 * HOUR
"""A record that somebody has skipped is not handed to them again for so long."""

HANDED_FOR = HOUR // 4
"""For so long a record that was handed to somebody is not handed to another: their order is on its way."""

LEAST_REASON = 3
"""A reason of fewer characters is none."""

MOST = 100_000
"""How many records of one queue are ranked."""


class Line(Struct, frozen=True):
    """One record of a queue with its rank, and why the person cannot be handed it ("": they can)."""

    facts: Facts
    rank: Rank
    why_not: str = ""

    @property
    def key(self) -> str:
        """The record's key."""
        return record_key(self.facts.item.object, self.facts.item.id)


class Handed(Struct, frozen=True, kw_only=True):
    """What `next` came to: the record, "" for none; *own*: it was the person's already. `passed` are higher ones."""

    record: str = ""
    own: bool = False
    rank: Rank | None = None
    passed: tuple[str, ...] = ()
    order: Event | None = None


def agent_named(unit: Unit, policy: Policy, name: str) -> Agent:
    """Return the person whose id or name is *name*; raise IntakeError where there is none, or several."""
    people = {agent.id: agent for agent in (*policy.directory.agents, *unit.related.agents())}
    if name in people:
        return people[name]
    found = [agent for agent in people.values() if agent.name.casefold() == name.casefold()]
    if len(found) != 1:
        raise IntakeError(f"{len(found) or 'no'} people are called {name!r}: name one by id")
    return found[0]


def queue_of_agent(unit: Unit, policy: Policy, agent: Agent, now: int) -> list[Line]:
    """Return what *agent* should do, first on top: their own open records, and those that wait in their queues."""
    spec = ActionSpec(kind="reassign", target=Target(kind="user", name=agent.id))
    skipped = skips_of(unit, agent.id, now)
    lines = []
    for facts, found in _ranked(unit, policy, (agent.id, *_queues(agent)), now):
        key = record_key(facts.item.object, facts.item.id)
        own = facts.item.fields.get("owner") == agent.id
        why = "" if own else why_not(agent, wanted_of(spec, facts, policy, now), desk_of(policy, now))
        lines.append(Line(facts, found, f"skipped: {skipped[key]}" if key in skipped else why))
    return lines


def queue_of_team(unit: Unit, policy: Policy, name: str, now: int) -> list[Line]:
    """Return what waits in the queue of team or pool *name* and what its people hold, first on top."""
    people = {agent.id: agent for agent in (*policy.directory.agents, *unit.related.agents())}
    owners = [agent.id for agent in people.values() if name in (*agent.teams, *agent.pools)]
    return [Line(facts, found) for facts, found in _ranked(unit, policy, (*owners, *_names(name)), now)]


def hand_out(store: Store, policy: Policy, name: str, now: int) -> Handed:
    """
    Return the one record that the person *name* is to work on next, with the order that gives it to them.

    The first in rank of their queues that they may take; a record of their own that nobody has been in touch about is
    among these. It is noted in the audit, with what stood higher and why it was passed over.
    """
    with store.write() as unit:
        agent = agent_named(unit, policy, name)
        passed: list[str] = []
        for line in queue_of_agent(unit, policy, agent, now):
            own = line.facts.item.fields.get("owner") == agent.id
            if own and line.facts.item.fields.get("awaiting_reply") is not True and _contacted(line.facts):
                continue
            why = line.why_not or ("" if own else _taken(unit, line.key, agent.id, now))
            if why:
                passed.append(f"{line.key}: {why}")
                continue
            note = {"rank": line.rank.words(), "passed": passed[:10]}
            unit.audit.append([_entry(unit, line, "handed_out", agent.id, now, **note)])
            order = None if own else _order(line, agent, now)
            return Handed(record=line.key, own=own, rank=line.rank, passed=tuple(passed), order=order)
        return Handed(passed=tuple(passed))


def skip(store: Store, policy: Policy, name: str, record: str, reason: str, now: int) -> None:
    """
    Note that the person *name* skips *record*; it is not handed to them again for four hours.

    Raises:
        IntakeError: no reason or too short a one, no such person, or no such record.
    """
    if not reason.strip():
        raise IntakeError("skipping needs a reason: --reason 'waits for the customer'")
    if len(reason.strip()) < LEAST_REASON:
        raise IntakeError(f"the reason is too short: at least {LEAST_REASON} characters, as 'waits for the customer'")
    with store.write() as unit:
        agent = agent_named(unit, policy, name)
        found = unit.records.get([record]).get(record)
        if found is None:
            raise IntakeError("no such record in the store: write OBJECT/ID", record)
        line = next((one for one in queue_of_agent(unit, policy, agent, now) if one.key == record), None)
        if line is None:
            raise IntakeError(f"is not in the queue of {agent.name or agent.id}", record)
        unit.audit.append([_entry(unit, line, "skipped", agent.id, now, reason=reason.strip())])


def skips_of(unit: Unit, agent_id: str, now: int) -> dict[str, str]:
    """Return the records that somebody has skipped within four hours, with their reasons."""
    lines = unit.audit.lines(event="skipped", limit=1000, last=True)
    return {
        record_key(line.entry.object, line.entry.id): str(line.entry.body.get("reason", ""))
        for line in lines
        if line.entry.actor == agent_id and line.entry.at > now - SKIPPED_FOR
    }


def spread(unit: Unit, policy: Policy, source: Target, to: Target | None, now: int, match: str) -> Plan:
    """Return who would take the open records of *source* (a person, or everybody of a team): a plan, nothing more."""
    people = {agent.id: agent for agent in (*policy.directory.agents, *unit.related.agents())}
    if source.kind == "user":
        owners: Sequence[str] = (agent_named(unit, policy, source.name).id,)
    else:
        members = [agent.id for agent in people.values() if source.name in (*agent.teams, *agent.pools)]
        owners = (*members, *_names(source.name))
    items = [facts for facts, _ in _ranked(unit, policy, owners, now)]
    # A team without a word of where to: among itself.
    goal = to if to is not None or source.kind == "user" else source
    return redistribution(items, list(people.values()), goal, policy, now, match)


def orders_of(plan: Plan, actor: str, reason: str, now: int) -> list[Event]:
    """Return the orders that carry out *plan*: each is a person's word on one record."""
    found = []
    for number, one in enumerate(plan.placed):
        object_name, _, identity = one.key.partition("/")
        found.append(
            Event(
                at=now, type="override", event_id=f"redistribute/{format_instant(now)}/{number}", object=object_name,
                id=identity, action="reroute", to=f"user:{one.agent}", reason=reason, actor=actor,
            )
        )  # fmt: skip
    return found


def _taken(unit: Unit, key: str, agent_id: str, now: int) -> str:
    """Return why the record is on its way to somebody else; it is locked, so that two who ask are told apart."""
    unit.records.get([key], lock=True)
    lines = unit.audit.lines(record=key, event="handed_out", limit=1, last=True)
    recent = [one.entry for one in lines if one.entry.at > now - HANDED_FOR and one.entry.actor != agent_id]
    return f"handed to {recent[0].actor}" if recent else ""


def _ranked(unit: Unit, policy: Policy, owners: Sequence[str], now: int) -> list[tuple[Facts, Rank]]:
    keys = unit.records.dependents([record_key("agent", owner) for owner in dict.fromkeys(owners)])
    wanted = set(owners)
    records = unit.records.get(keys[:MOST]).values()
    return ranked([one.facts for one in records if one.owner in wanted], policy, now)


def _queues(agent: Agent) -> tuple[str, ...]:
    return tuple(name for group in (*agent.teams, *agent.pools) for name in _names(group))


def _names(group: str) -> tuple[str, ...]:
    """Return what an owner field may hold for a queue of that name."""
    return (group, f"pool:{group}", f"team:{group}", f"queue:{group}")


def _contacted(facts: Facts) -> bool:
    """Return whether the customer has heard from us since the record came to its owner: edits do not count."""
    marks = facts.item.marks
    assigned = marks.get("assigned", facts.item.created_at)
    return facts.item.fields.get("is_contacted") is True and marks.get("last_contact", 0) >= assigned


def _order(line: Line, agent: Agent, now: int) -> Event:
    return Event(
        at=now, type="override", event_id=f"next/{line.key}/{agent.id}/{now}", object=line.facts.item.object,
        id=line.facts.item.id, action="reroute", to=f"user:{agent.id}", reason="next in the queue", actor=agent.id,
    )  # fmt: skip


def _entry(unit: Unit, line: Line, event: str, actor: str, now: int, **body: object) -> AuditEntry:
    item = line.facts.item
    return AuditEntry(at=now, org=unit.org, object=item.object, id=item.id, event=event, actor=actor, body=body)
