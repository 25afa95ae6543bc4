"""One record, four ways in: the API, the command, the worker and a replay give the same scores by the same models."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.llm import FIELDS
from triage.cli.commands import run
from triage.config import load_policy
from triage.domain.instant import DAY, format_instant, parse_instant
from triage.domain.work import Event
from triage.engine import PureEngine
from triage.intaking import Door
from triage.keys import create_key
from triage.policy import compile_policy
from triage.ports import Scorer
from triage.publishing import publish
from triage.replay.scoring import score_history
from triage.replay.source import open_history
from triage.serving import Server, local_models, open_api
from triage.sinks import StoreSink
from triage.store.database import SqlStore
from triage.testing import ManualClock
from triage.wiring import SystemClock, open_scorer
from triage.worker import Worker

AT = "2026-03-02T09:30:00Z"
WANTED = "urgency,sentiment,language,complexity"
READS = ("urgency.score >= 0%", "sentiment.score >= -1", "complexity.score >= 0%", 'language.code != "xx"')
RULES = "object: Case\nmatch: all_matches\nrules:\n" + "".join(
    f"  - id: r{number}\n    when:\n      - {leaf}\n    do: [{{reprioritise: {{raise: 1}}}}]\n"
    for number, leaf in enumerate(READS)
)
RECORDS: list[dict[str, Any]] = [
    {
        "Subject": "Outage? Nobody here can work", "Priority": "High", "Status": "New", "AccountId": "001A",
        "Description": "Since this morning nobody can log in. It is the third time!\nError 7\n\n> on Monday you wrote:",
    },
    {"Subject": "Größe „L“ – Frage zum Tarif", "Description": "  Danke.\r\nNur eine Frage  ", "Priority": "nonsense"},
    {"Subject": "", "Description": None, "Priority": "Low", "Seats__c": 12, "Amount__c": 1e3, "Flag__c": True},
]  # fmt: skip
TEXTS = {"fields.yaml": FIELDS, "rules.yaml": RULES}


@pytest.fixture(scope="module")
def models() -> Scorer:
    return open_scorer()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqlStore]:
    made = SqlStore(tmp_path / "t.db", "acme")
    publish(made, PureEngine(), TEXTS, parse_instant(AT) - DAY, actor="tests")
    yield made
    made.close()


def told(event: Event) -> dict[str, Any]:
    apart = ("model_versions", "reasons")
    values = {name: value for name, value in event.scores.items() if name not in apart}
    return {"scores": values, **{name: json.loads(json.dumps(event.scores[name])) for name in apart}}


def by_api(store: SqlStore, record: dict[str, Any]) -> dict[str, Any]:
    scorer, shown = local_models(store)
    server = Server(open_api(store, lambda _: store, scorer=scorer, models=shown), "127.0.0.1", 0)
    now = SystemClock().now()
    key = create_key(store, ("score",), now + DAY, now)[1]
    server.start()
    try:
        body = {"records": [{"Id": "1", "CreatedDate": AT, **record}], "at": AT, "scores": WANTED.split(",")}
        answer = httpx.post(
            f"http://127.0.0.1:{server.port}/v1/score", json=body, headers={"Authorization": f"Bearer {key}"},
            timeout=30, trust_env=False,
        )  # fmt: skip
    finally:
        server.close()
    assert answer.status_code == 200, answer.text
    (result,) = answer.json()["results"]
    return {name: result[name] for name in ("scores", "model_versions", "reasons")}


def by_command(folder: Path, record: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    policy = folder / "policy"
    policy.mkdir()
    for name, text in TEXTS.items():
        (policy / name).write_text(text, encoding="utf-8")
    file = folder / "rows.jsonl"
    file.write_text(json.dumps({"Id": "1", "CreatedDate": AT, **record}), encoding="utf-8")
    asked = ["--json", "--at", AT, "--scores", WANTED, "--policy", str(policy)]
    assert run(["score", str(file), *asked]) == 0
    found = json.loads(capsys.readouterr().out)
    return {name: found[name] for name in ("scores", "model_versions", "reasons")}


def line(record: dict[str, Any]) -> str:
    return json.dumps(
        {"at": AT, "type": "created", "event_id": "e1", "object": "Case", "id": "1", "changes": record}
    )  # fmt: skip


def by_worker(store: SqlStore, record: dict[str, Any], models: Scorer) -> dict[str, Any]:
    now = parse_instant(AT)
    worker = Worker(store, StoreSink(), PureEngine(), ManualClock(now), scorer=models)
    Door(worker).take([line(record)], "crm", now)
    assert worker.score(now) == 1
    worker.close()
    with store.read() as unit:
        (scored,) = [event for event in unit.intake.events("Case/1") if event.type == "scored"]
    return told(scored)


def by_replay(folder: Path, record: dict[str, Any], models: Scorer) -> dict[str, Any]:
    file = folder / "log.jsonl"
    file.write_text(line(record) + "\n", encoding="utf-8")
    policy = compile_policy(load_policy(TEXTS), virtual=True)
    history = score_history(open_history(str(file), policy), models, policy)
    (scored,) = [entry.event for entry in history.entries if entry.event.type == "scored"]
    return told(scored)


@pytest.mark.parametrize("number", range(len(RECORDS)))
def test_a_record_has_the_same_scores_whoever_asks(
    number: int, store: SqlStore, tmp_path: Path, models: Scorer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Values to 6 decimals, model versions and reasons: the API, `triage score`, the worker and a replay agree."""
    record = RECORDS[number]
    worker = by_worker(store, record, models)
    assert worker["scores"]["urgency.score"] == round(worker["scores"]["urgency.score"], 6)
    assert worker["model_versions"]["urgency"]
    assert by_replay(tmp_path, record, models) == worker
    assert by_command(tmp_path, record, capsys) == worker
    assert by_api(store, record) == worker


