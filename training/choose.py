"""Which candidate serves: every choice is made by log loss on the rows between fitting and calibration, never later."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from training.calibrate import apply, fit_simple
from training.candidates import LinearFit, Rows, TreesFit, fit_linear, fit_trees
from training.metrics import auc

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
        reached: AUC of the linear part there; of more than two classes minus its log loss.
    """

    half_life: float = 0.0
    tree_life: float = 0.0
    strength: float = 1.0
    iterations: int = 200
    leaves: int = 15
    share: float = 0.5
    losses: dict[str, float] = field(default_factory=dict)
    reached: float = 0.0


class _Tried(NamedTuple):
    """A candidate on the choosing slice: loss of each row, days of its half-life, its strength or iterations."""

    rows: np.ndarray
    life: float
    what: float
    margins: np.ndarray

    @classmethod
    def of(cls, rows: Rows, choosing: np.ndarray, life: float, what: float, margins: np.ndarray) -> _Tried:
        """Return the candidate whose *margins* are those of the rows *choosing*."""
        return cls(losses_of(margins, rows.y[choosing]), life, what, margins)

    @property
    def loss(self) -> float:
        """Mean loss."""
        return float(self.rows.mean())

    def beats(self, other: _Tried) -> bool:
        """Tell whether it is better by more than half of what chance makes of two equal ones on these rows."""
        gain = other.rows - self.rows
        return float(gain.mean()) > max(1e-4, 0.5 * float(gain.std()) / len(gain) ** 0.5)


def choose(
    rows: Rows, fit: np.ndarray, choosing: np.ndarray, at: np.ndarray | None, base: np.ndarray, seed: int, tell: Tell
) -> Choice:
    """
    Return the recipe with the least log loss on the rows *choosing*, candidates fitted on the rows *fit*.

    Args:
        at: ms UTC of each row where slices follow time, else None: then no row is more recent than another.
        base: array of shape (n_rows,), weights that rows have anyway.
    """
    losses: dict[str, float] = {}
    linear = _best_linear(rows, fit, choosing, at, base, losses, tell)
    y = rows.y[choosing]
    reached = auc(y, linear.margins[:, 0]) if rows.n_classes == 2 else -linear.loss
    if rows.text_alone:
        # Trees would see little but the linear part's own margin, for most of the time that a fit takes.
        return Choice(linear.life, strength=linear.what, share=1.0, losses=losses, reached=reached)
    leaves = 15 if len(fit) >= 9000 else 8
    trees = _best_trees(rows, fit, choosing, at, base, losses, tell, seed, leaves)
    share, loss = _blend(linear.margins, trees.margins, y)
    losses[f"blend {share:.1f}"] = loss
    tell(f"blend, {share:.0%} linear: {loss:.4f}")
    return Choice(linear.life, trees.life, linear.what, int(trees.what), leaves, share, losses, reached)


def _best_linear(
    rows: Rows, fit: np.ndarray, choosing: np.ndarray, at: np.ndarray | None, base: np.ndarray,
    losses: dict[str, float], tell: Tell,
) -> _Tried:  # fmt: skip
    best: _Tried | None = None
    for life in half_lives(at, fit):
        weights = recency(at, fit, life) * base[fit]
        tried = _least(
            _Tried.of(rows, choosing, life, strength, fit_linear(rows, fit, weights, strength).margins(rows, choosing))
            for strength in _strengths(rows)
        )
        losses[_name("linear", life, tried.what)] = tried.loss
        tell(f"linear, {_life(life)}: {tried.loss:.4f}")
        best = tried if best is None or tried.beats(best) else best
    assert best is not None
    return best


def _best_trees(
    rows: Rows, fit: np.ndarray, choosing: np.ndarray, at: np.ndarray | None, base: np.ndarray,
    losses: dict[str, float], tell: Tell, seed: int, leaves: int,
) -> _Tried:  # fmt: skip
    best: _Tried | None = None
    for life in half_lives(at, fit):
        weights = recency(at, fit, life) * base[fit]
        fitted = fit_trees(rows, fit, weights, seed=seed, iterations=_ITERATIONS[-1] // _slow(rows), leaves=leaves)
        stages = fitted.stages(rows, choosing, _ITERATIONS)
        tried = _least(_Tried.of(rows, choosing, life, number, margins) for number, margins in stages.items())
        losses[_name("trees", life, tried.what)] = tried.loss
        tell(f"trees, {_life(life)}: {tried.loss:.4f}")
        if best is not None and not tried.beats(best):
            # What a shorter memory does not mend, a still shorter one seldom does, and trees take the most time.
            break
        best = tried
    assert best is not None
    return best


def _least(tried: Iterable[_Tried]) -> _Tried:
    """Return the first of *tried* that no later one undercuts by more than a trifle."""
    best: _Tried | None = None
    for one in tried:
        best = one if best is None or one.loss < best.loss - 1e-4 else best
    assert best is not None
    return best


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
    return float(losses_of(margins, y).mean())


def losses_of(margins: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the same for each row, of shape (n_rows,)."""
    chances = apply(fit_simple(margins, y), margins)
    return np.asarray(-np.log(np.clip(chances[np.arange(len(y)), y], 1e-6, 1)))


def _blend(linear: np.ndarray, trees: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    found = {share: judged(share * linear + (1 - share) * trees, y) for share in _SHARES}
    share = min(found, key=lambda share: (found[share], abs(share - 0.5)))
    # An even blend is the safer bet where the slice can hardly tell.
    near = [other for other in _SHARES if found[other] <= found[share] + 2e-4]
    share = min(near, key=lambda other: abs(other - 0.5))
    return share, found[share]


def _strengths(rows: Rows) -> tuple[float, ...]:
    if not sum(rows.grams.widths):
        return (0.02, 0.1, 0.4)
    # Each output is a fit on wide text of its own: of several, a second strength would cost more time than it brings.
    return (0.3, 1.0) if rows.n_classes == 2 else (0.5,)


def _slow(rows: Rows) -> int:
    """Return by how much fewer iterations are tried where each costs one tree a class."""
    return 1 if rows.n_classes == 2 else 2


def _life(half_life: float) -> str:
    return f"half-life {half_life:.1f} days" if half_life else "even weights"


def _name(part: str, half_life: float, what: float) -> str:
    return f"{part}, {_life(half_life)}, {what:g}"
