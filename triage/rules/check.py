"""
A leaf against the field map: what it may be compared with, its constants typed, or why it makes no sense.

Percentages of clocks are exact fractions of the text as written, durations ms; percent fields hold shares (80% is 0.8).
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

from msgspec import Struct

from triage.domain.schema import BUILTIN_FIELDS, FieldSpec
from triage.errors import IntakeError
from triage.intake.instants import read_date, read_instant
from triage.rules.document import ObjectConfig, PolicyDocument
from triage.rules.language import CLOCK_LEAVES, CLOCKS, ClockLeaf, Condition, Leaf, Negation
from triage.rules.positions import Page, Scalar
from triage.rules.shapes import did_you_mean, one_of, read_duration, shown, unknown
from triage.rules.standard import replaced
from triage.rules.tokens import LeafText, Token

WHOLE_TEXT = "text"
"""The field that stands for subject, description and the latest inbound message together."""

_EQUALITY = ("==", "!=", "in", "not in")
_ORDER = ("<", "<=", ">", ">=")
_PRESENCE = ("is missing", "is present")
_TEXTUAL = ("contains", "starts_with")
_RANKED = (*_EQUALITY, *_ORDER, *_PRESENCE)
OPERATORS: dict[str, tuple[str, ...]] = {
    "text": (*_EQUALITY, *_TEXTUAL, "in words", *_PRESENCE),
    "reference": (*_EQUALITY, *_PRESENCE),
    "picklist": (*_EQUALITY, *_TEXTUAL, *_PRESENCE),
    "multipicklist": ("includes", "excludes", *_PRESENCE),
    "boolean": ("==", "!=", *_PRESENCE),
    "number": _RANKED,
    "integer": _RANKED,
    "money": _RANKED,
    "percent": _RANKED,
    "duration": _RANKED,
    "datetime": _RANKED,
    "date": _RANKED,
}
"""Which operators a field of each type takes; ordered picklists take the order too."""

RANKED_TYPES = ("number", "integer", "money", "percent", "duration", "datetime", "date")
_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,9})?", re.ASCII)
_MONEY = re.compile(r"(-?\d{1,15}(?:\.\d{1,9})?)(?:\s*([A-Z]{3}|[€$£¥]))?", re.ASCII)
_BARE = re.compile(r"\d{1,6}(?:\.\d{1,9})?", re.ASCII)
_PERCENT = re.compile(r"(-?\d{1,6}(?:\.\d{1,9})?)\s*%", re.ASCII)


class Known(Struct, frozen=True, kw_only=True):
    """Every name that rules of one object may use; `fields` None: the object is not declared, fields go unchecked."""

    object: str
    fields: dict[str, FieldSpec] | None
    related: frozenset[str] = frozenset()
    milestones: frozenset[str] = frozenset()
    calendars: frozenset[str] = frozenset()
    queues: frozenset[str] = frozenset()
    pools: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()
    webhooks: frozenset[str] = frozenset()
    templates: frozenset[str] = frozenset()
    words: dict[str, tuple[str, ...]] = {}

    @classmethod
    def of(cls, document: PolicyDocument, name: str) -> Known:
        """Return what *document* declares, as the object *name* sees it."""
        config = document.objects.get(name)
        builtin = {spec.name: spec for spec in BUILTIN_FIELDS}
        people = document.directory
        return cls(
            object=name,
            fields=None if config is None else {**builtin, **config.spec.by_name},
            related=_related_fields(config),
            milestones=frozenset(spec.name for spec in document.milestones if spec.object == name),
            calendars=frozenset(document.calendars),
            queues=frozenset(people.queues),
            pools=frozenset(people.pools),
            teams=frozenset(people.teams),
            webhooks=frozenset(people.webhooks),
            templates=frozenset(document.templates),
            words=document.words,
        )

    def readable(self) -> list[str]:
        """Return every name that a leaf may begin with."""
        clocks = [f"milestone.{name}.{side}" for name in sorted(self.milestones) for side in ("used", "remaining")]
        return [*(self.fields or ()), *CLOCK_LEAVES, "sla.used", "sla.remaining", *clocks, WHOLE_TEXT]


def _related_fields(config: ObjectConfig | None) -> frozenset[str]:
    """Return the names of fields that are read from related records."""
    relations = config.spec.related if config else ()
    return frozenset(spec.name for relation in relations for spec in relation.fields)


class Wrong(Exception):
    """A constant that does not fit; the text says why and what to write."""


def type_leaf(leaf: LeafText, node: Scalar, known: Known, page: Page) -> Condition | None:
    """Return the typed leaf (inside a Negation after `not`), or None after its faults."""
    name = leaf.field.text
    if name in CLOCK_LEAVES or name.startswith(("sla.", "milestone.")):
        typed: Condition | None = _clock_leaf(leaf, node, known, page)
    else:
        typed = _field_leaf(leaf, node, known, page)
    return Negation(typed) if leaf.negated and typed is not None else typed


def check_clock(text: str, known: Known) -> str:
    """Return the clock that *text* names: one of CLOCKS, `sla`, or `milestone:NAME`; raise Wrong for any other."""
    if text in CLOCKS or text == "sla":
        return text
    if text in known.milestones:
        return f"milestone:{text}"
    if text in CLOCK_LEAVES:
        raise Wrong(
            f"{text!r} is how the clock {CLOCK_LEAVES[text]!r} reads in a condition: write {CLOCK_LEAVES[text]}"
        )
    raise Wrong(unknown("clock or milestone", text, [*CLOCKS, "sla", *known.milestones]))


def check_hours(text: str, known: Known) -> str:
    """Return *text* where it is `none`, `record` or a declared calendar; raise Wrong otherwise."""
    if text in ("none", "record") or text in known.calendars:
        return text
    raise Wrong(unknown("calendar", text, ["none", "record", *known.calendars]))


def parse_amount(text: str, *, of_milestone: bool, name: str) -> int | Fraction:
    """
    Return ms for a duration, an exact share of the target for a percentage; raise Wrong for anything else.

    Only milestones have a target, so only they take a percentage.
    """
    percent = _PERCENT.fullmatch(text)
    if percent:
        if not of_milestone:
            raise Wrong(f"{name!r} has no target to take a percentage of: write a duration such as 6h")
        share = Fraction(percent[1]) / 100
        if not 0 <= share <= 100:
            raise Wrong(f"{text!r} is out of range: 0% to 10000%")
        return share
    if of_milestone and _BARE.fullmatch(text):
        fix = f"'{text}%' or '{text}m'" if Fraction(text) >= 1 else f"'{float(Fraction(text) * 100):g}%'"
        raise Wrong(f"{name!r} is a share of the target or a duration; {text!r} is neither: write {fix}")
    return _duration(text, name)


def coerce(text: str, spec: FieldSpec) -> Any:
    """
    Return the constant *text* as a value of the field: numbers int or float, instants, days and durations ms.

    Picklist values come back in the field map's spelling. Raises Wrong with the fix.
    """
    match spec.type:
        case "picklist" | "multipicklist":
            return _picked(text, spec)
        case "number" | "integer":
            return _number(text, spec)
        case "money":
            return _money(text, spec)
        case "percent":
            return _share(text, spec)
        case "duration":
            return _duration(text, spec.name)
        case "datetime" | "date":
            return _moment(text, spec)
        case "boolean":
            if text not in ("true", "false"):
                raise Wrong(f"{spec.name!r} is true or false, not {shown(text)}")
            return text == "true"
    if text == "":
        raise Wrong(f"an empty text equals nothing: write '{spec.name} is missing'")
    return text


def _clock_leaf(leaf: LeafText, node: Scalar, known: Known, page: Page) -> ClockLeaf | None:
    """Return a leaf on a clock, or None after its fault."""
    name = leaf.field.text
    try:
        clock, remaining = _clock_of(name, known)
    except Wrong as cause:
        page.fault(node, str(cause), leaf.field.length, leaf.field.start)
        return None
    if leaf.op not in _ORDER:
        page.fault(node, _no_clock_operator(leaf), max(1, len(leaf.op)), leaf.op_start if leaf.op else 0)
        return None
    token = leaf.constants[0]
    of_milestone = clock == "sla" or clock.startswith("milestone:")
    try:
        amount = parse_amount(token.text, of_milestone=of_milestone, name=name)
        if remaining and isinstance(amount, Fraction) and amount > 1:
            raise Wrong(f"never more than 100% of a target remains, so not {token.text!r}")
    except Wrong as cause:
        page.fault(node, str(cause), token.length, token.start)
        return None
    until = (leaf.op in ("<", "<=")) != remaining
    text = leaf.text[leaf.field.start :]
    return ClockLeaf(
        clock=clock, amount=amount, of_remaining=remaining, until=until, text=text, at=page.at(node, leaf.text)
    )


def _no_clock_operator(leaf: LeafText) -> str:
    """Return why a clock does not take the leaf's operator, with what to write."""
    name = leaf.field.text
    if leaf.op in ("==", "!="):
        return f"{leaf.op!r} asks a running clock for one exact instant: write '{name} >= {leaf.constants[0].text}'"
    if not leaf.op:
        return f"{name!r} is a clock: compare it, for example '{name} >= 6h'"
    return f"{name!r} is a clock, which takes {one_of(_ORDER)}, not {leaf.op!r}"


