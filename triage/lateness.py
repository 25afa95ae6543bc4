"""How late timers fire, as a histogram of fixed memory."""

from __future__ import annotations

from bisect import bisect_left

EDGES = (
    *(1, 2, 5, 10, 20, 35, 50, 75, 100, 125, 150, 175, 200, 225, 250, 300, 350, 500, 750),
    *(1_000, 2_000, 5_000, 15_000, 60_000, 300_000, 3_600_000),
)
"""Upper edges of the buckets in ms; one more bucket holds the rest."""


class Lateness:
    """Counts of lateness in ms. Quantiles are the upper edge of their bucket, so never too good."""

    def __init__(self) -> None:
        self.counts = [0] * (len(EDGES) + 1)
        self.worst = 0
        self.sum = 0

    def add(self, millis: int) -> None:
        """Count one timer that fired *millis* after its due instant; before it counts as 0."""
        millis = max(0, millis)
        self.counts[bisect_left(EDGES, millis)] += 1
        self.worst = max(self.worst, millis)
        self.sum += millis

    @property
    def total(self) -> int:
        """How many timers were counted."""
        return sum(self.counts)

    def quantile(self, share: float) -> int:
        """Return a lateness in ms that at least *share* (0 to 1) of the timers kept; 0 where none was counted."""
        wanted = share * self.total
        reached = 0
        for edge, count in zip((*EDGES, self.worst), self.counts, strict=True):
            reached += count
            if count and reached >= wanted:
                return min(edge, self.worst)
        return 0

    def report(self) -> dict[str, int]:
        """Return count, p50, p99 and worst, in ms."""
        return {"count": self.total, "p50": self.quantile(0.5), "p99": self.quantile(0.99), "worst": self.worst}
