"""Which candidate serves: every choice is made by log loss on the rows between fitting and calibration, never later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from training.calibrate import apply, fit_simple
from training.candidates import LinearFit, Rows, TreesFit, fit_linear, fit_trees

DAY = 86_400_000
_SHARES = tuple(np.round(np.linspace(0, 1, 11), 1).tolist())
_ITERATIONS = (25, 45, 75, 110, 150, 200, 260)
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Choice:
    """
    The recipe that won, and what every candidate showed on the choosing slice.

    Attributes:
        half_life: Days after which a row weighs half in the linear model; 0 for none.
        tree_life: The same for the trees.
        strength: C of the linear model.
        iterations: Trees a class.
        leaves: Leaves a tree.
        share: The linear model's share in the blend.
        losses: Candidate -> log loss.
    """

    half_life: float = 0.0
    tree_life: float = 0.0
    strength: float = 1.0
    iterations: int = 200
    leaves: int = 15
    share: float = 0.5
    losses: dict[str, float] = field(default_factory=dict)


def choose(
    rows: Rows, fit: np.ndarray, choosing: np.ndarray, at: np.ndarray | None, base: np.ndarray, seed: int, tell: Tell
) -> Choice:
    """
    Return the recipe with the least log loss on the rows *choosing*, candidates fitted on the rows *fit*.

    Args:
        at: ms UTC of each row where slices follow time, else None: then no row is more recent than another.
        base: array of shape (n_rows,), weights that rows have anyway.
    """
    y = rows.y[choosing]
    losses: dict[str, float] = {}
    best: tuple[float, float, float, np.ndarray] | None = None
    for half_life in half_lives(at, fit):
        weights = recency(at, fit, half_life) * base[fit]
        for strength in _strengths(rows):
            margins = fit_linear(rows, fit, weights, strength).margins(rows, choosing)
            loss = judged(margins, y)
            losses[_name("linear", half_life, strength)] = loss
            if best is None or loss < best[0] - 1e-4:
                best = (loss, half_life, strength, margins)
        tell(f"linear, {_life(half_life)}: {losses[_name('linear', half_life, _strengths(rows)[0])]:.4f}")
    assert best is not None
    _, half_life, strength, linear = best
    trees: tuple[float, int, int, float, np.ndarray] | None = None
    # Trees on too few recent rows choose well on one slice and serve worse on the next: no life below a third.
    for life in half_lives(at, fit)[:2]:
        weights = recency(at, fit, life) * base[fit]
        leaves = 15 if len(fit) >= 9000 else 8
        fitted = fit_trees(rows, fit, weights, seed=seed, iterations=_ITERATIONS[-1] // _slow(rows), leaves=leaves)
        for iterations, margins in fitted.stages(rows, choosing, _ITERATIONS).items():
            loss = judged(margins, y)
            losses[_name("trees", life, iterations)] = loss
            if trees is None or loss < trees[0] - 1e-4:
                trees = (loss, iterations, leaves, life, margins)
        tell(f"trees, {_life(life)}: {min(loss for name, loss in losses.items() if name.startswith('trees')):.4f}")
    assert trees is not None
    share, loss = _blend(linear, trees[4], y)
    losses[f"blend {share:.1f}"] = loss
    tell(f"blend, {share:.0%} linear: {loss:.4f}")
    return Choice(half_life, trees[3], strength, trees[1], trees[2], share, losses)


def fit_choice(
    rows: Rows, at_rows: np.ndarray, choice: Choice, at: np.ndarray | None, base: np.ndarray, seed: int
) -> tuple[LinearFit | None, TreesFit | None]:
    """Return the parts of *choice* fitted on the rows *at_rows*; a part without a share is left out."""
    weights = recency(at, at_rows, choice.half_life) * base[at_rows]
    linear = fit_linear(rows, at_rows, weights, choice.strength) if choice.share > 0 else None
    trees = None
    if choice.share < 1:
        weights = recency(at, at_rows, choice.tree_life) * base[at_rows]
        trees = fit_trees(rows, at_rows, weights, seed=seed, iterations=choice.iterations, leaves=choice.leaves)
    return linear, trees


def blended(rows: Rows, at: np.ndarray, linear: LinearFit | None, trees: TreesFit | None, share: float) -> np.ndarray:
    """Return the blended margins of the rows *at*."""
    total = 0.0
    if linear is not None:
        total = total + share * linear.margins(rows, at)
    if trees is not None:
        total = total + (1 - share) * trees.margins(rows, at)
    return np.asarray(total)


def recency(at: np.ndarray | None, rows: np.ndarray, half_life: float) -> np.ndarray:
    """Return the weight of each of *rows*, mean 1: halved for every *half_life* days before the latest; 0 is even."""
    if at is None or not half_life:
        return np.ones(len(rows))
    known = at[rows].astype(float)
    age = np.clip((known.max() - known) / DAY, 0, 60 * half_life)
    weights = 0.5 ** (age / half_life)
    return weights / weights.mean()


def half_lives(at: np.ndarray | None, fit: np.ndarray) -> tuple[float, ...]:
    """Return the half-lives worth trying, in days: none, a third of the span that *fit* covers, and a sixth of it."""
    if at is None:
        return (0.0,)
    known = at[fit].astype(float)
    low, high = np.quantile(known, [0.01, 1.0])
    span = float(high - low) / DAY
    return (0.0,) if span <= 0 else (0.0, round(span / 3, 4), round(span / 6, 4))


def judged(margins: np.ndarray, y: np.ndarray) -> float:
    """Return the log loss of *margins* once level and spread are set right: what a calibrator mends is no merit."""
    chances = apply(fit_simple(margins, y), margins)
    return float(-np.mean(np.log(np.clip(chances[np.arange(len(y)), y], 1e-6, 1))))


def _blend(linear: np.ndarray, trees: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    found = {share: judged(share * linear + (1 - share) * trees, y) for share in _SHARES}
    share = min(found, key=lambda share: (found[share], abs(share - 0.5)))
    # An even blend is the safer bet where the slice can hardly tell.
    near = [other for other in _SHARES if found[other] <= found[share] + 2e-4]
    share = min(near, key=lambda other: abs(other - 0.5))
    return share, found[share]


def _strengths(rows: Rows) -> tuple[float, ...]:
    return (0.3, 1.0) if sum(rows.grams.widths) else (0.02, 0.1, 0.4)


def _slow(rows: Rows) -> int:
    """Return by how much fewer iterations are tried where each costs one tree a class."""
    return 1 if rows.n_classes == 2 else 2


def _life(half_life: float) -> str:
    return f"half-life {half_life:.1f} days" if half_life else "even weights"


def _name(part: str, half_life: float, what: float) -> str:
    return f"{part}, {_life(half_life)}, {what:g}"
