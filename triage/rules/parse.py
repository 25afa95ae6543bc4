"""Conditions: one leaf's text, a list of them, or a mapping with all, any, not, became, raised or clock."""

from __future__ import annotations

from fractions import Fraction

from msgspec import Struct

from triage.rules.check import RANKED_TYPES, Known, Wrong, check_clock, check_hours, parse_amount, type_leaf
from triage.rules.grammar import DEFINITIONS
from triage.rules.language import LIMITS, AllOf, AnyOf, Change, ClockLeaf, Condition, Negation
from triage.rules.positions import Broken, Mapping, Node, Page, Scalar, Sequence
from triage.rules.shapes import Entry, read, unknown
from triage.rules.tokens import split_leaf


class Allowed(Struct, frozen=True):
    """What a condition may hold at its place; *place* names it in faults."""

    clocks: bool = True
    changes: bool = True
    place: str = "when"


ANYTHING = Allowed()
STATIC = Allowed(clocks=False, changes=False)


def parse_condition(node: Scalar, known: Known, page: Page) -> Condition | None:
    """Return the leaf whose text is in *node*, typed; None after faults, each at the column it is about."""
    leaf = split_leaf(node, page)
    return None if leaf is None else type_leaf(leaf, node, known, page)


def read_condition(node: Node, known: Known, page: Page, allowed: Allowed = ANYTHING) -> Condition | None:
    """
    Return the condition below *node*; a list means all of its items, an empty list is always true.

    None after faults. Depth and number of leaves are bounded by LIMITS; what goes beyond is one fault.
    """
    if _too_large(node, page):
        return None
    return _condition(node, known, page, allowed)


def _too_large(node: Node, page: Page) -> bool:
    """Report a condition that is nested too deeply or holds too many leaves."""
    leaves, stack = 0, [(node, 1)]
    while stack:
        part, depth = stack.pop()
        if depth > LIMITS["depth"]:
            page.fault(part, f"conditions are nested deeper than {LIMITS['depth']} levels")
            return True
        leaves += isinstance(part, Scalar)
        if isinstance(part, Sequence):
            stack.extend((item, depth + 1) for item in part.items)
        elif isinstance(part, Mapping) and part.get("clock") is None:
            # A word such as `all` and its list are one level of thought, hence one level here.
            stack.extend((value, depth) for _, value in part.entries)
        else:
            leaves += isinstance(part, Mapping)
    if leaves > LIMITS["leaves"]:
        page.fault(node, f"{leaves} leaves in one condition: {LIMITS['leaves']} are the most")
    return leaves > LIMITS["leaves"]


def _condition(node: Node, known: Known, page: Page, allowed: Allowed) -> Condition | None:
    """Return the condition in *node* without looking at its size again."""
    if isinstance(node, Broken) or _split_by_colon(node, page):
        return None
    value = read(DEFINITIONS["condition"], node, page)
    if value is None:
        return None
    if isinstance(node, Scalar):
        return _allow(parse_condition(node, known, page), node, page, allowed)
    if isinstance(node, Sequence):
        return AllOf(_parts(value, known, page, allowed))
    return _worded(value, known, page, allowed)


def _parts(nodes: tuple[Node, ...], known: Known, page: Page, allowed: Allowed) -> tuple[Condition, ...]:
    """Return those of *nodes* that are conditions; the others have their faults."""
    parts = (_condition(node, known, page, allowed) for node in nodes)
    return tuple(part for part in parts if part is not None)


def _split_by_colon(node: Node, page: Page) -> bool:
    """Report a leaf that YAML took for a mapping because a `: ` stands in it."""
    if not isinstance(node, Mapping) or not any(" " in key.text for key, _ in node.entries):
        return False
    page.fault(node, "': ' makes YAML read this as a mapping: put the whole condition in 'single quotes'")
    return True


def _allow(leaf: Condition | None, node: Scalar, page: Page, allowed: Allowed) -> Condition | None:
    """Return *leaf*; None after a fault where it holds a clock and the place takes only static leaves."""
    inner = leaf.part if isinstance(leaf, Negation) else leaf
    if isinstance(inner, ClockLeaf) and not allowed.clocks:
        page.fault(node, _no_clock(allowed), len(node.text))
        return None
    return leaf


