"""What a running worker says of itself: in its journal, in memory for a scrape, and in the store for the doctor."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from triage.domain.decision import Action
from triage.domain.instant import HOUR
from triage.errors import SinkRefused, StoreError
from triage.testing import SMALL_POLICY, ManualClock, RecordingSink, Sandbox
from triage.worker import Worker

Lines = list[tuple[str, str, dict[str, Any]]]


class Notes:
    """A journal that remembers."""

    def __init__(self) -> None:
        self.lines: Lines = []

    def tell(self, what: str, level: str = "info", **said: str | int | bool) -> None:
        self.lines.append((what, level, said))

    def of(self, what: str) -> list[dict[str, Any]]:
        return [said for told, _, said in self.lines if told == what]


class SlowClock(ManualClock):
    """A clock that is moved by hand, and really waits a little."""

    def wait(self, millis: int) -> None:
        threading.Event().wait(0.002)


def lived(sandbox: Sandbox, notes: Notes, sink: RecordingSink, until: Callable[[Worker], bool]) -> Worker:
    """Run a worker on the sandbox's store until something is true of it."""
    clock = SlowClock(sandbox.clock.now())
    worker = Worker(sandbox.store, sink, sandbox.engine, clock, name="w", journal=notes)
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    while not until(worker) and thread.is_alive():
        stop.wait(0.005)
    stop.set()
    thread.join(10)
    worker.close()
    return worker


def test_start_stop_and_the_policy_are_told() -> None:
    sandbox, notes = Sandbox(), Notes()
    sandbox.create("1")
    sandbox.clock.move(HOUR)
    sink = RecordingSink(live=False)
    lived(sandbox, notes, sink, lambda _: bool(sink.done))
    assert [what for what, _, _ in notes.lines if what.startswith("worker")] == ["worker_started", "worker_stopped"]
    assert notes.of("worker_stopped")[0]["fired"] == 1
    with sandbox.store.read() as unit:
        assert notes.of("policy")[0] == {"digest": unit.policies.live_digest()[:12], "before": ""}


def test_another_policy_is_told_with_the_one_before() -> None:
    sandbox, notes = Sandbox(), Notes()
    worker = Worker(sandbox.store, sandbox.sink, sandbox.engine, sandbox.clock, journal=notes)
    worker.drain(sandbox.clock.now())
    with sandbox.store.read() as unit:
        worker.policy(unit)
    first = notes.of("policy")[0]["digest"]
    sandbox.publish({**SMALL_POLICY, "rules.yaml": SMALL_POLICY["rules.yaml"].replace("1h", "2h")})
    with sandbox.store.read() as unit:
        worker.policy(unit)
        worker.policy(unit)
    assert [line["before"] for line in notes.of("policy")] == ["", first]
    worker.close()


def test_a_dead_effect_is_told_by_record_rule_and_key_without_the_other_sides_words() -> None:
    def answer(_: Action) -> None:
        raise SinkRefused("Anna's secret words")

    sandbox, notes = Sandbox(), Notes()
    sandbox.create("1")
    sandbox.clock.move(HOUR)
    lived(sandbox, notes, RecordingSink(answer, live=False), lambda _: bool(notes.of("effect_dead")))
    (effect,) = sandbox.effects("dead")
    assert notes.of("effect_dead") == [{"record": "Case/1", "rule": "age-1h", "key": effect.action.key}]
    assert "secret" not in str(notes.lines)


def test_a_round_is_remembered_by_half_and_in_the_store() -> None:
    sandbox = Sandbox()
    sink = RecordingSink(live=False)
    worker = lived(sandbox, Notes(), sink, lambda worker: len(worker.rounds) == 2)
    now = sandbox.clock.now()
    assert worker.rounds == {"fire": now, "act": now}
    with sandbox.store.read() as unit:
        assert unit.upkeep.marks() == {"round:w": now}


def test_a_store_that_cannot_be_used_is_told_once_and_when_it_can_again() -> None:
    """The piece of work fails twice, then there is some to do."""
    notes = Notes()
    worker = Worker(Sandbox().store, RecordingSink(), Sandbox().engine, ManualClock(5), name="w", journal=notes)
    answers = iter([StoreError("disk full"), StoreError("disk full"), None])

    def piece() -> int:
        fault = next(answers)
        if fault is not None:
            raise fault
        return 0

    pauses = [worker._survived("fire", piece) for _ in range(3)]
    assert [pause > 0 for pause in pauses] == [True, True, False]
    assert [(what, level) for what, level, _ in notes.lines] == [("unwell", "error"), ("well_again", "info")]
    assert notes.of("unwell")[0]["fault"] == "disk full"
    assert worker.health.ok
    worker.close()
