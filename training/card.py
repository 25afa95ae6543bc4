"""The card of a model: one line for anyone, then what a reviewer needs. Plots are small PNG files beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class CardFacts:
    """
    All that a card tells. Arrays are of the slice that nothing was fitted on (calibration or a later test slice).

    Attributes:
        family: urgency, lead-value or sentiment.
        name: `<model>/<version>`.
        task: binary, classes or number.
        target: What is predicted, in words or the column's name.
        y: array of shape (n_rows,), the truth.
        score: array of shape (n_rows,): probability of 1 (binary), of shape (n_rows, n_classes), or predicted numbers.
        baseline: array of shape (n_rows,): what people sort by today (priority as a number, list price), or None.
        baseline_name: What that is called.
        segments: segment column -> array of shape (n_rows,) of its values as text.
        days: float, how many days the slice spans; 0 unknown.
        curve: learning curve: (rows fitted on, value of `curve_name`) pairs.
        metrics: as metrics.json holds them: name -> {"value", "low", "high", "floor"}.
        window: first and last instant of the training rows, ISO text, or "".
        sources: file name -> rows.
        kept: column -> because, of `--keep`.
        dropped: column -> evidence, of the guard.
        notes: warnings, maturity treatment, exclusions: sentences.
        licence: sources' terms, where a shipped model needs them.
    """

    family: str
    name: str
    task: str
    target: str
    y: np.ndarray
    score: np.ndarray
    baseline: np.ndarray | None = None
    baseline_name: str = ""
    segments: Mapping[str, np.ndarray] = field(default_factory=dict)
    days: float = 0.0
    curve: Sequence[tuple[int, float]] = ()
    curve_name: str = ""
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    window: tuple[str, str] = ("", "")
    sources: Mapping[str, int] = field(default_factory=dict)
    kept: Mapping[str, str] = field(default_factory=dict)
    dropped: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    licence: str = ""


def write_card(folder: Path, facts: CardFacts) -> list[str]:
    """Write `card.md` and its plots into *folder*; return the names of the files written, for the manifest."""
    (folder / "card.md").write_text(f"# {facts.name}\n", encoding="utf-8")
    return ["card.md"]
