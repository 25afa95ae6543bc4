"""What more rows would bring: the chosen linear part fitted on ever more of the latest rows, judged on unseen ones."""

from __future__ import annotations

import numpy as np

from training.candidates import Rows, fit_linear
from training.choose import Choice, judged, recency
from training.metrics import auc

_SHARES = (0.125, 0.25, 0.5)
_FEWEST = 100
_MOST_TEXTS = 20_000
"""Rows with text, times outputs, beyond which the time is better spent."""


def learning_curve(
    rows: Rows, fit: np.ndarray, choosing: np.ndarray, at: np.ndarray | None, base: np.ndarray, choice: Choice
) -> list[tuple[int, float]]:
    """
    Return (rows fitted on, AUC on the rows *choosing*) for the latest eighth, quarter, half and all of the rows *fit*.

    Of more than two classes minus the log loss is given. It is the linear part alone, for trees would take most of a
    fit's time again; a table too small for an eighth begins later, and one of many texts has no curve.
    """
    found = []
    outputs = 1 if rows.n_classes == 2 else rows.n_classes
    if sum(rows.grams.widths) and len(fit) * outputs > _MOST_TEXTS:
        return []
    for share in _SHARES:
        latest = fit if at is None else fit[np.argsort(at[fit], kind="stable")]
        part = np.sort(latest[len(latest) - int(len(latest) * share) :])
        if len(part) < _FEWEST or len(np.unique(rows.y[part])) < rows.n_classes:
            continue
        weights = recency(at, part, choice.life_on(at, part)) * base[part]
        margins, y = fit_linear(rows, part, weights, choice.strength).margins(rows, choosing), rows.y[choosing]
        found.append((len(part), auc(y, margins[:, 0]) if rows.n_classes == 2 else -judged(margins, y)))
    return [*found, (len(fit), choice.reached)]
