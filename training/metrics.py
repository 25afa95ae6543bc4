"""Figures of a model on rows it has not seen, each with a bootstrap interval and what chance or perfection shows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score

BINS = 15
_DRAWS = 200
_MOST_ROWS = 20_000
"""Intervals of larger tables are drawn from so many rows and narrowed by the square root."""

Metrics = dict[str, dict[str, float | None]]


def auc(y: np.ndarray, p: np.ndarray) -> float:
    """Return the area under the ROC curve, NaN where only one class is there."""
    ones = float(y.sum())
    zeros = len(y) - ones
    if not ones or not zeros:
        return float("nan")
    # By ranks: intervals ask for thousands of these, and scikit-learn looks its input over for longer than it counts.
    return float((rankdata(p)[y > 0].sum() - ones * (ones + 1) / 2) / (ones * zeros))


def log_loss(y: np.ndarray, p: np.ndarray) -> float:
    """Return the mean negative log probability of what happened; *p* of shape (n, k)."""
    return float(-np.mean(np.log(np.clip(p[np.arange(len(y)), y], 1e-12, 1))))


def brier(y: np.ndarray, p: np.ndarray) -> float:
    """Return the mean squared distance of *p* (n, k) from what happened; for two classes that of the second alone."""
    if p.shape[1] == 2:
        return float(np.mean((p[:, 1] - (y == 1)) ** 2))
    return float(np.mean(((p - np.eye(p.shape[1])[y]) ** 2).sum(axis=1)))


def ece(y: np.ndarray, p: np.ndarray, bins: int = BINS) -> float:
    """Return the mean gap between probability and share over *bins* bins of equal width, weighted by their rows."""
    place = np.minimum((p * bins).astype(int), bins - 1)
    counts = np.bincount(place, minlength=bins)
    gaps = np.abs(np.bincount(place, p, bins) - np.bincount(place, y, bins))
    return float(gaps.sum() / max(1, counts.sum()))


def lift(y: np.ndarray, p: np.ndarray, share: float) -> float:
    """Return how many times as many positives the top *share* holds as a random one."""
    top = np.argsort(-p, kind="stable")[: max(1, round(len(p) * share))]
    return float(y[top].mean() / y.mean()) if y.mean() > 0 else float("nan")


def gini(actual: np.ndarray, predicted: np.ndarray) -> float:
    """Return the Gini of *actual* sorted by *predicted* over the Gini of *actual* sorted by itself."""

    def area(order: np.ndarray) -> float:
        gained = np.cumsum(actual[order])
        return float(gained.sum() / gained[-1] - (len(actual) + 1) / 2) if gained[-1] > 0 else float("nan")

    best = area(np.argsort(-actual, kind="stable"))
    return area(np.argsort(-predicted, kind="stable")) / best if best else float("nan")


def binary_metrics(y: np.ndarray, p: np.ndarray, flagged: np.ndarray, seed: int = 0) -> Metrics:
    """Return the figures of probabilities *p* (n,) of class 1; *flagged* (n,) are the classes said."""
    both = np.stack([1 - p, p], axis=1)
    rate = float(y.mean())
    chance = -(rate * np.log(rate) + (1 - rate) * np.log(1 - rate)) if 0 < rate < 1 else 0.0
    perfect = _perfect_ece(p, seed)
    table: dict[str, tuple[Callable[[np.ndarray], float], float]] = {
        "auc": (lambda rows: auc(y[rows], p[rows]), 0.5),
        "average_precision": (lambda rows: _precision(y[rows], p[rows]), rate),
        "log_loss": (lambda rows: log_loss(y[rows], both[rows]), chance),
        "brier": (lambda rows: brier(y[rows], both[rows]), rate * (1 - rate)),
        "ece": (lambda rows: ece(y[rows], p[rows]), perfect),
        "macro_f1": (lambda rows: _f1(y[rows], flagged[rows]), 0.5),
        "macro_recall": (lambda rows: _recall(y[rows], flagged[rows]), 0.5),
        "lift10": (lambda rows: lift(y[rows], p[rows], 0.1), 1.0),
        "lift20": (lambda rows: lift(y[rows], p[rows], 0.2), 1.0),
    }
    return _with_intervals(table, len(y), seed)


def class_metrics(y: np.ndarray, p: np.ndarray, said: np.ndarray, *, ordinal: bool, seed: int = 0) -> Metrics:
    """Return the figures of several classes: *p* of shape (n, k); *said* are the steps on the scale, for QWK."""
    k = p.shape[1]
    likely = p.argmax(axis=1)
    rates = np.bincount(y, minlength=k) / len(y)
    table: dict[str, tuple[Callable[[np.ndarray], float], float]] = {
        "auc": (lambda rows: _mean_auc(y[rows], p[rows]), 0.5),
        "log_loss": (
            lambda rows: log_loss(y[rows], p[rows]),
            float(-(rates[rates > 0] * np.log(rates[rates > 0])).sum()),
        ),
        "brier": (lambda rows: brier(y[rows], p[rows]), float(1 - (rates**2).sum())),
        "ece": (lambda rows: ece((likely == y)[rows].astype(float), p.max(axis=1)[rows]), 0.0),
        "macro_f1": (lambda rows: _f1(y[rows], likely[rows]), 1 / k),
        "macro_recall": (lambda rows: _recall(y[rows], likely[rows]), 1 / k),
    }
    if ordinal:
        table["qwk"] = (lambda rows: kappa(y[rows], said[rows]), 0.0)
    return _with_intervals(table, len(y), seed)


def value_metrics(actual: np.ndarray, value: np.ndarray, seed: int = 0) -> Metrics:
    """Return Gini, MAE and R2 of money *value* (n,) against what came of it."""
    mean = float(actual.mean())
    table: dict[str, tuple[Callable[[np.ndarray], float], float]] = {
        "gini": (lambda rows: gini(actual[rows], value[rows]), 0.0),
        "mae": (lambda rows: float(np.abs(actual[rows] - value[rows]).mean()), float(np.abs(actual - mean).mean())),
        "r2": (lambda rows: _r2(actual[rows], value[rows]), 0.0),
    }
    return _with_intervals(table, len(actual), seed)


def _with_intervals(table: dict[str, tuple[Callable[[np.ndarray], float], float]], n: int, seed: int) -> Metrics:
    rng = np.random.RandomState(seed)
    size = min(n, _MOST_ROWS)
    draws = [rng.randint(0, n, size) for _ in range(_DRAWS if n <= _MOST_ROWS else 60)]
    narrow = float(np.sqrt(size / n))
    everyone = np.arange(n)
    found: Metrics = {}
    for name, (measure, floor) in table.items():
        value = measure(everyone)
        with np.errstate(all="ignore"):
            drawn = np.array([measure(rows) for rows in draws])
        drawn = drawn[~np.isnan(drawn)]
        if name == "ece" and len(drawn):
            # Rows drawn twice make gaps that are not there: the draws lie above the value, and are set back onto it.
            drawn = np.maximum(0.0, drawn - drawn.mean() + value)
        low, high = np.quantile(drawn, [0.025, 0.975]) if len(drawn) else (np.nan, np.nan)
        if narrow < 1:
            low, high = value + (low - value) * narrow, value + (high - value) * narrow
        found[name] = {"value": _round(value), "low": _round(low), "high": _round(high), "floor": _round(floor)}
    return found


def _perfect_ece(p: np.ndarray, seed: int) -> float:
    """Return the ECE that a perfectly calibrated model shows by chance on so many rows."""
    rng = np.random.RandomState(seed + 7)
    return float(np.mean([ece((rng.random_sample(len(p)) < p).astype(float), p) for _ in range(20)]))


def _precision(y: np.ndarray, p: np.ndarray) -> float:
    return float(average_precision_score(y, p)) if y.sum() else float("nan")


def _f1(y: np.ndarray, said: np.ndarray) -> float:
    table = _confusion(y, said)
    hits, both = np.diag(table), table.sum(axis=0) + table.sum(axis=1)
    present = both > 0
    return float(np.mean(2 * hits[present] / both[present]))


def _recall(y: np.ndarray, said: np.ndarray) -> float:
    table = _confusion(y, said)
    rows = table.sum(axis=1)
    return float(np.mean(np.diag(table)[rows > 0] / rows[rows > 0]))


def kappa(y: np.ndarray, said: np.ndarray) -> float:
    """Return Cohen's kappa with quadratic weights: 1 for equal steps, 0 for chance."""
    table = _confusion(y, said).astype(float)
    steps = np.arange(len(table))
    far = (steps[:, None] - steps[None, :]) ** 2
    by_chance = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    expected = float((far * by_chance).sum())
    return 1.0 - float((far * table).sum()) / expected if expected else float("nan")


def _confusion(y: np.ndarray, said: np.ndarray) -> np.ndarray:
    size = int(max(y.max(), said.max())) + 1
    return np.bincount(y * size + said, minlength=size * size).reshape(size, size)


def _mean_auc(y: np.ndarray, p: np.ndarray) -> float:
    each = [auc((y == k).astype(int), p[:, k]) for k in range(p.shape[1])]
    return float(np.nanmean(each)) if not np.all(np.isnan(each)) else float("nan")


def _r2(actual: np.ndarray, value: np.ndarray) -> float:
    spread = float(((actual - actual.mean()) ** 2).sum())
    return float(1 - ((actual - value) ** 2).sum() / spread) if spread else float("nan")


def _round(value: float) -> float | None:
    return None if not np.isfinite(value) else round(float(value), 6)
