"""A sandbox organisation with a worker of ours at its door; one clock, moved by hand, is everybody's."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from triage.config import load_policy
from triage.intaking import Door
from triage.ports import Effect, EffectFilter, State
from triage.salesforce.client import Client
from triage.salesforce.deployment import Deployment
from triage.salesforce.feed import Feed
from triage.salesforce.package import LOG
from triage.salesforce.presence import Presence
from triage.salesforce.reading import Reader
from triage.salesforce.sandbox import Sandbox
from triage.salesforce.sandbox.values import Caller
from triage.salesforce.settings import read_connection
from triage.salesforce.writer import SalesforceSink
from triage.steering import seen_done
from triage.testing import SMALL_POLICY, START, ManualClock, RecordingSink
from triage.testing import Sandbox as Bench
from triage.worker import Worker

ANN, BOB = "005ANN00", "005BOB00"
SOON = 10.0
"""Seconds of real time that a change event may take before a test gives up."""


class Place:
    """The organisation and, once somebody asks for it, a worker that reads and acts there."""

    def __init__(self, sandbox: Sandbox, clock: ManualClock, texts: Mapping[str, str], events: bool) -> None:
        self.sandbox = sandbox
        self.org = sandbox.org
        self.clock = clock
        self.texts = dict(texts)
        self.waits: list[int] = []
        self.clients: list[Client] = []
        self.client = self.make_client()
        self.post = RecordingSink(live=False, name="post")
        self._events = events
        self._worker: Worker | None = None
        self._feed: Feed | None = None
        for user, name in ((ANN, "Ann"), (BOB, "Bob")):
            self.org.seed("User", Id=user, Name=name, UserType="Standard", Username=f"{name}@sandbox.example")
        for queue in ("Tier2", "seniors"):
            self.org.seed("Group", Id=f"00G{queue.upper()}", Name=queue, DeveloperName=queue, Type="Queue")

    def make_client(self, **settings: str) -> Client:
        """Return a client of its own, with *settings* instead of the usual ones ("": left out)."""
        given = self.sandbox.environment() | {"calls_per_second": "1000", "deployment": "one"}
        given = {name.removeprefix("TRIAGE_SALESFORCE_").casefold(): value for name, value in given.items()}
        found = Client(read_connection(given | settings), self.clock.now, self.waits.append)
        self.clients.append(found)
        return found

    def open(self) -> Place:
        """Begin a worker on a store in memory, its source, and its sink."""
        self.bench = Bench(self.texts)
        self.bench.clock.set(self.clock.now())
        self.sink = SalesforceSink(
            self.client, Deployment(self.client, "one"), self.clock.now, live=False, others=self.post
        )
        self._worker = Worker(self.bench.store, self.sink, self.bench.engine, self.clock, name="w")
        self.again()
        return self

    def again(self) -> None:
        """Begin to read anew, as after a restart: what the store knows goes on."""
        if self._feed is not None:
            self._feed.close()
        reader = Reader(self.client, load_policy(self.texts))
        presence = Presence(self.client)
        self._feed = Feed(
            self.client, reader, Door(self.worker), self.clock, events=self._events, presence=presence, live_from=0,
            seen=self._seen,
        )  # fmt: skip
        self._feed.begin()

    def _seen(self, keys: Collection[str]) -> int:
        return seen_done(self.worker.store, self.worker.engine, self.clock.now(), keys=keys, actor="salesforce")

    @property
    def worker(self) -> Worker:
        """The worker."""
        assert self._worker is not None
        return self._worker

    @property
    def feed(self) -> Feed:
        """The source."""
        assert self._feed is not None
        return self._feed

    def case(self, by: str = ANN, **values: Any) -> str:
        """Return the id of a new case."""
        given = {"Status": "New", "Priority": "Low", "OwnerId": by} | values
        return self.org.create("Case", given, Caller(by))

    def change(self, identity: str, by: str = ANN, table: str = "Case", **values: Any) -> None:
        """Let somebody change a record."""
        self.org.update(table, identity, values, Caller(by))

    def read(self) -> None:
        """Take in all that has changed in the organisation."""
        end = time.monotonic() + SOON
        newest = self.org.log[-1].replay if self.org.log else 0
        while True:
            self.feed.round(0 if not self._events else 20)
            if not self._events or int(self.feed.position.replay or "0", 16) >= newest:
                return
            assert time.monotonic() < end, "the change events did not come"

    def after(self, millis: int, rounds: int = 1) -> None:
        """Move on, read, and do what is due, so many times."""
        for _ in range(rounds):
            self.clock.move(millis)
            self.read()
            self.worker.drain(self.clock.now())
            self.read()

    def effects(self, *states: State, rule: str = "") -> list[Effect]:
        """Return the effects in *states* (none: all)."""
        with self.worker.store.read() as unit:
            return unit.outbox.find(EffectFilter(states=states, rule=rule))

    def facts(self, identity: str, table: str = "Case") -> Any:
        """Return what our store knows of a record."""
        with self.worker.store.read() as unit:
            return unit.records.get([f"{table}/{identity}"])[f"{table}/{identity}"].facts

    def events(self, identity: str, table: str = "Case") -> list[Any]:
        """Return the events of a record as they were taken in."""
        with self.worker.store.read() as unit:
            return unit.intake.events(f"{table}/{identity}")

    def log(self) -> list[dict[str, Any]]:
        """Return the rows of the organisation's log object."""
        return list(self.org.rows[LOG].values())

    def row(self, identity: str, table: str = "Case") -> dict[str, Any]:
        """Return a record as the organisation has it."""
        return self.org.rows[table][identity]

    def close(self) -> None:
        """End everything."""
        if self._feed is not None:
            self._feed.close()
        if self._worker is not None:
            self._worker.close()
        for client in self.clients:
            client.close()


@contextmanager
def place(texts: Mapping[str, str] = SMALL_POLICY, *, events: bool = True) -> Iterator[Place]:
    """Give an organisation of two people and two queues, at 09:00 on a Monday."""
    clock = ManualClock(START)
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Sandbox(Path(folder), clock.now, real_now=lambda: time.time_ns() // 1_000_000, events=events)
        with sandbox:
            found = Place(sandbox, clock, texts, events)
            try:
                yield found
            finally:
                found.close()
