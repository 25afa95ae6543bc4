"""What a replay is given: a log or an export as events with the lines they came from, and the account of the rest."""

from __future__ import annotations

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace

from triage.domain.work import Event
from triage.errors import IntakeError
from triage.policy import Policy
from triage.replay.folder import RECORDS, find_sources, table_name
from triage.replay.history import Export, read_export, read_log
from triage.replay.table import FileCount, Refusal

LOGS = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
"""How the names of event logs end; anything else is an export."""


_PARTICULAR = re.compile(r"'[^']*\d[^']*'|\b(?=\w*\d)\w{15,18}\b|(?<=line )\d+| \(row [^)]*\)$")
"""Values that hold a digit, ids, line numbers, and the row of an export that an event is told to come from."""


class Entry(NamedTuple):
    """One event and where it stands: file, and line from 1. Of an export the line is 0: `event_id` names the row."""

    event: Event
    file: str
    line: int


class History(Struct, frozen=True, kw_only=True):
    """
    Everything that a replay can be given, by instant; those of one instant in file order.

    `files` counts the lines of each file: rows = used + refused, and every used one is in an event, or in `compared`
    (rows that tell what the CRM itself made of it, which is nothing that happened). `late` events stood after a later
    one in their file. `skipped` names the files not read, with the reason; `notes` say how others were read.
    """

    entries: tuple[Entry, ...]
    refused: tuple[Refusal, ...] = ()
    files: dict[str, FileCount] = field(default_factory=dict)
    compared: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    inconsistencies: int = 0
    late: int = 0
    notes: tuple[str, ...] = ()


def open_history(source: Path | str, *policies: Policy) -> History:
    """
    Return the log, the export folder or the single table at *source* as history.

    An export is read for the objects and field maps of *policies*, the first one first. A folder without any table of
    records, but with event logs, is read as these logs together; either way the files left out are named in `skipped`.

    Raises:
        IntakeError: there is nothing at *source*, it cannot be opened, or it is a table whose name is no object's.
    """
    path = Path(source)
    if is_log(path):
        return _open_log(path)
    specs = {name: part.spec for policy in reversed(policies) for name, part in policy.objects.items()}
    objects = {*RECORDS, *specs}
    if path.is_file():
        _check_name(path, specs or RECORDS, objects)
    logs = sorted(file for file in path.iterdir() if file.is_file() and is_log(file)) if path.is_dir() else []
    if logs and not any(table_name(file) in objects for file in path.iterdir()):
        skipped = {file.name: "no event log" for file in sorted(path.iterdir()) if file.is_file() and file not in logs}
        return replace(_together([_open_log(file) for file in logs]), skipped=skipped)
    found = history_of_export(read_export(path, objects=objects, specs=specs))
    aside = {file.name: "an event log: the tables beside it were read; replay it by its own name" for file in logs}
    return replace(found, skipped=found.skipped | aside)


def _check_name(path: Path, expected: Iterable[str], objects: Collection[str]) -> None:
    """Raise IntakeError where a single table would be read as related records, of which nothing can be replayed."""
    sources, _ = find_sources(path, None)
    stem = table_name(path)
    if stem not in objects and sources[0].kind == "related":
        names = " or ".join(f"{name}{path.name[len(stem) :]}" for name in expected)
        raise IntakeError(f"{path.name}: a table's name tells which object it holds: rename it to {names}")


def is_log(path: Path) -> bool:
    """Return whether *path* is called like an event log."""
    return path.name.casefold().endswith(LOGS)


def _open_log(path: Path) -> History:
    try:
        with gzip.open(path) if path.name.casefold().endswith(".gz") else path.open("rb") as lines:
            return history_of_log(lines, path.name)
    except OSError as cause:
        raise IntakeError(f"{path}: {cause.strerror or cause}") from cause


def _together(logs: Sequence[History]) -> History:
    """Return several logs as one, by instant; an event that stands in two of them is refused in the later one."""
    entries: dict[str, Entry] = {}
    refused = [refusal for log in logs for refusal in log.refused]
    for entry in (entry for log in logs for entry in log.entries):
        first = entries.setdefault(entry.event.event_id, entry)
        if first is not entry:
            reason = f"duplicate of line {first.line} of {first.file}"
            refused.append(Refusal(entry.file, entry.line, entry.event.id, reason))
    turned_down = Counter(refusal.file for refusal in refused)
    return History(
        entries=tuple(sorted(entries.values(), key=lambda entry: entry.event.at)),
        refused=tuple(refused),
        files={
            name: FileCount(count.rows, count.rows - turned_down[name], turned_down[name])
            for log in logs
            for name, count in log.files.items()
        },
        late=sum(log.late for log in logs),
    )


def history_of_log(lines: Iterable[bytes | str], file: str = "events.jsonl") -> History:
    """Return the events of a log, and the refusal of every other line."""
    entries: list[Entry] = []
    refused: list[Refusal] = []
    late = 0
    latest: int | None = None
    damage: list[str] = []
    number = 0
    for number, found in enumerate(read_log(_undamaged(lines, damage), file=file), 1):
        if isinstance(found, Refusal):
            refused.append(found)
            continue
        entries.append(Entry(found, file, number))
        late += latest is not None and found.at < latest
        latest = found.at if latest is None else max(latest, found.at)
    entries, early = _from_creation_on(entries)
    refused += early
    refused += [Refusal(file, number + 1, "", f"the file ends early: {reason}") for reason in damage]
    if late:
        entries.sort(key=lambda entry: entry.event.at)
    count = FileCount(len(entries) + len(refused), len(entries), len(refused))
    return History(entries=tuple(entries), refused=tuple(refused), files={file: count}, late=late)


def _from_creation_on(entries: list[Entry]) -> tuple[list[Entry], list[Refusal]]:
    """Return the entries from their record's creation on, as the log tells it, and the others refused."""
    born: dict[tuple[str, str], int] = {}
    for event, _, _ in entries:
        if event.type == "created":
            born[event.object, event.id] = min(event.at, born.get((event.object, event.id), event.at))
    kept: list[Entry] = []
    early: list[Refusal] = []
    for entry in entries:
        event = entry.event
        begin = born.get((event.object, event.id), event.at)
        if event.at >= begin:
            kept.append(entry)
        else:
            reason = f"{event.type} event from before its record was created"
            early.append(Refusal(entry.file, entry.line, event.id, reason))
    return kept, early


def history_of_export(export: Export) -> History:
    """Return the events of an export, each with the file that its `event_id` names."""
    files = {table_name(Path(name)): name for name in export.counts}
    compared = {
        name: count.used
        for name, count in export.counts.items()
        if export.milestones and _is_outcome(name) and count.used
    }
    return History(
        entries=tuple(
            Entry(event, files.get(stem := event.event_id.partition(":")[0], stem), 0) for event in export.events()
        ),
        refused=export.refused,
        files=export.counts,
        compared=compared,
        skipped=export.skipped,
        inconsistencies=len(export.inconsistencies),
        notes=export.notes,
    )


def kind_of(refusal: Refusal) -> str:
    """Return the refusal's file and reason without what is particular to its row, so that alike ones can be counted."""
    return f"{refusal.file}: {_PARTICULAR.sub('..', refusal.reason)}"


def _undamaged(lines: Iterable[bytes | str], damage: list[str]) -> Iterator[bytes | str]:
    """Yield *lines* as far as they can be read; what ends them early goes to *damage*."""
    try:
        yield from lines
    except (EOFError, zlib.error, gzip.BadGzipFile) as cause:
        damage.append(str(cause))


def _is_outcome(file: str) -> bool:
    return table_name(Path(file)).endswith("Milestone")
