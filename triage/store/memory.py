"""
The store in dicts, for tests: the same answers as the database's, kept equal by one contract suite over both.

A write transaction works on a copy of all tables and puts it in place at the end, so an error leaves nothing behind.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from triage.domain.decision import AuditEntry
from triage.domain.work import Agent, Event
from triage.errors import StaleRecord, StoreBusy, StoreError
from triage.ports import (
    Access,
    Audit,
    AuditFault,
    AuditRow,
    Control,
    Intake,
    LlmLedger,
    Outbox,
    Policies,
    Record,
    Records,
    Refusal,
    Related,
    Rescores,
    SourceState,
    Stop,
    StoredDecision,
    StoredPolicy,
    Upkeep,
    record_key,
)  # fmt: skip
from triage.store.audit import GENESIS, chained, check_line
from triage.store.memory_access import MemoryAccess
from triage.store.memory_llm import MemoryLlmLedger
from triage.store.memory_outbox import MemoryOutbox
from triage.store.memory_rescores import MemoryRescores
from triage.store.memory_tables import Tables
from triage.store.memory_upkeep import MemoryUpkeep


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
        self.upkeep: Upkeep = MemoryUpkeep(tables)
        self.rescores: Rescores = MemoryRescores(tables)
        self.access: Access = MemoryAccess(tables, org)
        self.llm: LlmLedger = MemoryLlmLedger(tables)


class MemoryStore:
    """See `triage.ports.Store`. It cannot be backed up: there is no file."""

    def __init__(self, org: str = "main") -> None:
        self.org = org
        self.tells = False
        self._tables = Tables()
        self._turn = threading.RLock()
        self._held = threading.Lock()

    @contextmanager
    def write(self, *, lasting: bool = True) -> Iterator[MemoryUnit]:
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

    @contextmanager
    def watch(self, wake: Callable[[], None]) -> Iterator[None]:
        """Hear nothing: no other process can change it."""
        yield

    def backup(self, path: Path) -> None:
        """Raise StoreError: there is no file."""
        raise StoreError(f"a store in memory has nothing to copy to {path}")

    def compact(self) -> None:
        """Do nothing: what is gone from a dict leaves no trace."""

    def check(self) -> list[str]:
        """Find nothing: there is no file."""
        return []

    def close(self) -> None:
        """Hold nothing, so let go of nothing."""


class MemoryRecords:
    """See `triage.ports.Records`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def get(self, keys: Sequence[str], *, lock: bool = False) -> dict[str, Record]:
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

    def due(self, now: int, limit: int, *, lock: bool = False) -> list[Record]:
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

    def lock_agents(self, ids: Sequence[str]) -> dict[str, Agent]:
        """Return those of *ids* as they are stored by now."""
        return {name: self._tables.agents[name] for name in ids if name in self._tables.agents}


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

    def scored(self, record: str) -> Event | None:
        """Return the last `scored` event of one record."""
        found = [event for event in self.events(record) if event.type == "scored"]
        return found[-1] if found else None

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


class MemoryAudit:
    """See `triage.ports.Audit`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def append(self, entries: Sequence[AuditEntry]) -> None:
        """Write *entries* in order."""
        heads = {record_key(line.entry.object, line.entry.id): line.hash for line in self._tables.audit}
        for entry in entries:
            record = record_key(entry.object, entry.id)
            row = chained(entry, heads.get(record, GENESIS))
            heads[record] = row["hash"]
            seq = len(self._tables.audit) + 1
            line = AuditRow(
                seq=seq, entry=entry, hash=row["hash"], previous=row["prev_hash"], digest=row["digest"]
            )  # fmt: skip
            self._tables.audit.append(line)

    def lines(
        self,
        *,
        record: str = "",
        key: str = "",
        event: str = "",
        after: int = 0,
        limit: int | None = None,
        last: bool = False,
    ) -> list[AuditRow]:
        """Return lines above seq *after*, in order: the first *limit* of them, or the *last*."""
        found = [
            line
            for line in self._tables.audit
            if line.seq > after
            and record in ("", record_key(line.entry.object, line.entry.id))
            and key in ("", line.entry.key)
            and event in ("", line.entry.event)
        ]
        return found[max(0, len(found) - limit) :] if last and limit is not None else found[:limit]

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

    def gate(self) -> tuple[dict[str, Stop], int]:
        """Return what is halted, and the instant before which nothing is sent."""
        return self.stops(), self._tables.paused

    def pause(self, until: int) -> None:
        """Send nothing before *until*."""
        self._tables.paused = until

    def waking(self) -> tuple[int, str] | None:
        """Return a waking of all open records that has not ended."""
        return self._tables.waking

    def set_waking(self, due: int, after: str | None) -> None:
        """Store how far a waking has come."""
        self._tables.waking = None if after is None else (due, after)
