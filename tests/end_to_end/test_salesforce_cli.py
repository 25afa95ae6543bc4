"""The commands from sandbox to log row, each a process of its own: sandbox, check, run."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.metadata import write_files
from triage.engine import PureEngine
from triage.publishing import promote, publish
from triage.salesforce.client import Client
from triage.salesforce.settings import read_connection
from triage.wiring import SystemClock, open_store

PATIENCE = 60.0
"""Seconds after which a test gives up; nothing here takes so long."""

CODE = "from triage.cli.main import main; main()"
TEXTS = {
    "fields.yaml": """
objects:
  Case:
    fields:
      priority: {from: Priority, values: [Low, Medium, High, Critical], ordered: true}
      subject: Subject
      owner: OwnerId
""",
    "rules.yaml": """
object: Case
match: all_matches
rules:
  - id: shout
    when: [subject contains URGENT]
    do: [{reprioritise: {to: Critical}}]
""",
}
BARE = {key: value for key, value in os.environ.items() if not key.startswith("TRIAGE_")}


def triage(*arguments: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    command = [sys.executable, "-W", "error", "-c", CODE, *arguments]
    return subprocess.run(command, env={**BARE, **env}, capture_output=True, text=True, timeout=PATIENCE, check=False)


@contextmanager
def running(*arguments: str, env: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run one command until the end of the block, then let Ctrl-C stop it."""
    command = [sys.executable, "-W", "error", "-c", CODE, *arguments]
    process = subprocess.Popen(
        command, env={**BARE, **env}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=PATIENCE)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A sandbox with the sample organisation in its own process; what it says about getting in."""
    folder = str(tmp_path_factory.mktemp("tls"))
    with running("sandbox", "--json", "--cases", "4", "--folder", folder, env={}) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        yield said["environment"]
    assert process.returncode == 0


def client(environment: Mapping[str, str]) -> Client:
    """Return a client for looking at the organisation from outside."""
    return Client(read_connection(environment), lambda: time.time_ns() // 1_000_000, lambda millis: None)


def wait_for(found: Any) -> None:
    """Wait until *found* says that it is so."""
    end = time.monotonic() + PATIENCE
    while not found():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_the_check_says_what_is_there_and_what_is_missing(sandbox: dict[str, str]) -> None:
    """Login, organisation, fields, package, limits; no secret stands in what is printed."""
    done = triage("salesforce", "check", "--json", "--policy", "configs/example", env=sandbox)
    said = json.loads(done.stdout)
    marks = {check["name"]: check.get("mark", "ok") for check in said["checks"]}
    assert (done.returncode, set(marks.values())) == (0, {"ok"}), done.stderr
    assert {"salesforce login", "salesforce fields", "salesforce package", "salesforce deployment"} <= set(marks)
    assert said["connection"]["password"] == "***"


def test_a_worker_reads_the_organisation_and_writes_back(sandbox: dict[str, str], tmp_path: Path) -> None:
    """First sync, change events, an action with its log row, by `triage run --salesforce --sink salesforce`."""
    clock, database = SystemClock(), tmp_path / "triage.db"
    with contextlib.closing(open_store(str(database), "default")) as store:
        publish(store, PureEngine(), TEXTS, clock.now(), actor="me")
        promote(store, PureEngine(), "shout", "act", clock.now(), actor="me", reason="test")
    env = {**sandbox, "TRIAGE_DATABASE_URL": str(database)}
    there = client(sandbox)
    with running("run", "--salesforce", "--sink", "salesforce", env=env) as worker:
        assert worker.stderr is not None
        # What is there before the first sync is backlog: nothing may be done about it by itself.
        assert any("salesforce_sync" in line and '"Case"' in line for line in worker.stderr)
        made = there.rest("POST", "sobjects/Case", {"Subject": "URGENT: help", "Priority": "Low"})
        case = f"SELECT Priority FROM Case WHERE Id = '{made['id']}'"
        wait_for(lambda: there.query(case) == [{"Priority": "Critical"}])
    (row,) = there.query("SELECT Rule__c, Record_Id__c, Status__c FROM Triage_Log__c")
    assert row == {"Rule__c": "shout", "Record_Id__c": made["id"], "Status__c": "Done"}
    with contextlib.closing(open_store(str(database), "default")) as store, store.read() as unit:
        assert unit.outbox.counts() == {"done": 1}
    there.close()


def test_rules_of_salesforce_are_published_and_asked_for_where_it_is_not_connected(
    sandbox: dict[str, str], tmp_path: Path
) -> None:
    """`rules: {source: salesforce}` in a folder; the sample organisation has no such rules yet."""
    folder = tmp_path / "policy"
    folder.mkdir()
    for name, text in {**TEXTS, "setup.yaml": "object: Case\nrules: {source: salesforce}\n"}.items():
        (folder / name).write_text(text, encoding="utf-8")
    given = ("policy", "publish", "--policy", str(folder), "--by", "me", "--reason", "test", "--json")
    env = {"TRIAGE_DATABASE_URL": str(tmp_path / "triage.db")}
    alone = triage(*given, env=env)
    assert alone.returncode == 2
    assert "no Salesforce organisation is connected" in alone.stderr
    done = triage(*given, env={**sandbox, **env})
    assert (done.returncode, json.loads(done.stdout)["added"]) == (0, ["shout"]), done.stderr


def test_tryout_reads_the_connected_organisation_and_writes_nothing_but_the_page(
    sandbox: dict[str, str], tmp_path: Path
) -> None:
    """Records, their history and mail come from queries alone."""
    write_files(tmp_path / "policy", TEXTS)
    page = tmp_path / "page.html"
    said = triage("tryout", "--salesforce", "--policy", str(tmp_path / "policy"), "--out", str(page), env=sandbox)
    assert said.returncode == 0, said.stderr
    assert "records" in said.stdout
    text = page.read_text()
    assert "Case.csv" in text
    assert "CaseHistory.csv" in text
    said = triage("tryout", "--policy", str(tmp_path / "policy"), "--out", str(page), env=sandbox)
    assert said.returncode == 2
    assert "--salesforce" in said.stderr
