"""Rows whose outcome is not known yet: counting them as class 0 would teach a model to read the cut."""

from __future__ import annotations

import numpy as np

from training.names import words_of_name
from training.tables import Table

_OPEN_SHARE = 0.01


def open_rows(table: Table, y: np.ndarray) -> tuple[np.ndarray, str]:
    """
    Return a bool array of the rows still open, whose target is therefore unknown, and one sentence ("" for none).

    A row is open where a column called like `IsClosed` is false while every such row has target 0 and not every other
    row has, or, without such a column, where a closing instant (`ClosedDate`) is missing so.
    """
    nothing = np.zeros(len(table), dtype=bool)
    for name in table.columns:
        words = words_of_name(name)
        column = table.frame[name]
        if words in ("is closed", "closed", "is resolved", "is completed"):
            open_ = (~column.astype("str").str.casefold().isin(["true", "1", "1.0", "yes"])).to_numpy()
        elif words in ("closed date", "close date", "closed at", "converted date") and column.dtype.kind == "M":
            open_ = column.isna().to_numpy()
        else:
            continue
        known = np.isfinite(y)
        if _OPEN_SHARE <= open_.mean() < 1.0 and not (y[open_ & known] > 0).any() and (y[~open_ & known] > 0).any():
            count = int(open_.sum())
            return open_, f"{count:,} rows are still open ({name}): their outcome is not known and is not taken as 0"
    return nothing, ""
