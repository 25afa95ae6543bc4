"""A bound on a whole conversation: socket timeouts bound single reads, and a peer may send one byte at a time."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def within(millis: int, connection: Callable[[], socket.socket | None]) -> Iterator[threading.Event]:
    """Cut *connection*, asked for then, after *millis* ms: whoever reads from it meets its end. Give what says so."""
    late = threading.Event()
    timer = threading.Timer(millis / 1000, _cut, (connection, late))
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()


def _cut(connection: Callable[[], socket.socket | None], late: threading.Event) -> None:
    late.set()
    found = connection()
    if found is not None:
        with contextlib.suppress(OSError):
            # Past any TLS layer, whose own shutdown is not meant to be called while another thread reads.
            socket.socket.shutdown(found, socket.SHUT_RDWR)
