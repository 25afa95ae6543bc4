"""The candidates that compete: a linear model, boosted trees, and their blend. Fitted here, exported elsewhere."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import scipy.sparse as sparse
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from training.encoders import (
    Bins,
    GramMatrix,
    LevelEncoder,
    Levels,
    NumberEncoder,
    TargetEncoder,
    fit_codes,
    folds_of,
    linear_shape,
)
from triage.features import FeatureTable
from triage.scoring.linear import LinearShape
from triage.scoring.tabular import class_margins, log_softmax

_TEXT_FOLDS = 4
_Fit = TypeVar("_Fit")


@dataclass
class Rows:
    """
    All that candidates are fitted on, for every row of the table at once.

    Attributes:
        features: The feature table.
        grams: TF-IDF of its texts.
        y: int64 array of shape (n_rows,), the class.
        n_classes: How many there are.
        ordinal: Whether the classes are steps of one scale.
        crosses: How many of the last categories are pairs of others.
        groups: int64 array of shape (n_rows,), equal for rows of one record (or of duplicates); None: each its own.
    """

    features: FeatureTable
    grams: GramMatrix
    y: np.ndarray
    n_classes: int
    ordinal: bool
    crosses: int = 0
    groups: np.ndarray | None = None

    @cached_property
    def levels(self) -> Levels:
        """The features' categories as numbers."""
        rows = self.features.categories
        return Levels.of(rows, len(rows[0]) if rows else 0)

    def groups_of(self, at: np.ndarray) -> np.ndarray:
        """Return the group of each of the rows *at*: what is learnt for a row must not come from its own group."""
        return np.arange(len(at)) if self.groups is None else self.groups[at]

    @property
    def outcomes(self) -> np.ndarray:
        """What target codes tell of: the second of two classes, or each step up, or each class. Shape (n_rows, k)."""
        if self.n_classes == 2:
            return (self.y == 1)[:, None].astype(float)
        if self.ordinal:
            return np.stack([self.y > step for step in range(self.n_classes - 1)], axis=1).astype(float)
        return np.eye(self.n_classes)[self.y]

    @property
    def text_alone(self) -> bool:
        """Whether there is nothing to learn from but text (and how long it is)."""
        names = len(self.features.categories[0]) if len(self.features) else 0
        return sum(self.grams.widths) > 0 and not names and self.features.numbers.shape[1] <= 1

    @property
    def form(self) -> str:
        """How several linear outputs become classes."""
        return "cumulative" if self.ordinal and self.n_classes > 2 else "plain"


@dataclass
class LinearFit:
    """A fitted linear model: its encoders, weights of shape (n_outputs, n_places), intercept of shape (n_outputs,)."""

    shape: LinearShape
    levels: LevelEncoder
    numbers: NumberEncoder
    weights: np.ndarray
    intercept: np.ndarray

    def matrix(self, rows: Rows, at: np.ndarray) -> sparse.csr_matrix:
        """Return the design matrix of the rows at positions *at*."""
        return _design(rows, at, self.levels, self.numbers)

    def outputs(self, rows: Rows, at: np.ndarray) -> np.ndarray:
        """Return the estimators' own margins, of shape (len(at), n_outputs)."""
        design = self.matrix(rows, at)
        return np.asarray(design @ self.weights.T + self.intercept)

    def margins(self, rows: Rows, at: np.ndarray) -> np.ndarray:
        """Return margins as the blend takes them: shape (len(at), 1) for two classes, else log probabilities."""
        found = self.outputs(rows, at)
        if rows.n_classes == 2:
            return found
        return np.stack([class_margins(row, self.shape.form) for row in found])


@dataclass
class TextFit:
    """A linear model on the text alone, whose margins the trees see."""

    weights: np.ndarray
    intercept: np.ndarray


@dataclass
class TreesFit:
    """Fitted forests with what they see; their margins are averaged. Each sees some columns of one matrix."""

    codes: TargetEncoder
    text: TextFit | None
    bins: Bins
    forests: list[HistGradientBoostingClassifier]
    columns: list[np.ndarray]

    def seen(self, rows: Rows, at: np.ndarray) -> np.ndarray:
        """Return the trees' feature matrix of the rows at *at*, binned."""
        blocks = [self.codes.transform(rows.levels.take(at)), rows.features.numbers[at]]
        if self.text is not None:
            blocks.append(rows.grams.matrix[at] @ self.text.weights.T + self.text.intercept)
        return self.bins.transform(np.hstack(blocks))

    def margins(self, rows: Rows, at: np.ndarray) -> np.ndarray:
        """Return margins as the blend takes them."""
        seen = self.seen(rows, at)
        return tree_margins(self._mean([one.decision_function(seen[:, own]) for one, own in self._pairs()]))

    def stages(self, rows: Rows, at: np.ndarray, wanted: Sequence[int]) -> dict[int, np.ndarray]:
        """Return the margins that the rows at *at* had after each *wanted* number of iterations."""
        seen = self.seen(rows, at)
        found: dict[int, list[np.ndarray]] = {number: [] for number in wanted}
        for one, own in self._pairs():
            for number, raw in enumerate(one.staged_decision_function(seen[:, own]), 1):
                if number in found:
                    found[number].append(raw[:, 0] if raw.ndim == 2 and raw.shape[1] == 1 else raw)
        return {number: tree_margins(self._mean(parts)) for number, parts in found.items() if parts}

    def _pairs(self) -> Iterator[tuple[HistGradientBoostingClassifier, np.ndarray]]:
        return zip(self.forests, self.columns, strict=True)

    def _mean(self, parts: list[np.ndarray]) -> np.ndarray:
        return np.asarray(sum(parts) / len(parts))


