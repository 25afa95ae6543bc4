"""An old backup restored under running workers on PostgreSQL is late and never double."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.test_kill_postgres import ROOT, SCRIPT, done_by_now, wait_for
from tests.support.keyed_sink import done
from tests.support.postgres import Databases, Server
from tests.support.raw_sink import calls
from triage.domain.instant import HOUR
from triage.domain.work import Event
from triage.engine import PureEngine
from triage.publishing import publish
from triage.sinks import StoreSink
from triage.store.postgres import PostgresStore
from triage.store.server_restoring import restore_postgres
from triage.testing import SMALL_POLICY
from triage.wiring import open_worker

WORKERS = 3


def hand_in(url: str, first: int, last: int, born: int) -> None:
    """Take in cases that were due long ago, as from one log: what the store knows is repeated."""
    store = PostgresStore(url, "acme")
    worker = open_worker(store, StoreSink())
    changes = {"Status": "New", "Priority": "Low", "OwnerId": "005A"}
    cases = [
        Event(at=born, type="created", event_id=f"e{n}", object="Case", id=f"{n:05}", changes=changes)
        for n in range(first, last)
    ]
    found = worker.ingest(cases, worker.clock.now(), source="log", live_from=0)
    assert found.accepted + found.repeated == last - first
    worker.close()
    store.close()


@pytest.fixture
def crew(tmp_path: Path, postgres: Databases) -> Iterator[tuple[str, Path]]:
    """A database and a receiver that knows keys, with three worker processes between them from start to end."""
    yield from working(postgres.new(), tmp_path / "out.keys")


def working(url: str, out: Path) -> Iterator[tuple[str, Path]]:
    store = PostgresStore(url, "acme")
    now = open_worker(store, StoreSink()).clock.now()
    publish(store, PureEngine(), SMALL_POLICY, now - 4 * HOUR, actor="test", virtual=True)
    store.close()
    environment = {**os.environ, "PYTHONWARNINGS": "error", "PYTHONPATH": str(ROOT)}
    arguments = [sys.executable, str(SCRIPT), url, str(out)]
    processes = [subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE) for _ in range(WORKERS)]
    try:
        yield url, out
    finally:
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
            process.stdout.close()
            process.send_signal(signal.SIGTERM)
        ended = [process.wait(60) for process in processes]
    assert ended == [0] * WORKERS


def restored_under_way(url: str, out: Path, total: int) -> tuple[int, int]:
    """
    Hand in a third, back up, hand in the rest, and restore while it is being done; then hand all in again.

    Returns how many actions had been done when the backup came back, and how many the receiver had done before.
    """
    store = PostgresStore(url, "acme")
    born = open_worker(store, StoreSink()).clock.now() - 3 * HOUR
    backup = out.with_name("hour-old")
    hand_in(url, 0, total // 3, born)
    wait_for(lambda: done(out) >= total // 6)
    store.backup(backup)
    hand_in(url, total // 3, total, born)
    wait_for(lambda: done(out) >= total * 2 // 3)
    restore_postgres(url, backup, lambda unit: None, org="acme", replace=True)
    before = done(out)
    hand_in(url, 0, total, born)
    wait_for(lambda: done_by_now(url) == total)
    with store.read() as unit:
        assert unit.outbox.counts() == {"done": total}
        assert unit.records.count()["total"] == total
        assert unit.audit.verify() == []
        already = sum(bool(line.entry.body.get("already")) for line in unit.audit.lines(event="done"))
    store.close()
    assert done(out) == total
    return before, already


def check(url: str, out: Path, total: int) -> None:
    before, already = restored_under_way(url, out, total)
    received = calls(out.with_suffix(".raw"))
    assert len(received) == total
    # A call comes twice only where it had been made before the restore, and then its answer was `already`.
    repeated = received.total() - len(received)
    assert max(received.values()) <= 2
    assert total * 2 // 3 - total // 3 - 32 * WORKERS <= already <= repeated <= before
    print(f"\n{total} actions, {before} done before the restore: {repeated} sent again, none done twice")


def test_a_backup_restored_under_running_workers_is_late_and_never_double(crew: tuple[str, Path]) -> None:
    """900 actions, three workers."""
    check(*crew, 900)


@pytest.mark.laws
def test_a_backup_restored_under_running_workers_in_10000_actions(tmp_path: Path) -> None:
    """10,000 actions, three workers, on a server that writes to disk as in production."""
    server = Server()
    try:
        for url, out in working(Databases(server.url()).new(), tmp_path / "out.keys"):
            check(url, out, 10_000)
    finally:
        server.stop()
