"""A million open timers on one SQLite file: lateness in real time, idle polls, moves, fires, effects, memory."""

from __future__ import annotations

import argparse
import gc
import platform
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from triage.domain.instant import DAY, HOUR, MINUTE
from triage.domain.work import Event
from triage.ports import Record
from triage.publishing import publish
from triage.sinks import JsonlSink, StoreSink
from triage.store.codec import encode_facts
from triage.store.database import SqlStore
from triage.testing import SMALL_POLICY
from triage.wiring import open_worker
from triage.worker import Worker

Figure = tuple[str, float, str]
BULK = 20_000


def run(rows: int = 1_000_000, due: int = 10_000, seconds: int = 60) -> list[Figure]:
    """
    Return (name, value, unit) of each figure.

    *rows* timers are open throughout. *due* of them fall due evenly within *seconds* of real time while the real loop
    runs (not compressed); as many more are overdue at once for the rates of firing and of effects.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.db"
        worker = _worker(path, JsonlSink(Path(folder) / "effects.jsonl", live=False))
        now = worker.clock.now()
        publish(worker.store, worker.engine, SMALL_POLICY, now - DAY, actor="bench", virtual=True)
        start = time.perf_counter()
        _fill(worker, rows, now)
        figures: list[Figure] = [("set-up, bulk", rows / (time.perf_counter() - start), "rows/s")]
        gc.collect()
        figures += _idle(worker)
        figures += _moves(worker, min(rows, 20_000))
        figures += _events(worker, min(rows, 10_000))
        figures += _fires(worker, due)
        figures += _actions(worker)
        figures += _lateness(worker, due, seconds)
        figures.append(("resident memory", _resident(), "MB"))
        worker.close()
        worker.store.close()
        return figures


def _worker(path: Path, sink: JsonlSink | StoreSink) -> Worker:
    return open_worker(SqlStore(path, "bench"), sink)


def _created(identity: str, at: int) -> Event:
    changes = {"Status": "New", "Priority": "Low", "OwnerId": "005A"}
    return Event(at=at, type="created", event_id=f"c{identity}", object="Case", id=identity, changes=changes)


def _fill(worker: Worker, rows: int, now: int) -> None:
    """Insert *rows* records that were decided once and are due from a day ahead on, straight into the tables."""
    created = now + DAY
    worker.ingest([_created("TEMPLATE", created)], now, source="bench", live_from=0)
    with worker.store.read() as unit:
        template = unit.records.get(["Case/TEMPLATE"])["Case/TEMPLATE"]
    text = encode_facts(template.facts)
    assert isinstance(worker.store, SqlStore)
    with worker.store.engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        for first in range(0, rows, BULK):
            records, timers, references = [], [], []
            for number in range(first, min(rows, first + BULK)):
                key, late = f"Case/{number:015d}", created + number * 2_000
                state = text.replace("TEMPLATE", key[5:]).replace(str(created), str(late))
                state = state.replace(str(template.due), str(late + HOUR))
                records.append(("bench", key, state, 1, 1, "005A", '["agent/005A"]'))
                timers.append(("bench", key, late + HOUR, "age-1h"))
                references.append(("bench", "agent/005A", key))
            raw = connection.connection.cursor()
            raw.executemany("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?)", records)
            raw.executemany("INSERT INTO timer VALUES (?, ?, ?, ?)", timers)
            raw.executemany("INSERT INTO reference VALUES (?, ?, ?)", references)
        connection.commit()


def _idle(worker: Worker) -> list[Figure]:
    times = []
    for _ in range(2_000):
        start = time.perf_counter()
        worker._fire_round()
        times.append((time.perf_counter() - start) * 1_000)
    times.sort()
    return [("idle poll p50", statistics.median(times), "ms"), ("idle poll p99", times[int(len(times) * 0.99)], "ms")]


def _batches(worker: Worker, total: int, size: int, skip: int = 0) -> Iterator[list[Record]]:
    keys = [f"Case/{number:015d}" for number in range(skip, skip + total)]
    for first in range(0, total, size):
        with worker.store.read() as unit:
            found = unit.records.get(keys[first : first + size])
        yield list(found.values())


def _moves(worker: Worker, total: int) -> list[Figure]:
    """Store each record again with another due instant, compare-and-set, 1,000 a transaction."""
    spent = 0.0
    for records in _batches(worker, total, 1_000):
        start = time.perf_counter()
        changes = [(one, replace(one, version=one.version + 1, due=(one.due or 0) + 1)) for one in records]
        with worker.store.write() as unit:
            unit.records.save(
                [(one, replace(after, facts=replace(after.facts, next_at=after.due))) for one, after in changes]
            )
        spent += time.perf_counter() - start
    return [("moves, 1,000 a transaction", total / spent, "1/s")]


def _events(worker: Worker, total: int) -> list[Figure]:
    """Whole events: read, folded, decided, audited, stored."""
    now = worker.clock.now()
    events = [
        Event(at=now, type="updated", event_id=f"u{n}", object="Case", id=f"{n:015d}", changes={"Status": "Working"})
        for n in range(total)
    ]
    start = time.perf_counter()
    worker.ingest(events, now, source="bench")
    return [("events taken in", total / (time.perf_counter() - start), "1/s")]


def _make_due(worker: Worker, total: int, skip: int, first_due: int, span: int) -> None:
    """Let *total* records have been created so that they fall due evenly from *first_due* over *span* ms."""
    for number, records in enumerate(_batches(worker, total, 1_000, skip)):
        changes = []
        for place, one in enumerate(records):
            due = first_due + (number * 1_000 + place) * span // total
            item = replace(one.facts.item, created_at=due - HOUR, marks=dict.fromkeys(one.facts.item.marks, due - HOUR))
            facts = replace(one.facts, item=item, next_at=due, last_decided_at=due - HOUR)
            changes.append((one, replace(one, facts=facts, due=due, version=one.version + 1)))
        with worker.store.write() as unit:
            unit.records.save(changes)


def _fires(worker: Worker, total: int) -> list[Figure]:
    now = worker.clock.now()
    _make_due(worker, total, 20_000, now - MINUTE, 1)
    start = time.perf_counter()
    fired = 0
    while done := worker.fire(now).records:
        fired += done
    assert fired == total, (fired, total)
    return [("fires, 500 a transaction", fired / (time.perf_counter() - start), "1/s")]


def _actions(worker: Worker) -> list[Figure]:
    with worker.store.read() as unit:
        waiting = unit.outbox.counts()["ready"]
    start = time.perf_counter()
    done = 0
    while acted := worker.act(worker.clock.now()).done:
        done += acted
    assert done == waiting, (done, waiting)
    return [("effects to a JSONL file", done / (time.perf_counter() - start), "1/s")]


def _lateness(worker: Worker, total: int, seconds: int) -> list[Figure]:
    begin = worker.clock.now() + 3_000
    _make_due(worker, total, 20_000 + total, begin, seconds * 1_000)
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    while worker.lateness.total < total and worker.clock.now() < begin + seconds * 1_000 + 30_000:
        time.sleep(0.2)
    stop.set()
    thread.join()
    report = worker.lateness.report()
    assert report["count"] == total, report
    return [
        (f"lateness of {total} in {seconds} s, {name}", float(report[name]), "ms") for name in ("p50", "p99", "worst")
    ]


def _resident() -> float:
    """Return the resident memory of this process in MB (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def main() -> None:
    """Print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=1_000_000)
    options.add_argument("--due", type=int, default=10_000)
    options.add_argument("--seconds", type=int, default=60)
    given = options.parse_args()
    print(f"{platform.machine()}, Python {platform.python_version()}, {given.rows} open timers")
    for name, value, unit in run(given.rows, given.due, given.seconds):
        print(f"{name:42} {value:12,.2f} {unit}")


if __name__ == "__main__":
    main()
