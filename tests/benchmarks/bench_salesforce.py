"""Salesforce, in the sandbox on this machine: first sync in bulk, change events, and what actions cost in API calls."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from triage.config import load_policy
from triage.domain.instant import HOUR, MINUTE
from triage.engine import PureEngine
from triage.intaking import Door
from triage.publishing import publish
from triage.salesforce.client import Client
from triage.salesforce.deployment import Deployment
from triage.salesforce.feed import Feed
from triage.salesforce.package import LOG
from triage.salesforce.reading import Reader
from triage.salesforce.sandbox import Sandbox
from triage.salesforce.sandbox.values import Caller
from triage.salesforce.settings import read_connection
from triage.salesforce.writer import SalesforceSink
from triage.store.database import SqlStore
from triage.testing import SMALL_POLICY, START, ManualClock
from triage.worker import Worker

Figure = tuple[str, float, str]
ANN = "005ANN00"


class Site:
    """An organisation, and a worker on a file at its door."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(START)
        self.sandbox = Sandbox(folder / "tls", self.clock.now, real_now=lambda: time.time_ns() // 1_000_000).start()
        self.sandbox.org.seed("User", Id=ANN, Name="Ann", UserType="Standard")
        self.sandbox.site.resources.allowed = 10_000_000
        settings = {**self.sandbox.environment(), "CALLS_PER_SECOND": "1000", "DEPLOYMENT": "bench"}
        self.client = Client(read_connection(settings), self.clock.now, lambda millis: time.sleep(millis / 1000))
        self.store = SqlStore(folder / "bench.db", "bench")
        self.sink = SalesforceSink(self.client, Deployment(self.client, "bench"), self.clock.now, live=False)
        self.worker = Worker(self.store, self.sink, PureEngine(), self.clock, name="bench")
        publish(self.store, self.worker.engine, SMALL_POLICY, START, actor="bench", virtual=True)
        reader = Reader(self.client, load_policy(SMALL_POLICY))
        self.feed = Feed(self.client, reader, Door(self.worker), self.clock, live_from=0)

    def read(self) -> None:
        """Take in every change event that there is."""
        newest = self.sandbox.org.log[-1].replay
        while int(self.feed.position.replay or "0", 16) < newest:
            self.feed.round(50)

    def close(self) -> None:
        """End everything."""
        self.feed.close()
        self.worker.close()
        self.store.close()
        self.client.close()
        self.sandbox.stop()


@contextmanager
def site() -> Iterator[Site]:
    """Give an organisation in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        found = Site(Path(folder))
        try:
            yield found
        finally:
            found.close()


def run(rows: int = 100_000, events: int = 10_000, actions: int = 1_000) -> list[Figure]:
    """Return (name, value, unit) of each figure."""
    with site() as here:
        figures = _sync(here, rows)
        figures += _changes(here, events)
        figures += _actions(here, actions)
    return figures


def _sync(here: Site, rows: int) -> list[Figure]:
    for number in range(rows):
        here.sandbox.org.seed("Case", Subject=f"case {number}", Status="Closed", Priority="Low", OwnerId=ANN)
    before, start = here.client.gate.calls, time.perf_counter()
    pages = list(here.client.bulk("SELECT Id, Subject, Status, Priority, OwnerId FROM Case"))
    fetched = time.perf_counter() - start
    start = time.perf_counter()
    here.feed.begin()
    taken = time.perf_counter() - start
    assert sum(map(len, pages)) == rows
    with here.store.read() as unit:
        assert unit.records.count()["total"] == rows
    return [
        (f"bulk query of {rows:,} cases, fetched", rows / fetched * 60, "records/min"),
        (f"first sync of {rows:,} cases, fetched and stored", rows / taken * 60, "records/min"),
        ("first sync, API calls", here.client.gate.calls - before, "calls"),
    ]


def _changes(here: Site, events: int) -> list[Figure]:
    org, by = here.sandbox.org, Caller(ANN)
    cases = [org.create("Case", {"Status": "New", "OwnerId": ANN}, by) for _ in range(events // 10)]
    here.read()
    for number in range(events):
        org.update("Case", cases[number % len(cases)], {"Priority": ("Low", "Medium")[number // len(cases) % 2]}, by)
    before, start = here.client.gate.calls, time.perf_counter()
    here.read()
    taken = time.perf_counter() - start
    return [
        ("change events read and stored", events / taken, "events/s"),
        ("API calls for 1,000 change events", (here.client.gate.calls - before) / events * 1_000, "calls"),
    ]


def _actions(here: Site, actions: int) -> list[Figure]:
    org, by = here.sandbox.org, Caller(ANN)
    here.clock.move(3 * HOUR)
    here.read()
    here.worker.drain(here.clock.now())
    done = len(org.rows[LOG])
    for _ in range(actions):
        org.create("Case", {"Status": "New", "Priority": "Low", "OwnerId": ANN}, by)
    here.read()
    here.clock.move(HOUR + MINUTE)
    before, start = here.client.gate.calls, time.perf_counter()
    here.worker.drain(here.clock.now())
    taken = time.perf_counter() - start
    logged = len(org.rows[LOG]) - done
    assert logged == actions, (logged, actions)
    return [
        ("actions written back, each with its log row", actions / taken, "actions/s"),
        ("API calls for 1,000 actions", (here.client.gate.calls - before) / actions * 1_000, "calls"),
    ]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000)
    given: Any = parser.parse_args()
    for label, value, unit in run(given.rows):
        print(f"{label:60} {value:14,.1f} {unit}")


if __name__ == "__main__":
    main()
