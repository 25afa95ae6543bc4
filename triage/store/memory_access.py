"""Who may ask the API, and what it answered, in memory."""

from __future__ import annotations

from msgspec.structs import replace

from triage.ports import Answer, ApiKey
from triage.store.memory_tables import Tables


class MemoryAccess:
    """See `triage.ports.Access`."""

    def __init__(self, tables: Tables, org: str) -> None:
        self._tables = tables
        self._org = org

    def add(self, key: ApiKey) -> None:
        """Keep a new key."""
        self._tables.keys[key.id] = key

    def find(self, key_id: str) -> ApiKey | None:
        """Return the key *key_id*, of whichever organisation."""
        return self._tables.keys.get(key_id)

    def listed(self) -> list[ApiKey]:
        """Return the keys of this organisation, the oldest first."""
        mine = [key for key in self._tables.keys.values() if key.org == self._org]
        return sorted(mine, key=lambda key: (key.created, key.id))

    def revoke(self, key_id: str, at: int) -> bool:
        """End a key of this organisation at once; False where it has none such that still works."""
        held = self._tables.keys.get(key_id)
        if held is None or held.org != self._org or held.revoked is not None:
            return False
        self._tables.keys[key_id] = replace(held, revoked=at)
        return True

    def answer(self, key_id: str, idem_key: str) -> Answer | None:
        """Return what the request *idem_key* of a key was answered."""
        return self._tables.answers.get((key_id, idem_key))

    def remember(self, key_id: str, idem_key: str, given: Answer, forget_before: int) -> None:
        """Keep an answer, and forget those from before an instant."""
        kept = {name: one for name, one in self._tables.answers.items() if one.at >= forget_before}
        kept.setdefault((key_id, idem_key), given)
        self._tables.answers = kept