def tree_margins(raw: np.ndarray) -> np.ndarray:
    """Return scikit-learn's margins as the blend takes them: one column for two classes, else log probabilities."""
    return raw[:, None] if raw.ndim == 1 else log_softmax(raw)


def fit_linear(rows: Rows, at: np.ndarray, weights: np.ndarray, strength: float) -> LinearFit:
    """Return the linear model fitted on the rows at *at*; *weights* of shape (len(at),), *strength* is C."""
    levels = LevelEncoder(4 if len(at) < 5000 else 6).fit(rows.levels.take(at))
    numbers = NumberEncoder().fit(rows.features.numbers[at])
    design = _design(rows, at, levels, numbers)
    outcomes = rows.outcomes[at]
    grams = sum(rows.grams.widths)
    # A copy for each: what looks into a sparse matrix may put it in order first, in place.
    fitted = _two_at_once(
        lambda output: _linear(design.copy(), outcomes[:, output], weights, strength, grams), outcomes.shape[1]
    )
    return LinearFit(
        linear_shape(rows.grams, levels, numbers, rows.form),
        levels,
        numbers,
        np.vstack([coefficients for coefficients, _ in fitted]),
        np.array([constant for _, constant in fitted]),
    )


def fit_trees(
    rows: Rows,
    at: np.ndarray,
    weights: np.ndarray,
    *,
    seed: int,
    iterations: int,
    leaves: int = 15,
    strength: float = 1.0,
    even: np.ndarray | None = None,
) -> TreesFit:
    """
    Return boosted trees fitted on the rows at *at*: target codes and text margins are those of other folds.

    Where some categories are pairs, there are two forests, one of which does not see them: pairs help
    where levels are many and rows enough, and hurt where rows are few or drift; the mean of both is steadier.
    Where *weights* forget the past, the second forest and its target codes are fitted by the weights *even*, which do
    not: what comes seldom (a weekend, a rush) is more than a short memory holds; neither is surely the better one.
    """
    outcomes = rows.outcomes[at]
    groups, levels = rows.groups_of(at), rows.levels.take(at)
    codes, coded = fit_codes(levels, outcomes, [weights] if even is None else [weights, even], groups, seed)
    blocks = [coded, rows.features.numbers[at]]
    text = None
    if sum(rows.grams.widths):
        margins, text = _text_margins(rows.grams.matrix[at], outcomes, weights, groups, seed, strength)
        blocks.append(margins)
    matrix = np.hstack(blocks)
    bins = Bins(matrix)
    seen = bins.transform(matrix)
    columns = _forest_columns(matrix.shape[1], len(levels.names), outcomes.shape[1] + 1, rows.crosses, even is not None)
    weighed = [weights, weights if even is None else even]
    least = max(10, min(40, len(at) // 100))

    def forest(number: int) -> HistGradientBoostingClassifier:
        return HistGradientBoostingClassifier(
            learning_rate=0.06, max_iter=iterations, max_leaf_nodes=leaves, early_stopping=False,
            random_state=seed + number, min_samples_leaf=least, l2_regularization=2.0, max_features=0.4,
        ).fit(seen[:, columns[number]], rows.y[at], sample_weight=weighed[number])  # fmt: skip

    forests = _two_at_once(forest, len(columns))
    return TreesFit(codes, text, bins, forests, columns)


def _forest_columns(width: int, categories: int, each: int, crosses: int, two: bool) -> list[np.ndarray]:
    """
    Return which of *width* columns each forest sees: all; where there are pairs, or *two* weights, there is a second.

    The first columns are codes, *each* of a category (twice as many under two weights: each forest sees its own). The
    second forest does not see those of pairs.
    """
    codes = np.arange(categories * each * (1 + two)).reshape(categories, 1 + two, each)
    others = np.arange(codes.size, width)
    first = np.concatenate([codes[:, 0].ravel(), others])
    if not crosses and not two:
        return [first]
    return [first, np.concatenate([codes[: categories - crosses, -1].ravel(), others])]


def fit_amounts(
    features: FeatureTable, amounts: np.ndarray, *, seed: int, iterations: int
) -> tuple[TargetEncoder, Bins, HistGradientBoostingRegressor]:
    """Return trees for positive *amounts* with a log link, their bins, and codes of categories (mean log amount)."""
    codes = TargetEncoder(seed, smooth=10.0)
    logs = np.log(amounts)[:, None]
    levels = Levels.of(features.categories, len(features.categories[0]))
    seen = np.hstack(
        [
            codes.fit_transform(levels, logs, np.ones(len(amounts)), np.arange(len(amounts))),
            features.numbers,
        ]
    )
    trees = HistGradientBoostingRegressor(
        loss="gamma", learning_rate=0.05, max_iter=iterations, max_leaf_nodes=7, early_stopping=False,
        random_state=seed, min_samples_leaf=20, l2_regularization=5.0, max_features=0.5,
    )  # fmt: skip
    bins = Bins(seen)
    trees.fit(bins.transform(seen), amounts)
    return codes, bins, trees


def _text_margins(
    matrix: sparse.csr_matrix,
    outcomes: np.ndarray,
    weights: np.ndarray,
    groups: np.ndarray,
    seed: int,
    strength: float,
) -> tuple[np.ndarray, TextFit]:
    """Return each row's text margins, learnt without its own fold, and the model of all rows for later ones."""
    fold = folds_of(groups, _TEXT_FOLDS, seed + 1)

    def learnt(number: int) -> tuple[np.ndarray, float]:
        # After the folds comes the one that no row is in: the model of all rows.
        output, part = divmod(number, _TEXT_FOLDS + 1)
        known = fold != part
        return _linear(matrix[known], outcomes[known, output], weights[known], strength, matrix.shape[1])

    fitted = _two_at_once(learnt, outcomes.shape[1] * (_TEXT_FOLDS + 1))
    margins = np.zeros(outcomes.shape)
    for number, (own, constant) in enumerate(fitted):
        output, part = divmod(number, _TEXT_FOLDS + 1)
        margins[fold == part, output] = matrix[fold == part] @ own + constant
    whole = fitted[_TEXT_FOLDS :: _TEXT_FOLDS + 1]
    return margins, TextFit(np.vstack([own for own, _ in whole]), np.array([constant for _, constant in whole]))


def _linear(
    design: sparse.csr_matrix, outcome: np.ndarray, weights: np.ndarray, strength: float, grams: int
) -> tuple[np.ndarray, float]:
    """
    Return weights of shape (n_places,) and the intercept for a yes-or-no *outcome*.

    Where the first *grams* places are text, they are the mean of two models: one on the matrix as it is, one with each
    gram scaled by how unevenly the outcomes use it (the log of its two rates). Both are linear, so their mean is. An
    outcome that all rows share, as that of a class none of them has, is known by its rate alone.
    """
    ones = float(outcome.sum())
    if ones in (0.0, float(len(outcome))):
        return np.zeros(design.shape[1]), float(np.log((ones + 1) / (len(outcome) - ones + 1)))
    plain = _logistic(design, outcome, weights, strength)
    if not grams:
        return plain.coef_[0], float(plain.intercept_[0])
    scales = np.ones(design.shape[1])
    scales[:grams] = _unevenness(design[:, :grams], outcome)
    other = _logistic((design @ sparse.diags(scales)).tocsr(), outcome, weights, strength)
    return (plain.coef_[0] + scales * other.coef_[0]) / 2, float(plain.intercept_[0] + other.intercept_[0]) / 2


def _unevenness(grams: sparse.csr_matrix, outcome: np.ndarray) -> np.ndarray:
    """Return |log(rate among rows with the outcome / rate among the others)| of each gram, one added to each count."""
    seen = (grams > 0).astype(float)
    one = seen.T @ outcome + 1.0
    other = seen.T @ (1.0 - outcome) + 1.0
    return np.asarray(np.abs(np.log((one / one.sum()) / (other / other.sum()))))


def _two_at_once(fit: Callable[[int], _Fit], count: int) -> list[_Fit]:
    """Return what *fit* makes of each number below *count*, two at a time; alone or not, it is the same to the byte."""

    def alone(number: int) -> _Fit:
        # A thread of its own starts with as many of OpenMP's as there are cores.
        with threadpool_limits(1):
            return fit(number)

    with warnings.catch_warnings(), ThreadPoolExecutor(2) as pool:
        # A fit cut short is a slightly stronger penalty, and validation judges it like any other.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return list(pool.map(alone, range(count)))


def _logistic(
    design: sparse.csr_matrix, outcome: np.ndarray, weights: np.ndarray, strength: float
) -> LogisticRegression:
    # liblinear is several times quicker than lbfgs on wide sparse text, and uses one thread.
    wide = design.shape[1] > 6000
    model = LogisticRegression(
        C=strength,
        solver="liblinear" if wide else "lbfgs",
        max_iter=60 if wide else 300,
        random_state=0,
        tol=1e-3 if wide else 1e-4,
    )
    return model.fit(design, outcome.astype(int), sample_weight=weights)


def _design(rows: Rows, at: np.ndarray, levels: LevelEncoder, numbers: NumberEncoder) -> sparse.csr_matrix:
    known = rows.levels.take(at)
    blocks = [rows.grams.matrix[at], levels.transform(known), numbers.transform(rows.features.numbers[at])]
    return sparse.hstack(blocks).tocsr()
