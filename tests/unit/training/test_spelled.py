"""Columns of numbers as spreadsheets write them, told apart from codes."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from training.spelled import is_dressed, read_spelled


def column(*cells: str) -> pd.Series:
    return pd.Series(cells, dtype="str")


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (("$1,234", "$5"), [1234.0, 5.0]),
        (("1.234,56 €", "0,5"), [1234.56, 0.5]),
        (("0,125", "1,500"), [0.125, 1.5]),
        (("1,234", "2,500"), [1234.0, 2500.0]),
        (("1.234.567", "2"), [1234567.0, 2.0]),
        (("(500.25)", "3"), [-500.25, 3.0]),
        (("12 %", "-"), [12.0, math.nan]),
        (("18", "?", "NA"), [18.0, math.nan, math.nan]),
    ],
)
def test_the_column_proves_which_mark_parts_the_decimals(cells: tuple[str, ...], numbers: list[float]) -> None:
    """One value alone might be either; what stands for nothing is missing."""
    found = read_spelled(column(*cells))
    assert found is not None
    assert [value if value == value else None for value in found.tolist()] == [
        value if value == value else None for value in numbers
    ]


@pytest.mark.parametrize(
    "cells",
    [("007", "010"), ("01.02.2024", "05.03.2024"), ("10.0.0.1", "10.0.0.2"), ("555-1234", "5"), ("?", "-"), ("a", "1")],
)
def test_codes_dates_and_words_are_no_numbers(cells: tuple[str, ...]) -> None:
    """A leading zero, dots of a date, or one word among numbers: the column stays text."""
    assert read_spelled(column(*cells)) is None


def test_bare_digits_of_a_typed_file_may_be_codes() -> None:
    """Where the file knew types and chose text, only a mark or a sign makes an amount of digits."""
    assert not is_dressed(column("12", "13"))
    assert is_dressed(column("12.5", "$13"))
