"""Other objects that records refer to, and the agents with what each one holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from triage.domain.work import Agent
from triage.store.codec import decode_agent, decode_object, encode
from triage.store.dialect import lock_name
from triage.store.tables import agent, related
from triage.store.upsert import among, parts, upsert


class SqlRelated:
    """See `triage.ports.Related`."""

    def __init__(self, connection: Connection, org: str) -> None:
        self._connection = connection
        self._org = org

    def get(self, targets: Sequence[tuple[str, str]]) -> dict[tuple[str, str], dict[str, Any]]:
        """Return the stored field values of *targets*, by CRM name."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        wanted: dict[str, list[str]] = {}
        for object_name, identity in targets:
            wanted.setdefault(object_name, []).append(identity)
        for object_name, ids in wanted.items():
            for part in parts(ids):
                query = select(related.c.id, related.c.changes).where(
                    related.c.org_id == self._org,
                    related.c.object == object_name,
                    among(self._connection, related.c.id, part),
                )
                for row in self._connection.execute(query):
                    found[object_name, row.id] = decode_object(row.changes)
        return found

    def merge(self, target: tuple[str, str], changes: Mapping[str, Any], at: int) -> None:
        """Fold *changes* into the stored values of *target*."""
        lock_name(self._connection, self._org, "related", *target)
        values = {**self.get([target]).get(target, {}), **changes}
        row = {"org_id": self._org, "object": target[0], "id": target[1], "changes": encode(values), "at_ms": at}
        upsert(self._connection, related, [row])

    def agents(self) -> tuple[Agent, ...]:
        """Return all agents with their loads, by id."""
        query = select(agent.c.body).where(agent.c.org_id == self._org).order_by(agent.c.id)
        return tuple(decode_agent(body) for body in self._connection.execute(query).scalars())

    def save_agents(self, agents: Sequence[Agent]) -> None:
        """Store *agents* with their loads."""
        rows = [{"org_id": self._org, "id": one.id, "body": encode(one)} for one in agents]
        upsert(self._connection, agent, rows)

    def lock_agents(self, ids: Sequence[str]) -> dict[str, Agent]:
        """Return those of *ids* as they are stored by now; nobody else stores them before this transaction ends."""
        query = (
            select(agent.c.body)
            .where(agent.c.org_id == self._org, among(self._connection, agent.c.id, ids))
            .order_by(agent.c.id)
        )
        found = map(decode_agent, self._connection.execute(query.with_for_update()).scalars())
        return {one.id: one for one in found}
