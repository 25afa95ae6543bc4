"""
YAML text into a tree in which every scalar is still text and knows its line and column.

Nothing is typed here: `NO`, `1:30` and `010` stay what was written. What makes YAML surprising or dangerous is refused
with its position: tags, anchors, aliases, merge keys, duplicate keys, tabs, control characters, several documents.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml
from msgspec import Struct

from triage.errors import Fault
from triage.rules.language import At

MOST_BYTES = 2 * 1024 * 1024
MOST_DEPTH = 64
MOST_NODES = 250_000
MOST_FAULTS = 1000
_SHOWN = 200
_LONGEST = 1000
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)


class Scalar(Struct, frozen=True):
    """Text as written. `exact`: each of its characters stands at column + its index in the source line."""

    text: str
    line: int
    column: int
    plain: bool = True
    exact: bool = True


class Sequence(Struct, frozen=True):
    """The items of a YAML list."""

    items: tuple[Node, ...]
    line: int
    column: int


class Mapping(Struct, frozen=True):
    """The entries of a YAML mapping in the order written; keys are unique."""

    entries: tuple[tuple[Scalar, Node], ...]
    line: int
    column: int

    def get(self, key: str) -> Node | None:
        """Return the value under *key*, or None."""
        return next((value for name, value in self.entries if name.text == key), None)


class Broken(Struct, frozen=True):
    """Stands where something was refused and reported already: readers pass over it in silence."""

    line: int
    column: int


Node = Scalar | Sequence | Mapping | Broken


class Page:
    """One file's text by line, and the faults found in it so far."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.lines = text.split("\n")
        self.faults: list[Fault] = []

    def fault(self, place: Node | At, text: str, length: int = 1, shift: int = 0) -> None:
        """Keep a fault *shift* characters into *place*, with its source line and a marker of *length*."""
        moved = shift if not isinstance(place, Scalar) or place.exact else 0
        self.fault_at(place.line, place.column + moved, text, length)

    def fault_at(self, line: int, column: int, text: str, length: int = 1) -> None:
        """Keep a fault at *line* and *column*, both from 1; after a thousand of them only the first is of use."""
        if self.full:
            return
        if len(self.faults) == MOST_FAULTS:
            text, length = f"more than {MOST_FAULTS} faults: the rest of this file is not listed", 1
        source = self.lines[line - 1] if 0 < line <= len(self.lines) else ""
        source = source if len(source) <= _SHOWN else ""
        text = text if len(text) <= _LONGEST else text[:_LONGEST] + ".."
        self.faults.append(Fault(self.file, line, column, text, source, min(length, _SHOWN)))

    @property
    def full(self) -> bool:
        """Whether so much is wrong already that reading on tells nobody anything."""
        return len(self.faults) > MOST_FAULTS

    def at(self, node: Node, text: str = "") -> At:
        """Return where *node* stands as a value that rules can carry."""
        return At(self.file, node.line, node.column, text)


