"""Several organisations in one process: each served, a failing one begun again, all stopped together."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from triage.domain.instant import HOUR
from triage.domain.work import Event
from triage.engine import PureEngine
from triage.errors import StoreLost
from triage.fleet import Fleet
from triage.logs import JsonJournal, NamedJournal
from triage.metrics import TriageCollector
from triage.publishing import publish
from triage.store.memory import MemoryStore
from triage.testing import SMALL_POLICY, RecordingSink
from triage.wiring import open_worker
from triage.worker import Worker


def served(org: str, sink: RecordingSink) -> Worker:
    """Return a worker whose organisation has a policy and one case that is due."""
    worker = open_worker(MemoryStore(org), sink)
    now = worker.clock.now()
    publish(worker.store, PureEngine(), SMALL_POLICY, now - 3 * HOUR, actor="test", virtual=True)
    created = Event(at=now - HOUR, type="created", event_id="e", object="Case", id="1", changes={"Priority": "Low"})
    worker.ingest([created], now, source="log", live_from=0)
    return worker


def telling_its_end(org: str, said: list[str], broken: str = "") -> Worker:
    """Return a worker that says in *said* when it is closed, and then raises where it is that of *broken*."""
    worker = served(org, RecordingSink(live=False))
    close = worker.close

    def closed() -> None:
        said.append(f"close {org}")
        close()
        if org == broken:
            raise ZeroDivisionError

    worker.close = closed  # type: ignore[method-assign]
    return worker


def run(fleet: Fleet, until: Callable[[], bool]) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=fleet.run, args=(stop,))
    thread.start()
    end = time.monotonic() + 60
    while not until() and time.monotonic() < end:
        time.sleep(0.01)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    fleet.close()


def test_every_organisation_is_served() -> None:
    sinks = {org: RecordingSink(live=False) for org in ("a", "b")}
    fleet = Fleet(lambda: list(sinks), lambda org: served(org, sinks[org]))
    run(fleet, lambda: all(sink.done for sink in sinks.values()))
    assert [len(sink.done) for sink in sinks.values()] == [1, 1]
    assert fleet.health.ok


def test_the_others_go_on_when_one_organisation_fails() -> None:
    sinks = {org: RecordingSink(live=False) for org in ("bad", "good")}
    workers = {org: served(org, sinks[org]) for org in sinks}
    workers["bad"].store.hold = lambda: 1 // 0  # type: ignore[method-assign, assignment, return-value]
    fleet = Fleet(lambda: list(sinks), workers.__getitem__)
    run(fleet, lambda: bool(sinks["good"].done) and bool(fleet.failed))
    assert sinks["good"].done
    assert not sinks["bad"].done
    assert fleet.health.fault == "bad: ZeroDivisionError: integer division or modulo by zero"


def test_a_server_that_cannot_be_asked_for_organisations_is_a_fault_and_no_end() -> None:
    def lost() -> list[str]:
        raise StoreLost("gone")

    fleet = Fleet(lost, lambda org: served(org, RecordingSink()))
    run(fleet, lambda: not fleet.health.ok)
    assert fleet.health.fault == "gone"


def test_draining_does_what_is_due_for_every_organisation() -> None:
    sinks = {org: RecordingSink(live=False) for org in ("a", "b")}
    fleet = Fleet(lambda: list(sinks), lambda org: served(org, sinks[org]))
    assert fleet.drain() == {"a": 1, "b": 1}
    fleet.close()


def test_draining_keeps_no_organisation_s_threads_while_it_does_the_next() -> None:
    """Each worker is closed after its own drain: a hundred organisations are not a hundred pools at once."""
    said: list[str] = []

    def opened(org: str) -> Worker:
        said.append(f"open {org}")
        return telling_its_end(org, said)

    fleet = Fleet(lambda: ["a", "b"], opened)
    fleet.drain()
    fleet.close()
    assert said == ["open a", "close a", "open b", "close b"]


def test_a_worker_that_cannot_be_closed_keeps_nothing_else_open() -> None:
    """The others are closed and what they share ends; the fault is told all the same."""
    said: list[str] = []
    fleet = Fleet(lambda: ["a", "b", "c"], lambda org: telling_its_end(org, said, "b"), end=lambda: said.append("end"))
    with pytest.raises(ZeroDivisionError):
        run(fleet, lambda: len(fleet.workers) == 3)
    assert sorted(said) == ["close a", "close b", "close c", "end"]
    assert said[-1] == "end"


def test_what_all_workers_share_ends_with_the_fleet() -> None:
    ended = []
    fleet = Fleet(lambda: ["a"], lambda org: served(org, RecordingSink(live=False)), end=lambda: ended.append(True))
    fleet.drain()
    assert not ended
    fleet.close()
    assert ended


def test_metrics_of_several_organisations_stand_under_one_name_with_the_label_org() -> None:
    workers = {org: served(org, RecordingSink(live=False)) for org in ("a", "b")}
    workers["a"].drain(workers["a"].clock.now())
    registry = CollectorRegistry(auto_describe=False)
    registry.register(TriageCollector(lambda: workers, by_org=True))
    text = generate_latest(registry).decode()
    for worker in workers.values():
        worker.close()
    assert text.count("# TYPE triage_timers_due gauge") == 1
    assert 'triage_timers_due{org="a"} 0.0' in text
    assert 'triage_timers_due{org="b"} 1.0' in text
    assert 'triage_lateness_seconds_bucket{le="0.001",org="b"} 0.0' in text
    assert 'triage_effects{org="b",state="dead"} 0.0' in text


def test_every_line_of_the_journal_says_which_organisation_it_is_about() -> None:
    out = io.StringIO()
    NamedJournal(JsonJournal(lambda: 0, out=out), "a").tell("policy", digest="x")
    assert json.loads(out.getvalue())["org"] == "a"
