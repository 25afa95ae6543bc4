"""Salesforce's labels as names that a policy file takes."""

from __future__ import annotations

import re
from collections.abc import Container

from triage.rules.grammar import LABEL

MOST_LETTERS = 110
"""Of a name that is somebody else's label, so that a number may follow it."""


def label(text: str, otherwise: str, taken: Container[str] = ()) -> str:
    """
    Return *text* as a name that a policy file takes: one line that begins with a letter or digit. Most are one already.

    *otherwise* is what a name without a letter or digit becomes; a name that is *taken* gets a number.
    """
    if len(text) <= MOST_LETTERS and re.fullmatch(LABEL.pattern, text) and text not in taken:
        return text
    clean = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    clean = re.sub(r"^[\W_]+", "", clean)[:MOST_LETTERS].strip() or otherwise
    name, number = clean, 1
    while name in taken:
        number += 1
        name = f"{clean} {number}"
    return name
