"""Several workers that give work to the same agents at once: nobody is ever given more than there is room for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.support.postgres import Databases
from triage.domain.instant import HOUR
from triage.domain.work import Event
from triage.engine import PureEngine
from triage.ports import EffectFilter
from triage.publishing import publish
from triage.sinks import StoreSink
from triage.store.postgres import PostgresStore
from triage.testing import SMALL_POLICY
from triage.wiring import open_worker

STUCK = 120
"""Seconds without anything done after which the workers hang, however slow the machine is."""

SCRIPT = Path(__file__).with_name("postgres_worker.py")
ROOT = Path(__file__).resolve().parents[2]
RULES = """
object: Case
match: all_matches
rules:
  - id: age-1h
    when:
      - age >= 1h
    do:
      - reassign: {to: {pool: seniors}, match: MATCH, require: [present]}
"""


def prepare(url: str, records: int, agents: int, capacity: int, match: str) -> None:
    """Take in *agents* who are there, with so much room each, and *records* cases due an hour ago, nobody's yet."""
    store = PostgresStore(url, "acme")
    worker = open_worker(store, StoreSink())
    now = worker.clock.now()
    policy = SMALL_POLICY | {"rules.yaml": RULES.replace("MATCH", match)}
    publish(store, PureEngine(), policy, now - 3 * HOUR, actor="test", virtual=True)
    people = [
        Event(
            at=now - 2 * HOUR, type="agent", event_id=f"a{n}", object="", id=f"005{n:03}",
            changes={"presence": "online", "capacity": capacity, "pools": ["seniors"]},
        )
        for n in range(agents)
    ]  # fmt: skip
    changes = {"Status": "New", "Priority": "Low"}
    cases = [
        Event(at=now - HOUR + 1, type="created", event_id=f"e{n}", object="Case", id=f"{n:05}", changes=changes)
        for n in range(records)
    ]
    assert worker.ingest([*people, *cases], now, source="log", live_from=0).accepted == agents + records
    worker.close()
    store.close()


def loads(store: PostgresStore) -> dict[str, int]:
    with store.read() as unit:
        return {agent.id: agent.load for agent in unit.related.agents()}


def work(url: str, out: Path, workers: int, records: int, capacity: int) -> None:
    """Let *workers* processes decide all, looking at the loads all the while."""
    environment = {**os.environ, "PYTHONWARNINGS": "error", "PYTHONPATH": str(ROOT)}
    arguments = [sys.executable, str(SCRIPT), url, str(out)]
    crew = [subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE) for _ in range(workers)]
    store = PostgresStore(url, "acme")
    until, before = time.monotonic() + STUCK, dict[str, int]()
    try:
        while True:
            assert max(loads(store).values()) <= capacity
            with store.read() as unit:
                counts = unit.outbox.counts()
            if counts.get("done", 0) + counts.get("held", 0) == records:
                break
            if counts != before:
                until, before = time.monotonic() + STUCK, counts
            assert time.monotonic() < until, counts
            time.sleep(0.05)
    finally:
        store.close()
        for process in crew:
            assert process.stdout is not None
            process.stdout.readline()
            process.stdout.close()
            process.send_signal(signal.SIGTERM)
        ended = [process.wait(60) for process in crew]
    assert ended == [0] * workers


def check(url: str, records: int, agents: int, capacity: int) -> None:
    """As much was given out as there is room for, to each no more than that; the rest waits for somebody."""
    store = PostgresStore(url, "acme")
    with store.read() as unit:
        given = Counter(one.action.target for one in unit.outbox.find(EffectFilter(states=("done",))))
        held = unit.outbox.find(EffectFilter(states=("held",)))
        owned = Counter(f"user:{one.owner}" for one in unit.records.get(unit.records.keys(
            after="", limit=records, only_open=True)).values() if one.owner)  # fmt: skip
        assert unit.audit.verify() == []
    assert given == owned
    assert max(given.values()) <= capacity
    assert given.total() == min(records, agents * capacity)
    assert len(held) == records - given.total()
    assert {f"user:{name}": load for name, load in loads(store).items() if load} == dict(given)
    store.close()


def test_two_workers_never_give_anybody_more_than_there_is_room_for(postgres: Databases, tmp_path: Path) -> None:
    """800 assignments to 20 agents with room for 36 each: 80 wait."""
    url = postgres.new()
    prepare(url, 800, agents=20, capacity=36, match="round_robin")
    work(url, tmp_path / "out", 2, 800, 36)
    check(url, 800, 20, 36)


@pytest.mark.laws
@pytest.mark.parametrize(("workers", "match"), [(2, "least_loaded"), (4, "optimal"), (2, "longest_idle")])
def test_workers_never_exceed_a_capacity_in_10000_assignments(
    postgres: Databases, tmp_path: Path, workers: int, match: str
) -> None:
    """10,000 assignments to 50 agents with room for 190 each: 500 wait."""
    url = postgres.new()
    prepare(url, 10_000, agents=50, capacity=190, match=match)
    work(url, tmp_path / "out", workers, 10_000, 190)
    check(url, 10_000, 50, 190)
