"""What becomes of lines that are handed in: each read as an event or refused, and counted so that nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from triage.domain.work import Event
from triage.errors import IntakeError
from triage.intake.event import parse_event
from triage.ports import Refusal, SourceState

Raw = Event | Mapping[str, Any] | bytes | str
"""An event as it may be handed in: read already, or as one JSON object, decoded or not."""

Numbered = Iterator[tuple[int, Event | Refusal]]
"""Events, each with the number of its line."""

REFUSALS_SHOWN = 100
"""How many refusals `Ingested` names; all of them are in the store."""


class Ingested(Struct, frozen=True, kw_only=True):
    """
    What became of every line read: accepted + repeated + refused = read.

    `planned` actions may go now; `observed` are what rules that only observe would have done.
    """

    read: int = 0
    accepted: int = 0
    repeated: int = 0
    refused: int = 0
    planned: int = 0
    observed: int = 0
    refusals: tuple[Refusal, ...] = ()


def numbered_events(
    lines: Iterable[tuple[int, Raw | Refusal]],
    label: str,
    now: int,
    read: Callable[[Any], Event] = parse_event,
) -> Numbered:
    """Yield each line of *label* as an event, or as the refusal that says why it is none; empty lines are left out."""
    for number, line in lines:
        if isinstance(line, Event | Refusal):
            yield number, line
            continue
        if isinstance(line, bytes | str) and not line.strip():
            continue
        try:
            yield number, read(line)
        except IntakeError as fault:
            text = line.decode(errors="replace") if isinstance(line, bytes) else str(line)
            yield (
                number,
                Refusal(source=label, line=number, reason=fault.reason, record=fault.record_id, text=text, at=now),
            )


def counted(state: SourceState, taken: int, repeated: int, refused: int) -> SourceState:
    """Return *state* with so many more lines."""
    return replace(
        state,
        accepted=state.accepted + taken,
        repeated=state.repeated + repeated,
        refused=state.refused + refused,
    )


def added(total: Ingested, more: Ingested) -> Ingested:
    """Return both together."""
    return Ingested(
        read=total.read + more.read,
        accepted=total.accepted + more.accepted,
        repeated=total.repeated + more.repeated,
        refused=total.refused + more.refused,
        planned=total.planned + more.planned,
        observed=total.observed + more.observed,
        refusals=(*total.refusals, *more.refusals)[:REFUSALS_SHOWN],
    )
