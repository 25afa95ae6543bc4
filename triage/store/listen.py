"""PostgreSQL's LISTEN: one thread a process that hears what others have stored, and wakes whoever waits for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from triage.store.dialect import CHANNEL

AGAIN_AFTER = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Seconds before the server is tried again after a loss, the last for all further ones."""

LOOK_EVERY = 0.5
"""How often, in s, the thread looks whether it is still wanted."""


class Listener:
    """Wakes are called with the name of an organisation's change; after a lost connection all of them are."""

    def __init__(self, connect: Callable[[], psycopg.Connection[tuple[object, ...]]]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._wakes: list[tuple[str, Callable[[], None]]] = []
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    @contextmanager
    def hearing(self, org: str, wake: Callable[[], None]) -> Iterator[None]:
        """Call *wake*, from another thread, whenever something of *org* was stored, until the end."""
        entry = (org, wake)
        with self._lock:
            self._wakes.append(entry)
            if self._thread is None:
                self._stop = threading.Event()
                self._thread = threading.Thread(target=self._listen, args=(self._stop,), name="listen", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._wakes.remove(entry)
                ended = self._thread if not self._wakes else None
                if ended is not None:
                    self._stop.set()
                    self._thread = None
            if ended is not None:
                ended.join()

    def _listen(self, stop: threading.Event) -> None:
        losses = 0
        while not stop.is_set():
            try:
                with self._connect() as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    # What was told while nobody listened is not told again.
                    self._wake("")
                    losses = 0
                    while not stop.is_set():
                        for news in connection.notifies(timeout=LOOK_EVERY, stop_after=1):
                            self._wake(news.payload)
            except psycopg.Error:
                stop.wait(AGAIN_AFTER[min(losses, len(AGAIN_AFTER) - 1)])
                losses += 1

    def _wake(self, org: str) -> None:
        with self._lock:
            wanted = [wake for name, wake in self._wakes if org in ("", name)]
        for wake in wanted:
            wake()