def _no_clock(allowed: Allowed) -> str:
    """Return why no clock may stand here, and where it belongs."""
    fix = "put the time into 'steps', 'after'" if allowed.place.startswith("first_match") else "ask for fields only"
    return f"a clock in {allowed.place}, which takes static conditions only: {fix}"


def _worded(entry: Entry, known: Known, page: Page, allowed: Allowed) -> Condition | None:
    """Return the condition of a mapping: all, any, not, became, raised or clock."""
    if "clock" in entry.keys:
        return _clock(entry, known, page, allowed)
    word = entry.only()
    value = entry.values[word]
    if word == "all":
        return AllOf(_parts(value, known, page, allowed))
    if word == "any":
        return AnyOf(_parts(value, known, page, allowed))
    if word == "not":
        inner = Allowed(
            allowed.clocks, False, "'not' (a change cannot be negated)" if allowed.changes else allowed.place
        )
        part = _condition(value, known, page, inner)
        return None if part is None else Negation(part)
    return _change(entry, word, known, page, allowed)


def _clock(entry: Entry, known: Known, page: Page, allowed: Allowed) -> Condition | None:
    """Return the leaf of a clock mapping: it holds from its amount on."""
    if not allowed.clocks:
        page.fault(entry.keys["clock"], _no_clock(allowed), len("clock"))
        return None
    clock = checked_clock(entry, known, page)
    hours = checked_hours(entry, clock, known, page, default="")
    amount = checked_amount(entry, "over", clock, page)
    if not clock or amount is None:
        return None
    text = f"{entry.get('clock')} over {entry.get('over')}"
    return ClockLeaf(clock=clock, amount=amount, hours=hours, text=text, at=page.at(entry.node, text))


def checked_clock(entry: Entry, known: Known, page: Page) -> str:
    """Return the clock that `clock:` names, as rules carry it; an empty string after its fault."""
    try:
        return check_clock(entry.get("clock"), known) if entry.get("clock") else ""
    except Wrong as cause:
        page.fault(entry.nodes["clock"], str(cause), len(entry.get("clock")))
        return ""


def checked_hours(entry: Entry, clock: str, known: Known, page: Page, *, default: str) -> str:
    """Return the hours that `hours:` names, *default* without; a milestone has hours of its own."""
    hours = entry.get("hours")
    if hours is None:
        return default
    try:
        if clock == "sla" or clock.startswith("milestone:"):
            raise Wrong("milestones run in their own hours: remove 'hours' here")
        return check_hours(hours, known)
    except Wrong as cause:
        page.fault(entry.nodes["hours"], str(cause), len(hours))
        return default


def checked_amount(entry: Entry, key: str, clock: str, page: Page) -> int | Fraction | None:
    """Return the ms or the share of the target under *key*; None after its fault or without it."""
    text = entry.get(key)
    if text is None or not clock:
        return None
    try:
        return parse_amount(
            text, of_milestone=clock == "sla" or clock.startswith("milestone:"), name=entry.get("clock")
        )
    except Wrong as cause:
        page.fault(entry.nodes[key], str(cause), len(text))
        return None


def _change(entry: Entry, word: str, known: Known, page: Page, allowed: Allowed) -> Condition | None:
    """Return a `became` or `raised` trigger."""
    key, node = entry.keys[word], entry.nodes[word]
    if not allowed.changes:
        page.fault(
            key, f"a change trigger in {allowed.place}, which cannot see changes: use an all_matches rule", len(word)
        )
        return None
    if word == "raised":
        return _raised(entry, node, known, page)
    part = _condition(node, known, page, Allowed(False, False, "'became'"))
    text = f"became {node.text}" if isinstance(node, Scalar) else "became"
    return None if part is None else Change(became=part, text=text, at=page.at(node, text))


def _raised(entry: Entry, node: Node, known: Known, page: Page) -> Change | None:
    """Return the trigger of a ranked field that goes up; None after a fault for any other field."""
    name = entry.values["raised"]
    spec = (known.fields or {}).get(name)
    if spec is None and known.fields is not None:
        page.fault(node, unknown("field", name, known.fields), len(name))
        return None
    if spec is not None and spec.type not in RANKED_TYPES and not spec.ordered:
        page.fault(
            node, f"{name!r} is a {spec.type} without an order: declare 'ordered: true' or use became", len(name)
        )
        return None
    return Change(raised=name, text=f"raised {name}", at=page.at(node, f"raised {name}"))
