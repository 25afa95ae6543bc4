"""What a typical record shows: the middle that reasons are measured from, and where an expected step is cut."""

from __future__ import annotations

from typing import Any

import numpy as np

from training.export import Arrays
from training.metrics import kappa
from training.prepare import Prepared
from triage.scoring.folder import assemble
from triage.scoring.reasons import linear_shares
from triage.scoring.tabular import ModelSpec, table_rows

_SAMPLE = 300


def typical_parts(prepared: Prepared, spec: ModelSpec, arrays: Arrays) -> dict[str, Any]:
    """Return `typical_linear` and `typical_trees`: the mean part of each group in the margins of a few hundred rows."""
    rows = np.unique(np.linspace(0, len(prepared.table) - 1, _SAMPLE).astype(int))
    model = assemble(spec, arrays, "")
    records = table_rows(prepared.rows.features.take(rows))
    found: dict[str, Any] = {}
    grams = [model.grams.active(record.text) for record in records]
    pairs = list(zip(records, grams, strict=True))
    if model.linear is not None and spec.share > 0:
        linear = model.linear
        means = np.mean([linear_shares(linear, record, seen) for record, seen in pairs], axis=0)
        found["typical_linear"] = _rounded(means)
    if model.forest is not None and spec.share < 1:
        forest = model.forest
        seen_rows = [model.tree_row(record, seen) for record, seen in pairs]
        means = np.mean([forest.shares(seen, len(seen)) for seen in seen_rows], axis=0)
        found["typical_trees"] = _rounded(means)
    return found


def cuts_of(y: np.ndarray, chances: np.ndarray) -> tuple[float, ...]:
    """Return where the expected step is cut into steps, for the best quadratic kappa on these rows."""
    steps = chances.shape[1]
    expected = chances @ np.arange(steps)
    cuts = np.arange(steps - 1) + 0.5
    best = _kappa(y, expected, cuts)
    for reach in (0.4, 0.2, 0.1, 0.05):
        for _ in range(2):
            for place in range(steps - 1):
                for move in (-reach, reach):
                    tried = cuts.copy()
                    tried[place] += move
                    found = _kappa(y, expected, tried) if np.all(np.diff(tried) > 0.05) else -1.0
                    if found > best + 1e-4:
                        best, cuts = found, tried
    return tuple(round(float(cut), 6) for cut in cuts)


def _kappa(y: np.ndarray, expected: np.ndarray, cuts: np.ndarray) -> float:
    return kappa(y, np.searchsorted(cuts, expected))


def _rounded(means: np.ndarray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(round(float(value), 6) for value in row) for row in means)
