"""The ledger of language models in memory."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from triage.domain.instant import DAY
from triage.ports import Limit, LlmCall, LlmTally
from triage.store.memory_tables import Tables


class MemoryLlmLedger:
    """See `triage.ports.LlmLedger`. A store in memory has one organisation: every budget is its own."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def reserve(self, call: LlmCall, limits: Sequence[Limit]) -> str:
        """Keep *call* and draw on every budget, or keep nothing and return the scope that does not allow it."""
        if call.id in self._tables.llm_calls:
            return ""
        for limit in sorted(limits, key=lambda limit: (limit.scope, limit.name, limit.day)):
            if self.spent(limit) + call.reserved > limit.most:
                return limit.scope
        for limit in limits:
            self._add(limit, call.reserved)
        self._tables.llm_calls[call.id] = (call, tuple(limits))
        return ""

    def settle(self, calls: Sequence[LlmCall]) -> None:
        """Store how reserved calls ended, and give back what they did not cost."""
        for call in calls:
            before, limits = self._tables.llm_calls.get(call.id, (None, ()))
            if before is None or before.cost is not None:
                continue
            cost = before.reserved if call.cost is None else min(call.cost, before.reserved)
            kept = replace(call, cost=cost, reserved=before.reserved, at=before.at, record=before.record)
            self._tables.llm_calls[call.id] = (kept, limits)
            for limit in limits:
                self._add(limit, cost - before.reserved)

    def spent(self, limit: Limit) -> int:
        """Return what is drawn on the budget of *limit*."""
        return self._tables.llm_spent.get((limit.scope, limit.name, limit.day), 0)

    def answers(self, keys: Sequence[str]) -> dict[str, str]:
        """Return the kept answers among *keys*."""
        return {key: self._tables.llm_answers[key][2] for key in keys if key in self._tables.llm_answers}

    def keep(self, key: str, record: str, at: int, answer: str) -> None:
        """Keep a validated answer under *key*; the first one stays."""
        self._tables.llm_answers.setdefault(key, (record, at, answer))

    def calls(self, *, since: int = 0, limit: int = 100) -> list[LlmCall]:
        """Return at most *limit* calls at or after *since*, the latest first."""
        found = (call for call, _ in self._tables.llm_calls.values() if call.at >= since)
        return sorted(found, key=lambda call: (call.at, call.id), reverse=True)[:limit]

    def tally(self, since: int) -> list[LlmTally]:
        """Return the calls at or after *since*, added up by day, model, purpose and outcome."""
        groups: dict[tuple[int, str, str, str], list[LlmCall]] = {}
        for call, _ in self._tables.llm_calls.values():
            if call.at >= since:
                groups.setdefault((call.at // DAY, call.model, call.purpose, call.outcome), []).append(call)
        return [
            LlmTally(
                day=day, model=model, purpose=purpose, outcome=outcome, calls=len(calls),
                cost=sum(call.reserved if call.cost is None else call.cost for call in calls),
                input=sum(call.input for call in calls), cached=sum(call.cached for call in calls),
                output=sum(call.output for call in calls), records=len({call.record for call in calls}),
            )
            for (day, model, purpose, outcome), calls in sorted(groups.items())
        ]  # fmt: skip

    def forget(self, record: str) -> int:
        """Forget the answers kept for *record*; return how many."""
        gone = [key for key, (owner, *_) in self._tables.llm_answers.items() if owner == record]
        for key in gone:
            del self._tables.llm_answers[key]
        return len(gone)

    def prune(self, before: int) -> dict[str, int]:
        """Forget calls and answers older than *before*, and budgets of days that ended by then; return how many."""
        tables = self._tables
        calls = [name for name, (call, _) in tables.llm_calls.items() if call.at < before]
        answers = [key for key, (_, at, _) in tables.llm_answers.items() if at < before]
        budgets = [name for name in tables.llm_spent if 1 <= name[2] < before // DAY]
        for name in calls:
            del tables.llm_calls[name]
        for key in answers:
            del tables.llm_answers[key]
        for spent in budgets:
            del tables.llm_spent[spent]
        return {"model calls": len(calls), "model answers": len(answers), "model budgets": len(budgets)}

    def _add(self, limit: Limit, amount: int) -> None:
        name = (limit.scope, limit.name, limit.day)
        self._tables.llm_spent[name] = self._tables.llm_spent.get(name, 0) + amount
