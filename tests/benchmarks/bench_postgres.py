"""A million open timers on PostgreSQL: lateness, fires and actions with 1, 2, 4 workers, beside SQLite and PGQueuer."""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import threading
import time
from datetime import timedelta
from pathlib import Path

import psycopg
from pgqueuer import PsycopgDriver, Queries

from tests.benchmarks import bench_timers
from tests.support.bulk import fill
from tests.support.postgres import Databases, Server
from tests.support.raw_sink import calls
from triage.domain.instant import DAY, HOUR, MINUTE
from triage.publishing import publish
from triage.sinks import StoreSink
from triage.store.database import SqlStore
from triage.store.postgres import PostgresStore
from triage.testing import SMALL_POLICY
from triage.wiring import open_worker
from triage.worker import Worker

Figure = tuple[str, float, str]
ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).resolve().parent


def run(rows: int = 1_000_000, due: int = 10_000, seconds: int = 60, actions: int = 10_000) -> list[Figure]:
    """
    Return (name, value, unit) of each figure.

    *rows* timers are open throughout, in our tables and in PGQueuer's. *due* fall due evenly within *seconds* of real
    time; *actions* are fired and carried out for each number of workers. The server writes to disk as in production.
    """
    server = Server(shared_buffers="1GB")
    try:
        with tempfile.TemporaryDirectory() as folder:
            databases = Databases(server.url())
            figures = _postgres(databases.new(), Path(folder), rows, due, seconds, actions)
            figures += _pgqueuer(databases.empty(), Path(folder), rows, actions)
            figures += _sqlite(Path(folder), rows, actions)
            return figures
    finally:
        server.stop()


def _postgres(url: str, folder: Path, rows: int, due: int, seconds: int, actions: int) -> list[Figure]:
    store = PostgresStore(url, "bench")
    worker = open_worker(store, StoreSink())
    now = worker.clock.now()
    publish(store, worker.engine, SMALL_POLICY, now - DAY, actor="bench", virtual=True)
    start = time.perf_counter()
    fill(url, worker, rows, lambda number: now + DAY + HOUR + number * 2_000)
    figures: list[Figure] = [("PostgreSQL, set-up in bulk", rows / (time.perf_counter() - start), "rows/s")]
    figures += [(f"PostgreSQL, {name}", value, unit) for name, value, unit in bench_timers._idle(worker)]
    figures += [
        (f"PostgreSQL, {name}", value, unit) for name, value, unit in bench_timers._moves(worker, min(rows, 20_000))
    ]
    figures += _lateness(url, worker, due, seconds)
    worker.drain(worker.clock.now())
    for workers in (1, 2, 4):
        past = worker.clock.now() - MINUTE
        fill(url, worker, actions, lambda _, past=past: past, f"w{workers}-")  # type: ignore[misc]
        for what in ("fire", "act"):
            out = folder / f"pg-{workers}"
            took = _crew([str(FOLDER / "store_worker.py"), what, url, str(out)], workers)
            label = "fires" if what == "fire" else "durable actions"
            figures.append((f"PostgreSQL, {label}, {workers} workers", actions / took, "1/s"))
        assert len(calls(out)) == calls(out).total() == actions, (len(calls(out)), calls(out).total())
    worker.close()
    store.close()
    return figures


def _lateness(url: str, worker: Worker, total: int, seconds: int) -> list[Figure]:
    begin = worker.clock.now() + 10_000
    fill(url, worker, total, lambda number: begin + number * seconds * 1_000 // total, "late-")
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    until = begin + seconds * 1_000 + 30_000
    while worker.lateness.total < total and worker.clock.now() < until:
        time.sleep(0.2)
    stop.set()
    thread.join()
    report = worker.lateness.report()
    assert report["count"] == total, report
    return [
        (f"PostgreSQL, lateness of {total} in {seconds} s, {name}", float(report[name]), "ms")
        for name in ("p50", "p99", "worst")
    ]


def _sqlite(folder: Path, rows: int, actions: int) -> list[Figure]:
    """The same on one file, which one worker has to itself."""
    url = f"sqlite:///{folder / 'bench.db'}"
    worker = open_worker(SqlStore(folder / "bench.db", "bench"), StoreSink())
    now = worker.clock.now()
    publish(worker.store, worker.engine, SMALL_POLICY, now - DAY, actor="bench", virtual=True)
    bench_timers._fill(worker, rows, now)
    bench_timers._make_due(worker, actions, 0, now - MINUTE, 1)
    worker.close()
    worker.store.close()
    figures = []
    for what, label in (("fire", "fires"), ("act", "durable actions")):
        took = _crew([str(FOLDER / "store_worker.py"), what, url, str(folder / "sqlite")], 1)
        figures.append((f"SQLite, {label}, its one worker", actions / took, "1/s"))
    assert calls(folder / "sqlite").total() == actions
    return figures


def _pgqueuer(url: str, folder: Path, rows: int, actions: int) -> list[Figure]:
    asyncio.run(_pgqueuer_rows(url, rows))
    figures: list[Figure] = []
    for workers in (1, 2, 4):
        start = time.perf_counter()
        asyncio.run(_enqueue(url, actions, workers))
        figures.append((f"PGQueuer, enqueue before {workers} workers", actions / (time.perf_counter() - start), "1/s"))
        out = folder / f"pgq-{workers}"
        took = _crew([str(FOLDER / "pgqueuer_worker.py"), url, str(out), str(actions)], workers)
        assert len(calls(out)) == actions, len(calls(out))
        figures.append((f"PGQueuer, durable actions, {workers} workers", actions / took, "1/s"))
    return figures


async def _pgqueuer_rows(url: str, rows: int) -> None:
    """Install it, and let as many jobs wait for tomorrow as we have timers."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        queries = Queries(PsycopgDriver(connection))
        await queries.install()
        for first in range(0, rows, 10_000):
            some = min(10_000, rows - first)
            await queries.enqueue(["act"] * some, [b"later"] * some, [0] * some, [timedelta(days=1)] * some)
        await connection.execute("ANALYZE")


async def _enqueue(url: str, actions: int, workers: int) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        queries = Queries(PsycopgDriver(connection))
        for first in range(0, actions, 500):
            keys = [f"w{workers}-{number}".encode() for number in range(first, min(first + 500, actions))]
            await queries.enqueue(["act"] * len(keys), keys, [0] * len(keys))


def _crew(arguments: list[str], workers: int) -> float:
    """Start *workers* processes, let them go at once, and return how many s the last one took."""
    crew = [
        subprocess.Popen(
            [sys.executable, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT,
            env={"PYTHONPATH": str(ROOT)},
        )
        for _ in range(workers)
    ]  # fmt: skip
    for one in crew:
        assert one.stdout is not None
        assert one.stdout.readline() == b"ready\n"
    start = time.perf_counter()
    for one in crew:
        assert one.stdin is not None
        one.stdin.write(b"go\n")
        one.stdin.flush()
    ended = [one.wait() for one in crew]
    assert ended == [0] * workers, ended
    return time.perf_counter() - start


def main() -> None:
    """Print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--due", type=int, default=10_000)
    options.add_argument("--seconds", type=int, default=60)
    options.add_argument("--actions", type=int, default=10_000)
    given = options.parse_args()
    for name, value, unit in run(given.rows, given.due, given.seconds, given.actions):
        print(f"{name:68} {value:12,.2f} {unit}")


if __name__ == "__main__":
    main()
