"""One fit from files to a sealed folder: the exported model is the fitted one, and it tells what it knows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.support.tables import cases, changes, saved
from training.choose import blended
from training.evaluate import evaluate
from training.fit import Fitted, fit
from training.prepare import Request
from triage.errors import IntakeError
from triage.scoring.folder import open_model
from triage.scoring.tabular import table_rows


def test_the_exported_model_is_the_fitted_one(case_model: Fitted) -> None:
    rows = np.arange(len(case_model.prepared.table))
    own = blended(case_model.prepared.rows, rows, case_model.linear, case_model.trees, case_model.choice.share)
    exported = case_model.model.margins(table_rows(case_model.prepared.rows.features))
    assert np.abs(own - exported).max() < 1e-9


def test_one_row_and_many_give_the_same(case_model: Fitted) -> None:
    rows = table_rows(case_model.prepared.rows.features)[:200]
    many = case_model.model.probabilities(rows)
    assert max(abs(case_model.model.chances(row)[1] - both[1]) for row, both in zip(rows, many, strict=True)) < 1e-9


def test_order_means_nothing(case_model: Fitted) -> None:
    rows = table_rows(case_model.prepared.rows.features)[:100]
    there = case_model.model.probabilities(rows)
    back = case_model.model.probabilities(rows[::-1])[::-1]
    assert np.abs(np.array(there) - np.array(back)).max() < 1e-9


def test_what_was_planted_is_found(case_model: Fitted, tmp_path: Path) -> None:
    found = evaluate(case_model.folder, [saved(cases(seed=5), tmp_path)], "y_late")
    assert found["rows"] == 900
    assert found["task"] == "urgency"
    assert found["signal"] is True
    assert set(found["metrics"]) >= {
        "auc",
        "average_precision",
        "log_loss",
        "brier",
        "ece",
        "macro_f1",
        "lift10",
        "lift20",
    }
    auc = found["metrics"]["auc"]
    assert auc["value"] > 0.72
    assert auc["low"] < auc["value"] < auc["high"]
    assert auc["floor"] == 0.5


def test_reasons_name_the_columns_that_matter(case_model: Fitted) -> None:
    spec = case_model.model.spec
    row = table_rows(case_model.prepared.rows.features)[0]._replace(
        text="outage outage", numbers=[np.nan] * len(spec.features.number_names)
    )
    reasons = case_model.model.answer(row).reasons
    assert 1 <= len(reasons) <= 3
    assert any("outage" in reason or "Queue" in reason for reason in reasons)


def test_a_second_fit_seals_the_same_files(case_model: Fitted, tmp_path: Path) -> None:
    request = Request(
        task="urgency",
        data=(saved(cases(), tmp_path),),
        id="CaseId",
        target="y_late",
        time="CreatedDate",
        out=str(tmp_path / "again"),
    )
    again = fit(request)
    for name in ("model.json", "weights.npz", "golden.jsonl", "schema.json", "metrics.json"):
        assert (again.folder / name).read_bytes() == (case_model.folder / name).read_bytes(), name
    assert again.model.version == case_model.model.version


def test_columns_that_were_left_out_may_be_absent(case_model: Fitted, tmp_path: Path) -> None:
    later = saved(cases(seed=6).drop(columns="Same"), tmp_path)
    assert evaluate(case_model.folder, [later], "y_late")["rows"] == 900


def test_a_planted_leak_is_dropped_and_the_fit_goes_on(tmp_path: Path) -> None:
    frame = cases()
    frame["ResolutionHours"] = np.where(frame.y_late == 1, 30.0, 3.0) + np.arange(len(frame)) % 3
    fitted = fit(
        Request(task="urgency", data=(saved(frame, tmp_path),), id="CaseId", target="y_late", out=str(tmp_path / "m"))
    )
    assert "ResolutionHours" in [found.column for found in fitted.prepared.findings if found.drop]
    assert "ResolutionHours" not in fitted.model.spec.features.columns
    assert fitted.with_leaks is not None
    assert fitted.with_leaks[0] > fitted.with_leaks[1] + 0.1


def test_deals_without_signal_rank_by_amount(deal_model: Fitted) -> None:
    spec = deal_model.model.spec
    assert not spec.signal
    answers = deal_model.model.score_table(deal_model.prepared.rows.features)
    assert len({round(answer.score, 9) for answer in answers}) == 1
    assert all(answer.abstained for answer in answers)
    assert all(answer.low <= answer.value <= answer.high for answer in answers)
    assert deal_model.metrics["gini"]["value"] > 0.6


def test_few_positives_bar_promotion_and_say_how_many_are_missing(tmp_path: Path) -> None:
    frame = cases()
    frame.loc[frame[frame.y_late == 1].index[60:], "y_late"] = 0
    fitted = fit(
        Request(task="urgency", data=(saved(frame, tmp_path),), id="CaseId", target="y_late", out=str(tmp_path / "m"))
    )
    assert fitted.manifest["promotable"] is False
    assert "40 more are needed" in fitted.manifest["not_promotable_because"][0]


def test_a_rare_class_is_dealt_so_that_each_slice_has_it(tmp_path: Path) -> None:
    """Seven breaches in 900 cases, all early: slices in time would leave none to judge by."""
    frame = cases().assign(y_late=0)
    frame.loc[[3, 40, 80, 160, 200, 260, 300], "y_late"] = 1
    data = saved(frame, tmp_path)
    fitted = fit(
        Request(task="urgency", data=(data,), id="CaseId", target="y_late", time="CreatedDate", out=str(tmp_path / "m"))
    )
    assert any("too rare for slices in time" in note for note in fitted.prepared.notes)
    assert fitted.manifest["promotable"] is False
    assert evaluate(fitted.folder, [data], "y_late")["rows"] == 900


def test_a_common_class_that_is_gone_lately_is_refused(tmp_path: Path) -> None:
    """The latest fifth has no breach at all though a third had: its outcomes are not known yet."""
    frame = cases()
    frame.loc[frame.index[700:], "y_late"] = 0
    assert "one class only" in refused(frame, tmp_path, time="CreatedDate")


def test_a_card_compares_with_the_order_of_today_and_shows_what_more_rows_bring(tmp_path: Path) -> None:
    """Where the table has a priority, the first line says what it alone finds."""
    frame = cases()
    frame["Priority"] = np.where(np.random.RandomState(2).random_sample(900) < 0.3, "High", "Low")
    data = saved(frame, tmp_path)
    fitted = fit(
        Request(task="urgency", data=(data,), id="CaseId", target="y_late", time="CreatedDate", out=str(tmp_path / "m"))
    )
    text = (fitted.folder / "card.md").read_text()
    assert "Priority alone finds" in text.splitlines()[0]
    assert "learning_curve.png" in text and (fitted.folder / "learning_curve.png").is_file()
    assert [count for count, _ in fitted.curve] == sorted(count for count, _ in fitted.curve)


def test_a_scale_is_cut_into_steps(tmp_path: Path) -> None:
    frame = cases(1200)
    noise = np.random.RandomState(9).randint(0, 3, 1200)
    frame["y_level"] = np.clip((frame.Queue == "south") * 1 + (frame.Seats.fillna(0) > 8) + noise - 1, 0, 3)
    data = saved(frame, tmp_path)
    fitted = fit(
        Request(
            task="urgency", data=(data,), id="CaseId", target="y_level", exclude=("y_late",), out=str(tmp_path / "m")
        )
    )
    found = evaluate(fitted.folder, [data], "y_level")
    assert fitted.model.spec.ordinal
    assert found["metrics"]["qwk"]["value"] > 0.3
    rows = table_rows(fitted.prepared.rows.features)[:50]
    many = np.array(fitted.model.probabilities(rows))
    assert np.abs(many - np.array([fitted.model.chances(row) for row in rows])).max() < 1e-9


def refused(frame: pd.DataFrame, folder: Path, **options: object) -> str:
    request = {"task": "urgency", "id": "CaseId", "target": "y_late", "out": str(folder / "m"), **options}
    with pytest.raises(IntakeError) as caught:
        fit(Request(data=(saved(frame, folder),), **request))  # type: ignore[arg-type]
    return str(caught.value)


def test_an_empty_table_is_refused(tmp_path: Path) -> None:
    assert "no rows" in refused(cases().iloc[:0], tmp_path)


def test_one_class_is_refused(tmp_path: Path) -> None:
    assert "one class only" in refused(cases().assign(y_late=0), tmp_path)


def test_a_target_of_free_text_is_refused(tmp_path: Path) -> None:
    assert "different values" in refused(cases(), tmp_path, target="Subject")


def test_an_unknown_column_is_answered_with_those_there_are(tmp_path: Path) -> None:
    assert "y_late" in refused(cases(), tmp_path, target="y_latte")


def test_keeping_needs_a_reason(tmp_path: Path) -> None:
    assert "--because" in refused(cases(), tmp_path, keep=("Queue",))


def test_nothing_but_id_and_target_is_refused(tmp_path: Path) -> None:
    assert "no column is left" in refused(cases()[["CaseId", "y_late", "Same"]], tmp_path)


def test_odd_columns_are_read_or_left_out_in_words(tmp_path: Path) -> None:
    """JSON, lists, booleans, mixed types, dates in three formats, a number in every row, nothing at all."""
    frame = cases(600)
    rng = np.random.RandomState(3)
    frame["Json"] = [f'{{"a": {number}, "b": "x{number}"}}' for number in range(600)]
    frame["Mixed"] = ["12", "n/a", "", "Yes", "3.5", "true"] * 100
    frame["Flag"] = rng.random_sample(600) < 0.5
    frame["Due"] = ["2026-01-05", "05.01.2026", "Jan 5, 2026"] * 200
    frame["Number"] = np.arange(600) + 1000
    frame["Nothing"] = np.nan
    frame["Tags"] = ["a,b", "b", "c,a"] * 200
    fitted = fit(
        Request(task="urgency", data=(saved(frame, tmp_path),), id="CaseId", target="y_late", out=str(tmp_path / "m"))
    )
    out = fitted.prepared.columns.left_out
    assert "JSON" in out["Json"]
    assert "empty" in out["Nothing"]
    assert "names the row" in out["Number"]
    assert {"Mixed", "Flag", "Tags"} <= set(fitted.model.spec.features.categories)
    open_model(fitted.folder)


def test_one_model_scores_at_the_opening_and_as_the_case_ages(tmp_path: Path) -> None:
    """Rows at several ages: exported = fitted, reasons show no marks of the age, and a case handed on is worse off."""
    frame = cases()
    data, history = saved(frame, tmp_path), saved(changes(frame), tmp_path, "history.csv")
    fitted = fit(
        Request(
            task="urgency", data=(data,), id="CaseId", target="y_late", time="CreatedDate", history=(history,),
            as_of=("0h", "4h"), out=str(tmp_path / "m"),
        )
    )  # fmt: skip
    assert fitted.model.spec.features.ages == (0, 4)
    rows = np.arange(len(fitted.prepared.table))
    own = blended(fitted.prepared.rows, rows, fitted.linear, fitted.trees, fitted.choice.share)
    seen = table_rows(fitted.prepared.rows.features)
    assert np.abs(own - fitted.model.margins(seen)).max() < 1e-9
    assert not any("|" in reason for row in seen[:50] for reason in fitted.model.answer(row).reasons)
    later = cases(seed=7)
    found = {
        age: evaluate(
            fitted.folder, [saved(later, tmp_path, "later.csv")], "y_late",
            history=[saved(changes(later), tmp_path, "later_history.csv")], as_of=(age,),
        )["metrics"]["auc"]["value"]
        for age in ("0h", "4h")
    }  # fmt: skip
    assert found["4h"] > found["0h"] > 0.7


def test_what_begins_late_is_learnt_where_it_can_be(tmp_path: Path) -> None:
    """A column that was empty until lately, a team that is new, one that nearly nobody chose: each is said."""
    frame = cases(600)
    late = frame.index > 520
    frame["Score"] = np.where(late, frame["Seats"], np.nan)
    frame["Team"] = np.where(frame["y_late"] > 0, "north", "south")
    frame.loc[frame.index % 3 == 0, "Team"] = "east"
    frame.loc[late & (frame.index % 2 == 0), "Team"] = "new"
    frame.loc[[5, 300], "Team"] = "odd"
    data = saved(frame.drop(columns=["y_late", "Subject"]), tmp_path)
    fitted = fit(
        Request(task="urgency", data=(data,), id="CaseId", target="Team", time="CreatedDate", out=str(tmp_path / "m"))
    )
    assert fitted.model.spec.classes == ("east", "new", "north", "south")
    told = " ".join(fitted.prepared.notes)
    assert "odd: 2 rows of classes with fewer than 10 were left out" in told
    assert "too new" in told
    assert evaluate(fitted.folder, [data], "Team")["rows"] == 598
