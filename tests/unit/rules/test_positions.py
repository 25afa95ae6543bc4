"""YAML into a tree with positions; what is dangerous or surprising is refused where it stands."""

from __future__ import annotations

import pytest

from triage.rules.positions import MOST_FAULTS, Broken, Mapping, Page, Scalar, Sequence, read_tree


def faults(text: str) -> list[tuple[int, int, str]]:
    return [(fault.line, fault.column, fault.text) for fault in read_tree("a.yaml", text)[1].faults]


def tree(text: str) -> Mapping:
    node, page = read_tree("a.yaml", text)
    assert page.faults == []
    assert isinstance(node, Mapping)
    return node


@pytest.mark.parametrize("text", ["NO", "1:30", "010", "2026-01-01", "~", "null", "1e3", "0x1F", "yes", ".5", "="])
def test_scalars_stay_text_whatever_yaml_would_make_of_them(text: str) -> None:
    value = tree(f"a: {text}\n").get("a")
    assert isinstance(value, Scalar)
    assert value.text == text


def test_positions_count_from_one_and_stand_behind_an_opening_quote() -> None:
    value = tree("a:\n  b: 'x y'\n").get("a")
    assert isinstance(value, Mapping)
    key, scalar = value.entries[0]
    assert (key.line, key.column) == (2, 3)
    assert isinstance(scalar, Scalar)
    assert (scalar.line, scalar.column, scalar.plain, scalar.exact) == (2, 7, False, True)


@pytest.mark.parametrize("text", ['a: "x\\n"', "a: |\n  x y\n", "a: x\n  y\n", "a: 'it''s'"])
def test_text_that_differs_from_its_source_is_not_exact(text: str) -> None:
    value = tree(text).get("a")
    assert isinstance(value, Scalar)
    assert not value.exact


def test_a_fault_in_text_that_is_not_exact_points_at_its_start() -> None:
    value = tree("a: 'it''s so'").get("a")
    page = Page("a.yaml", "a: 'it''s so'")
    assert isinstance(value, Scalar)
    page.fault(value, "here", shift=5)
    assert page.faults[0].column == 5


def test_a_byte_order_mark_and_crlf_are_accepted_and_shift_no_position() -> None:
    node, page = read_tree("a.yaml", "\ufeffa: 1\r\nb: [x]\r\n")
    assert page.faults == []
    assert isinstance(node, Mapping)
    assert [(key.text, key.line, key.column) for key, _ in node.entries] == [("a", 1, 1), ("b", 2, 1)]


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n"])
def test_nothing_to_read_is_no_tree_or_an_empty_scalar(text: str) -> None:
    node, page = read_tree("a.yaml", text)
    assert page.faults == []
    assert node is None or (isinstance(node, Scalar) and node.text == "")


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("a: &x 1\n", 1, 4, "anchors"),
        ("a: *x\n", 1, 4, "aliases"),
        ("a: !!python/object:os.system {}\n", 1, 4, "the tag"),
        ("a: !x y\n", 1, 4, "the tag"),
        ("a:\n  <<: {b: 1}\n", 2, 3, "merge keys"),
        ("a: 1\na: 2\n", 2, 1, "the key 'a' stands twice: first in line 1"),
        ("? [a, b]\n: 1\n", 1, 3, "a key must be plain text"),
        ("a: 1\n---\nb: 1\n", 3, 1, "a second document"),
        ("%YAML 1.1\n---\na: 1\n", 1, 1, "directives"),
        ("a:\n\tb: 1\n", 2, 1, "a tab"),
        ("a: x\ty\n", 1, 5, "a tab"),
        ("a: \x00\n", 1, 4, "U+0000"),
        ("a: x\x1b[0m\n", 1, 5, "U+001B"),
        ("a: x\u2028b: 1\n", 1, 5, "U+2028"),
        ("a: \u202ex\n", 1, 4, "U+202E"),
        ("a: \x85\n", 1, 4, "U+0085"),
        ("a: \ud800\n", 1, 4, "U+D800"),
    ],
)
def test_what_is_refused_is_refused_once_at_its_place(text: str, line: int, column: int, words: str) -> None:
    ((found_line, found_column, found),) = faults(text)
    assert (found_line, found_column) == (line, column)
    assert words in found


def test_an_anchor_and_a_tag_on_one_value_are_two_faults_and_the_value_is_broken() -> None:
    node, page = read_tree("a.yaml", "a: &x !y 1\nb: 2\n")
    assert len(page.faults) == 2
    assert isinstance(node, Mapping)
    assert isinstance(node.get("a"), Broken)
    assert isinstance(node.get("b"), Scalar)


def test_every_duplicate_of_a_file_is_reported_and_the_first_value_kept() -> None:
    node, page = read_tree("a.yaml", "a: 1\na: 2\nb: {c: 1, c: 2}\n")
    assert len(page.faults) == 2
    assert isinstance(node, Mapping)
    kept = node.get("a")
    assert isinstance(kept, Scalar)
    assert kept.text == "1"


@pytest.mark.parametrize("text", ["a: [1\n", "a: 'x\n", "a: b: c\n", "- a\nb: 1\n", "a: @x\n", "{a", "a: ]\n"])
def test_broken_yaml_is_one_fault_with_a_place(text: str) -> None:
    ((line, column, words),) = faults(text)
    assert line >= 1
    assert column >= 1
    assert words.startswith("this is not YAML")


def test_deep_nesting_is_refused_while_it_is_read() -> None:
    ((line, column, words),) = faults("a: " + "[" * 100_000)
    assert (line, column) == (1, 66)
    assert "nested deeper than 64" in words


def test_billion_laughs_expands_nothing() -> None:
    laughs = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10))
    found = faults(laughs)
    assert len(found) == 10 + 9 * 9
    assert {words.split(" ")[0] for _, _, words in found} == {"anchors", "aliases"}


def test_ten_megabytes_are_refused_before_they_are_parsed() -> None:
    assert faults("a: " + "x" * 10_000_000) == [(1, 1, "the file is larger than 2 MiB: split it")]


def test_too_many_values_are_refused_while_they_are_read() -> None:
    ((line, _, words),) = faults("a:\n" + "- []\n" * 300_000)
    assert line < 130_000
    assert "more than 250000 values" in words


def test_size_is_counted_in_bytes() -> None:
    assert faults("a: " + "é" * 1_100_000) == [(1, 1, "the file is larger than 2 MiB: split it")]


def test_a_flood_of_faults_ends_with_a_word_about_the_rest() -> None:
    found = faults("".join(f"k{i}: *x\n" for i in range(MOST_FAULTS + 50)))
    assert len(found) == MOST_FAULTS + 1
    assert "the rest of this file is not listed" in found[-1][2]


def test_the_source_line_of_a_very_long_line_is_left_out() -> None:
    (fault,) = read_tree("a.yaml", "a: *x " + " " * 300 + "# end\n")[1].faults
    assert fault.source == ""


def test_a_list_keeps_its_order() -> None:
    value = tree("a: [x, y]\n").get("a")
    assert isinstance(value, Sequence)
    assert [item.text for item in value.items if isinstance(item, Scalar)] == ["x", "y"]
