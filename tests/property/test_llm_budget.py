"""Budgets are laws: whatever happens to calls, in however many threads, no more is ever spent than they allow."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.llm import LOCAL, PRICE, case, llm_policy, reply, scorer
from tests.support.postgres import Databases
from triage.domain.instant import DAY
from triage.errors import AnswerRefused, VendorBusy, VendorError, VendorRefused, VendorTimeout
from triage.llm.prices import cost, worst_case
from triage.llm.prompting import Prompt
from triage.llm.vendor import Reply, Usage
from triage.ports import Limit, Store
from triage.rules.llm_policy import Budget
from triage.store.database import SqlStore
from triage.store.memory import MemoryStore
from triage.store.postgres import PostgresStore
from triage.testing import START, ManualClock

DAY_LIMIT = Limit("day", "*", START // DAY, 0)


class Meter:
    """A vendor that bills truthfully and fails at random; a lost answer is billed in full all the same."""

    def __init__(self, seed: int, spent: Callable[[], int], most: int) -> None:
        self._chance = random.Random(seed)
        self._lock = threading.Lock()
        self._spent = spent
        self._most = most
        self.billed = 0
        self.asked = 0
        self.over = 0

    def ask(self, prompt: Prompt, timeout: int) -> Reply:
        """Answer or fail, and bill; look whether the ledger knew of at least as much before."""
        with self._lock:
            draw, share = self._chance.random(), self._chance.random()
            self.asked += 1
            used = Usage(int(share * 2000), int(share * 500), int(share * prompt.most_output))
            paid = 0 if draw < 0.25 else worst_case(prompt, PRICE) if draw < 0.5 else cost(used, PRICE)
            self.billed += paid
            self.over += self.billed > self._most
        if draw < 0.2:
            raise VendorBusy("rate_limited", free=True, after=1)
        if draw < 0.25:
            raise VendorRefused("bad_request", free=True) if draw < 0.201 else VendorError("odd", free=True)
        if draw < 0.35:
            raise VendorTimeout("timeout")
        if draw < 0.45:
            raise AnswerRefused("malformed")
        if draw < 0.5:
            return reply(usage=None)
        return reply(usage=used, urgency={"score": 5000}) if draw < 0.6 else reply(usage=used)

    def close(self) -> None:
        """Hold nothing."""


def storm(store: Store, calls: int, threads: int, budget: Budget, seed: int = 1) -> Meter:
    """Score *calls* records in *threads* at once, and return what the vendor billed."""
    policy = llm_policy(budget=budget, tasks={"urgency": llm_policy().tasks["urgency"]})

    def spent() -> int:
        with store.read() as unit:
            return unit.llm.spent(DAY_LIMIT)

    meter = Meter(seed, spent, budget.per_day)
    clock = ManualClock(START)
    workers = [scorer(policy, store=store, opening=lambda: meter, clock=clock) for _ in range(threads)]
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for n in range(calls // threads):
                # Each thread's own scorer: as many processes on one store; its ids must be its own.
                workers[number]._asker._ids = lambda n=n: f"{number}-{n}-{random.random()}"  # type: ignore[union-attr]
                item = case(f"{number}-{n % 50}", subject=f"{number}/{n}")
                found = workers[number].score([(item, ())], START)[0]
                assert 0.512345 <= found.values["urgency.score"] <= 0.812345  # type: ignore[operator]
        except BaseException as cause:
            errors.append(cause)

    running = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert not errors
    assert LOCAL.values["urgency.score"] == 0.512345
    return meter


def check(store: Store, meter: Meter, budget: Budget) -> None:
    with store.read() as unit:
        booked = unit.llm.spent(DAY_LIMIT)
        calls = unit.llm.calls(limit=100_000)
    assert meter.over == 0
    assert meter.billed <= booked <= budget.per_day
    assert booked == sum(call.cost or 0 for call in calls)
    assert all(call.cost is not None and call.cost <= call.reserved for call in calls)
    assert len(calls) == meter.asked


@pytest.mark.parametrize("seed", [1, 2])
def test_sixteen_threads_and_ten_thousand_records_never_pass_a_budget(seed: int) -> None:
    """The second half is answered by the local model: the money is gone."""
    store = MemoryStore("acme")
    budget = Budget(per_day=1_500_000, per_org=1_500_000, per_record=1_500_000)
    meter = storm(store, 10_000, 16, budget, seed)
    check(store, meter, budget)
    assert meter.asked > 300
    with store.read() as unit:
        left = budget.per_day - unit.llm.spent(DAY_LIMIT)
    assert left < 6_000


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_budget_holds_in_a_database_too(kind: str, tmp_path: Path, postgres: Databases) -> None:
    store: Store = SqlStore(tmp_path / "t.db", "acme") if kind == "sqlite" else PostgresStore(postgres.new(), "acme")
    budget = Budget(per_day=150_000, per_org=150_000, per_record=150_000)
    meter = storm(store, 160, 8, budget)
    check(store, meter, budget)
    store.close()


def test_no_record_costs_more_than_its_own_budget() -> None:
    store = MemoryStore("acme")
    budget = Budget(per_day=10**9, per_org=10**9, per_record=20_000)
    meter = storm(store, 2_000, 4, budget)
    check(store, meter, budget)
    with store.read() as unit:
        costs: dict[str, int] = {}
        for call in unit.llm.calls(limit=100_000):
            costs[call.record] = costs.get(call.record, 0) + (call.cost or 0)
    assert max(costs.values()) <= budget.per_record
    assert meter.asked > 100
