"""
Who can take work, written to a field of the user: what flows and assignment rules of Salesforce's own may read.

Only where the connection asks for it, and only where this deployment acts. Written is what has changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from triage.config import load_policy
from triage.domain.instant import MINUTE
from triage.errors import SalesforceError
from triage.policy import compile_policy
from triage.ports import Journal, Store
from triage.routing.eligible import open_for_work
from triage.salesforce import package
from triage.salesforce.client import Client
from triage.salesforce.deployment import Deployment
from triage.salesforce.reading import batches
from triage.salesforce.soql import listed

EVERY = MINUTE
"""How often, in ms, the field is looked after."""

AT_ONCE = 200


class Availability:
    """Keeps the field of each user of one organisation who is an agent of one store."""

    def __init__(self, client: Client, deployment: Deployment, store: Store, journal: Journal | None = None) -> None:
        """Nothing is read before the first call."""
        self._client = client
        self._deployment = deployment
        self._store = store
        self._journal = journal
        self._looked_at: int | None = None
        self._said: dict[str, bool] = {}
        self._policy = ""
        self._calendars: Mapping[str, Any] = {}

    def poll(self, now: int) -> int:
        """
        Write what has changed as of *now*, once a minute; return of how many users.

        A fault is told and waited for.
        """
        if not self._client.connection.availability:
            return 0
        if self._looked_at is not None and 0 <= now - self._looked_at < EVERY:
            return 0
        self._looked_at = now
        try:
            if self._client.stranger() or self._deployment.refused(now):
                return 0
            return self._write(self._agents(now))
        except SalesforceError as fault:
            self._tell(str(fault))
            return 0

    def _agents(self, now: int) -> dict[str, bool]:
        """Return whether each agent who is a user can take work."""
        with self._store.read() as unit:
            live, agents = unit.policies.live(), unit.related.agents()
        if live is not None and live.digest != self._policy:
            self._policy = live.digest
            self._calendars = compile_policy(load_policy(live.texts), virtual=True).calendars
        users = (agent for agent in agents if agent.id.startswith("005"))
        return {agent.id: open_for_work(agent, self._calendars, now) for agent in users}

    def _write(self, wanted: Mapping[str, bool]) -> int:
        unknown = sorted(wanted.keys() - self._said.keys())
        for some in batches(unknown, AT_ONCE):
            soql = f"SELECT Id, {package.AVAILABLE} FROM User WHERE Id IN {listed(some)}"  # noqa: S608
            self._said |= {row["Id"]: row[package.AVAILABLE] is True for row in self._client.query(soql)}
        changed = [
            {"attributes": {"type": "User"}, "id": user, package.AVAILABLE: free}
            for user, free in sorted(wanted.items())
            if user in self._said and self._said[user] is not free
        ]
        return sum(self._sent(some) for some in batches(changed, AT_ONCE))

    def _sent(self, some: Sequence[Mapping[str, Any]]) -> int:
        """Send up to 200 changes, each by itself; one that is refused is told, and tried again the next minute."""
        answers = self._client.rest("PATCH", "composite/sobjects", {"allOrNone": False, "records": list(some)})
        done = 0
        for one, answer in zip(some, answers, strict=True):
            if answer["success"]:
                self._said[one["id"]] = one[package.AVAILABLE]
                done += 1
            else:
                self._tell(f"{one['id']}: {answer['errors'][0].get('message', 'refused')}")
        return done

    def _tell(self, fault: str) -> None:
        if self._journal is not None:
            self._journal.tell("salesforce_availability_unsaid", "warning", fault=fault)
