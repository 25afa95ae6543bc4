"""Field histories (CaseHistory and its like) as each record's own past, and rows as they stood at some age."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from training.files import read_file
from training.instants import NO_TIME, read_times
from training.tables import Table
from triage.domain.work import Event
from triage.errors import IntakeError

_CLOSED = ("closed", "resolved", "done", "cancelled", "canceled", "completed", "solved", "converted")
_MOST_FIELDS = 12
_HOUR = 3_600_000


@dataclass(frozen=True)
class Pasts:
    """
    The past of each row.

    Attributes:
        events: By record id, in time order.
        fields: Fields whose changes are worth counting, the most frequent first.
        ids: The record of each row.
        nows: ms UTC, the instant each row is seen at; None: at opening, with no past at all.
    """

    events: dict[str, list[Event]]
    fields: tuple[str, ...]
    nows: np.ndarray | None = None

    def looking(self, nows: np.ndarray) -> Pasts:
        """Return the same pasts, seen at *nows* (one for each row)."""
        return replace(self, nows=nows)


def read_pasts(files: Sequence[str], table: Table) -> Pasts:
    """Return the changes that *files* tell of, by record; raise IntakeError where a column is missing."""
    events: dict[str, list[Event]] = {}
    counts: Counter[str] = Counter()
    for name in files:
        raw = read_file(Path(name))
        frame = raw.frame
        key = table.id if table.id in frame.columns else next((c for c in frame.columns if c.endswith("Id") and c != "CreatedById"), "")
        for need in (key or table.id, "Field", "NewValue", "CreatedDate"):
            if need not in frame.columns:
                raise IntakeError(f"{raw.path.name}: a history needs the columns {table.id}, Field, NewValue and CreatedDate")
        at, _ = read_times(frame["CreatedDate"], "UTC", where=raw.place)
        by = frame["CreatedById"] if "CreatedById" in frame.columns else pd.Series([""] * len(frame))
        cells = zip(frame[key].astype(str), frame["Field"].astype(str), frame["NewValue"], at.tolist(), by.fillna("").astype(str), strict=True)
        for number, (record, field, value, when, actor) in enumerate(cells):
            if when == NO_TIME:
                continue
            told = None if value is None or value != value or value == "" else value
            counts[field] += 1
            events.setdefault(record, []).append(
                Event(at=when, type="updated", event_id=str(number), id=record, changes={field: told}, actor=actor)
            )
    for past in events.values():
        past.sort(key=lambda event: event.at)
    fields = tuple(sorted(sorted(counts, key=lambda field: (-counts[field], field))[:_MOST_FIELDS]))
    return Pasts(events, fields)


def closing(past: Sequence[Event]) -> int:
    """Return the instant at which *past* closed the record for the first time, far in the future where it never did."""
    for event in past:
        status = event.changes.get("Status")
        if isinstance(status, str) and status.strip().casefold().startswith(_CLOSED):
            return event.at
    return 2**62


def aged(table: Table, pasts: Pasts, as_of: Sequence[str], notes: list[str]) -> tuple[Table, np.ndarray, np.ndarray]:
    """Return the rows still open at each age of *as_of*, where each comes from, and the instants they are seen at."""
    if table.at is None:
        raise IntakeError("--as-of needs --time: the instant at which each record was opened")
    from triage.domain.instant import UNITS

    ages = []
    for text in as_of:
        number, unit = text[:-1], text[-1:]
        if not number.replace(".", "").isdecimal() or unit not in UNITS:
            raise IntakeError(f"--as-of {text!r}: write ages like 0h,4h,24h,72h")
        ages.append(int(float(number) * UNITS[unit]))
    ends = np.array([closing(pasts.events.get(str(name), ())) for name in table.frame[table.id]], dtype=np.int64)
    rows, nows = [], []
    for text, age in zip(as_of, ages, strict=True):
        open_then = np.flatnonzero((table.at + age < ends) & (table.at != NO_TIME))
        rows.append(open_then)
        nows.append(table.at[open_then] + age)
        notes.append(f"at {text}: {len(open_then):,} records still open")
    places = np.concatenate(rows)
    return table.take(places), places, np.concatenate(nows)
