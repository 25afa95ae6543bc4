"""
One write transaction's work: events folded, timers fired, and all that follows stored together or not at all.

`Turn` loads records as they are named, calls the engine, and at the end stores the records with their timers, the
effects, what the caps counted, the decisions and the audit. It makes no remote call and reads no clock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from triage.domain.decision import Action, AuditEntry, Decision
from triage.domain.facts import Facts
from triage.domain.instant import MINUTE
from triage.domain.work import Event, WorkItem
from triage.errors import IntakeError, StoreError, TriageError
from triage.intake.agent import came_back, changed_agent
from triage.pipeline import after
from triage.ports import Compiled, Effect, EffectFilter, Engine, Record, State, StoredDecision, Unit, record_key
from triage.roster import NOTHING, Roster
from triage.routing.wanted import Burden
from triage.scored import SCORED_AFTER
from triage.store.codec import digest, encode, encode_facts, encode_result
from triage.store.outbox import LANES

RETRY_AFTER = 5 * MINUTE
"""When a record whose decision failed is looked at again."""

HELD_AT_ONCE = 500
"""How many held effects one change of an agent looks at, the oldest first; they are ranked against each other."""

HELD_PIECES = 20
"""How many times as many a worker looks at in its rounds, so that nothing waits behind what nobody can ever take."""

STATES: Mapping[str, State] = {
    "planned": "ready",
    "would_have": "would_have",
    "backlog": "backlog",
    "suppressed": "suppressed",
    "held": "held",
    "cancelled": "cancelled",
    "superseded": "superseded",
}


class Settled(Struct, frozen=True):
    """What a turn stored: the effects that are new, by how they stand, and the records that could not be decided."""

    effects: tuple[Effect, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)


class Happened(NamedTuple):
    """What came of one event: why it could not be, or its own record before (None: it began here) and after."""

    fault: IntakeError | None = None
    before: WorkItem | None = None
    after: WorkItem | None = None


class Turn:
    """One write transaction in the making. Call `settle` once, last."""

    def __init__(self, unit: Unit, engine: Engine, policy: Compiled, now: int) -> None:
        self._unit = unit
        self._engine = engine
        self.policy = policy
        self._now = now
        self._before: dict[str, Record | None] = {}
        self._facts: dict[str, Facts] = {}
        self._why: dict[str, str] = {}
        self._failed: dict[str, str] = {}
        self._decided: set[str] = set()
        self._unscored: set[str] = set()
        self._actions: list[Action] = []
        self._kept: list[StoredDecision] = []
        self._entries: list[AuditEntry] = []
        self._moved_agents: dict[str, int] = {}
        self._moved_loads: dict[str, int] = {}
        self._tracks = engine.tracks(policy)
        self._roster = Roster(
            unit.related.agents(), now, track=self._tracks, restate=lambda agent: engine.restate(agent, policy)
        )
        self._related = RelatedView(unit)

    def load(self, keys: Sequence[str], *, lock: bool = True) -> None:
        """Read records ahead, many at a time; without *lock* only to look at them."""
        missing = [key for key in keys if key not in self._before]
        stored = self._unit.records.get(missing, lock=lock)
        for key in missing:
            self._hold(key, stored.get(key))

    def fold(self, event: Event, live_from: int = 0) -> None:
        """
        Let *event* happen, as `fold_instant` does.

        Raises:
            IntakeError: the event cannot be; nothing of it stays.
        """
        (happened,) = self.fold_instant([event], live_from)
        if happened.fault is not None:
            raise happened.fault

    def fold_instant(self, events: Sequence[Event], live_from: int = 0) -> list[Happened]:
        """
        Let *events* of one instant happen in their order, then decide once every record that they touched.

        An event happens to its record, or to every record that reads the object or agent it is about. Timers before it
        are decided first, under a policy published meanwhile too, so that what was true by then is backlog. *live_from*
        is kept on a record that begins here. Returns what came of each event: of a refused one nothing stays.
        """
        touched: dict[str, Facts | None] = {}
        happened = [self._happen(event, live_from, touched) for event in events]
        for key, before in touched.items():
            facts = self._facts[key]
            try:
                self._advance(key, facts, max(events[0].at, facts.last_decided_at or events[0].at))
            except StoreError:
                raise
            except TriageError as fault:
                self._take_back(key, before, str(fault), events, happened)
        return happened

    def wake(self, record: Record) -> None:
        """Decide *record* at every crossing up to now, at least once."""
        self._hold(record.key, record)
        facts = self._facts[record.key]
        if record.why == "policy" and not _scored(facts.item) >= set(self._families(facts)):
            # Its rules ask for a score that it has never had: the policy came later than the record.
            self._unscored.add(record.key)
        try:
            self._advance(record.key, facts, self._now, at_least_once=True)
        except TriageError as fault:
            self._fail(record, str(fault))

    def known(self, key: str) -> Facts | None:
        """Return what is known of the loaded record *key* by now, with the agents as they are; None: no such record."""
        facts = self._facts.get(key)
        return None if facts is None else self._seen(facts)

    def note(self, entry: AuditEntry) -> None:
        """Audit *entry* with the rest."""
        self._entries.append(entry)

    def reserve(self, effect: Effect) -> None:
        """Count the load of *effect*, which is let go by hand."""
        self._roster.reserve(replace(effect.action, status="planned"), 1)

    def free(self, effect: Effect) -> None:
        """Give back the load that was reserved for *effect*, which is no longer pending."""
        self._roster.reserve(replace(effect.action, status="planned"), -1)

    def settle(self) -> Settled:
        """Store everything, and return what is new."""
        told = [agent for name in self._moved_agents if (agent := self._roster.get(name)) is not None]
        touched = [*told, *self._roster.freed()]
        if touched and self._engine.anyone(touched, self.policy, self._now):
            self.place_held()
        stored = self._plan()
        self._store_records()
        self._ask_scores()
        watched = {**self._moved_loads, **self._moved_agents} if self._engine.watches_owners(self.policy) else {}
        for agent_id, at in watched.items():
            self._unit.records.wake(self._unit.records.dependents([record_key("agent", agent_id)]), at, "owner")
        self._unit.policies.keep(self._kept, self._roster.kept)
        self._unit.audit.append(self._entries)
        moved = self._roster.changed()
        if moved:
            stored_now = self._unit.related.lock_agents([agent.id for agent in moved])
            self._unit.related.save_agents(self._roster.merged(stored_now))
        return Settled(tuple(stored), dict(self._failed))

    def _hold(self, key: str, record: Record | None) -> None:
        self._before[key] = record
        if record is not None:
            self._facts[key] = record.facts

    def _happen(self, event: Event, live_from: int, touched: dict[str, Facts | None]) -> Happened:
        try:
            if event.type == "agent":
                self._fold_agent(event)
            elif event.type == "related":
                self._fold_related(event, touched)
            else:
                key = record_key(event.object, event.id)
                self.load([key])
                return self._observe(key, event, live_from, touched)
        except StoreError:
            raise
        except IntakeError as fault:
            return Happened(fault)
        except TriageError as fault:
            return Happened(IntakeError(str(fault), event.id))
        return Happened()

    def _observe(self, key: str, event: Event, live_from: int, touched: dict[str, Facts | None]) -> Happened:
        """Fold *event* into the record *key*, undecided; *touched* keeps what was known of it before the instant."""
        facts = self._facts.get(key)
        if facts is not None and key not in touched:
            facts = self._advance(key, facts, max(event.at - 1, facts.last_decided_at or 0))
        seen = None if facts is None else self._seen(facts)
        folded = self._engine.observe(seen, event, self.policy, self._related, self._unit.org)
        if facts is None and live_from:
            folded = replace(folded, live_from=live_from)
        told = self._engine.contact(folded, event, self.policy)
        if told is not None:
            self._unit.related.merge(*told, event.at)
            self._related.forget(told[0])
        touched.setdefault(key, facts)
        self._facts[key] = replace(folded, agents=())
        if event.type in SCORED_AFTER and event.origin != "triage" and self._families(folded):
            self._unscored.add(key)
        self._count(facts, folded, event.at)
        return Happened(None, None if facts is None else facts.item, folded.item)

    def _take_back(
        self, key: str, before: Facts | None, fault: str, events: Sequence[Event], happened: list[Happened]
    ) -> None:
        """Let the record *key* stand as before the instant, and refuse the events of its own."""
        item = self._facts[key].item
        self._count(self._facts[key], before, events[0].at)
        if before is None:
            del self._facts[key]
        else:
            self._facts[key] = before
        own = [n for n, event in enumerate(events) if happened[n].after is not None and key == record_of(event)]
        for number in own:
            happened[number] = Happened(IntakeError(fault, item.id))
        if not own:
            # One record's fault must not keep the event of another from the others.
            self._entries.append(self._failed_entry(item, fault))

    def _count(self, before: Facts | None, after: Facts | None, at: int) -> None:
        """Count a record that has come to an owner, or left one: rules may look at how much each of them holds."""
        was, now = self._holder(before), self._holder(after)
        if not was and not now:
            return
        counted, counts = self._burden(before), self._burden(after)
        self._roster.moved(was, now, at, counted, counts)
        for agent_id in (was, now) if (was, counted) != (now, counts) else ():
            agent = self._roster.get(agent_id)
            if agent is not None and agent.capacity is not None:
                self._moved_loads[agent_id] = at

    def _burden(self, facts: Facts | None) -> Burden:
        return NOTHING if facts is None else self._engine.burden(facts, self.policy)

    def _holder(self, facts: Facts | None) -> str:
        """Return who holds an open record, an empty string for nobody."""
        if facts is None or not self._engine.is_open(facts, self.policy):
            return ""
        return str(facts.item.fields.get("owner") or "")

    def _fold_agent(self, event: Event) -> None:
        held = self._roster.get(event.id)
        agent = changed_agent(held, event)
        if held is None:
            stored = self._unit.records.dependents([record_key("agent", event.id)])
            owned = {key for key in stored if key not in self._facts}
            owned |= {key for key, facts in self._facts.items() if self._holder(facts) == event.id}
            agent = replace(agent, load=agent.load or self._held_by(owned))
        self._roster.put(came_back(held, agent, event.at, event.changes) if self._tracks else agent)
        self._moved_agents[event.id] = event.at

    def _held_by(self, owned: Collection[str]) -> int:
        """Return what the open records *owned* weigh together."""
        self.load(sorted(owned), lock=False)
        return sum(self._burden(self._facts[key]).weight for key in owned if key in self._facts)

    def _fold_related(self, event: Event, touched: dict[str, Facts | None]) -> None:
        target = (event.object, event.id)
        self._unit.related.merge(target, event.changes, event.at)
        self._related.forget(target)
        dependents = set(self._unit.records.dependents([record_key(*target)]))
        dependents |= {key for key, facts in self._facts.items() if record_key(*target) in self._references(facts)}
        self.load(sorted(dependents))
        for key in sorted(dependents):
            try:
                self._observe(key, event, 0, touched)
            except StoreError:
                raise
            except TriageError as fault:
                # One record's fault must not keep the event from the others.
                self._entries.append(self._failed_entry(self._facts[key].item, str(fault)))

    def place_held(self, pieces: int = 1) -> None:
        """Give held effects that nobody could take to whoever can now, as long as anybody has room."""
        seq = 0
        for _ in range(pieces):
            if not self._engine.anyone(self._roster.agents(), self.policy, self._now):
                return
            wanted = EffectFilter(states=("held",), target="", after=seq, limit=HELD_AT_ONCE)
            waiting = self._unit.outbox.find(wanted)
            self.load(sorted({one.record for one in waiting}))
            moving = self._moving()
            known = [
                (one.action, self._facts[one.record])
                for one in waiting
                if one.record in self._facts and (one.record, LANES.get(one.action.kind)) not in moving
            ]
            for placed in self._engine.place_all(known, self._roster.agents(), self.policy, self._now):
                self._roster.reserve(placed, 1)
                self._actions.append(placed)
            if len(waiting) < HELD_AT_ONCE:
                return
            seq = waiting[-1].seq

    def _moving(self) -> set[tuple[str, str | None]]:
        """Return whose owner or priority this turn changes anyway: what is newer overtakes what waits."""
        return {
            (record_key(one.object, one.id), LANES[one.kind])
            for one in self._actions
            if one.kind in LANES and one.status == "planned"
        }

    def _advance(self, key: str, facts: Facts, upto: int, *, at_least_once: bool = False) -> Facts:
        seen = self._seen(facts)
        decided, decisions = self._engine.advance(seen, self.policy, upto, self._now)
        if decisions:
            self._keep(key, seen, "advance", upto, decisions)
        elif at_least_once:
            decision = self._engine.decide(seen, self.policy, max(upto, facts.last_decided_at or upto), self._now)
            decided = after(seen, decision)
            self._keep(key, seen, "decide", decision.at, (decision,))
        self._decided.add(key)
        if self._tracks:
            # Time alone may have broken a promise.
            self._count(facts, decided, upto)
        self._facts[key] = replace(decided, agents=())
        return self._facts[key]

    def _keep(self, key: str, seen: Facts, call: str, now: int, decisions: Sequence[Decision]) -> None:
        self._why[key] = decisions[-1].next_why
        actions = [action for decision in decisions for action in decision.actions]
        if not actions:
            return
        self._actions += actions
        kept = self._stored(key, seen, call, now, decisions)
        self._kept.append(kept)
        for action in actions:
            self._roster.reserve(action, 1)

    def _stored(self, key: str, seen: Facts, call: str, now: int, decisions: Sequence[Decision]) -> StoredDecision:
        facts = encode_facts(seen)
        result = digest(encode_result(decisions))
        roster, loads = self._roster.snapshot()
        return StoredDecision(
            id=digest(encode([self._unit.org, key, self.policy.digest, call, now, self._now, facts, roster, loads])),
            record=key,
            version=self._version(key),
            policy=self.policy.digest,
            call="decide" if call == "decide" else "advance",
            now=now,
            at=self._now,
            facts=facts,
            agents=roster,
            loads=loads,
            result=result,
        )

    def _version(self, key: str) -> int:
        before = self._before[key]
        return before.version + 1 if before is not None else 1

    def _plan(self) -> list[Effect]:
        if not self._actions:
            return []
        outbox = self._unit.outbox
        actions = self._engine.catch_up(self._actions, self._now, self.policy)
        usage = outbox.usage(self._engine.buckets(actions, self.policy, self._now, self._unit.org))
        capped = self._engine.apply_caps(actions, usage, self.policy, self._now, self._unit.org)
        # A source whose clock is ahead moves a record's own time ahead: what that makes due still waits for ours.
        effects = [
            Effect(action=one, state=STATES[one.status], run_at=max(self._now, one.due)) for one in capped.actions
        ]
        stored = outbox.plan(effects)
        outbox.add_usage(capped.added)
        going = {one.action.key for one in stored if one.state == "ready"}
        for action in self._actions:
            if action.key not in going:
                self._roster.reserve(action, -1)
        for one in stored:
            self._entries.append(planned_entry(one, self._unit.org, self._now))
        for alert in capped.alerts:
            self._entries.append(
                AuditEntry(
                    at=self._now,
                    org=self._unit.org,
                    object="org",
                    id=self._unit.org,
                    event="alert",
                    body={"text": alert},
                )
            )
        for one in outbox.supersede(stored):
            if one.state == "ready":
                self.free(one)
            self._entries.append(entry_of(one.action, self._unit.org, "superseded", self._now))
        return stored

    def _store_records(self) -> None:
        changes: list[tuple[Record | None, Record]] = []
        for key, facts in self._facts.items():
            before = self._before[key]
            # A record that was only looked at keeps its timer: somebody may have woken it.
            if key not in self._decided or key in self._failed:
                continue
            record = self._record(key, facts)
            changes.append((before, record))
        self._unit.records.save(changes)

    def _families(self, facts: Facts) -> tuple[str, ...]:
        return self._engine.families(self.policy, facts.item.object)

    def _ask_scores(self) -> None:
        """Let the open records that news came of be scored again."""
        keys = [key for key in self._unscored if key in self._facts and key not in self._failed]
        wanted = sorted(key for key in keys if self._engine.is_open(self._facts[key], self.policy))
        if wanted:
            self._unit.rescores.ask(wanted, self._now)

    def _record(self, key: str, facts: Facts) -> Record:
        owner = str(facts.item.fields.get("owner") or "")
        return Record(
            key=key,
            facts=facts,
            version=self._version(key),
            open=self._engine.is_open(facts, self.policy),
            owner=owner,
            due=self._now if facts.fresh else facts.next_at,
            why=self._why.get(key, ""),
            references=self._references(facts),
        )

    def _references(self, facts: Facts) -> tuple[str, ...]:
        named = {record_key(*target) for target in self._engine.references(facts, self.policy)}
        owner = str(facts.item.fields.get("owner") or "")
        if owner:
            named.add(record_key("agent", owner))
        return tuple(sorted(named))

    def _fail(self, record: Record, fault: str) -> None:
        """Keep the worker going past one record that cannot be decided: audited, and looked at again later."""
        self._failed[record.key] = fault
        self._unit.records.save([(record, replace(record, due=self._now + RETRY_AFTER, why="failed"))])
        self._entries.append(self._failed_entry(record.facts.item, fault))

    def _failed_entry(self, item: WorkItem, fault: str) -> AuditEntry:
        body = {"error": fault}
        return AuditEntry(at=self._now, org=self._unit.org, object=item.object, id=item.id, event="failed", body=body)

    def _seen(self, facts: Facts) -> Facts:
        return replace(facts, agents=self._roster.agents())


def _scored(item: WorkItem) -> set[str]:
    """Return the families that *item* has any score of."""
    return {name.partition(".")[0] for name in item.fields if "." in name}


def record_of(event: Event) -> str:
    """Return the key of the record that *event* is about."""
    return record_key(event.object, event.id)


class RelatedView(Mapping[tuple[str, str], Mapping[str, Any]]):
    """Other objects' fields as the engine asks for them, read from the store once each."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._known: dict[tuple[str, str], Mapping[str, Any] | None] = {}

    def __getitem__(self, target: tuple[str, str]) -> Mapping[str, Any]:
        if target not in self._known:
            self._known[target] = self._unit.related.get([target]).get(target)
        found = self._known[target]
        if found is None:
            raise KeyError(target)
        return found

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter([target for target, found in self._known.items() if found is not None])

    def __len__(self) -> int:
        return sum(found is not None for found in self._known.values())

    def forget(self, target: tuple[str, str]) -> None:
        """Read *target* again next time."""
        self._known.pop(target, None)


def entry_of(action: Action, org: str, event: str, at: int, *, actor: str = "triage", **body: Any) -> AuditEntry:
    """Return the audit line that says that *event* happened to *action*."""
    return AuditEntry(
        at=at,
        org=org,
        object=action.object,
        id=action.id,
        event=event,
        actor=actor,
        key=action.key,
        rule=action.rule,
        body=body,
    )


def planned_entry(effect: Effect, org: str, at: int) -> AuditEntry:
    """Return the audit line of a new effect: all that was decided about it, and why."""
    action = effect.action
    event = "planned" if effect.state == "ready" else effect.state
    return entry_of(
        action,
        org,
        event,
        at,
        step=action.step,
        kind=action.kind,
        target=action.target,
        due=action.due,
        decided=action.at,
        note=action.note,
        params=action.params,
        reason=msgspec.to_builtins(action.reason),
    )
