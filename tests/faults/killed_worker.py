"""A worker process for the kill tests: takes a log in, then fires and carries out until nothing is left; exits 0."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from triage.intake.event import parse_event
from triage.sending import Pace
from triage.sinks import JsonlSink
from triage.store.database import SqlStore
from triage.wiring import open_worker
from triage.worker import Worker


def main() -> None:
    """Work on the store, log and effects file given, in that order."""
    database, log, effects = (Path(name) for name in sys.argv[1:4])
    pace = Pace(lease=1_000, ingest_batch=100, fire_batch=50, act_batch=32, threads=4, poll=5)
    worker = open_worker(SqlStore(database, "acme"), JsonlSink(effects, live=False), pace=pace)
    print("open", flush=True)
    with log.open("rb") as lines:
        worker.ingest_lines(lines, parse_event, worker.clock.now(), source="log", live_from=0)
    stop = threading.Event()
    threading.Thread(target=_stop_when_idle, args=(worker, stop), daemon=True).start()
    worker.run(stop)
    worker.close()


def _stop_when_idle(worker: Worker, stop: threading.Event) -> None:
    while not stop.wait(0.05):
        due = worker.next_due()
        if due is None or due > worker.clock.now() + 60_000:
            stop.set()


main()
