"""Budgets, calls and answers of language models. A budget moves by one conditional UPDATE: it is never passed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, distinct, func, select

from triage.domain.instant import DAY
from triage.ports import Limit, LlmCall, LlmTally
from triage.store.dialect import is_postgres
from triage.store.tables import llm_answer, llm_budget, llm_call
from triage.store.upsert import parts

ALL = "*"
"""The organisation under which a budget stands that all of them draw on."""

_SHARED = ("day",)
_encode = msgspec.json.Encoder(order="sorted").encode
_OWN = ("provider", "model", "prompt", "purpose", "reserved", "cost", "input", "cached", "output", "outcome",
        "request", "millis")  # fmt: skip


_SETTLED = tuple(name for name in _OWN if name not in ("reserved", "cost"))
_COLUMNS = tuple(column.name for column in llm_call.columns)

# As text for the driver, with {name} for what the values are: a call passes through six statements, and building and
# compiling each anew would cost more than running it.
_BUDGET = "({org_id%d}, {scope%d}, {name%d}, {day%d}, {amount})"
_DRAW = (
    "INSERT INTO llm_budget (org_id, scope, name, day, used) VALUES %s "
    "ON CONFLICT (org_id, scope, name, day) DO UPDATE SET used = llm_budget.used + excluded.used "
    "WHERE llm_budget.used + excluded.used <= CASE %s ELSE 0 END RETURNING scope, name, day"
)
_MOST = "WHEN excluded.scope = {scope%d} AND excluded.name = {name%d} AND excluded.day = {day%d} THEN {most%d}"
_SAME = "(org_id = {org_id%d} AND scope = {scope%d} AND name = {name%d} AND day = {day%d})"
_GIVE_BACK = "UPDATE llm_budget SET used = used - {amount} WHERE "
# What an UPDATE of several rows locks first is up to its plan: before it, a server is asked for them in the order in
# which they are drawn on. C: as Python sorts.
_LOCK = 'SELECT 1 FROM llm_budget WHERE %s ORDER BY scope COLLATE "C", name COLLATE "C", day FOR UPDATE'
_NEW_CALL = (
    f"INSERT INTO llm_call ({', '.join(_COLUMNS)}) "  # noqa: S608
    f"VALUES ({', '.join('{' + name + '}' for name in _COLUMNS)}) ON CONFLICT (org_id, id) DO NOTHING"
)
_SETTLE = (
    f"UPDATE llm_call SET {', '.join(f'{name} = {{{name}}}' for name in (*_SETTLED, 'compared'))}, "  # noqa: S608
    "cost = CASE WHEN {cost} < reserved THEN {cost} ELSE reserved END "
    "WHERE org_id = {org_id} AND id = {id} AND cost IS NULL RETURNING reserved - cost, limits"
)
_NEW_ANSWER = (
    "INSERT INTO llm_answer (org_id, content, record_id, at_ms, answer) "
    "VALUES ({org_id}, {content}, {record_id}, {at_ms}, {answer}) ON CONFLICT (org_id, content) DO NOTHING"
)
_ONE_ANSWER = "SELECT content, answer FROM llm_answer WHERE org_id = {org_id} AND content = {content}"
_limits = msgspec.json.Decoder(list[Limit]).decode
_WHOLE = 1 << 62
"""More than any call costs: what it is settled at where nobody says."""


@cache
def _spelled(statement: str, server: bool) -> str:
    """Return *statement* with its values as the driver of the file, or of the server, has them."""
    return re.sub(r"{(\w+)}", r"%(\1)s" if server else r":\1", statement)


@cache
def _for_each(count: int) -> tuple[str, str, str]:
    """Return the statements that draw on *count* budgets, that give back to as many, and that lock them in order."""
    each = range(count)
    rows = ", ".join(_BUDGET.replace("%d", str(at)) for at in each)
    most = " ".join(_MOST.replace("%d", str(at)) for at in each)
    same = " OR ".join(_SAME.replace("%d", str(at)) for at in each)
    return _DRAW % (rows, most), _GIVE_BACK + same, _LOCK % same


class SqlLlmLedger:
    """See `triage.ports.LlmLedger`."""

    def __init__(self, connection: Connection, org: str) -> None:
        self._connection = connection
        self._org = org

    def reserve(self, call: LlmCall, limits: Sequence[Limit]) -> str:
        """Keep *call* and draw on every budget, or keep nothing and return the scope that does not allow it."""
        # Always in one order, so that two processes cannot wait for each other.
        wanted = sorted(limits, key=lambda limit: (limit.scope, limit.name, limit.day))
        refused = self._draw(wanted, call.reserved)
        if refused:
            return refused
        row = {name: getattr(call, name) for name in _OWN} | {
            "org_id": self._org, "id": call.id, "at_ms": call.at, "record_id": call.record,
            "compared": _encode(call.compared).decode(), "limits": _encode(wanted).decode(),
        }  # fmt: skip
        if not self._run(_NEW_CALL, row).rowcount:
            self._give_back(wanted, call.reserved)
        return ""

    def settle(self, calls: Sequence[LlmCall]) -> None:
        """Store how reserved calls ended, and give back what they did not cost."""
        for call in calls:
            values = {name: getattr(call, name) for name in _SETTLED} | {"org_id": self._org, "id": call.id}
            values |= {"cost": _WHOLE if call.cost is None else call.cost, "compared": _encode(call.compared).decode()}
            row = self._run(_SETTLE, values).one_or_none()
            if row is not None:
                self._give_back(_limits(row[1]), row[0])

    def spent(self, limit: Limit) -> int:
        """Return what is drawn on the budget of *limit*."""
        return self._connection.execute(select(llm_budget.c.used).where(self._where(limit))).scalar() or 0

    def answers(self, keys: Sequence[str]) -> dict[str, str]:
        """Return the kept answers among *keys*."""
        if len(keys) == 1:
            row = self._run(_ONE_ANSWER, {"org_id": self._org, "content": keys[0]}).one_or_none()
            return {} if row is None else {row[0]: row[1]}
        found: dict[str, str] = {}
        for some in parts(keys):
            mine = (llm_answer.c.org_id == self._org) & llm_answer.c.content.in_(some)
            rows = self._connection.execute(select(llm_answer.c.content, llm_answer.c.answer).where(mine))
            found.update((row.content, row.answer) for row in rows)
        return found

    def keep(self, key: str, record: str, at: int, answer: str) -> None:
        """Keep a validated answer under *key*; the first one stays."""
        row = {"org_id": self._org, "content": key, "record_id": record, "at_ms": at, "answer": answer}
        self._run(_NEW_ANSWER, row)

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

    def prune(self, before: int) -> dict[str, int]:
        """Forget calls and answers older than *before*, and budgets of days that ended by then; return how many."""
        mine = (llm_budget.c.org_id == self._org) & llm_budget.c.day.between(1, before // DAY - 1)
        old = {
            "model calls": delete(llm_call).where(llm_call.c.org_id == self._org, llm_call.c.at_ms < before),
            "model answers": delete(llm_answer).where(llm_answer.c.org_id == self._org, llm_answer.c.at_ms < before),
            "model budgets": delete(llm_budget).where(mine),
        }
        return {name: self._connection.execute(gone).rowcount for name, gone in old.items()}

    def _draw(self, limits: Sequence[Limit], amount: int) -> str:
        """Add *amount* to what is used of all *limits*, or to none; return the scope that does not allow it, or ""."""
        over = next((limit.scope for limit in limits if amount > limit.most), "")
        if over or not limits:
            return over
        values = self._values(limits) | {f"most{at}": limit.most for at, limit in enumerate(limits)}
        drawn = {tuple(row) for row in self._run(_for_each(len(limits))[0], values | {"amount": amount})}
        missing = [limit for limit in limits if (limit.scope, limit.name, limit.day) not in drawn]
        if missing:
            self._give_back([limit for limit in limits if limit not in missing], amount)
        return missing[0].scope if missing else ""

    def _give_back(self, limits: Sequence[Limit], amount: int) -> None:
        if not amount or not limits:
            return
        _, give, lock = _for_each(len(limits))
        values = self._values(limits)
        if is_postgres(self._connection):
            self._run(lock, values)
        self._run(give, values | {"amount": amount})

    def _run(self, statement: str, values: dict[str, Any]) -> Any:
        return self._connection.exec_driver_sql(_spelled(statement, is_postgres(self._connection)), values)

    def _values(self, limits: Sequence[Limit]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for at, limit in enumerate(limits):
            found[f"org_id{at}"], found[f"scope{at}"] = self._of(limit), limit.scope
            found[f"name{at}"], found[f"day{at}"] = limit.name, limit.day
        return found

    def _where(self, limit: Limit) -> Any:
        mine = (llm_budget.c.org_id == self._of(limit)) & (llm_budget.c.scope == limit.scope)
        return mine & (llm_budget.c.name == limit.name) & (llm_budget.c.day == limit.day)

    def _of(self, limit: Limit) -> str:
        return ALL if limit.scope in _SHARED else self._org


def _call(row: Any) -> LlmCall:
    compared = msgspec.json.decode(row.compared, type=dict[str, tuple[Any, Any]])
    own = {name: getattr(row, name) for name in _OWN}
    return LlmCall(id=row.id, at=row.at_ms, record=row.record_id, compared=compared, **own)
