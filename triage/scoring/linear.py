"""The linear part of a model: n-grams, levels and scaled numbers times weights, walked without any model kit."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from math import copysign, log, log1p, sqrt

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from triage.features.extract import Row
from triage.features.text import character_grams, word_grams

Floats = npt.NDArray[np.float64]
RARE = "\x00rare"
"""The level that stands for rare and unseen ones."""


class NumberScale(Struct, frozen=True):
    """How one number enters: signed log, minus *center*, over *scale*; missing is *fill*; *edges* cut it into bins."""

    fill: float
    center: float
    scale: float
    edges: tuple[float, ...] = ()


class LinearShape(Struct, frozen=True, kw_only=True):
    """
    What stands at which place of the weights: word grams, character grams, levels, numbers (value, missing, bins).

    Attributes:
        words: Number of word grams.
        characters: Number of character grams.
        levels: For each category, its levels in order; `RARE` takes those that are not listed.
        numbers: One scale for each number.
        form: `plain`: one weight a class (or one for two classes). `cumulative`: one for each step up.
    """

    words: int = 0
    characters: int = 0
    levels: tuple[tuple[str, ...], ...] = ()
    numbers: tuple[NumberScale, ...] = ()
    form: str = "plain"


def signed_log(value: float) -> float:
    """Return log(1 + |value|) with the sign of *value*."""
    return copysign(log1p(abs(value)), value)


Active = tuple[list[int], list[float]]
"""Places of the weights that a row touches, and the values there."""


_TABLED = 100
_OFTEN = [0.0, *(1.0 + log(count) for count in range(1, _TABLED))]
"""What a gram counts for that stands so many times in a text."""


class Vocabulary:
    """Grams of one sort, with their places and inverse document frequencies."""

    def __init__(self, terms: Sequence[str], idf: Sequence[float], start: int) -> None:
        self.places: Mapping[str, tuple[int, float]] = {
            term: (start + at, weight) for at, (term, weight) in enumerate(zip(terms, idf, strict=True))
        }
        self._at = {term: place for term, (place, _) in self.places.items()}
        self._start = start
        self._idf = [float(weight) for weight in idf]

    def weigh(self, grams: Sequence[str], places: list[int], values: list[float]) -> None:
        """Append the places and TF-IDF values (sublinear, unit length) of *grams* to *places* and *values*."""
        known = [place for place in map(self._at.get, grams) if place is not None]
        if not known:
            return
        idf, start = self._idf, self._start
        counts = Counter(known)
        often = [_OFTEN[count] if count < _TABLED else 1.0 + log(count) for count in counts.values()]
        weights = [share * idf[place - start] for share, place in zip(often, counts, strict=True)]
        length = sqrt(sum([weight * weight for weight in weights]))
        places += counts
        values += [weight / length for weight in weights]


class Grams:
    """The text of a row as places and values: word grams first, then character grams, each of unit length."""

    def __init__(self, words: Vocabulary, characters: Vocabulary) -> None:
        self.words, self.characters = words, characters
        self._last: tuple[str, Active] = ("", ([], []))

    def active(self, text: str) -> Active:
        """Return the places of *text* that are not zero, and their values, which nobody may change."""
        last = self._last
        if last[0] == text:
            # A score and its reasons look at the same text one after the other.
            return last[1]
        found = self._active(text)
        self._last = (text, found)
        return found

    def _active(self, text: str) -> Active:
        places: list[int] = []
        values: list[float] = []
        if text and self.words.places:
            self.words.weigh(word_grams(text), places, values)
        if text and self.characters.places:
            self.characters.weigh(character_grams(text), places, values)
        return places, values


class Weights:
    """Weights over places. `weights` is an ndarray of shape (n_outputs, n_places), `intercept` (n_outputs,)."""

    def __init__(self, weights: Floats, intercept: Floats) -> None:
        self.weights = np.ascontiguousarray(weights.T)
        self.intercept = intercept
        self.single: list[float] | None = weights[0].tolist() if len(weights) == 1 else None
        """The weights where there is one output."""
        self._constant = float(intercept[0])

    def outputs(self, active: Active) -> list[float]:
        """Return the margin of each output."""
        places, values = active
        weights = self.single
        if weights is not None:
            return [self._constant + sum([weights[place] * value for place, value in zip(places, values, strict=True)])]
        found: list[float] = (self.intercept + np.asarray(values) @ self.weights[places]).tolist()
        return found


class LinearPart(Weights):
    """A linear model over grams, levels and numbers, laid out as *shape* says."""

    def __init__(self, shape: LinearShape, weights: Floats, intercept: Floats) -> None:
        super().__init__(weights, intercept)
        self.shape = shape
        self._last: tuple[Row, Active, Active] | None = None
        self._added: tuple[Active, list[float]] | None = None
        self._levels: list[tuple[dict[str, int], int]] = []
        at = shape.words + shape.characters
        self.starts = [0, shape.words]
        """Where each group of places begins: word grams, character grams, each category, each number."""
        for levels in shape.levels:
            places = {level: at + place for place, level in enumerate(levels)}
            self._levels.append((places, places.get(RARE, -1)))
            self.starts.append(at)
            at += len(levels)
        self._numbers: list[tuple[int, NumberScale, list[float]]] = []
        for scale in shape.numbers:
            self._numbers.append((at, scale, list(scale.edges)))
            self.starts.append(at)
            at += 2 + (len(scale.edges) + 1 if scale.edges else 0)
        self.size = at

    def margin(self, active: Active) -> float:
        """Return the margin of the one output."""
        return self._constant + sum(self._products(active))

    def shares(self, active: Active) -> list[float]:
        """Return what each group of places adds to the margin of the one output."""
        places, _ = active
        added = self._products(active)
        found = [0.0] * len(self.starts)
        # Places come group by group, those of a group in any order.
        words, grams = self.shape.words, self.shape.words + self.shape.characters
        split, end = bisect_left(places, words), bisect_left(places, grams)
        found[0], found[1] = sum(added[:split], 0.0), sum(added[split:end], 0.0)
        starts = self.starts
        for place, product in zip(places[end:], added[end:], strict=True):
            found[bisect_right(starts, place) - 1] += product
        return found

    def _products(self, active: Active) -> list[float]:
        last = self._added
        if last is not None and last[0] is active:
            return last[1]
        weights, (places, values) = self.single, active
        assert weights is not None
        found = [weights[place] * value for place, value in zip(places, values, strict=True)]
        self._added = (active, found)
        return found

    def active(self, row: Row, grams: Active) -> Active:
        """Return the places of *row* that are not zero and their values; *grams* are those of its text."""
        last = self._last
        if last is not None and last[0] is row and last[1] is grams:
            return last[2]
        places, values = list(grams[0]), list(grams[1])
        for (known, rare), level in zip(self._levels, row.categories, strict=True):
            place = known.get(level, rare)
            if place >= 0:
                places.append(place)
                values.append(1.0)
        for (at, scale, edges), value in zip(self._numbers, row.numbers, strict=True):
            missing = value != value
            real = scale.fill if missing else value
            places.append(at)
            values.append((signed_log(real) - scale.center) / scale.scale)
            if missing:
                places.append(at + 1)
                values.append(1.0)
            elif edges:
                places.append(at + 2 + bisect_right(edges, value))
                values.append(1.0)
        found = (places, values)
        self._last = (row, grams, found)
        return found
