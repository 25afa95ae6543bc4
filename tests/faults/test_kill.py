"""Workers killed with SIGKILL at random points, again and again: nothing is lost, stuck or done twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from triage.domain.instant import HOUR, format_instant
from triage.engine import PureEngine
from triage.ports import EffectFilter
from triage.publishing import publish
from triage.store.database import SqlStore
from triage.testing import SMALL_POLICY

SCRIPT = Path(__file__).with_name("killed_worker.py")


def start(folder: Path) -> subprocess.Popen[str]:
    arguments = [
        sys.executable,
        str(SCRIPT),
        str(folder / "t.db"),
        str(folder / "log.jsonl"),
        str(folder / "out.jsonl"),
    ]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONWARNINGS": "error"})


def prepare(folder: Path, records: int) -> None:
    """Publish a policy, and write the log of *records* cases that were all due an hour ago."""
    now = time.time_ns() // 1_000_000
    created = format_instant(now - 2 * HOUR)
    with (folder / "log.jsonl").open("w") as log:
        for number in range(records):
            changes = {"Status": "New", "Priority": "Low", "OwnerId": "005A"}
            line = {"at": created, "type": "created", "object": "Case", "id": f"{number:05}", "changes": changes}
            log.write(json.dumps(line) + "\n")
    store = SqlStore(folder / "t.db", "acme")
    publish(store, PureEngine(), SMALL_POLICY, now - 3 * HOUR, actor="test", virtual=True)
    store.close()


def lines_of(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def kill_when(process: subprocess.Popen[str], path: Path, lines: int, pause: float) -> bool:
    """Kill *process* *pause* s after *path* has *lines* lines; False where it ended by itself first."""
    assert process.stdout is not None
    process.stdout.readline()
    while process.poll() is None and lines_of(path) < lines:
        time.sleep(0.002)
    time.sleep(pause)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def killed_and_restarted(folder: Path, records: int, kills: int, seed: int) -> int:
    """Run workers until all is done, killing the first *kills* at seeded points; return how many were killed."""
    chance = random.Random(seed)
    early = [0] * (kills // 4)
    points = early + sorted(chance.randrange(1, records) for _ in range(kills - len(early)))
    killed = 0
    for point in points:
        pause = chance.uniform(0, 0.6 if not point else 0.012)
        with start(folder) as process:
            killed += kill_when(process, folder / "out.jsonl", point, pause)
    with start(folder) as process:
        assert process.wait(timeout=300) == 0
    return killed


def check(folder: Path, records: int) -> None:
    store = SqlStore(folder / "t.db", "acme")
    with store.read() as unit:
        effects = unit.outbox.find(EffectFilter())
        assert unit.records.count()["total"] == records
        assert unit.outbox.counts() == {"done": records}
        assert unit.outbox.next_run() is None
        done = Counter(line.entry.key for line in unit.audit.lines(event="done"))
        assert done == Counter(effect.action.key for effect in effects)
        assert unit.audit.verify() == []
        stored = unit.records.get([effect.record for effect in effects])
        assert {one.facts.item.fields["priority"] for one in stored.values()} == {"Medium"}
    store.close()
    written = Counter(json.loads(line)["key"] for line in (folder / "out.jsonl").read_text().splitlines())
    assert written == done


def test_nothing_is_lost_or_done_twice_when_workers_are_killed(tmp_path: Path) -> None:
    """1,000 actions, 8 kills."""
    prepare(tmp_path, 1_000)
    assert killed_and_restarted(tmp_path, 1_000, kills=8, seed=1) >= 6
    check(tmp_path, 1_000)


@pytest.mark.laws
@pytest.mark.parametrize("seed", [2, 3])
def test_nothing_is_lost_or_done_twice_in_5000_actions_and_12_kills(tmp_path: Path, seed: int) -> None:
    """5,000 actions, 12 kills."""
    prepare(tmp_path, 5_000)
    assert killed_and_restarted(tmp_path, 5_000, kills=12, seed=seed) >= 10
    check(tmp_path, 5_000)
