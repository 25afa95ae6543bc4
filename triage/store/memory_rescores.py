"""Which records want new scores, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from triage.store.memory_tables import Tables


class MemoryRescores:
    """See `triage.ports.Rescores`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def ask(self, keys: Sequence[str], due: int) -> None:
        """Let *keys* be scored from *due* on, or sooner where that is asked already."""
        for key in keys:
            self._tables.rescores[key] = min(due, self._tables.rescores.get(key, due))

    def take(self, now: int, limit: int, until: int) -> list[str]:
        """Return at most *limit* keys due at *now*, the longest due first; nobody else takes them before *until*."""
        due = sorted((at, key) for key, at in self._tables.rescores.items() if at <= now)
        keys = [key for _, key in due[:limit]]
        self._tables.rescores.update(dict.fromkeys(keys, until))
        return keys

    def settle(self, taken: Mapping[str, int | None], until: int) -> None:
        """Set when each key taken until *until* is due again (None: never), unless it was asked for meanwhile."""
        for key, due in taken.items():
            if self._tables.rescores.get(key) != until:
                continue
            if due is None:
                del self._tables.rescores[key]
            else:
                self._tables.rescores[key] = due

    def next_due(self) -> int | None:
        """Return the earliest instant at which a record wants scores, None for none."""
        return min(self._tables.rescores.values(), default=None)
