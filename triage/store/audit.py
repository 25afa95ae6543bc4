"""
The append-only log: one hash chain per record, over digests of bodies, so that a body can be erased and still verify.

A line's hash covers the hash before it, its instant, record, key, event, actor, rule and the digest of its body.
Triggers refuse every deletion, and every update but the loss of a body.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, func, select, update

from triage.domain.decision import AuditEntry
from triage.ports import AuditFault, AuditRow, record_key
from triage.store.codec import decode_object, digest, encode
from triage.store.dialect import is_postgres, provisional
from triage.store.tables import audit
from triage.store.upsert import insert_all, parts, unnested

GENESIS = ""
"""What the first line of a record chains to."""


class SqlAudit:
    """See `triage.ports.Audit`."""

    def __init__(self, connection: Connection, org: str) -> None:
        self._connection = connection
        self._org = org

    def append(self, entries: Sequence[AuditEntry]) -> None:
        """Write *entries* in order."""
        if not entries:
            return
        seqs = provisional(self._connection, audit, self._org, len(entries))
        heads = self._heads(sorted({record_key(entry.object, entry.id) for entry in entries}))
        rows = []
        for seq, entry in zip(seqs, entries, strict=True):
            row = chained(entry, heads.get(record_key(entry.object, entry.id), GENESIS))
            heads[row["record_id"]] = row["hash"]
            rows.append({"org_id": self._org, "seq": seq, **row})
        insert_all(self._connection, audit, rows, numbered=True)

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
        query = select(audit).where(audit.c.org_id == self._org, audit.c.seq > after)
        for column, wanted in ((audit.c.record_id, record), (audit.c.idem_key, key), (audit.c.event, event)):
            if wanted:
                query = query.where(column == wanted)
        order = audit.c.seq.desc() if last else audit.c.seq
        rows = [_row(self._org, row) for row in self._connection.execute(query.order_by(order).limit(limit))]
        return rows[::-1] if last else rows

    def erase(self, seqs: Sequence[int]) -> None:
        """Forget the bodies of lines; the chain still verifies."""
        for seq in seqs:
            self._connection.execute(
                update(audit).where(audit.c.org_id == self._org, audit.c.seq == seq).values(body=None)
            )

    def verify(self) -> list[AuditFault]:
        """Return every place where a line, a body or the chain is not as it was written."""
        query = select(audit).where(audit.c.org_id == self._org).order_by(audit.c.seq)
        heads: dict[str, str] = {}
        faults: list[AuditFault] = []
        for row in self._connection.execute(query.execution_options(yield_per=1000)):
            faults += check_line(_row(self._org, row), heads.get(row.record_id, GENESIS))
            heads[row.record_id] = row.hash
        return faults

    def _heads(self, records: Sequence[str]) -> dict[str, str]:
        """Return the hash of the last line of each of *records*."""
        heads: dict[str, str] = {}
        for part in parts(records):
            if is_postgres(self._connection):
                given = unnested([{"record": key} for key in part], {"record": audit.c.record_id})
                last = select(audit.c.hash).where(audit.c.org_id == self._org, audit.c.record_id == given.c.record)
                last = last.order_by(audit.c.seq.desc()).limit(1).correlate(given)
                query = select(given.c.record.label("record_id"), last.scalar_subquery().label("hash"))
            else:
                mine = (audit.c.org_id == self._org) & audit.c.record_id.in_(part)
                latest = select(func.max(audit.c.seq)).where(mine).group_by(audit.c.record_id)
                query = select(audit.c.record_id, audit.c.hash).where(mine, audit.c.seq.in_(latest))
            heads.update({row.record_id: row.hash for row in self._connection.execute(query) if row.hash is not None})
        return heads


def chained(entry: AuditEntry, previous: str) -> dict[str, Any]:
    """Return *entry* as a row that chains to *previous*, without its seq."""
    body = encode(entry.body)
    row = {
        "at_ms": entry.at,
        "record_id": record_key(entry.object, entry.id),
        "idem_key": entry.key,
        "event": entry.event,
        "actor": entry.actor,
        "rule": entry.rule,
        "digest": digest(body),
        "prev_hash": previous,
    }
    return {**row, "body": body, "hash": line_hash(row)}


def line_hash(row: dict[str, Any]) -> str:
    """Return the hash of one line, its body taken by its digest."""
    names = ("prev_hash", "at_ms", "record_id", "idem_key", "event", "actor", "rule", "digest")
    return digest(encode([row[name] for name in names]))


def check_line(row: AuditRow, previous: str) -> list[AuditFault]:
    """Return what is wrong with one stored line, given the hash of the line before it."""
    entry = row.entry
    again = chained(entry, row.previous)
    again["digest"] = row.digest
    record = record_key(entry.object, entry.id)
    faults = []
    if row.previous != previous:
        faults.append("does not follow the line before it: one is missing or out of place")
    if line_hash(again) != row.hash:
        faults.append("its hash is not that of its content")
    if not row.erased and digest(encode(entry.body)) != row.digest:
        faults.append("its body is not the one that was written")
    return [AuditFault(row.seq, record, fault) for fault in faults]


def _row(org: str, row: Row[Any]) -> AuditRow:
    object_name, _, identity = row.record_id.partition("/")
    entry = AuditEntry(
        at=row.at_ms,
        org=org,
        object=object_name,
        id=identity,
        event=row.event,
        actor=row.actor,
        key=row.idem_key,
        rule=row.rule,
        body=decode_object(row.body) if row.body is not None else {},
    )
    return AuditRow(
        seq=row.seq,
        entry=entry,
        hash=row.hash,
        previous=row.prev_hash,
        digest=row.digest,
        erased=row.body is None,
    )
