"""
Salesforce's criteria into conditions: TRUE or not, never unknown. Text in, a small tree out, fields by API name.

A leaf asks one field; `Not` of it holds wherever the leaf does not, on a missing value too. `render` writes a tree as
conditions of our language, in which a missing value makes both a leaf and its opposite fail: so `Not` becomes
"missing or not".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from triage.intake.text import show
from triage.salesforce.metadata_model import Criteria, Criterion, Spot


class Leaf(Struct, frozen=True):
    """
    One field asked for one thing: op is `in`, `contains`, `starts_with`, `includes`, `<` .. `>=`, or `missing`.

    `ticked` is `in` of a field that can only be a checkbox, as a formula uses it.
    """

    field: str
    op: str
    values: tuple[str, ...] = ()


class Not(Struct, frozen=True):
    """Holds wherever its leaf does not."""

    leaf: Leaf


class All(Struct, frozen=True):
    """Every part holds; of nothing: always."""

    parts: tuple[Tree, ...] = ()


class Any(Struct, frozen=True):
    """One part holds; of nothing: never."""

    parts: tuple[Tree, ...] = ()


Tree = Leaf | Not | All | Any
ALWAYS: Tree = All(())
NEVER: Tree = Any(())


class Untranslatable(Exception):
    """A part has no exact counterpart: what, where, and what to do about it."""

    def __init__(self, text: str, fix: str = "", spot: Spot | None = None) -> None:
        super().__init__(text)
        self.text, self.fix, self.spot = text, fix, spot


COMPARISONS = {"lessThan": "<", "lessOrEqual": "<=", "greaterThan": ">", "greaterOrEqual": ">="}
_TEXTUAL = {"contains": "contains", "notContain": "contains", "startsWith": "starts_with"}
_SETS = {"includes": "includes", "excludes": "includes"}
_NEGATIVE = ("notEqual", "notContain", "excludes")
_RELATIVE = re.compile(
    r"(TODAY|YESTERDAY|TOMORROW|(LAST|THIS|NEXT)[_ ](WEEK|MONTH|QUARTER|YEAR|FISCAL.*|\d+[_ ]DAYS|N[_ ]DAYS.*)"
    r"|(LAST|NEXT) \d+ DAYS)(:\d+)?", re.IGNORECASE
)  # fmt: skip


def tree_of(criteria: Criteria) -> Tree:
    """
    Return the condition that *criteria* without a formula state; none at all select every record.

    Raises:
        Untranslatable: an operator or a filter without an exact counterpart.
    """
    leaves = [leaf_of(item) for item in criteria.items]
    if not criteria.filter:
        return every(leaves)
    try:
        return _filtered(criteria.filter, leaves)
    except Untranslatable as cause:
        raise Untranslatable(cause.text, cause.fix, criteria.filter_spot) from None


def leaf_of(item: Criterion) -> Tree:
    """Return one line of criteria as a condition; raise Untranslatable with its place."""
    try:
        return _leaf(item)
    except Untranslatable as cause:
        raise Untranslatable(cause.text, cause.fix, item.spot) from None


def _leaf(item: Criterion) -> Tree:
    operation = item.operation
    values = list_of(item.value)
    if not item.field:
        raise Untranslatable("a criterion without a field", "remove it in Salesforce")
    if operation in COMPARISONS:
        return _compared(item, values)
    if operation in ("equals", "notEqual"):
        found = among(item.field, values)
    elif operation in _TEXTUAL or operation in _SETS:
        if not any(values):
            raise Untranslatable(f"{operation} without a value", "say what the field should hold, or use equals")
        op = (_TEXTUAL | _SETS)[operation]
        found = Leaf(item.field, op, tuple(value for value in values if value))
    else:
        raise Untranslatable(
            f"the operation {show(operation)} on {item.field} has no counterpart",
            "write the condition by hand, in fields of the record",
        )
    return negation(found) if operation in _NEGATIVE else found


def among(field: str, values: Sequence[str]) -> Tree:
    """Return that *field* has one of *values*; an empty one stands for a blank field."""
    listed = tuple(dict.fromkeys(value for value in values if value))
    relative = next((value for value in listed if _RELATIVE.fullmatch(value)), None)
    if relative is not None:
        raise Untranslatable(f"{show(relative)} on {field} moves with the calendar", "use a clock (age, since_..)")
    parts: list[Tree] = [Leaf(field, "in", listed)] if listed else []
    if "" in values or not values:
        parts.append(Leaf(field, "missing"))
    return some(parts)


def _compared(item: Criterion, values: Sequence[str]) -> Tree:
    if len(values) != 1 or not values[0]:
        raise Untranslatable(f"{item.operation} on {item.field} needs one value", "compare with one number or date")
    value = values[0]
    if _RELATIVE.fullmatch(value):
        raise Untranslatable(f"{show(value)} on {item.field} moves with the calendar", "use a clock (age, since_..)")
    return Leaf(item.field, COMPARISONS[item.operation], (value,))


def list_of(text: str) -> tuple[str, ...]:
    """
    Return the values of a comma list: quotes protect commas, blanks around a value go, nothing at all is one blank.

    `1,,2` is 1, blank or 2, as Salesforce documents it; a comma at the very end adds nothing.

    Raises:
        Untranslatable: a quote at the beginning of a value that is never closed, or closed before the value ends.
    """
    values: list[str] = []
    position = 0
    while position <= len(text):
        value, position = _value_at(text, position)
        values.append(value)
        if position >= len(text):
            break
        position += 1
        if not text[position:].strip():
            break
    return tuple(values) if text.strip() else ("",)


def _value_at(text: str, position: int) -> tuple[str, int]:
    """Return the value that begins at *position* and where its comma, or the end, stands."""
    while position < len(text) and text[position].isspace():
        position += 1
    if position < len(text) and text[position] == '"':
        closing = text.find('"', position + 1)
        while closing != -1 and text[closing + 1 : closing + 2] == '"':
            closing = text.find('"', closing + 2)
        comma = text.find(",", closing + 1) if closing != -1 else -1
        end = len(text) if comma == -1 else comma
        if closing == -1 or text[closing + 1 : end].strip():
            why = "is never closed" if closing == -1 else "is closed before the value ends"
            raise Untranslatable(f"the quote in the list {show(text)} {why}", "put quotes around whole values only")
        return text[position + 1 : closing].replace('""', '"').strip(), end
    comma = text.find(",", position)
    end = len(text) if comma == -1 else comma
    return text[position:end].strip(), end


DEEPEST = 60
"""Brackets within brackets: people write two or three."""
_PIECE = re.compile(r"\s*(\d+|\(|\)|(?:and|or|not)(?![a-z_])|&&|\|\||!)", re.IGNORECASE)


def _filtered(text: str, leaves: Sequence[Tree]) -> Tree:
    """Return *leaves* joined as a filter such as `(1 OR 2 )AND( 3 OR 4)` says; AND binds closer than OR."""
    pieces: list[str] = []
    position = 0
    while position < len(text.rstrip()):
        found = _PIECE.match(text, position)
        if found is None:
            raise Untranslatable(f"the filter {show(text)} cannot be read at {show(text[position:])}", "mend it")
        pieces.append(found[1].upper().replace("&&", "AND").replace("||", "OR").replace("!", "NOT"))
        position = found.end()
    walk = _FilterWalk(text, pieces, leaves)
    tree = walk.either()
    if walk.pieces:
        raise Untranslatable(f"the filter {show(text)} ends before {show(' '.join(walk.pieces))}", "mend it")
    return tree


class _FilterWalk:
    """Reads the pieces of a filter from left to right."""

    def __init__(self, text: str, pieces: list[str], leaves: Sequence[Tree]) -> None:
        self.text, self.pieces, self.leaves = text, pieces, leaves
        self.depth = 0

    def either(self) -> Tree:
        """Read terms joined by OR."""
        parts = [self._both()]
        while self.pieces[:1] == ["OR"]:
            self.pieces.pop(0)
            parts.append(self._both())
        return some(parts)

    def _both(self) -> Tree:
        parts = [self._one()]
        while self.pieces[:1] == ["AND"]:
            self.pieces.pop(0)
            parts.append(self._one())
        return every(parts)

    def _one(self) -> Tree:
        piece = self.pieces.pop(0) if self.pieces else "its end"
        if piece == "NOT":
            return negation(self._nested(self._one))
        if piece == "(":
            inner = self._nested(self.either)
            if self.pieces[:1] != [")"]:
                raise Untranslatable(f"the filter {show(self.text)} lacks a closing bracket", "mend it")
            self.pieces.pop(0)
            return inner
        if piece.isdigit() and 1 <= int(piece) <= len(self.leaves):
            return self.leaves[int(piece) - 1]
        number = f"there is no criterion {piece}" if piece.isdigit() else f"{show(piece)} stands where a number should"
        raise Untranslatable(f"the filter {show(self.text)}: {number} (criteria: 1 to {len(self.leaves)})", "mend it")

    def _nested(self, read: Callable[[], Tree]) -> Tree:
        self.depth += 1
        if self.depth > DEEPEST:
            raise Untranslatable(f"the filter is nested deeper than {DEEPEST} levels", "simplify it")
        inner = read()
        self.depth -= 1
        return inner


def every(parts: Sequence[Tree]) -> Tree:
    """Return that all of *parts* hold, in the shortest form."""
    flat: list[Tree] = []
    for part in parts:
        flat += part.parts if isinstance(part, All) else (part,)
    if NEVER in flat:
        return NEVER
    unique = tuple(dict.fromkeys(flat))
    return unique[0] if len(unique) == 1 else All(unique)


def some(parts: Sequence[Tree]) -> Tree:
    """Return that one of *parts* holds, in the shortest form."""
    flat: list[Tree] = []
    for part in parts:
        flat += part.parts if isinstance(part, Any) else (part,)
    if ALWAYS in flat:
        return ALWAYS
    unique = tuple(dict.fromkeys(flat))
    return unique[0] if len(unique) == 1 else Any(unique)


def negation(tree: Tree) -> Tree:
    """Return what holds wherever *tree* does not."""
    match tree:
        case Leaf():
            return Not(tree)
        case Not():
            return tree.leaf
        case All():
            return some([negation(part) for part in tree.parts])
        case Any():
            return every([negation(part) for part in tree.parts])


def leaves_of(tree: Tree) -> Iterator[Leaf]:
    """Yield every leaf of *tree*."""
    match tree:
        case Leaf():
            yield tree
        case Not():
            yield tree.leaf
        case All() | Any():
            for part in tree.parts:
                yield from leaves_of(part)
