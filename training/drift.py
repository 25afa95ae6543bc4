"""How far live rows have moved from those a model was calibrated on, and whether that is a reason to fit it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from triage.scoring.drift import FEWEST, MOVED, REFERENCE, SHIFTED, Reference, psi, read_reference

__all__ = [
    "REFERENCE",
    "Drift",
    "Reference",
    "as_json",
    "measure",
    "psi",
    "read_reference",
    "reference_of",
    "sentences",
]

_BINS = 10
_GAP = 0.05
_SURE = 3.0


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """
    What was found on live rows.

    Attributes:
        psi: Of the score; 0 is no change.
        segments: column -> psi.
        said, came_true: Mean score, and share of ones among the rows whose outcome is known (None: none is).
        gap: Mean absolute difference of the two over ten bins of score, by rows; None without outcomes.
        retrain: Whether to fit again.
        because: Why, as sentences; what moved without being a reason stands there too.
    """

    rows: int
    psi: float
    segments: dict[str, float]
    said: float
    came_true: float | None
    gap: float | None
    retrain: bool
    because: tuple[str, ...]


def reference_of(positive: np.ndarray, chance: np.ndarray, segments: Mapping[str, np.ndarray]) -> bytes:
    """Return the JSON text that `read_reference` reads, of the rows a model was calibrated on."""
    edges = np.unique(np.quantile(chance, np.linspace(0, 1, _BINS + 1)[1:-1]))
    places = np.searchsorted(edges, chance, side="right")
    counts = np.bincount(places, minlength=len(edges) + 1)
    rates = np.bincount(places, weights=positive, minlength=len(edges) + 1) / np.maximum(counts, 1)
    found = Reference(
        rows=len(chance),
        edges=tuple(edges.tolist()),
        shares=tuple((counts / max(1, len(chance))).tolist()),
        rates=tuple(rates.tolist()),
        segments={column: _shares(values) for column, values in segments.items()},
    )
    return msgspec.json.encode(found, order="deterministic")


def measure(
    reference: Reference,
    chance: np.ndarray,
    y: np.ndarray | None = None,
    segments: Mapping[str, np.ndarray] | None = None,
) -> Drift:
    """
    Return how far live scores have drifted from *reference*.

    Population: a stability index from 0.25 on is a reason to fit again, from 0.1 on a remark. Calibration: mean score
    against what came true, a reason where they differ by more than 0.05 and by more than three standard errors.
    Fewer than 100 rows are no reason for anything.

    Args:
        chance: array of shape (n_rows,), live scores.
        y: array of shape (n_rows,), 0, 1, or NaN where the outcome is not known yet; None: none is.
    """
    places = np.searchsorted(np.asarray(reference.edges), chance, side="right")
    shares = np.bincount(places, minlength=len(reference.shares)) / max(1, len(chance))
    score = psi(reference.shares, shares.tolist())
    moved = {column: _segment_psi(reference.segments[column], values) for column, values in (segments or {}).items()
             if column in reference.segments}  # fmt: skip
    because, reasons = [], 0
    for what, value in (("the scores", score), *moved.items()):
        if value >= MOVED:
            strong = value >= SHIFTED and len(chance) >= FEWEST
            reasons += strong
            told = f"from {SHIFTED:g} on the model is to be fitted again" if strong else "worth a look"
            because.append(f"{what}: population stability index {value:.2f} ({told})")
    said, came_true, gap = float(np.mean(chance)) if len(chance) else 0.0, None, None
    known = np.zeros(len(chance), dtype=bool) if y is None else np.isfinite(y)
    if y is not None and known.any():
        came_true = float(y[known].mean())
        gap = _gap(chance[known], y[known])
        off = float(chance[known].mean()) - came_true
        error = float(np.sqrt(max(came_true * (1 - came_true), 1e-4) / known.sum()))
        if known.sum() >= FEWEST and abs(off) > max(_GAP, _SURE * error):
            reasons += 1
            because.append(f"calibration: it said {chance[known].mean():.0%} on average, {came_true:.0%} came true")
    if len(chance) < FEWEST:
        because.append(f"{len(chance)} rows are too few to judge by: {FEWEST} are the least")
    return Drift(
        rows=len(chance),
        psi=round(score, 4),
        segments={column: round(value, 4) for column, value in moved.items()},
        said=round(said, 4),
        came_true=None if came_true is None else round(came_true, 4),
        gap=None if gap is None else round(gap, 4),
        retrain=reasons > 0,
        because=tuple(because),
    )


def sentences(drift: Drift) -> list[str]:
    """Return *drift* for a person: the verdict first."""
    head = "fit this model again" if drift.retrain else "no reason to fit this model again"
    return [f"{head} ({drift.rows:,} live rows, stability index of the score {drift.psi:.2f})", *drift.because]


def as_json(drift: Drift) -> dict[str, Any]:
    """Return *drift* as plain values."""
    found: dict[str, Any] = msgspec.to_builtins(drift)
    return found


def _shares(values: np.ndarray) -> dict[str, float]:
    names, counts = np.unique(np.array([str(value) for value in values]), return_counts=True)
    return {str(name): float(count) / len(values) for name, count in zip(names, counts, strict=True)}


def _segment_psi(before: Mapping[str, float], values: Sequence[Any] | np.ndarray) -> float:
    after = _shares(np.asarray(values))
    names = sorted({*before, *after})
    return psi([before.get(name, 0.0) for name in names], [after.get(name, 0.0) for name in names])


def _gap(chance: np.ndarray, y: np.ndarray) -> float:
    bins = [part for part in np.array_split(np.argsort(chance, kind="stable"), _BINS) if len(part)]
    return float(sum(abs(chance[part].mean() - y[part].mean()) * len(part) for part in bins) / len(chance))
