"""A receiver that knows keys, shared by any number of processes: a key is done once, and raw calls are counted too."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.raw_sink import RawSink
from triage.domain.decision import Action
from triage.domain.message import UNWRITTEN, Message
from triage.ports import Receipt


class KeyedSink(RawSink):
    """One file a key in *folder*, made by whoever comes first; every call is a line in *folder*.raw."""

    def __init__(self, folder: Path) -> None:
        """*folder* is made where it is missing."""
        folder.mkdir(exist_ok=True)
        super().__init__(folder.with_suffix(".raw"))
        self._folder = folder

    def send(self, action: Action, message: Message = UNWRITTEN) -> Receipt:
        """Do *action* unless its key was done before."""
        super().send(action, message)
        try:
            os.close(os.open(self._folder / action.key, os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            return Receipt(already=True)
        return Receipt()


def done(folder: Path) -> int:
    """Return how many keys were done."""
    return len(os.listdir(folder)) if folder.exists() else 0
