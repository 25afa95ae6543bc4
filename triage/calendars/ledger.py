"""The ledger: why each millisecond between two instants counted or did not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from msgspec import Struct

from triage.calendars.pauses import union_pauses
from triage.calendars.plan import Layers, Plan, lay_out
from triage.calendars.spans import Span, to_utc, without
from triage.calendars.zones import Segment, segments_between
from triage.domain.facts import Pause
from triage.domain.instant import DAY, to_datetime

Kind = Literal["open", "closed", "paused", "holiday", "break"]
_Piece = tuple[int, int, Kind, str]


class Stretch(Struct, frozen=True):
    """
    Time of one kind, in ms UTC, half-open. Only `open` counts.

    `holiday` and `break` are rostered time that a holiday (named in `label`) or a break took away; `paused` is open
    time inside a pause.
    """

    start: int
    end: int
    kind: Kind
    label: str = ""


def build_ledger(plan: Plan, start: int, end: int, pauses: Sequence[Pause]) -> tuple[Stretch, ...]:
    """Return stretches that tile *start* to *end* in order, neighbours of one kind and label joined."""
    first_year, last_year = to_datetime(start).year, to_datetime(end).year
    segments = [
        (max(begin, start), min(finish, end), offset)
        for begin, finish, offset in segments_between(plan.zone, first_year, last_year + 1)
        if begin < end and finish > start
    ]
    pieces = _in_utc(_label(lay_out(plan, start // DAY - 3, end // DAY + 3)), segments)
    return tuple(_join(_tile(_pause(pieces, pauses), start, end)))


def open_ledger(start: int, end: int, pauses: Sequence[Pause]) -> tuple[Stretch, ...]:
    """Return the ledger of hours that never close."""
    return tuple(_join(_pause([(start, end, "open", "")], pauses))) if start < end else ()


def _label(layers: Layers) -> Iterator[_Piece]:
    """Yield local pieces in order of kind: open, then what holidays took, then what breaks took."""
    for start, end in layers.open:
        yield start, end, "open", ""
    taken: list[Span] = without(layers.shifts, layers.kept)
    reached = 0
    for closure in sorted(layers.closures):
        while reached < len(taken) and taken[reached][1] <= closure.start:
            reached += 1
        index = reached
        while index < len(taken) and taken[index][0] < closure.end:
            start, end = max(taken[index][0], closure.start), min(taken[index][1], closure.end)
            yield start, end, "holiday", closure.name
            index += 1
    for start, end in without(layers.kept, layers.open):
        yield start, end, "break", ""


def _in_utc(pieces: Iterable[_Piece], segments: Sequence[Segment]) -> list[_Piece]:
    """Return *pieces* in UTC, in order and disjoint; of two holidays over one instant, the earlier one names it."""
    moved = sorted(
        (start, end, order, kind, label)
        for order, (local_start, local_end, kind, label) in enumerate(pieces)
        for start, end in to_utc([(local_start, local_end)], segments)
    )
    disjoint: list[_Piece] = []
    reached = 0
    for start, end, _, kind, label in moved:
        if end > max(start, reached):
            disjoint.append((max(start, reached), end, kind, label))
            reached = end
    return disjoint


def _pause(pieces: Iterable[_Piece], pauses: Sequence[Pause]) -> Iterator[_Piece]:
    spans = union_pauses(pauses)
    for start, end, kind, label in pieces:
        if kind != "open" or not spans:
            yield start, end, kind, label
            continue
        counted = without([(start, end)], spans)
        paused = without([(start, end)], counted)
        cut: list[_Piece] = [(*span, "open", "") for span in counted]
        yield from sorted(cut + [(*span, "paused", "") for span in paused])


def _tile(pieces: Iterable[_Piece], start: int, end: int) -> Iterator[_Piece]:
    at = start
    for begin, finish, kind, label in pieces:
        if begin > at:
            yield at, begin, "closed", ""
        yield begin, finish, kind, label
        at = finish
    if at < end:
        yield at, end, "closed", ""


def _join(pieces: Iterable[_Piece]) -> Iterator[Stretch]:
    held: _Piece | None = None
    for piece in pieces:
        if held and held[1] == piece[0] and held[2:] == piece[2:]:
            held = (held[0], piece[1], held[2], held[3])
            continue
        if held:
            yield Stretch(*held)
        held = piece
    if held:
        yield Stretch(*held)
