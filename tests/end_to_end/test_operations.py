"""An installation as its operator lives with it: run as a process, watched, scraped, restored, pruned, erased."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from triage.cli.main import main
from triage.domain.instant import HOUR, format_instant
from triage.intaking import Door
from triage.publishing import publish
from triage.sample.organisation import invent
from triage.store.codec import encode
from triage.store.database import SqlStore
from triage.testing import SMALL_POLICY, Sandbox
from triage.wiring import open_journal, open_worker


class Said(NamedTuple):
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run one command line in this process."""

    def runner(*arguments: object) -> Said:
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Said(int(str(end.value.code or 0)), printed.out, printed.err)

    return runner


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A policy folder."""
    made = tmp_path / "policy"
    made.mkdir()
    for name, text in SMALL_POLICY.items():
        (made / name).write_text(text)
    return made


@pytest.fixture
def db(run: Run, folder: Path, tmp_path: Path) -> tuple[str, str]:
    """A store with the policy in force."""
    path = tmp_path / "t.db"
    assert run("policy", "publish", "--policy", folder, "--db", path, "--by", "me").code == 0
    return "--db", str(path)


def lines(*cases: str, ago: int = 2 * HOUR, **changes: str) -> str:
    at = format_instant(time.time_ns() // 1_000_000 - ago)
    given = {"Status": "New", "Priority": "Low", "OwnerId": "005A"} | changes
    rows = [{"at": at, "type": "created", "object": "Case", "id": case, "changes": given} for case in cases]
    return "".join(json.dumps(row) + "\n" for row in rows)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def scrape(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


class Process:
    """`triage` in a process of its own, and what it has written to standard error."""

    def __init__(self, tmp_path: Path, *arguments: object) -> None:
        self._err = tmp_path / "stderr"
        command = [sys.executable, "-W", "error", "-c", "from triage.cli.main import main; main()"]
        with self._err.open("w") as err:
            self.process = subprocess.Popen(
                [*command, *map(str, arguments)], stderr=err, stdout=subprocess.DEVNULL, env=dict(os.environ)
            )

    def said(self) -> str:
        return self._err.read_text()

    def wait_until(self, true: Callable[[], bool]) -> None:
        until = time.monotonic() + 60
        while not true():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < until, self.said()
            time.sleep(0.02)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)

    def journal(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.said().splitlines() if line.startswith("{")]


@pytest.fixture
def worker(tmp_path: Path, db: tuple[str, str]) -> Iterator[tuple[Process, int]]:
    """`triage run` that watches a folder and serves metrics."""
    port = free_port()
    incoming = tmp_path / "in"
    made = Process(
        tmp_path, "run", *db, "--watch", incoming, "--settle", "0s", "--metrics", f"127.0.0.1:{port}"
    )  # fmt: skip
    yield made, port
    if made.process.poll() is None:
        made.process.kill()
        made.process.wait()


def test_a_worker_watches_a_folder_fires_and_is_scraped(tmp_path: Path, worker: tuple[Process, int]) -> None:
    process, port = worker
    process.wait_until(lambda: "worker_started" in process.said())
    (tmp_path / "part").write_text(lines("500A", "500B", Subject="Anna is furious") + "oops\n")
    os.replace(tmp_path / "part", tmp_path / "in" / "a.jsonl")
    process.wait_until(lambda: (tmp_path / "in" / "done" / "a.jsonl").exists())
    process.wait_until(lambda: re.search(r"^triage_last_round\S+ [1-9]", scrape(port), re.M) is not None)
    text = scrape(port)
    assert "triage_healthy 1.0" in text
    assert "500A" not in text
    assert process.stop() == 0
    events = [str(line["event"]) for line in process.journal()]
    assert events[0] == "policy"
    assert {"worker_started", "taken_in", "file_taken_in", "worker_stopped"} <= set(events)
    assert "furious" not in process.said()
    refused = json.loads((tmp_path / "in" / "a.jsonl.refused.jsonl").read_text())
    assert refused["line"] == 3


def test_a_restore_over_a_running_worker_is_one_sentence(
    run: Run, tmp_path: Path, db: tuple[str, str], worker: tuple[Process, int]
) -> None:
    process, _ = worker
    assert run("db", "backup", tmp_path / "copy.db", *db).code == 0
    process.wait_until(lambda: "worker_started" in process.said())
    said = run("db", "restore", tmp_path / "copy.db", *db)
    assert (said.code, "another worker runs on this store" in said.err) == (2, True)
    assert process.stop() == 0
    said = run("db", "restore", tmp_path / "copy.db", *db, "--by", "me", "--halt")
    assert said.code == 0
    assert "triage start" in said.out
    assert "restored" in run("audit", *db, "--event", "restored").out
    assert "halted: *" in run("doctor", *db, "--policy", tmp_path / "policy").out


def test_an_address_that_is_taken_or_none_is_one_sentence(run: Run, db: tuple[str, str]) -> None:
    assert "is no address" in run("run", *db, "--metrics", "localhost").err
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = run("run", *db, "--metrics", f"127.0.0.1:{taken.getsockname()[1]}")
    assert said.code == 2
    assert "metrics cannot be served" in said.err


def test_a_folder_is_taken_in_once_and_the_command_ends(run: Run, tmp_path: Path, db: tuple[str, str]) -> None:
    incoming = tmp_path / "in"
    incoming.mkdir()
    (incoming / "a.jsonl").write_text(lines("1", "2"))
    (incoming / "b.jsonl.gz").write_bytes(gzip.compress(lines("3").encode()))
    said = run("ingest", "--watch", incoming, "--once", "--settle", "1s", "--keep", *db)
    assert said.code == 0
    assert [json.loads(line)["event"] for line in said.err.splitlines()].count("file_taken_in") == 2
    assert sorted(path.name for path in incoming.iterdir()) == ["a.jsonl", "b.jsonl.gz"]
    assert "records: 3 total" in run("db", "check", *db).out


def test_ingest_needs_a_file_or_a_folder(run: Run, db: tuple[str, str]) -> None:
    assert run("ingest", *db).code == 2


def test_refused_lines_are_listed_with_their_reason(run: Run, tmp_path: Path, db: tuple[str, str]) -> None:
    (tmp_path / "log.jsonl").write_text("oops\n")
    assert run("refused", *db).code == 0
    run("ingest", tmp_path / "log.jsonl", "--source", "crm", *db)
    said = run("refused", *db, "--json")
    assert said.code == 1
    assert (json.loads(said.out)["source"], json.loads(said.out)["line"]) == ("crm", 1)
    assert "not JSON" in run("refused", *db).out


def test_old_history_is_pruned_after_a_dry_run(run: Run, tmp_path: Path, db: tuple[str, str]) -> None:
    day = 24 * HOUR
    closed = lines("1", ago=500 * day) + lines("1", ago=499 * day, Status="Closed").replace("created", "updated")
    (tmp_path / "log.jsonl").write_text(closed + lines("2"))
    run("ingest", tmp_path / "log.jsonl", *db)
    assert "triage db prune" in run("doctor", *db, "--policy", tmp_path / "policy").out
    dry = run("db", "prune", "--older-than", "400d", "--dry-run", *db)
    assert "would forget the history of 1 records: 2 events" in dry.out
    done = json.loads(run("db", "prune", "--older-than", "400d", *db, "--json").out)
    assert (done["records"], done["rows"]["events"]) == (1, 2)
    assert "triage db prune" not in run("doctor", *db, "--policy", tmp_path / "policy").out
    assert run("db", "prune", "--older-than", "3h", *db).code == 2


def test_a_customer_is_erased_only_with_yes_and_by_somebody(run: Run, tmp_path: Path, db: tuple[str, str]) -> None:
    text = lines("500A1", AccountId="001ANNA", Subject="Kumquat") + lines("500B2", AccountId="001BERT")
    (tmp_path / "log.jsonl").write_text(text)
    run("ingest", tmp_path / "log.jsonl", *db)
    who = ("--customer", "001ANNA", "--by", "dpo", "--reason", "request 7", *db)
    looked = run("erase", *who)
    assert (looked.code, looked.out) == (0, "Case/500A1\n")
    assert b"Kumquat" in stored(tmp_path)
    done = json.loads(run("erase", *who, "--yes", "--json").out)
    assert done["records"] == ["Case/500A1"]
    assert b"Kumquat" not in stored(tmp_path)
    assert run("audit", "--verify", *db).code == 0
    assert run("erase", "--record", "Case/500B2", "--yes", *who[2:]).code == 0
    assert run("erase", "--yes", *who[2:]).code == 2


def stored(tmp_path: Path) -> bytes:
    """Everything in the store's files, as bytes."""
    return b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.name.startswith("t.db"))


