"""When to abstain: conformal prediction with thresholds for each segment (Mondrian), stored with the model."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct


class Conformal(Struct, frozen=True, kw_only=True):
    """
    Thresholds under which an outcome stays possible.

    An outcome with probability p is possible where 1 - p is at most the threshold. The true outcome is among the
    possible ones in a share `coverage` of later records of each segment, as long as they come like those it was
    set on.

    Attributes:
        coverage: The share promised.
        column: Name of the category that names the segment, "" for one segment only.
        place: Where that category stands in a row.
        segments: Segment -> one threshold for each outcome (or one for all).
        rest: The thresholds of any other segment.
        most: How many outcomes may stay possible before the score abstains.
    """

    coverage: float = 0.9
    column: str = ""
    place: int = -1
    segments: dict[str, tuple[float, ...]] = {}
    rest: tuple[float, ...] = ()
    most: int = 1

    def possible(self, probabilities: Sequence[float], categories: Sequence[str]) -> list[int]:
        """Return the outcomes that stay possible, by their place in *probabilities*."""
        limits = self.segments.get(categories[self.place], self.rest) if self.place >= 0 else self.rest
        if not limits:
            return list(range(len(probabilities)))
        if len(limits) == 1:
            limits = limits * len(probabilities)
        return [at for at, (share, limit) in enumerate(zip(probabilities, limits, strict=True)) if 1.0 - share <= limit]

    def abstains(self, probabilities: Sequence[float], categories: Sequence[str]) -> bool:
        """Return whether a score says too little: no outcome is possible, or more than `most` are."""
        return not 1 <= len(self.possible(probabilities, categories)) <= self.most
