"""What a running worker says by itself: each change once, counts not too often."""

from __future__ import annotations

import time

import pytest

from triage.cli.watch import COUNT_EVERY, Watch, troubles, watching
from triage.domain.instant import HOUR
from triage.errors import SinkBusy, SinkRefused
from triage.testing import Sandbox
from triage.worker import Health


def failing(words: str, kind: type[SinkBusy] | type[SinkRefused]) -> Sandbox:
    def answer(_: object) -> None:
        raise kind(words)

    sandbox = Sandbox(answer=answer)
    sandbox.create("1")
    return sandbox


def test_health_is_told_when_it_changes_and_only_then() -> None:
    sandbox = Sandbox()
    watch = Watch(sandbox.store, sandbox.worker)
    assert watch.look(0) == []
    sandbox.worker.health = Health(ok=False, fault="t.db: the disk is full")
    assert watch.look(1) == ["cannot work: t.db: the disk is full"]
    assert watch.look(2) == []
    sandbox.worker.health = Health()
    assert watch.look(3) == ["working again"]


def test_failing_actions_are_told_with_the_sinks_words_at_most_every_half_minute() -> None:
    sandbox = failing("the disk is full", SinkBusy)
    watch = Watch(sandbox.store, sandbox.worker)
    assert watch.look(COUNT_EVERY) == []
    sandbox.after(HOUR)
    assert watch.look(COUNT_EVERY + 1) == []
    assert watch.look(2 * COUNT_EVERY) == ["1 action failing, sent again later: the disk is full"]
    assert watch.look(3 * COUNT_EVERY) == []


def test_dead_actions_are_told_with_what_to_do() -> None:
    sandbox = failing("no such field", SinkRefused)
    sandbox.after(HOUR)
    watch = Watch(sandbox.store, sandbox.worker)
    assert watch.look(COUNT_EVERY) == ["1 action dead: `triage actions list --state dead`"]


def test_the_end_of_all_trouble_is_told() -> None:
    faults = ["the disk is full"]

    def answer(_: object) -> None:
        if faults:
            raise SinkBusy(faults.pop())

    sandbox = Sandbox(answer=answer)
    sandbox.create("1")
    sandbox.after(HOUR)
    watch = Watch(sandbox.store, sandbox.worker)
    assert len(watch.look(COUNT_EVERY)) == 1
    sandbox.after(HOUR)
    assert watch.look(2 * COUNT_EVERY) == ["every action gets through again"]


def test_no_trouble_is_no_line() -> None:
    assert troubles(0, []) == ()


def test_what_is_found_is_printed_while_the_worker_runs(capsys: pytest.CaptureFixture[str]) -> None:
    sandbox = Sandbox()
    sandbox.worker.health = Health(ok=False, fault="the disk is full")
    said = ""
    with watching(Watch(sandbox.store, sandbox.worker)):
        for _ in range(100):
            time.sleep(0.05)
            said += capsys.readouterr().err
            if said:
                break
    assert said == "cannot work: the disk is full\n"
