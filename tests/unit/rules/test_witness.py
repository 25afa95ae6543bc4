"""The search for one state: found where there is one, None only where there is none."""

from __future__ import annotations

import pytest

from triage.domain.schema import FieldSpec
from triage.rules.cells import Cells
from triage.rules.language import AllOf, AnyOf, Change, Condition, Leaf
from triage.rules.witness import ALWAYS, Both, Either, Literal, Undecided, fails, holds, search

SPECS = {name: FieldSpec(name=name, source=name.upper()) for name in "abc"}


def equals(field: str, value: str) -> Leaf:
    return Leaf(field=field, op="==", values=(value,))


def cells_of(*conditions: Condition) -> Cells:
    return Cells(conditions, SPECS)


def test_a_leaf_and_its_failing_have_no_state_in_common_but_each_has_one() -> None:
    leaf = equals("a", "x")
    cells = cells_of(leaf)
    assert search([holds(leaf, cells)], cells) is not None
    assert search([fails(leaf, cells)], cells) is not None
    assert search([holds(leaf, cells), fails(leaf, cells)], cells) is None


def test_failing_may_be_a_missing_value() -> None:
    leaf = equals("a", "x")
    cells = cells_of(leaf)
    assert search([fails(leaf, cells), Literal("a", 1)], cells) == {"a": 1}


def test_choices_are_followed_until_one_fits() -> None:
    either = AnyOf((equals("a", "x"), AllOf((equals("b", "y"), equals("c", "z")))))
    cells = cells_of(either)
    found = search([holds(either, cells), fails(equals("a", "x"), cells)], cells)
    assert found is not None
    assert cells.record(found)["b"] == "y"
    assert cells.record(found)["c"] == "z"


def test_an_empty_choice_never_holds_and_an_empty_demand_always_does() -> None:
    cells = cells_of(equals("a", "x"))
    assert search([Either(())], cells) is None
    assert search([Both(()), ALWAYS], cells) == {}


def test_a_change_needs_what_it_became_and_can_always_be_absent() -> None:
    change = Change(became=equals("a", "x"))
    cells = cells_of(change)
    assert search([holds(change, cells), fails(equals("a", "x"), cells)], cells) is None
    assert search([fails(change, cells), holds(equals("a", "x"), cells)], cells) is not None
    assert holds(Change(raised="a"), cells) == ALWAYS


def test_a_search_that_takes_too_long_gives_up_instead_of_guessing() -> None:
    holes, pigeons = range(3), "abc"
    wanted: list[Condition] = [AnyOf(tuple(equals(p, f"h{h}") for h in holes)) for p in pigeons]
    cells = cells_of(*wanted)
    apart = [
        fails(AllOf((equals(p, f"h{h}"), equals(q, f"h{h}"))), cells)
        for h in holes
        for p in pigeons
        for q in pigeons
        if p < q
    ]
    formulas = [*(holds(part, cells) for part in wanted), *apart]
    assert search(formulas, cells) is not None
    with pytest.raises(Undecided, match="within 0 branches"):
        search(formulas, cells, most=0)
