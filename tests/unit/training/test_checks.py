"""`triage-train audit-data | compare | card | drift` on a fitted model and made tables."""

import json
import shutil

import pytest

from tests.support.tables import cases, saved
from training.cli import run
from triage.scoring.registry import read_verdict


@pytest.fixture
def later(tmp_path):
    return saved(cases(800, seed=5), tmp_path)


def test_a_planted_leak_is_named_and_the_exit_code_tells(tmp_path, capsys):
    frame = cases()
    clean = saved(frame, tmp_path, "clean.csv")
    assert run(["audit-data", "--data", clean, "--target", "y_late", "--id", "CaseId", "--time", "CreatedDate"]) == 0
    assert "no column leaks" in capsys.readouterr().out
    leaking = saved(frame.assign(Zeta=1 - frame["y_late"]), tmp_path, "leaking.parquet")
    assert run(["audit-data", "--data", leaking, "--target", "y_late", "--id", "CaseId", "--json"]) == 1
    assert [one["column"] for one in json.loads(capsys.readouterr().out)["leaks"]] == ["Zeta"]


def test_a_model_is_compared_with_itself_and_the_verdict_is_left_in_its_folder(case_model, later, tmp_path, capsys):
    twin = shutil.copytree(case_model.folder, tmp_path / "twin")
    arguments = ["compare", str(case_model.folder), str(twin), "--data", later, "--target", "y_late"]
    assert run([*arguments, "--segments", "Queue"]) == 0
    said = capsys.readouterr().out
    assert "the challenger may take the champion's place: 800 rows" in said
    assert read_verdict(twin / "gate.json").passed
    assert run([*arguments, "--segments", "Nothing"]) == 2
    assert "no such column" in capsys.readouterr().err


def test_drift_is_none_on_the_same_kind_and_named_on_another(case_model, later, tmp_path, capsys):
    folder = str(case_model.folder)
    assert run(["drift", folder, "--data", later, "--target", "y_late", "--json"]) in (0, 1)
    assert json.loads(capsys.readouterr().out)["rows"] == 800
    moved = cases(800, seed=6).assign(Queue="south", Seats=40.0)
    assert run(["drift", folder, "--data", saved(moved, tmp_path, "moved.csv")]) == 1
    assert capsys.readouterr().out.startswith("fit this model again")


def test_the_card_is_printed_first_line_first(case_model, capsys, tmp_path):
    assert run(["card", str(case_model.folder)]) == 0
    assert capsys.readouterr().out.startswith("# Of ")
    assert run(["card", str(tmp_path)]) == 2
    assert "fit the model again" in capsys.readouterr().err
