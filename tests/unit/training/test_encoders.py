"""Codes of levels: no row learns from its own outcome, nor from that of another row of its record."""

from __future__ import annotations

import numpy as np

from training.encoders import Levels, TargetEncoder, folds_of


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
