"""
Many records and many people at once: `assign_batch`, one by one in order of rank, or all together (`optimal`).

Pure: the same records and people give the same plan, in whatever order they come. Read `_Table` first: everything that
does not change while records are given out is worked out once, in arrays of shape (n_kinds, n_agents).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from msgspec import Struct, field
from msgspec.structs import replace

from triage.domain.work import Agent
from triage.routing.choose import SCORED, shown
from triage.routing.eligible import Desk, absent, barred, busy, full, lacks, taken_within_hour
from triage.routing.fit import Score, cost, fit, means_of, room_of, track_factor
from triage.routing.flow import Flow, solve
from triage.routing.roster import faults, oddities
from triage.routing.wanted import Wanted

SERVED = 10
"""What it is worth, in the solver, that a record is given to anybody at all: nobody waits beside a free person."""

_NEVER = 1 << 40
"""Room of somebody without a limit."""


class Placed(Struct, frozen=True, kw_only=True):
    """One record given out: to whom, with what score, and who came second ("": nobody else could)."""

    key: str
    agent: str
    score: Score
    note: str
    second: str = ""


class Staying(Struct, frozen=True, kw_only=True):
    """One record that stays where it is, and why: how many people could not take it for each reason."""

    key: str
    why: str
    reasons: dict[str, int] = field(default_factory=dict)


class Plan(Struct, frozen=True, kw_only=True):
    """
    Who takes what. `total` is the sum of the scores; `solver` says who worked it out, `remarks` what was noticed.

    Where everything was solved together, `greedy_total` is what giving out one by one would have come to.
    """

    placed: tuple[Placed, ...]
    staying: tuple[Staying, ...]
    total: float
    solver: str
    greedy_total: float = 0.0
    greedy_placed: int = 0
    remarks: tuple[str, ...] = ()


def assign_batch(items: Sequence[Wanted], agents: Sequence[Agent], desk: Desk, match: str = "best") -> Plan:
    """
    Return who takes which of *items*, never beyond anybody's capacity, shift or skills.

    Records go in order of rank, then worth, then age. `optimal` serves as many as can be served and then makes the sum
    of scores the largest there is (exactly so where all weigh the same); it is never worse than `best`.
    """
    return prepare(items, agents, desk).plan(match)


def prepare(items: Sequence[Wanted], agents: Sequence[Agent], desk: Desk) -> Batch:
    """Return the batch set up, so that it can be planned by several policies."""
    return Batch(items, agents, desk)


class Batch:
    """Records and people, ready to be planned."""

    def __init__(self, items: Sequence[Wanted], agents: Sequence[Agent], desk: Desk) -> None:
        self.items = sorted(items, key=lambda one: (-one.rank, -one.worth, one.since, one.key))
        self.agents = sorted(agents, key=lambda agent: agent.id)
        self.desk = desk
        self.means = means_of(self.agents, sorted({name for one in self.items for name in one.about}))
        self._places = {agent.id: at for at, agent in enumerate(self.agents)}
        self._kinds: dict[tuple[Any, ...], int] = {}
        self.kind_of = [self._kinds.setdefault(_kind(one), len(self._kinds)) for one in self.items]
        self._samples = {kind: one for one, kind in zip(reversed(self.items), reversed(self.kind_of), strict=True)}
        self._room = np.array([room_of(agent, self.means) for agent in self.agents], dtype=np.float64)
        self._set_up()

    def plan(self, match: str = "best") -> Plan:
        """Return the plan by *match*."""
        if match == "optimal" and self.items and self.agents:
            return self._optimal()
        given = self._one_by_one(match) if self.agents else {}
        return self._told(given, match, "one by one")

    def _set_up(self) -> None:
        """Work out what stays as it is: who may take each kind of record, and fit x track record."""
        shape = (len(self._kinds), len(self.agents))
        self.quality = np.full(shape, -np.inf)
        self.fits: dict[tuple[int, int], tuple[float, float]] = {}
        there = [at for at, agent in enumerate(self.agents) if not (absent(agent, self.desk) or busy(agent, self.desk))]
        tracks: dict[tuple[tuple[str, ...], int], float] = {}
        for kind, one in self._samples.items():
            for at in there:
                agent = self.agents[at]
                if lacks(agent, one) or any(_excluded(agent, other) for other in one.exclude):
                    continue
                about = (one.about, at)
                if about not in tracks:
                    tracks[about] = track_factor(agent, one.about, self.means, self.desk.routing.shrink)
                self.fits[kind, at] = (fit(agent, one), tracks[about])
                self.quality[kind, at] = round(self.fits[kind, at][0] * tracks[about], 6)
        self._load = np.array([agent.load for agent in self.agents], dtype=np.float64)
        self._limit = np.array([_NEVER if a.capacity is None else a.capacity for a in self.agents], dtype=np.int64)
        self._turns = np.array([_turns(agent, self.desk.now) for agent in self.agents], dtype=np.int64)
        self._hot = np.array([agent.standing.urgent for agent in self.agents], dtype=np.float64)

    def _one_by_one(self, match: str) -> dict[int, _Given]:
        """Return for each record, by its place in the order, who takes it and who came second."""
        state = _State(self, match)
        given: dict[int, _Given] = {}
        for at, one in enumerate(self.items):
            row = state.row(one, self.kind_of[at])
            if one.owner or one.had:
                self._bar(row, one)
            first = int(row.argmax())
            if match == "sticky" and one.sticky:
                known = self._places.get(one.sticky, first)
                first = known if row[known] > -np.inf else first
            if row[first] == -np.inf:
                continue
            given[at] = self._give(at, first, row, state)
        return given

    def _give(self, at: int, agent: int, row: Any, state: _State) -> _Given:
        """Give the record at place *at* to *agent*; note who came second in *row*."""
        row[agent] = -np.inf
        second = int(row.argmax())
        found = _Given(agent, second if row[second] > -np.inf else -1, state.loads[agent], state.hot[agent])
        state.take(agent, self.items[at])
        return found

    def _bar(self, row: Any, one: Wanted) -> None:
        """Take out of *row* those that this very record cannot go to."""
        for name in (one.owner, *one.had):
            if name in self._places:
                row[self._places[name]] = -np.inf

    def score(self, at: int, given: _Given) -> Score:
        """Return the score of the record at place *at* with whom it was given to, as of the load at its turn."""
        one, routing, room = self.items[at], self.desk.routing, float(self._room[given.agent])
        how_fit, track = self.fits[self.kind_of[at], given.agent]
        load = cost(routing, "load") * (given.load + one.weight) / room
        fair = cost(routing, "fairness") * (given.hot + 1) / room if one.urgent else 0.0
        total = one.worth * round(how_fit * track, 6) - load - fair
        return Score(round(total, 6), one.worth, how_fit, track, load, fair)

    def total(self, given: Mapping[int, _Given]) -> float:
        """Return the sum of the scores."""
        return sum(self.score(at, one).total for at, one in given.items())

    def _optimal(self) -> Plan:
        """Return the best plan of all, or the one by one where that is better (records that weigh differently)."""
        greedy = self._one_by_one("best")
        chosen, solver = self._together()
        if chosen is None:
            return replace(self._told(greedy, "best", "one by one"), remarks=(solver, *self._remarks()))
        given = self._in_order(chosen)
        served, reached = SERVED * (len(given) - len(greedy)), self.total(greedy)
        better = served + self.total(given) >= reached - 1e-9
        plan = self._told(given if better else greedy, "optimal", solver)
        return replace(plan, greedy_total=round(reached, 6), greedy_placed=len(greedy))

    def _together(self) -> tuple[dict[int, int] | None, str]:
        """Return who takes each record, by weight from the heaviest: within one weight the best there is."""
        chosen: dict[int, int] = {}
        loads, turns, hot = self._load.copy(), self._turns.copy(), self._hot.copy()
        solver = ""
        for weight in sorted({one.weight for one in self.items}, reverse=True):
            places = [at for at, one in enumerate(self.items) if one.weight == weight]
            rows = self._rows(places)
            solver, found = solve(self._flow(list(rows.values()), weight, loads, turns, hot))
            if found is None:
                return None, solver
            alike = list(rows.values())
            for number, agents in found.items():
                for at, agent in zip(alike[number], agents, strict=False):
                    chosen[at] = agent
                    loads[agent] += weight
                    turns[agent] -= 1
                    hot[agent] += self.items[at].urgent
        return chosen, solver

    def _rows(self, places: Sequence[int]) -> dict[tuple[Any, ...], list[int]]:
        """Return the records that are alike to the solver, together."""
        rows: dict[tuple[Any, ...], list[int]] = {}
        for at in places:
            one = self.items[at]
            key = (self.kind_of[at], one.worth, one.urgent, one.owner, one.had)
            rows.setdefault(key, []).append(at)
        return rows

    def _flow(self, rows: Sequence[Sequence[int]], weight: int, loads: Any, turns: Any, hot: Any) -> Flow:
        routing = self.desk.routing
        firsts = [self.items[row[0]] for row in rows]
        kinds = np.array([self.kind_of[row[0]] for row in rows], dtype=np.int64)
        gains = np.array([one.worth for one in firsts])[:, None] * self.quality[kinds] + SERVED
        for number, one in enumerate(firsts):
            self._bar(gains[number], one)
        slots = np.minimum(np.maximum(0, (self._limit - loads.astype(np.int64)) // weight), turns)
        return Flow(
            gains=gains,
            supply=np.array([len(row) for row in rows]),
            urgent=np.array([one.urgent for one in firsts]),
            slots=np.minimum(slots, sum(len(row) for row in rows)),
            load=cost(routing, "load") * weight / self._room,
            load_from=cost(routing, "load") * loads / self._room,
            fair=cost(routing, "fairness") / self._room,
            hot=hot,
        )

    def _in_order(self, chosen: Mapping[int, int]) -> dict[int, _Given]:
        """Return *chosen* with who came second, each as of the load at its turn."""
        state = _State(self, "best")
        given: dict[int, _Given] = {}
        for at in sorted(chosen):
            row = state.row(self.items[at], self.kind_of[at])
            self._bar(row, self.items[at])
            given[at] = self._give(at, chosen[at], row, state)
        return given

    def _told(self, given: Mapping[int, _Given], match: str, solver: str) -> Plan:
        """Return the plan with its reasons."""
        ended = list(self.agents)
        taken: Counter[int] = Counter()
        for at, one in given.items():
            ended[one.agent] = replace(ended[one.agent], load=ended[one.agent].load + self.items[at].weight)
            taken[one.agent] += 1
        stays = _Stays(self, ended, taken)
        staying = tuple(stays.of(at) for at in range(len(self.items)) if at not in given)
        placed = tuple(self._placed(at, one, match) for at, one in given.items())
        total = round(sum(one.score.total for one in placed), 6)
        return Plan(placed=placed, staying=staying, total=total, solver=solver, remarks=self._remarks())

    def _placed(self, at: int, one: _Given, match: str) -> Placed:
        agent = self.agents[one.agent]
        second = "" if one.second < 0 else self.agents[one.second].id
        known = match == "sticky" and agent.id == self.items[at].sticky
        note = "knows the customer" if known else _PHRASES[match]
        score = self.score(at, one)
        if match in SCORED and not known:
            note += f": {score.words()}"
        if second:
            note += f"; second {shown(self.agents[one.second])}"
        return Placed(key=self.items[at].key, agent=agent.id, score=score, note=note, second=second)

    def _remarks(self) -> tuple[str, ...]:
        """Say what is odd about the people, whatever the plan."""
        if not self.agents:
            return ("there is nobody to give anything to",)
        odd = oddities(self.agents, self.desk, self.means.room)
        return (*odd, *faults(self.agents, self.desk), *self._unmet())

    def _unmet(self) -> list[str]:
        """Say which requirements nobody at all meets, there or not."""
        asked: Counter[str] = Counter()
        for kind, one in self._samples.items():
            if not one.require or not all(lacks(agent, one) for agent in self.agents):
                continue
            needs = [replace(one, require=(need,)) for need in one.require]
            unmet = [alone for alone in needs if all(lacks(agent, alone) for agent in self.agents)]
            words = [lacks(self.agents[0], alone) for alone in unmet] or [f"all of {lacks(Agent(id=''), one)[6:]}"]
            for told in words:
                asked[told.removeprefix("lacks ")] += self.kind_of.count(kind)
        return [f"nobody has {need}: asked by {count}" for need, count in sorted(asked.items())]


class _Given(NamedTuple):
    """Who takes a record, who came second (-1: nobody), and what the taker held by then."""

    agent: int
    second: int
    load: float
    hot: float


class _State:
    """What moves while records are given out one by one: loads, turns left, and what they cost by weight."""

    def __init__(self, batch: Batch, match: str) -> None:
        self._batch = batch
        self._scored = match in SCORED
        self._match = match
        self.loads: list[float] = batch._load.tolist()
        self.hot: list[float] = batch._hot.tolist()
        self._turns: list[int] = batch._turns.tolist()
        self._order = [0.0] * len(batch.agents) if self._scored else _order(batch.agents, match)
        self._last = float(batch.desk.now)
        self._costs: dict[tuple[int, bool], Any] = {}
        routing = batch.desk.routing
        self._load_cost = (cost(routing, "load") / batch._room).tolist()
        self._fair_cost = cost(routing, "fairness") / batch._room
        self._limit = batch._limit.tolist()
        self._quality = batch.quality if self._scored else np.minimum(batch.quality, 0.0)
        self._buffer = np.empty(len(batch.agents))

    def row(self, one: Wanted, kind: int) -> Any:
        """Return what each agent is worth to the record, ndarray of shape (n_agents,), -inf who cannot take it."""
        costs = self._costs.get((one.weight, one.respect_capacity))
        if costs is None:
            costs = self._costs[one.weight, one.respect_capacity] = self._fresh(one.weight, one.respect_capacity)
        found = self._buffer
        np.multiply(self._quality[kind], one.worth, out=found)
        np.subtract(found, costs, out=found)
        if one.urgent and self._scored:
            found -= self._fair_cost * (np.array(self.hot) + 1)
        return found

    def take(self, agent: int, one: Wanted) -> None:
        """Give the record to *agent*."""
        self.loads[agent] += one.weight
        self.hot[agent] += one.urgent
        self._turns[agent] -= 1
        if self._match == "least_loaded":
            self._order[agent] = self.loads[agent]
        elif self._match in ("round_robin", "longest_idle"):
            self._last += 1.0
            self._order[agent] = self._last
        for (weight, respects), costs in self._costs.items():
            costs[agent] = self._cost(agent, weight, respects)

    def _fresh(self, weight: int, respects: bool) -> Any:
        return np.array([self._cost(agent, weight, respects) for agent in range(len(self.loads))])

    def _cost(self, agent: int, weight: int, respects: bool) -> float:
        if self._turns[agent] <= 0 or (respects and self.loads[agent] + weight > self._limit[agent]):
            return float("inf")
        return self._load_cost[agent] * (self.loads[agent] + weight) if self._scored else self._order[agent]


class _Stays:
    """Why records stay: counted once for each kind, by the people as they stand at the end of the plan."""

    def __init__(self, batch: Batch, ended: Sequence[Agent], taken: Mapping[int, int]) -> None:
        self._batch = batch
        self._ended = ended
        self._taken = taken
        self._known: dict[int, dict[str, int]] = {}

    def of(self, at: int) -> Staying:
        """Return the record at place *at* with the reasons why it stays."""
        one, kind = self._batch.items[at], self._batch.kind_of[at]
        if one.owner or one.had:
            reasons = self._counted(one)
        else:
            reasons = self._known.setdefault(kind, {}) or self._known.setdefault(kind, self._counted(one))
            if not reasons:
                reasons = self._known[kind] = self._counted(one)
        ranked = sorted(reasons.items(), key=lambda one: (-one[1], one[0]))
        told = ", ".join(f"{count} {_plural(reason, count)}" for reason, count in ranked)
        return Staying(key=one.key, why=f"nobody can take it: {told or 'there is nobody'}", reasons=dict(reasons))

    def _counted(self, one: Wanted) -> dict[str, int]:
        desk = self._batch.desk
        found: Counter[str] = Counter()
        for at, agent in enumerate(self._ended):
            # What they can never do before what they cannot do now: so it is told whom to look for.
            why = barred(agent, one) or lacks(agent, one) or absent(agent, desk)
            why = why or ("at capacity" if full(agent, one) else "") or self._spent(at, agent) or busy(agent, desk)
            found[why or "had less to gain"] += 1
        return dict(found)

    def _spent(self, at: int, agent: Agent) -> str:
        if agent.max_per_hour is None or self._taken.get(at, 0) < _turns(agent, self._batch.desk.now):
            return ""
        return "took as many as an hour allows"


_PHRASES = {
    "first_available": "first available", "round_robin": "next in turn", "least_loaded": "least loaded",
    "longest_idle": "longest idle", "best": "best", "sticky": "best", "optimal": "best for all together",
}  # fmt: skip


def _kind(one: Wanted) -> tuple[Any, ...]:
    """Return all of a record that says who may take it and how well they fit: records of one kind share a row."""
    speaks = one.language
    return (one.require, one.exclude, speaks, one.region, one.skills, one.about)


def _plural(reason: str, count: int) -> str:
    return f"lack {reason.removeprefix('lacks ')}" if count > 1 and reason.startswith("lacks ") else reason


def _excluded(agent: Agent, other: str) -> bool:
    kind, _, name = other.partition(":")
    return (kind == "user" and name == agent.id) or (kind == "team" and name in agent.teams)


def _turns(agent: Agent, now: int) -> int:
    """Return how many records *agent* may still be given this hour."""
    return _NEVER if agent.max_per_hour is None else max(0, agent.max_per_hour - taken_within_hour(agent, now))


def _order(agents: Sequence[Agent], match: str) -> list[float]:
    """Return what the policy looks at, of each agent: the least goes first."""
    if match == "least_loaded":
        return [float(agent.load) for agent in agents]
    if match == "round_robin":
        return [float(agent.standing.given_at) for agent in agents]
    if match == "longest_idle":
        return [float(agent.standing.idle_since) for agent in agents]
    return [0.0] * len(agents)
