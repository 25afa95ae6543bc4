"""Who may ask the API, and what it answered to requests that may be sent again."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, delete, select, update

from triage.ports import Answer, ApiKey
from triage.store.tables import answer, api_key
from triage.store.upsert import insert_all, insert_new


class SqlAccess:
    """See `triage.ports.Access`."""

    def __init__(self, connection: Connection, org: str) -> None:
        self._connection = connection
        self._org = org

    def add(self, key: ApiKey) -> None:
        """Keep a new key."""
        row = {
            "org_id": self._org, "key_id": key.id, "secret_hash": key.secret_hash, "scopes": " ".join(key.scopes),
            "label": key.label, "created_ms": key.created, "expires_ms": key.expires,
        }  # fmt: skip
        insert_all(self._connection, api_key, [row])

    def find(self, key_id: str) -> ApiKey | None:
        """Return the key *key_id*, of whichever organisation."""
        row = self._connection.execute(select(api_key).where(api_key.c.key_id == key_id)).one_or_none()
        return None if row is None else _key(row)

    def listed(self) -> list[ApiKey]:
        """Return the keys of this organisation, the oldest first."""
        query = select(api_key).where(api_key.c.org_id == self._org).order_by(api_key.c.created_ms, api_key.c.key_id)
        return [_key(row) for row in self._connection.execute(query)]

    def revoke(self, key_id: str, at: int) -> bool:
        """End a key of this organisation at once; False where it has none such that still works."""
        mine = (api_key.c.org_id == self._org) & (api_key.c.key_id == key_id) & api_key.c.revoked_ms.is_(None)
        return self._connection.execute(update(api_key).where(mine).values(revoked_ms=at)).rowcount > 0

    def answer(self, key_id: str, idem_key: str) -> Answer | None:
        """Return what the request *idem_key* of a key was answered."""
        mine = (answer.c.org_id == self._org) & (answer.c.key_id == key_id) & (answer.c.idem_key == idem_key)
        row = self._connection.execute(select(answer).where(mine)).one_or_none()
        if row is None:
            return None
        return Answer(request_hash=row.request_hash, status=row.status, body=row.body, at=row.at_ms)

    def remember(self, key_id: str, idem_key: str, given: Answer, forget_before: int) -> None:
        """Keep an answer, and forget those from before an instant."""
        old = (answer.c.org_id == self._org) & (answer.c.at_ms < forget_before)
        self._connection.execute(delete(answer).where(old))
        row = {
            "org_id": self._org, "key_id": key_id, "idem_key": idem_key, "request_hash": given.request_hash,
            "status": given.status, "body": given.body, "at_ms": given.at,
        }  # fmt: skip
        insert_new(self._connection, answer, [row])


def _key(row: Row[*tuple[Any, ...]]) -> ApiKey:
    return ApiKey(
        id=row.key_id, org=row.org_id, secret_hash=row.secret_hash, scopes=tuple(row.scopes.split()), label=row.label,
        created=row.created_ms, expires=row.expires_ms, revoked=row.revoked_ms,
    )  # fmt: skip
