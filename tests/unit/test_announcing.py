"""Listeners told line by line: by one worker at a time, no longer than it may, and past what breaks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from triage.announcing import BATCH, ONE_TELLS
from triage.domain.decision import AuditEntry
from triage.domain.instant import SECOND
from triage.domain.message import Message
from triage.errors import StoreLost
from triage.ports import SETTLED, AuditRow
from triage.testing import Sandbox
from triage.worker import Worker


class Ear:
    """A listener that wants what rule `r` planned and remembers it; *answer* may take time or raise."""

    def __init__(self, answer: Callable[[], object] = lambda: None, name: str = "hooks/ear") -> None:
        self.name = name
        self.answer = answer
        self.heard: list[str] = []

    def wants(self, entry: AuditEntry) -> bool:
        return entry.event == "planned" and entry.rule == "r"

    def tell(self, row: AuditRow, reach: Message) -> None:
        self.answer()
        self.heard.append(row.entry.key)


def worker_of(sandbox: Sandbox, *ears: Ear, name: str = "w") -> Worker:
    """Return a worker that tells *ears*."""
    return Worker(sandbox.store, sandbox.sink, sandbox.engine, sandbox.clock, name=name, listeners=ears)


def decide(sandbox: Sandbox, keys: list[str], rule: str = "r") -> None:
    """Write one audit line for each of *keys*."""
    now = sandbox.clock.now()
    with sandbox.store.write() as unit:
        unit.audit.append(
            [AuditEntry(at=now, org="acme", object="Case", id=key, event="planned", key=key, rule=rule) for key in keys]
        )


def announce(worker: Worker) -> int:
    return worker.announce(worker.clock.now())


def test_a_slow_listener_is_told_by_one_worker_for_as_long_as_it_takes() -> None:
    """A batch outlasts the lease by far: it is left and the lease renewed, so that another never joins in."""
    sandbox = Sandbox()
    joined: list[int] = []
    ear, beside = Ear(), Ear()
    worker, other = worker_of(sandbox, ear), worker_of(sandbox, beside, name="other")
    announce(worker)

    def slow() -> None:
        sandbox.clock.move(7 * SECOND)
        joined.append(announce(other))

    ear.answer = slow
    keys = [f"k{number}" for number in range(60)]
    decide(sandbox, keys)
    assert 0 < announce(worker) <= ONE_TELLS // (7 * SECOND)
    while announce(worker):
        pass
    assert (ear.heard, beside.heard, set(joined)) == (keys, [], {0})
    worker.close()
    other.close()


def test_a_slow_listener_keeps_the_next_one_waiting_and_no_longer() -> None:
    """The lease of the second begins when its turn comes, not when the round began."""
    sandbox = Sandbox()
    slow, quick = Ear(lambda: sandbox.clock.move(7 * SECOND), "hooks/slow"), Ear(name="hooks/quick")
    worker = worker_of(sandbox, slow, quick)
    announce(worker)
    keys = [f"k{number}" for number in range(60)]
    decide(sandbox, keys)
    announce(worker)
    assert 0 < len(slow.heard) < len(keys)
    assert quick.heard == keys
    worker.close()


def test_what_was_told_of_a_batch_is_stored_when_it_is_left() -> None:
    """Another worker that takes over goes on behind what is settled, though the batch was never finished."""
    sandbox = Sandbox()
    ear, beside = Ear(), Ear()
    worker, other = worker_of(sandbox, ear), worker_of(sandbox, beside, name="other")
    announce(worker)
    keys = [f"k{number}" for number in range(9)]
    decide(sandbox, keys)
    sandbox.clock.move(SETTLED)
    assert worker.announce(sandbox.clock.now(), lambda: len(ear.heard) == 4) > 0
    assert ear.heard == keys[:4]
    worker.close()
    announce(other)
    assert beside.heard == keys[4:]
    other.close()


def test_a_worker_that_ends_late_leaves_the_lease_to_whoever_has_it_now() -> None:
    """Only its own lease is given back: a third worker must not join the second."""
    sandbox = Sandbox()
    ear = Ear()
    first, second = worker_of(sandbox, Ear(), name="1"), worker_of(sandbox, Ear(), name="2")
    third = worker_of(sandbox, ear, name="3")
    announce(first)
    sandbox.clock.move(ONE_TELLS)
    announce(second)
    first.close()
    decide(sandbox, ["k"])
    assert announce(third) == 0
    assert announce(second) > 0
    assert ear.heard == []
    for worker in (second, third):
        worker.close()


def test_lines_that_nobody_wants_are_no_end_of_what_there_is_to_tell() -> None:
    """Behind more than a batch of unwanted lines comes a wanted one: a drain tells it too."""
    sandbox = Sandbox()
    ear = Ear()
    worker = worker_of(sandbox, ear)
    worker.drain(sandbox.clock.now())
    decide(sandbox, [f"k{number}" for number in range(2 * BATCH + 1)], rule="other")
    decide(sandbox, ["wanted"])
    assert announce(worker) == BATCH
    worker.drain(sandbox.clock.now())
    assert ear.heard == ["wanted"]
    worker.close()


def test_a_fault_in_a_listener_costs_one_line_and_no_worker() -> None:
    """It is noted by the name of its class, as its words may be anybody's, and not met again."""
    sandbox = Sandbox()
    ear = Ear(lambda: 1 // 0)
    worker = worker_of(sandbox, ear)
    announce(worker)
    decide(sandbox, ["broken"])
    announce(worker)
    ear.answer = lambda: None
    decide(sandbox, ["next"])
    announce(worker)
    (noted,) = sandbox.audit("untold")
    assert (noted.key, noted.body["why"]) == ("broken", "ZeroDivisionError")
    assert ear.heard == ["next"]
    worker.close()


def test_a_lost_store_is_no_fault_of_the_line() -> None:
    """The worker waits for its store, as everywhere, and tells the line then."""
    sandbox = Sandbox()

    def lost() -> None:
        raise StoreLost("gone")

    ear = Ear(lost)
    worker = worker_of(sandbox, ear)
    announce(worker)
    decide(sandbox, ["k"])
    with pytest.raises(StoreLost):
        announce(worker)
    ear.answer = lambda: None
    announce(worker)
    assert ear.heard == ["k"]
    assert sandbox.audit("untold") == []
    worker.close()
