"""A tree of criteria as the lines of a policy file, typed by the field map."""

from __future__ import annotations

import re
from collections.abc import Set
from typing import Any as Anything

from triage.rules.language import LIMITS
from triage.salesforce.criteria import ALWAYS, All, Any, Leaf, Not, Tree, Untranslatable
from triage.salesforce.criteria_fields import FieldMap, Mapped

_NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,9})?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T[\d:.]+(Z|[+-]\d{2}:?\d{2})")
_NEVER = "is_closed is missing"
"""`is_closed` is always known, so that this never holds."""
_FITS = {"number": _NUMBER, "date": _DATE, "datetime": _MOMENT}
MOST_LEAVES = 180
"""A condition of our language holds 200; a leaf and its missing twin count two."""
LONGEST_LIST = 1200
"""Characters of one list of constants; longer lists become several. A condition of our language holds 2,000."""
LONGEST_LEAF = 1900


def conditions(tree: Tree, fields: FieldMap) -> list[Anything]:
    """
    Return *tree* as the items of a `when:` list: texts of leaves, and mappings with `all` and `any`.

    Raises:
        Untranslatable: a comparison that the field's type does not take, or more than one rule may hold.
    """
    parts = tree.parts if isinstance(tree, All) else (tree,)
    items = [] if tree == ALWAYS else [_rendered(part, fields) for part in parts]
    if _count(items) > MOST_LEAVES:
        raise Untranslatable(f"{_count(items)} comparisons in one entry", "split the entry in two")
    if _depth(items) >= LIMITS["depth"]:
        raise Untranslatable("its filter is nested too deeply", "split the entry in two")
    return items


def _count(items: Anything) -> int:
    if isinstance(items, str):
        return 1
    parts = items.values() if isinstance(items, dict) else items
    return sum(_count(part) for part in parts)


def _depth(items: Anything) -> int:
    """Return how deeply lists lie within lists."""
    if isinstance(items, str):
        return 0
    parts = items.values() if isinstance(items, dict) else items
    return max((_depth(part) for part in parts), default=0) + isinstance(items, list)


def _rendered(tree: Tree, fields: FieldMap) -> Anything:
    match tree:
        case Leaf():
            return _leaf(tree, fields)
        case Not():
            return _opposite(tree.leaf, fields)
        case All():
            return {"all": [_rendered(part, fields) for part in tree.parts]}
        case Any():
            return {"any": [_rendered(part, fields) for part in tree.parts] or [_NEVER]}


def _leaf(leaf: Leaf, fields: FieldMap) -> Anything:
    found = fields.find(leaf.field)
    if leaf.op == "missing":
        return _missing(found)
    if found.type == "boolean":
        return _boolean(found, _booleans(found, leaf))
    parts = [f"{found.name} {_comparison(part, found)}" for part in _chunks(leaf)]
    return _short(parts[0]) if len(parts) == 1 else {"any": parts}


def _chunks(leaf: Leaf) -> list[Leaf]:
    """Return *leaf* as several, each with as many of its values as one condition holds."""
    parts: list[list[str]] = [[]]
    length = 0
    for value in leaf.values:
        length += len(constant(value)) + 2
        if length > LONGEST_LIST and parts[-1]:
            parts.append([])
            length = len(constant(value)) + 2
        parts[-1].append(value)
    return [Leaf(leaf.field, leaf.op, tuple(values)) for values in parts]


def _short(text: str) -> str:
    if len(text) > LONGEST_LEAF:
        raise Untranslatable(f"a value of {len(text):,} characters", "use contains, with a part of it")
    return text


def _missing(found: Mapped) -> str:
    return f"{found.name} is missing"


def _opposite(leaf: Leaf, fields: FieldMap) -> Anything:
    """Return what holds wherever *leaf* does not: missing, or there and otherwise."""
    found = fields.find(leaf.field)
    if leaf.op == "missing":
        return f"{found.name} is present"
    if found.type == "boolean":
        return _boolean(found, {"true", "false"} - _booleans(found, leaf))
    negated = leaf.op in ("in", "includes")
    parts = [
        _short(f"{found.name} {_other(part, found)}" if negated else f"not {found.name} {_comparison(part, found)}")
        for part in _chunks(leaf)
    ]
    return {"any": [_missing(found), parts[0] if len(parts) == 1 else {"all": parts}]}


def _other(leaf: Leaf, found: Mapped) -> str:
    """Return what holds where a value is there and is none of those that *leaf* names."""
    positive = _comparison(leaf, found)
    if leaf.op == "includes":
        return positive.replace("includes", "excludes", 1)
    return f"!= {_constants(leaf, found)[0]}" if len(leaf.values) == 1 else f"not in {_list(leaf, found)}"


def _boolean(found: Mapped, wanted: Set[str]) -> Anything:
    """Return a checkbox asked for true or false: one that is not there is not ticked."""
    if not wanted:
        return _NEVER
    if wanted == {"true"}:
        return found.name
    if wanted == {"false"}:
        bare = f"not {found.name}"
        # What is derived is always known.
        return bare if found.name == "is_closed" else {"any": [_missing(found), bare]}
    return {"any": [_missing(found), f"{found.name} is present"]}


def _booleans(found: Mapped, leaf: Leaf) -> Set[str]:
    values = {{"1": "true", "0": "false"}.get(value, value.casefold()) for value in leaf.values}
    if leaf.op not in ("in", "ticked") or any(value not in ("true", "false") for value in values):
        raise Untranslatable(f"the checkbox {found.path} compared with {', '.join(leaf.values)}", "use True or False")
    return values


def _comparison(leaf: Leaf, found: Mapped) -> str:
    if leaf.op == "ticked":
        raise Untranslatable(f"{found.path}, a {found.type}, is used as a checkbox", "compare it with a value")
    if leaf.op in ("<", "<=", ">", ">="):
        if found.type not in _FITS:
            raise Untranslatable(
                f"{found.path} {leaf.op} {leaf.values[0]!r} compares texts by their order",
                "name the values that are meant, with equals",
            )
        return f"{leaf.op} {_constants(leaf, found)[0]}"
    if leaf.op == "in" and found.type == "multipicklist":
        raise Untranslatable(f"{found.path} holds several values and is asked for exactly one list", "use includes")
    if leaf.op == "in":
        return f"== {_constants(leaf, found)[0]}" if len(leaf.values) == 1 else f"in {_list(leaf, found)}"
    if found.type not in ("text", "multipicklist") or (leaf.op == "includes") != (found.type == "multipicklist"):
        raise Untranslatable(f"{leaf.op} on {found.path}, a {found.type}", "use an operation of that type")
    if len(leaf.values) == 1 and leaf.op != "includes":
        return f"{leaf.op} {_constants(leaf, found)[0]}"
    return f"{leaf.op} {_list(leaf, found)}"


def _list(leaf: Leaf, found: Mapped) -> str:
    return f"[{', '.join(_constants(leaf, found))}]"


def _constants(leaf: Leaf, found: Mapped) -> list[str]:
    fits = _FITS.get(found.type)
    odd = next((value for value in leaf.values if fits is not None and not fits.fullmatch(value)), None)
    if odd is not None:
        raise Untranslatable(f"{found.path} is a {found.type}, and {odd!r} is none", "write 2026-01-31, or 1234.5")
    return list(leaf.values) if fits is not None else [constant(value) for value in leaf.values]


def constant(text: str) -> str:
    """Return *text* as a quoted constant of a condition."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
