"""The hold queue of a replay: what nobody could take, until presence, load or a shift lets somebody."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from triage.domain.decision import Action
from triage.domain.work import Agent
from triage.pipeline import place_all
from triage.policy import Policy
from triage.replay.world import Kept
from triage.routing.holding import anyone, returns
from triage.routing.standing import eased, next_change
from triage.store.outbox import LANES


class Waiting:
    """Held actions, each with its record. `opens_at` is when somebody may be free without any event, None for never."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._held: dict[str, tuple[Action, Kept]] = {}
        self._lanes: dict[tuple[int, str], list[str]] = {}
        self._seen: tuple[Agent, ...] | None = None
        self._moved: set[str] = set()
        self._limits = False
        self.opens_at: int | None = None

    def moved(self, agent_id: str) -> None:
        """Note that an event told something of the agent."""
        self._moved.add(agent_id)

    def noted(self, action: Action, kept: Kept, agents: Sequence[Agent]) -> None:
        """Take in an action that is new: nobody could take it, or it overtakes what waits for the same record."""
        lane = (kept.place, LANES.get(action.kind, action.key))
        if action.status == "planned":
            for key in self._lanes.pop(lane, ()):
                self._held.pop(key, None)
        elif action.status == "held" and not action.target:
            if not self._held:
                self._begin(agents, action.at)
            self._held[action.key] = (action, kept)
            self._lanes.setdefault(lane, []).append(action.key)
            self._wake(returns(kept.facts, action.at))

    def place(self, agents: tuple[Agent, ...], now: int) -> list[tuple[Action, Kept]]:
        """Return what can be given out now, where anybody has come, has room again, or may be free since `opens_at`."""
        if not self._held:
            self._moved.clear()
            self.opens_at = None
            return []
        opened = self.opens_at is not None and now >= self.opens_at
        touched = agents if opened else self._touched(agents)
        found: list[tuple[Action, Kept]] = []
        if touched and anyone(touched, self._policy, now):
            waiting = [one for one in self._held.values() if _is_open(one[1])]
            facts = [(action, replace(kept.facts, agents=agents)) for action, kept in waiting]
            placed = place_all(facts, agents, self._policy, now)
            found = [(action, self._held.pop(action.key)[1]) for action in placed]
        if opened or self._moved or self._limits:
            self._open(agents, now)
        self._moved.clear()
        self._seen = agents
        return found

    def _begin(self, agents: Sequence[Agent], now: int) -> None:
        self._seen = tuple(agents)
        self._limits = any(agent.max_per_hour is not None for agent in agents)
        self.opens_at = next_change(agents, self._policy, now)

    def _touched(self, agents: tuple[Agent, ...]) -> list[Agent]:
        """Return those of whom something was told, and those who hold less than when they were last looked at."""
        came = [agent for agent in agents if agent.id in self._moved] if self._moved else []
        if agents is self._seen:
            return came
        return came + eased({agent.id: agent for agent in self._seen or ()}, agents)

    def _open(self, agents: Sequence[Agent], now: int) -> None:
        self.opens_at = next_change(agents, self._policy, now)
        for _, kept in self._held.values():
            self._wake(returns(kept.facts, now))

    def _wake(self, at: int | None) -> None:
        if at is not None:
            self.opens_at = at if self.opens_at is None else min(self.opens_at, at)


def _is_open(kept: Kept) -> bool:
    item = kept.facts.item
    return item.fields.get("is_closed") is not True and not item.deleted
