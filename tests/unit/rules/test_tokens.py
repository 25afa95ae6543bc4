"""A leaf's text into field, operator and constants."""

from __future__ import annotations

import pytest

from triage.rules.positions import Page, Scalar
from triage.rules.tokens import LeafText, split_leaf


def split(text: str) -> LeafText:
    page = Page("a.yaml", text)
    leaf = split_leaf(Scalar(text, 1, 1), page)
    assert page.faults == []
    assert leaf is not None
    return leaf


@pytest.mark.parametrize(
    ("text", "field", "op", "constants"),
    [
        ("is_closed", "is_closed", "", []),
        ("priority==High", "priority", "==", ["High"]),
        ("seats  >=   5", "seats", ">=", ["5"]),
        ("age > 1h 30m", "age", ">", ["1h 30m"]),
        ("amount >= 500 EUR", "amount", ">=", ["500 EUR"]),
        ("discount >= 80 %", "discount", ">=", ["80 %"]),
        ("subject == \"a, [b] and 'c'\"", "subject", "==", ["a, [b] and 'c'"]),
        (r'subject contains "say \"hi\" \\ \n"', "subject", "contains", ['say "hi" \\ \\n']),
        ("a in [x, 'y, z' , \"w\"]", "a", "in", ["x", "y, z", "w"]),
        ("a not  in [On Hold, New]", "a", "not in", ["On Hold", "New"]),
        ("a is  missing", "a", "is missing", []),
        ("a is present", "a", "is present", []),
        ("text in words( outage )", "text", "in words", ["outage"]),
        ("account.tier includes [a]", "account.tier", "includes", ["a"]),
        ("a starts_with RE:", "a", "starts_with", ["RE:"]),
        ("owner == 005x00000000001AAA", "owner", "==", ["005x00000000001AAA"]),
    ],
)
def test_pieces_of_a_leaf(text: str, field: str, op: str, constants: list[str]) -> None:
    leaf = split(text)
    assert (leaf.field.text, leaf.op, [token.text for token in leaf.constants]) == (field, op, constants)
    assert not leaf.negated


def test_not_stands_before_a_leaf_and_moves_its_field() -> None:
    leaf = split("not priority == High")
    assert leaf.negated
    assert leaf.field.start == 4


def test_a_field_may_begin_with_the_letters_of_not() -> None:
    assert split("notes is missing").field.text == "notes"
    assert not split("notes is missing").negated


def test_tokens_know_where_they_start_and_how_long_they_are_as_written() -> None:
    leaf = split('a in [x, "y"]')
    assert [(token.start, token.length, token.quoted) for token in leaf.constants] == [(6, 1, False), (9, 3, True)]


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("a => 5", 3, "'=>' is not an operator: write '>='"),
        ("a <> 5", 3, "write '!='"),
        ("a is 5", 3, "write '=='"),
        ("a is not 5", 3, "write '!='"),
        ("a equals 5", 3, "write '=='"),
        ("a is empty", 3, "write 'is missing'"),
        ("a && b", 3, "joins two conditions"),
        ("a == b or c == d", 8, "'or' joins two conditions"),
        ("a ; b", 3, "unknown operator"),
        ("a inside [x]", 3, "unknown operator 'inside'"),
        ("a in [x, ]", 10, "a constant is missing"),
        ("a in [x y", 10, "never closed"),
        ("a in ['x' y]", 11, "',' or ']' is missing"),
        ("a == 'x' y", 10, "nothing may follow the constant"),
        ("", 1, "begins with a field"),
        ("9a == 5", 1, "is not a field name"),
        ("a\u200b == 5", 2, "ZERO WIDTH SPACE"),
    ],
)
def test_faults_stand_at_the_column_where_reading_stopped(text: str, column: int, words: str) -> None:
    page = Page("a.yaml", text)
    assert split_leaf(Scalar(text, 1, 1), page) is None
    (fault,) = page.faults
    assert fault.column == column
    assert words in fault.text
