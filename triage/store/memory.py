"""
The store in dicts, for tests: the same answers as the database's, kept equal by one contract suite over both.

A write transaction works on a copy of all tables and puts it in place at the end, so an error leaves nothing behind.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from triage.domain.decision import AuditEntry
from triage.domain.work import Agent, Event
from triage.errors import StaleRecord, StoreBusy, StoreError
from triage.ports import (
    UNSENT,
    Audit,
    AuditFault,
    AuditRow,
    Control,
    Effect,
    EffectFilter,
    Finish,
    Intake,
    Outbox,
    Policies,
    Record,
    Records,
    Refusal,
    Related,
    SourceState,
    State,
    Stop,
    StoredDecision,
    StoredPolicy,
    record_key,
)  # fmt: skip
from triage.safety import Bucket
from triage.store.audit import GENESIS, chained, check_line
from triage.store.outbox import LANES, replaces

PENDING = ("ready", "leased")


class Tables:
    """All that is kept."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self.related: dict[tuple[str, str], dict[str, Any]] = {}
        self.agents: dict[str, Agent] = {}
        self.events: dict[tuple[str, str], tuple[str, Event]] = {}
        self.sources: dict[str, SourceState] = {}
        self.refusals: dict[tuple[str, int, str], Refusal] = {}
        self.effects: dict[str, Effect] = {}
        self.usage: dict[Bucket, int] = {}
        self.audit: list[AuditRow] = []
        self.policies: dict[str, StoredPolicy] = {}
        self.decisions: dict[str, StoredDecision] = {}
        self.rosters: dict[str, tuple[Agent, ...]] = {}
        self.stops: dict[str, Stop] = {}
        self.paused = 0

    def copied(self) -> Tables:
        """Return a copy that can change by itself; the rows in it are frozen."""
        other = Tables()
        other.__dict__ = {name: copy.copy(value) for name, value in self.__dict__.items()}
        return other


class MemoryUnit:
    """One transaction on one set of tables."""

    def __init__(self, tables: Tables, org: str) -> None:
        self.org = org
        self.records: Records = MemoryRecords(tables)
        self.related: Related = MemoryRelated(tables)
        self.intake: Intake = MemoryIntake(tables)
        self.outbox: Outbox = MemoryOutbox(tables)
        self.audit: Audit = MemoryAudit(tables)
        self.policies: Policies = MemoryPolicies(tables)
        self.control: Control = MemoryControl(tables)


class MemoryStore:
    """See `triage.ports.Store`. It cannot be backed up: there is no file."""

    def __init__(self, org: str = "main") -> None:
        self.org = org
        self._tables = Tables()
        self._turn = threading.RLock()
        self._held = threading.Lock()

    @contextmanager
    def write(self) -> Iterator[MemoryUnit]:
        """Begin the write transaction."""
        with self._turn:
            tables = self._tables.copied()
            yield MemoryUnit(tables, self.org)
            self._tables = tables

    @contextmanager
    def read(self) -> Iterator[MemoryUnit]:
        """Begin a snapshot."""
        yield MemoryUnit(self._tables, self.org)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Be the one worker."""
        if not self._held.acquire(blocking=False):
            raise StoreBusy("another worker runs on this store")
        try:
            yield
        finally:
            self._held.release()

    def backup(self, path: Path) -> None:
        """Raise StoreError: there is no file."""
        raise StoreError(f"a store in memory has nothing to copy to {path}")

    def close(self) -> None:
        """Hold nothing, so let go of nothing."""


class MemoryRecords:
    """See `triage.ports.Records`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def get(self, keys: Sequence[str]) -> dict[str, Record]:
        """Return the stored ones among *keys*."""
        return {key: self._tables.records[key] for key in keys if key in self._tables.records}

    def save(self, changes: Sequence[tuple[Record | None, Record]]) -> None:
        """Store each (before, after); raise StaleRecord where *before* is not what is stored."""
        for before, after in changes:
            stored = self._tables.records.get(after.key)
            if (stored.version if stored else None) != (before.version if before else None):
                raise StaleRecord(f"{after.key} was stored by somebody else in between")
            kept = after
            if before is not None and stored is not None and (before.due, before.why) == (after.due, after.why):
                kept = replace(after, due=stored.due, why=stored.why)
            self._tables.records[after.key] = replace(kept, facts=replace(after.facts, agents=()))

    def due(self, now: int, limit: int) -> list[Record]:
        """Return at most *limit* records whose timer is due at *now*, the longest due first."""
        found = [one for one in self._tables.records.values() if one.due is not None and one.due <= now]
        return sorted(found, key=lambda one: (one.due or 0, one.key))[:limit]

    def next_due(self) -> int | None:
        """Return the earliest timer of all."""
        return min((one.due for one in self._tables.records.values() if one.due is not None), default=None)

    def keys(self, *, after: str, limit: int, only_open: bool) -> list[str]:
        """Return at most *limit* record keys above *after*, in order."""
        found = [key for key, one in self._tables.records.items() if key > after and (one.open or not only_open)]
        return sorted(found)[:limit]

    def wake(self, keys: Sequence[str], due: int, why: str) -> None:
        """Move the timers of *keys* to *due* where they are later or absent."""
        for key in keys:
            one = self._tables.records.get(key)
            if one is not None and (one.due is None or one.due > due):
                self._tables.records[key] = replace(one, due=due, why=why)

    def dependents(self, targets: Sequence[str]) -> list[str]:
        """Return the keys of open records that read any of *targets*, in order."""
        wanted = set(targets)
        return sorted(one.key for one in self._tables.records.values() if one.open and wanted & set(one.references))

    def count(self) -> dict[str, int]:
        """Return how many records there are."""
        every = self._tables.records.values()
        timers = sum(one.due is not None for one in every)
        return {"total": len(every), "open": sum(one.open for one in every), "timers": timers}


