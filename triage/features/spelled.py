"""Numbers as people and spreadsheets spell them: `$1,234.50`, `1.234,50 €`, `12 %`, `(500)`. Pure, no guess unsaid."""

from __future__ import annotations

import re
from collections.abc import Iterable

_SIGNS = "$€£¥₹"
_CODES = "EUR|USD|GBP|CHF"
_MINUS = ("-", "\u2212")
_DRESSED = re.compile(
    rf"(?P<open>\()?(?P<minus>[-+\u2212])?\s*(?:[{_SIGNS}]|(?:{_CODES})\b)?\s*(?P<sign>[-+\u2212])?"
    r"(?P<digits>\d{1,3}(?:['\u00a0\u202f ]\d{3})+(?:[.,]\d+)?|\d[\d.,]*|[.,]\d+)"
    rf"(?P<power>[eE][-+]?\d+)?\s*(?:%|[{_SIGNS}]|\b(?:{_CODES}))?(?P<close>\))?",
    re.ASCII,
)
_BLANKS = str.maketrans("", "", "'\u00a0\u202f ")
_GROUPS = {mark: re.compile(rf"[1-9]\d{{0,2}}(?:{re.escape(mark)}\d{{3}})+", re.ASCII) for mark in ",."}


def spelled(text: str) -> re.Match[str] | None:
    """Return the parts of *text*, None where it is no number in any dress."""
    return _DRESSED.fullmatch(text.strip())


def digits_of(found: re.Match[str]) -> str:
    """Return the digits of a number with their marks."""
    return found["digits"].translate(_BLANKS)


def decimal_mark(digits: Iterable[str]) -> str | None:
    """Return the mark before decimals that suits all of *digits*, the point first; None where neither does."""
    every = list(digits)
    for point, group in ((".", ","), (",", ".")):
        if all(_suits(one, point, group) for one in every):
            return point
    return None


def number_of(found: re.Match[str], point: str) -> float:
    """Return the number whose decimals stand after *point*; what stands in brackets is below zero."""
    digits = digits_of(found).replace("," if point == "." else ".", "").replace(point, ".")
    value = float(digits + (found["power"] or ""))
    below = found["minus"] in _MINUS or found["sign"] in _MINUS or (found["open"] and found["close"])
    return -value if below else value


def _suits(digits: str, point: str, group: str) -> bool:
    whole, _, decimals = digits.partition(point)
    if point in decimals or group in decimals:
        return False
    return whole.isdecimal() or not whole or bool(_GROUPS[group].fullmatch(whole))
