"""What our layer costs a call beside the vendor: prompt, masking, ledger, checks, bounds. No network."""

from __future__ import annotations

import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from tests.support.llm import LOCAL, Scripted, case, llm_policy, message, reply
from triage.llm.scorer import LlmScorer
from triage.ports import Store
from triage.rules.llm_policy import Budget
from triage.store.database import SqlStore
from triage.store.memory import MemoryStore
from triage.testing import START, FixedScorer
from triage.wiring import SystemClock

CALLS = 300
TEXT = (
    "Since this morning nobody in our office can log in, error 7. Call +49 30 901820 or write to a@example.com. " * 12
)


def measure(store: Store) -> tuple[float, float]:
    """Return CPU and wall ms of one call: the median over `CALLS` records of about 1,300 characters."""
    budget = Budget(per_day=10**12, per_org=10**12, per_record=10**12)
    vendor = Scripted(reply())
    scorer = LlmScorer(
        FixedScorer(LOCAL), llm_policy(budget=budget), store, SystemClock(), secrets=lambda _: "k",
        ids=lambda: uuid.uuid4().hex, opening=lambda: vendor,
    )  # fmt: skip
    cpu, wall = [], []
    for number in range(CALLS):
        item = case(str(number), subject=f"s{number}", description=TEXT, customer="Jane Doe")
        past = [message("Still broken, Jane Doe", str(number))]
        begun, used = time.perf_counter(), time.process_time()
        scorer.score([(item, past)], START)
        cpu.append(time.process_time() - used)
        wall.append(time.perf_counter() - begun)
    scorer.close()
    assert len(vendor.prompts) == CALLS
    return statistics.median(cpu) * 1000, statistics.median(wall) * 1000


def run() -> Iterator[tuple[str, float, str]]:
    """Yield a line a figure; the ledger on disk waits for two commits a call, which is the disk's time."""
    with tempfile.TemporaryDirectory() as folder:
        stores: dict[str, Store] = {"memory": MemoryStore("b"), "sqlite": SqlStore(Path(folder) / "b.db", "b")}
        for name, store in stores.items():
            cpu, wall = measure(store)
            store.close()
            yield f"our layer, one call, ledger in {name}: CPU (target under 2)", cpu, "ms"
            yield f"our layer, one call, ledger in {name}: in all", wall, "ms"
