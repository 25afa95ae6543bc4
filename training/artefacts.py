"""Text whose classes were written by different pipelines: tokens and forms that one class has and the other never."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression

from training.evidence import auc

_WORD = r"(?u)\w+"
_OFTEN, _NEVER = 0.25, 0.01
_FEWEST = 50
_ROWS = 12_000
_FORMS = {
    "length": r"(?s).",
    "line breaks": "\n",
    "capitals": "[A-Z]",
    "digits": r"\d",
    "punctuation": r"[^\w\s]",
    "double spaces": "  ",
    "spaces at the ends": r"^\s|\s$",
}


@dataclass(frozen=True)
class Artefact:
    """Tokens of one class only, with their shares in either; forms by AUC; AUC of the text with and without them."""

    tokens: tuple[tuple[str, float, float], ...]
    forms: tuple[tuple[str, float], ...]
    auc: float
    without: float


def is_wordy(column: pd.Series) -> bool:
    """Return whether *column* holds sentences: three words on average and mostly different values."""
    if column.dtype.kind in "ifM":
        return False
    sample = column.dropna().iloc[:2000]
    return bool(len(sample) and sample.nunique() > 0.3 * len(sample) and float(sample.str.count(r"\s+").mean()) >= 2.0)


def find_artefact(texts: list[str], views: list[np.ndarray], fold: np.ndarray) -> tuple[Artefact | None, float]:
    """
    Return the artefact in *texts*, None where there is none, and the AUC that the text reaches alone.

    A token is one where at least a quarter of one class has it and at most one in a hundred of the other, a form one
    that reaches an AUC of 0.9 alone. Whether the text still tells the classes apart without them is in `without`.
    """
    texts, views, fold = texts[:_ROWS], [view[:_ROWS] for view in views], fold[:_ROWS]
    counter = CountVectorizer(token_pattern=_WORD, min_df=max(2, len(texts) // 2000), max_features=20_000)
    try:
        counts = counter.fit_transform(texts)
    except ValueError:
        return None, 0.5
    names = counter.get_feature_names_out()
    best, found = 0.5, None
    for view in views:
        if min(view.sum(), len(view) - view.sum()) < _FEWEST:
            continue
        whole = _text_auc(counts, view, fold)
        best = max(best, whole)
        here, there = _shares(counts, view)
        pure = (np.maximum(here, there) >= _OFTEN) & (np.minimum(here, there) <= _NEVER)
        forms = tuple((name, value) for name, value in _form_aucs(texts, view) if value >= 0.9)
        if not pure.any() and not forms:
            continue
        order = sorted(np.flatnonzero(pure), key=lambda at: -abs(here[at] - there[at]))
        tokens = tuple((str(names[at]), float(here[at]), float(there[at])) for at in order)
        without = _text_auc(counts[:, ~pure], view, fold)
        if found is None or whole > found.auc:
            found = Artefact(tokens, forms, whole, without)
    return found, best


def _shares(counts: Any, view: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    present = (counts > 0).astype(np.float64)
    return np.asarray(present[view == 1].mean(axis=0)).ravel(), np.asarray(present[view == 0].mean(axis=0)).ravel()


def _text_auc(counts: Any, view: np.ndarray, fold: np.ndarray) -> float:
    weighted = TfidfTransformer(sublinear_tf=True).fit_transform(counts)
    judged = fold == 0
    if len(np.unique(view[~judged])) < 2 or len(np.unique(view[judged])) < 2:
        return 0.5
    model = LogisticRegression(C=3.0, max_iter=60, tol=1e-2).fit(weighted[~judged], view[~judged])
    return auc(view[judged], model.decision_function(weighted[judged]))


def _form_aucs(texts: list[str], view: np.ndarray) -> list[tuple[str, float]]:
    series = pd.Series(texts)
    found = []
    for name, pattern in _FORMS.items():
        value = auc(view, series.str.count(pattern).to_numpy(dtype="float64"))
        found.append((name, max(value, 1 - value)))
    return found
