"""Named word lists over free text: whole words, accents folded, a negated word does not count."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

_TOKEN = re.compile(r"\w+(?:['’]\w+)?")
_CLAUSE_END = re.compile(r"[.!?;:,]+(?=\s|$)|\n\s*\n")
_NEGATIONS = frozenset(
    [
        "no", "not", "never", "without", "none", "isn't", "wasn't", "aren't", "don't", "doesn't", "didn't", "cannot",
        "can't", "won't", "hasn't", "haven't", "hadn't", "couldn't", "wouldn't", "kein", "keine", "keinen", "nicht",
        "nie", "ohne", "pas", "jamais", "sans", "aucun", "aucune", "sin", "nunca", "ningun", "ninguna", "non", "senza",
        "mai", "nao", "sem",
    ]
)  # fmt: skip
_REACH = 3
"""A negation this many words or fewer before a word, in one clause, takes it back: `not a real outage`."""
_LONGEST = 100_000


def fold(text: str) -> list[str]:
    """Return the words of *text*: casefolded, accents off, typographic apostrophes straight."""
    plain = unicodedata.normalize("NFKD", text[:_LONGEST].casefold().replace("’", "'"))
    stripped = "".join(c for c in plain if not unicodedata.combining(c))
    return _TOKEN.findall(stripped)


def words_in(entries: Sequence[str]) -> Callable[[str], str]:
    """Return a search that answers the first entry standing in a text un-negated, or an empty string."""
    phrases = [(entry, fold(entry)) for entry in entries]
    by_first: dict[str, list[tuple[str, list[str]]]] = {}
    for entry, tokens in phrases:
        if tokens:
            by_first.setdefault(tokens[0], []).append((entry, tokens))

    def search(text: str) -> str:
        return next((entry for part in _CLAUSE_END.split(text[:_LONGEST]) if (entry := in_clause(part))), "")

    def in_clause(text: str) -> str:
        tokens = fold(text)
        for position, token in enumerate(tokens):
            for entry, phrase in by_first.get(token, ()):
                if tokens[position : position + len(phrase)] == phrase and not _negated(tokens, position):
                    return entry
        return ""

    return search


def _negated(tokens: list[str], position: int) -> bool:
    return any(token in _NEGATIONS for token in tokens[max(0, position - _REACH) : position])
