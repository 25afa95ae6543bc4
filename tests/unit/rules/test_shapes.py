"""Shapes: one table, one reader; whatever does not fit is one fault and absent."""

from __future__ import annotations

from typing import Any

import pytest

from triage.rules.positions import read_tree
from triage.rules.shapes import (
    ByKind,
    Choice,
    Entry,
    Flag,
    ListOf,
    MapOf,
    Named,
    OneKey,
    Record,
    Shape,
    Span,
    Split,
    Text,
    Whole,
    did_you_mean,
    one_of,
    read,
    shown,
    unknown,
)  # fmt: skip

PAIR = Record("a pair", {"left": Whole(), "right": Flag()}, ("left",))


def reading(shape: Shape, text: str) -> tuple[Any, list[str]]:
    node, page = read_tree("a.yaml", text)
    assert node is not None
    return read(shape, node, page), [fault.text for fault in page.faults]


@pytest.mark.parametrize(
    ("shape", "text", "value"),
    [
        (Text(), "NO", "NO"),
        (Text(empty=True), "''", ""),
        (Text("a+"), "aaa", "aaa"),
        (Choice(("x", "y")), "y", "y"),
        (Flag(), "true", True),
        (Flag(), "false", False),
        (Whole(), "12", 12),
        (Whole(-5), "-5", -5),
        (Span(), "1h30m", 5_400_000),
        (Span(), "0s", 0),
        (ListOf(Whole()), "[1, 2]", (1, 2)),
        (ListOf(Whole(), lone=True), "1", (1,)),
    ],
)
def test_values_are_read_by_their_shape(shape: Shape, text: str, value: Any) -> None:
    assert reading(shape, text) == (value, [])


@pytest.mark.parametrize(
    ("shape", "text", "words"),
    [
        (Text(), "''", "text is asked for here"),
        (Text(), "[a]", "text is asked for here, not a list"),
        (Text("a+", "many a"), "b", "many a is asked for here, not 'b'"),
        (
            Choice(("first", "second")),
            "frist",
            "one of first, second is asked for here, not 'frist': did you mean 'first'?",
        ),
        (Flag(), "yes", "true or false is asked for here, not 'yes'"),
        (Flag(), "True", "true or false"),
        (Whole(), "010", "a whole number from 0"),
        (Whole(), "1.0", "a whole number"),
        (Whole(1, 5), "6", "a whole number from 1 to 5"),
        (Whole(), "9" * 5000, "a whole number"),
        (Span(), "5", "write '5m' or '5h'"),
        (Span(1), "0s", "too short"),
        (Span(), "soon", "write 90s, 15m"),
        (ListOf(Whole()), "1", "a list is asked for here, not a text"),
        (ListOf(Whole(), least=1), "[]", "at least one entry"),
        (MapOf(Whole()), "[1]", "a mapping from names to values"),
        (MapOf(Whole()), "{1a: 1}", "a name of letters"),
        (PAIR, "5", "a pair is a mapping with left, right, not a text"),
        (PAIR, "{right: true}", "a pair lacks left"),
        (PAIR, "{left: 1, rihgt: true}", "unknown key 'rihgt': did you mean 'right'? (in a pair)"),
        (OneKey("one", {"a": Whole(), "b": Whole()}), "{a: 1, b: 2}", "one has exactly one of the keys a, b"),
        (OneKey("one", {"a": Whole()}), "{}", "one has exactly one"),
        (ByKind("a number or a list", scalar=Whole()), "{a: 1}", "a number or a list is asked for here, not a mapping"),
    ],
)
def test_what_does_not_fit_is_one_fault_and_absent(shape: Shape, text: str, words: str) -> None:
    _, (fault,) = reading(shape, text)
    assert words in fault


def test_a_record_keeps_values_nodes_and_keys() -> None:
    entry, _ = reading(PAIR, "{left: 3, right: true}")
    assert isinstance(entry, Entry)
    assert entry.values == {"left": 3, "right": True}
    assert entry.nodes["right"].column == 18
    assert entry.keys["right"].column == 11
    assert entry.get("none", 7) == 7


def test_a_refused_value_is_absent_but_its_key_is_known() -> None:
    entry, faults = reading(PAIR, "{left: x}")
    assert len(faults) == 1
    assert entry.values == {}
    assert set(entry.keys) == {"left"}


def test_items_that_were_refused_are_left_out_of_a_list() -> None:
    value, faults = reading(ListOf(Whole()), "[1, x, 3]")
    assert value == (1, 3)
    assert len(faults) == 1


def test_aliases_of_a_key_are_read_as_the_key() -> None:
    entry, _ = reading(
        OneKey("one", {"reprioritise": Whole()}, {"re-prioritise": "reprioritise"}), "{re-prioritise: 1}"
    )
    assert entry.only() == "reprioritise"


def test_split_chooses_by_a_key() -> None:
    shape = Split("left", PAIR, MapOf(Text()))
    assert reading(shape, "{left: 1}")[0].values == {"left": 1}
    assert reading(shape, "{any: x}")[0].values == {"any": "x"}


def test_a_named_shape_answers_the_node_itself() -> None:
    node, page = read_tree("a.yaml", "[1]")
    assert node is not None
    assert read(Named("condition"), node, page) is node


def test_refused_parts_are_passed_over_in_silence() -> None:
    node, page = read_tree("a.yaml", "left: &x 1\n")
    assert node is not None
    assert read(PAIR, node, page).values == {}
    assert len(page.faults) == 1


def test_suggestions_ignore_capitals_and_are_silent_when_nothing_is_near() -> None:
    assert did_you_mean("ENTERPRISE", ["Standard", "Enterprise"]) == ": did you mean 'Enterprise'?"
    assert did_you_mean("qqq", ["Standard"]) == ""
    assert unknown("queue", "qqq", []) == "unknown queue 'qqq': none is declared"
    assert unknown("queue", "qqq", ["B", "A"]) == "unknown queue 'qqq': known are A, B"


def test_long_lists_and_texts_are_cut() -> None:
    assert one_of(map(str, range(20)), most=3) == "0, 1, 2, .. (20 in all)"
    assert len(shown("x" * 500)) < 70
