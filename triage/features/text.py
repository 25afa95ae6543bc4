"""Text into word and character n-grams, in any script. Pure and quick: one pass over the text of a single record."""

from __future__ import annotations

import re
from itertools import pairwise

_WORD = re.compile(r"\w+")
_DIGITS = re.compile(r"\d+")
SHORTEST, LONGEST = 3, 6
"""Lengths of character n-grams."""


def words_of(text: str) -> list[str]:
    """Return the words of *text* in order, casefolded; every run of digits is `0`, for a number says little itself."""
    return _WORD.findall(_DIGITS.sub("0", text.casefold()))


def word_grams(text: str) -> list[str]:
    """Return the words of *text*, then each two that stand side by side."""
    words = words_of(text)
    return words + [f"{one} {other}" for one, other in pairwise(words)]


def character_grams(text: str) -> list[str]:
    """
    Return every run of 3 to 6 characters of *text*, casefolded, blanks as one, with a blank at either end.

    Runs cross words and keep digits and punctuation: `::`, `[@`, `0x` tell what a line is about where no word does.
    """
    words = text.casefold().split()
    if not words:
        return []
    padded = f" {' '.join(words)} "
    size = len(padded)
    return [padded[at : at + length] for length in range(SHORTEST, LONGEST + 1) for at in range(size - length + 1)]
