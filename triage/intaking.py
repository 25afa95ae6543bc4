"""
The one way in: files, standard input, watched folders and the HTTP API hand their events to a `Door`.

What comes back was stored first. An event is known by its source and id, so whoever got no answer simply asks again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from msgspec.structs import replace

from triage.again import stored
from triage.ports import Refusal, SourceState, Unit
from triage.taken import Ingested, Raw, numbered_events
from triage.worker import Worker

Taken = Ingested
"""What became of all that was handed in: accepted + repeated + refused = read."""


class Door:
    """Takes events in through one worker. Threads may share it: one request is stored after the other."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._turn = threading.Lock()

    def take(self, events: Iterable[Raw], source: str, now: int, *, live_from: int | None = None) -> Taken:
        """
        Return what became of *events*, all of which are stored or refused by now; refusals count them from 1.

        One taken in before (same *source* and event id; the hash of the line where it has no id) changes nothing.

        Args:
            source: Who sends; the name under which event ids are unique.
            live_from: As in `Worker.ingest`.

        Raises:
            StoreError: the store cannot be used, or no policy is in force; what was stored before stays.
        """
        with self._turn:
            with self._worker.store.read() as unit:
                state = unit.intake.source(source)
            before = 0 if state is None else state.accepted + state.repeated + state.refused
            numbered = numbered_events(enumerate(events, start=before + 1), source, now)
            found = self._worker.ingest_numbered(numbered, now, source=source, live_from=live_from)
        self._tell(found, source)
        return replace(found, refusals=tuple(replace(one, line=one.line - before) for one in found.refusals))

    def take_lines(
        self,
        lines: Iterable[tuple[int, Raw | Refusal]],
        source: str,
        now: int,
        *,
        live_from: int | None = None,
        progress: Callable[[int], None] | None = None,
        label: str = "",
        stored: Callable[[Unit, int, Ingested], None] | None = None,
    ) -> Taken:
        """
        Return what became of numbered *lines* of a file, empty ones left out; refusals name the line.

        Args:
            label, progress, stored: As in `Worker.ingest_numbered`.
        """
        numbered = numbered_events(lines, label or source, now)
        with self._turn:
            found = self._worker.ingest_numbered(
                numbered, now, source=source, live_from=live_from, progress=progress, label=label, stored=stored
            )
        self._tell(found, label or source)
        return found

    def state(self, name: str) -> SourceState | None:
        """Return how far source (or file of a source) *name* has been read."""
        with self._worker.store.read() as unit:
            return unit.intake.source(name)

    def refusals(self, name: str) -> list[Refusal]:
        """Return what was refused of source (or file of a source) *name*."""
        with self._worker.store.read() as unit:
            return unit.intake.refusals(name)

    def write(self, change: Callable[[Unit], None]) -> None:
        """Store *change* in a transaction of its own."""
        with self._turn:
            stored(self._worker.store, change)

    def _tell(self, found: Taken, place: str) -> None:
        counts = {"read": found.read, "accepted": found.accepted, "repeated": found.repeated}
        level = "warning" if found.refused else "info"
        self._worker.tell("taken_in", level, source=place, refused=found.refused, **counts)
