"""Workers and PostgreSQL itself killed with SIGKILL, again and again: nothing lost, nothing stuck, keys once each."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.support.postgres import Databases, Server
from tests.support.raw_sink import RawSink, calls
from triage.domain.instant import HOUR, MINUTE
from triage.domain.work import Event
from triage.engine import PureEngine
from triage.errors import StoreError
from triage.ports import EffectFilter
from triage.publishing import publish
from triage.sinks import StoreSink
from triage.steering import stop as steering_stop
from triage.store.postgres import PostgresStore
from triage.testing import SMALL_POLICY
from triage.wiring import open_worker
from triage.worker import Worker

SCRIPT = Path(__file__).with_name("postgres_worker.py")
ROOT = Path(__file__).resolve().parents[2]
WORKERS = 4


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that may be killed."""
    server = Server()
    yield server
    server.stop()


def prepare(url: str, records: int) -> None:
    """Take in *records* cases that were all due an hour ago."""
    store = PostgresStore(url, "acme")
    worker = open_worker(store, StoreSink())
    now = worker.clock.now()
    publish(store, PureEngine(), SMALL_POLICY, now - 3 * HOUR, actor="test", virtual=True)
    changes = {"Status": "New", "Priority": "Low", "OwnerId": "005A"}
    cases = (
        Event(at=now - HOUR + 1, type="created", event_id=f"e{n}", object="Case", id=f"{n:05}", changes=changes)
        for n in range(records)
    )
    assert worker.ingest(cases, now, source="log", live_from=0).accepted == records
    worker.close()
    store.close()


class Crew:
    """Four workers; those that are killed are started again."""

    def __init__(self, url: str, out: Path) -> None:
        self._arguments = [sys.executable, str(SCRIPT), url, str(out)]
        self._environment = {**os.environ, "PYTHONWARNINGS": "error", "PYTHONPATH": str(ROOT)}
        self._processes = [self._start() for _ in range(WORKERS)]

    def kill(self, chance: random.Random) -> None:
        """Kill one of them, whatever it is doing, and start another."""
        process = self._processes.pop(chance.randrange(WORKERS))
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
        self._processes.append(self._start())

    def stop(self) -> list[int]:
        """Stop all in peace, once they have begun, and return how they ended."""
        for process in self._processes:
            assert process.stdout is not None
            process.stdout.readline()
            process.stdout.close()
            process.send_signal(signal.SIGTERM)
        return [process.wait(60) for process in self._processes]

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._arguments, env=self._environment, stdout=subprocess.PIPE)


def worked_through(server: Server, url: str, out: Path, records: int, kills: int, crashes: int, seed: int) -> None:
    """Let four workers do it all, with *kills* of one of them and *crashes* of the server at seeded points."""
    chance = random.Random(seed)
    points = sorted(
        [(chance.randrange(1, records), "worker") for _ in range(kills)]
        + [(chance.randrange(1, records), "server") for _ in range(crashes)]
    )
    crew = Crew(url, out)
    try:
        for point, victim in points:
            wait_for(lambda point=point: len(calls(out)) >= point)  # type: ignore[misc]
            time.sleep(chance.uniform(0, 0.05))
            if victim == "worker":
                crew.kill(chance)
            else:
                server.kill()
                time.sleep(chance.uniform(0, 0.5))
                server.start()
        wait_for(lambda: done_by_now(url) == records)
    finally:
        ended = crew.stop()
    assert ended == [0] * WORKERS


def wait_for(reached: object, seconds: float = 240.0) -> None:
    until = time.monotonic() + seconds
    while not reached():  # type: ignore[operator]
        assert time.monotonic() < until, "stuck"
        time.sleep(0.05)


def done_by_now(url: str) -> int:
    try:
        store = PostgresStore(url, "acme")
    except StoreError:
        return -1
    with closing(store), store.read() as unit:
        return unit.outbox.counts().get("done", 0)


def check(url: str, out: Path, records: int) -> int:
    """Check every law, and return how many calls were repeated."""
    store = PostgresStore(url, "acme")
    with store.read() as unit:
        effects = unit.outbox.find(EffectFilter())
        assert unit.records.count()["total"] == records
        assert unit.outbox.counts() == {"done": records}
        assert unit.outbox.next_run() is None
        done = Counter(line.entry.key for line in unit.audit.lines(event="done"))
        assert done == Counter(effect.action.key for effect in effects)
        assert unit.audit.verify() == []
        stored = unit.records.get([effect.record for effect in effects])
        assert {one.facts.item.fields["priority"] for one in stored.values()} == {"Medium"}
    store.close()
    received = calls(out)
    assert set(received) == set(done)
    return received.total() - len(received)


