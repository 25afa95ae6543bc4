"""Exported trees against scikit-learn's own, missing values included."""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from training.encoders import Bins
from training.export import forest_arrays
from triage.scoring.trees import ARRAYS, Forest


def fitted(classes: int) -> tuple[Forest, HistGradientBoostingClassifier, Bins, np.ndarray]:
    rng = np.random.RandomState(0)
    matrix = rng.normal(size=(1500, 5))
    matrix[:, 3] = np.round(matrix[:, 3])
    matrix[rng.random_sample(matrix.shape) < 0.15] = np.nan
    y = rng.randint(0, classes, 1500)
    y[np.nan_to_num(matrix[:, 0]) > 0.5] = 0
    bins = Bins(matrix)
    trees = HistGradientBoostingClassifier(max_iter=30, max_leaf_nodes=8, random_state=0)
    trees.fit(bins.transform(matrix), y, sample_weight=rng.random_sample(1500))
    arrays = forest_arrays([trees], bins, "t")
    return Forest({name: arrays[f"t.{name}"] for name in ARRAYS}), trees, bins, matrix


def test_two_classes_agree_with_scikit_learn() -> None:
    forest, trees, bins, matrix = fitted(2)
    want = trees.decision_function(bins.transform(matrix))
    assert np.abs(forest.many(matrix)[:, 0] - want).max() < 1e-9
    assert max(abs(forest.single(row)[0] - margin) for row, margin in zip(matrix.tolist(), want, strict=True)) < 1e-9


def test_three_classes_agree_with_scikit_learn() -> None:
    forest, trees, bins, matrix = fitted(3)
    want = trees.decision_function(bins.transform(matrix))
    assert np.abs(forest.many(matrix) - want).max() < 1e-9
    assert np.abs(np.array([forest.single(row) for row in matrix[:200].tolist()]) - want[:200]).max() < 1e-9


def test_rows_outside_everything_seen_agree_too() -> None:
    forest, trees, bins, _ = fitted(2)
    strange = np.array([[1e12] * 5, [-1e12] * 5, [np.nan] * 5, [0.0] * 5])
    assert np.abs(forest.many(strange)[:, 0] - trees.decision_function(bins.transform(strange))).max() < 1e-9


def test_shares_add_up_to_the_way_from_the_roots_to_the_leaves() -> None:
    forest, _, _, matrix = fitted(2)
    row = matrix[7].tolist()
    roots = forest.value[forest.roots].sum()
    assert np.isclose(forest.shares(row, 5).sum(), forest.single(row)[0] - forest.baseline[0] - roots)
