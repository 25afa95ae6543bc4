"""Labels and splits of sentiment rows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.sentiment_rows import label_numbers, prepare, split
from triage.errors import IntakeError


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        ([0, 1, 2], [0, 1, 2]), ([0.0, 2.0, math.nan], [0, 2, -1]), (["Negative", " positive", None], [0, 2, -1]),
        ([-1, 0, 1], [0, 1, 2]), ([0, 1, 0], [0, 2, 0]), (["1", "3", "5"], [0, 1, 2]), (["neg", "", "NaN"], None),
    ],
)  # fmt: skip
def test_labels_of_every_usual_kind_are_read(values: list[object], numbers: list[int] | None) -> None:
    if numbers is None:
        with pytest.raises(IntakeError, match="one class only"):
            label_numbers(values)
    else:
        assert label_numbers(values)[0].tolist() == numbers


@pytest.mark.parametrize(
    ("values", "told"),
    [(["angry", "calm"], "'angry'"), ([], "nothing"), ([1, 1], "one class only"), ([0.5, 1], "'0.5'")],
)
def test_labels_of_no_known_kind_are_refused_by_name(values: list[object], told: str) -> None:
    with pytest.raises(IntakeError, match=told):
        label_numbers(values)


def test_rows_without_text_or_target_are_dropped_and_counted() -> None:
    texts = ["good one", "bad one"] * 50 + ["", None, "> only a quote", "no label"]
    rows = prepare(texts, [2, 0] * 50 + [1, 1, 1, None])
    assert len(rows.said) == 100
    assert rows.notes == ("1 rows have no target: dropped", "3 rows have no text: dropped")


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(IntakeError, match="only 4 rows"):
        prepare(["a", "b"] * 2, [0, 2] * 2)


def test_repeats_stay_on_one_side_and_other_tables_are_never_judged_on() -> None:
    texts = [f"text number {number % 150}" for number in range(300)] + ["from elsewhere"] * 30
    rows = prepare(texts, [0, 1, 2] * 110, [True] * 300 + [False] * 30)
    cut = split(rows, None)
    held = {rows.said[row] for row in np.concatenate([cut.choose, cut.calibrate])}
    assert not held & {rows.said[row] for row in cut.fit}
    assert "from elsewhere" not in held


def test_the_latest_rows_are_held_out_where_times_are_known() -> None:
    rows = prepare([f"words {number} here" for number in range(200)], [0, 2] * 100)
    cut = split(rows, np.arange(200))
    assert cut.calibrate.min() > cut.choose.max() > cut.fit.max()
