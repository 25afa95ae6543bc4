"""Calibration of a sentiment model on texts it did not fit: temperature and shifts, the lean, and when to abstain."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np
from scipy.optimize import minimize

from triage.scoring.sentiment import softmax

LEANS = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0)
_PULL = 1e-3


def fit_scaling(logits: np.ndarray, labels: np.ndarray) -> tuple[float, tuple[float, ...]]:
    """Return (temperature, shift by class) with the least log loss of softmax(logits / temperature + shift)."""
    count = logits.shape[1]

    def loss(numbers: np.ndarray) -> float:
        shares = softmax(logits / math.exp(numbers[0]) + np.append(numbers[1:], 0.0))
        kept = shares[np.arange(len(labels)), labels]
        return float(-np.log(np.maximum(kept, 1e-12)).mean() + _PULL * (numbers**2).sum())

    best = minimize(
        loss, np.zeros(count), method="Nelder-Mead", options={"maxiter": 2000, "xatol": 1e-5, "fatol": 1e-8}
    ).x
    shift = np.append(best[1:], 0.0)
    return float(math.exp(best[0])), tuple((shift - shift.mean()).tolist())


def scaled_loss(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the log loss of *logits* after they were scaled on these very *labels*: what tells candidates apart."""
    temperature, shift = fit_scaling(logits, labels)
    shares = softmax(logits / temperature + np.array(shift))
    return float(-np.log(np.maximum(shares[np.arange(len(labels)), labels], 1e-12)).mean())


def fit_lean(probabilities: np.ndarray, labels: np.ndarray) -> tuple[float, ...]:
    """
    Return what to add to log probabilities before choosing, so that rare classes are not missed.

    A share of minus the log of each class's frequency; the share with the best mean of macro-F1 and macro recall,
    smoothed over its neighbours, because one slice is small.
    """
    counts = np.bincount(labels, minlength=probabilities.shape[1]) + 1.0
    full = np.where(counts > 1, -np.log(counts / counts.sum()), 0.0)
    logs = np.log(np.maximum(probabilities, 1e-12))
    marks = []
    for share in LEANS:
        said = (logs + share * full).argmax(axis=1)
        marks.append((macro_f1(labels, said) + macro_recall(labels, said)) / 2)
    smooth = np.convolve(np.pad(marks, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    chosen = LEANS[int(smooth.argmax())] * full
    return tuple((chosen - chosen.mean()).tolist())


def fit_thresholds(
    probabilities: np.ndarray, labels: np.ndarray, coverage: float, never: Collection[int] = ()
) -> tuple[float, ...]:
    """
    Return for each class the 1 - p under which *coverage* of its own texts lie.

    1, always possible, where it has too few; -1, never possible, for classes that the target *never* has.
    """
    found = []
    for which in range(probabilities.shape[1]):
        if which in never:
            found.append(-1.0)
            continue
        odd = np.sort(1.0 - probabilities[labels == which, which])
        rank = math.ceil((len(odd) + 1) * coverage)
        found.append(float(odd[rank - 1]) if rank <= len(odd) else 1.0)
    return tuple(found)


def macro_f1(labels: np.ndarray, said: np.ndarray) -> float:
    """Return the mean F1 over the classes that occur in *labels*."""
    parts = []
    for which in np.unique(labels):
        both = float(((labels == which) & (said == which)).sum())
        parts.append(2 * both / float((labels == which).sum() + (said == which).sum()))
    return float(np.mean(parts))


def macro_recall(labels: np.ndarray, said: np.ndarray) -> float:
    """Return the mean recall over the classes that occur in *labels*."""
    return float(np.mean([(said[labels == which] == which).mean() for which in np.unique(labels)]))
