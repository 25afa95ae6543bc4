"""Features into the matrices that models are fitted on. Each encoder knows its layout, so that it can be exported."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from triage.features.text import character_grams, word_grams
from triage.scoring.linear import RARE, LinearShape, NumberScale

MOST_WORDS, MOST_CHARACTERS = 40_000, 120_000
_MOST_TEXT = 4_000_000
"""Characters of all rows beyond which only words are read."""
_LINES, _LINE = 600_000, 200
"""Beyond so many characters words alone are read of texts that are longer than a line or two on average, too."""
_BINS = 8
_MOST_BINS = 200
_FEWEST = 3
"""Levels of fewer rows are told apart from no unseen one."""


@dataclass
class GramMatrix:
    """TF-IDF of all rows' texts: word grams, then character grams; the vectorizers, None where there is no text."""

    words: TfidfVectorizer | None
    characters: TfidfVectorizer | None
    matrix: sparse.csr_matrix

    @property
    def widths(self) -> tuple[int, int]:
        """How many word grams and character grams there are."""
        if self.words is None:
            return 0, 0
        return len(self.words.vocabulary_), 0 if self.characters is None else len(self.characters.vocabulary_)


def fit_grams(texts: Sequence[str]) -> GramMatrix:
    """
    Return the grams of *texts*. Which there are, and how rare, is learnt from all rows and never from a target.

    Beyond 4 million characters only words are read, and beyond 0.6 million of texts longer than 200 on average: there
    runs of characters took ten times as long and told nothing more. Beyond 25 million nothing would end in time.
    """
    n = len(texts)
    length = sum(len(text) for text in texts)
    if not length:
        return GramMatrix(None, None, sparse.csr_matrix((n, 0)))
    shared = {"sublinear_tf": True, "min_df": 2 if n < 20_000 else 3, "lowercase": False}
    words = TfidfVectorizer(analyzer=word_grams, max_features=MOST_WORDS, **shared)
    characters = TfidfVectorizer(analyzer=character_grams, max_features=MOST_CHARACTERS, **shared)
    try:
        blocks = [words.fit_transform(texts)]
    except ValueError:
        # No gram stands in enough rows.
        return GramMatrix(None, None, sparse.csr_matrix((n, 0)))
    if length > _MOST_TEXT or (length > _LINES and length > _LINE * n):
        return GramMatrix(words, None, blocks[0].tocsr())
    blocks.append(characters.fit_transform(texts))
    return GramMatrix(words, characters, sparse.hstack(blocks).tocsr())


@dataclass(frozen=True)
class Levels:
    """Categories as places in lists of names: comparing numbers is many times quicker than comparing words."""

    places: np.ndarray
    """int64 array of shape (n_rows, n_categories)."""
    names: tuple[tuple[str, ...], ...]
    """The levels of each category, sorted."""

    @classmethod
    def of(cls, categories: Sequence[Sequence[str]], width: int) -> Levels:
        """Return *categories*, rows of *width* cells each."""
        places = np.zeros((len(categories), width), dtype=np.int64)
        names = []
        for at in range(width):
            cells = [row[at] for row in categories]
            known = tuple(sorted(set(cells)))
            table = {level: place for place, level in enumerate(known)}
            places[:, at] = [table[cell] for cell in cells]
            names.append(known)
        return cls(places, tuple(names))

    def __len__(self) -> int:
        return len(self.places)

    def take(self, at: np.ndarray) -> Levels:
        """Return the rows *at*."""
        return Levels(self.places[at], self.names)

    def columns(self) -> Iterator[tuple[np.ndarray, tuple[str, ...]]]:
        """Give each category's places, and its names."""
        return zip(self.places.T, self.names, strict=True)


class LevelEncoder:
    """Categories as one-hot places; levels seen fewer than *least* times share one place with unseen ones."""

    def __init__(self, least: int) -> None:
        self.least = least
        self.levels: list[tuple[str, ...]] = []
        self._known: list[tuple[tuple[str, ...], np.ndarray]] = []

    def fit(self, categories: Levels) -> LevelEncoder:
        """Learn the levels of *categories*."""
        for places, names in categories.columns():
            counts = np.bincount(places, minlength=len(names)).tolist()
            kept = [level for level, count in zip(names, counts, strict=True) if count >= self.least]
            self.levels.append((*kept, RARE))
            self._known.append((names, _places_in(self.levels[-1], names)))
        return self

    def transform(self, categories: Levels) -> sparse.csr_matrix:
        """Return the one-hot matrix of shape (n_rows, n_places)."""
        if not self.levels:
            return sparse.csr_matrix((len(categories), 0))
        starts = np.cumsum([0, *(len(levels) for levels in self.levels)])
        places = np.empty((len(categories), len(self.levels)), dtype=np.int64)
        for at, ((own, names), levels) in enumerate(zip(categories.columns(), self.levels, strict=True)):
            known, there = self._known[at]
            # Rows of one table share its names: they are looked up once, not again for every slice.
            places[:, at] = starts[at] + (there if known is names else _places_in(levels, names))[own]
        flat = places.ravel()
        ends = np.arange(0, len(flat) + 1, len(self.levels))
        return sparse.csr_matrix((np.ones(len(flat)), flat, ends), shape=(len(categories), int(starts[-1])))


