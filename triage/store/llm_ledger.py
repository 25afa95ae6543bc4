"""Budgets, calls and answers of language models. A budget moves by one conditional UPDATE: it is never passed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, distinct, func, select, update

from triage.domain.instant import DAY
from triage.ports import Limit, LlmCall, LlmTally
from triage.store.tables import llm_answer, llm_budget, llm_call
from triage.store.upsert import insert_new, parts

ALL = "*"
"""The organisation under which a budget stands that all of them draw on."""

_SHARED = ("day",)
_encode = msgspec.json.Encoder(order="sorted").encode
_OWN = ("provider", "model", "prompt", "purpose", "reserved", "cost", "input", "cached", "output", "outcome",
        "request", "millis")  # fmt: skip


class SqlLlmLedger:
    """See `triage.ports.LlmLedger`."""

    def __init__(self, connection: Connection, org: str) -> None:
        self._connection = connection
        self._org = org

    def reserve(self, call: LlmCall, limits: Sequence[Limit]) -> str:
        """Keep *call* and draw on every budget, or keep nothing and return the scope that does not allow it."""
        # Always in one order, so that two processes cannot wait for each other.
        wanted = sorted(limits, key=lambda limit: (limit.scope, limit.name, limit.day))
        for at, limit in enumerate(wanted):
            if not self._draw(limit, call.reserved):
                for drawn in wanted[:at]:
                    self._give_back(drawn, call.reserved)
                return limit.scope
        row = {name: getattr(call, name) for name in _OWN} | {
            "org_id": self._org, "id": call.id, "at_ms": call.at, "record_id": call.record,
            "compared": _encode(call.compared).decode(), "limits": _encode(wanted).decode(),
        }  # fmt: skip
        if not insert_new(self._connection, llm_call, [row]):
            for drawn in wanted:
                self._give_back(drawn, call.reserved)
        return ""

    def settle(self, calls: Sequence[LlmCall]) -> None:
        """Store how reserved calls ended, and give back what they did not cost."""
        for call in calls:
            mine = (llm_call.c.org_id == self._org) & (llm_call.c.id == call.id) & llm_call.c.cost.is_(None)
            row = self._connection.execute(select(llm_call.c.reserved, llm_call.c.limits).where(mine)).one_or_none()
            if row is None:
                continue
            cost = row.reserved if call.cost is None else min(call.cost, row.reserved)
            values = {name: getattr(call, name) for name in _OWN if name not in ("reserved", "cost")}
            values |= {"cost": cost, "compared": _encode(call.compared).decode()}
            if self._connection.execute(update(llm_call).where(mine).values(**values)).rowcount:
                for limit in msgspec.json.decode(row.limits, type=list[Limit]):
                    self._give_back(limit, row.reserved - cost)

    def spent(self, limit: Limit) -> int:
        """Return what is drawn on the budget of *limit*."""
        return self._connection.execute(select(llm_budget.c.used).where(self._where(limit))).scalar() or 0

    def answers(self, keys: Sequence[str]) -> dict[str, str]:
        """Return the kept answers among *keys*."""
        found: dict[str, str] = {}
        for some in parts(keys):
            mine = (llm_answer.c.org_id == self._org) & llm_answer.c.content.in_(some)
            rows = self._connection.execute(select(llm_answer.c.content, llm_answer.c.answer).where(mine))
            found.update((row.content, row.answer) for row in rows)
        return found

    def keep(self, key: str, record: str, at: int, answer: str) -> None:
        """Keep a validated answer under *key*; the first one stays."""
        row = {"org_id": self._org, "content": key, "record_id": record, "at_ms": at, "answer": answer}
        insert_new(self._connection, llm_answer, [row])

    def calls(self, *, since: int = 0, limit: int = 100) -> list[LlmCall]:
        """Return at most *limit* calls at or after *since*, the latest first."""
        query = select(llm_call).where(llm_call.c.org_id == self._org, llm_call.c.at_ms >= since)
        rows = self._connection.execute(query.order_by(llm_call.c.at_ms.desc(), llm_call.c.id.desc()).limit(limit))
        return [_call(row) for row in rows]

    def tally(self, since: int) -> list[LlmTally]:
        """Return the calls at or after *since*, added up by day, model, purpose and outcome."""
        day = (llm_call.c.at_ms // DAY).label("day")
        by = (day, llm_call.c.model, llm_call.c.purpose, llm_call.c.outcome)
        cost = func.coalesce(llm_call.c.cost, llm_call.c.reserved)
        query = select(
            *by, func.count().label("calls"), func.sum(cost).label("spent"), func.sum(llm_call.c.input).label("read"),
            func.sum(llm_call.c.cached).label("known"), func.sum(llm_call.c.output).label("written"),
            func.count(distinct(llm_call.c.record_id)).label("records"),
        ).where(llm_call.c.org_id == self._org, llm_call.c.at_ms >= since)  # fmt: skip
        return [
            LlmTally(
                day=int(row.day), model=row.model, purpose=row.purpose, outcome=row.outcome, calls=row.calls,
                cost=int(row.spent), input=int(row.read), cached=int(row.known), output=int(row.written),
                records=row.records,
            )
            for row in self._connection.execute(query.group_by(*by).order_by(*by))
        ]  # fmt: skip

    def forget(self, record: str) -> int:
        """Forget the answers kept for *record*; return how many."""
        gone = delete(llm_answer).where(llm_answer.c.org_id == self._org, llm_answer.c.record_id == record)
        return self._connection.execute(gone).rowcount

    def _draw(self, limit: Limit, amount: int) -> bool:
        """Add *amount* to what is used unless that passes the limit; tell whether it was added."""
        if amount > limit.most:
            return False
        row = {"org_id": self._of(limit), "scope": limit.scope, "name": limit.name, "day": limit.day, "used": 0}
        insert_new(self._connection, llm_budget, [row])
        fits = self._where(limit) & (llm_budget.c.used + amount <= limit.most)
        adding = update(llm_budget).where(fits).values(used=llm_budget.c.used + amount)
        return self._connection.execute(adding).rowcount == 1

    def _give_back(self, limit: Limit, amount: int) -> None:
        lowering = update(llm_budget).where(self._where(limit)).values(used=llm_budget.c.used - amount)
        self._connection.execute(lowering)

    def _where(self, limit: Limit) -> Any:
        mine = (llm_budget.c.org_id == self._of(limit)) & (llm_budget.c.scope == limit.scope)
        return mine & (llm_budget.c.name == limit.name) & (llm_budget.c.day == limit.day)

    def _of(self, limit: Limit) -> str:
        return ALL if limit.scope in _SHARED else self._org


def _call(row: Any) -> LlmCall:
    compared = msgspec.json.decode(row.compared, type=dict[str, tuple[Any, Any]])
    own = {name: getattr(row, name) for name in _OWN}
    return LlmCall(id=row.id, at=row.at_ms, record=row.record_id, compared=compared, **own)
