"""What a fit hands to the card."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from training.card import CardFacts, write_card
from triage.scoring.tabular import table_rows

if TYPE_CHECKING:
    from training.fit import Fitted


def card_of(fitted: Fitted) -> list[str]:
    """Write the card of *fitted* and its plots into its folder; return the names of the files."""
    prepared, spec = fitted.prepared, fitted.model.spec
    at = prepared.split.calibrate
    rows = table_rows(prepared.rows.features.take(at))
    chances = np.array(fitted.model.probabilities(rows))
    binary = len(spec.classes) == 2
    column = spec.conformal.column
    segments = {column: np.array([row.categories[spec.conformal.place] for row in rows])} if column else {}
    days = float(prepared.at[at].max() - prepared.at[at].min()) / 86_400_000 if prepared.dated and prepared.at is not None else 0.0
    about = fitted.manifest
    facts = CardFacts(
        family=spec.task,
        name=f"{about['name']}/{fitted.model.version}",
        task="binary" if binary else "classes",
        target=about["target"],
        y=prepared.rows.y[at],
        score=chances[:, 1] if binary else chances,
        segments=segments,
        days=days,
        metrics={name: {key: value for key, value in figures.items() if value is not None} for name, figures in fitted.metrics.items()},
        window=tuple(about["window"]),
        sources={Path(name).name: len(prepared.table) for name in prepared.request.data},
        kept=about["kept"],
        dropped={found.column: "; ".join(found.evidence) for found in prepared.findings if found.drop},
        notes=[*prepared.notes, *([prepared.request.note] if prepared.request.note else [])],
    )  # fmt: skip
    return write_card(fitted.folder, facts)
