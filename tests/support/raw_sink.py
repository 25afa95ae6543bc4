"""A receiver that writes down every call, repeated ones too; who reads it counts distinct keys."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path

from triage.domain.decision import Action
from triage.domain.message import UNWRITTEN, Message
from triage.ports import Receipt


class RawSink:
    """One line a call, in one write: several processes may share the file."""

    name = "raw"
    live = False

    def __init__(self, path: Path, *, seconds: float = 0.0) -> None:
        """*seconds* is how long each call takes."""
        self._handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._seconds = seconds

    def remembers(self, action: Action) -> bool:
        """Say yes: who reads the file counts keys."""
        return True

    def send(self, action: Action, message: Message = UNWRITTEN) -> Receipt:
        """Write down key and instant."""
        if self._seconds:
            time.sleep(self._seconds)
        os.write(self._handle, f"{action.key} {time.time_ns() // 1_000_000}\n".encode())
        return Receipt()

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)


def calls(path: Path) -> Counter[str]:
    """Return how often each key was received."""
    return Counter(line.split()[0] for line in path.read_text().splitlines()) if path.exists() else Counter()
