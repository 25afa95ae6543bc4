"""Fields and clocks cut at every constant."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from triage.domain.schema import FieldSpec
from triage.rules.cells import OTHER, Cells, clock_holds, clock_variable
from triage.rules.language import ClockLeaf, Leaf


def leaf(op: Any, *values: Any, negate: bool = False) -> Leaf:
    return Leaf(field="a", op=op, values=values, negate=negate)


def cut(kind: Any, *leaves: Leaf, values: tuple[str, ...] = (), source: str = "A", name: str = "a") -> Cells:
    spec = FieldSpec(name=name, source=source, type=kind, values=values)
    return Cells(leaves, {"a": spec})


@pytest.mark.parametrize(
    ("kind", "leaves", "cells"),
    [
        ("integer", [leaf(">", 5), leaf("<", 9)], [None, 4, 5, 7, 9, 10]),
        ("integer", [leaf(">", 5), leaf("<", 6)], [None, 4, 5, 6, 7]),
        ("money", [leaf(">", 5), leaf("<", 6)], [None, 4, 5, 5.5, 6, 7]),
        ("boolean", [leaf("is true")], [None, True, False]),
        ("number", [leaf("is missing")], [None, 0]),
        ("reference", [leaf("==", "x")], [None, "x", OTHER * 2]),
    ],
)
def test_cells_of_a_field(kind: Any, leaves: list[Leaf], cells: list[Any]) -> None:
    assert cut(kind, *leaves).values["a"] == cells


def test_a_picklist_is_cut_at_all_its_values() -> None:
    assert cut("picklist", leaf("==", "x"), values=("x", "y")).values["a"] == [None, "x", "y"]


def test_several_values_are_cut_into_their_subsets_and_something_else() -> None:
    assert cut("multipicklist", leaf("includes", "x", "y")).values["a"] == [None, ("x",), ("y",), ("x", "y"), (OTHER,)]
    assert cut("multipicklist", leaf("includes", "x"), values=("x",)).values["a"] == [None, ("x",)]


def test_texts_cover_every_combination_of_what_is_looked_for() -> None:
    cells = cut("text", leaf("contains", "b"), leaf("starts_with", "r"), leaf("==", "b"))
    texts = cells.values["a"][1:]
    wanted = {(has, starts, same) for has in (0, 1) for starts in (0, 1) for same in (0, 1) if not (same and starts)}
    wanted -= {(0, 0, 1)}
    assert {(int("b" in text), int(text.startswith("r")), int(text == "b")) for text in texts} == wanted


def test_a_field_with_too_many_parts_is_cut_leaf_by_leaf() -> None:
    leaves = [leaf("contains", f"n{n}") for n in range(6)]
    cells = cut("text", *leaves)
    assert "a" not in cells.values
    assert len(cells.values) == 6
    assert {cells.mask(part)[1] for part in leaves} == {0b100}
    assert cells.mask(leaf("contains", "n0", negate=True))[1] == 0b010


def test_word_lists_are_worlds_of_their_own() -> None:
    cells = cut("text", leaf("in words", "down"), leaf("==", "x"))
    assert set(cells.values) == {"a", "leaf:a in words ('down',)"}


@pytest.mark.parametrize(
    ("name", "kind", "least", "most"), [("reopen_count", "integer", 0, 4), ("urgency.score", "percent", 0, 1)]
)
def test_what_we_count_ourselves_has_bounds(name: str, kind: Any, least: int, most: int) -> None:
    spec = FieldSpec(name=name, source="", type=kind)
    bound = 3 if kind == "integer" else 0.5
    cells = Cells([Leaf(field=name, op=">", values=(bound,))], {name: spec})
    assert min(cells.values[name][1:]) == least
    assert max(cells.values[name][1:]) == most


def test_masks_are_the_cells_in_which_a_leaf_is_true_negation_included() -> None:
    cells = cut("boolean", leaf("is true"))
    assert cells.mask(leaf("is true")) == ("a", 0b010)
    assert cells.mask(leaf("is true", negate=True)) == ("a", 0b100)
    assert cells.mask(leaf("is missing")) == ("a", 0b001)
    assert cells.full("a") == 0b111


def test_clocks_of_one_kind_share_their_cells() -> None:
    used = ClockLeaf(clock="sla", amount=Fraction(4, 5))
    left = ClockLeaf(clock="sla", amount=Fraction(1, 5), of_remaining=True)
    assert clock_variable(used) == clock_variable(left) == "clock:sla/none/share"
    cells = Cells([used, left], {})
    assert cells.values["clock:sla/none/share"] == [None, 0, Fraction(4, 5)]
    assert cells.mask(used) == cells.mask(left)


@pytest.mark.parametrize(
    ("until", "of_remaining", "at_amount", "beyond"),
    [(False, False, True, True), (True, False, False, False), (False, True, True, False), (True, True, False, True)],
)
def test_clock_leaves_flip_at_their_amount(until: bool, of_remaining: bool, at_amount: bool, beyond: bool) -> None:
    part = ClockLeaf(clock="sla", amount=1000, until=until, of_remaining=of_remaining)
    assert clock_holds(part, 1000) is at_amount
    assert clock_holds(part, 1001) is beyond
    assert not clock_holds(part, None)


def test_a_record_leaves_out_what_may_be_missing() -> None:
    cells = cut("integer", leaf(">", 5))
    assert cells.record({"a": 0b1001}) == {}
    assert cells.record({"a": 0b1100}) == {"a": 5}
