"""
The finitely many states that a rule set can tell apart: each field cut at every constant that its rules use.

A cell is one value that stands for all values on which every leaf answers alike; cell 0 is "missing". What a set of
cells satisfies is a bit mask. Fields that would need too many cells are cut per leaf instead: then some states are
counted that no record can have, so "never" stays true where it is said, and is said less often.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from itertools import combinations, pairwise
from typing import Any

from triage.domain.schema import FieldSpec
from triage.rules.conditions import leaves, normal
from triage.rules.language import Change, ClockLeaf, Condition, Leaf
from triage.rules.leaves import leaf_holds

OTHER = "…"
_MOST_PARTS = 5
_TEXTUAL = ("contains", "starts_with")
_NUMERIC = ("number", "integer", "money", "percent", "duration", "datetime", "date")
_SHARES = ("urgency.score", "lead.score", "complexity.score")


class Cells:
    """The cells of every field and clock that some conditions speak of, and the mask of each of their leaves."""

    def __init__(self, conditions: Iterable[Condition], specs: Mapping[str, FieldSpec]) -> None:
        self.values: dict[str, list[Any]] = {}
        self.leaves: dict[str, Leaf | ClockLeaf] = {}
        self._specs = specs
        self._masks: dict[tuple[Any, ...], tuple[str, int]] = {}
        by_field: dict[str, list[Leaf]] = {}
        by_clock: dict[str, list[ClockLeaf]] = {}
        for leaf in _all_leaves(conditions):
            if isinstance(leaf, Leaf):
                by_field.setdefault(leaf.field, []).append(leaf)
            else:
                by_clock.setdefault(clock_variable(leaf), []).append(leaf)
        for name, found in by_field.items():
            self._cut_field(name, found)
        for name, clocks in by_clock.items():
            self.values[name] = _clock_cells(clocks)

    def mask(self, leaf: Leaf | ClockLeaf) -> tuple[str, int]:
        """Return the variable that *leaf* speaks of, and the cells in which it is TRUE."""
        key = _key(leaf)
        if key not in self._masks:
            self._masks[key] = self._mask(leaf)
        return self._masks[key]

    def full(self, variable: str) -> int:
        """Return the mask of all cells of *variable*."""
        return (1 << len(self.values[variable])) - 1

    def record(self, masks: Mapping[str, int]) -> dict[str, Any]:
        """Return one concrete state within *masks*: a value by field or clock, those that may be missing left out."""
        found = {}
        for variable, mask in sorted(masks.items()):
            if not mask & 1 and variable in self.values and not variable.startswith("leaf:"):
                found[variable] = self.values[variable][(mask & -mask).bit_length() - 1]
        return found

    def _mask(self, leaf: Leaf | ClockLeaf) -> tuple[str, int]:
        """Work out the mask of a leaf that has not been asked for before."""
        if isinstance(leaf, ClockLeaf):
            variable = clock_variable(leaf)
            return variable, _bits(clock_holds(leaf, value) for value in self.values[variable])
        own = _own_variable(leaf)
        if own in self.values:
            # Missing, false, true: a leaf that is a world of its own.
            return own, 0b010 if _flipped(leaf) else 0b100
        holds = leaf_holds(leaf, self._specs.get(leaf.field))
        cells = self.values[leaf.field]
        return leaf.field, _bits(holds({} if value is None else {leaf.field: value}) for value in cells)

    def _cut_field(self, name: str, found: list[Leaf]) -> None:
        """Cut one field at all constants that *found* compare it with."""
        spec = self._specs.get(name, FieldSpec(name=name, source=""))
        # What is fuzzy about words (negations, inflection of neighbours) makes each such leaf its own variable.
        plain = [leaf for leaf in found if leaf.op != "in words"]
        cells = _field_cells(spec, plain)
        if cells is not None:
            self.values[name] = [None, *cells]
        for leaf in found:
            if cells is None or leaf.op == "in words":
                self.values[_own_variable(leaf)] = [None, False, True]


def clock_variable(leaf: ClockLeaf) -> str:
    """Return the name under which leaves on one clock, in one kind of hours and unit, are cut together."""
    unit = "share" if isinstance(leaf.amount, Fraction) else "remaining" if leaf.of_remaining else "ms"
    return f"clock:{leaf.clock}/{leaf.hours or 'none'}/{unit}"


def clock_holds(leaf: ClockLeaf, value: int | Fraction | None) -> bool:
    """Return whether *leaf* is TRUE where its clock shows *value*; None is a clock that does not run."""
    if value is None:
        return False
    if leaf.of_remaining and not isinstance(leaf.amount, Fraction):
        return (value <= leaf.amount) != leaf.until
    return (value >= _used(leaf)) != leaf.until


def _used(leaf: ClockLeaf) -> int | Fraction:
    """Return the amount used at which a leaf flips."""
    return 1 - leaf.amount if leaf.of_remaining else leaf.amount


def _all_leaves(conditions: Iterable[Condition]) -> Iterable[Leaf | ClockLeaf]:
    """Yield every leaf, those that changes became among them."""
    for condition in conditions:
        for leaf in leaves(condition):
            if not isinstance(leaf, Change):
                yield leaf
            elif leaf.became is not None:
                yield from _all_leaves([normal(leaf.became)])


def _key(leaf: Leaf | ClockLeaf) -> tuple[Any, ...]:
    """Return what makes two leaves ask the same; numbers and booleans are told apart."""
    if isinstance(leaf, ClockLeaf):
        return (clock_variable(leaf), leaf.amount, leaf.of_remaining, leaf.until)
    return (leaf.field, leaf.op, leaf.negate, tuple((type(value), value) for value in leaf.values))


def _own_variable(leaf: Leaf) -> str:
    """Return the variable of a leaf that is cut alone; a leaf and its opposite share it."""
    base = {"!=": "==", "not in": "in", "excludes": "includes", "is present": "is missing", "is false": "is true"}
    return f"leaf:{leaf.field} {base.get(leaf.op, leaf.op)} {leaf.values!r}"


def _flipped(leaf: Leaf) -> bool:
    """Return whether a leaf holds where its variable is false."""
    return (leaf.op in ("!=", "not in", "excludes", "is present", "is false")) != leaf.negate


def _bits(answers: Iterable[bool]) -> int:
    """Return the mask of the places at which *answers* are true."""
    return sum(1 << index for index, answer in enumerate(answers) if answer)


def _field_cells(spec: FieldSpec, found: list[Leaf]) -> list[Any] | None:
    """Return the values that stand for all present values of a field; None where there would be too many."""
    constants = [value for leaf in found for value in leaf.values]
    if spec.type == "boolean":
        return [True, False]
    if spec.type == "multipicklist":
        return _subsets(spec, constants)
    if spec.type in _NUMERIC:
        return _numbers(spec, constants)
    if spec.type == "picklist" and spec.values:
        return list(spec.values)
    return _texts(found)


def _subsets(spec: FieldSpec, constants: list[Any]) -> list[Any] | None:
    """Return every combination of the values asked for, and one that has none of them."""
    used = sorted(set(constants))
    if len(used) > _MOST_PARTS:
        return None
    others = [value for value in spec.values if value not in used] or ([] if spec.values else [OTHER])
    found: list[Any] = [part for size in range(1, len(used) + 1) for part in combinations(used, size)]
    return found + ([(others[0],)] if others else [])


def _texts(found: list[Leaf]) -> list[Any] | None:
    """Return texts that contain, begin with and equal what the leaves ask for, in every combination that exists."""
    needles = sorted({str(value) for leaf in found if leaf.op == "contains" for value in leaf.values})
    starts = sorted({str(value) for leaf in found if leaf.op == "starts_with" for value in leaf.values})
    equals = {str(value).casefold(): value for leaf in found if leaf.op not in _TEXTUAL for value in leaf.values}
    if len(needles) > _MOST_PARTS or len(starts) > _MOST_PARTS:
        return None
    texts = list(equals.values())
    for start in ["", *starts]:
        for size in range(len(needles) + 1):
            texts += [f"{start}{OTHER}{OTHER.join(part)}{OTHER}" for part in combinations(needles, size)]
    return texts


def _numbers(spec: FieldSpec, constants: list[Any]) -> list[Any]:
    """Return every constant, one number between each two, and one beyond each end, within the field's bounds."""
    points = sorted(set(constants))
    if not points:
        return [0]
    whole = spec.type in ("integer", "duration", "datetime", "date")
    found = [points[0] - 1, *points, points[-1] + 1]
    for low, high in pairwise(points):
        if not whole:
            found.append((low + high) / 2)
        elif high - low > 1:
            found.append((low + high) // 2)
    lowest, highest = _bounds(spec)
    found += [edge for edge in (lowest, highest) if edge is not None]
    kept = {x for x in found if (lowest is None or x >= lowest) and (highest is None or x <= highest)}
    return sorted(kept)


def _bounds(spec: FieldSpec) -> tuple[int | None, int | None]:
    """Return the least and the greatest value of a field that we count or score ourselves."""
    if spec.source:
        return None, None
    if spec.name in _SHARES:
        return 0, 1
    return (0, None) if spec.name.endswith(("_count", ".load")) else (None, None)


def _clock_cells(found: list[ClockLeaf]) -> list[Any]:
    """Return what a clock can show: not running, then one amount for each stretch between the leaves' amounts."""
    remaining = [leaf.amount for leaf in found if leaf.of_remaining and not isinstance(leaf.amount, Fraction)]
    if remaining:
        points = sorted(set(remaining))
        return [None, *points, points[-1] + 1]
    used = sorted({_used(leaf) for leaf in found})
    return [None, *([] if used[0] <= 0 else [used[0] * 0]), *used]
