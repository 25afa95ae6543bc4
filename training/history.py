"""Exports and event logs as lives: each record as it opened, and what happened to it since, in time order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from triage.domain.instant import DAY
from triage.domain.schema import ObjectSpec
from triage.domain.work import Event
from triage.errors import IntakeError
from triage.replay.folder import RECORDS, find_sources
from triage.replay.history import MilestoneRow, read_export
from triage.replay.rollback import AUDIT
from triage.replay.source import is_log, open_history

IMMUTABLE = frozenset(
    {"CreatedDate", "CreatedById", "CaseNumber", "SuppliedName", "SuppliedEmail", "SuppliedPhone", "SuppliedCompany"}
)
"""Fields that a CRM writes once, at creation: known at opening without any history."""


@dataclass(frozen=True)
class Life:
    """
    One record: its fields at opening (CRM names, raw text), and its events since, in time order.

    `closed_at` is the instant of the last closing, None while it is open; `acted` says that triage itself changed it,
    `steps` holds every change including those, `events` only what people and customers did.
    """

    id: str
    created_at: int
    opening: Mapping[str, str]
    steps: tuple[Event, ...]
    events: tuple[Event, ...]
    closed_at: int | None
    acted: bool


@dataclass(frozen=True)
class Past:
    """
    All lives of one object.

    Attributes:
        lives: In order of creation.
        tracked: Fields that history tells of, so that they can be rolled back.
        unknown: Fields that no history tells of and nobody declared immutable -> in how many records they are filled.
        milestones: Record id -> its milestones as the CRM tells them.
        cut: ms UTC of the last thing that is known.
        excluded: Why records are missing -> how many.
        notes: What was assumed or left out, as sentences.
    """

    object: str
    lives: tuple[Life, ...]
    tracked: frozenset[str]
    unknown: Mapping[str, int]
    milestones: Mapping[str, tuple[MilestoneRow, ...]]
    cut: int
    excluded: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_past(
    source: Path | str,
    object: str,
    *,
    specs: Mapping[str, ObjectSpec] | None = None,
    immutable: Collection[str] = (),
    own: Collection[str] = (),
) -> Past:
    """
    Return the records of *object* in the export folder or event log *source* with all that happened to them.

    The roll-back is the one that replay uses. A field without history keeps no value unless it is one of *immutable*,
    declared so in *specs*, or written by the CRM at creation. Records older than the history (its retention) by more
    than a day are left out and counted. Changes by the users *own* (triage's integration users), or told by the log to
    be of origin triage, are kept out of `events`.

    Raises:
        IntakeError: nothing at *source*, or no record of *object* in it.
    """
    path = Path(source)
    notes: list[str] = []
    milestones: dict[str, list[MilestoneRow]] = {}
    if is_log(path):
        history = open_history(path)
        stream, refused = [entry.event for entry in history.entries], len(history.refused)
    else:
        _need_table(path, object)
        export = read_export(path, objects={object}, specs=specs)
        stream, refused = list(export.stream), len(export.refused)
        for row in export.milestones:
            milestones.setdefault(row.id, []).append(row)
        notes += export.notes
        if export.inconsistencies:
            notes.append(
                f"{len(export.inconsistencies):,} places where history and the final rows contradict each other"
            )
    if refused:
        notes.append(f"{refused:,} rows or lines were refused, most of them of other objects (see `triage replay`)")
    spec = (specs or {}).get(object)
    fixed = IMMUTABLE | set(immutable) | {one.source for one in (spec.fields if spec else ()) if one.immutable}
    return _gather(object, [event for event in stream if event.object == object], milestones, fixed, set(own), notes)


def _need_table(path: Path, object: str) -> None:
    sources, _ = find_sources(path, {*RECORDS, object})
    if not any(source.kind == "records" and source.object == object for source in sources):
        there = ", ".join(sorted(source.object for source in sources if source.kind == "records")) or "none"
        raise IntakeError(f"{path.name}: has no table of {object} (tables of records in it: {there})")


def _gather(
    object: str,
    stream: Sequence[Event],
    milestones: Mapping[str, Sequence[MilestoneRow]],
    fixed: Collection[str],
    own: Collection[str],
    notes: list[str],
) -> Past:
    born = {event.id: event for event in stream if event.type == "created"}
    if not born:
        raise IntakeError(f"there is no {object} in it whose creation is known")
    later: dict[str, list[Event]] = {}
    tracked: set[str] = set()
    begins: int | None = None
    cut = max(event.at for event in stream)
    for event in stream:
        if event.type == "created" or event.id not in born:
            continue
        later.setdefault(event.id, []).append(event)
        if event.type == "updated" and event.origin != "system":
            tracked |= event.changes.keys()
            begins = event.at if begins is None else min(begins, event.at)
    done = (row.completed for rows in milestones.values() for row in rows if row.completed is not None)
    cut = max([cut, *done])
    closing = {"IsClosed", "IsConverted", "IsWon", "ClosedDate", "ConvertedDate"}
    rollable = (tracked - closing) | set(fixed)
    excluded: Counter[str] = Counter()
    lives = []
    for record, created in sorted(born.items(), key=lambda pair: (pair[1].at, pair[0])):
        if begins is not None and created.at < begins - DAY:
            excluded["older than the field history reaches back"] += 1
            continue
        lives.append(_life(created, later.get(record, []), rollable, own))
    unknown: Counter[str] = Counter()
    for created in born.values():
        unknown.update(name for name in created.changes if name not in rollable | closing | AUDIT)
    if unknown:
        notes.append(
            f"{', '.join(sorted(unknown))}: no history tells their values at opening, so they were left out; "
            "declare those that nobody edits as immutable"
        )
    if not lives:
        raise IntakeError(f"every {object} is older than its field history: nothing can be rolled back")
    return Past(
        object,
        tuple(lives),
        frozenset(tracked - closing),
        dict(unknown),
        {record: tuple(rows) for record, rows in milestones.items()},
        cut,
        dict(excluded),
        tuple(notes),
    )


def _life(created: Event, later: Sequence[Event], rollable: Collection[str], own: Collection[str]) -> Life:
    steps = tuple(sorted(later, key=lambda event: event.at))
    ours = [event for event in steps if event.origin == "triage" or (event.actor and event.actor in own)]
    closed_at: int | None = created.at if _closes(created) else None
    kept = []
    for event in steps:
        if event.type == "updated" and (says := _closes(event)) is not None:
            closed_at = event.at if says else None
        if event in ours or event.type in ("scored", "override", "related", "agent"):
            continue
        told = {name: value for name, value in event.changes.items() if name in rollable}
        if event.type != "updated" or told:
            kept.append(replace(event, changes=told) if told != event.changes else event)
    opening = {name: value for name, value in created.changes.items() if name in rollable}
    return Life(created.id, created.at, opening, steps, tuple(kept), closed_at, bool(ours))


def _closes(event: Event) -> bool | None:
    """Return whether *event* closes (True) or reopens (False) its record, None where it does neither."""
    for name in ("IsClosed", "IsConverted"):
        if name in event.changes:
            return str(event.changes[name]).strip().casefold() in ("true", "1", "yes")
    return None
