"""
How much of what the latest rows say about the level will hold on the next ones: judged on the rows' own past.

A model says how rows differ; how many outcomes there are in all rises, falls, jumps, comes and goes. A calibrator that
is fitted on the latest slice says the latest level. Whether that is the best guess is no matter of taste: it was a
question at every earlier instant as well, and there the answer is known.
"""

from __future__ import annotations

import numpy as np

from training.calibrate import fit_simple
from training.candidates import Rows, fit_linear
from training.encoders import folds_of
from triage.scoring.calibrators import Calibrator

BLOCKS = 20
_LATEST, _NEXT, _FIRST = 3, 3, 6
"""Blocks of the latest slice, of the next one, and before the first place that is judged: 15, 15 and 30 %."""
_FEWEST = 600
_MOST_ROWS = 12_000
"""Rows beyond which levels are read from so many of them, evenly drawn in time."""
UNKNOWN = 0.5
"""What is kept where there are too few rows to tell."""
_LASTS = 1.0
"""What is kept where the rows' levels tell nothing: the latest level is the best guess."""
_FIRMNESS = 0.3
"""Evidence, in squared log odds, that weighs as much as that guess; chosen on made tables of nine kinds of drift."""
_MOST = 1.25
"""A trend is followed by a quarter of the shift at most: more gained little on made tables, and a turn costs more."""


def kept_share(
    rows: Rows, known: np.ndarray, at: np.ndarray | None, base: np.ndarray, strength: float, memory: float
) -> float:
    """
    Return which share of the latest level's shift against the rows before the next rows will keep, from 0 to 1.25.

    0: the level falls back to the mean of all rows; 1: it stays; above 1 it moves on. It is the share that
    would have been best at fourteen earlier places in time (weighted least squares on log odds, which is log loss to
    the second order), drawn towards 1 where the levels moved too little to tell; a half where there are too few rows.

    Args:
        known: Positions of the rows that are learnt from.
        memory: Days that the rows span over the half-life that they are weighed by; 0 for even weights.
    """
    if at is None or len(known) < _FEWEST or rows.n_classes != 2:
        return UNKNOWN
    ordered = known[np.argsort(at[known], kind="stable")]
    ordered = ordered[np.linspace(0, len(ordered) - 1, min(len(ordered), _MOST_ROWS)).astype(int)]
    levels = np.array([level(*part) for part in _blocks(_unseen(rows, ordered, base, strength), rows.y[ordered])])
    now, then = [], []
    for place in range(_FIRST, BLOCKS - _NEXT + 1):
        usual = np.average(levels[:place], weights=0.5 ** (memory * np.arange(place, 0, -1) / place))
        now.append(levels[place - _LATEST : place].mean() - usual)
        then.append(levels[place : place + _NEXT].mean() - usual)
    told, moved = float(np.dot(now, then)), float(np.dot(now, now))
    return float(np.clip((told + _FIRMNESS * _LASTS) / (moved + _FIRMNESS), 0.0, _MOST))


def carried(margins: np.ndarray, y: np.ndarray, share: float) -> Calibrator:
    """
    Return the calibrator of the rows after these: *share* of their level's shift is kept, and half of their slope.

    The slope turns about their mean margin, so that it moves no level. Margins of shape (n_rows, 1).
    """
    slope, offset = fit_simple(margins, y).params
    middle = float(margins.mean())
    shift = (slope - 1) * middle + offset
    slope = (slope + 1) / 2
    return Calibrator(kind="platt", params=(slope, (1 - slope) * middle + share * shift))


def level(margins: np.ndarray, y: np.ndarray) -> float:
    """Return by how much the log odds of *y* (n,) lie above *margins* (n,), drawn a little towards 0."""
    found = 0.0
    for _ in range(20):
        chances = 1 / (1 + np.exp(-np.clip(margins + found, -40, 40)))
        step = ((y - chances).sum() - found) / ((chances * (1 - chances)).sum() + 1)
        found += float(np.clip(step, -1, 1))
    return found


def _unseen(rows: Rows, at_rows: np.ndarray, base: np.ndarray, strength: float) -> np.ndarray:
    """Return margins by linear models that did not see the row, whatever its time: they all know the mean level."""
    fold = folds_of(rows.groups_of(at_rows), 2, 3)
    found = np.zeros(len(at_rows))
    for part in range(2):
        here = fold == part
        others = at_rows[~here]
        found[here] = fit_linear(rows, others, base[others], strength).margins(rows, at_rows[here])[:, 0]
    return found


def _blocks(margins: np.ndarray, y: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    return list(zip(np.array_split(margins, BLOCKS), np.array_split(y, BLOCKS), strict=True))
