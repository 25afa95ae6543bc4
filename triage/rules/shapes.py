"""
Shapes: what a policy file may hold at each place, as data. One reader, one JSON Schema, the same tables.

`read` turns a node into plain values by its shape and reports whatever does not fit; a part that was reported is
absent from the result, so that one mistake gives one fault.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from collections.abc import Mapping as Dictionary
from typing import Any

from msgspec import Struct, field

from triage.domain.instant import parse_duration
from triage.rules.positions import Broken, Mapping, Node, Page, Scalar, Sequence


class Text(Struct, frozen=True):
    """Any text; with *pattern* only text that matches it whole, `wanted` says in words what that is."""

    pattern: str = ""
    wanted: str = "text"
    empty: bool = False


class Choice(Struct, frozen=True):
    """One of a few words."""

    values: tuple[str, ...]


class Flag(Struct, frozen=True):
    """`true` or `false`, nothing else."""


class Whole(Struct, frozen=True):
    """A whole number within bounds."""

    least: int = 0
    most: int = 10**9


class Span(Struct, frozen=True):
    """A duration with its unit, read to ms."""

    least: int = 0


class ListOf(Struct, frozen=True):
    """A list; with *lone* a single item may stand without its list."""

    item: Shape
    lone: bool = False
    least: int = 0


class MapOf(Struct, frozen=True):
    """A mapping from names of the author's own choice to values of one shape."""

    value: Shape
    key: Text = Text(r"[^\W\d][\w.-]*", "a name of letters, digits, '_', '-' and '.'")


class Record(Struct, frozen=True):
    """A mapping with fixed keys."""

    what: str
    keys: dict[str, Shape]
    required: tuple[str, ...] = ()


class OneKey(Struct, frozen=True):
    """A mapping with exactly one of several keys; *aliases* are other spellings of them."""

    what: str
    keys: dict[str, Shape]
    aliases: dict[str, str] = {}


class ByKind(Struct, frozen=True):
    """Another shape for text, for a list and for a mapping; None is refused. *wanted* says what is asked for."""

    wanted: str
    scalar: Shape | None = None
    sequence: Shape | None = None
    mapping: Shape | None = None


class Named(Struct, frozen=True):
    """A shape of DEFINITIONS, read by the code that asks for it: the node itself is the value."""

    name: str


class Split(Struct, frozen=True):
    """A mapping of one shape where it has the key *key*, of another where it has not."""

    key: str
    having: Shape
    lacking: Shape


Shape = Text | Choice | Flag | Whole | Span | ListOf | MapOf | Record | OneKey | ByKind | Named | Split


class Entry(Struct, frozen=True):
    """A mapping that was read: values by key, the node of each, and of each key."""

    node: Node
    values: dict[str, Any] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Scalar] = field(default_factory=dict)

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value under *key*; *default* where it is absent or was refused."""
        return self.values.get(key, default)

    def only(self) -> str:
        """Return the one key of a OneKey mapping, or an empty string."""
        return next(iter(self.values), "")


LONGEST = 10**14
"""A duration this many ms long is no duration that anybody meant."""

ABSENT: Any = None
"""What `read` answers for a part that it has reported."""


def read_duration(text: str) -> int:
    """Return *text* in ms; raise ValueError where a unit is missing or it is longer than three thousand years."""
    millis = parse_duration(text) if len(text) <= 100 else LONGEST
    if millis >= LONGEST:
        raise ValueError("longer than three thousand years")
    return millis


def did_you_mean(text: str, known: Iterable[str]) -> str:
    """Return `: did you mean 'x'?` for the nearest of *known*, or an empty string; case counts little."""
    names = list(known)
    folded = {name.casefold(): name for name in reversed(names)}
    near = difflib.get_close_matches(text.casefold()[:80], folded, n=1, cutoff=0.6)
    return f": did you mean {folded[near[0]]!r}?" if near else ""


def one_of(known: Iterable[str], *, most: int = 12) -> str:
    """Return *known* as a list for people, cut after *most*."""
    names = list(known)
    tail = f", .. ({len(names)} in all)" if len(names) > most else ""
    return ", ".join(names[:most]) + tail


def unknown(what: str, text: str, known: Iterable[str]) -> str:
    """Return the sentence for a name that is not known: with the nearest one, else with what there is."""
    names = sorted(set(known))
    near = did_you_mean(text, names)
    listed = f": known are {one_of(names)}" if names else ": none is declared"
    return f"unknown {what} {shown(text)}{near or listed}"


def shown(text: str, most: int = 60) -> str:
    """Return *text* in quotes, cut where it is long."""
    return repr(text if len(text) <= most else text[:most] + "..")


def read(shape: Shape, node: Node, page: Page) -> Any:
    """Return *node* as *shape* says, or None after a fault: text str, spans ms, lists tuple, mappings Entry or dict."""
    if isinstance(node, Broken) or page.full:
        return ABSENT
    if isinstance(shape, Text | Choice | Flag | Whole | Span):
        return _plain(shape, node, page)
    match shape:
        case Named():
            return node
        case ByKind():
            return _by_kind(shape, node, page)
        case Split():
            has = isinstance(node, Mapping) and node.get(shape.key) is not None
            return read(shape.having if has else shape.lacking, node, page)
        case ListOf():
            return _list(shape, node, page)
        case MapOf():
            return _map(shape, node, page)
    return _keys(shape, node, page)


def _plain(shape: Shape, node: Node, page: Page) -> Any:
    """Return a scalar's value; None after the fault of a scalar that does not fit or of what is none."""
    if not isinstance(node, Scalar):
        page.fault(node, f"{_wanted(shape)} is asked for here, not a {kind_of(node)}")
        return ABSENT
    return _span(shape, node, page) if isinstance(shape, Span) else _scalar(shape, node, page)


