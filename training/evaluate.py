"""A model folder on rows it has not seen: the exported model itself scores, as it would when it serves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from training.columns import features_of
from training.later import read_later
from training.metrics import Metrics, binary_metrics, class_metrics, value_metrics
from training.pasts import aged, read_pasts
from training.tables import Table
from training.target import codes_of
from triage.errors import IntakeError
from triage.scoring.folder import open_model
from triage.scoring.tabular import ModelSpec, TabularModel, table_rows


def evaluate(
    folder: Path,
    data: Sequence[str],
    target: str,
    *,
    id: str = "",
    time: str | None = None,
    tz: str = "",
    history: Sequence[str] = (),
    as_of: Sequence[str] = (),
) -> dict[str, Any]:
    """
    Return `{"rows", "task", "signal", "metrics"}` of the model in *folder* on *data*.

    The id, time and zone are those of training where they are not given. Columns that training left out may be absent;
    rows without a target count for nothing.

    Raises:
        ModelRefused: the folder. IntakeError: the table, or a target that the model does not know.
    """
    model = open_model(folder)
    table = read_later(folder, model.spec.features, data, id=id, time=time, tz=tz)
    if target not in table.frame.columns:
        raise IntakeError(f"--target {target}: no such column; there are {', '.join(map(str, table.frame.columns))}")
    y = codes_of(table.frame[target], model.spec.classes)
    if (y < 0).all():
        raise IntakeError(f"{target}: no row holds a class that the model knows ({', '.join(model.spec.classes)})")
    amounts = _amounts(table, model.spec, y)
    kept = np.flatnonzero((y >= 0) & ~np.isnan(amounts)) if model.spec.amount is not None else np.flatnonzero(y >= 0)
    table, y, amounts = table.take(kept), y[kept], amounts[kept]
    pasts = read_pasts(history, table) if history else None
    if pasts is not None and as_of:
        table, places, nows = aged(table, pasts, as_of, [])
        y, amounts, pasts = y[places], amounts[places], pasts.looking(nows)
    features = features_of(table, model.spec.features, pasts)
    rows = table_rows(features)
    chances = np.array(model.probabilities(rows))
    metrics = figures(model, y, chances)
    if model.spec.amount is not None and not np.isnan(amounts).any():
        value = chances[:, 1] * np.array([model.amount(row) for row in rows])
        metrics |= value_metrics(amounts, value)
    return {"rows": len(table), "task": model.spec.task, "signal": model.spec.signal, "metrics": metrics}


def figures(model: TabularModel, y: np.ndarray, chances: np.ndarray) -> Metrics:
    """Return the figures of probabilities *chances* (n, k) for classes *y* (n,), as *model* decides."""
    spec = model.spec
    if len(spec.classes) == 2:
        return binary_metrics(y, chances[:, 1], (chances[:, 1] >= spec.threshold).astype(int))
    said = np.array([model.level(row) for row in chances.tolist()])
    return class_metrics(y, chances, said, ordinal=spec.ordinal)


def _amounts(table: Table, spec: ModelSpec, y: np.ndarray) -> np.ndarray:
    """Return what came of each row in money: 0 where lost; NaN where nobody can tell, or the column is absent."""
    if spec.amount is None or spec.amount_column not in table.frame.columns:
        return np.zeros(len(table))
    amounts = pd.to_numeric(table.frame[spec.amount_column], errors="coerce").to_numpy(dtype=float)
    lost = y == 0
    open_ended = bool((~np.isnan(amounts) & lost).any())
    return np.where(lost & ~(np.isnan(amounts) & open_ended), 0.0, amounts)
