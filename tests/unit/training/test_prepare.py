"""Files and options into rows ready to fit: what is kept, what is refused, what is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.support.tables import cases, deals, saved
from training.columns import sort_columns
from training.prepare import Request, prepare
from training.tables import read_table
from triage.errors import IntakeError


def test_whole_numbers_that_nobody_dealt_out_are_no_names(tmp_path: Path) -> None:
    """Incomes of 300 people all differ by chance; numbers of 300 records do not."""
    rng = np.random.RandomState(0)
    frame = pd.DataFrame({
        "Id": [f"r{at}" for at in range(300)], "Income": rng.lognormal(11, 1, 300).astype(int),
        "Number": rng.permutation(300),
    })  # fmt: skip
    columns = sort_columns(read_table([saved(frame, tmp_path)], id="Id"), ["Income", "Number"])
    assert (columns.numbers, list(columns.left_out)) == (["Income"], ["Number"])


def test_stacked_rows_bring_no_class_that_the_table_has_not(tmp_path: Path) -> None:
    """They are to help with the table's own question."""
    more = saved(cases(60, seed=3).assign(y_late=[0, 1, 2] * 20), tmp_path, "more.csv")
    request = Request(
        task="urgency", data=(saved(cases(300), tmp_path),), id="CaseId", target="y_late", also=(more,), out="unused"
    )
    prepared = prepare(request)
    assert prepared.classes.names == ("0", "1")
    assert any("20 rows of --also have a y_late that the table has not" in note for note in prepared.notes)


def test_an_amount_that_nobody_won_is_refused(tmp_path: Path) -> None:
    data = saved(deals(200).assign(y_amount=0), tmp_path)
    with pytest.raises(IntakeError, match="above zero"):
        prepare(Request(task="lead-value", data=(data,), id="DealId", target="y_won", amount="y_amount", out="unused"))


def test_later_ages_without_a_history_are_refused(tmp_path: Path) -> None:
    """Nobody can tell how a record stood then."""
    data = saved(cases(100), tmp_path)
    request = {"task": "urgency", "id": "CaseId", "target": "y_late", "time": "CreatedDate", "out": "unused"}
    with pytest.raises(IntakeError, match="--as-of needs --history"):
        prepare(Request(data=(data,), as_of=("0h", "4h"), **request))
    assert len(prepare(Request(data=(data,), as_of=("0h",), **request)).table) == 100


def test_a_mistyped_segment_is_refused_and_an_idle_pattern_told(tmp_path: Path) -> None:
    """A segment that is not there could have no thresholds; a pattern that leaves nothing out changes nothing."""
    data = saved(cases(100), tmp_path)
    request = {"task": "urgency", "data": (data,), "id": "CaseId", "target": "y_late", "out": "unused"}
    with pytest.raises(IntakeError, match="--segment 'Que'"):
        prepare(Request(segment="Que", **request))
    assert "--exclude Zeta*: no column is called so" in prepare(Request(exclude=("Zeta*",), **request)).notes


def test_dates_without_a_time_are_left_out_in_words(tmp_path: Path) -> None:
    """They count as spans before the row's own instant, which nobody named."""
    data = saved(cases(100), tmp_path)
    request = {"task": "urgency", "data": (data,), "id": "CaseId", "target": "y_late", "out": "unused"}
    assert "name that by --time" in prepare(Request(**request)).columns.left_out["CreatedDate"]
    assert "CreatedDate" not in prepare(Request(time="CreatedDate", **request)).columns.left_out
