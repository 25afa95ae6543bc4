"""Connections that end with their store: none outlives it, whatever threads are doing at that moment."""

from __future__ import annotations

from sqlalchemy import Engine
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from triage.errors import StoreError


class EndingPool(QueuePool):
    """
    A pool that ends once, for good: nothing is handed out afterwards, and what comes back is closed.

    `Engine.dispose` alone does neither: it begins a new pool for whoever comes late, and what a thread gives back at
    that moment lies open in the old one, where nobody looks again.
    """

    ended = False

    def end(self) -> None:
        """Close every connection; one that a thread still uses is closed when it gives it back."""
        self.ended = True
        self.dispose()

    def _do_get(self) -> ConnectionPoolEntry:
        if self.ended:
            raise StoreError("the store was closed")
        return super()._do_get()

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        super()._do_return_conn(record)
        # Looked at after the connection lies there: either `end` still finds it, or it is found here.
        if self.ended:
            self.dispose()


def end(engine: Engine) -> None:
    """Close the connections of *engine*, which has an EndingPool, for good."""
    pool = engine.pool
    assert isinstance(pool, EndingPool)
    pool.end()
