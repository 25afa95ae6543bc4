"""
Who can take work, written to a field of the user: what flows and assignment rules of Salesforce's own may read.

Only where the connection asks for it, and only where this deployment acts and is not halted. Written is what has
changed, and available is whom routing would give work to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from triage.config import load_policy
from triage.domain.instant import MINUTE
from triage.errors import SalesforceError
from triage.policy import Policy, compile_policy
from triage.ports import Journal, Store
from triage.routing.assign import desk_of
from triage.routing.eligible import Desk, open_for_work
from triage.rules.document import Routing
from triage.salesforce import package
from triage.salesforce.client import Client
from triage.salesforce.deployment import Deployment
from triage.salesforce.reading import batches
from triage.salesforce.soql import listed
from triage.sending import EVERYTHING

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
        self._digest = ""
        self._policy: Policy | None = None

    def poll(self, now: int) -> int:
        """
        Write what has changed as of *now*, once a minute; return of how many users.

        Nothing is written while everything is stopped, or the organisation is paused. A fault is told and waited for.
        """
        if not self._client.connection.availability:
            return 0
        if self._looked_at is not None and 0 <= now - self._looked_at < EVERY:
            return 0
        self._looked_at = now
        try:
            if self._halted(now) or self._client.stranger() or self._deployment.refused(now):
                return 0
            return self._write(self._agents(now))
        except SalesforceError as fault:
            self._tell(str(fault))
            return 0

    def _halted(self, now: int) -> bool:
        with self._store.read() as unit:
            stops, paused = unit.control.gate()
        return EVERYTHING in stops or paused > now

    def _agents(self, now: int) -> dict[str, bool]:
        """Return whether each agent who is a user can take work."""
        with self._store.read() as unit:
            live, agents = unit.policies.live(), unit.related.agents()
        if live is not None and live.digest != self._digest:
            self._digest = live.digest
            self._policy = compile_policy(load_policy(live.texts), virtual=True)
        desk = Desk(Routing(), {}, now) if self._policy is None else desk_of(self._policy, now)
        return {agent.id: open_for_work(agent, desk) for agent in agents if agent.id.startswith("005")}

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
