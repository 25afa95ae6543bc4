"""The JSON Schema of a policy file, for editors: made from the very tables that the loader reads by."""

from __future__ import annotations

from typing import Any

from triage.rules.grammar import DEFINITIONS, FILE
from triage.rules.shapes import (
    ByKind,
    Choice,
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
)  # fmt: skip

DURATION = r"^\s*(\d+(\.\d+)?\s*(ms|s|m|h|d|w)\s*)+$"
_WORDS = {"type": ["string", "number", "boolean"]}
"""What a scalar may look like to an editor, which types YAML's plain `8` and `true` before the schema sees them."""


def json_schema() -> dict[str, Any]:
    """Return the schema of one policy file as JSON data (draft 2020-12)."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "triage policy file",
        **schema_of(FILE),
        "$defs": {name: schema_of(shape) for name, shape in sorted(DEFINITIONS.items())},
    }


def schema_of(shape: Shape) -> dict[str, Any]:
    """Return the schema of one shape."""
    match shape:
        case Text():
            return _text(shape)
        case Choice():
            return {"enum": list(shape.values)}
        case Flag():
            return {"type": "boolean"}
        case Whole():
            return {"type": "integer", "minimum": shape.least, "maximum": shape.most}
        case Span():
            return {"type": "string", "pattern": DURATION}
        case Named():
            return {"$ref": f"#/$defs/{shape.name}"}
    return _collection(shape)


def _text(shape: Text) -> dict[str, Any]:
    """Return the schema of text; a pattern only binds what an editor leaves as text."""
    found: dict[str, Any] = dict(_WORDS)
    if shape.pattern:
        found |= {"pattern": f"^(?:{_portable(shape.pattern)})$", "description": shape.wanted}
    elif not shape.empty:
        found["minLength"] = 1
    return found


def _portable(pattern: str) -> str:
    """Return a pattern that ECMA 262, which editors use, reads as Python does."""
    return pattern.replace(r"[^\W\d]", "[A-Za-z_]").replace(r"[^\W_]", "[A-Za-z0-9]")


def _collection(shape: Shape) -> dict[str, Any]:
    """Return the schema of a list or mapping."""
    match shape:
        case ListOf():
            return _array(shape)
        case MapOf():
            names = {"pattern": f"^(?:{_portable(shape.key.pattern)})$"} if shape.key.pattern else {}
            return {"type": "object", "propertyNames": names, "additionalProperties": schema_of(shape.value)}
        case Record():
            return _object(shape.keys, required=list(shape.required))
        case OneKey():
            keys = shape.keys | {alias: shape.keys[name] for alias, name in shape.aliases.items()}
            return _object(keys) | {"minProperties": 1, "maxProperties": 1}
        case Split():
            return {
                "if": {"type": "object", "required": [shape.key]},
                "then": schema_of(shape.having),
                "else": schema_of(shape.lacking),
            }
        case ByKind():
            kinds = [part for part in (shape.scalar, shape.sequence, shape.mapping) if part is not None]
            return {"anyOf": [schema_of(part) for part in kinds]}
    raise TypeError(f"no schema for {type(shape).__name__}")


def _array(shape: ListOf) -> dict[str, Any]:
    """Return the schema of a list, or of a lone item where that is allowed."""
    items: dict[str, Any] = {"type": "array", "items": schema_of(shape.item)}
    if shape.least:
        items["minItems"] = shape.least
    return {"anyOf": [items, schema_of(shape.item)]} if shape.lone else items


def _object(keys: dict[str, Shape], required: list[str] | None = None) -> dict[str, Any]:
    """Return the schema of a mapping with fixed keys."""
    found: dict[str, Any] = {
        "type": "object",
        "properties": {name: schema_of(part) for name, part in keys.items()},
        "additionalProperties": False,
    }
    return found | ({"required": required} if required else {})
