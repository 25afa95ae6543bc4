"""The part of a sentiment model that looks at words: TF-IDF and logistic regression, fitted here, walked by `Words`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from triage.scoring.sentiment import Words, grams

MOST_TERMS = 20_000
_NEVER = -12.0
"""The logit of a class that no row has."""


class WordsFit(Struct, frozen=True):
    """The arrays of a fitted word part: terms in order, idf (n_terms,), weights (n_classes, n_terms), intercept."""

    terms: tuple[str, ...]
    idf: np.ndarray
    weights: np.ndarray
    intercept: np.ndarray

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> WordsFit | None:
        """Return the part that the *arrays* of a `head.npz` hold; None where they hold none."""
        if "words.terms" not in arrays:
            return None
        terms = arrays["words.terms"].tobytes().decode().split("\n")
        return cls(tuple(terms), *(arrays[f"words.{name}"] for name in ("idf", "weights", "intercept")))

    def words(self) -> Words:
        """Return the part as it is served."""
        return Words(self.terms, self.idf, self.weights, self.intercept)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what goes into `head.npz`."""
        return {
            "words.terms": np.frombuffer("\n".join(self.terms).encode(), np.uint8),
            "words.idf": self.idf, "words.weights": self.weights, "words.intercept": self.intercept,
        }  # fmt: skip


def fit_words(said: Sequence[str], labels: np.ndarray, classes: int, *, strength: float = 4.0) -> WordsFit:
    """Return the word part fitted on texts that `plain` has been over; every class must occur."""
    terms = TfidfVectorizer(
        analyzer=grams, sublinear_tf=True, min_df=2 if len(said) > 500 else 1, max_features=MOST_TERMS
    )
    matrix = terms.fit_transform(said)
    weights, intercept = fit_linear(matrix, labels, classes, strength)
    names = tuple(str(name) for name in terms.get_feature_names_out())
    return WordsFit(names, terms.idf_.astype(np.float32), weights.astype(np.float32), intercept.astype(np.float32))


def fit_linear(matrix: object, labels: np.ndarray, classes: int, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """
    Return (weights (n_classes, n_columns), intercept (n_classes,)) of a logistic regression, centred.

    A class that *labels* never have gets no weights and an intercept far below the others.
    """
    model = LogisticRegression(C=strength, max_iter=300).fit(matrix, labels)
    weights, intercept = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        weights, intercept = np.vstack([-weights, weights]) / 2, np.concatenate([-intercept, intercept]) / 2
    every = np.zeros((classes, weights.shape[1])), np.full(classes, _NEVER)
    every[0][model.classes_], every[1][model.classes_] = weights - weights.mean(axis=0), intercept - intercept.mean()
    return every
