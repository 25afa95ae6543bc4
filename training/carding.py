"""What a fit hands to the card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from training.card import CardFacts, write_card
from training.metrics import Metrics
from training.names import words_of_name
from training.outcomes import level_of
from triage.domain.instant import DAY
from triage.features.values import as_level

if TYPE_CHECKING:
    from training.fit import Fitted

_TODAY = ("priority", "severity", "urgency", "impact", "case priority", "lead rating", "rating")


def card_of(fitted: Fitted) -> list[str]:
    """Write the card of *fitted* and its plots into its folder; return the names of the files."""
    prepared, spec = fitted.prepared, fitted.model.spec
    at = prepared.split.calibrate
    # Of a model that ends before these rows: the one that serves has learnt from them, and would flatter itself.
    chances = fitted.held
    binary = len(spec.classes) == 2
    column = spec.conformal.column
    cells = prepared.rows.features.categories
    segments = {column: np.array([cells[row][spec.conformal.place] for row in at])} if column else {}
    days = (
        float(prepared.at[at].max() - prepared.at[at].min()) / DAY
        if prepared.dated and prepared.at is not None
        else 0.0
    )
    about = fitted.manifest
    today, name_of_today = order_of_today(prepared.table.frame.iloc[at], prepared.excluded)
    facts = CardFacts(
        family=spec.task,
        name=f"{about['name']}/{fitted.model.version}",
        task="binary" if binary else "classes",
        target=about["label"] or about["target"],
        y=prepared.rows.y[at],
        score=chances[:, 1] if binary else chances,
        baseline=today,
        baseline_name=name_of_today,
        curve=fitted.curve,
        curve_name=f"{'AUC' if binary else 'minus log loss'} of the linear part",
        segments=segments,
        days=days,
        metrics=_known(fitted.metrics),
        window=tuple(about["window"]),
        sources={Path(name).name: len(prepared.table) for name in prepared.request.data},
        kept=about["kept"],
        dropped={found.column: "; ".join(found.evidence) for found in prepared.findings if found.drop},
        notes=[*prepared.notes, *([prepared.request.note] if prepared.request.note else [])],
    )  # fmt: skip
    return write_card(fitted.folder, facts)


def order_of_today(frame: pd.DataFrame, excluded: Sequence[str]) -> tuple[np.ndarray | None, str]:
    """
    Return how pressing each row is by what people go by without a score, and the column's name; None, "" without one.

    That is a priority, else a severity and so on, whose levels most rows spell in a known way; it is no leak.
    """
    for wanted in _TODAY:
        for name in frame.columns:
            if words_of_name(str(name)) != wanted or name in excluded:
                continue
            levels = [level_of(as_level(value)) for value in frame[name].tolist()]
            if sum(level is not None for level in levels) > 0.5 * len(levels) and len(set(levels)) > 1:
                return np.array([np.nan if level is None else float(level) for level in levels]), str(name)
    return None, ""


def _known(metrics: Metrics) -> dict[str, dict[str, float]]:
    return {name: {key: value for key, value in row.items() if value is not None} for name, row in metrics.items()}
