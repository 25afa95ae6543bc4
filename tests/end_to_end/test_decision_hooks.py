"""Decisions told to webhooks: signed, at least once under the hash of their audit line, and halted with all else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from tests.support.postgres import Databases
from tests.unit.sinks.letters import SECRET
from tests.unit.sinks.receivers import Receiver, Request, answer, receiver
from triage.announcing import LOOK_BACK, ONE_TELLS
from triage.config import read_secret
from triage.domain.decision import AuditEntry
from triage.domain.instant import HOUR, SECOND
from triage.ports import SETTLED, Store
from triage.publishing import promote
from triage.sinks.opening import open_sinks
from triage.sinks.routed import RoutedSink
from triage.sinks.settings import read_sinks
from triage.steering import start, stop
from triage.store.database import SqlStore
from triage.store.memory import MemoryStore
from triage.store.postgres import PostgresStore
from triage.testing import SMALL_POLICY, Sandbox
from triage.wiring import SystemClock
from triage.worker import Worker

SINKS = """
organisations: [acme]
sinks:
  hooks: {kind: webhook, secrets: {bus: env:BUS_SECRET}, timeout: 2s}
  here: {kind: store}
routes:
  - {sink: here}
decisions:
  - {sink: hooks, webhook: bus}
"""


class House:
    """A store under a live policy whose rules observe, and workers that tell `bus` of decisions."""

    def __init__(self, store: Store, bus: Receiver, sinks: str = SINKS) -> None:
        people = SMALL_POLICY["people.yaml"]
        people = people.replace("pools: [seniors]", f"pools: [seniors]\n  webhooks: {{bus: '{bus.url}'}}")
        people = people.replace("safety:", "safety:\n  webhook_hosts: [localhost]\n  allow_private_hosts: [localhost]")
        self.bus = bus
        self.sandbox = Sandbox(SMALL_POLICY | {"people.yaml": people}, virtual=False, store=store)
        self.sinks = sinks
        self.workers: list[tuple[Worker, RoutedSink]] = []
        self.worker = self.started()

    def started(self) -> Worker:
        """Return another worker."""
        opened = open_sinks(
            read_sinks("sinks.yaml", self.sinks), lambda name: read_secret(name, {"BUS_SECRET": SECRET}),
            SystemClock().now, "sinks.yaml",
        )  # fmt: skip
        one = self.sandbox
        name = f"w{len(self.workers)}"
        worker = Worker(one.store, opened, one.engine, one.clock, name=name, listeners=opened.listeners(one.store.org))
        self.workers.append((worker, opened))
        return worker

    def after(self, millis: int) -> None:
        """Move on and do all that is due."""
        self.worker.drain(self.sandbox.clock.move(millis))

    def hashes(self, *events: str) -> list[str]:
        """Return the hashes of the audit lines of decisions, in order."""
        with self.sandbox.store.read() as unit:
            return [row.hash for row in unit.audit.lines() if row.entry.event in (events or ("planned", "would_have"))]

    def close(self) -> None:
        """End the workers."""
        for worker, sink in self.workers:
            worker.close()
            sink.close()


@pytest.fixture
def bus() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


@pytest.fixture(params=["memory", "sqlite"])
def house(request: pytest.FixtureRequest, tmp_path: Path, bus: Receiver) -> Iterator[House]:
    store: Store = MemoryStore("acme") if request.param == "memory" else SqlStore(tmp_path / "t.db", "acme")
    found = House(store, bus)
    yield found
    found.close()
    store.close()


def ids(requests: list[Request]) -> list[str]:
    return [request.headers["webhook-id"] for request in requests]


def bodies(requests: list[Request]) -> list[dict[str, Any]]:
    return [Webhook(SECRET).verify(request.body, dict(request.headers)) for request in requests]


def test_what_a_rule_only_observes_is_told_signed_and_known_by_its_audit_line(house: House) -> None:
    """Nothing is done, somebody hears of it: which rule, what, why, for which record; and no field of the record."""
    house.after(0)
    house.sandbox.create("1", Subject="a secret of the customer")
    house.after(HOUR)
    (body,) = bodies(house.bus.requests)
    assert ids(house.bus.requests) == house.hashes("would_have")
    data = body["data"]
    assert (body["type"], data["decision"], data["rule"], data["id"]) == (
        "triage.decision",
        "would_have",
        "age-1h",
        "1",
    )
    assert (data["action"], data["reason"][:9]) == ("reprioritise", "age >= 1h")
    assert "secret" not in json.dumps(body)
    house.after(10 * SECOND)
    assert len(house.bus.requests) == 1


def test_a_rule_that_acts_tells_what_it_plans_under_the_key_of_its_effect(house: House) -> None:
    """The decision has an id of its own, so that a receiver of both never takes one for a repeat of the other."""
    one = house.sandbox
    promote(one.store, one.engine, "age-1h", "act", one.clock.now(), actor="me", reason="test")
    house.after(0)
    one.create("1")
    house.after(HOUR)
    (body,) = bodies(house.bus.requests)
    (effect,) = one.effects("done")
    assert (body["data"]["decision"], body["data"]["key"]) == ("planned", effect.action.key)
    assert ids(house.bus.requests) != [effect.action.key]


def test_what_was_decided_before_anybody_listened_is_not_told(house: House) -> None:
    """A new listener is not flooded with history; a worker that comes back goes on where the last one was."""
    house.sandbox.create("1")
    house.sandbox.after(HOUR)
    house.after(0)
    assert house.bus.requests == []
    house.sandbox.create("2")
    house.after(HOUR)
    house.worker.close()
    house.worker = house.started()
    house.sandbox.create("3")
    house.after(HOUR)
    told = ids(house.bus.requests)
    assert list(dict.fromkeys(told)) == house.hashes("would_have")[1:]


def test_a_listener_that_does_not_answer_misses_nothing_and_keeps_the_order(house: House) -> None:
    """Busy: the same line again later, under the same id; refused: noted in the audit, and the next one goes on."""
    house.after(0)
    house.bus.behaviours = [answer(500), answer(503), answer(200), answer(400, b"no")]
    house.sandbox.create("1", "2", "3")
    house.after(HOUR)
    for _ in range(4):
        house.after(5 * SECOND)
    told, lines = ids(house.bus.requests), house.hashes()
    assert told == [lines[0], lines[0], lines[0], lines[1], lines[2]]
    (noted,) = house.sandbox.audit("untold")
    assert (noted.rule, noted.body["listener"], noted.body["of"]) == ("age-1h", "hooks/bus", "would_have")
    assert "400" in noted.body["why"]


def test_stop_halts_what_is_told_and_start_lets_it_go_on(house: House) -> None:
    """Clocks and audit go on meanwhile; nothing decided in between is lost."""
    house.after(0)
    stop(house.sandbox.store, house.sandbox.clock.now(), actor="me")
    house.sandbox.create("1")
    house.after(HOUR)
    assert house.bus.requests == []
    start(house.sandbox.store, house.sandbox.clock.now(), actor="me")
    house.after(SECOND)
    assert ids(house.bus.requests) == house.hashes("would_have")


def test_one_of_several_workers_tells_and_another_takes_over(house: House) -> None:
    """Each line once while all is well; one that died is followed a minute later, who repeats what is that young."""
    house.after(0)
    other = house.started()
    house.sandbox.create("1")
    house.sandbox.clock.move(HOUR)
    now = house.sandbox.clock.now()
    house.worker.fire(now)
    assert house.worker.announce(now) > 0
    assert other.announce(now) == 0
    assert len(house.bus.requests) == 1
    house.sandbox.create("2")
    now = house.sandbox.clock.move(HOUR)
    other.fire(now)
    assert now > ONE_TELLS
    assert other.announce(now) > 0
    assert len(house.bus.requests) == 3
    assert house.worker.announce(now) == 0
    first, second = house.hashes("would_have")
    assert ids(house.bus.requests) == [first, first, second]


def test_only_the_kinds_and_rules_asked_for_of_listed_organisations_are_told(bus: Receiver, tmp_path: Path) -> None:
    """The rest is passed over; a store of an organisation that the file does not list tells nobody."""
    asked = SINKS.replace("webhook: bus}", "webhook: bus, events: would_have, rules: high-3h}")
    for org, told in (("acme", 2), ("other", 0)):
        store = SqlStore(tmp_path / f"{org}.db", org)
        found = House(store, bus, asked)
        found.after(0)
        found.sandbox.create("1", Priority="High")
        found.after(4 * HOUR)
        assert [body["data"]["rule"] for body in bodies(bus.requests)] == ["high-3h"] * told
        bus.requests.clear()
        found.close()
        store.close()


def test_a_line_that_a_slow_transaction_stores_late_is_told_too(postgres: Databases, bus: Receiver) -> None:
    """On a server lines are not stored in the order of their numbers: the younger ones are looked through again."""
    store = PostgresStore(postgres.new(), "acme")
    house = House(store, bus)
    house.after(0)

    def line(key: str) -> AuditEntry:
        return AuditEntry(
            at=house.sandbox.clock.now(), org="acme", object="Case", id=key, event="planned", key=key, rule="r"
        )

    with store.write() as slow:
        slow.audit.append([line("late")])
        with store.for_org("acme").write() as quick:
            quick.audit.append([line("early")])
        house.after(0)
    house.after(LOOK_BACK)
    house.after(SETTLED)
    assert [body["data"]["key"] for body in bodies(bus.requests)] == ["early", "late"]
    house.close()
    store.close()