def run(server: Server, out: Path, records: int, kills: int, crashes: int, seed: int) -> None:
    url = Databases(server.url()).new()
    prepare(url, records)
    start = time.monotonic()
    worked_through(server, url, out, records, kills, crashes, seed)
    seconds = time.monotonic() - start
    repeated = check(url, out, records)
    print(f"\n{records} actions, {kills} workers and {crashes} servers killed, {seconds:.0f} s: {repeated} repeated")
    # Each death may leave unanswered what its worker, or all of them, had sent by then.
    assert repeated <= 32 * (kills + WORKERS * crashes)


def test_nothing_is_lost_or_stuck_when_workers_and_the_server_are_killed(server: Server, tmp_path: Path) -> None:
    """1,500 actions, 4 workers, 6 kills of one, 2 of PostgreSQL."""
    run(server, tmp_path / "out", 1_500, kills=6, crashes=2, seed=1)


@pytest.mark.laws
def test_nothing_is_lost_or_stuck_in_20000_actions(server: Server, tmp_path: Path) -> None:
    """20,000 actions, 4 workers, 16 kills of one, 6 of PostgreSQL."""
    run(server, tmp_path / "out", 20_000, kills=16, crashes=6, seed=2)


@contextmanager
def running(worker: Worker) -> Iterator[None]:
    """Let *worker* run in a thread meanwhile; it is stopped and closed however that ends."""
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        worker.clock.wake()
        thread.join(60)
        worker.close()


def test_a_worker_is_red_while_the_server_is_gone_and_well_again_after(server: Server, tmp_path: Path) -> None:
    """Nothing is due all the while: health must not need work to recover."""
    url = Databases(server.url()).new()
    prepare(url, 1)
    with closing(PostgresStore(url, "acme")) as store:
        worker = open_worker(store, RawSink(tmp_path / "out"))
        with running(worker):
            wait_for(lambda: len(calls(tmp_path / "out")) == 1)
            server.kill()
            wait_for(lambda: not worker.health.ok)
            assert "cannot be reached" in worker.health.fault
            server.start()
            wait_for(lambda: worker.health.ok)


def followed(url: str, out: Path, what: str, within: float) -> None:
    """Let a worker that is asleep meet a new rule, which fires *within* s of its crossing, or a halt, which holds."""
    prepare(url, 1)
    with (
        closing(PostgresStore(url, "acme")) as store,
        closing(PostgresStore(url, "acme")) as steering,
        running(open_worker(store, RawSink(out))),
        closing(open_worker(steering, StoreSink())) as other,
    ):
        wait_for(lambda: len(calls(out)) == 1)
        now = other.clock.now()
        if what == "stop":
            steering_stop(steering, now, actor="test")
        new_rule = SMALL_POLICY | {"rules.yaml": SMALL_POLICY["rules.yaml"].replace("age >= 1h", "age >= 59m")}
        publish(steering, PureEngine(), new_rule, now, actor="test", virtual=True)
        changes = {"Status": "New", "Priority": "Low", "OwnerId": "005A"}
        # Old enough for the new rule a second from now, and for the old one much later.
        at = now - 59 * MINUTE + 1_000
        late = Event(at=at, type="created", event_id="x", object="Case", id="x", changes=changes)
        other.ingest([late], now, source="log", live_from=0)
        if what == "publication":
            wait_for(lambda: len(calls(out)) == 2, 1 + within)
        else:
            time.sleep(2)
            assert len(calls(out)) == 1


@pytest.mark.parametrize("what", ["publication", "stop"])
def test_a_running_worker_follows(postgres: Databases, tmp_path: Path, what: str) -> None:
    """A new rule fires, or a halt holds, at a worker that was asleep."""
    followed(postgres.new(), tmp_path / "out", what, 45)


@pytest.mark.laws
def test_a_running_worker_follows_within_a_second(postgres: Databases, tmp_path: Path) -> None:
    """The same, held to its time."""
    followed(postgres.new(), tmp_path / "out", "publication", 1)