def _clock_of(name: str, known: Known) -> tuple[str, bool]:
    """Return the clock behind the leaf *name* and whether what remains is meant."""
    if name in CLOCK_LEAVES:
        return CLOCK_LEAVES[name], False
    head, _, side = name.rpartition(".")
    if head == "sla" and side in ("used", "remaining"):
        return "sla", side == "remaining"
    milestone = head.removeprefix("milestone.")
    if head.startswith("milestone.") and side in ("used", "remaining"):
        if milestone not in known.milestones:
            raise Wrong(unknown(f"milestone of {known.object}", milestone, known.milestones))
        return f"milestone:{milestone}", side == "remaining"
    raise Wrong(_unknown_field(name, known))


def _unknown_field(name: str, known: Known) -> str:
    """Return the sentence for a field that is not declared, with the line to add or the nearest field that is."""
    readable = known.readable()
    standard = replaced(known.object, name)
    head, dot, _ = name.partition(".")
    heads = {"sla", "milestone"}.union(o.partition(".")[0] for o in readable if "." in o and not o.endswith(".id"))
    if standard:
        hint = f": {standard}"
    elif dot and not did_you_mean(head, heads):
        what = f"{head}: {{object: .., by: .., fields: {{{name}: ..}}}}"
        hint = f": fields of a related record are declared under objects, {known.object}, related: '{what}'"
    else:
        hint = did_you_mean(name, readable) or ": declare it under objects, fields"
    return f"unknown field {shown(name)}{hint}"


