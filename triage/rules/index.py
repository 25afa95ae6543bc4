"""
Which rules can still hold, given only the values: one bit a rule, one look-up a field.

Every field's values are cut into cells at the constants that rules use; each cell has the set of rules whose leaves on
that field are all TRUE there. The rules that can hold are the intersection over the fields, so that 200 rules cost a
handful of look-ups, with or without an equality to index on.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from triage.domain.schema import FieldSpec
from triage.rules.language import Leaf
from triage.rules.leaves import FREE_TEXT, RANGES, leaf_holds

Mask = int
CellOf = Callable[[Any], Mask]
_OTHER = "\x00 a value that no rule names"


class Index:
    """Look-up of the rules (bits of an int) whose every indexed leaf is TRUE on given values."""

    __slots__ = ("_everything", "_fields")

    def __init__(self, guards: Sequence[Sequence[Leaf]], specs: Mapping[str, FieldSpec]) -> None:
        """Index rule number i by its conjunct leaves *guards[i]*; a rule without any can always hold."""
        self._everything: Mask = (1 << len(guards)) - 1
        by_field: dict[str, list[tuple[int, Leaf]]] = {}
        for number, rule_leaves in enumerate(guards):
            for leaf in rule_leaves:
                by_field.setdefault(leaf.field, []).append((number, leaf))
        self._fields: list[tuple[str, CellOf]] = [
            (name, _cells(name, pairs, specs.get(name), self._everything)) for name, pairs in by_field.items()
        ]

    def candidates(self, values: Mapping[str, Any]) -> Mask:
        """Return the rules that can hold on *values*: exactly those whose indexed leaves are all TRUE."""
        mask = self._everything
        get = values.get
        for name, cell_of in self._fields:
            mask &= cell_of(get(name))
            if not mask:
                return 0
        return mask


def indexable(leaf: Leaf) -> bool:
    """Return whether a leaf looks at one field alone (`text` looks at three)."""
    return leaf.field != "text"


def _cells(name: str, pairs: list[tuple[int, Leaf]], spec: FieldSpec | None, everything: Mask) -> CellOf:
    tests = [(number, leaf_holds(leaf, spec)) for number, leaf in pairs]
    asked = 0
    for number, _ in pairs:
        asked |= 1 << number
    free = everything & ~asked

    def mask_of(value: Any) -> Mask:
        values = {} if value is None else {name: value}
        failed = 0
        for number, holds in tests:
            if not holds(values):
                failed |= 1 << number
        return free | (asked & ~failed)

    ops: set[str] = {leaf.op for _, leaf in pairs}
    if _numeric(pairs):
        return _numeric_cells(sorted({v for _, leaf in pairs for v in leaf.values}), mask_of)
    if ops <= {"==", "!=", "in", "not in", "is missing", "is present", "is true", "is false"} or _ranked(ops, spec):
        return _named_cells(pairs, spec, mask_of)
    return mask_of


def _ranked(ops: set[str], spec: FieldSpec | None) -> bool:
    plain = {"==", "!=", "in", "not in", "is missing", "is present", *RANGES}
    return spec is not None and spec.ordered and ops <= plain


def _numeric(pairs: list[tuple[int, Leaf]]) -> bool:
    numbers = all(
        isinstance(value, int | float) and not isinstance(value, bool) for _, leaf in pairs for value in leaf.values
    )
    return numbers and all(leaf.op in RANGES or leaf.op in ("==", "!=", "in", "not in") for _, leaf in pairs)


def _numeric_cells(cuts: list[Any], mask_of: CellOf) -> CellOf:
    """Cells of the number line: below the first cut, at each cut, and between cuts; even places lie between."""
    between = [cuts[0] - 1, *((low + high) / 2 for low, high in pairwise(cuts)), cuts[-1] + 1]
    masks = [
        mask_of(between[place // 2]) if place % 2 == 0 else mask_of(cuts[place // 2])
        for place in range(2 * len(cuts) + 1)
    ]
    missing = mask_of(None)
    count = len(cuts)

    def cell_of(value: Any) -> Mask:
        if value is None:
            return missing
        place = bisect_left(cuts, value)
        return masks[2 * place + 1 if place < count and cuts[place] == value else 2 * place]

    return cell_of


def _named_cells(pairs: list[tuple[int, Leaf]], spec: FieldSpec | None, mask_of: CellOf) -> CellOf:
    folds = spec is None or spec.type in FREE_TEXT
    named = {value for _, leaf in pairs for value in leaf.values} | {True, False}
    if spec is not None:
        named |= set(spec.values)
    masks = {(value.casefold() if folds and isinstance(value, str) else value): mask_of(value) for value in named}
    missing, other = mask_of(None), mask_of(_OTHER)
    get = masks.get
    if folds:
        return lambda value: (
            missing if value is None else get(value.casefold() if isinstance(value, str) else value, other)
        )
    return lambda value: missing if value is None else get(value, other)
