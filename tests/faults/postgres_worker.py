"""A worker process for the kill tests on PostgreSQL: works until SIGTERM, through every loss of the server."""

from __future__ import annotations

import contextlib
import sys
import time
from pathlib import Path

from tests.support.keyed_sink import KeyedSink
from tests.support.raw_sink import RawSink
from triage.errors import StoreLost
from triage.sending import Pace
from triage.store.postgres import PostgresStore
from triage.wiring import open_worker, stop_on_signals


def opened(url: str) -> PostgresStore:
    """Return the store once its server answers."""
    while True:
        with contextlib.suppress(StoreLost):
            return PostgresStore(url, "acme")
        time.sleep(0.1)


def main() -> None:
    """Work on the database and effects file given, in that order."""
    store = opened(sys.argv[1])
    pace = Pace(lease=2_000, fire_batch=100, act_batch=32, threads=4)
    out = Path(sys.argv[2])
    worker = open_worker(store, KeyedSink(out) if out.suffix == ".keys" else RawSink(out), pace=pace)
    with stop_on_signals(worker) as stop:
        print("open", flush=True)
        worker.run(stop)
    worker.close()
    store.close()


main()
