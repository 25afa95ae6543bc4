"""Published policies, content-addressed, and the decisions taken under them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, func, select, update

from triage.domain.work import Agent
from triage.errors import StaleRecord
from triage.ports import StoredDecision, StoredPolicy
from triage.store import tables
from triage.store.codec import decode_agents, decode_loads, decode_modes, decode_outlines, decode_texts, encode
from triage.store.dialect import lock_name, tell
from triage.store.tables import decision, roster
from triage.store.upsert import insert_new, upsert


class SqlPolicies:
    """See `triage.ports.Policies`."""

    def __init__(self, connection: Connection, org: str) -> None:
        self._connection = connection
        self._org = org
        self._seen: str | None = None

    def live(self) -> StoredPolicy | None:
        """Return the policy in force."""
        self._seen = self._digest()
        row = self._connection.execute(self._policies().where(tables.policy.c.live == 1)).one_or_none()
        return None if row is None else _policy(row)

    def live_digest(self) -> str:
        """Return the digest of the policy in force, "" where none has been published."""
        # A publication waits for the transactions that decide by the policy before it, and they see it from then on.
        lock_name(self._connection, self._org, "policy", shared=True)
        return self._digest()

    def get(self, digest: str) -> StoredPolicy | None:
        """Return one policy."""
        row = self._connection.execute(self._policies().where(tables.policy.c.digest == digest)).one_or_none()
        return None if row is None else _policy(row)

    def publish(self, policy: StoredPolicy) -> None:
        """Store *policy* and make it the one in force."""
        lock_name(self._connection, self._org, "policy")
        if self._seen is not None and self._digest() != self._seen:
            raise StaleRecord("somebody else published a policy in between: look at it, then publish again")
        last = select(func.coalesce(func.max(tables.policy.c.seq), 0)).where(tables.policy.c.org_id == self._org)
        seq = self._connection.execute(last).scalar_one() + 1
        self._connection.execute(
            update(tables.policy).where(tables.policy.c.org_id == self._org, tables.policy.c.live == 1).values(live=0)
        )
        row = {
            "org_id": self._org,
            "digest": policy.digest,
            "texts": encode(policy.texts),
            "modes": encode(policy.modes),
            "outlines": encode(policy.outlines),
            "at_ms": policy.at,
            "actor": policy.actor,
            "reason": policy.reason,
            "live": 1,
            "is_virtual": int(policy.virtual),
            "seq": seq,
        }
        upsert(self._connection, tables.policy, [row])
        tell(self._connection)

    def history(self) -> list[StoredPolicy]:
        """Return all policies, the latest published first."""
        return [_policy(row) for row in self._connection.execute(self._policies().order_by(tables.policy.c.seq.desc()))]

    def keep(self, decisions: Sequence[StoredDecision], rosters: Mapping[str, tuple[Agent, ...]]) -> None:
        """Store decisions and the agents they looked at."""
        kept = [{"org_id": self._org, "digest": name, "agents": encode(who)} for name, who in sorted(rosters.items())]
        insert_new(self._connection, roster, kept)
        insert_new(self._connection, decision, [self._decision_row(one) for one in decisions])

    def decision(self, decision_id: str) -> StoredDecision | None:
        """Return one decision."""
        query = select(decision).where(decision.c.org_id == self._org, decision.c.id == decision_id)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else _decision(row)

    def decisions(self, record: str) -> list[StoredDecision]:
        """Return the kept decisions of one record, in order."""
        query = select(decision).where(decision.c.org_id == self._org, decision.c.record_id == record)
        ordered = query.order_by(decision.c.version, decision.c.now_ms, decision.c.id)
        return [_decision(row) for row in self._connection.execute(ordered)]

    def roster(self, digest: str) -> tuple[Agent, ...]:
        """Return the agents of *digest*, loads zero."""
        query = select(roster.c.agents).where(roster.c.org_id == self._org, roster.c.digest == digest)
        body = self._connection.execute(query).scalar()
        return decode_agents(body) if body else ()

    def _digest(self) -> str:
        query = select(tables.policy.c.digest).where(tables.policy.c.org_id == self._org, tables.policy.c.live == 1)
        return self._connection.execute(query).scalar() or ""

    def _policies(self) -> Any:
        return select(tables.policy).where(tables.policy.c.org_id == self._org)

    def _decision_row(self, one: StoredDecision) -> dict[str, Any]:
        row = msgspec.structs.asdict(one)
        row["record_id"], row["now_ms"], row["at_ms"] = row.pop("record"), row.pop("now"), row.pop("at")
        row["loads"] = encode(one.loads)
        return {"org_id": self._org, **row}


def _policy(row: Row[Any]) -> StoredPolicy:
    return StoredPolicy(
        digest=row.digest,
        texts=decode_texts(row.texts),
        modes=decode_modes(row.modes),
        outlines=decode_outlines(row.outlines),
        at=row.at_ms,
        actor=row.actor,
        reason=row.reason,
        live=bool(row.live),
        virtual=bool(row.is_virtual),
    )


def _decision(row: Row[Any]) -> StoredDecision:
    return StoredDecision(
        id=row.id,
        record=row.record_id,
        version=row.version,
        policy=row.policy,
        call=row.call,
        now=row.now_ms,
        at=row.at_ms,
        facts=row.facts,
        agents=row.agents,
        loads=decode_loads(row.loads),
        result=row.result,
    )
