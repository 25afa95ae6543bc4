"""Codes of levels: no row learns from its own outcome, nor from that of another row of its record."""

from __future__ import annotations

import numpy as np

from training.encoders import Levels, TargetEncoder, fit_codes, folds_of


def test_rows_of_a_group_share_a_fold() -> None:
    """Twenty rows of five records fall into folds record by record."""
    groups = np.repeat(np.arange(5) * 7, 4)
    fold = folds_of(groups, 3, 0)
    assert all(len(set(fold[groups == one])) == 1 for one in np.unique(groups))


def test_a_record_seen_at_several_ages_is_not_told_by_itself() -> None:
    """A level that one record alone has is coded as the mean in its own rows, whatever became of it."""
    y = np.tile([0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0], 50)
    groups = np.repeat(np.arange(100), 4)
    cells = Levels.of([[f"contact {group}"] for group in groups], 1)
    coded = TargetEncoder(0).fit_transform(cells, y[:, None], np.ones(len(y)), groups)[:, 0]
    assert abs(np.corrcoef(coded, y)[0, 1]) < 0.5
    assert abs(coded - 0.5).max() < 0.1
    alone = TargetEncoder(0).fit_transform(cells, y[:, None], np.ones(len(y)), np.arange(len(y)))[:, 0]
    assert np.corrcoef(alone, y)[0, 1] > 0.5


def test_codes_under_two_weights_stand_side_by_side_level_by_level() -> None:
    """Recent rates, then those of all time, for each category in turn; a later row gets both of its level."""
    y = np.concatenate([np.zeros(500), np.ones(500)])
    cells = Levels.of([["a", "x"], ["b", "x"]] * 500, 2)
    late = np.where(np.arange(1000) < 500, 0.01, 1.99)
    codes, seen = fit_codes(cells, y[:, None], [late, np.ones(1000)], np.arange(1000), 0)
    assert seen.shape == (1000, 8)
    found = codes.transform(Levels.of([["a", "new"]], 2))[0]
    assert found[0] > 0.9
    assert abs(found[2] - 0.5) < 0.05
    assert found[5] == found[7] == 0.0
    assert np.abs(seen[:, 2] - 0.5).max() < 0.1
    assert seen[:, 0].min() > 0.9
