"""
What the encoder reads: one message as plain words, the same in training and in service.

Emoji become their Unicode names (the encoder's word list has none of them), addresses on the web and @names become
one word each, so that no brand or person is learnt, and stretched letters shrink. Linear in the length of the text.
"""

from __future__ import annotations

import html
import re
import unicodedata

LONGEST = 20_000
"""Characters of a message that are read; what comes after them is left out."""

_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_LINK = re.compile(r"(?:https?://|www\.)\S{1,2000}", re.IGNORECASE)
_NAMED = re.compile(r"(?<![\w@])@\w{1,60}(?:'s\b)?")
_TAG = re.compile(r"#(?=\w)")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_STRETCHED = re.compile(r"(\S)\1{3,}")
_SYMBOL = re.compile(r"([\u2190-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff])\1*")
_INVISIBLE = re.compile(
    r"[\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff\U0001f3fb-\U0001f3ff\x00-\x08\x0b-\x1f\ud800-\udfff]"
)
_SPACE = re.compile(r"\s+")


def plain(text: str) -> str:
    """Return *text* as the encoder reads it: one line, at most `LONGEST` characters read, "" where nothing is left."""
    text = html.unescape(_ESCAPED.sub(_unescape, text[:LONGEST]))
    text = _INVISIBLE.sub("", unicodedata.normalize("NFC", text))
    text = _NAMED.sub("@user", _LINK.sub("http", text))
    text = _CAMEL.sub(" ", _TAG.sub("# ", text)) if "#" in text else text
    text = _SYMBOL.sub(_symbol, _STRETCHED.sub(r"\1\1\1", text))
    return _SPACE.sub(" ", text).strip()


def _unescape(found: re.Match[str]) -> str:
    code = int(found.group(1), 16)
    return " " if 0xD800 <= code <= 0xDFFF else chr(code)


def _symbol(found: re.Match[str]) -> str:
    name = unicodedata.name(found.group(1), "")
    if not name or name.startswith(("REGIONAL INDICATOR", "BOX DRAWINGS")):
        return " "
    return f" {name.lower()} "
