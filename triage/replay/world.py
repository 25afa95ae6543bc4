"""The records of a replay as they stand at one instant, with all that one record's rules may read of others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from triage.domain.facts import Facts
from triage.domain.work import Agent, Event
from triage.errors import IntakeError
from triage.intake.agent import came_back, changed_agent
from triage.observe import contact_of, observe
from triage.policy import Policy
from triage.routing.standing import changed, gained, lost, restated, tracked, ungiven
from triage.routing.wanted import Burden, burden_of
from triage.rules.document import Overload

Target = tuple[str, str]
"""(object, id)."""


class Kept:
    """One record: its facts, its place in the order of creation, and the instant at which it wants to be looked at."""

    __slots__ = ("acted", "burden", "due", "facts", "owner", "place", "references", "settled")

    def __init__(self, facts: Facts, place: int) -> None:
        self.facts = facts
        self.settled: Facts | None = None
        self.place = place
        self.due: int | None = None
        self.acted: list[int] = []
        self.owner = ""
        self.burden = Burden()
        self.references: tuple[Target, ...] = ()


class Agents:
    """The agents and what each holds; starts with those the policy names."""

    def __init__(self, known: tuple[Agent, ...], *, track: bool = False, limits: Overload | None = None) -> None:
        self._agents = {agent.id: agent for agent in known}
        self._track = track
        self._limits = limits
        self._snapshot: tuple[Agent, ...] | None = None

    def snapshot(self) -> tuple[Agent, ...]:
        """Return all agents as they are now, by id."""
        if self._snapshot is None:
            self._snapshot = tuple(self._agents[name] for name in sorted(self._agents))
        return self._snapshot

    def change(self, event: Event, owned: int) -> None:
        """
        Fold an `agent` event; somebody new holds the *owned* records that are theirs already.

        Raises:
            IntakeError: a change of a wrong type or of an unknown name.
        """
        unknown = [name for name in event.changes if name not in Agent.__struct_fields__]
        if unknown:
            raise IntakeError(f"agent: unknown name {unknown[0]!r}: {', '.join(Agent.__struct_fields__)}", event.id)
        held = self._agents.get(event.id)
        agent = changed_agent(held, event, load=owned)
        self._put(came_back(held, agent, event.at, event.changes) if self._track else agent)

    def count(self, was: str, now: str, at: int, counted: Burden, counts: Burden) -> list[str]:
        """Move a record from *was* to *now* (or let it count anew); return whose load rules could see change."""
        before, after = self._agents.get(was), self._agents.get(now)
        if was == now:
            if before is not None:
                self._put(changed(before, counted, counts))
            return (
                [was] if before is not None and before.capacity is not None and counted.weight != counts.weight else []
            )
        if before is not None:
            self._put(lost(before, counted, at, track=self._track))
        if after is not None:
            self._put(gained(after, counts, at, track=self._track))
        return [one.id for one in (before, after) if one is not None and one.capacity is not None]

    def reserve(self, agent_id: str, burden: Burden, at: int) -> None:
        """Count work that is on its way to the agent."""
        agent = self._agents.get(agent_id)
        if agent is not None:
            self._put(gained(agent, burden, at, track=self._track))

    def free(self, agent_id: str, burden: Burden) -> None:
        """Give back what was reserved: the work has come, or will not."""
        agent = self._agents.get(agent_id)
        if agent is not None:
            self._put(ungiven(agent, burden))

    def _put(self, agent: Agent) -> None:
        self._agents[agent.id] = restated(agent, self._limits)
        self._snapshot = None


class World:
    """All records, what is known of the records they refer to, the agents, and who depends on whom."""

    def __init__(self, policy: Policy, org: str) -> None:
        self.policy = policy
        self.org = org
        self.records: dict[Target, Kept] = {}
        self.agents = Agents(policy.directory.agents, track=tracked(policy), limits=policy.routing.overloaded)
        self._related: dict[Target, dict[str, Any]] = {}
        self._readers: dict[Target, dict[int, Kept]] = {}
        self._owned: dict[str, dict[int, Kept]] = {}
        self._objects_read = {relation.object for part in policy.objects.values() for relation in part.spec.related}
        self._places = 0

    def takes(self, event: Event) -> str:
        """Return why *event* can be of no use whatever came before, or an empty string."""
        if event.type == "agent":
            return ""
        if event.type == "related":
            if event.object in self._objects_read:
                return ""
            return f"no object of the policy reads fields of {event.object}"
        if event.object not in self.policy.objects:
            return f"object {event.object} is not in the policy: {', '.join(self.policy.objects)}"
        return ""

    def fold(self, event: Event) -> list[Kept]:
        """
        Return the records to decide anew now that *event* has been applied, its own first.

        Raises:
            IntakeError: the event cannot be applied; nothing has changed.
            CalendarError: likewise, where its instant lies outside the years that calendars cover.
        """
        if event.type == "agent":
            self.agents.change(event, sum(kept.burden.weight for kept in self._owned.get(event.id, {}).values()))
            return self._watching(event.id)
        if event.type == "related":
            return self._fold_related(event)
        kept = self.records.get((event.object, event.id))
        facts = observe(None if kept is None else kept.facts, event, self.policy, self._related, self.org)
        if kept is None:
            kept = self.records[event.object, event.id] = Kept(facts, self._places)
            self._places += 1
        kept.facts = facts
        told = contact_of(facts, event, self.policy)
        if told is not None:
            self._related[told[0]] = told[1]
        return [kept, *self._index(kept)]

    def take_back(self, kept: Kept) -> None:
        """Put the record back to where it stood after its last decision; one that was never decided is forgotten."""
        if kept.settled is not None:
            kept.facts = kept.settled
            self._index(kept)
            return
        item = kept.facts.item
        kept.facts = replace(kept.facts, item=replace(item, fields={}))
        self._index(kept)
        del self.records[item.object, item.id]

    def __iter__(self) -> Iterator[Kept]:
        """Yield the records in the order of their creation."""
        return iter(self.records.values())

    def _fold_related(self, event: Event) -> list[Kept]:
        target = (event.object, event.id)
        readers = [kept for _, kept in sorted(self._readers.get(target, {}).items())]
        folded = [observe(kept.facts, event, self.policy, self._related, self.org) for kept in readers]
        self._related[target] = self._related.get(target, {}) | event.changes
        for kept, facts in zip(readers, folded, strict=True):
            kept.facts = facts
        return readers

    def _index(self, kept: Kept) -> list[Kept]:
        """Note what the record refers to and who owns it now; return other records whose owners' load that changed."""
        item = kept.facts.item
        part = self.policy.objects[item.object]
        if part.spec.related:
            self._refer(kept, part.spec.related)
        is_open = item.fields.get("is_closed") is not True and not item.deleted
        owner = str(item.fields.get("owner", "")) if is_open else ""
        burden = burden_of(kept.facts, self.policy)
        if owner == kept.owner and burden == kept.burden:
            return []
        before, kept.owner = kept.owner, owner
        counted, kept.burden = kept.burden, burden
        if before != owner:
            self._owned.get(before, {}).pop(kept.place, None)
            if owner:
                self._owned.setdefault(owner, {})[kept.place] = kept
        moved = self.agents.count(before, owner, item.marks.get("event", item.created_at), counted, burden)
        return [other for name in moved for other in self._watching(name) if other is not kept]

    def _refer(self, kept: Kept, relations: tuple[Any, ...]) -> None:
        fields = kept.facts.item.fields
        targets = tuple(
            (relation.object, str(identity))
            for relation in relations
            if (identity := fields.get(f"{relation.alias}.id")) is not None
        )
        if targets == kept.references:
            return
        for target in kept.references:
            self._readers[target].pop(kept.place, None)
        for target in targets:
            self._readers.setdefault(target, {})[kept.place] = kept
        kept.references = targets

    def _watching(self, owner: str) -> list[Kept]:
        """The open records of *owner* whose object has rules that look at owners, in the order of their creation."""
        owned = self._owned.get(owner)
        if not owned or not any(part.uses_owner for part in self.policy.objects.values()):
            return []
        return [kept for _, kept in sorted(owned.items()) if self.policy.objects[kept.facts.item.object].uses_owner]
