"""
A watched folder: files of events are taken in when they are complete, in the order of their names, once each.

A file counts as complete when it has not changed for a while. What has been read is kept in the store with the events
themselves, by the file's name and content: a crash in the middle goes on where it stopped, and a file that is replaced
under the same name is another file. Nothing here parses an event.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from triage.domain.instant import MINUTE, SECOND
from triage.errors import StoreError
from triage.intake.event import LINE_LIMIT
from triage.intaking import Door
from triage.ports import Clock, Journal, Refusal, SourceState, Unit
from triage.taken import Ingested, counted

ENDINGS = (".jsonl", ".jsonl.gz")
REFUSED = ".refused.jsonl"
DONE = "done"

POLL = SECOND // 2
"""How often a folder is looked at, in ms."""

TORN_AFTER = 10
"""A file whose last line has no end is taken after so many times the usual wait: its writer has died."""

ORDER_FOR = MINUTE
"""How long a file that is still being written keeps those with later names waiting, in ms."""


class Progress(Struct, frozen=True, kw_only=True):
    """How far one file has been read: its last stored line, and whether that was all of it."""

    line: int = 0
    done: bool = False


class FileTaken(NamedTuple):
    """One file that was read to its end, and what became of its lines, over all attempts."""

    name: str
    read: int
    accepted: int
    repeated: int
    refused: int


class Look(NamedTuple):
    """What the file system says of a file; two equal looks some time apart are a file that nobody writes."""

    inode: int
    size: int
    modified: int


class _Seen(NamedTuple):
    look: Look
    since: int
    first: int


class Watcher:
    """One folder, read through one door."""

    def __init__(
        self,
        door: Door,
        clock: Clock,
        folder: Path,
        *,
        source: str = "",
        settle: int = 2 * SECOND,
        keep: bool = False,
        journal: Journal | None = None,
    ) -> None:
        """
        Watch *folder*, made where it is missing.

        Args:
            source: The name under which event ids are unique, the folder's where it is empty.
            settle: For how many ms a file must not have changed; 0 where files are only ever renamed into place.
            keep: Leave files where they are, instead of moving them to `done/`.
        """
        self._door = door
        self._clock = clock
        self._folder = folder
        self._source = source or str(folder)
        self._settle = settle
        self._keep = keep
        self._journal = journal
        self._seen: dict[str, _Seen] = {}
        self._taken: dict[str, Look] = {}
        self._told: dict[str, str] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, stop: threading.Event) -> None:
        """Take in what comes until *stop* is set; a store or a folder that cannot be used is waited for."""
        while not stop.is_set():
            try:
                self.round(self._clock.now())
            except (StoreError, OSError) as fault:
                self._tell_once(str(self._folder), str(fault))
            self._clock.wait(POLL)

    def run_once(self, stop: threading.Event) -> list[FileTaken]:
        """Take in all files that are there and return them; one that is still being written is waited for."""
        taken: list[FileTaken] = []
        while not stop.is_set():
            taken += self.round(self._clock.now())
            if not self.waiting():
                break
            self._clock.wait(min(POLL, max(1, self._settle)))
        return taken

    def round(self, now: int) -> list[FileTaken]:
        """Take in every file that is complete at *now*, in the order of names, and return them."""
        taken: list[FileTaken] = []
        names = self._names()
        self._seen = {name: seen for name, seen in self._seen.items() if name in names}
        self._taken = {name: look for name, look in self._taken.items() if name in names}
        looks = {name: self._noticed(name, now) for name in names}
        for name, look in looks.items():
            if look is None or self._taken.get(name) == look:
                continue
            try:
                if self._complete(self._folder / name, now):
                    taken += self._take(self._folder / name, look, now)
                elif now - self._seen[name].first < ORDER_FOR:
                    break
            except OSError as fault:
                self._tell_once(name, str(fault))
        return taken

    def waiting(self) -> int:
        """Return how many files are still to be taken in."""
        return sum(self._taken.get(name) != _look(self._folder / name) for name in self._names())

    def _names(self) -> list[str]:
        with os.scandir(self._folder) as entries:
            return sorted(
                entry.name
                for entry in entries
                if entry.name.endswith(ENDINGS)
                and not entry.name.endswith(REFUSED)
                and not entry.name.startswith(".")
                and entry.is_file(follow_symlinks=False)
            )

    def _noticed(self, name: str, now: int) -> Look | None:
        """Look at a file and remember since when it looks like that; None where it has gone."""
        look = _look(self._folder / name)
        seen = self._seen.get(name)
        if look is not None and (seen is None or seen.look != look):
            self._seen[name] = _Seen(look, now, now if seen is None else seen.first)
        return look

    def _complete(self, path: Path, now: int) -> bool:
        quiet = now - self._seen[path.name].since
        return quiet >= self._settle and (quiet >= self._settle * TORN_AFTER or _ends_whole(path))

    def _take(self, path: Path, look: Look, now: int) -> list[FileTaken]:
        """Read one file to its end and put it away; nothing where it changed or went meanwhile: looked at again."""
        content = _digest(path)
        if content is None or _look(path) != look:
            return []
        label = f"{self._source}/{path.name}#{content[:16]}"
        progress = self._progress(label)
        if not progress.done:
            self._read(path, label, progress.line, now)
        state = self._door.state(label)
        if state is None or _look(path) != look:
            return []
        self._write_refused(path, label)
        self._put_away(path, look, content)
        found = FileTaken(
            path.name, state.accepted + state.repeated + state.refused, state.accepted, state.repeated, state.refused
        )
        self._tell("file_taken_in", file=path.name, read=found.read, refused=found.refused)
        return [found]

    def _progress(self, label: str) -> Progress:
        state = self._door.state(label)
        return Progress() if state is None else msgspec.json.decode(state.cursor, type=Progress)

    def _read(self, path: Path, label: str, after: int, now: int) -> None:
        def stored(unit: Unit, line: int, batch: Ingested) -> None:
            self._save(unit, label, now, Progress(line=line), batch)

        lines = _lines(path, label, after, now)
        self._door.take_lines(lines, self._source, now, label=label, stored=stored)
        self._door.write(lambda unit: self._save(unit, label, now, Progress(done=True), Ingested()))

    def _save(self, unit: Unit, label: str, now: int, progress: Progress, batch: Ingested) -> None:
        state = unit.intake.source(label) or SourceState(name=label, live_from=now)
        state = replace(state, cursor=msgspec.json.encode(progress).decode())
        unit.intake.save_source(counted(state, batch.accepted, batch.repeated, batch.refused))

    def _write_refused(self, path: Path, label: str) -> None:
        """Write the refused lines of a file beside it: number, reason and record, never the line's own text."""
        refusals = self._door.refusals(label)
        if not refusals:
            return
        rows = [{"line": one.line, "reason": one.reason, "record": one.record} for one in refusals]
        fresh = path.with_name(f".{path.name}{REFUSED}.new")
        fresh.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
        os.replace(fresh, path.with_name(path.name + REFUSED))

    def _put_away(self, path: Path, look: Look, content: str) -> None:
        self._seen.pop(path.name, None)
        if self._keep:
            self._taken[path.name] = look
            return
        done = self._folder / DONE
        done.mkdir(exist_ok=True)
        target = done / path.name
        if target.exists():
            stem, dot, ending = path.name.partition(".")
            target = done / f"{stem}.{content[:8]}{dot}{ending}"
        os.replace(path, target)

    def _tell_once(self, name: str, fault: str) -> None:
        """Say what is wrong with a file that is tried again every round; said again only when it is something else."""
        if self._told.get(name) != fault:
            self._told[name] = fault
            self._tell("file_failed", "error", file=name, fault=fault)

    def _tell(self, what: str, level: str = "info", **said: str | int) -> None:
        if self._journal is not None:
            self._journal.tell(what, level, **said)


