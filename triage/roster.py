"""Who holds what within one write transaction: loads move as work is given out, and meet what other workers did."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from triage.domain.decision import Action
from triage.domain.work import AT_REST, Agent, Standing
from triage.errors import StaleRecord
from triage.routing.standing import changed, eased, gained, lost, ungiven
from triage.routing.wanted import Burden, reserved
from triage.store.codec import digest, encode

NOTHING = Burden()
"""What a record counts for where no policy gives it more."""


class Roster:
    """The agents within one turn: what each holds moves as work is given out, so that nobody is given it twice."""

    def __init__(
        self,
        agents: Sequence[Agent],
        now: int = 0,
        *,
        track: bool = False,
        restate: Callable[[Agent], Agent] = lambda agent: agent,
    ) -> None:
        self._stored = {agent.id: agent for agent in agents}
        self._agents = dict(self._stored)
        self._now = now
        self._track = track
        self._restate = restate
        self._tuple: tuple[Agent, ...] | None = None
        self._unloaded: tuple[str, tuple[Agent, ...]] | None = None
        self.kept: dict[str, tuple[Agent, ...]] = {}
        self._given: set[str] = set()

    def agents(self) -> tuple[Agent, ...]:
        """Return all agents as they are now, by id."""
        if self._tuple is None:
            self._tuple = tuple(self._agents[name] for name in sorted(self._agents))
        return self._tuple

    def get(self, agent_id: str) -> Agent | None:
        """Return one agent."""
        return self._agents.get(agent_id)

    def put(self, agent: Agent) -> None:
        """Add or replace *agent*."""
        self._agents[agent.id] = self._restate(agent)
        self._tuple = self._unloaded = None

    def reserve(self, action: Action, amount: int) -> None:
        """Count *action*, where it is a planned reassignment to an agent, as work held; below 0 it is given back."""
        agent = self._agents.get(action.target.removeprefix("user:"))
        if agent is None or action.kind != "reassign" or action.status != "planned":
            return
        burden = reserved(action.params)
        if amount > 0:
            self._given.add(agent.id)
            self._set(gained(agent, burden, self._now, track=self._track))
        else:
            self._set(ungiven(agent, burden))

    def moved(self, was: str, now: str, at: int = 0, counted: Burden = NOTHING, counts: Burden = NOTHING) -> None:
        """Count a record that has come from one agent to another, or counts for more or less; no name is nobody."""
        before, after = self._agents.get(was), self._agents.get(now)
        if was == now:
            if before is not None and counted != counts:
                self._set(changed(before, counted, counts))
            return
        if before is not None:
            self._set(lost(before, counted, at, track=self._track))
        if after is not None:
            self._set(gained(after, counts, at, track=self._track))

    def snapshot(self) -> tuple[str, dict[str, int | tuple[int, Standing]]]:
        """Return the digest under which the agents are kept at rest, and how those stand who are not."""
        if self._unloaded is None:
            bare = tuple(replace(agent, load=0, standing=AT_REST) for agent in self.agents())
            self._unloaded = (digest(encode(bare)), bare)
        name, bare = self._unloaded
        self.kept[name] = bare
        return name, {
            agent.id: agent.load if agent.standing == AT_REST else (agent.load, agent.standing)
            for agent in self.agents()
            if agent.load or agent.standing != AT_REST
        }

    def changed(self) -> list[Agent]:
        """Return the agents that differ from what was read."""
        return [agent for name, agent in sorted(self._agents.items()) if self._stored.get(name) != agent]

    def freed(self) -> list[Agent]:
        """Return who has more room, or is no longer overloaded, than when they were read."""
        return eased(self._stored, self._agents.values())

    def merged(self, stored: Mapping[str, Agent]) -> list[Agent]:
        """
        Return the changed agents as they are to be stored, given what stands in the store by now.

        Raises:
            StaleRecord: another worker gave one of them work meanwhile, so that what was given out here has no room;
                or one is no longer who it was. The whole turn is decided again.
        """
        return [
            self._restate(
                merged_agent(self._stored.get(agent.id), agent, stored.get(agent.id), agent.id in self._given)
            )
            for agent in self.changed()
        ]

    def _set(self, agent: Agent) -> None:
        self._agents[agent.id] = self._restate(agent)
        self._tuple = None


def merged_agent(read: Agent | None, changed: Agent, stored: Agent | None, given: bool) -> Agent:
    """
    Return *changed*, which was made from *read*, with what others did to its load since: *stored*.

    Args:
        given: Work was given to it by a decision, which has to fit into its capacity.

    Raises:
        StaleRecord: it differs in more than how it stands, or there is no room any more for what was given to it.
    """
    if stored == read:
        return changed
    if read is None or stored is None or _at_rest(changed) != _at_rest(read):
        raise StaleRecord(f"agent {changed.id} was changed by somebody else in between")
    load = max(0, stored.load + changed.load - read.load)
    if given and _at_rest(stored) != _at_rest(read):
        raise StaleRecord(f"agent {changed.id} was changed by somebody else in between")
    if given and stored.load > read.load and stored.capacity is not None and load > stored.capacity:
        raise StaleRecord(f"agent {changed.id} was given other work in between")
    if given and (stored.max_per_hour is not None or stored.standing.overloaded != read.standing.overloaded):
        # A limit an hour, or an overload, is not counted together: who comes second decides again.
        raise StaleRecord(f"agent {changed.id} was given other work in between")
    return replace(stored, load=load, standing=_both(read.standing, changed.standing, stored.standing))


def _at_rest(agent: Agent) -> Agent:
    return replace(agent, load=0, standing=AT_REST)


def _both(read: Standing, ours: Standing, theirs: Standing) -> Standing:
    """Return how an agent stands after what we and what others did since it was read."""
    if ours == read:
        return theirs
    return Standing(
        urgent=max(0, theirs.urgent + ours.urgent - read.urgent),
        missed=max(0, theirs.missed + ours.missed - read.missed),
        overloaded=ours.overloaded if ours.overloaded != read.overloaded else theirs.overloaded,
        given=tuple(sorted((*theirs.given, *ours.given[len(read.given) :]))),
        given_at=max(ours.given_at, theirs.given_at),
        idle_since=max(ours.idle_since, theirs.idle_since),
        seen_at=max(ours.seen_at, theirs.seen_at),
    )
