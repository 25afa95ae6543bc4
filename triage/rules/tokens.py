"""One leaf's text cut into its field, operator and constants, each with the column it starts at."""

from __future__ import annotations

import re
import unicodedata

from msgspec import Struct

from triage.rules.language import LIMITS
from triage.rules.positions import Page, Scalar
from triage.rules.shapes import did_you_mean, shown


class Token(Struct, frozen=True):
    """A piece of a leaf: its text without quotes, where it starts (from 0), how long it is as written."""

    text: str
    start: int
    length: int
    quoted: bool = False


class LeafText(Struct, frozen=True):
    """A leaf as written: `op` is empty for a bare field; `negated` by a leading `not`."""

    text: str
    negated: bool
    field: Token
    op: str
    op_start: int
    constants: tuple[Token, ...] = ()


SYMBOLS = ("==", "!=", "<", "<=", ">", ">=")
WORDS = ("is missing", "is present", "not in", "in words", "starts_with", "contains", "includes", "excludes", "in")
LISTED = ("in", "not in", "includes", "excludes", "contains", "starts_with")
_FIXES = {
    "=": "==", "===": "==", "=<": "<=", "=>": ">=", "<>": "!=", "!==": "!=", "!": "!=", "is": "==", "equals": "==",
    "is not": "!=", "is not missing": "is present", "is empty": "is missing", "is null": "is missing", "eq": "==",
    "ne": "!=", "gt": ">", "lt": "<", "gte": ">=", "lte": "<=", "within": "<", "over": ">", "under": "<",
}  # fmt: skip
_FIELD = re.compile(r"[^\s=!<>~\[\]\"'(),:]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z_][A-Za-z0-9_-]*)*")
_OPERATOR = re.compile("|".join([*(rf"{word.replace(' ', ' +')}(?!\w)" for word in WORDS), r"[=!<>~&|]+"]))
_WORD = re.compile(r"is +not +missing\b|is +(?:not|empty|null)\b|[^\s\[(\"']+")
_LIST_NAME = re.compile(r"\(\s*([^\s()]*)\s*\)\s*")


class _Refused(Exception):
    """A leaf cannot be read: why, from which character, over how many."""

    def __init__(self, text: str, start: int, length: int = 1) -> None:
        super().__init__(text)
        self.start, self.length = start, max(1, length)


def split_leaf(node: Scalar, page: Page) -> LeafText | None:
    """Return the pieces of the leaf in *node*, or None after a fault at the column where reading stopped."""
    if len(node.text) > LIMITS["characters"]:
        page.fault(node, f"a condition of {len(node.text)} characters: {LIMITS['characters']} are the most")
        return None
    try:
        return _split(node.text)
    except _Refused as cause:
        page.fault(node, str(cause), cause.length, cause.start)
        return None


def _split(text: str) -> LeafText:
    """Return the pieces of *text*; raise _Refused where it cannot be read."""
    negation = re.match(r"not\s+", text)
    start = negation.end() if negation else 0
    if negation and text.startswith("not ", start):
        raise _Refused("'not not' says nothing: leave both out", start, 3)
    field = _field(text, start)
    rest = _skip(text, start + len(field.text))
    if rest == len(text):
        return LeafText(text, negation is not None, field, "", rest)
    op, after = _operator(text, rest)
    return LeafText(text, negation is not None, field, op, rest, _constants(text, op, after))


def _skip(text: str, position: int) -> int:
    """Return the first position from *position* on that is no space."""
    while position < len(text) and text[position].isspace():
        position += 1
    return position


def _field(text: str, start: int) -> Token:
    """Return the field name at *start*; raise _Refused for letters that only look like plain ones."""
    found = _FIELD.match(text, start)
    if not found:
        raise _Refused("a condition begins with a field: write field operator constant", start)
    name = found[0]
    if not _NAME.fullmatch(name):
        odd = next((i for i, c in enumerate(name) if not (c.isascii() and (c.isalnum() or c in "_.-"))), 0)
        if name[odd].isascii():
            raise _Refused(f"{shown(name)} is not a field name: letters, digits, '_' and '.'", start, len(name))
        what = unicodedata.name(name[odd], f"U+{ord(name[odd]):04X}")
        raise _Refused(f"{shown(name)} holds {what}, which only looks like a plain letter", start + odd)
    return Token(name, start, len(name))


def _operator(text: str, start: int) -> tuple[str, int]:
    """Return the operator at *start* and where its constant begins."""
    found = _OPERATOR.match(text, start)
    op = re.sub(r"\s+", " ", found[0]) if found else ""
    if found and (op in SYMBOLS or op in WORDS):
        return op, _skip(text, found.end())
    word = _WORD.match(text, start)
    written = op or (re.sub(r"\s+", " ", word[0]) if word else text[start])
    raise _Refused(_no_operator(written), start, len(written))


