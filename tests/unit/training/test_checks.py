"""`triage-train audit-data | compare | card | drift` on a fitted model and made tables."""

import json
import shutil

import msgspec
import numpy as np
import pandas as pd
import pytest

from tests.support.tables import cases, deals, saved
from training.cli import _with_config, run
from training.columns import features_of
from training.later import read_later
from training.tables import read_table
from triage.cli.commands import run as score
from triage.scoring.registry import read_verdict
from triage.scoring.tabular import table_rows


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


def test_rows_are_judged_in_other_words_and_types_and_order(case_model, later, tmp_path, capsys):
    """A later file may spell the target another way, hold numbers as text, more columns, and in another order."""
    frame = pd.read_csv(later)
    assert run(["evaluate", str(case_model.folder), "--data", later, "--target", "y_late", "--json"]) == 0
    plain = json.loads(capsys.readouterr().out)
    other = frame.assign(Extra="x", y_late=np.where(frame["y_late"] > 0, "Yes", "No"), Seats=frame["Seats"].astype(str))
    data = saved(other[sorted(other.columns, reverse=True)].drop(columns="Same"), tmp_path, "other.parquet")
    assert run(["evaluate", str(case_model.folder), "--data", data, "--target", "y_late", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == plain
    assert list(plain) == ["rows", "task", "signal", "metrics"]
    assert set(plain["metrics"]["auc"]) == {"value", "low", "high", "floor"}


def test_a_file_without_the_time_is_refused_where_the_model_reads_it(case_model, later, tmp_path, capsys):
    bare = saved(pd.read_csv(later).drop(columns="CreatedDate"), tmp_path, "bare.csv")
    assert run(["evaluate", str(case_model.folder), "--data", bare, "--target", "y_late"]) == 2
    assert "no column 'CreatedDate'" in capsys.readouterr().err


def test_a_time_that_the_model_does_not_read_may_be_absent(deal_model, tmp_path):
    bare = saved(deals(100), tmp_path, "bare.csv")
    spec = msgspec.structs.replace(deal_model.model.spec.features, clock=False, instants=())
    assert read_later(deal_model.folder, spec, [bare]).at is None
    table = read_table([bare], id="DealId", time="Nothing", timed=False)
    assert (table.time, table.at) == (None, None)


def test_an_audit_without_an_id_says_so(later, capsys):
    assert run(["audit-data", "--data", later, "--target", "y_late"]) == 2
    assert capsys.readouterr().err.startswith("--id is missing")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("seed: abc", "seed: 'abc' is not a valid integer"),
        ("nope: 1", "no option 'nope'"),
        ("coverage: 2", "coverage: 2"),
    ],
)
def test_a_configuration_is_held_to_the_types_of_the_options(later, tmp_path, capsys, text, says):
    config = tmp_path / "fit.yaml"
    config.write_text(text)
    line = ["fit", "urgency", "--data", later, "--target", "y_late", "--id", "CaseId", "--out", str(tmp_path / "m")]
    assert run([*line, "--config", str(config)]) == 2
    assert says in capsys.readouterr().err


def test_lists_and_single_values_of_a_configuration_are_as_on_the_command_line(tmp_path):
    config = tmp_path / "fit.yaml"
    config.write_text("exclude: Queue\nas_of: [0h, 4h]\nseed: 3\nhigh_first: true\nkeep:\n")
    given = {"exclude": (), "as_of": "", "seed": 0, "high_first": False, "keep": (), "config": str(config)}
    assert _with_config(given) == {
        "exclude": ("Queue",), "as_of": "0h,4h", "seed": 3, "high_first": True, "keep": (),
    }  # fmt: skip


def test_a_file_is_scored_live_as_it_is_judged(case_model, tmp_path, capsys):
    """Local dates with the day first, decimal commas, and 12.0 for 12: `triage score` reads what training reads."""
    frame = cases(60, seed=7)
    frame["CreatedDate"] = frame["CreatedDate"].dt.strftime("%d.%m.%Y %H:%M")
    frame["Seats"] = [None if seats != seats else f"{seats:.1f}".replace(".", ",") for seats in frame["Seats"]]
    path = tmp_path / "later.csv"
    frame.to_csv(path, index=False, sep=";")
    models = shutil.copytree(case_model.folder, tmp_path / "models" / "urgency" / "1").parents[1]
    line = ["score", str(path), "--models", str(models), "--id", "CaseId", "--time", "CreatedDate", "--json"]
    assert score([*line, "--scores", "urgency"]) == 0
    live = [json.loads(line)["scores"]["urgency.score"] for line in capsys.readouterr().out.splitlines()]
    model = case_model.model
    rows = table_rows(features_of(read_later(case_model.folder, model.spec.features, [str(path)]), model.spec.features))
    assert live == pytest.approx([row[-1] for row in model.probabilities(rows)], abs=1e-6)