def _field_leaf(leaf: LeafText, node: Scalar, known: Known, page: Page) -> Leaf | None:
    """Return a leaf on a field, or None after its faults."""
    name = leaf.field.text
    spec = FieldSpec(name=name, source="") if name == WHOLE_TEXT else (known.fields or {}).get(name)
    if spec is None:
        if known.fields is not None:
            page.fault(node, _unknown_field(name, known), leaf.field.length, leaf.field.start)
        return None
    try:
        _check_operator(leaf, spec)
    except Wrong as cause:
        start, length = (leaf.op_start, len(leaf.op)) if leaf.op else (leaf.field.start, leaf.field.length)
        page.fault(node, str(cause), length, start)
        return None
    return _with_values(leaf, spec, node, known, page)


def _check_operator(leaf: LeafText, spec: FieldSpec) -> None:
    """Raise Wrong where a field of this type cannot be asked this."""
    name, op = spec.name, leaf.op
    if name == WHOLE_TEXT and op not in ("in words", "contains"):
        raise Wrong("'text' is all of a record's texts together: write 'text in words(..)' or 'text contains ..'")
    if not op:
        if spec.type != "boolean":
            raise Wrong(f"{name!r} is a {spec.type}, not true or false: compare it or write '{name} is present'")
        return
    if op in OPERATORS[spec.type] or (op in _ORDER and spec.type == "picklist" and spec.ordered):
        return
    raise Wrong(_no_operator(leaf, spec))


def _no_operator(leaf: LeafText, spec: FieldSpec) -> str:
    """Return why a field of this type does not take the leaf's operator, with the one that it does take."""
    name, op = spec.name, leaf.op
    constant = leaf.constants[0].text if leaf.constants else ".."
    if op in _ORDER and spec.type == "picklist":
        return f"the values of {name!r} have no order: declare 'ordered: true' or write 'in [..]'"
    if spec.type == "multipicklist" and op in ("==", "in", "contains"):
        return f"{name!r} holds several values: write '{name} includes [{constant}]'"
    if spec.type == "multipicklist" and op in ("!=", "not in"):
        return f"{name!r} holds several values: write '{name} excludes [{constant}]'"
    return f"{name!r} is a {spec.type}, which takes {one_of(OPERATORS[spec.type])}, not {op!r}"


def _with_values(leaf: LeafText, spec: FieldSpec, node: Scalar, known: Known, page: Page) -> Leaf | None:
    """Return the leaf with typed constants; every constant that does not fit is its own fault."""
    op: Any = leaf.op
    at, text = page.at(node, leaf.text), leaf.text[leaf.field.start :]
    if op == "in words":
        values: tuple[Any, ...] | None = _words(leaf.constants[0], node, known, page)
    elif op in _TEXTUAL:
        values = _needles(leaf.constants, node, page)
    else:
        values = _coerced(leaf.constants, spec, node, page)
    if values is None:
        return None
    if spec.type == "boolean" and op not in _PRESENCE:
        op = "is true" if (not op or values[0]) == (op != "!=") else "is false"
        values = ()
    elif spec.type == "picklist" and op in _ORDER:
        op, values = "in", _ranked(op, values[0], spec)
    return Leaf(field=spec.name, op=op, values=values, text=text, at=at)


