"""Queues of the organisation by id and by name: what rules call `queue:NAME` and `pool:NAME` is a Group there."""

from __future__ import annotations

import threading

from triage.errors import WriteRefused
from triage.salesforce.client import Client
from triage.salesforce.soql import quoted


class Queues:
    """Looks queues up, and remembers them. Threads share it."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._by_name: dict[str, str] = {}
        self._lock = threading.Lock()

    def user_or_queue(self, owner: str) -> str:
        """
        Return the id that `OwnerId` takes for *owner*: an id, or `queue:NAME`, `pool:NAME`, `team:NAME`.

        Raises:
            WriteRefused: the organisation has no queue of that name or API name.
        """
        kind, _, name = owner.partition(":")
        if not name:
            return owner
        if kind == "user":
            return name
        return self._group(name, owner)

    def _group(self, name: str, owner: str) -> str:
        folded = name.casefold()
        with self._lock:
            if folded not in self._by_name:
                # Asked again where a name is new: a queue may have been made a minute ago.
                wanted = f"Name = {quoted(name)} OR DeveloperName = {quoted(_api_name(name))}"
                for row in self._client.query(f"SELECT Id FROM Group WHERE Type = 'Queue' AND ({wanted})"):  # noqa: S608
                    self._by_name[folded] = row["Id"]
            if folded not in self._by_name:
                raise WriteRefused(
                    f"{owner} is no queue in Salesforce: make a queue called {name!r}, or name another in the rule",
                    code="NO_SUCH_QUEUE",
                )
            return self._by_name[folded]


def _api_name(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)
