"""What was known at an instant: ended rows, overdue rows, and nothing of the rest."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from training.instants import NO_TIME
from training.maturity import known_at
from training.tables import Table
from triage.domain.instant import DAY
from triage.errors import IntakeError

BEGIN = 1_767_225_600_000


def instants(at: np.ndarray) -> pd.Series:
    return pd.Series(np.where(at == NO_TIME, np.datetime64("NaT").astype("int64"), at).astype("datetime64[ms]"))


def made(rows: int = 4000) -> tuple[Table, np.ndarray, np.ndarray]:
    """Return rows that are slow where they breach, their target, and their ends."""
    rng = np.random.default_rng(0)
    y = (rng.random(rows) < 0.3).astype(float)
    born = BEGIN + np.sort(rng.integers(0, 60 * DAY, rows))
    spans = np.where(y > 0, 5 * DAY + rng.exponential(6 * DAY, rows), rng.uniform(0, 5 * DAY, rows)).astype(np.int64)
    ends = born + spans
    frame = pd.DataFrame({
        "Id": [f"r{at}" for at in range(rows)], "CreatedDate": instants(born).dt.tz_localize("UTC"),
        "ClosedDate": instants(ends).dt.tz_localize("UTC"),
    })  # fmt: skip
    return Table(frame, "Id", "CreatedDate", born), y, ends


def test_overdue_rows_count_and_others_wait() -> None:
    """Whatever is open for longer than only breaches take has breached; younger open rows are unknown."""
    table, y, ends = made()
    cut = BEGIN + 50 * DAY
    found, weights, notes = known_at(table, y, cut)
    assert table.at is not None
    open_, old = ends > cut, table.at < cut - 6 * DAY
    assert (found[open_ & old] == 1).all()
    assert np.isnan(found[open_ & ~old & (table.at > cut - 4 * DAY)]).all()
    assert np.isnan(found[table.at > cut]).all() and (weights[table.at > cut] == 0).all()
    assert (weights[np.isnan(found)] == 0).all()
    assert "was not known" in notes[0] and "after the cut" in notes[1]


def test_what_the_cut_hides_is_made_up_for() -> None:
    """Breaches are slow, so they are rarer among the known than in truth: weighed, their share is right again."""
    table, y, _ = made()
    cut = BEGIN + 50 * DAY
    found, weights, _ = known_at(table, y, cut)
    seen = np.isfinite(found)
    truth = y[np.asarray(table.at) <= cut].mean()
    assert abs(np.average(found[seen], weights=weights[seen]) - truth) < 0.02


def test_the_future_changes_nothing() -> None:
    """Targets and ends after the cut may be anything."""
    table, y, ends = made()
    cut = BEGIN + 50 * DAY
    found, weights, _ = known_at(table, y, cut)
    late = ends > cut
    table.frame["ClosedDate"] = instants(np.where(late, ends + 30 * DAY, ends)).dt.tz_localize("UTC")
    again, same, _ = known_at(table, np.where(late, 1 - y, y), cut)
    np.testing.assert_array_equal(found, again)
    np.testing.assert_array_equal(weights, same)


def test_without_an_end_or_a_time_the_cut_is_refused() -> None:
    """It says which column is missing."""
    table, y, _ = made(60)
    with pytest.raises(IntakeError, match="ClosedDate"):
        known_at(table.without(["ClosedDate"]), y, BEGIN + DAY)
    with pytest.raises(IntakeError, match="--time"):
        known_at(Table(table.frame, "Id"), y, BEGIN + DAY)
    with pytest.raises(IntakeError, match="no outcome was known"):
        known_at(table, y, BEGIN - DAY)