def read_tree(file: str, text: str) -> tuple[Node | None, Page]:
    """
    Return the tree of *text* and the page with its faults; None where there is nothing to read or YAML is broken.

    A byte order mark and CRLF are accepted. Refused parts become `Broken`, so that the rest is still checked.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    page = Page(file, text if len(text) <= MOST_BYTES else "")
    if len(text) > MOST_BYTES or len(text.encode("utf-8", "replace")) > MOST_BYTES:
        page.fault_at(1, 1, "the file is larger than 2 MiB: split it")
        return None, page
    _refuse_characters(text, page)
    if page.faults:
        return None, page
    return _build(text, page), page


def children(node: Node) -> Iterator[Node]:
    """Yield the nodes directly below *node*, without the keys."""
    if isinstance(node, Sequence):
        yield from node.items
    elif isinstance(node, Mapping):
        yield from (value for _, value in node.entries)


def _refuse_characters(text: str, page: Page) -> None:
    """Report tabs and control characters, which editors hide and YAML reads in several ways."""
    if "\t" not in text and not _FORBIDDEN.search(text):
        return
    for number, line in enumerate(page.lines, start=1):
        if "\t" in line:
            page.fault_at(number, line.index("\t") + 1, 'a tab: indent with spaces (inside "double quotes" write \\t)')
        found = _FORBIDDEN.search(line)
        if found:
            page.fault_at(number, found.start() + 1, f"the character U+{ord(found[0]):04X} cannot be seen: remove it")


class _Open:
    """A collection whose end has not been read yet."""

    def __init__(self, mapping: bool, line: int, column: int) -> None:
        self.mapping = mapping
        self.line = line
        self.column = column
        self.items: list[Node] = []

    def close(self, page: Page) -> Node:
        """Return the finished node; report keys that are no text or stand twice."""
        if not self.mapping:
            return Sequence(tuple(self.items), self.line, self.column)
        seen: dict[str, Scalar] = {}
        entries: list[tuple[Scalar, Node]] = []
        for key, value in zip(self.items[::2], self.items[1::2], strict=True):
            if not isinstance(key, Scalar):
                if not isinstance(key, Broken):
                    page.fault(key, "a key must be plain text")
            elif key.plain and key.text == "<<":
                page.fault(key, "merge keys ('<<') are not read: write the keys out", 2)
            elif key.text in seen:
                first = seen[key.text]
                page.fault(key, f"the key {key.text!r} stands twice: first in line {first.line}", len(key.text))
            else:
                seen[key.text] = key
                entries.append((key, value))
        return Mapping(tuple(entries), self.line, self.column)


def _build(text: str, page: Page) -> Node | None:
    """Return the root of *text*, or None after a fault that leaves no tree; nesting is bounded as it is read."""
    stack = [_Open(False, 1, 1)]
    try:
        for count, event in enumerate(yaml.parse(text, Loader=_LOADER)):
            if count > MOST_NODES:
                mark: Any = event.start_mark
                page.fault_at(mark.line + 1, 1, f"more than {MOST_NODES} values: split the file")
                return None
            if not _take(event, stack, page):
                return None
    except yaml.MarkedYAMLError as cause:
        _report_syntax(cause, page)
        return None
    except yaml.YAMLError as cause:
        page.fault_at(1, 1, f"this is not YAML: {cause}")
        return None
    roots = stack[0].items
    if len(roots) > 1:
        page.fault(roots[1], "a second document ('---'): one document a file")
    return roots[0] if roots else None


def _report_syntax(cause: yaml.MarkedYAMLError, page: Page) -> None:
    """Keep YAML's own complaint at the place it names."""
    mark = cause.problem_mark or cause.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    why = ", ".join(part for part in (cause.context, cause.problem) if part)
    page.fault_at(line, column, f"this is not YAML: {why}; a text with ': ', ' #', '[' or '{{' needs quotes")


def _take(event: yaml.Event, stack: list[_Open], page: Page) -> bool:
    """Add one parser event to the tree; return False where reading must stop."""
    mark: Any = event.start_mark
    line, column = mark.line + 1, mark.column + 1
    if isinstance(event, yaml.DocumentStartEvent) and (event.tags or event.version):
        page.fault_at(1, 1, "directives ('%') are not read: remove them")
    elif isinstance(event, yaml.AliasEvent):
        page.fault_at(line, column, f"aliases ('*{event.anchor}') are not read: write the value out")
        stack[-1].items.append(Broken(line, column))
    elif isinstance(event, yaml.ScalarEvent):
        stack[-1].items.append(_scalar(event, line, column, page))
    elif isinstance(event, yaml.CollectionStartEvent):
        _refuse_marks(event, line, column, page)
        stack.append(_Open(isinstance(event, yaml.MappingStartEvent), line, column))
        if len(stack) > MOST_DEPTH:
            page.fault_at(line, column, f"nested deeper than {MOST_DEPTH} levels")
            return False
    elif isinstance(event, yaml.CollectionEndEvent):
        done = stack.pop().close(page)
        stack[-1].items.append(done)
    return True


def _refuse_marks(event: yaml.NodeEvent, line: int, column: int, page: Page) -> bool:
    """Report an anchor or a tag; return whether there was one."""
    tag = getattr(event, "tag", None)
    if tag:
        page.fault_at(line, column, f"the tag {tag!r} is not read: remove it")
    if event.anchor:
        page.fault_at(line, column, f"anchors ('&{event.anchor}') are not read: write the value out")
    return bool(tag or event.anchor)


def _scalar(event: yaml.ScalarEvent, line: int, column: int, page: Page) -> Node:
    """Return the scalar, its column moved behind an opening quote."""
    if _refuse_marks(event, line, column, page):
        return Broken(line, column)
    source = page.lines[line - 1] if line <= len(page.lines) else ""
    start = column if event.style in (None, "") else column + 1
    exact = event.style not in ("|", ">") and source.startswith(event.value, start - 1)
    return Scalar(event.value, line, start, plain=event.style in (None, ""), exact=exact)