def test_the_doctor_knows_the_age_of_a_backup(run: Run, tmp_path: Path, db: tuple[str, str]) -> None:
    checks = ("doctor", *db, "--policy", tmp_path / "policy", "--json")
    before = {one["name"]: one for one in map(json.loads, run(*checks).out.splitlines())}
    run("db", "backup", tmp_path / "copy.db", *db)
    after = {one["name"]: one for one in map(json.loads, run(*checks).out.splitlines())}
    assert "triage db backup" in before["backup"]["found"]
    assert after["backup"]["found"].endswith("old")
    assert {"worker", "refused lines", "backup", "growth", "disk"} <= after.keys()


def test_no_word_of_a_customer_is_in_the_journal_of_the_sample_organisation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its first days live: every body, subject and description, in pieces of four words, is looked for."""
    story = invent(days=2)
    root = Path(__file__).parents[2] / "configs" / "example"
    texts = {file.relative_to(root).as_posix(): file.read_text() for file in root.rglob("*.yaml")}
    store = SqlStore(tmp_path / "t.db", "acme")
    sandbox = Sandbox(SMALL_POLICY, store=store)
    worker = open_worker(store, sandbox.sink, journal=open_journal("debug"))
    publish(store, sandbox.engine, texts, story.events[0].at, actor="test", virtual=True)
    door = Door(worker)
    bad = [encode(event).replace('"at":', '"when":') for event in story.events[:40]]
    for start in range(0, len(story.events), 300):
        batch = story.events[start : start + 300]
        door.take([*batch, *bad], "sample", batch[-1].at)
        worker.drain(batch[-1].at)
    worker.close()
    store.close()
    said = capsys.readouterr().err
    assert said.count('"taken_in"') > 3
    assert spoken(said, story.events) == set()


def spoken(said: str, events: object) -> set[str]:
    """Return the pieces of customers' texts that *said* has."""
    pieces: set[str] = set()
    for event in events:  # type: ignore[attr-defined]
        found = [event.body, event.sender, *(event.changes.get(n, "") for n in ("Subject", "Description", "Name"))]
        for text in found:
            words = str(text).split()
            pieces |= {" ".join(words[n : n + 4]) for n in range(max(1, len(words) - 3))} if text else set()
    assert len(pieces) > 100
    return {piece for piece in pieces if len(piece) > 5 and piece in said}
