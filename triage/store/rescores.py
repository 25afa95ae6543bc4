"""Which records want new scores, and from when. Taken ones are pushed back, so that a crash only delays them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from triage.store.dialect import is_postgres, tell
from triage.store.tables import rescore
from triage.store.upsert import parts


class SqlRescores:
    """See `triage.ports.Rescores`."""

    def __init__(self, connection: Connection, org: str) -> None:
        self._connection = connection
        self._org = org

    def ask(self, keys: Sequence[str], due: int) -> None:
        """Let *keys* be scored from *due* on, or sooner where that is asked already."""
        insert = postgresql.insert if is_postgres(self._connection) else sqlite.insert
        for part in parts(sorted(set(keys))):
            rows = [{"org_id": self._org, "record_id": key, "due_ms": due} for key in part]
            query = insert(rescore).values(rows)
            sooner = rescore.c.due_ms > query.excluded.due_ms
            query = query.on_conflict_do_update(
                index_elements=["org_id", "record_id"], set_={"due_ms": query.excluded.due_ms}, where=sooner
            )
            self._connection.execute(query)
        if keys:
            tell(self._connection)

    def take(self, now: int, limit: int, until: int) -> list[str]:
        """Return at most *limit* keys due at *now*, the longest due first; nobody else takes them before *until*."""
        query = (
            select(rescore.c.record_id)
            .where(rescore.c.org_id == self._org, rescore.c.due_ms <= now)
            .order_by(rescore.c.due_ms, rescore.c.record_id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        keys = list(self._connection.execute(query).scalars())
        for part in parts(keys):
            these = (rescore.c.org_id == self._org) & rescore.c.record_id.in_(part)
            self._connection.execute(update(rescore).where(these).values(due_ms=until))
        return keys

    def settle(self, taken: Mapping[str, int | None], until: int) -> None:
        """Set when each key taken until *until* is due again (None: never), unless it was asked for meanwhile."""
        mine = (rescore.c.org_id == self._org) & (rescore.c.due_ms == until)
        these = mine & (rescore.c.record_id == bindparam("key"))
        ended = [{"key": key} for key, due in sorted(taken.items()) if due is None]
        moved = [{"key": key, "due": due} for key, due in sorted(taken.items()) if due is not None]
        if ended:
            self._connection.execute(delete(rescore).where(these), ended)
        if moved:
            self._connection.execute(update(rescore).where(these).values(due_ms=bindparam("due")), moved)

    def next_due(self) -> int | None:
        """Return the earliest instant at which a record wants scores, None for none."""
        query = select(rescore.c.due_ms).where(rescore.c.org_id == self._org).order_by(rescore.c.due_ms).limit(1)
        return self._connection.execute(query).scalar()