class MemoryRelated:
    """See `triage.ports.Related`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def get(self, targets: Sequence[tuple[str, str]]) -> dict[tuple[str, str], dict[str, Any]]:
        """Return the stored field values of *targets*."""
        return {target: self._tables.related[target] for target in targets if target in self._tables.related}

    def merge(self, target: tuple[str, str], changes: Mapping[str, Any], at: int) -> None:
        """Fold *changes* into the stored values of *target*."""
        self._tables.related[target] = {**self._tables.related.get(target, {}), **changes}

    def agents(self) -> tuple[Agent, ...]:
        """Return all agents, by id."""
        return tuple(self._tables.agents[name] for name in sorted(self._tables.agents))

    def save_agents(self, agents: Sequence[Agent]) -> None:
        """Store *agents*."""
        self._tables.agents.update({agent.id: agent for agent in agents})


class MemoryIntake:
    """See `triage.ports.Intake`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def seen(self, source: str, event_ids: Sequence[str]) -> set[str]:
        """Return which of *event_ids* have been taken in from *source*."""
        return {one for one in event_ids if (source, one) in self._tables.events}

    def add(self, source: str, events: Sequence[Event]) -> None:
        """Keep *events*."""
        for one in events:
            key = record_key("agent" if one.type == "agent" else one.object, one.id)
            self._tables.events.setdefault((source, one.event_id), (key, one))

    def events(self, record: str, limit: int | None = None) -> list[Event]:
        """Return the events of one record."""
        return [event for key, event in self._tables.events.values() if key == record][:limit]

    def source(self, name: str) -> SourceState | None:
        """Return how far *name* has been read."""
        return self._tables.sources.get(name)

    def save_source(self, state: SourceState) -> None:
        """Store how far a source has been read."""
        self._tables.sources[state.name] = state

    def refuse(self, refusals: Sequence[Refusal]) -> None:
        """Keep *refusals*."""
        for one in refusals:
            self._tables.refusals.setdefault((one.source, one.line, one.reason), one)

    def refusals(self, source: str = "", limit: int | None = None) -> list[Refusal]:
        """Return what was refused, in order."""
        found = [one for _, one in sorted(self._tables.refusals.items()) if not source or one.source == source]
        return found[:limit]