def _no_operator(written: str) -> str:
    """Return why *written* is no operator, with the one that was probably meant."""
    if written.casefold() in ("and", "or", "&&", "||", "&", "|"):
        return f"{written!r} joins two conditions: write each as its own item, under 'any:' where one is enough"
    fix = _FIXES.get(written.casefold())
    if fix:
        return f"{written!r} is not an operator: write {fix!r}"
    near = did_you_mean(written, (*WORDS, *SYMBOLS))
    return f"unknown operator {shown(written)}" + (near or f": known are {', '.join((*SYMBOLS, *WORDS))}")


def _constants(text: str, op: str, start: int) -> tuple[Token, ...]:
    """Return the constants that follow *op*: none, the name of a word list, one, or a list."""
    if op in ("is missing", "is present"):
        if start < len(text):
            raise _Refused(f"nothing may follow {op!r}", start, len(text) - start)
        return ()
    if op == "in words":
        found = _LIST_NAME.fullmatch(text, start)
        if not found or not found[1]:
            raise _Refused("write in words(name) with the name of one word list", min(start, len(text)))
        return (Token(found[1], found.start(1), len(found[1])),)
    if start >= len(text):
        hint = " (a '#' after a space begins a YAML comment: put the condition in quotes)" if op in SYMBOLS else ""
        raise _Refused(f"a constant is missing after {op!r}{hint}", len(text))
    if text[start] == "[":
        if op not in LISTED:
            raise _Refused(f"{op!r} takes one constant: write 'in [..]' or 'not in [..]'", start)
        return _list(text, start + 1)
    if op in ("in", "not in"):
        raise _Refused(f"{op!r} takes a list: write {op} [{text[start:][:40]}]", start, len(text) - start)
    return (_single(text, start),)


def _single(text: str, start: int) -> Token:
    """Return the one constant that fills the rest of *text*."""
    if text[start] in "\"'":
        token = _quoted(text, start)
        end = _skip(text, token.start + token.length)
        if end < len(text):
            raise _Refused("nothing may follow the constant: one comparison a condition", end, len(text) - end)
        return token
    bare = text[start:].rstrip()
    join = re.search(r"\s(?:and|or|&&|\|\|)\s", bare)
    if join:
        raise _Refused(_no_operator(join[0].strip()), start + join.start() + 1, len(join[0].strip()))
    if re.search(r"\s", bare) and not re.fullmatch(r"[\d.]+\s*[^\s\d]+(?:\s+[\d.]+\s*[a-z]+)*", bare):
        raise _Refused(f'a constant of several words needs quotes: write "{bare[:40]}"', start, len(bare))
    return _bare(bare, start)


def _bare(text: str, start: int) -> Token:
    """Return a constant without quotes; raise _Refused where a quote or bracket stands inside."""
    odd = re.search(r"[\"'\[\]]", text)
    if odd:
        raise _Refused(f"{odd[0]!r} inside a constant: put the whole constant in quotes", start + odd.start())
    return Token(text, start, len(text))


def _quoted(text: str, start: int) -> Token:
    """Return the quoted constant at *start*; a backslash keeps the next quote or backslash."""
    quote, position, letters = text[start], start + 1, []
    while position < len(text) and text[position] != quote:
        if text[position] == "\\" and text[position + 1 : position + 2] in (quote, "\\"):
            position += 1
        letters.append(text[position])
        position += 1
    if position >= len(text):
        raise _Refused("this quote is never closed (a '#' after a space begins a YAML comment)", start)
    return Token("".join(letters), start, position + 1 - start, quoted=True)


def _list(text: str, position: int) -> tuple[Token, ...]:
    """Return the constants of a list whose bracket has been read."""
    tokens: list[Token] = []
    while True:
        position = _skip(text, position)
        if position < len(text) and text[position] in "\"'":
            tokens.append(_quoted(text, position))
            position = _skip(text, tokens[-1].start + tokens[-1].length)
        else:
            found = re.compile(r"[^,\]\"']*").match(text, position)
            bare = found[0].rstrip() if found else ""
            if not bare:
                raise _Refused("a constant is missing in the list", min(position, len(text)))
            tokens.append(_bare(bare, position))
            position = _skip(text, position + len(bare))
        if position >= len(text) or text[position] not in ",]":
            raise _Refused("the list is never closed: ',' or ']' is missing", min(position, len(text)))
        position += 1
        if text[position - 1] == "]":
            break
    if _skip(text, position) < len(text):
        raise _Refused("nothing may follow the list", _skip(text, position))
    return tuple(tokens)
