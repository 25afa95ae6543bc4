"""A folder of CRM exports, or a log of events, as one stream of events in time order, with an account of every line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct, field

from triage.domain.schema import ObjectSpec
from triage.domain.work import Event
from triage.errors import IntakeError
from triage.intake.event import parse_event
from triage.replay.folder import find_sources
from triage.replay.reading import MilestoneRow, Reading
from triage.replay.rollback import Inconsistency
from triage.replay.table import FileCount, Refusal, read_table

__all__ = [
    "Export",
    "FileCount",
    "Inconsistency",
    "MilestoneRow",
    "Ordered",
    "Refusal",
    "in_order",
    "read_export",
    "read_log",
]


class Export(Struct, frozen=True, kw_only=True):
    """
    An export as a replay wants it.

    `counts` holds, for each file, rows read = used + refused, header apart; `refused` each of the latter. `skipped`
    maps files that were not read at all to the reason. `inconsistencies` are counted, reported and never hidden.
    `notes` say how a file was read where nothing declared it: its encoding, the zone and order of its instants.
    """

    stream: tuple[Event, ...]
    refused: tuple[Refusal, ...]
    counts: dict[str, FileCount]
    milestones: tuple[MilestoneRow, ...] = ()
    inconsistencies: tuple[Inconsistency, ...] = ()
    skipped: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def events(self) -> Iterator[Event]:
        """Yield the events by instant; at one instant agents and related records first, then file order."""
        return iter(self.stream)


class Ordered(Struct, frozen=True):
    """Events by instant, and how many of them had come after a later one."""

    events: tuple[Event, ...]
    late: int


def read_export(
    folder: Path | str,
    *,
    objects: Iterable[str] | None = None,
    specs: Mapping[str, ObjectSpec] | None = None,
    presence: Literal["online", "offline"] = "offline",
    encoding: str = "",
) -> Export:
    """
    Return the export in *folder* (or one file) as events; no row raises, each is used or refused.

    Tables are `<Object>.csv`, `<Object>History.csv`, `<Object>Milestone.csv`, `User`, `EmailMessage`, `CaseComment`,
    `Task`, each also gzipped. A record's final row is rolled back by its history (see `rollback`), so that `created`
    carries it as it stood at opening and each `updated` one instant's changes. Users and related records come as of the
    first instant of the records; a user's *presence* is offline unless told otherwise, since no export says.

    Args:
        objects: Record objects to read (default: all); other record objects are skipped, by name.
        specs: Field maps by object: their created field is heeded; its zone and date order hold for the object's other
            files too, where their text does not say.
        encoding: Of all files; by default each is read as its bytes ask for (`sniff_encoding`).

    Raises:
        IntakeError: there is no such folder or file, or no table in it.
    """
    sources, skipped = find_sources(Path(folder), None if objects is None else frozenset(objects))
    reading = Reading(specs or {}, presence)
    for source in sources:
        reading.take(source, read_table(source.path, encoding=encoding))
    events, inconsistencies = reading.roll_back()
    return Export(
        stream=in_order(events).events,
        refused=tuple(reading.account.refused),
        counts=reading.account.counts(),
        milestones=tuple(reading.milestones),
        inconsistencies=inconsistencies,
        skipped=skipped,
        notes=tuple(reading.notes),
    )


def read_log(
    lines: Iterable[bytes | str], *, file: str = "events.jsonl", org_zone: str = ""
) -> Iterator[Event | Refusal]:
    """
    Yield, for each of *lines*, its event or its refusal: a fault, an empty line, an `event_id` that was there before.

    Line numbers start at 1. A refused line that lacks its closing brace is told as cut off.
    """
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            yield Refusal(file, number, "", "an empty line")
            continue
        try:
            event = parse_event(line, org_zone=org_zone)
        except IntakeError as fault:
            begun = line.lstrip()[:1] in (b"{", "{") and line.rstrip()[-1:] not in (b"}", "}")
            cut = "cut off at its end: " if begun else ""
            yield Refusal(file, number, fault.record_id, f"{cut}{fault.reason}")
            continue
        first = seen.setdefault(event.event_id, number)
        yield event if first == number else Refusal(file, number, event.id, f"duplicate of line {first}")


def in_order(events: Iterable[Event]) -> Ordered:
    """Return *events* by instant, those of one instant as they came, and how many had come after a later one."""
    kept = tuple(events)
    late = 0
    latest = kept[0].at if kept else 0
    for event in kept:
        late += event.at < latest
        latest = max(latest, event.at)
    return Ordered(tuple(sorted(kept, key=lambda event: event.at)) if late else kept, late)
