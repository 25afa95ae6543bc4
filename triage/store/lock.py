"""The lock of the one worker: the operating system's, on a file beside the store, so that a killed holder frees it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from triage.errors import StoreBusy

if sys.platform == "win32":
    import msvcrt

    def _grasp(handle: int) -> None:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _grasp(handle: int) -> None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def file_lock(path: Path, store: Path) -> Iterator[None]:
    """
    Hold *path* until the end.

    The file stays behind and means nothing by itself: only a living process holds it.

    Raises:
        StoreBusy: another worker holds it; names *store*.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            _grasp(handle)
        except OSError as cause:
            raise StoreBusy(
                f"{store}: another worker runs on this store; stop it first, or give this one its own"
            ) from cause
        yield
    finally:
        os.close(handle)