class MemoryOutbox:
    """See `triage.ports.Outbox`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def plan(self, effects: Sequence[Effect]) -> list[Effect]:
        """Store those whose key is new, or stands where `replaces` lets them take its place."""
        stored = []
        for effect in effects:
            before = self._tables.effects.get(effect.action.key)
            if before is None or replaces(before.state, effect.state):
                seq = max((one.seq for one in self._tables.effects.values()), default=0) + 1
                kept = Effect(action=effect.action, state=effect.state, seq=seq, run_at=effect.run_at)
                self._tables.effects[effect.action.key] = kept
                stored.append(kept)
        return stored

    def supersede(self, effects: Sequence[Effect]) -> list[Effect]:
        """Overtake older unsent owner and priority effects of the same records."""
        newest: dict[tuple[str, str], int] = {}
        for one in effects:
            if one.action.kind in LANES and one.state == "ready":
                place = (one.record, LANES[one.action.kind])
                newest[place] = max(newest.get(place, 0), one.seq)
        older = [
            one
            for one in self._ordered()
            if one.state in UNSENT and one.seq < newest.get((one.record, LANES.get(one.action.kind, "")), 0)
        ]
        self.change([one.action.key for one in older], "superseded", run_at=0)
        return older

    def claim(
        self, now: int, *, owner: str, lease: str, until: int, limit: int, stopped: Sequence[str]
    ) -> list[Effect]:
        """Lease at most *limit* effects that are due."""
        ordered = sorted(self._ordered(), key=lambda one: (-one.action.priority, one.run_at, one.seq))
        due = [
            one
            for one in ordered
            if one.state in PENDING and one.run_at <= now and one.action.rule not in stopped and not self._behind(one)
        ]
        taken = [replace(one, state="leased", run_at=until, owner=owner, lease=lease) for one in due[:limit]]
        self._tables.effects.update({one.action.key: one for one in taken})
        return taken

    def finish(self, finishes: Sequence[Finish]) -> set[str]:
        """Store how effects ended; return the keys whose lease still held."""
        held = set()
        for one in finishes:
            effect = self._tables.effects.get(one.key)
            if effect is None or effect.state != "leased" or effect.lease != one.lease:
                continue
            held.add(one.key)
            self._tables.effects[one.key] = replace(
                effect, state=one.state, run_at=one.run_at, attempt=one.attempt, error=one.error, owner="", lease="",
                done_at=one.at if one.state == "done" else None,
            )  # fmt: skip
        return held

    def remember(self, before: Mapping[str, Mapping[str, Any]]) -> None:
        """Store, by key, what each done effect changed."""
        for key, values in before.items():
            self._tables.effects[key] = replace(self._tables.effects[key], before=dict(values))

    def next_run(self) -> int | None:
        """Return the earliest instant at which something is to be sent."""
        return min((one.run_at for one in self._tables.effects.values() if one.state in PENDING), default=None)

    def change(self, keys: Sequence[str], state: State, *, run_at: int, error: str = "") -> None:
        """Put *keys* into *state* by hand."""
        for key in keys:
            held = self._tables.effects[key]
            self._tables.effects[key] = replace(held, state=state, run_at=run_at, error=error, owner="", lease="")

    def find(self, wanted: EffectFilter) -> list[Effect]:
        """Return the effects that *wanted* asks for."""
        found = [one for one in self._ordered() if _wanted(one, wanted)]
        return (found[::-1] if wanted.newest_first else found)[: wanted.limit]

    def counts(self) -> dict[str, int]:
        """Return how many effects stand in each state."""
        states = sorted(one.state for one in self._tables.effects.values())
        return {state: states.count(state) for state in states}

    def usage(self, buckets: Collection[Bucket]) -> dict[Bucket, int]:
        """Return those of *buckets* that count anything."""
        return {bucket: self._tables.usage[bucket] for bucket in buckets if bucket in self._tables.usage}

    def add_usage(self, added: Mapping[Bucket, int]) -> None:
        """Let counters grow."""
        for bucket, used in added.items():
            self._tables.usage[bucket] = self._tables.usage.get(bucket, 0) + used

    def _ordered(self) -> list[Effect]:
        return sorted(self._tables.effects.values(), key=lambda one: one.seq)

    def _behind(self, effect: Effect) -> bool:
        """Tell whether an earlier effect of the same record and lane is still pending."""
        lane = LANES.get(effect.action.kind, effect.action.kind)
        return any(
            one.record == effect.record
            and one.seq < effect.seq
            and one.state in PENDING
            and LANES.get(one.action.kind, one.action.kind) == lane
            for one in self._tables.effects.values()
        )


class MemoryAudit:
    """See `triage.ports.Audit`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def append(self, entries: Sequence[AuditEntry]) -> None:
        """Write *entries* in order."""
        for entry in entries:
            record = record_key(entry.object, entry.id)
            before = [
                line.hash for line in self._tables.audit if record_key(line.entry.object, line.entry.id) == record
            ]
            row = chained(entry, before[-1] if before else GENESIS)
            seq = len(self._tables.audit) + 1
            line = AuditRow(
                seq=seq, entry=entry, hash=row["hash"], previous=row["prev_hash"], digest=row["digest"]
            )  # fmt: skip
            self._tables.audit.append(line)

    def lines(
        self, *, record: str = "", key: str = "", event: str = "", after: int = 0, limit: int | None = None
    ) -> list[AuditRow]:
        """Return lines above seq *after*, in order."""
        found = [
            line
            for line in self._tables.audit
            if line.seq > after
            and record in ("", record_key(line.entry.object, line.entry.id))
            and key in ("", line.entry.key)
            and event in ("", line.entry.event)
        ]
        return found[:limit]

    def erase(self, seqs: Sequence[int]) -> None:
        """Forget the bodies of lines."""
        for seq in seqs:
            line = self._tables.audit[seq - 1]
            self._tables.audit[seq - 1] = replace(line, entry=replace(line.entry, body={}), erased=True)

    def verify(self) -> list[AuditFault]:
        """Return every place where the audit is not as it was written."""
        heads: dict[str, str] = {}
        faults: list[AuditFault] = []
        for line in self._tables.audit:
            record = record_key(line.entry.object, line.entry.id)
            faults += check_line(line, heads.get(record, GENESIS))
            heads[record] = line.hash
        return faults