def kind_of(node: Node) -> str:
    """Return what *node* is, in words."""
    return {Sequence: "list", Mapping: "mapping", Scalar: "text", Broken: "refused value"}[type(node)]


def _wanted(shape: Shape) -> str:
    """Return what a shape asks for, in words."""
    match shape:
        case Text() | ByKind():
            return shape.wanted
        case Choice():
            return f"one of {one_of(shape.values)}"
        case Flag():
            return "true or false"
        case Whole():
            return f"a whole number from {shape.least}" + (f" to {shape.most}" if shape.most < 10**9 else "")
        case Span():
            return "a duration such as 15m, 6h or 2d"
        case ListOf():
            return "a list"
    return "a mapping"


def _scalar(shape: Shape, node: Scalar, page: Page) -> Any:
    """Return the value of a scalar that fits, or None after its fault."""
    text = node.text
    match shape:
        case Text() if (text or shape.empty) and (not shape.pattern or re.fullmatch(shape.pattern, text)):
            return text
        case Choice() if text in shape.values:
            return text
        case Flag() if text in ("true", "false"):
            return text == "true"
        case Whole() if re.fullmatch(r"-?(0|[1-9]\d{0,17})", text) and shape.least <= int(text) <= shape.most:
            return int(text)
    near = did_you_mean(text, shape.values) if isinstance(shape, Choice) else ""
    page.fault(node, f"{_wanted(shape)} is asked for here, not {shown(text)}{near}", max(1, len(text)))
    return ABSENT


def _span(shape: Span, node: Scalar, page: Page) -> Any:
    """Return the ms of a duration, or None after a fault that says what to write."""
    try:
        millis = read_duration(node.text)
    except ValueError:
        bare = re.fullmatch(r"\d+(\.\d+)?", node.text)
        fix = f"write '{node.text}m' or '{node.text}h'" if bare else "write 90s, 15m, 6h, 2d or 1h30m"
        page.fault(node, f"{shown(node.text)} is no duration with its unit: {fix}", max(1, len(node.text)))
        return ABSENT
    if millis < shape.least:
        page.fault(node, f"{node.text!r} is too short here: more than nothing is asked for", len(node.text))
        return ABSENT
    return millis


def _by_kind(shape: ByKind, node: Node, page: Page) -> Any:
    """Return *node* read as the shape for its kind."""
    found = {Scalar: shape.scalar, Sequence: shape.sequence, Mapping: shape.mapping, Broken: None}[type(node)]
    if found is None:
        page.fault(node, f"{shape.wanted} is asked for here, not a {kind_of(node)}")
        return ABSENT
    return read(found, node, page)


def _list(shape: ListOf, node: Node, page: Page) -> Any:
    """Return the items that could be read; a lone one where that is allowed."""
    if not isinstance(node, Sequence):
        if shape.lone:
            value = read(shape.item, node, page)
            return ABSENT if value is None else (value,)
        page.fault(node, f"a list is asked for here, not a {kind_of(node)}")
        return ABSENT
    if len(node.items) < shape.least:
        page.fault(node, "the list is empty: at least one entry is needed")
        return ABSENT
    values = (read(shape.item, item, page) for item in node.items)
    return tuple(value for value in values if value is not None)


def _map(shape: MapOf, node: Node, page: Page) -> Any:
    """Return the values by the names that the author chose."""
    if not isinstance(node, Mapping):
        page.fault(node, f"a mapping from names to values is asked for here, not a {kind_of(node)}")
        return ABSENT
    entry = Entry(node)
    for key, value in node.entries:
        if read(shape.key, key, page) is not None:
            _keep(entry, key.text, shape.value, key, value, page)
    return entry


def _keep(entry: Entry, name: str, shape: Shape, key: Scalar, node: Node, page: Page) -> None:
    """Note where *name* stands, and its value where it can be read."""
    entry.nodes[name] = node
    entry.keys[name] = key
    value = read(shape, node, page)
    if value is not None:
        entry.values[name] = value


def _keys(shape: Record | OneKey, node: Node, page: Page) -> Any:
    """Return the values of a mapping with fixed keys; unknown and missing keys are faults."""
    if not isinstance(node, Mapping):
        page.fault(node, f"{shape.what} is a mapping with {one_of(shape.keys)}, not a {kind_of(node)}")
        return ABSENT
    aliases: Dictionary[str, str] = shape.aliases if isinstance(shape, OneKey) else {}
    entry = Entry(node)
    for key, value in node.entries:
        name = aliases.get(key.text, key.text)
        if name in shape.keys:
            _keep(entry, name, shape.keys[name], key, value, page)
        elif not page.full:
            page.fault(key, f"{unknown('key', key.text, shape.keys)} (in {shape.what})", max(1, len(key.text)))
    if isinstance(shape, OneKey):
        return _only_one(shape, entry, node, page)
    missing = [name for name in shape.required if name not in entry.keys]
    if missing:
        page.fault(node, f"{shape.what} lacks {one_of(missing)}")
    return entry


def _only_one(shape: OneKey, entry: Entry, node: Mapping, page: Page) -> Any:
    """Return *entry* where it has exactly one key, which could be read; else None."""
    if len(node.entries) == 1 and len(entry.values) == 1:
        return entry
    if len(node.entries) != 1:
        page.fault(node, f"{shape.what} has exactly one of the keys {one_of(shape.keys)}")
    return ABSENT