def _places_in(levels: tuple[str, ...], names: tuple[str, ...]) -> np.ndarray:
    """Return the place of each of *names* among *levels*, the last one for those that are not there."""
    table = {level: place for place, level in enumerate(levels)}
    return np.array([table.get(level, len(levels) - 1) for level in names], dtype=np.int64)


class NumberEncoder:
    """Numbers as signed logs, centred and scaled, with a place for missing and one for each of up to 8 bins."""

    def __init__(self) -> None:
        self.scales: list[NumberScale] = []

    def fit(self, numbers: np.ndarray) -> NumberEncoder:
        """Learn centre, scale, fill and bins of *numbers*, of shape (n_rows, n_numbers)."""
        for column in numbers.T:
            known = column[~np.isnan(column)]
            if not len(known):
                self.scales.append(NumberScale(0.0, 0.0, 1.0))
                continue
            logs = _signed_log(known)
            edges = np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1]))
            edges = tuple(float(edge) for edge in edges) if len(np.unique(known)) > 4 else ()
            self.scales.append(
                NumberScale(float(np.median(known)), float(logs.mean()), float(logs.std()) or 1.0, edges)
            )
        return self

    def transform(self, numbers: np.ndarray) -> sparse.csr_matrix:
        """Return value, missing flag and bins of each number, side by side."""
        blocks: list[np.ndarray] = []
        for column, scale in zip(numbers.T, self.scales, strict=True):
            missing = np.isnan(column)
            real = np.where(missing, scale.fill, column)
            blocks += [((_signed_log(real) - scale.center) / scale.scale)[:, None], missing[:, None].astype(float)]
            if scale.edges:
                bins = np.searchsorted(scale.edges, real, side="right")
                hot = np.eye(len(scale.edges) + 1)[bins]
                hot[missing] = 0.0
                blocks.append(hot)
        return sparse.csr_matrix(np.hstack(blocks)) if blocks else sparse.csr_matrix((len(numbers), 0))


def linear_shape(grams: GramMatrix, levels: LevelEncoder, numbers: NumberEncoder, form: str) -> LinearShape:
    """Return the layout of the matrix that the three make side by side."""
    words, characters = grams.widths
    return LinearShape(
        words=words, characters=characters, levels=tuple(levels.levels), numbers=tuple(numbers.scales), form=form
    )


