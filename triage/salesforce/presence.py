"""Who is there and how much they hold: from Omni-Channel where it runs, else counted from the records they own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from triage.domain.instant import MINUTE
from triage.domain.work import Event
from triage.errors import QueryRefused
from triage.salesforce.client import Client

SAID_AGAIN = 5 * MINUTE
"""How often, in ms, a load is said although it is the same: what we count ourselves drifts from it meanwhile."""

UNLIMITED = 1_000
"""A capacity of so much or more means in practice that nobody set one."""

OPEN_WORK: dict[str, str] = {
    "Case": "IsClosed = false",
    "Lead": "IsConverted = false AND Status NOT IN ('Qualified', 'Unqualified')",
    "Opportunity": "IsClosed = false",
}
"""What counts as open work of each object, in SOQL."""

_PRESENCE = (
    "SELECT UserId, IsAway, ConfiguredCapacity FROM UserServicePresence WHERE IsCurrentState = true ORDER BY UserId"
)
_WORK = (
    "SELECT UserId, SUM(CapacityWeight) held FROM AgentWork WHERE Status IN ('Assigned', 'Opened') GROUP BY UserId "
    "ORDER BY UserId"
)


class Presence:
    """Agents as one organisation knows them; says only what has changed since it was last asked."""

    def __init__(self, client: Client, *, weights: Mapping[str, int] | None = None) -> None:
        """*weights*: how much an open record of each object counts, where Omni-Channel does not; 1 each by default."""
        self._client = client
        self._weights = dict(weights or dict.fromkeys(OPEN_WORK, 1))
        self._said: dict[str, dict[str, Any]] = {}
        self._said_at: dict[str, int] = {}
        self.omni = True

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
            if "load" in state and now - self._said_at.get(agent, now) >= SAID_AGAIN:
                changes["load"] = state["load"]
            if changes:
                self._said_at[agent] = now
                self._said[agent] = self._said.get(agent, {}) | state
                events.append(
                    Event(at=now, type="agent", event_id=f"{agent}/{now}", id=agent, changes=changes, origin="system")
                )
        return events

    def current(self) -> dict[str, dict[str, Any]]:
        """Return presence, capacity and load of everybody who is logged in to Omni-Channel, by user."""
        held = {row["UserId"]: int(row["held"] or 0) for row in self._client.query(_WORK)}
        found: dict[str, dict[str, Any]] = {}
        for row in self._client.query(_PRESENCE):
            capacity = row["ConfiguredCapacity"]
            state: dict[str, Any] = {"presence": "away" if row["IsAway"] else "online"}
            if capacity is not None:
                state["capacity"] = None if capacity >= UNLIMITED else int(capacity)
            if held:
                # Where Omni-Channel routes nothing, what people hold is counted from the records they own.
                state["load"] = held.get(row["UserId"], 0)
            found[row["UserId"]] = state
        return found

    def open_work(self) -> dict[str, int]:
        """Return the weighted open work of every user, counted across the objects with a weight."""
        found: dict[str, int] = {}
        for name, weight in self._weights.items():
            soql = f"SELECT OwnerId, COUNT(Id) held FROM {name} WHERE {OPEN_WORK[name]} GROUP BY OwnerId"  # noqa: S608
            for row in self._client.query(soql):
                if row["OwnerId"].startswith("005"):
                    found[row["OwnerId"]] = found.get(row["OwnerId"], 0) + weight * int(row["held"])
        return found
