"""Text into word and character n-grams, in any script. Pure and quick: one pass over the text of a single record."""

from __future__ import annotations

import re

_WORD = re.compile(r"\w+")
_DIGITS = re.compile(r"\d+")
SHORTEST, LONGEST = 3, 5
"""Lengths of character n-grams."""


def words_of(text: str) -> list[str]:
    """Return the words of *text* in order, casefolded; every run of digits is `0`, for a number says little itself."""
    return _WORD.findall(_DIGITS.sub("0", text.casefold()))


def word_grams(text: str) -> list[str]:
    """Return the words of *text*, then each two that stand side by side."""
    words = words_of(text)
    return words + [f"{one} {other}" for one, other in zip(words, words[1:], strict=False)]


def character_grams(text: str) -> list[str]:
    """Return every run of 3 to 5 characters inside each word, its edges marked by a blank; whole if it is shorter."""
    grams: list[str] = []
    for word in words_of(text):
        padded = f" {word} "
        size = len(padded)
        for length in range(SHORTEST, LONGEST + 1):
            if size <= length:
                grams.append(padded)
                break
            grams += [padded[at : at + length] for at in range(size - length + 1)]
    return grams
