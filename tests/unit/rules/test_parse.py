"""Conditions: leaves, lists, words and clocks."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest

from triage.rules.check import Known
from triage.rules.language import AllOf, AnyOf, Change, ClockLeaf, Condition, Leaf, Negation
from triage.rules.parse import STATIC, parse_condition, read_condition
from triage.rules.positions import Page, Scalar, read_tree

Read = Callable[[str], Condition]


def faults(text: str, known: Known) -> list[str]:
    node, page = read_tree("rules.yaml", text)
    assert node is not None
    read_condition(node, known, page)
    return [fault.text for fault in page.faults]


def test_a_list_means_all_of_it(read: Read) -> None:
    condition = read("- is_closed\n- priority == High\n")
    assert isinstance(condition, AllOf)
    assert [part.field for part in condition.parts if isinstance(part, Leaf)] == ["is_closed", "priority"]


def test_an_empty_list_always_holds(read: Read) -> None:
    assert read("[]") == AllOf(())


def test_any_all_and_not_nest(read: Read) -> None:
    condition = read("{any: [{all: [is_closed]}, {not: [is_closed]}, not is_closed]}")
    assert isinstance(condition, AnyOf)
    whole, negated, prefixed = condition.parts
    assert isinstance(whole, AllOf)
    assert isinstance(negated, Negation)
    assert isinstance(negated.part, AllOf)
    assert isinstance(prefixed, Negation)
    assert isinstance(prefixed.part, Leaf)


def test_a_leaf_knows_its_text_and_place(known: Known) -> None:
    page = Page("rules.yaml", "    - not priority == High")
    condition = parse_condition(Scalar("not priority == High", 1, 7), known, page)
    assert isinstance(condition, Negation)
    assert isinstance(condition.part, Leaf)
    assert condition.part.text == "priority == High"
    at = condition.part.at
    assert (at.file, at.line, at.column, at.text) == ("rules.yaml", 1, 7, "not priority == High")


def test_a_clock_mapping_holds_from_its_amount_on(read: Read) -> None:
    condition = read("{clock: created, over: 6h, hours: support}")
    assert isinstance(condition, ClockLeaf)
    assert (condition.clock, condition.amount, condition.hours, condition.until) == (
        "created",
        21_600_000,
        "support",
        False,
    )


def test_a_clock_mapping_names_milestones_bare_and_takes_their_percentage(read: Read) -> None:
    condition = read("{clock: first_response, over: 33.3%}")
    assert isinstance(condition, ClockLeaf)
    assert (condition.clock, condition.amount, condition.hours) == ("milestone:first_response", Fraction(333, 1000), "")


def test_became_and_raised_are_changes(read: Read) -> None:
    became = read("became: priority == High")
    raised = read("raised: priority")
    assert isinstance(became, Change)
    assert isinstance(became.became, Leaf)
    assert isinstance(raised, Change)
    assert (raised.became, raised.raised) == (None, "priority")


def test_nesting_up_to_the_limit_is_read_and_one_more_is_one_fault(known: Known) -> None:
    assert faults("{not: " * 19 + "[is_closed]" + "}" * 19, known) == []
    deep = "[" * 20 + "is_closed" + "]" * 20
    assert faults(deep, known) == ["conditions are nested deeper than 20 levels"]


def test_leaves_up_to_the_limit_are_read_and_one_more_is_one_fault(known: Known) -> None:
    assert faults("\n".join(["- is_closed"] * 200), known) == []
    assert faults("\n".join(["- is_closed"] * 201), known) == ["201 leaves in one condition: 200 are the most"]


def test_clocks_and_changes_are_refused_where_only_static_leaves_may_stand(known: Known) -> None:
    node, page = read_tree("rules.yaml", "[age > 3h, {clock: created, over: 3h}, {raised: priority}, is_closed]")
    assert node is not None
    condition = read_condition(node, known, page, STATIC)
    assert isinstance(condition, AllOf)
    assert len(condition.parts) == 1
    assert [fault.text.split(" in ")[0] for fault in page.faults] == ["a clock", "a clock", "a change trigger"]


def test_an_undeclared_object_leaves_its_fields_unchecked() -> None:
    assert faults("[whatever == 5, age > 3h, {raised: whatever}]", Known(object="Nope", fields=None)) == []


@pytest.mark.parametrize(
    "text", ["{}", "{all: [is_closed], any: [is_closed]}", "{clock: created}", "{clock: [x], over: 1h}"]
)
def test_a_mapping_that_is_no_condition_is_one_fault(text: str, known: Known) -> None:
    assert len(faults(text, known)) == 1
