"""A restored backup is late and never double; a store that lost its last transaction does nothing twice either."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from triage.domain.instant import HOUR, format_instant
from triage.engine import PureEngine
from triage.errors import StoreBusy
from triage.publishing import publish
from triage.sinks import JsonlSink
from triage.store.database import SqlStore
from triage.store.restoring import restore_file
from triage.testing import SMALL_POLICY, Sandbox
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


def started(folder: Path) -> subprocess.Popen[str]:
    """A worker process on the store in *folder*, whose receiver knows what it was sent."""
    script = Path(__file__).with_name("killed_worker.py")
    names = [str(folder / name) for name in ("t.db", "log.jsonl", "out.jsonl")]
    environment = {**os.environ, "PYTHONWARNINGS": "error"}
    return subprocess.Popen([sys.executable, str(script), *names], stdout=subprocess.PIPE, text=True, env=environment)


def sent(folder: Path) -> list[str]:
    """The keys at the receiver, in order, as far as lines are whole."""
    path = folder / "out.jsonl"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return [str(json.loads(line)["key"]) for line in lines if line.endswith("\n")]


def wait_for(folder: Path, count: int) -> None:
    until = time.monotonic() + 60
    while len(sent(folder)) < count and time.monotonic() < until:
        time.sleep(0.01)


def test_an_hour_old_backup_restored_while_workers_run_is_late_and_never_double(tmp_path: Path) -> None:
    """
    1,500 cases. A third is in the log when the backup is taken, all of it when the store is lost.

    The restore is refused while the worker runs; then the worker is killed, the store restored, the log handed in
    again, and the receiver ends with one line an action.
    """
    now = time.time_ns() // 1_000_000
    lines = [
        json.dumps({
            "at": format_instant(now - 3 * HOUR), "type": "created", "object": "Case", "id": f"{number:05}",
            "changes": {"Status": "New", "Priority": "Low", "OwnerId": "005A"},
        }) + "\n"
        for number in range(1_500)
    ]  # fmt: skip
    store = SqlStore(tmp_path / "t.db", "acme")
    publish(store, PureEngine(), SMALL_POLICY, now - 4 * HOUR, actor="test", virtual=True)
    (tmp_path / "log.jsonl").write_text("".join(lines[:500]))
    with started(tmp_path) as worker:
        wait_for(tmp_path, 200)
        store.backup(tmp_path / "hour-old.db")
        store.close()
        assert worker.wait(timeout=120) == 0
    (tmp_path / "log.jsonl").write_text("".join(lines))
    with started(tmp_path) as worker:
        wait_for(tmp_path, 900)
        with pytest.raises(StoreBusy, match="another worker runs"):
            restore_file(tmp_path / "hour-old.db", tmp_path / "t.db")
        worker.kill()
        worker.wait()
    done_before = len(sent(tmp_path))
    restore_file(tmp_path / "hour-old.db", tmp_path / "t.db")
    with started(tmp_path) as worker:
        assert worker.wait(timeout=120) == 0
    restored = SqlStore(tmp_path / "t.db", "acme")
    with restored.read() as unit:
        assert unit.outbox.counts() == {"done": 1_500}
        assert unit.audit.verify() == []
        already = sum(bool(line.entry.body.get("already")) for line in unit.audit.lines(event="done"))
    restored.close()
    keys = sent(tmp_path)
    assert len(keys) == len(set(keys)) == 1_500
    assert done_before - 500 <= already <= done_before