def _words(token: Token, node: Scalar, known: Known, page: Page) -> tuple[str, ...] | None:
    """Return the words of the list that *token* names, or None after a fault."""
    if token.text in known.words:
        return known.words[token.text]
    page.fault(node, unknown("word list", token.text, known.words), token.length, token.start)
    return None


def _needles(tokens: tuple[Token, ...], node: Scalar, page: Page) -> tuple[str, ...] | None:
    """Return the texts to look for, or None after the fault of an empty one."""
    for token in tokens:
        if not token.text:
            page.fault(node, "every text contains the empty text: write some", token.length, token.start)
            return None
    return tuple(token.text for token in tokens)


def _coerced(tokens: tuple[Token, ...], spec: FieldSpec, node: Scalar, page: Page) -> tuple[Any, ...] | None:
    """Return all constants typed, or None after a fault for each that does not fit."""
    values, wrong = [], False
    for token in tokens:
        try:
            values.append(coerce(token.text, spec))
        except Wrong as cause:
            wrong = True
            page.fault(node, str(cause), token.length, token.start)
    return None if wrong else tuple(values)


def _ranked(op: str, bound: str, spec: FieldSpec) -> tuple[str, ...]:
    """Return the values of an ordered picklist that stand on the asked side of *bound*: the comparison as a set."""
    place = spec.values.index(bound)
    sides = {"<": spec.values[:place], "<=": spec.values[: place + 1], ">": spec.values[place + 1 :]}
    return sides.get(op, spec.values[place:])


def _picked(text: str, spec: FieldSpec) -> str:
    """Return the picklist value that *text* names, in the field map's spelling."""
    if not spec.values and text:
        return text
    folded = {value.casefold(): value for value in reversed(spec.values)}
    if text.casefold() in folded:
        return folded[text.casefold()]
    near = did_you_mean(text, spec.values) or f": it has {one_of(spec.values)}"
    raise Wrong(f"{shown(text)} is not a value of {spec.name!r}{near}")


def _number(text: str, spec: FieldSpec) -> int | float:
    """Return a number, whole where it is written so; raise Wrong for anything else."""
    if not _NUMBER.fullmatch(text) or (spec.type == "integer" and "." in text):
        kind = "a whole number" if spec.type == "integer" else "a number"
        raise Wrong(f"{spec.name!r} is {kind}, not {shown(text)}: write digits and at most one '.'")
    return float(text) if "." in text else int(text)


def _money(text: str, spec: FieldSpec) -> int | float:
    """Return an amount in the field's own currency; raise Wrong for another."""
    found = _MONEY.fullmatch(text)
    if not found:
        raise Wrong(f"{spec.name!r} is an amount of money, not {shown(text)}: write 5000 or 5000.50")
    if found[2] and found[2] != spec.unit:
        raise Wrong(f"{spec.name!r} is in {spec.unit or 'no declared currency'}, not in {found[2]}: write {found[1]}")
    return float(found[1]) if "." in found[1] else int(found[1])


def _share(text: str, spec: FieldSpec) -> float:
    """Return a percentage as a share; raise Wrong for a bare number that could mean either."""
    found = _PERCENT.fullmatch(text)
    if found:
        return float(Fraction(found[1]) / 100)
    if _NUMBER.fullmatch(text) and (Fraction(text) == 0 or ("." in text and abs(Fraction(text)) <= 1)):
        return float(text)
    fix = f"write '{text}%'" if _NUMBER.fullmatch(text) else "write 80% or 0.8"
    raise Wrong(f"{spec.name!r} is a percentage; {shown(text)} has no '%': {fix}")


def _duration(text: str, name: str) -> int:
    """Return ms; raise Wrong, naming the unit to write, for anything else."""
    try:
        return read_duration(text)
    except ValueError:
        if re.fullmatch(r"\d+(\.\d+)?", text):
            raise Wrong(f"{name!r} is a duration; {text!r} has no unit: write '{text}m' or '{text}h'") from None
        raise Wrong(f"{name!r} is a duration, not {shown(text)}: write 90s, 15m, 6h, 2d or 1h30m") from None


def _moment(text: str, spec: FieldSpec) -> int:
    """Return the instant, or the first instant of the day, exactly as intake reads the field's own values."""
    if spec.type == "date" and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        raise Wrong(f"{spec.name!r} is a date, not {shown(text)}: write 2026-01-31")
    try:
        return read_date(text, zone=spec.zone) if spec.type == "date" else read_instant(text, zone=spec.zone)
    except IntakeError as cause:
        raise Wrong(f"{spec.name!r} is {'a date' if spec.type == 'date' else 'an instant'}: {cause}") from None
