"""Events as they came, how far each source has been read, and what was refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from triage.domain.work import Event
from triage.ports import Refusal, SourceState, record_key
from triage.store.codec import decode_event, encode
from triage.store.dialect import lock_name, provisional
from triage.store.tables import event, refusal, source
from triage.store.upsert import among, insert_new, parts, upsert

TEXT_LIMIT = 2000
"""How much of a refused line is kept."""


class SqlIntake:
    """See `triage.ports.Intake`."""

    def __init__(self, connection: Connection, org: str) -> None:
        self._connection = connection
        self._org = org

    def seen(self, source: str, event_ids: Sequence[str]) -> set[str]:
        """Return which of *event_ids* have been taken in from *source* before."""
        known: set[str] = set()
        for part in parts(event_ids):
            query = select(event.c.event_id).where(
                event.c.org_id == self._org, event.c.source == source, among(self._connection, event.c.event_id, part)
            )
            known.update(self._connection.execute(query).scalars())
        return known

    def add(self, source: str, events: Sequence[Event]) -> None:
        """Keep *events*, in the order given; one that is kept already stays as it is."""
        if not events:
            return
        seqs = provisional(self._connection, event, self._org, len(events))
        rows = [self._row(source, one, seq) for seq, one in zip(seqs, events, strict=True)]
        insert_new(self._connection, event, rows, numbered=True)

    def events(self, record: str, limit: int | None = None) -> list[Event]:
        """Return the events of one record, in the order they were taken in."""
        query = select(event.c.body).where(event.c.org_id == self._org, event.c.record_id == record)
        found = self._connection.execute(query.order_by(event.c.seq).limit(limit)).scalars()
        return [decode_event(body) for body in found]

    def scored(self, record: str) -> Event | None:
        """Return the last `scored` event of one record; the others are told apart without being read."""
        mine = (event.c.org_id == self._org, event.c.record_id == record, event.c.body.like('%"type":"scored"%'))
        query = select(event.c.body).where(*mine).order_by(event.c.seq.desc()).limit(1)
        body = self._connection.execute(query).scalar_one_or_none()
        return None if body is None else decode_event(body)

    def source(self, name: str) -> SourceState | None:
        """Return how far *name* has been read; a writer is the only one to read on before its transaction ends."""
        lock_name(self._connection, self._org, "source", name)
        query = select(source).where(source.c.org_id == self._org, source.c.name == name)
        row = self._connection.execute(query).one_or_none()
        if row is None:
            return None
        return SourceState(
            name=name,
            live_from=row.live_from_ms,
            cursor=row.cursor,
            accepted=row.accepted,
            repeated=row.repeated,
            refused=row.refused,
        )

    def save_source(self, state: SourceState) -> None:
        """Store how far a source has been read."""
        row = msgspec.structs.asdict(state)
        row["live_from_ms"] = row.pop("live_from")
        upsert(self._connection, source, [{"org_id": self._org, **row}])

    def refuse(self, refusals: Sequence[Refusal]) -> None:
        """Keep *refusals*; the same line of the same source once for each reason."""
        insert_new(self._connection, refusal, [self._refused(one) for one in refusals])

    def refusals(self, source: str = "", limit: int | None = None) -> list[Refusal]:
        """Return what was refused, in order."""
        query = select(refusal).where(refusal.c.org_id == self._org)
        if source:
            query = query.where(refusal.c.source == source)
        rows = self._connection.execute(query.order_by(refusal.c.source, refusal.c.line, refusal.c.reason).limit(limit))
        return [
            Refusal(source=r.source, line=r.line, reason=r.reason, record=r.record_id, text=r.body, at=r.at_ms)
            for r in rows
        ]

    def _row(self, source: str, one: Event, seq: int) -> dict[str, Any]:
        return {
            "org_id": self._org,
            "source": source,
            "event_id": one.event_id,
            "seq": seq,
            "record_id": record_key("agent" if one.type == "agent" else one.object, one.id),
            "at_ms": one.at,
            "body": encode(one),
        }

    def _refused(self, one: Refusal) -> dict[str, Any]:
        return {
            "org_id": self._org,
            "source": one.source,
            "line": one.line,
            "reason": _plain(one.reason),
            "record_id": _plain(one.record),
            "body": _plain(one.text[:TEXT_LIMIT]),
            "at_ms": one.at,
        }


def _plain(text: str) -> str:
    """Return *text* without what PostgreSQL cannot keep: a refused line may hold anything."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()
