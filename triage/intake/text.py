"""Text from outside: cleaned of control characters, cut where it is endless, and quoted safely in messages."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

TEXT_LIMIT = 100_000
"""Characters of one text value that are kept; whatever is longer is cut and ends with `CUT_MARK`."""
CUT_MARK = "\n[cut: longer than 100,000 characters]"
SHOWN = 60
ID_LIMIT = 255

_PLAIN_ID = re.compile(r"[0-9A-Za-z_.:/-]{1,255}")
_UNWANTED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def clean_text(text: str) -> str:
    """
    Return *text* as it may be kept: line ends as newlines, control characters and lone surrogates as U+FFFD.

    Tab and newline stay. At most `TEXT_LIMIT` characters come back; a longer text ends with `CUT_MARK`, so that
    `was_cut` can tell. Cleaning twice changes nothing.
    """
    if len(text) > TEXT_LIMIT:
        text = text[: TEXT_LIMIT - len(CUT_MARK)] + CUT_MARK
    if _UNWANTED.search(text) is None:
        return text
    return _UNWANTED.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def was_cut(text: str) -> bool:
    """Return whether *text* was longer than `TEXT_LIMIT` when it came in."""
    return text.endswith(CUT_MARK)


def show(value: object) -> str:
    """Return *value* quoted for a message: at most 60 characters of it, control characters escaped."""
    if isinstance(value, str):
        head = value[:SHOWN]
    elif isinstance(value, int | float | bool | None):
        head = _number_text(value)
    else:
        return f"a {type(value).__name__}"
    shown = head.encode("unicode_escape", "backslashreplace").decode("ascii") if not head.isprintable() else head
    return f"'{shown[:SHOWN]}'" + (
        ".." if len(shown) > SHOWN or (isinstance(value, str) and len(value) > SHOWN) else ""
    )


def bad_id(text: str) -> str:
    """Return why *text* cannot be an id, or "" where it can: 1 to 255 characters, no control characters."""
    if _PLAIN_ID.fullmatch(text):
        return ""
    if not text.strip():
        return "is empty"
    if len(text) > ID_LIMIT:
        return f"is longer than {ID_LIMIT} characters"
    if _needs_escape(text):
        return "holds control characters"
    return ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `: did you mean 'x'?` for the nearest of *known*, or "" where nothing is near."""
    near = difflib.get_close_matches(word[:ID_LIMIT], list(known), n=1, cutoff=0.6)
    return f": did you mean {near[0]!r}?" if near else ""


def _needs_escape(text: str) -> bool:
    return "\n" in text or "\t" in text or _UNWANTED.search(text) is not None


def _number_text(value: object) -> str:
    if isinstance(value, int) and abs(value) >= 1 << 64:
        return "a number of more than 64 bits"
    return str(value)
