"""Metrics of three-class readings with their intervals and floors, in the form that `evaluate` prints."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.sentiment_calibrate import macro_f1, macro_recall

Metric = dict[str, float]
_ROUNDS = 200
_BINS = 15


def judge(labels: np.ndarray, probabilities: np.ndarray, said: np.ndarray, *, seed: int = 7) -> dict[str, Metric]:
    """
    Return name -> {"value", "low", "high", "floor"} for macro_f1, macro_recall, log_loss, brier and ece.

    Low and high are the 2.5th and 97.5th percentile over bootstrap rounds; floor is what a model shows that knows only
    the frequencies of the classes (ece: what a perfectly calibrated one shows on as many rows).
    """
    usual = np.bincount(labels, minlength=probabilities.shape[1]) / len(labels)
    even = np.tile(usual, (len(labels), 1))
    common = np.full(len(labels), int(usual.argmax()))
    measures: dict[str, tuple[Callable[[np.ndarray], float], float]] = {
        "macro_f1": (lambda rows: macro_f1(labels[rows], said[rows]), macro_f1(labels, common)),
        "macro_recall": (lambda rows: macro_recall(labels[rows], said[rows]), macro_recall(labels, common)),
        "log_loss": (lambda rows: log_loss(labels[rows], probabilities[rows]), log_loss(labels, even)),
        "brier": (lambda rows: brier(labels[rows], probabilities[rows]), brier(labels, even)),
        "ece": (lambda rows: ece(labels[rows], probabilities[rows]), _perfect_ece(probabilities, seed)),
    }
    random = np.random.default_rng(seed)
    draws = [random.integers(0, len(labels), len(labels)) for _ in range(_ROUNDS)]
    whole = np.arange(len(labels))
    return {name: _metric(measure, floor, whole, draws) for name, (measure, floor) in measures.items()}


def _metric(measure: Callable[[np.ndarray], float], floor: float, whole: np.ndarray, draws: list[np.ndarray]) -> Metric:
    low, high = np.percentile([measure(rows) for rows in draws], [2.5, 97.5])
    numbers = {"value": measure(whole), "low": low, "high": high, "floor": floor}
    return {name: round(float(number), 6) for name, number in numbers.items()}


def log_loss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the mean of minus the log of the probability of what was true."""
    return float(-np.log(np.maximum(probabilities[np.arange(len(labels)), labels], 1e-12)).mean())


def brier(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the mean squared distance, summed over classes (0 best, 2 worst)."""
    return float(((probabilities - np.eye(probabilities.shape[1])[labels]) ** 2).sum(axis=1).mean())


def ece(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Return the expected calibration error of the likeliest class, 15 bins of equal count."""
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    order = np.argsort(sure, kind="stable")
    parts = [part for part in np.array_split(order, _BINS) if len(part)]
    return float(sum(len(part) * abs(sure[part].mean() - right[part].mean()) for part in parts) / len(labels))


def _perfect_ece(probabilities: np.ndarray, seed: int) -> float:
    random = np.random.default_rng(seed)
    steps = probabilities.cumsum(axis=1)
    found = []
    for _ in range(20):
        drawn = (random.random((len(steps), 1)) > steps).sum(axis=1).clip(0, probabilities.shape[1] - 1)
        found.append(ece(drawn, probabilities))
    return float(np.mean(found))
