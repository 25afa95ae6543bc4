"""Which calibrator turns margins into probabilities: chosen by log loss, cross-validated on the latest slice alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize
from sklearn.isotonic import IsotonicRegression

from triage.scoring.calibrators import EDGE, Calibrator

_FOLDS = 5
_RICHER = 1e-3
_DOUBT = 2.0
"""Rows that a slice without an error is held to have seen of one: else no spread of its margins would do."""
_LEAST_ISOTONIC = 1000
"""Fewer rows than this make steps of chance."""


def choose_calibrator(
    margins: np.ndarray, y: np.ndarray, weights: np.ndarray, seed: int
) -> tuple[Calibrator, np.ndarray]:
    """
    Return the calibrator fitted on all rows, and each row's probabilities under calibrators that did not see it.

    Args:
        margins: ndarray of shape (n_rows, 1) for two classes, else (n_rows, n_classes) of log probabilities.
        y: int array of shape (n_rows,).
        weights: ndarray of shape (n_rows,), recent rows may weigh more.

    Returns:
        The calibrator, and an ndarray of shape (n_rows, n_classes).
    """
    fits = _kinds(margins, y)
    # Neighbours in time stay in one fold where rows come in order: a random fold would call a drifting level known.
    fold = np.random.RandomState(seed).permutation(np.arange(len(y)) % _FOLDS)
    best: tuple[float, str, np.ndarray] | None = None
    for kind, fit in fits.items():
        held = np.zeros((len(y), max(2, margins.shape[1])))
        for part in range(_FOLDS):
            here = fold == part
            held[here] = apply(fit(margins[~here], y[~here], weights[~here]), margins[here])
        loss = float(-np.average(np.log(np.clip(held[np.arange(len(y)), y], EDGE, 1)), weights=weights))
        # A richer kind has to be better by more than chance makes it: what it bends to here is gone on later rows.
        if best is None or loss < best[0] - _RICHER:
            best = (loss, kind, held)
    assert best is not None
    return fits[best[1]](margins, y, weights), best[2]


def apply(calibrator: Calibrator, margins: np.ndarray) -> np.ndarray:
    """Return the probabilities of shape (n_rows, n_classes) that *calibrator* gives to *margins*."""
    if margins.shape[1] == 1:
        second = np.array([calibrator.probability(margin) for margin in margins[:, 0].tolist()])
        return np.stack([1 - second, second], axis=1)
    return np.array([calibrator.probabilities(row) for row in margins])


def _kinds(margins: np.ndarray, y: np.ndarray) -> dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], Calibrator]]:
    if margins.shape[1] > 1:
        return {"none": _none, "temperature": _temperature}
    kinds: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], Calibrator]] = {"none": _none, "platt": _platt}
    if min(y.sum(), len(y) - y.sum()) >= 50:
        kinds["beta"] = _beta
    if len(y) >= _LEAST_ISOTONIC and min(y.sum(), len(y) - y.sum()) >= 200:
        kinds["isotonic"] = _isotonic
    return kinds


def _none(margins: np.ndarray, y: np.ndarray, weights: np.ndarray) -> Calibrator:
    return Calibrator()


def _platt(margins: np.ndarray, y: np.ndarray, weights: np.ndarray) -> Calibrator:
    margin, doubt = margins[:, 0], _DOUBT / len(y)

    def loss(p: np.ndarray) -> float:
        return _logloss(p[0] * margin + p[1], y, weights) + 1e-4 * p[1] ** 2 + doubt * np.log(p[0]) ** 2

    a, b = minimize(loss, np.array([1.0, 0.0]), method="L-BFGS-B", bounds=[(0.01, 20), (-20, 20)]).x
    return Calibrator(kind="platt", params=(float(a), float(b)))


def _beta(margins: np.ndarray, y: np.ndarray, weights: np.ndarray) -> Calibrator:
    margin = margins[:, 0]
    log_p, log_q = -np.logaddexp(0, -margin), -np.logaddexp(0, margin)

    def loss(p: np.ndarray) -> float:
        held = 1e-3 * ((p[0] - 1) ** 2 + (p[1] - 1) ** 2 + p[2] ** 2)
        return _logloss(p[0] * log_p - p[1] * log_q + p[2], y, weights) + held

    start, bounds = np.array([1.0, 1.0, 0.0]), [(0.01, 20), (0.01, 20), (-20, 20)]
    a, b, c = minimize(loss, start, method="L-BFGS-B", bounds=bounds).x
    return Calibrator(kind="beta", params=(float(a), float(b), float(c)))


def _isotonic(margins: np.ndarray, y: np.ndarray, weights: np.ndarray) -> Calibrator:
    model = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(margins[:, 0], y, sample_weight=weights)
    places, values = model.X_thresholds_, model.y_thresholds_
    return Calibrator(kind="isotonic", knots=(tuple(map(float, places)), tuple(map(float, values))))


def _temperature(margins: np.ndarray, y: np.ndarray, weights: np.ndarray) -> Calibrator:
    k = margins.shape[1]

    def loss(p: np.ndarray) -> float:
        scaled = p[0] * margins + p[1:]
        scaled = scaled - scaled.max(axis=1, keepdims=True)
        chosen = scaled[np.arange(len(y)), y] - np.log(np.exp(scaled).sum(axis=1))
        doubt = _DOUBT / len(y) * float(np.log(p[0])) ** 2
        return float(-np.average(chosen, weights=weights)) + 1e-3 * float((p[1:] ** 2).sum()) + doubt

    found = minimize(
        loss, np.concatenate([[1.0], np.zeros(k)]), method="L-BFGS-B", bounds=[(0.05, 20)] + [(-5, 5)] * k
    ).x
    return Calibrator(kind="temperature", params=tuple(map(float, found)))


def _logloss(margin: np.ndarray, y: np.ndarray, weights: np.ndarray) -> float:
    return float(np.average(np.logaddexp(0, margin) - y * margin, weights=weights))


def fit_simple(margins: np.ndarray, y: np.ndarray) -> Calibrator:
    """Return the two-parameter calibrator (or temperature) of *margins*: what candidates are compared under."""
    return (_platt if margins.shape[1] == 1 else _temperature)(margins, y, np.ones(len(y)))
