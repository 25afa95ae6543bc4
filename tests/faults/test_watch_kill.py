"""A watcher killed with SIGKILL again and again while files come in: every line counts once, every file is put away."""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from triage.domain.instant import HOUR, format_instant
from triage.engine import PureEngine
from triage.publishing import publish
from triage.store.database import SqlStore
from triage.testing import SMALL_POLICY

FILES, LINES = 12, 400


def watch(folder: Path) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-c",
        "from triage.cli.main import main; main()",
        "ingest",
        "--watch",
        str(folder / "in"),
    ]
    command += ["--settle", "0s", "--once", "--db", str(folder / "t.db"), "--source", "in"]
    return subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONWARNINGS": "error", "TRIAGE_ORG": "acme"},
    )  # fmt: skip


def prepare(folder: Path) -> None:
    """Files of new cases; each has one bad line, one line of the file before it, and every third is packed."""
    now = time.time_ns() // 1_000_000
    store = SqlStore(folder / "t.db", "acme")
    publish(store, PureEngine(), SMALL_POLICY, now - 3 * HOUR, actor="test", virtual=True)
    store.close()
    (folder / "in").mkdir()
    at = format_instant(now - HOUR // 2)
    before = ""
    for number in range(FILES):
        changes = {"Status": "New", "Priority": "Low", "OwnerId": "005A"}
        lines = [
            json.dumps({"at": at, "type": "created", "object": "Case", "id": f"{number}-{n}", "changes": changes})
            for n in range(LINES)
        ]
        content = "\n".join([*lines, "oops", *([before] if before else [])]) + "\n"
        before = lines[-1]
        if number % 3:
            (folder / "in" / f"{number:02}.jsonl").write_text(content)
        else:
            (folder / "in" / f"{number:02}.jsonl.gz").write_bytes(gzip.compress(content.encode()))


def events_in(folder: Path) -> int:
    store = SqlStore(folder / "t.db", "acme")
    with store.read() as unit:
        state = unit.intake.source("in")
    store.close()
    return 0 if state is None else state.accepted


def test_every_line_counts_once_when_the_watcher_is_killed(tmp_path: Path) -> None:
    """12 files, 4,800 cases, 8 kills at seeded points."""
    prepare(tmp_path)
    chance = random.Random(5)
    killed = 0
    for point in sorted(chance.randrange(0, FILES * LINES) for _ in range(8)):
        with watch(tmp_path) as process:
            while process.poll() is None and events_in(tmp_path) < point:
                time.sleep(0.01)
            time.sleep(chance.uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)
            killed += process.wait() == -signal.SIGKILL
    with watch(tmp_path) as process:
        # 1: the line that cannot be read was refused now, and not before a kill.
        assert process.wait(timeout=120) in (0, 1)
    assert killed >= 6
    store = SqlStore(tmp_path / "t.db", "acme")
    with store.read() as unit:
        assert unit.records.count()["total"] == FILES * LINES
        state = unit.intake.source("in")
        assert state is not None
        assert (state.accepted, state.repeated, state.refused) == (FILES * LINES, FILES - 1, FILES)
        assert len(unit.intake.refusals()) == FILES
    store.close()
    assert len(list((tmp_path / "in" / "done").iterdir())) == FILES
    assert len(list((tmp_path / "in").glob("*.refused.jsonl"))) == FILES
    assert sorted(path.name for path in (tmp_path / "in").glob("*.jsonl*") if "refused" not in path.name) == []
