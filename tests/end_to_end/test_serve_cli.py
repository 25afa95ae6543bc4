"""`triage serve` as a process: the first key is told once, keys work and end, and the log holds nobody's secret."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from triage.cli.commands import run

PROGRAM = "import sys; from triage.cli.commands import run; sys.exit(run(sys.argv[1:]))"
SECRET_WORDS = "The customer's own words 4711"


@contextmanager
def serving(folder: Path) -> Iterator[tuple[dict[str, Any], subprocess.Popen[str]]]:
    """Run the command until the end; give what it said of itself."""
    (folder / "none").mkdir(exist_ok=True)
    environment = {**os.environ, "TRIAGE_MODELS": str(folder / "none"), "TRIAGE_DATABASE_URL": str(folder / "s.db")}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "serve", "--listen", "127.0.0.1:0", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline()), process
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    # Also where that came in the very moment in which it told its address.
    assert process.returncode == 0


def asked(at: str, key: str, path: str, **given: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=at, headers=headers, trust_env=False, timeout=30) as client:
        return client.request("POST" if given else "GET", path, **given)


def test_the_first_start_tells_a_key_once_that_works_and_stands_in_no_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is not in the file either; revoked by another process it opens nothing a second later."""
    with serving(tmp_path) as (said, process):
        at, key = said["address"], said["key"]
        assert asked(at, key, "/v1/agents").json() == {"agents": []}
        assert asked(at, key, "/v1/score", json={"records": [{"Subject": SECRET_WORDS}]}).status_code == 503
        assert asked(at, key, "/v1/events", json={"events": [{"type": SECRET_WORDS}]}).status_code == 503
        assert run(["keys", "revoke", key.split("_")[1], "--db", str(tmp_path / "s.db")]) == 0
        for _ in range(200):
            if (status := asked(at, key, "/v1/agents").status_code) != 200:
                break
            time.sleep(0.05)
        assert status == 401
        process.send_signal(signal.SIGINT)
        out, log = process.communicate(timeout=60)
    secret = key.split("_", 2)[2]
    assert secret not in out + log
    assert SECRET_WORDS not in log
    refused = [line for line in map(json.loads, log.splitlines()) if line["event"] == "request_refused"]
    told = [(line["route"], line["status"], line["level"]) for line in refused]
    assert ("score", 503, "error") in told
    assert told[-1] == ("listAgents", 401, "warning")
    assert secret.encode() not in b"".join(file.read_bytes() for file in tmp_path.glob("s.db*"))
    with serving(tmp_path) as (said, _):
        assert said["key"] is None
    assert key.split("_")[1] in capsys.readouterr().out
