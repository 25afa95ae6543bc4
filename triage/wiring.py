"""The one place that joins seams to real things, and the only one that reads the clock."""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from triage.config import read_file, read_secret
from triage.delivery import Pace
from triage.engine import PureEngine
from triage.errors import ConfigError, StoreError
from triage.ports import Sink, Store
from triage.sinks import JsonlSink, StoreSink
from triage.sinks.opening import open_sinks
from triage.sinks.settings import read_sinks
from triage.store.database import SqlStore
from triage.worker import Worker

SQLITE = "sqlite:///"
SINKS_FILE = (".yaml", ".yml")


class SystemClock:
    """The machine's clock, in ms UTC."""

    def __init__(self) -> None:
        self._woken = threading.Condition()

    def now(self) -> int:
        """Return the instant now."""
        return time.time_ns() // 1_000_000

    def wait(self, millis: int) -> None:
        """Come back after *millis* ms, or sooner where `wake` was called."""
        with self._woken:
            self._woken.wait(millis / 1000)

    def wake(self) -> None:
        """End every wait."""
        with self._woken:
            self._woken.notify_all()


def open_store(url: str, org: str, *, must_exist: bool = False) -> Store:
    """
    Return the store at *url*: `sqlite:///path`, or a plain path. It is made where it is missing.

    Raises:
        ConfigError: *url* names another kind of database.
        StoreError: *must_exist*, and there is none; nothing is made then.
    """
    if "://" in url and not url.startswith(SQLITE):
        raise ConfigError(f"{url.split('://')[0]} is no database this version knows: write sqlite:///path/to/triage.db")
    path = Path(url.removeprefix(SQLITE))
    if must_exist and not path.exists():
        raise StoreError(f"no store at {path}: `triage policy publish` makes one, --db or TRIAGE_DATABASE_URL names it")
    return SqlStore(path, org)


def open_sink(spec: str) -> Sink:
    """
    Return the sink that *spec* names: `store` (nothing leaves), `jsonl:PATH`, or a sinks file `*.yaml`.

    Raises:
        ConfigError: it is none of these, or the file has faults, or a secret is missing.
    """
    if spec.endswith(SINKS_FILE):
        return open_sinks(read_sinks(spec, read_file(spec)), read_secret, SystemClock().now, spec)
    kind, _, path = spec.partition(":")
    if kind == "store":
        return StoreSink()
    if kind == "jsonl" and path:
        return JsonlSink(Path(path))
    raise ConfigError(f"{spec!r} is no sink: write store or jsonl:PATH, or name a sinks file *.yaml")


def open_worker(store: Store, sink: Sink, *, pace: Pace | None = None) -> Worker:
    """Return a worker on *store* that sends to *sink*, by the machine's clock. Its name is new each time."""
    name = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
    return Worker(store, sink, PureEngine(), SystemClock(), name=name, pace=pace)


@contextmanager
def stop_on_signals(worker: Worker) -> Iterator[threading.Event]:
    """Yield an event that SIGINT and SIGTERM set, for `Worker.run`: what has been begun is finished first."""
    stop = threading.Event()

    def ask(_signal: int, _frame: object) -> None:
        stop.set()
        worker.clock.wake()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
