"""One tabular score against `predict_proba` of a scikit-learn pipeline on a one-row DataFrame, same fitted weights."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from tests.support.tables import cases, saved
from training.candidates import Rows
from training.choose import blended
from training.columns import table_items
from training.encoders import GramMatrix
from training.fit import Fitted, fit
from training.prepare import Request
from triage.features import FeatureTable
from triage.scoring.folder import open_model
from triage.scoring.tabular import table_rows


class Blend(ClassifierMixin, BaseEstimator):
    """The fitted scikit-learn parts behind one `predict_proba`: vectorizers, encoders, logistic regression, trees."""

    def __init__(self, fitted: Fitted | None = None) -> None:
        self.fitted = fitted
        self.classes_ = np.array([0, 1])

    def fit(self, frame: pd.DataFrame, y: Any = None) -> Blend:
        """Return itself: the parts are fitted already."""
        return self

    def predict_proba(self, frame: Any) -> np.ndarray:
        """Return probabilities of shape (n_rows, 2)."""
        fitted = self.fitted
        assert fitted is not None
        cells = np.asarray(frame, dtype=object)
        wide = len(fitted.model.spec.features.category_names)
        texts = [str(text) for text in cells[:, 0]]
        features = FeatureTable(texts, cells[:, 1 : 1 + wide].tolist(), cells[:, 1 + wide :].astype(float))
        grams = fitted.prepared.rows.grams
        parts = [one.transform(texts) for one in (grams.words, grams.characters) if one is not None]
        matrix = sparse.hstack(parts).tocsr() if parts else sparse.csr_matrix((len(texts), 0))
        rows = Rows(features, GramMatrix(grams.words, grams.characters, matrix), np.zeros(len(texts), int), 2, False)
        margins = blended(rows, np.arange(len(texts)), fitted.linear, fitted.trees, fitted.choice.share)[:, 0]
        second = np.array([fitted.model.spec.calibrator.probability(margin) for margin in margins.tolist()])
        return np.stack([1 - second, second], axis=1)


def as_pipeline(fitted: Fitted) -> tuple[Pipeline, pd.DataFrame]:
    """Return the fitted parts as the pipeline that most people ship, and its input, one row a record."""
    names = fitted.model.spec.features
    table = fitted.prepared.rows.features
    frame = pd.DataFrame({"text": table.texts})
    levels = pd.DataFrame(table.categories, columns=list(names.category_names))
    numbers = pd.DataFrame(table.numbers, columns=list(names.number_names))
    frame = pd.concat([frame, levels, numbers], axis=1)
    columns = ColumnTransformer(
        [
            ("text", FunctionTransformer(), ["text"]),
            ("levels", FunctionTransformer(), list(names.category_names)),
            ("numbers", FunctionTransformer(), list(names.number_names)),
        ]
    )
    return Pipeline([("columns", columns), ("blend", Blend(fitted))]).fit(frame), frame


def quickest(what: Any, times: int) -> float:
    """Return the least of *times* durations of *what*, in seconds."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        what()
        found.append(time.perf_counter() - start)
    return min(found)


def measure() -> dict[str, float]:
    """Return ms of one score either way, their ratio, the largest difference, and ms to open the model."""
    with tempfile.TemporaryDirectory() as folder:
        data = saved(cases(3000), Path(folder))
        out = str(Path(folder) / "model")
        fitted = fit(Request(task="urgency", data=(data,), id="CaseId", target="y_late", time="CreatedDate", out=out))
        pipeline, frame = as_pipeline(fitted)
        spec = fitted.model.spec.features
        rows = table_rows(fitted.prepared.rows.features)
        one = frame.iloc[[7]]
        theirs = quickest(lambda: pipeline.predict_proba(one), 30)
        item, past = next(iter(table_items(fitted.prepared.table.take(np.array([7])), spec.columns, None)))
        ours = quickest(lambda: fitted.model.chances(fitted.model.extractor.row(item, past, item.created_at)), 300)
        every = pipeline.predict_proba(frame.iloc[:500])[:, 1]
        gap = max(abs(fitted.model.chances(row)[1] - p) for row, p in zip(rows[:500], every, strict=True))
        opening = quickest(lambda: open_model(Path(out)), 3)
    return {
        "pipeline_ms": theirs * 1e3, "ours_ms": ours * 1e3, "ratio": theirs / ours, "largest_difference": gap,
        "open_ms": opening * 1e3,
    }  # fmt: skip


def run() -> Iterator[tuple[str, float, str]]:
    """Give each figure as (what, value, unit)."""
    found = measure()
    yield "one score by the pipeline, predict_proba of a one-row DataFrame", found["pipeline_ms"], "ms"
    yield "one score by the exported model, features included", found["ours_ms"], "ms"
    yield "times faster (50 wanted)", found["ratio"], "x"
    yield "largest difference of 500 probabilities (1 wanted at most)", found["largest_difference"] * 1e9, "1e-9"
    yield "opening the model, seals and golden rows checked", found["open_ms"], "ms"
