"""XML into a tree that knows its lines. No document types, no entities, nothing from outside."""

from __future__ import annotations

import codecs
import re
from io import StringIO
from typing import Any
from xml.sax import SAXParseException, handler

from defusedxml import sax
from defusedxml.common import DefusedXmlException
from msgspec import Struct

from triage.errors import Fault
from triage.intake.text import show
from triage.salesforce.metadata import Source

NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
DEEPEST = 40
_MARKS = re.compile(r"^(<{7}|>{7}|\|{7})( |$)|^={7}$", re.MULTILINE)
_DECLARED = re.compile(r"\s*<\?xml[^>]*?encoding\s*=\s*[\"']([\w.-]+)[\"'][^>]*\?>")
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class Tag(Struct, frozen=True):
    """One element: its name without namespace, its text, the line it begins at, its children in order."""

    name: str
    line: int
    text: str = ""
    children: tuple[Tag, ...] = ()

    def all(self, name: str) -> tuple[Tag, ...]:
        """Return the children called *name*."""
        return tuple(child for child in self.children if child.name == name)

    def one(self, name: str) -> Tag | None:
        """Return the first child called *name*."""
        return next((child for child in self.children if child.name == name), None)

    def value(self, name: str, default: str = "") -> str:
        """Return the text of the first child called *name*, without blanks around it."""
        child = self.one(name)
        return default if child is None else child.text.strip()

    def is_true(self, name: str) -> bool:
        """Return whether the child called *name* says true."""
        return self.value(name).casefold() in ("true", "1")

    def line_of(self, name: str) -> int:
        """Return the line of the child called *name*, else of this element."""
        child = self.one(name)
        return self.line if child is None else child.line


class Malformed(Exception):
    """A file is no metadata that can be read; the fault says where and why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(str(fault))
        self.fault = fault


def read_xml(source: Source) -> tuple[Tag, tuple[str, ...]]:
    """
    Return the root of one file, and what is odd about it though it could be read (a missing namespace).

    Raises:
        Malformed: merge conflict marks, a wrong encoding, broken or cut-off XML, a document type or an entity.
    """
    text = _decoded(source)
    mark = _MARKS.search(text)
    if mark:
        line = text.count("\n", 0, mark.start()) + 1
        raise _malformed(source, line, 1, f"a merge conflict is still open here ({show(mark[0])}): resolve it", text)
    if not text.strip():
        raise _malformed(source, 1, 1, "the file is empty", text)
    tree = _Tree()
    parser = sax.make_parser()
    parser.forbid_dtd = True
    parser.setContentHandler(tree)
    try:
        parser.parse(StringIO(_DECLARED.sub("", text, count=1) if _DECLARED.match(text) else text))
    except SAXParseException as cause:
        raise _malformed(source, *_place(cause), f"this is not XML: {_why(cause)}{_cut(text)}", text) from None
    except DefusedXmlException:
        line = text[: max(0, text.find("<!"))].count("\n") + 1
        raise _malformed(source, line, 1, "a document type or entity: metadata has none, it is refused", text) from None
    except _Odd as cause:
        raise _malformed(source, cause.line, 1, str(cause), text) from None
    notes = () if NAMESPACE in text else (f"the namespace {NAMESPACE} is missing: read all the same",)
    return tree.root(), notes


def _decoded(source: Source) -> str:
    """Return the text in the encoding that its first bytes or its declaration state; UTF-8 otherwise."""
    data = source.data
    encoding = next((name for bom, name in _BOMS if data.startswith(bom)), "")
    if not encoding:
        found = _DECLARED.match(data[:200].decode("latin-1"))
        encoding = found[1] if found else "utf-8"
    try:
        text = data.decode(encoding)
    except LookupError:
        raise _malformed(source, 1, 1, f"the encoding {show(encoding)} is not known: save the file as UTF-8") from None
    except UnicodeError as cause:
        before = data[: getattr(cause, "start", 0)]
        line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
        why = f"not {encoding.upper().removesuffix('-SIG')}, which it says it is: save the file as UTF-8"
        raise _malformed(source, line, column, why) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _place(cause: SAXParseException) -> tuple[int, int]:
    return cause.getLineNumber() or 1, (cause.getColumnNumber() or 0) + 1


def _why(cause: SAXParseException) -> str:
    return str(cause.getMessage())


def _cut(text: str) -> str:
    return "" if text.rstrip().endswith(">") and text.count("<") > 1 else " (the file ends in the middle: was it cut?)"


def _malformed(source: Source, line: int, column: int, why: str, text: str = "") -> Malformed:
    lines = text.split("\n")
    shown = lines[line - 1][:120] if 0 < line <= len(lines) else ""
    shown = shown if shown.isprintable() else ""
    return Malformed(Fault(source.name, line, max(1, min(column, 121)), why, shown, 1))


class _Odd(Exception):
    """Well-formed, and yet no metadata: why, and on which line."""

    def __init__(self, text: str, line: int) -> None:
        super().__init__(text)
        self.line = line


class _Open:
    def __init__(self, name: str, line: int) -> None:
        self.name = name
        self.line = self.odd = line
        self.text: list[str] = []
        self.children: list[Tag] = []


class _Tree(handler.ContentHandler):
    """Collects elements with the line each begins at."""

    def __init__(self) -> None:
        super().__init__()
        self._stack: list[_Open] = [_Open("", 0)]
        self._locator: Any = None

    def setDocumentLocator(self, locator: Any) -> None:  # noqa: N802  the name is the base class's
        self._locator = locator

    def startElement(self, name: str, attrs: Any) -> None:  # noqa: N802
        line = self._locator.getLineNumber() or 1
        if len(self._stack) > DEEPEST:
            raise _Odd(f"nested deeper than {DEEPEST} levels", line)
        # An empty value is written as `<value xsi:nil="true"/>` by some tools: no text, as here.
        self._stack.append(_Open(name.rpartition(":")[2], line))

    def characters(self, content: str) -> None:
        place = self._stack[-1]
        place.text.append(content)
        if place.odd == place.line and content.strip():
            place.odd = self._locator.getLineNumber() or place.line

    def endElement(self, name: str) -> None:  # noqa: N802
        done = self._stack.pop()
        text = "".join(done.text)
        if done.children and text.strip():
            # What a half-resolved merge leaves behind: both sides' elements, and a line of words between them.
            raise _Odd(
                f"the words {show(text.strip())} stand between the elements of <{done.name}>: remove them", done.odd
            )
        self._stack[-1].children.append(Tag(done.name, done.line, "" if done.children else text, tuple(done.children)))

    def root(self) -> Tag:
        """Return the document's own element."""
        return self._stack[0].children[0]
