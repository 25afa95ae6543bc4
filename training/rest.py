"""What many columns reach together: the measure that one suspicious column is held against."""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from training.evidence import auc

_ROWS = 10_000
_LEVELS = 40
_FOLDS = 4


def rest_auc(codes: list[np.ndarray], view: np.ndarray, seed: int) -> float:
    """Return the AUC of all columns *codes* together, by boosted trees on two thirds, judged on the last third."""
    n = len(view)
    rows = np.random.default_rng(seed).permutation(n)[:_ROWS]
    y = view[rows]
    fitted = np.arange(len(rows)) % 3 != 0
    if len(np.unique(y[fitted])) < 2 or len(np.unique(y[~fitted])) < 2:
        return 0.5
    table = np.column_stack([_by_rate(column[rows], y, fitted) for column in codes])
    model = HistGradientBoostingClassifier(
        max_iter=60, max_leaf_nodes=15, min_samples_leaf=30, early_stopping=False, random_state=seed
    ).fit(table[fitted], y[fitted])
    return auc(y[~fitted], model.predict_proba(table[~fitted])[:, 1])


def _by_rate(codes: np.ndarray, y: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """Return codes as they are where they are few, else by the target's mean in the fitted rows of the other folds."""
    size = int(codes.max()) + 1
    if size <= _LEVELS:
        return codes.astype("float64")
    # A row's own target never enters its value, nor does its absence tell it, as it would by leaving one row out.
    fold = np.where(fitted, np.arange(len(codes)) // 3 % _FOLDS, _FOLDS)
    found = np.empty(len(codes))
    for number in range(_FOLDS + 1):
        others = fitted & (fold != number)
        counts = np.bincount(codes[others], minlength=size)
        sums = np.bincount(codes[others], weights=y[others], minlength=size)
        rates = (sums + 5 * y[others].mean()) / (counts + 5)
        found[fold == number] = rates[codes[fold == number]]
    return found
