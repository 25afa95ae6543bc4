"""What one column tells of the target on its own, judged on rows that it was not learnt from."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pandas as pd

FOLDS = 5
_BINS = 32
_PRIOR = 5.0
_CHANCE = 1e-4
_FEW = 20
_NORMAL = NormalDist()


def auc(y: np.ndarray, score: np.ndarray) -> float:
    """Return the chance that a row of class 1 scores above one of class 0, ties half; 0.5 where a class is missing."""
    ranks = pd.Series(score).rank().to_numpy()
    ones = float((y == 1).sum())
    zeros = len(y) - ones
    if not ones or not zeros:
        return 0.5
    return float((ranks[y == 1].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def strength(value: float) -> float:
    """Return the distance between the classes that an AUC stands for, in standard deviations (0.76 is about 1)."""
    return float(2**0.5 * _NORMAL.inv_cdf(min(max(value, 0.5), 1 - 1e-9)))


def binary_views(y: np.ndarray, task: str) -> list[np.ndarray]:
    """Return the target as 0/1 arrays: itself; each class of at least 1 % against the rest; above median and 90 %."""
    if task == "binary":
        return [(y > 0).astype(np.float64)]
    if task == "number":
        return [(y > np.quantile(y, share)).astype(np.float64) for share in (0.5, 0.9)]
    classes, counts = np.unique(y, return_counts=True)
    return [(y == value).astype(np.float64) for value in classes[counts >= max(30, 0.01 * len(y))]]


def codes_of(column: pd.Series) -> np.ndarray:
    """Return int64 codes of shape (n_rows,): 0 missing, else a level, or one of 32 bins of equal counts of a number."""
    if column.dtype.kind in "ifM":
        values = column.astype("int64").to_numpy().astype("float64") if column.dtype.kind == "M" else column.to_numpy()
        values = np.where(column.isna().to_numpy(), np.nan, values.astype("float64"))
        known = values[np.isfinite(values)]
        if not len(known):
            return np.zeros(len(values), dtype=np.int64)
        distinct = np.unique(known)
        # A number of few values is told apart value by value; of many, zero often stands for something of its own.
        edges = distinct if len(distinct) <= _BINS else np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)))
        places = np.searchsorted(edges, values, side="right") + 1
        return np.asarray(np.where(np.isfinite(values), places, 0), dtype=np.int64)
    return np.asarray(pd.factorize(column)[0] + 1, dtype=np.int64)


def out_of_fold(codes: np.ndarray, y: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Return each row's mean target among the rows of its code in the other folds, shrunk to the mean by five rows."""
    found = np.empty(len(y))
    size = int(codes.max()) + 1
    for number in range(FOLDS):
        others = fold != number
        counts = np.bincount(codes[others], minlength=size)
        sums = np.bincount(codes[others], weights=y[others], minlength=size)
        rates = (sums + _PRIOR * y[others].mean()) / (counts + _PRIOR)
        found[~others] = rates[codes[~others]]
    return found


def column_auc(codes: np.ndarray, views: list[np.ndarray], fold: np.ndarray) -> float:
    """Return the best AUC that a column alone reaches for any view of the target, on rows left out."""
    return max(column_aucs(codes, views, fold), default=0.5)


def column_aucs(codes: np.ndarray, views: list[np.ndarray], fold: np.ndarray) -> list[float]:
    """Return the AUC that a column alone reaches for each view of the target, on rows left out."""
    return [auc(view, out_of_fold(codes, view, fold)) for view in views]


def steepness(y: np.ndarray, score: np.ndarray) -> float:
    """
    Return how much of what *score* tells one threshold tells already: 1 for a copy with errors, 0.8 for a bell each.

    It is the best gap between the classes' shares above a threshold, over what the AUC lies above chance, twice.
    """
    reached = auc(y, score)
    if reached <= 0.5:
        return 0.0
    order = np.argsort(-score, kind="stable")
    ones, ranked = y[order] == 1, score[order]
    ends = np.append(ranked[1:] != ranked[:-1], True)
    gaps = np.cumsum(ones) / ones.sum() - np.cumsum(~ones) / (~ones).sum()
    return float(gaps[ends].max() / (2 * reached - 1))


def filled_for_one_class(missing: np.ndarray, views: list[np.ndarray]) -> float:
    """
    Return the share of filled rows in one class where that says something, else 0.

    It does where so many rows would not be of one class by chance: a wide table has many columns that are nearly
    empty. Of a class of nine rows in ten, at least fifteen others have to be missing among them.
    """
    filled = int((~missing).sum())
    if filled < _FEW or missing.mean() < 0.02:
        return 0.0
    best = 0.0
    for view in views:
        for side in (view, 1 - view):
            base, own = float(side.mean()), float(side[~missing].mean())
            others = filled * (1 - base)
            lacking = others >= 15 and filled * (1 - own) <= 0.05 * others
            if (base < 0.9 and base**filled < _CHANCE) or lacking:
                best = max(best, own)
    return best


def missing_auc(missing: np.ndarray, views: list[np.ndarray]) -> float:
    """Return the AUC of being filled or not, whichever way round."""
    found = [auc(view, missing.astype(np.float64)) for view in views]
    return max((max(value, 1 - value) for value in found), default=0.5)


def pure_share(codes: np.ndarray, view: np.ndarray) -> float:
    """Return the share of rows whose value (of 30 rows and more) stands in one class in 98 % and is no base rate."""
    counts = np.bincount(codes)
    ones = np.bincount(codes, weights=view)
    base = view.mean()
    pure = (ones <= 0.02 * base * counts) | (counts - ones <= 0.02 * (1 - base) * counts)
    pure &= counts >= 30
    pure[0] = False
    return float(counts[pure].sum() / len(codes))
