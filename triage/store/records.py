"""Records, their one timer each, and which records read which others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, or_, select, update

from triage.errors import StaleRecord
from triage.ports import Record
from triage.store.codec import decode_facts, decode_names, encode, encode_facts
from triage.store.dialect import is_postgres, tell
from triage.store.tables import TIMER_SET, record, reference, timer
from triage.store.upsert import among, insert_all, insert_new, parts, update_all, upsert

_BOTH = (timer.c.org_id == record.c.org_id) & (timer.c.record_id == record.c.record_id)
_WHOLE = select(
    record.c.record_id,
    record.c.state,
    record.c.version,
    record.c.is_open,
    record.c.owner_id,
    record.c.refs,
    timer.c.due_ms,
    timer.c.why,
)


class SqlRecords:
    """See `triage.ports.Records`."""

    def __init__(self, connection: Connection, org: str) -> None:
        self._connection = connection
        self._org = org

    def get(self, keys: Sequence[str], *, lock: bool = False) -> dict[str, Record]:
        """Return the stored ones among *keys*; locked in the order of their keys, so that no two lock crosswise."""
        found: dict[str, Record] = {}
        for part in parts(sorted(keys) if lock else keys):
            query = _WHOLE.select_from(record.join(timer, _BOTH)).where(
                record.c.org_id == self._org, among(self._connection, record.c.record_id, part)
            )
            if lock:
                query = query.order_by(record.c.record_id).with_for_update(of=[record, timer])
            for row in self._connection.execute(query):
                found[row.record_id] = _record(row)
        return found

    def save(self, changes: Sequence[tuple[Record | None, Record]]) -> None:
        """Store each (before, after), sorted by key; raise StaleRecord where *before* is not what is stored."""
        ordered = sorted(changes, key=lambda change: change[1].key)
        self._insert([after for before, after in ordered if before is None])
        self._update([(before, after) for before, after in ordered if before is not None])
        moved = [
            after for before, after in ordered if before is None or (before.due, before.why) != (after.due, after.why)
        ]
        upsert(self._connection, timer, [self._timer(after) for after in moved])
        self._refer(ordered)
        if any(_sooner(before, after) for before, after in ordered):
            tell(self._connection)

    def due(self, now: int, limit: int, *, lock: bool = False) -> list[Record]:
        """Return at most *limit* records whose timer is due at *now*, the longest due first."""
        query = (
            _WHOLE.select_from(timer.join(record, _BOTH))
            .where(timer.c.org_id == self._org, TIMER_SET, timer.c.due_ms <= now)
            .order_by(timer.c.due_ms, timer.c.record_id)
            .limit(limit)
        )
        if lock:
            query = query.with_for_update(of=[record, timer], skip_locked=True)
        return [_record(row) for row in self._connection.execute(query)]

    def next_due(self) -> int | None:
        """Return the earliest timer of all, None where there is none."""
        query = select(timer.c.due_ms).where(timer.c.org_id == self._org, TIMER_SET).order_by(timer.c.due_ms).limit(1)
        return self._connection.execute(query).scalar()

    def keys(self, *, after: str, limit: int, only_open: bool) -> list[str]:
        """Return at most *limit* record keys above *after*, in order."""
        query = select(record.c.record_id).where(record.c.org_id == self._org, record.c.record_id > after)
        if only_open:
            query = query.where(record.c.is_open == 1)
        return list(self._connection.execute(query.order_by(record.c.record_id).limit(limit)).scalars())

    def wake(self, keys: Sequence[str], due: int, why: str) -> None:
        """Move the timers of *keys* to *due* where they are later or absent."""
        later = or_(timer.c.due_ms.is_(None), timer.c.due_ms > due)
        for part in parts(sorted(keys)):
            these = (timer.c.org_id == self._org) & among(self._connection, timer.c.record_id, part) & later
            if is_postgres(self._connection):
                # Locked in the order of the keys, as everybody does: an UPDATE alone locks in any order.
                order = select(timer.c.record_id).where(these).order_by(timer.c.record_id)
                self._connection.execute(order.with_for_update())
            self._connection.execute(update(timer).where(these).values(due_ms=due, why=why))
        if keys:
            tell(self._connection)

    def dependents(self, targets: Sequence[str]) -> list[str]:
        """Return the keys of open records that read any of *targets*, in order."""
        found: set[str] = set()
        for part in parts(targets):
            query = select(reference.c.record_id).where(
                reference.c.org_id == self._org, among(self._connection, reference.c.target, part)
            )
            found.update(self._connection.execute(query).scalars())
        return sorted(found)

    def count(self) -> dict[str, int]:
        """Return how many records there are: total, open, timers."""
        total = select(func.count(), func.coalesce(func.sum(record.c.is_open), 0)).where(record.c.org_id == self._org)
        records, still_open = self._connection.execute(total).one()
        timers = select(func.count()).select_from(timer).where(timer.c.org_id == self._org, TIMER_SET)
        return {"total": records, "open": still_open, "timers": self._connection.execute(timers).scalar_one()}

    def _insert(self, records: Sequence[Record]) -> None:
        if not records:
            return
        stored = self.get([one.key for one in records])
        if stored:
            raise StaleRecord(f"{min(stored)} was stored by somebody else in between")
        insert_all(self._connection, record, [self._row(one) for one in records])

    def _update(self, changes: Sequence[tuple[Record, Record]]) -> None:
        if not changes:
            return
        rows = [self._row(after) | {"was": before.version} for before, after in changes]
        for row in rows:
            del row["org_id"]
            row["key"] = row.pop("record_id")
        match = {"record_id": "key", "version": "was"}
        changed = update_all(self._connection, record, self._org, rows, match)
        if changed != len(changes):
            raise StaleRecord(
                f"{len(changes) - changed} of {len(changes)} records were stored by somebody else in between"
            )

    def _refer(self, changes: Sequence[tuple[Record | None, Record]]) -> None:
        gone: list[dict[str, Any]] = []
        new: list[dict[str, Any]] = []
        for before, after in changes:
            was = set(before.references) if before and before.open else set()
            now = set(after.references) if after.open else set()
            gone += [{"to": target, "of": after.key} for target in sorted(was - now)]
            new += [{"org_id": self._org, "target": target, "record_id": after.key} for target in sorted(now - was)]
        if gone:
            match = (reference.c.target == bindparam("to")) & (reference.c.record_id == bindparam("of"))
            self._connection.execute(delete(reference).where(reference.c.org_id == self._org, match), gone)
        insert_new(self._connection, reference, new)

    def _row(self, one: Record) -> dict[str, Any]:
        return {
            "org_id": self._org,
            "record_id": one.key,
            "state": encode_facts(one.facts),
            "version": one.version,
            "is_open": int(one.open),
            "owner_id": one.owner,
            "refs": encode(one.references),
        }

    def _timer(self, one: Record) -> dict[str, Any]:
        return {"org_id": self._org, "record_id": one.key, "due_ms": one.due, "why": one.why}


def _sooner(before: Record | None, after: Record) -> bool:
    """Tell whether the timer stands earlier now, so that somebody may wait for too long."""
    return after.due is not None and (before is None or before.due is None or after.due < before.due)


def _record(row: Row[*tuple[Any, ...]]) -> Record:
    return Record(
        key=row.record_id,
        facts=decode_facts(row.state),
        version=row.version,
        open=bool(row.is_open),
        owner=row.owner_id,
        due=row.due_ms,
        why=row.why or "",
        references=decode_names(row.refs),
    )
