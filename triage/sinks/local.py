"""Where effects go when nothing outside is to be touched: a JSONL file, or the store alone."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

import msgspec

from triage.domain.decision import Action
from triage.domain.instant import format_instant
from triage.domain.message import UNWRITTEN, Message
from triage.errors import ConfigError, SinkBusy
from triage.ports import Receipt

_encode = msgspec.json.Encoder(order="sorted").encode


class StoreSink:
    """Effects are done by being in the store: nothing leaves, and the record changes as if they had."""

    name = "store"
    live = False

    def remembers(self, action: Action) -> bool:
        """Return True: there is nothing to be done twice."""
        return True

    def send(self, action: Action, message: Message = UNWRITTEN) -> Receipt:
        """Return at once."""
        return Receipt()

    def close(self) -> None:
        """Hold nothing, so let go of nothing."""


class JsonlSink:
    """
    One line a key in a file that only grows. Each line is on disk before `send` returns.

    The keys are read once, before the first line; a last line that a crash tore off is cut away then, as its effect
    was never reported as done. Nothing is cut before: a worker that is to be refused its store must not touch what
    the one that holds it is just writing. Many threads may send at once: they share one flush to disk.
    """

    name = "jsonl"

    def __init__(self, path: Path, *, live: bool = True) -> None:
        """
        Open *path*, made where it is missing.

        Args:
            live: Somebody acts on the lines, so rules start in observe.

        Raises:
            ConfigError: *path* is no file that can be written.
        """
        self.live = live
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as cause:
            raise ConfigError(f"{path}: {cause.strerror}: the sink jsonl:PATH needs a file it can write") from cause
        self._writing = threading.Lock()
        self._flushing = threading.Lock()
        self._begun = False
        self._keys: set[str] = set()
        self._end = self._flushed = 0

    def remembers(self, action: Action) -> bool:
        """Return True: a key has one line."""
        return True

    def send(self, action: Action, message: Message = UNWRITTEN) -> Receipt:
        """
        Append *action* unless its key is there.

        Raises:
            SinkBusy: the disk refused the line; nothing of it stays.
        """
        with self._writing:
            if not self._begun:
                self._begin()
            already = action.key in self._keys
            if not already:
                self._append(_line(action))
                self._keys.add(action.key)
            mine = self._end
        # What is there already may be another thread's, or one whose flush failed: it is not on disk before this.
        self._flush(mine)
        return Receipt(already=already)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _begin(self) -> None:
        try:
            self._keys, whole = _scan(self._path)
            os.ftruncate(self._file, whole)
            os.lseek(self._file, whole, os.SEEK_SET)
        except OSError as cause:
            raise SinkBusy(f"{self._path}: {cause.strerror}") from cause
        self._end = self._flushed = whole
        self._begun = True

    def _append(self, line: bytes) -> None:
        try:
            done = 0
            while done < len(line):
                done += os.write(self._file, line[done:])
        except OSError as cause:
            os.ftruncate(self._file, self._end)
            os.lseek(self._file, self._end, os.SEEK_SET)
            raise SinkBusy(f"{self._path}: {cause.strerror}") from cause
        self._end += len(line)

    def _flush(self, mine: int) -> None:
        """Come back when everything up to *mine* is on disk; whoever flushes takes along what others have written."""
        with self._flushing:
            if self._flushed >= mine:
                return
            end = self._end
            try:
                os.fsync(self._file)
            except OSError as cause:
                raise SinkBusy(f"{self._path}: {cause.strerror}") from cause
            self._flushed = end


def _line(action: Action) -> bytes:
    shown = {
        "at": format_instant(action.at),
        "due": format_instant(action.due),
        "object": action.object,
        "id": action.id,
        "rule": action.rule,
        "step": action.step,
        "action": action.kind,
        "target": action.target,
        "params": action.params,
        "reason": action.reason,
        "key": action.key,
    }
    return _encode(shown) + b"\n"


def _scan(path: Path) -> tuple[set[str], int]:
    """Return the keys in *path*, and where its last whole line ends."""
    keys: set[str] = set()
    whole = 0
    if not path.exists():
        return keys, whole
    with path.open("rb") as lines:
        for line in lines:
            if not line.endswith(b"\n"):
                break
            # Somebody else's line is kept, and is no key of ours.
            with contextlib.suppress(msgspec.DecodeError, KeyError, TypeError):
                keys.add(str(msgspec.json.decode(line)["key"]))
            whole += len(line)
    return keys, whole
