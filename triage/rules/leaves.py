"""One leaf each as a closure: does it hold on these values? A missing value never holds, negated or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from triage.domain.schema import FieldSpec
from triage.rules.language import Leaf
from triage.rules.words import words_in

Values = Mapping[str, Any]
Test = Callable[[Any], bool]
"""A test of one present value."""
Holds = Callable[[Values], bool]
"""A test of a whole record's values."""

FREE_TEXT = ("text", "reference")
RANGES = ("<", "<=", ">", ">=")
TEXT_PARTS = ("subject", "description", "latest_message")


def leaf_test(leaf: Leaf, spec: FieldSpec | None) -> Test:
    """Return the test of one present value that *leaf* makes, its own negation included."""
    folded = spec is None or spec.type in FREE_TEXT
    ranked = spec is not None and spec.ordered and leaf.op in RANGES
    test = _ranked(leaf, spec.values) if ranked and spec is not None else _positive(leaf, folded)
    if leaf.op in ("!=", "not in", "excludes", "is false") or leaf.negate:
        flips = (leaf.op in ("!=", "not in", "excludes", "is false")) != leaf.negate
        return (lambda value: not test(value)) if flips else test
    return test


def leaf_holds(leaf: Leaf, spec: FieldSpec | None) -> Holds:
    """Return whether *leaf* is TRUE on a record's values: unknown (missing) is not."""
    name = leaf.field
    if leaf.op in ("is missing", "is present"):
        wants = (leaf.op == "is present") != leaf.negate
        return lambda values: (values.get(name) is not None) == wants
    test = leaf_test(leaf, spec)
    if name == "text":
        return lambda values: (text := whole_text(values)) != "" and test(text)

    def holds(values: Values) -> bool:
        value = values.get(name)
        return value is not None and test(value)

    return holds


def whole_text(values: Values) -> str:
    """Return subject, description and the latest inbound message as one text."""
    return "\n\n".join(str(values[part]) for part in TEXT_PARTS if values.get(part))


def _positive(leaf: Leaf, folded: bool) -> Test:
    values = tuple(_fold(value) if folded else value for value in leaf.values)
    if leaf.op in ("==", "!=", "in", "not in"):
        return _among(values, folded)
    if leaf.op in ("is true", "is false"):
        return lambda value: value is True
    if leaf.op in RANGES:
        return _compared(leaf.op, values[0])
    if leaf.op in ("includes", "excludes"):
        wanted = frozenset(_fold(value) for value in leaf.values)
        return lambda value: any(_fold(part) in wanted for part in (value if isinstance(value, tuple) else (value,)))
    return _text_test(leaf)


def _among(values: tuple[Any, ...], folded: bool) -> Test:
    if len(values) == 1:
        (only,) = values
        return (lambda value: _fold(value) == only) if folded else (lambda value: value == only)
    wanted = frozenset(values)
    return (lambda value: _fold(value) in wanted) if folded else (lambda value: value in wanted)


def _compared(op: str, bound: Any) -> Test:
    if op == "<":
        return lambda value: bool(value < bound)
    if op == "<=":
        return lambda value: bool(value <= bound)
    if op == ">":
        return lambda value: bool(value > bound)
    return lambda value: bool(value >= bound)


def _ranked(leaf: Leaf, ascending: tuple[str, ...]) -> Test:
    """Compare by place in an ordered picklist (Low before High), not by spelling; a value off the list never holds."""
    rank = {value: place for place, value in enumerate(ascending)}
    compare = _compared(leaf.op, rank.get(leaf.values[0], -1))
    return lambda value: value in rank and compare(rank[value])


def _text_test(leaf: Leaf) -> Test:
    if leaf.op == "in words":
        search = words_in([str(value) for value in leaf.values])
        return lambda value: search(str(value)) != ""
    needles = tuple(str(value).casefold() for value in leaf.values)
    if leaf.op == "contains":
        return lambda value: any(needle in str(value).casefold() for needle in needles)
    return lambda value: str(value).casefold().startswith(needles)


def _fold(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value
