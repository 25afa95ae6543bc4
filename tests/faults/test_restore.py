"""A restored backup is late and never double; a store that lost its last transaction does nothing twice either."""

from __future__ import annotations

import json
from pathlib import Path

from triage.domain.instant import HOUR
from triage.sinks import JsonlSink
from triage.store.database import SqlStore
from triage.testing import Sandbox
from triage.worker import Worker


def test_what_was_done_after_the_backup_is_not_done_again_from_it(tmp_path: Path) -> None:
    sandbox = Sandbox(store=SqlStore(tmp_path / "t.db", "acme"))
    effects = tmp_path / "out.jsonl"
    sandbox.create(*"12345")
    sandbox.store.backup(tmp_path / "backup.db")
    sink = JsonlSink(effects, live=False)
    worker = Worker(sandbox.store, sink, sandbox.engine, sandbox.clock)
    assert worker.drain(sandbox.clock.move(HOUR)) == 5
    worker.close()
    sink.close()
    sandbox.store.close()

    restored = SqlStore(tmp_path / "backup.db", "acme")
    sink = JsonlSink(effects, live=False)
    worker = Worker(restored, sink, sandbox.engine, sandbox.clock)
    assert worker.drain(sandbox.clock.move(HOUR)) == 5
    with restored.read() as unit:
        assert [line.entry.body["already"] for line in unit.audit.lines(event="done")] == [True] * 5
        assert unit.audit.verify() == []
    keys = [json.loads(line)["key"] for line in effects.read_text().splitlines()]
    assert len(keys) == len(set(keys)) == 5
    worker.close()
    sink.close()
    restored.close()