class Cli:
    """A store and a policy in a folder, and the commands on them."""

    def __init__(self, folder: Path) -> None:
        self.db = str(folder / "cli.db")
        now = SystemClock().now()
        with_rules = SqlStore(folder / "cli.db", "default")
        publish(with_rules, PureEngine(), TEXTS, now, actor="tests")
        with_rules.close()
        log = folder / "now.jsonl"
        log.write_text(line(RECORDS[0]).replace(AT, format_instant(now - 1000)) + "\n", encoding="utf-8")
        assert run(["ingest", str(log), "--db", self.db]) == 0

    def scored(self) -> list[Event]:
        store = SqlStore(Path(self.db), "default")
        with store.read() as unit:
            found = [event for event in unit.intake.events("Case/1") if event.type == "scored"]
        store.close()
        return found


def test_run_scores_what_rules_read_unless_it_is_told_not_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--no-scores` leaves the record as it is; the next drain scores it once."""
    house = Cli(tmp_path)
    assert run(["run", "--drain", "--no-scores", "--db", house.db]) == 0
    assert house.scored() == []
    assert run(["run", "--drain", "--db", house.db]) == 0
    assert run(["run", "--drain", "--db", house.db]) == 0
    (scored,) = house.scored()
    assert set(scored.scores["model_versions"]) >= {"urgency"}
    assert capsys.readouterr().err == ""


def test_without_models_the_worker_warns_and_goes_on(tmp_path: Path) -> None:
    """A folder without models: a line in the journal that names the fix, no score, exit code 0."""
    house = Cli(tmp_path)
    (tmp_path / "none").mkdir()
    program = "import sys; from triage.cli.commands import run; sys.exit(run(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", program, "run", "--drain", "--db", house.db], capture_output=True, text=True, timeout=60,
        env={**os.environ, "TRIAGE_MODELS": str(tmp_path / "none")}, check=True,
    )  # fmt: skip
    warned = json.loads(done.stderr)
    assert (warned["event"], warned["level"]) == ("no_models", "warning")
    assert "TRIAGE_MODELS" in warned["why"]
    assert house.scored() == []
