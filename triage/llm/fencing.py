"""Text that nobody vouches for, made harmless: before a model reads it, and after a model wrote it."""

from __future__ import annotations

import re
import unicodedata

REASON_MOST = 200
"""The longest reason that is kept, in characters."""

FENCE = "CUSTOMER-TEXT"

_HIDDEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\uffff\U000e0000-\U000e0fff\ud800-\udfff\x00-\x08\x0b-\x1f\x7f-\x9f]"
)
"""What takes no room on a screen and may carry words all the same: zero width, direction, tags, selectors, controls."""

_MARKER = re.compile(
    rf"{FENCE}|<{{2,}}|>{{2,}}|\[/?INST\]|<\|[^|>]{{0,40}}\|>|</?(?:system|assistant|user|human|developer|tool)\b[^>]{{0,80}}>"
    r"|^\s*(?:#{1,6}\s*)?(?:system|assistant|developer|human)\s*:",
    re.IGNORECASE | re.MULTILINE,
)
_MARKS = re.compile(r"[<>\[:]|CUSTOMER-", re.IGNORECASE)
"""What every one of those marks holds: most texts hold nothing of it, and are looked through once."""
_BLANKS = re.compile(r"[^\S\n]{2,}|[^\S\n ]")
_LINES = re.compile(r"\n{3,}")
_LINK = re.compile(r"\b(?:[a-z][a-z0-9+.-]{1,15}://|www\.|javascript:|data:|mailto:)\S*", re.IGNORECASE)
_INERT = re.compile(r"[^\w\s.,;:!?%()'/+-]")


def clean(text: str, most: int) -> str:
    """
    Return *text* as a model may read it: NFKC, nothing hidden, no marks that look like ours or a vendor's, at most
    *most* characters; of a longer one the beginning and the last third.
    """
    if len(text) > 8 * most:
        text = f"{text[: 4 * most]}\n{text[-4 * most :]}"
    text = _HIDDEN.sub("", unicodedata.normalize("NFKC", _HIDDEN.sub("", text)))
    # Taking one mark out may join the halves of another.
    while _MARKS.search(text) and (found := _MARKER.sub(" ", text)) != text:
        text = found
    text = _LINES.sub("\n\n", _BLANKS.sub(" ", text)).strip()
    if len(text) <= most:
        return text
    tail = most // 3
    return f"{text[: most - tail - 3]}\n…\n{text[-tail:]}"


def fenced(text: str, nonce: str) -> str:
    """Return *text* between marks that nobody can forge who does not know *nonce*."""
    return f"<<<{FENCE} {nonce}>>>\n{text}\n<<<END {FENCE} {nonce}>>>"


def inert(text: str) -> str:
    """
    Return what a model wrote as one line of at most `REASON_MOST` characters that means nothing to any reader of text.

    No `<`, `>`, `&`, quotes, braces, `@`, `$`, backslashes or addresses survive, so that it is harmless in a page, a
    template, a query, a message and a terminal, whoever forgets to escape it.
    """
    text = _HIDDEN.sub("", unicodedata.normalize("NFKC", text[: REASON_MOST * 8]))
    text = _INERT.sub("", _LINK.sub("link", text))
    text = " ".join(text.split())
    return text if len(text) <= REASON_MOST else text[: REASON_MOST - 1] + "…"
