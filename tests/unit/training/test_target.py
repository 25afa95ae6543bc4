"""The target as classes: which is found, what is too rare, and how a later file may spell it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from training.target import codes_of, read_classes, without_rare


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([" Yes", "No ", "yes"], ("no", "yes")),
        (["t", "t", "f"], ("f", "t")),
        ([1.0, 0.0, None], ("0", "1")),
        (["Ja", "Nein", "Ja"], ("nein", "ja")),
        (["Churned", "Stayed", "Churned"], ("stayed", "churned")),
        (["good", "good", "bad"], ("good", "bad")),
    ],
)
def test_the_second_of_two_classes_is_the_one_to_find(values: list[object], names: tuple[str, ...]) -> None:
    """By its word where that says so, else the rarer."""
    assert read_classes(pd.Series(values, dtype="object"), "y").names == names


def test_a_class_of_a_few_rows_is_left_out_where_there_are_others() -> None:
    """Of two classes none is: then there would be nothing to tell apart."""
    three = read_classes(pd.Series(["a"] * 20 + ["b"] * 20 + ["c"] * 3), "y")
    kept, rare = without_rare(three, np.arange(43))
    assert (len(kept), rare) == (40, ("c",))
    two = read_classes(pd.Series(["a"] * 20 + ["b"] * 3), "y")
    assert without_rare(two, np.arange(23))[1] == ()


def test_a_later_file_may_spell_no_and_yes_in_another_way() -> None:
    """A model of 0 and 1 is judged on True and False too; other words stay unknown."""
    assert codes_of(pd.Series([True, False, "Yes", "maybe"], dtype="object"), ("0", "1")).tolist() == [1, 0, 1, -1]
    assert codes_of(pd.Series(["1", "late"], dtype="object"), ("on time", "late")).tolist() == [-1, 1]
