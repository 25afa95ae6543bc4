"""Set arithmetic on half-open spans of integers: union and difference, and the move from local time to UTC."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from triage.calendars.zones import Segment

Span = tuple[int, int]


def union(spans: Iterable[Span]) -> list[Span]:
    """Return *spans* sorted, with overlapping and touching ones joined and empty ones dropped."""
    joined: list[Span] = []
    begin = finish = 0
    for start, end in sorted(spans):
        if end <= start:
            continue
        if begin < finish and start <= finish:
            if end > finish:
                finish = end
        else:
            if begin < finish:
                joined.append((begin, finish))
            begin, finish = start, end
    if begin < finish:
        joined.append((begin, finish))
    return joined


def without(spans: Sequence[Span], holes: Sequence[Span]) -> list[Span]:
    """Return what is left of *spans* outside *holes*; both must be sorted and disjoint."""
    left: list[Span] = []
    count = len(holes)
    first = 0
    for start, end in spans:
        while first < count and holes[first][1] <= start:
            first += 1
        index = first
        while index < count and holes[index][0] < end:
            if holes[index][0] > start:
                left.append((start, holes[index][0]))
            start = holes[index][1]
            index += 1
        if start < end:
            left.append((start, end))
    return left


def to_utc(local: Sequence[Span], segments: Iterable[Segment]) -> list[Span]:
    """
    Return the UTC spans whose local wall time lies in *local* (sorted, disjoint), in order, touching ones joined.

    Each segment has one offset, so a skipped hour falls between two segments and a repeated one lies in both.
    """
    moved: list[Span] = []
    for begin, finish, offset in segments:
        low, high = begin + offset, finish + offset
        first, last = bisect_right(local, (low,)), bisect_left(local, (high,))
        if first and local[first - 1][1] > low:
            first -= 1
        if first >= last:
            continue
        here = [(start - offset, end - offset) for start, end in local[first:last]]
        here[0] = (max(here[0][0], begin), here[0][1])
        here[-1] = (here[-1][0], min(here[-1][1], finish))
        if moved and moved[-1][1] == here[0][0]:
            here[0] = (moved.pop()[0], here[0][1])
        moved += here
    return moved
