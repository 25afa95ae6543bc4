"""Which candidate serves: every choice is made by log loss on the rows between fitting and calibration, never later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from training.calibrate import apply, fit_simple
from training.candidates import LinearFit, Rows, TreesFit, fit_linear, fit_trees
from training.instants import NO_TIME
from training.metrics import auc
from triage.domain.instant import DAY

_SHARES = tuple(np.round(np.linspace(0, 1, 11), 1).tolist())
_ORIGINS = (0.4, 0.6, 0.8)
_SURE = 2.0
_MEMORY_ROWS = 12_000
"""Rows beyond which memory is judged on so many of them, evenly drawn in time."""
_ITERATIONS = (25, 45, 75, 110, 150, 200, 260)
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Choice:
    """
    The recipe that won, and what every candidate showed on the choosing slice.

    Attributes:
        half_life: Days after which a row weighs half, of rows that span `span` days; 0 for none.
        strength: C of the linear model.
        iterations: Trees a class.
        leaves: Leaves a tree.
        share: The linear model's share in the blend.
        losses: Candidate -> log loss.
        kept: Share of the latest level's shift that the rows after are expected to keep, where slices follow time.
        reached: AUC of the linear part there; of more than two classes minus its log loss.
    """

    half_life: float = 0.0
    strength: float = 1.0
    iterations: int = 200
    leaves: int = 15
    share: float = 0.5
    losses: dict[str, float] = field(default_factory=dict)
    reached: float = 0.0
    span: float = 0.0
    kept: float = 0.5

    def life_on(self, at: np.ndarray | None, rows: np.ndarray) -> float:
        """
        Return the half-life for the *rows*, in days: the longer they span, the longer it is.

        What a memory has to forget lies further back by then: on the shared tables the best one grew with the span.
        """
        return self.half_life * span_of(at, rows) / self.span if self.half_life and self.span else 0.0


class _Tried(NamedTuple):
    """A candidate on rows it was not fitted on: their losses, its strength, iterations or half-life, their margins."""

    rows: np.ndarray
    what: float
    margins: np.ndarray

    @classmethod
    def of(cls, rows: Rows, choosing: np.ndarray, what: float, margins: np.ndarray) -> _Tried:
        """Return the candidate whose *margins* are those of the rows *choosing*."""
        return cls(losses_of(margins, rows.y[choosing]), what, margins)

    @property
    def loss(self) -> float:
        """Mean loss."""
        return float(self.rows.mean())

    def beats(self, other: _Tried, errors: float = 1.0) -> bool:
        """Tell whether it is better by more than so many standard *errors* of the difference on these rows."""
        gain = other.rows - self.rows
        return float(gain.mean()) > max(1e-4, errors * float(gain.std()) / len(gain) ** 0.5)


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
    life = _memory(rows, fit, choosing, at, base, tell)
    weights, y = recency(at, fit, life) * base[fit], rows.y[choosing]
    linear = _simplest(
        [
            _Tried.of(rows, choosing, strength, fit_linear(rows, fit, weights, strength).margins(rows, choosing))
            for strength in _strengths(rows)
        ]
    )
    losses[f"linear, {_life(life)}, {linear.what:g}"] = linear.loss
    tell(f"linear, {_life(life)}: {linear.loss:.4f}")
    reached = auc(y, linear.margins[:, 0]) if rows.n_classes == 2 else -linear.loss
    if rows.text_alone:
        # Trees would see little but the linear part's own margin, for most of the time that a fit takes.
        return Choice(life, strength=linear.what, share=1.0, losses=losses, reached=reached, span=span_of(at, fit))
    leaves = 15 if len(fit) >= 9000 else 8
    fitted = fit_trees(
        rows, fit, weights, seed=seed, iterations=_ITERATIONS[-1] // _slow(rows), leaves=leaves,
        even=base[fit] if life else None,
    )  # fmt: skip
    stages = fitted.stages(rows, choosing, _ITERATIONS)
    trees = _simplest([_Tried.of(rows, choosing, number, margins) for number, margins in stages.items()])
    losses[f"trees, {_life(life)}, {trees.what:g}"] = trees.loss
    tell(f"trees, {_life(life)}: {trees.loss:.4f}")
    share, loss = _blend(linear.margins, trees.margins, y)
    losses[f"blend {share:.1f}"] = loss
    tell(f"blend, {share:.0%} linear: {loss:.4f}")
    return Choice(life, linear.what, int(trees.what), leaves, share, losses, reached, span_of(at, fit))


def _memory(
    rows: Rows, fit: np.ndarray, choosing: np.ndarray, at: np.ndarray | None, base: np.ndarray, tell: Tell
) -> float:
    """
    Return the half-life to weigh rows by, in days; 0, all alike, unless a shorter memory is surely better.

    It is judged by linear models at three places in time, for one slice alone has favoured what the next one punished:
    on the shared tables linear models and trees agree on it, and two standard errors parted real drift from chance.
    """
    lives = half_lives(at, fit)
    if at is None or len(lives) < 2:
        return 0.0
    ordered = fit[np.argsort(at[fit], kind="stable")]
    borders = [int(len(fit) * share) for share in (_ORIGINS if not sum(rows.grams.widths) else _ORIGINS[-1:])]
    later = [*borders[1:], len(fit)]
    places = [(ordered[:start], ordered[start:end]) for start, end in zip(borders, later, strict=True)]
    places = [(early, late) for early, late in [*places, (fit, choosing)] if _tells(rows.y, early, late)]
    best: _Tried | None = None
    for life in lives:
        found = []
        for early, late in places:
            early = np.sort(early[np.linspace(0, len(early) - 1, min(len(early), _MEMORY_ROWS)).astype(int)])
            model = fit_linear(rows, early, recency(at, early, life) * base[early], _strengths(rows)[-1])
            found.append(losses_of(model.margins(rows, late), rows.y[late]))
        if not found:
            return 0.0
        tried = _Tried(np.concatenate(found), life, np.zeros(0))
        tell(f"memory, {_life(life)}: {tried.loss:.4f}")
        best = tried if best is None or tried.beats(best, _SURE) else best
    return 0.0 if best is None else best.what


def _tells(y: np.ndarray, early: np.ndarray, late: np.ndarray) -> bool:
    return len(late) >= 50 and min(len(np.unique(y[early])), len(np.unique(y[late]))) > 1


def _simplest(tried: Sequence[_Tried]) -> _Tried:
    """Return the first of *tried*, the simplest in front, that the best one does not surely beat."""
    best = min(tried, key=lambda one: one.loss)
    return next(one for one in tried if one is best or not best.beats(one))


def fit_choice(
    rows: Rows, at_rows: np.ndarray, choice: Choice, at: np.ndarray | None, base: np.ndarray, seed: int
) -> tuple[LinearFit | None, TreesFit | None]:
    """Return the parts of *choice* fitted on the rows *at_rows*; a part without a share is left out."""
    weights = recency(at, at_rows, choice.life_on(at, at_rows)) * base[at_rows]
    linear = fit_linear(rows, at_rows, weights, choice.strength) if choice.share > 0 else None
    trees = None
    if choice.share < 1:
        even = base[at_rows] if choice.half_life else None
        trees = fit_trees(
            rows, at_rows, weights, seed=seed, iterations=choice.iterations, leaves=choice.leaves, even=even
        )
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
    span = span_of(at, fit)
    return (0.0,) if span <= 0 else (0.0, round(span / 3, 4), round(span / 6, 4))


def span_of(at: np.ndarray | None, rows: np.ndarray) -> float:
    """Return the days that the *rows* span, their oldest hundredth apart; 0 without time."""
    known = np.zeros(0) if at is None else at[rows][at[rows] != NO_TIME].astype(float)
    if not len(known):
        return 0.0
    low, high = np.quantile(known, [0.01, 1.0])
    return float(high - low) / DAY


def judged(margins: np.ndarray, y: np.ndarray) -> float:
    """Return the log loss of *margins* once level and spread are set right: what a calibrator mends is no merit."""
    return float(losses_of(margins, y).mean())


def losses_of(margins: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the same for each row, of shape (n_rows,)."""
    chances = apply(fit_simple(margins, y), margins)
    return np.asarray(-np.log(np.clip(chances[np.arange(len(y)), y], 1e-6, 1)))


def _blend(linear: np.ndarray, trees: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    mixed = {share: share * linear + (1 - share) * trees for share in _SHARES}
    # An even blend is the safer bet where the slice can hardly tell.
    evenly = sorted(_SHARES, key=lambda share: abs(share - 0.5))
    found = _simplest([_Tried(losses_of(mixed[share], y), share, mixed[share]) for share in evenly])
    return found.what, found.loss


def _strengths(rows: Rows) -> tuple[float, ...]:
    if not sum(rows.grams.widths):
        return (0.02, 0.1, 0.4)
    # Each output is a fit on wide text of its own: of several, a second strength would cost more time than it brings.
    return (0.3, 1.0) if rows.n_classes == 2 else (1.0,)


def _slow(rows: Rows) -> int:
    """Return by how much fewer iterations are tried where each costs one tree a class."""
    return 1 if rows.n_classes == 2 else 2


def _life(half_life: float) -> str:
    return f"half-life {half_life:.1f} days" if half_life else "even weights"
