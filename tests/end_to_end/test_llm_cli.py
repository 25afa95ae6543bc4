"""`triage llm test|usage|forecast` and what `doctor` says, against a stub of a vendor."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.support.llm import FIELDS, KEY, LLM, case, llm_policy, one, scorer
from tests.support.llm_stub import Stub
from triage.cli.commands import cli, run
from triage.config import load_policy
from triage.store.database import SqlStore
from triage.wiring import SystemClock


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub().running() as running:
        yield running


@pytest.fixture
def folder(stub: Stub, tmp_path: Path) -> Path:
    """A policy that asks the stub, its key in a file."""
    (tmp_path / "key").write_text(KEY + "\n", "utf-8")
    found = tmp_path / "policy"
    found.mkdir()
    text = LLM.replace("http://127.0.0.1:9/v1", stub.endpoint("responses"))
    (found / "llm.yaml").write_text(text.replace("env:TRIAGE_TEST_KEY", f"file:{tmp_path}/key"), "utf-8")
    (found / "fields.yaml").write_text(FIELDS, "utf-8")
    return found


def asked(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["llm", *map(str, arguments)], standalone_mode=False)


def test_a_test_shows_what_is_sent_the_answer_its_tokens_and_its_cost(folder: Path) -> None:
    found = asked("test", "--policy", folder)
    assert found.return_value == 0
    for words in (
        "masked: 2 email, 2 phone",
        "[phone]",
        "urgency:  0.7  Nobody can log in.",
        "'output': 60",
        "$0.0001",
    ):
        assert words in found.output
    assert KEY not in found.output
    assert "jane.doe" not in found.output


def test_a_dry_test_sends_nothing(folder: Path, stub: Stub) -> None:
    found = asked("test", "--dry", "--policy", folder)
    assert (found.return_value, stub.seen) == (0, [])
    assert "nothing was sent" in found.output
    shown = json.loads(asked("test", "--dry", "--json", "--policy", folder).output)
    assert shown["fields"] == ["description", "messages"]


@pytest.mark.parametrize(
    ("manner", "code", "fix"),
    [("401", "auth", "llm.key"), ("403", "forbidden", "llm.model"), ("unknown-model", "unknown_model", "llm.model"),
     ("quota", "quota", "top it up"), ("redirect", "redirected", "llm.endpoint")],
)  # fmt: skip
def test_a_test_names_the_setting_that_is_wrong(folder: Path, stub: Stub, manner: str, code: str, fix: str) -> None:
    stub.answer(manner)
    found = asked("test", "--policy", folder)
    assert found.return_value == 1
    assert code in found.output
    assert fix in found.output
    said = json.loads(asked("test", "--json", "--policy", folder).output)
    assert (said["outcome"], said["cost_micro_usd"]) == (code, 0)
    assert fix in said["fix"]


def test_a_test_without_a_key_says_which_one(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "key").unlink()
    found = asked("test", "--policy", folder)
    assert found.return_value == 1
    assert f"file:{tmp_path}/key" in found.output
    assert "set the secret that llm.key names" in found.output


def test_a_test_of_an_object_that_is_not_asked_about_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["llm", "test", "--object", "Lead", "--policy", str(folder)]) == 2
    assert "nothing is asked about 'Lead'" in capsys.readouterr().err


def test_a_policy_without_the_section_is_told_what_to_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "fields.yaml").write_text(FIELDS, "utf-8")
    assert run(["llm", "usage", "--policy", str(tmp_path), "--db", str(tmp_path / "x.db")]) == 2
    assert "no section llm" in capsys.readouterr().err


def used(folder: Path, database: Path, *manners: str, stub: Stub) -> None:
    """Score one record a manner on the store *database*."""
    store = SqlStore(database, "default")
    policy = load_policy({path.name: path.read_text("utf-8") for path in folder.iterdir()}).llm
    asked = scorer(policy, store=store, clock=SystemClock())
    for number, manner in enumerate(manners):
        stub.answer(manner)
        one(asked, case(str(number), subject=f"s{number}"))
    asked.close()
    store.close()


def test_usage_adds_up_calls_cost_and_agreement(folder: Path, tmp_path: Path, stub: Stub) -> None:
    used(folder, tmp_path / "t.db", "good", "good", "empty", stub=stub)
    where = ("--policy", folder, "--db", tmp_path / "t.db")
    found = asked("usage", *where)
    assert found.return_value == 0
    for words in ("answered", "empty", "3 calls, 2 answered", "sentiment: both models agree on 0 of 2", "asking; $0.0"):
        assert words in found.output
    report = json.loads(asked("usage", "--json", *where).output)["report"]
    assert (report["calls"], report["records"], report["spent"]) == (3, 2, 594)
    assert report["per_thousand"] == 297_000


def test_forecast_tells_how_the_day_ends(folder: Path, tmp_path: Path, stub: Stub) -> None:
    used(folder, tmp_path / "t.db", "good", stub=stub)
    where = ("--policy", folder, "--db", tmp_path / "t.db")
    found = asked("forecast", *where)
    assert "spent today $0.000198 of $5.00" in found.output
    assert json.loads(asked("forecast", "--json", *where).output)["spent"] == 198


def doctor(folder: Path, database: Path) -> dict[str, Any]:
    found = CliRunner().invoke(cli, ["doctor", "--json", "--policy", str(folder), "--db", str(database)])
    checks = [json.loads(line) for line in found.output.splitlines()]
    return next((check for check in checks if check["name"] == "language model"), {})


def test_doctor_is_loud_about_a_wrong_key_and_calm_after_an_answer(folder: Path, tmp_path: Path, stub: Stub) -> None:
    used(folder, tmp_path / "t.db", "401", stub=stub)
    found = doctor(folder, tmp_path / "t.db")
    assert found["mark"] == "fault"
    assert "llm.key" in found["fix"]
    used(folder, tmp_path / "t.db", "good", stub=stub)
    assert doctor(folder, tmp_path / "t.db")["mark"] == "ok"


def test_doctor_says_that_the_key_is_missing(folder: Path, tmp_path: Path) -> None:
    SqlStore(tmp_path / "t.db", "default").close()
    (tmp_path / "key").unlink()
    found = doctor(folder, tmp_path / "t.db")
    assert (found["mark"], "local model answers" in found["found"]) == ("fault", True)


def test_doctor_says_nothing_where_no_model_is_asked(folder: Path, tmp_path: Path) -> None:
    SqlStore(tmp_path / "t.db", "default").close()
    (folder / "llm.yaml").unlink()
    assert doctor(folder, tmp_path / "t.db") == {}


def test_the_example_folder_can_be_tried_without_sending() -> None:
    found = asked("test", "--dry", "--policy", "configs/llm")
    assert found.return_value == 0
    assert llm_policy().model in found.output
