"""What a replay is given: a log or an export as events with the lines they came from, and the account of the rest."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct, field

from triage.domain.work import Event
from triage.errors import IntakeError
from triage.policy import Policy
from triage.replay.folder import RECORDS, table_name
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
    one in their file.
    """

    entries: tuple[Entry, ...]
    refused: tuple[Refusal, ...] = ()
    files: dict[str, FileCount] = field(default_factory=dict)
    compared: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    inconsistencies: int = 0
    late: int = 0


def open_history(source: Path | str, *policies: Policy) -> History:
    """
    Return the log, the export folder or the single table at *source* as history.

    An export is read for the objects and field maps of *policies*, the first one first.

    Raises:
        IntakeError: there is nothing at *source*, or it cannot be opened.
    """
    path = Path(source)
    if not path.name.casefold().endswith(LOGS):
        specs = {name: part.spec for policy in reversed(policies) for name, part in policy.objects.items()}
        return history_of_export(read_export(path, objects={*RECORDS, *specs}, specs=specs))
    try:
        with gzip.open(path) if path.name.casefold().endswith(".gz") else path.open("rb") as lines:
            return history_of_log(lines, path.name)
    except OSError as cause:
        raise IntakeError(f"{path}: {cause.strerror or cause}") from cause


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
    refused += [Refusal(file, number + 1, "", f"the file ends early: {reason}") for reason in damage]
    if late:
        entries.sort(key=lambda entry: entry.event.at)
    count = FileCount(len(entries) + len(refused), len(entries), len(refused))
    return History(entries=tuple(entries), refused=tuple(refused), files={file: count}, late=late)


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
