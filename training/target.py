"""The target as classes or amounts: what can be learnt, what is dropped and counted, and what is refused in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from triage.errors import IntakeError
from triage.features.values import as_level

MOST_CLASSES = 20
FEWEST_OF_A_CLASS = 10
"""Rows of one of several classes below which it is left out: no slice but one could hold them."""
_FOUND = (
    *("1", "true", "t", "yes", "y", "ja", "j", "oui", "si", "s\u00ed", "sim"),
    *(
        "won",
        "closed won",
        "converted",
        "breached",
        "violated",
        "escalated",
        "urgent",
        "high",
        "late",
        "missed",
        "overdue",
    ),
    *("churned", "churn", "canceled", "cancelled", "default", "fraud", "bought", "accepted", "subscribed"),
)
"""Spellings of the class to find, where two classes are told in words."""
_SENSES = dict.fromkeys(("1", "true", "t", "yes", "y"), True) | dict.fromkeys(("0", "false", "f", "no", "n"), False)


@dataclass(frozen=True)
class Classes:
    """The target of each row: its class, -1 where it is missing; the classes as spelled, and whether they are steps."""

    codes: np.ndarray
    names: tuple[str, ...]
    ordinal: bool

    @property
    def known(self) -> np.ndarray:
        """Positions of the rows that have a target."""
        return np.flatnonzero(self.codes >= 0)


def read_classes(column: pd.Series, target: str) -> Classes:
    """
    Return *column* as classes: numbers in order; of two words the one that means yes is second, else the rarer.

    Raises:
        IntakeError: no value, one class only, or more classes than can be told apart (free text, an amount).
    """
    levels = [as_level(value) for value in column.tolist()]
    present = sorted({level for level in levels if level})
    if not present:
        raise IntakeError(f"{target} is empty in every row: there is nothing to learn from")
    if len(present) == 1:
        raise IntakeError(
            f"{target} is {present[0]!r} in every row: with one class only there is nothing to tell apart; "
            "add rows with another outcome"
        )
    if len(present) > MOST_CLASSES:
        shown = ", ".join(repr(level[:30]) for level in present[:3])
        raise IntakeError(
            f"{target} has {len(present):,} different values ({shown}, ..): a target is a yes or no, or at most "
            f"{MOST_CLASSES} classes; name another column, or make classes of it first"
        )
    steps = all(_is_step(level) for level in present)
    names = sorted(present, key=int) if steps else _in_words(present, levels)
    places = {name: at for at, name in enumerate(names)}
    return Classes(np.array([places.get(level, -1) for level in levels]), tuple(names), steps and len(names) > 2)


def without_rare(classes: Classes, kept: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return those of the rows *kept* whose class has rows enough, and the names of the classes that have not."""
    counts = np.bincount(classes.codes[kept], minlength=len(classes.names))
    rare = np.flatnonzero(counts < FEWEST_OF_A_CLASS)
    if len(classes.names) <= 2 or len(classes.names) - len(rare) < 2:
        return kept, ()
    return kept[~np.isin(classes.codes[kept], rare)], tuple(classes.names[at] for at in rare)


def codes_of(column: pd.Series, names: tuple[str, ...]) -> np.ndarray:
    """
    Return each row's place among the class *names*, -1 where it is missing or none of them.

    Where the two classes are a no and a yes, they may be spelled in any other way: 0 and 1, f and t, False and True.
    """
    places = {name: at for at, name in enumerate(names)}
    senses = {_SENSES[name]: at for name, at in places.items() if name in _SENSES}
    if len(names) == len(senses) == 2:
        places = {word: senses[sense] for word, sense in _SENSES.items()} | places
    return np.array([places.get(as_level(value), -1) for value in column.tolist()])


def _is_step(level: str) -> bool:
    return level.lstrip("-").isdecimal() and level.isascii()


def _in_words(present: list[str], levels: list[str]) -> list[str]:
    if len(present) != 2:
        return present
    yes = [level for level in present if level in _FOUND]
    second = yes[0] if len(yes) == 1 else min(present, key=lambda level: (levels.count(level), level))
    return [level for level in present if level != second] + [second]
