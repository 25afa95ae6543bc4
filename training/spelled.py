"""Columns of numbers in the dress of people and spreadsheets, told apart from columns of codes."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from triage.features.spelled import decimal_mark, digits_of, number_of, spelled

_NOTHING = ("?", "-", "--", ".", "na", "n.a.", "none", "nil", "missing", "unknown", "#value!", "#div/0!")
"""What stands in a column of numbers where there is none."""
_SAMPLE = 200
_CODE = re.compile(r"0\d|\d{20}")


def read_spelled(text: pd.Series) -> pd.Series | None:
    """
    Return the numbers of *text* (str, missing is NaN) as float64 where every cell is one or says that there is none.

    None where one is neither, or where whole numbers begin with 0: such are codes. Whether the comma or the point
    parts the decimals is proven by the column, else `1,234` is a thousand and more, and `1.234` is not.
    """
    distinct = text.dropna().unique().tolist()
    if not _all(distinct[:: max(1, len(distinct) // _SAMPLE)]) or not _all(distinct):
        return None
    parts = {cell: found for cell in distinct if (found := spelled(cell))}
    digits = [digits_of(found) for found in parts.values()]
    point = decimal_mark(digits)
    if point is None or any(_CODE.match(one) for one in digits):
        return None
    return text.map({cell: number_of(found, point) for cell, found in parts.items()}).astype("float64")


def is_dressed(text: pd.Series) -> bool:
    """Return whether most of *text* holds more than bare digits, so that it is no code but an amount."""
    sample = text.dropna()
    sample = sample.iloc[:: max(1, len(sample) // _SAMPLE)]
    return bool(len(sample)) and float(np.mean([not cell.strip().isdecimal() for cell in sample])) > 0.5


def _all(cells: list[str]) -> bool:
    """Return whether each of *cells* is a number or says that there is none, and one is a number."""
    rest = [cell for cell in cells if not spelled(cell)]
    return len(rest) < len(cells) and all(cell.strip().casefold() in _NOTHING for cell in rest)
