"""Retention and erasure on PostgreSQL while workers take in, fire and carry out: nobody is stopped, all verifies."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest

from tests.support.postgres import Databases, Server
from tests.unit.test_erasing import SECRETS, build, erased
from triage.domain.instant import DAY, HOUR
from triage.domain.work import Event
from triage.engine import PureEngine
from triage.erasing import ERASED, erase
from triage.ports import EffectFilter
from triage.pruning import prune
from triage.publishing import publish
from triage.sinks import StoreSink
from triage.store.postgres import PostgresStore
from triage.testing import SMALL_POLICY
from triage.wiring import SystemClock, open_worker

RECORDS = 60
ROUNDS = 6


def happened(kind: str, number: int, at: int, name: str, **changes: str) -> Event:
    return Event(at=at, type=kind, event_id=f"{name}-{number}", object="Case", id=f"{number:03}", changes=changes)  # type: ignore[arg-type]


def crew(store: PostgresStore) -> tuple[Callable[[], None], Callable[[threading.Event], None]]:
    """Return what takes in *ROUNDS* updates of every record in crossing batches, and what works until told to stop."""
    worker = open_worker(store, StoreSink())
    now = worker.clock.now()
    publish(store, PureEngine(), SMALL_POLICY, now - 900 * DAY, actor="test", virtual=True)
    born = [
        happened("created", n, now - (800 * DAY if n % 2 else HOUR - 1_500), "c", Status="New", Priority="Low")
        for n in range(RECORDS)
    ]
    worker.ingest(born, now, source="log", live_from=0)
    closed = [happened("updated", n, now - 700 * DAY, "x", Status="Closed") for n in range(1, RECORDS, 2)]
    worker.ingest(closed, now, source="log", live_from=0)

    def take_in() -> None:
        other = open_worker(store, StoreSink())
        for turn in range(ROUNDS):
            order = sorted(range(RECORDS), key=lambda n: (n * (turn * 2 + 1)) % RECORDS)
            news = [happened("updated", n, now, f"u{turn}", Description="Zanzibar") for n in order]
            other.ingest(news, now, source="log", live_from=0)
        other.close()

    def work(stop: threading.Event) -> None:
        worker.run(stop)
        worker.close()

    return take_in, work


def pending(store: PostgresStore, now: int) -> bool:
    """Tell whether anything is to be fired soon, or to be sent."""
    with store.read() as unit:
        due = unit.records.next_due()
        return unit.outbox.next_run() is not None or (due is not None and due < now + HOUR // 2)


def test_records_are_erased_and_pruned_beside_workers_and_every_chain_verifies(postgres: Databases) -> None:
    """60 records: half are closed for years and pruned, all are erased, while six updates of each come in."""
    with closing(PostgresStore(postgres.new(), "acme")) as store:
        take_in, work = crew(store)
        keys = [f"Case/{number:03}" for number in range(RECORDS)]
        clock = SystemClock()

        def forget() -> None:
            prune(store, clock.now(), older_than=365 * DAY, actor="ops", erase_audit=True)
            erase(store, PureEngine(), keys, clock.now(), actor="dpo", reason="test")

        stop = threading.Event()
        with ThreadPoolExecutor(4) as pool:
            working = pool.submit(work, stop)
            try:
                for each in [pool.submit(take_in), pool.submit(forget), pool.submit(forget)]:
                    each.result(120)
                while pending(store, clock.now()) and not working.done():
                    clock.wait(20)
            finally:
                stop.set()
            working.result(120)
        forget()
        with store.read() as unit:
            assert unit.audit.verify() == []
            assert {effect.state for effect in unit.outbox.find(EffectFilter())} <= {"done", "cancelled"}
            assert unit.records.count()["total"] == RECORDS
            updates = [event for key in keys for event in unit.intake.events(key) if event.event_id.startswith("u")]
        assert len(updates) == RECORDS * ROUNDS
        assert not any("Zanzibar" in str(event) for event in updates)
        assert store.check() == [fault for fault in store.check() if "fsync" in fault]


def files(url: str) -> bytes:
    """Everything in the files of one database's tables, indexes and catalogues, as the server has them on disk."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        rows = connection.execute(
            "SELECT pg_read_binary_file(pg_relation_filepath(oid)) FROM pg_class "
            "WHERE relkind IN ('r', 't', 'i') AND relfilenode > 0 OR relname = 'pg_statistic'"
        )
        return b"".join(bytes(row[0]) for row in rows)


@pytest.fixture
def own_server() -> Iterator[str]:
    """A database on a server of our own, whose files we may read: a server that was named may not let us."""
    server = Server(durable=False)
    yield Databases(server.url()).new()
    server.stop()


def test_the_files_of_the_server_have_no_trace_of_the_words_after_an_erasure(own_server: str) -> None:
    url = own_server
    with closing(PostgresStore(url, "acme")) as store:
        sandbox = build(store)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ANALYZE")
        before = files(url)
        assert [word for word in SECRETS if word.encode() not in before] == []
        done = erased(sandbox)
        store.compact()
        assert (done.records, done.related, done.refusals) == (("Case/500A1",), ("Account/003ANNA9",), 1)
        after = files(url)
        assert [word for word in SECRETS if word.encode() in after] == []
        assert b"Marigold" in after
        assert sandbox.facts("500A1").item.fields["subject"] == ERASED
