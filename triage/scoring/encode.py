"""Levels as numbers for trees: the share of each outcome among past rows of the level, and how many there were."""

from __future__ import annotations

from collections.abc import Sequence

from triage.features.extract import Row


class TargetCodes:
    """
    For each category a level's codes: its smoothed outcome rates (one for each output) and the log of its count.

    Args:
        known: For each category, level -> codes; a list of n_outputs + 1 floats.
        unseen: For each category, the codes of a level that is not known.
    """

    def __init__(self, known: Sequence[dict[str, list[float]]], unseen: Sequence[list[float]]) -> None:
        self._tables = list(zip(known, unseen, strict=True))

    def codes(self, categories: Sequence[str]) -> list[float]:
        """Return the codes of one row's *categories*, category by category."""
        found: list[float] = []
        for (known, unseen), level in zip(self._tables, categories, strict=True):
            found += known.get(level, unseen)
        return found


def tree_row(row: Row, codes: TargetCodes, text_margins: Sequence[float]) -> list[float]:
    """Return what the trees see of *row*: codes of its categories, its numbers, and what a text model made of it."""
    return [*codes.codes(row.categories), *row.numbers, *text_margins]
