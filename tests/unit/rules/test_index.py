"""The index answers exactly which rules' leaves are all TRUE, whatever the field and the value."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from triage.domain.schema import FieldSpec
from triage.rules.index import Index, indexable
from triage.rules.language import Leaf
from triage.rules.leaves import leaf_holds

SPECS = {
    "n": FieldSpec(name="n", source="N", type="number"),
    "t": FieldSpec(name="t", source="T"),
    "p": FieldSpec(name="p", source="P", type="picklist", values=("Low", "Mid", "High"), ordered=True),
    "b": FieldSpec(name="b", source="B", type="boolean"),
    "m": FieldSpec(name="m", source="M", type="multipicklist", values=("x", "y", "z")),
}
OPS: dict[str, tuple[str, ...]] = {
    "n": ("<", "<=", ">", ">=", "==", "!=", "in", "not in"),
    "t": ("==", "!=", "in", "not in", "contains", "starts_with"),
    "p": ("==", "!=", "in", "not in", "<", "<=", ">", ">="),
    "b": ("is true", "is false"),
    "m": ("includes", "excludes"),
}
VALUES: dict[str, tuple[Any, ...]] = {
    "n": (-3, 0, 1, 1.5, 2, 7, 10**12), "t": ("Red", "rED", "blue", "Straße", ""), "p": ("Low", "Mid", "High"),
    "b": (True, False), "m": (("x",), ("x", "y"), (), ("z",)),
}  # fmt: skip


def random_leaf(rng: Random) -> Leaf:
    """Return any leaf."""
    field = rng.choice(list(OPS))
    if rng.random() < 0.15:
        return Leaf(field=field, op=rng.choice(("is missing", "is present")), negate=rng.random() < 0.3)
    op: Any = rng.choice(OPS[field])
    constants = [part for value in VALUES[field] for part in (value if isinstance(value, tuple) else (value,))]
    count = 0 if field == "b" else rng.randint(1, 3) if op in ("in", "not in", "includes", "excludes") else 1
    return Leaf(field=field, op=op, values=tuple(rng.choices(constants, k=count)), negate=rng.random() < 0.3)


@pytest.mark.parametrize("seed", range(150))
def test_candidates_are_exactly_the_rules_whose_leaves_all_hold(seed: int) -> None:
    """Random rules and values against the leaves themselves."""
    rng = Random(seed)
    guards = [[random_leaf(rng) for _ in range(rng.randint(0, 3))] for _ in range(rng.randint(1, 12))]
    index = Index(guards, SPECS)
    for _ in range(30):
        values = {name: rng.choice(found) for name, found in VALUES.items() if rng.random() < 0.8}
        wanted = [all(leaf_holds(leaf, SPECS[leaf.field])(values) for leaf in rule) for rule in guards]
        mask = index.candidates(values)
        assert [bool(mask >> number & 1) for number in range(len(guards))] == wanted


def test_no_rules_have_no_candidates() -> None:
    assert Index([], SPECS).candidates({"n": 1}) == 0


def test_a_rule_without_leaves_is_always_a_candidate() -> None:
    assert Index([[], [Leaf(field="n", op="==", values=(1,))]], SPECS).candidates({}) == 0b01


def test_values_that_no_rule_names_fall_into_their_own_cell() -> None:
    index = Index([[Leaf(field="t", op="==", values=("red",))], [Leaf(field="t", op="!=", values=("red",))]], SPECS)
    assert [index.candidates({"t": value}) for value in ("RED", "green")] == [0b01, 0b10]


def test_numbers_between_at_and_beyond_the_cuts_are_told_apart() -> None:
    index = Index([[Leaf(field="n", op=">", values=(1,))], [Leaf(field="n", op="<=", values=(2,))]], SPECS)
    assert [index.candidates({"n": value}) for value in (0, 1, 1.0001, 2, 3)] == [0b10, 0b10, 0b11, 0b11, 0b01]


def test_text_looks_at_several_fields_and_is_not_indexed() -> None:
    assert not indexable(Leaf(field="text", op="contains", values=("x",)))
    assert indexable(Leaf(field="subject", op="contains", values=("x",)))
