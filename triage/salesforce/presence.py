"""Who is there and how much they hold: from Omni-Channel where it runs, else counted from the records they own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from triage.domain.instant import MINUTE
from triage.domain.work import Event
from triage.errors import QueryRefused
from triage.ports import Journal
from triage.rules.document import ItemWeight
from triage.salesforce.client import Client

SAID_AGAIN = 5 * MINUTE
"""
How often, in ms, presence and load are said although they are the same: who is not heard of for long counts as silent,
and what we count ourselves drifts from the load meanwhile.
"""

UNLIMITED = 1_000
"""A capacity of so much or more means in practice that nobody set one."""

OPEN_WORK: dict[str, str] = {
    "Case": "IsClosed = false",
    "Lead": "IsConverted = false AND Status NOT IN ('Qualified', 'Unqualified')",
    "Opportunity": "IsClosed = false",
}
"""What counts as open work of each object, in SOQL."""

QUEUED = ("Case", "Lead")
"""The objects that a queue may own. Their owners are asked for by kind, as an aggregate ends at 2,000 groups."""

_ONE = ItemWeight()
NOBODY_SEES = ("INVALID_FIELD", "INVALID_TYPE")
"""What Salesforce says of a field or an object that is not there, or that this user may not see."""

_PRESENCE = (
    "SELECT UserId, IsAway, ConfiguredCapacity FROM UserServicePresence WHERE IsCurrentState = true ORDER BY UserId"
)
_WORK = (
    "SELECT UserId, SUM(CapacityWeight) held FROM AgentWork WHERE Status IN ('Assigned', 'Opened') GROUP BY UserId "
    "ORDER BY UserId"
)


class Presence:
    """Agents as one organisation knows them; says only what has changed since it was last asked."""

    def __init__(
        self,
        client: Client,
        *,
        weights: Mapping[str, ItemWeight] | None = None,
        read: Collection[str] = OPEN_WORK,
        journal: Journal | None = None,
    ) -> None:
        """
        Args:
            weights: How much an open record of each object weighs, as the policy's `routing.weights` has it; 1 each
                where it says nothing.
            read: The objects that the policy reads. What people own of these we count ourselves, as it moves; where one
                of OPEN_WORK is not among them, Salesforce is asked what everybody owns of all three.
            journal: Told, once until it works again, where Salesforce does not count what they own.
        """
        self._client = client
        stated = weights or {}
        self._weights = {name: stated.get(name, _ONE) for name in OPEN_WORK}
        self._asks = not set(OPEN_WORK) <= set(read)
        self._said: dict[str, dict[str, Any]] = {}
        self._said_at: dict[str, int] = {}
        self.omni = True
        self._journal = journal
        self._told = ""

    def events(self, now: int) -> list[Event]:
        """Return what has changed about each agent as of *now*; nothing where the organisation has no Omni-Channel."""
        if not self.omni:
            return []
        try:
            found = self.current()
        except QueryRefused:
            # No Omni-Channel, or no right to see it: our own table of agents holds.
            self.omni = False
            return []
        gone = {agent: {"presence": "offline"} for agent in self._said if agent not in found}
        events = []
        for agent, state in sorted({**found, **gone}.items()):
            changes = {key: value for key, value in state.items() if self._said.get(agent, {}).get(key, ...) != value}
            if agent in found and now - self._said_at.get(agent, now) >= SAID_AGAIN:
                changes |= {key: state[key] for key in ("presence", "load") if key in state}
            if "presence" in changes:
                self._said_at[agent] = now
            if changes:
                self._said[agent] = self._said.get(agent, {}) | state
                events.append(
                    Event(at=now, type="agent", event_id=f"{agent}/{now}", id=agent, changes=changes, origin="system")
                )
        return events

    def current(self) -> dict[str, dict[str, Any]]:
        """
        Return presence, capacity and load of everybody who is logged in to Omni-Channel, by user.

        What Omni-Channel has given people counts by its own weights. Where it routes nothing, what they own counts by
        ours; there is no load here where we count that ourselves, or Salesforce does not.
        """
        held = self._held()
        found: dict[str, dict[str, Any]] = {}
        for row in self._client.query(_PRESENCE):
            capacity = row["ConfiguredCapacity"]
            state: dict[str, Any] = {"presence": "away" if row["IsAway"] else "online"}
            if capacity is not None:
                state["capacity"] = None if capacity >= UNLIMITED else int(capacity)
            if held is not None:
                state["load"] = held.get(row["UserId"], 0)
            found[row["UserId"]] = state
        return found

    def _held(self) -> dict[str, int] | None:
        """Return what everybody holds; None where the store counts it, or Salesforce does not: what was said holds."""
        held: dict[str, int] | None = None
        fault = ""
        try:
            held = {row["UserId"]: int(row["held"] or 0) for row in self._client.query(_WORK)}
            if not held:
                held = self.open_work() if self._asks else None
        except QueryRefused as refused:
            if refused.code in NOBODY_SEES:
                raise
            held, fault = None, str(refused)
        if self._journal is not None and fault and fault != self._told:
            self._journal.tell("salesforce_load_unread", "warning", fault=fault)
        self._told = fault
        return held

    def open_work(self) -> dict[str, int]:
        """
        Return the weighted open work of every user, counted across Case, Lead and Opportunity.

        An object that the organisation has not, or that this user may not see, counts nothing from then on.

        Raises:
            QueryRefused: Salesforce does not count it, as where too many people own work.
        """
        found: Counter[str] = Counter()
        for name, weight in tuple(self._weights.items()):
            try:
                found += self._owned(name, weight)
            except QueryRefused as refused:
                if refused.code not in NOBODY_SEES:
                    raise
                del self._weights[name]
        return dict(found)

    def _owned(self, name: str, weight: ItemWeight) -> Counter[str]:
        by = ", Priority" if weight.by and name == "Case" else ""
        which = OPEN_WORK[name] + (" AND Owner.Type = 'User'" if name in QUEUED else "")
        soql = f"SELECT OwnerId{by}, COUNT(Id) held FROM {name} WHERE {which} GROUP BY OwnerId{by}"  # noqa: S608
        found: Counter[str] = Counter()
        for row in self._client.query(soql):
            if row["OwnerId"].startswith("005"):
                found[row["OwnerId"]] += weight.by.get(str(row.get("Priority")), weight.default) * int(row["held"])
        return found
