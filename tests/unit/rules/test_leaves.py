"""One leaf at a time: operators by type, negation, missing values."""

from __future__ import annotations

from typing import Any

import pytest

from triage.domain.schema import FieldSpec
from triage.rules.language import Leaf
from triage.rules.leaves import leaf_holds, leaf_test, whole_text

SPECS = {
    "text": FieldSpec(name="f", source="F"),
    "number": FieldSpec(name="f", source="F", type="number"),
    "boolean": FieldSpec(name="f", source="F", type="boolean"),
    "picklist": FieldSpec(name="f", source="F", type="picklist", values=("Low", "High"), ordered=True),
    "multipicklist": FieldSpec(name="f", source="F", type="multipicklist", values=("A", "B", "C")),
}
CASES = [
    ("text", "==", ("Paris",), "PARIS", True), ("text", "==", ("Paris",), "Parish", False),
    ("text", "!=", ("Paris",), "paris", False), ("text", "!=", ("Paris",), "Rome", True),
    ("text", "in", ("Paris", "ROME"), "rome", True), ("text", "not in", ("Paris", "ROME"), "rome", False),
    ("text", "not in", ("Paris", "ROME"), "Bonn", True), ("text", "contains", ("OUT", "x"), "an outage", True),
    ("text", "contains", ("OUT",), "inside", False), ("text", "starts_with", ("An",), "an outage", True),
    ("text", "starts_with", ("out",), "an outage", False), ("text", "in words", ("outage",), "An OUTAGE.", True),
    ("text", "in words", ("outage",), "no outage", False),
    ("number", "<", (5,), 4.5, True), ("number", "<", (5,), 5, False), ("number", "<=", (5,), 5, True),
    ("number", ">", (5,), 5, False), ("number", ">=", (5,), 5.0, True), ("number", "==", (5,), 5.0, True),
    ("number", "in", (5, 7), 7, True), ("number", "!=", (5,), 5, False),
    ("boolean", "is true", (), True, True), ("boolean", "is true", (), False, False),
    ("boolean", "is false", (), False, True), ("boolean", "is false", (), True, False),
    ("picklist", ">", ("Low",), "High", True), ("picklist", "<=", ("Low",), "Low", True),
    ("picklist", "<", ("High",), "Low", True), ("picklist", "<", ("High",), "Odd", False),
    ("multipicklist", "includes", ("A", "C"), ("B", "C"), True), ("multipicklist", "includes", ("A",), ("B",), False),
    ("multipicklist", "excludes", ("A",), ("B",), True), ("multipicklist", "excludes", ("A", "B"), ("B",), False),
    ("multipicklist", "includes", ("a",), ("A",), True),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "op", "values", "found", "holds"), CASES)
def test_a_leaf_and_its_negation_are_opposite_on_a_present_value(
    kind: str, op: Any, values: tuple[Any, ...], found: Any, holds: bool
) -> None:
    plain, negated = (Leaf(field="f", op=op, values=values, negate=negate) for negate in (False, True))
    assert leaf_holds(plain, SPECS[kind])({"f": found}) is holds
    if (kind, found) != ("picklist", "Odd"):
        assert leaf_holds(negated, SPECS[kind])({"f": found}) is not holds
    assert leaf_test(plain, SPECS[kind])(found) is holds


@pytest.mark.parametrize(("kind", "op", "values", "found", "holds"), CASES)
@pytest.mark.parametrize("negate", [False, True])
def test_a_leaf_on_a_missing_value_never_holds(
    kind: str, op: Any, values: tuple[Any, ...], found: Any, holds: bool, negate: bool
) -> None:
    leaf = Leaf(field="f", op=op, values=values, negate=negate)
    assert leaf_holds(leaf, SPECS[kind])({}) is False
    assert leaf_holds(leaf, SPECS[kind])({"f": None}) is False


@pytest.mark.parametrize(
    ("op", "negate", "present", "missing"),
    [
        ("is missing", False, False, True), ("is present", False, True, False), ("is missing", True, True, False),
        ("is present", True, False, True),
    ],
)  # fmt: skip
def test_presence_is_always_known(op: Any, negate: bool, present: bool, missing: bool) -> None:
    holds = leaf_holds(Leaf(field="f", op=op, negate=negate), SPECS["text"])
    assert (holds({"f": "x"}), holds({})) == (present, missing)


def test_a_false_or_zero_or_empty_tuple_is_present() -> None:
    holds = leaf_holds(Leaf(field="f", op="is present"), None)
    assert all(holds({"f": value}) for value in (False, 0, ()))


def test_text_is_subject_description_and_latest_message() -> None:
    values = {"subject": "One", "latest_message": "Three", "description": ""}
    assert whole_text(values).split() == ["One", "Three"]
    holds = leaf_holds(Leaf(field="text", op="contains", values=("three",)), None)
    assert holds(values)
    assert not holds({})
    assert not leaf_holds(Leaf(field="text", op="contains", values=("x",), negate=True), None)({})


def test_a_negation_in_the_subject_does_not_reach_the_description() -> None:
    holds = leaf_holds(Leaf(field="text", op="in words", values=("outage",)), None)
    assert holds({"subject": "It does not", "description": "Outage since ten"})
