"""Labels from an administrator's export: what came of each record, as far as it was known at the cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from training.tables import Table
from triage.domain.schema import ObjectSpec
from triage.domain.work import Event, WorkItem
from triage.errors import IntakeError

LABELS = ("sla_violated", "escalated", "slow", "priority_raised", "converted", "won")
TARGET = "y_label"


@dataclass(frozen=True)
class Labelled:
    """
    Rows to learn from: each a record as it stood at one instant of its life, with what came of it.

    Attributes:
        table: As `read_table` gives it; `table.at` is the instant the row shows (creation + as_of); the column
            `y_label` holds the target (0/1), `as_of_hours` the age (float64, hours since creation).
        target: Name of the target column.
        weights: float64 array of shape (n_rows,): 0 excluded from fitting, else the weight that undoes censoring
            (mean about 1); `corrected` rows weigh more.
        mature: bool array of shape (n_rows,): the outcome was known at the cut.
        groups: array of shape (n_rows,): record ids, for `split`.
        items: The records as of that instant, and their events up to it, in row order, for features.
        cut: ms UTC of the last thing known in the export.
        excluded: Why records or rows are missing -> how many.
        notes: Sentences for the card.
        task: "binary" for every label of today.
    """

    table: Table
    target: str
    weights: np.ndarray
    mature: np.ndarray
    groups: np.ndarray
    items: Sequence[tuple[WorkItem, Sequence[Event]]] = ()
    cut: int = 0
    excluded: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    task: str = "binary"


def labelled(
    source: Path | str,
    label: str,
    as_of: Sequence[str] = ("0h",),
    *,
    object: str = "",
    specs: Mapping[str, ObjectSpec] | None = None,
    immutable: Sequence[str] = (),
    tz: str = "UTC",
    cut: int | None = None,
) -> Labelled:
    """
    Return the records of the export *source* as they stood *as_of* (ages: 0h, 4h, ..) after creation, labelled.

    Raises:
        IntakeError: no such label, or the export has nothing to tell it by (which file is missing is said).
    """
    name = label.split(":")[0]
    if name not in LABELS:
        raise IntakeError(f"no label {label!r}: write one of {', '.join(LABELS)} (slow:p90 for the slowest tenth)")
    raise IntakeError(f"--label {label}: not built yet")
