"""Sentiment by the command line: fit and evaluate on tables as people have them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from training.cli import run

_MOODS = {
    "negative": ("This is terrible, I am so angry", "Worst service ever, still broken", "I hate waiting for hours"),
    "neutral": ("Where do I find the form", "Our office moves in June", "What are your opening hours"),
    "positive": ("Great work, thank you so much", "I love the new app", "Wonderful and quick help, thanks"),
}


def _table(path: Path, count: int, moods: dict[str, tuple[str, ...]] = _MOODS) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["Id", "Body", "Mood"])
        for number in range(count):
            mood = list(moods)[number % len(moods)]
            rows.writerow(
                [f"M{number}", f"{moods[mood][number // 3 % 3]}, ticket {number * 7919 % 1000} of {number}", mood]
            )
    return path


def test_a_small_table_is_fitted_and_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = _table(tmp_path / "mail.csv", 120), str(tmp_path / "model")
    asked = ["--data", str(data), "--target", "Mood", "--id", "Id"]
    assert run(["fit", "sentiment", *asked, "--text", "Body", "--out", out]) == 0
    capsys.readouterr()
    later = _table(tmp_path / "later.csv", 30)
    assert run(["evaluate", out, "--data", str(later), "--target", "Mood", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["rows"] == 30
    assert found["task"] == "sentiment"
    assert found["metrics"]["macro_f1"]["value"] > 0.9
    assert set(found["metrics"]["macro_f1"]) == {"value", "low", "high", "floor"}


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (["--target", "Mood", "--id", "Id", "--text", "Bodi"], "no column 'Bodi'"),
        (["--target", "Mod", "--id", "Id"], "'Mod'"),
        (["--id", "Id"], "--target"),
        (["--target", "Mood"], "--id is missing"),
        (["--target", "Body", "--id", "Id", "--text", "Body"], "sentiment needs"),
    ],
)
def test_what_is_missing_or_wrong_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: list[str], told: str
) -> None:
    data = _table(tmp_path / "mail.csv", 90)
    assert run(["fit", "sentiment", "--data", str(data), *asked, "--out", str(tmp_path / "out")]) == 2
    assert told in capsys.readouterr().err


def test_one_class_only_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = _table(tmp_path / "mail.csv", 90, {"positive": _MOODS["positive"]})
    assert (
        run(["fit", "sentiment", "--data", str(data), "--target", "Mood", "--id", "Id", "--out", str(tmp_path / "o")])
        == 2
    )
    assert "one class only" in capsys.readouterr().err