def folds_of(groups: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Return a fold for each row, drawn evenly; rows of one group share theirs."""
    _, places = np.unique(groups, return_inverse=True)
    return np.random.RandomState(seed).randint(0, folds, int(places.max()) + 1 if len(places) else 0)[places]


class TargetEncoder:
    """
    Levels as smoothed, weighted rates of each outcome, and the log of how many rows they had.

    Fitted rows get rates from the other folds, so that no row sees its own outcome, nor that of another row of its
    group (one record at several ages); later rows get those of all.
    """

    def __init__(self, seed: int, *, smooth: float = 20.0, folds: int = 5) -> None:
        self.seed, self.smooth, self.folds = seed, smooth, folds
        self.known: list[dict[str, list[float]]] = []
        self.unseen: list[list[float]] = []

    def fit_transform(
        self, categories: Levels, outcomes: np.ndarray, weights: np.ndarray, groups: np.ndarray
    ) -> np.ndarray:
        """Return codes of shape (n_rows, n_categories x (n_outcomes + 1)), each row's without its own fold."""
        fold = folds_of(groups, self.folds, self.seed)
        parts = [self._fit_one(own, names, outcomes, weights, fold) for own, names in categories.columns()]
        return np.hstack(parts) if parts else np.zeros((len(outcomes), 0))

    def transform(self, categories: Levels) -> np.ndarray:
        """Return the codes of later rows."""
        parts = [
            np.array([known.get(level, unseen) for level in names]).reshape(len(names), len(unseen))[own]
            for (own, names), known, unseen in zip(categories.columns(), self.known, self.unseen, strict=True)
        ]
        return np.hstack(parts) if parts else np.zeros((len(categories), 0))

    def _fit_one(
        self, places: np.ndarray, names: Sequence[str], outcomes: np.ndarray, weights: np.ndarray, fold: np.ndarray
    ) -> np.ndarray:
        seen = np.bincount(places, minlength=len(names))
        often = seen >= _FEWEST
        levels = {names[place]: at for at, place in enumerate(np.flatnonzero(often).tolist())}
        rare = len(levels)
        codes = np.where(often, np.cumsum(often) - 1, rare)[places]
        size, width = rare + 1, outcomes.shape[1]
        sums = np.zeros((self.folds, size, width))
        masses, rows = np.zeros((self.folds, size)), np.zeros((self.folds, size))
        for part in range(self.folds):
            here = fold == part
            rows[part] = np.bincount(codes[here], minlength=size)
            masses[part] = np.bincount(codes[here], weights[here], size)
            for output in range(width):
                sums[part, :, output] = np.bincount(codes[here], weights[here] * outcomes[here, output], size)
        total, mass = sums.sum(axis=0), masses.sum(axis=0)
        # What other folds hold is scaled up, so that a count means the same for a fitted row as for a later one.
        scale = self.folds / (self.folds - 1)
        counts = np.log1p(np.vstack([rows.sum(axis=0), (rows.sum(axis=0) - rows) * scale]))
        counts[:, rare] = 0.0
        rates = self._rates(total, mass)
        others = np.stack([self._rates(total - sums[part], mass - masses[part]) for part in range(self.folds)])
        self.known.append({level: [*rates[at].tolist(), float(counts[0, at])] for level, at in levels.items()})
        self.unseen.append([*rates[rare].tolist(), 0.0])
        return np.hstack([others[fold, codes], counts[1 + fold, codes][:, None]])

    def _rates(self, total: np.ndarray, mass: np.ndarray) -> np.ndarray:
        prior = total.sum(axis=0) / max(mass.sum(), 1e-12)
        return (total + self.smooth * prior) / (mass[:, None] + self.smooth)


def fit_codes(
    categories: Levels, outcomes: np.ndarray, weights: Sequence[np.ndarray], groups: np.ndarray, seed: int
) -> tuple[TargetEncoder, np.ndarray]:
    """Return an encoder whose codes are those under each of *weights* side by side, and the rows' codes by it."""
    every = [TargetEncoder(seed) for _ in weights]
    parts = [one.fit_transform(categories, outcomes, own, groups) for one, own in zip(every, weights, strict=True)]
    shape = (len(outcomes), len(categories.names), outcomes.shape[1] + 1)
    whole, *more = every
    for one in more:
        pairs = zip(whole.known, one.known, strict=True)
        whole.known = [{level: codes + other[level] for level, codes in known.items()} for known, other in pairs]
        whole.unseen = [codes + other for codes, other in zip(whole.unseen, one.unseen, strict=True)]
    return whole, np.concatenate([part.reshape(shape) for part in parts], axis=2).reshape(len(outcomes), -1)


class Bins:
    """
    Numbers as codes of at most 200 bins, which trees split at. `x <= edges[k]` is the same as `code <= k`.

    scikit-learn bins weighted rows by weighted quantiles, one column at a time, for longer than all its trees take.
    """

    def __init__(self, matrix: np.ndarray) -> None:
        self.edges = [_edges(column) for column in matrix.T]
        self.empty = np.isnan(matrix).all(axis=0)

    def transform(self, matrix: np.ndarray) -> np.ndarray:
        """Return the code of each cell, NaN where it is missing; of the shape of *matrix*."""
        codes = np.empty(matrix.shape)
        for at, edges in enumerate(self.edges):
            codes[:, at] = np.searchsorted(edges, matrix[:, at], side="left")
        codes[np.isnan(matrix)] = np.nan
        # Nothing was learnt of a column that was empty until now, and scikit-learn takes no column of gaps alone.
        codes[:, self.empty] = 0.0
        return codes


def _edges(column: np.ndarray) -> np.ndarray:
    distinct = np.unique(column[~np.isnan(column)])
    if len(distinct) < 2:
        return np.zeros(0)
    if len(distinct) <= _MOST_BINS:
        return np.asarray((distinct[:-1] + distinct[1:]) / 2)
    return np.unique(np.quantile(column[~np.isnan(column)], np.linspace(0, 1, _MOST_BINS + 1)[1:-1]))


def _signed_log(values: np.ndarray) -> np.ndarray:
    return np.sign(values) * np.log1p(np.abs(values))
