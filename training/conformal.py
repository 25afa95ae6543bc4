"""The thresholds of abstention, learnt from rows that the model did not fit: per segment where it has enough rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from triage.scoring.conformal import Conformal

FEWEST = 150
"""A segment of fewer calibration rows shares the thresholds of the rest."""
_MOST_SEGMENTS = 12


def fit_conformal(
    probabilities: np.ndarray,
    y: np.ndarray,
    categories: Sequence[Sequence[str]],
    *,
    names: Sequence[str],
    column: str = "",
    coverage: float = 0.9,
) -> Conformal:
    """
    Return the thresholds under which the true outcome stays possible in a share *coverage* of each segment.

    Args:
        probabilities: ndarray of shape (n_rows, n_classes), of a calibrator that did not see the row.
        y: int array of shape (n_rows,).
        names: The names of the *categories*, of which *column* is one; "" picks one with few, large levels.
    """
    misses = 1.0 - probabilities[np.arange(len(y)), y]
    place = _segment_place(categories, names, column)
    segments: dict[str, tuple[float, ...]] = {}
    if place >= 0:
        cells = np.array([row[place] for row in categories])
        for level in sorted(set(cells.tolist())):
            here = cells == level
            if here.sum() >= FEWEST:
                segments[level] = (_quantile(misses[here], coverage),)
    classes = probabilities.shape[1]
    return Conformal(
        coverage=coverage,
        column=names[place] if place >= 0 else "",
        place=place,
        segments=segments,
        rest=(_quantile(misses, coverage),),
        most=1 if classes == 2 else max(1, classes // 2),
    )


def _segment_place(categories: Sequence[Sequence[str]], names: Sequence[str], column: str) -> int:
    if column:
        return list(names).index(column) if column in names else -1
    best, most = -1, 0
    for place, name in enumerate(names):
        if name.startswith("opened.") or " + " in name:
            continue
        levels, counts = np.unique([row[place] for row in categories], return_counts=True)
        large = int((counts >= FEWEST).sum())
        if len(levels) <= _MOST_SEGMENTS and large > max(1, most):
            best, most = place, large
    return best


def _quantile(misses: np.ndarray, coverage: float) -> float:
    """Return the ceil((n + 1) x coverage)-th smallest miss: the finite-sample quantile; 1 where n is too small."""
    rank = int(np.ceil((len(misses) + 1) * coverage))
    return 1.0 if rank > len(misses) else float(np.sort(misses)[rank - 1])
