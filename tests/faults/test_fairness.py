"""One organisation's mountain of work does not delay another's by more than two seconds."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from tests.support.bulk import fill
from tests.support.postgres import Databases, Server
from tests.support.raw_sink import RawSink
from triage.domain.instant import HOUR
from triage.engine import PureEngine
from triage.fleet import Fleet
from triage.ports import EffectFilter
from triage.publishing import publish
from triage.store.postgres import PostgresStore
from triage.testing import SMALL_POLICY
from triage.wiring import open_worker
from triage.worker import Worker

MOST_LATE = 2_000


def delays(server_url: str, folder: Path, mountain: int, small: int, seconds: int) -> list[int]:
    """
    Return by how many ms each action of the small organisation was late, in order.

    *mountain* timers of one organisation are due at once; *small* ones of another over the next *seconds*.
    """
    databases = Databases(server_url)
    url = databases.new()
    store = PostgresStore(url, "small", connections=32)
    sinks = {org: RawSink(folder / org) for org in ("big", "small")}
    workers: dict[str, Worker] = {org: open_worker(store.for_org(org), sinks[org]) for org in sinks}
    now = workers["big"].clock.now()
    for org, worker in workers.items():
        publish(worker.store, PureEngine(), SMALL_POLICY, now - 3 * HOUR, actor="test", virtual=True)
        assert org in store.orgs()
    fill(url, workers["big"], mountain, lambda _: now)
    begin = workers["small"].clock.now() + 2_000
    fill(url, workers["small"], small, lambda number: begin + number * seconds * 1_000 // small)
    stop = threading.Event()
    fleet = Fleet(store.orgs, workers.__getitem__)
    thread = threading.Thread(target=fleet.run, args=(stop,))
    thread.start()
    until = time.monotonic() + seconds + 60
    try:
        while len(received(folder / "small")) < small and time.monotonic() < until:
            time.sleep(0.1)
        with workers["big"].store.read() as unit:
            done = unit.outbox.counts().get("done", 0)
        with store.read() as unit:
            due = {one.action.key: one.action.due for one in unit.outbox.find(EffectFilter())}
    finally:
        stop.set()
        thread.join()
        fleet.close()
        store.close()
        for sink in sinks.values():
            sink.close()
    assert done < mountain, "the mountain was gone before the other was through: make it higher"
    assert fleet.health.ok, fleet.health
    return sorted(at - due[key] for key, at in received(folder / "small").items())


def received(path: Path) -> dict[str, int]:
    """Return when each key first came."""
    found: dict[str, int] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        key, _, at = line.partition(" ")
        found.setdefault(key, int(at))
    return found


def test_a_small_organisation_does_not_wait_for_a_large_backlog(postgres: Databases, tmp_path: Path) -> None:
    """40,000 due at once beside 40 over four seconds: these go before the mountain is gone."""
    assert len(delays(postgres.url_of("postgres"), tmp_path, 40_000, 40, 4)) == 40


@pytest.mark.laws
def test_a_small_organisation_is_on_time_beside_200000_due_at_once(tmp_path: Path) -> None:
    """200,000 due at once beside 300 over thirty seconds, on a server that writes to disk as in production."""
    server = Server()
    try:
        late = delays(server.url(), tmp_path, 200_000, 300, 30)
    finally:
        server.stop()
    print(f"\nlate by p50 {late[len(late) // 2]} ms, worst {late[-1]} ms of {len(late)}")
    assert len(late) == 300
    assert late[-1] <= MOST_LATE
