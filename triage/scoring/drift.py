"""Live scores against those a model was calibrated on: how far they have moved, counted as they are given."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from math import log
from pathlib import Path
from typing import NamedTuple

import msgspec

from triage.errors import ModelRefused

REFERENCE = "reference.json"
"""The file of a model folder that holds what scores and segments looked like when it was calibrated."""
MOVED, SHIFTED = 0.1, 0.25
"""Population stability index from which a distribution has moved, and from which the model is to be fitted again."""
FEWEST = 100
"""Live scores below which nothing is said."""
_LEAST = 1e-4
_MOST = 10_000
"""Scores after which older ones count half: what is watched is lately, not ever."""


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """
    Scores and segments of the calibration slice.

    `edges` are the nine inner edges of ten bins of equal counts, `shares` the bins' shares of rows, `rates` the share
    of ones in each; `segments` maps column -> value -> share of rows.
    """

    rows: int
    edges: tuple[float, ...]
    shares: tuple[float, ...]
    rates: tuple[float, ...]
    segments: dict[str, dict[str, float]] = {}


class Moved(NamedTuple):
    """How far a model's live scores lie from its reference: so many were counted, the stability index is *psi*."""

    rows: int
    psi: float

    @property
    def retrain(self) -> bool:
        """Whether that is a reason to fit the model again."""
        return self.rows >= FEWEST and self.psi >= SHIFTED


class Watch:
    """Counts the scores that one model gives. Threads may share it: a count lost between them changes nothing."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        self._counts = [0.0] * len(reference.shares)

    def count(self, score: float) -> None:
        """Take note of one score."""
        self._counts[bisect_right(self._reference.edges, score)] += 1
        if sum(self._counts) > _MOST:
            self._counts = [count / 2 for count in self._counts]

    @property
    def moved(self) -> Moved:
        """How far the scores counted lie from the reference."""
        total = sum(self._counts)
        shares = [count / total for count in self._counts] if total else list(self._reference.shares)
        return Moved(int(total), psi(self._reference.shares, shares))


def read_reference(folder: Path) -> Reference:
    """Return the reference in the model *folder*; raise ModelRefused where there is none."""
    try:
        return msgspec.json.decode((folder / REFERENCE).read_bytes(), type=Reference)
    except (OSError, msgspec.MsgspecError) as cause:
        raise ModelRefused(f"{folder}: holds no {REFERENCE} to compare with: fit the model again") from cause


def psi(before: Sequence[float], after: Sequence[float]) -> float:
    """Return the population stability index of two lists of shares; an empty bin counts as one row in 10,000."""
    pairs = ((max(one, _LEAST), max(other, _LEAST)) for one, other in zip(before, after, strict=True))
    return float(sum((other - one) * log(other / one) for one, other in pairs))