class MemoryPolicies:
    """See `triage.ports.Policies`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def live(self) -> StoredPolicy | None:
        """Return the policy in force."""
        return next((one for one in self._tables.policies.values() if one.live), None)

    def live_digest(self) -> str:
        """Return the digest of the policy in force."""
        live = self.live()
        return live.digest if live else ""

    def get(self, digest: str) -> StoredPolicy | None:
        """Return one policy."""
        return self._tables.policies.get(digest)

    def publish(self, policy: StoredPolicy) -> None:
        """Store *policy* and make it the one in force."""
        kept = {name: replace(one, live=False) for name, one in self._tables.policies.items() if name != policy.digest}
        self._tables.policies = {**kept, policy.digest: replace(policy, live=True)}

    def history(self) -> list[StoredPolicy]:
        """Return all policies, the latest published first."""
        return list(self._tables.policies.values())[::-1]

    def keep(self, decisions: Sequence[StoredDecision], rosters: Mapping[str, tuple[Agent, ...]]) -> None:
        """Store decisions and the agents they looked at."""
        self._tables.rosters = {**rosters, **self._tables.rosters}
        for one in decisions:
            self._tables.decisions.setdefault(one.id, one)

    def decision(self, decision_id: str) -> StoredDecision | None:
        """Return one decision."""
        return self._tables.decisions.get(decision_id)

    def decisions(self, record: str) -> list[StoredDecision]:
        """Return the kept decisions of one record, in order."""
        found = [one for one in self._tables.decisions.values() if one.record == record]
        return sorted(found, key=lambda one: (one.version, one.now, one.id))

    def roster(self, digest: str) -> tuple[Agent, ...]:
        """Return the agents of *digest*."""
        return self._tables.rosters.get(digest, ())


class MemoryControl:
    """See `triage.ports.Control`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def stops(self) -> dict[str, Stop]:
        """Return what is halted."""
        return dict(sorted(self._tables.stops.items()))

    def stop(self, stop: Stop) -> None:
        """Halt a rule, or everything."""
        self._tables.stops[stop.rule] = stop

    def start(self, rule: str) -> bool:
        """Take a halt back."""
        return self._tables.stops.pop(rule, None) is not None

    def paused_until(self) -> int:
        """Return the instant before which nothing is sent."""
        return self._tables.paused

    def pause(self, until: int) -> None:
        """Send nothing before *until*."""
        self._tables.paused = until


def _wanted(one: Effect, wanted: EffectFilter) -> bool:
    return (
        (not wanted.states or one.state in wanted.states)
        and wanted.rule in ("", one.action.rule)
        and wanted.record in ("", one.record)
        and one.action.key.startswith(wanted.key)
        and wanted.target in (None, one.action.target)
        and (wanted.since is None or one.action.at >= wanted.since)
        and (wanted.until is None or one.action.at <= wanted.until)
    )