def _look(path: Path) -> Look | None:
    try:
        found = path.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None
    return Look(found.st_ino, found.st_size, found.st_mtime_ns)


def _ends_whole(path: Path) -> bool:
    """Tell whether the file ends with the end of a line; a packed one, with the end of its stream."""
    try:
        with _opened(path) as stream:
            if path.suffix == ".gz":
                while stream.read(1 << 20):
                    pass
                return True
            size = stream.seek(0, os.SEEK_END)
            if size == 0:
                return False
            stream.seek(size - 1)
            return stream.read(1) == b"\n"
    except (EOFError, FileNotFoundError, gzip.BadGzipFile, zlib.error):
        return False


def _opened(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _digest(path: Path) -> str | None:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        return None


def _lines(path: Path, label: str, after: int, now: int) -> Iterator[tuple[int, bytes | Refusal]]:
    """Yield the numbered lines above *after*; a packed file that ends too early, or is damaged, ends in a refusal."""
    number = 0
    with _opened(path) as stream:
        while True:
            try:
                line = _line(stream)
            except (EOFError, gzip.BadGzipFile, zlib.error) as cause:
                reason = f"the packed file is damaged or ends too early: {cause}"
                yield number + 1, Refusal(source=label, line=number + 1, reason=reason, at=now)
                return
            if not line:
                return
            number += 1
            if number > after:
                yield number, line


def _line(stream: BinaryIO) -> bytes:
    """Return the next line, cut where it is longer than any event may be: it will be refused, not held in memory."""
    line = stream.readline(LINE_LIMIT + 1)
    rest = line
    while len(rest) > LINE_LIMIT and not rest.endswith(b"\n"):
        rest = stream.readline(LINE_LIMIT + 1)
    return line
