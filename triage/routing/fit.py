"""How well somebody fits a record: worth x fit x track record, less what load and fairness cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median_low

from msgspec import Struct

from triage.domain.work import Agent, Track
from triage.routing.eligible import UNLIMITED, spoken
from triage.routing.wanted import Wanted
from triage.rules.document import Routing

BEST_SKILL = 5
"""A level from here on is as good as it gets."""

TYPICAL_ROOM = 10
"""How much somebody without a limit is taken to hold, where nobody has one."""

FULL_EXPERIENCE = 24
"""After so many months somebody has seen everything."""

LEAST_TRACK, MOST_TRACK = 0.5, 2.0
"""A track record halves or doubles somebody's fit, no more."""

COSTS = {"load": 30, "fairness": 10}
"""Hundredths of a record's worth: what a full load, and holding nothing but urgent records, count against somebody."""


class Means(Struct, frozen=True):
    """What the people of a group came to together, by what it is about; and how much each of them can hold."""

    tracks: dict[str, Track]
    room: int


class Score(Struct, frozen=True, order=True):
    """One person's score for one record, with what it is made of."""

    total: float
    worth: float = 0.0
    fit: float = 1.0
    track: float = 1.0
    load: float = 0.0
    fairness: float = 0.0

    def words(self) -> str:
        """Return the score for people: `0.62 = worth 0.80 x fit 0.90 x track 1.10 - load 0.17`."""
        parts = f"{self.total:.2f} = worth {self.worth:.2f} x fit {self.fit:.2f} x track {self.track:.2f}"
        parts += f" - load {self.load:.2f}" if self.load else ""
        return parts + (f" - fairness {self.fairness:.2f}" if self.fairness else "")


def means_of(peers: Sequence[Agent], about: Iterable[str]) -> Means:
    """Return what *peers* came to together about each of *about*, and the median of what they can hold."""
    tracks = {name: _sum([one.track[name] for one in peers if name in one.track]) for name in about}
    limits = [one.capacity for one in peers if one.capacity and one.capacity < UNLIMITED]
    return Means(tracks, median_low(limits) if limits else TYPICAL_ROOM)


def score(agent: Agent, wanted: Wanted, routing: Routing, means: Means) -> Score:
    """Return how good it would be for *agent* to take the record; higher is better, 6 decimals."""
    how_fit, how_good = fit(agent, wanted), track_factor(agent, wanted.about, means, routing.shrink)
    load = cost(routing, "load") * (agent.load + wanted.weight) / room_of(agent, means)
    fairness = cost(routing, "fairness") * (agent.standing.urgent + 1) / room_of(agent, means) if wanted.urgent else 0.0
    total = wanted.worth * round(how_fit * how_good, 6) - load - fairness
    return Score(round(total, 6), wanted.worth, how_fit, how_good, load, fairness)


def cost(routing: Routing, name: str) -> float:
    """Return what *name* (load, fairness) costs at its most."""
    return routing.costs.get(name, COSTS[name]) / 100


def room_of(agent: Agent, means: Means) -> int:
    """Return what a full load is for *agent*: the capacity, or its group's median where that says "unlimited"."""
    if agent.capacity is None or agent.capacity >= UNLIMITED:
        return means.room
    return max(1, agent.capacity)


def fit(agent: Agent, wanted: Wanted) -> float:
    """Return 0..1: the mean of how well skills, language, region and experience fit; 1 where nothing is asked."""
    parts = [min(agent.skills.get(name, 0), BEST_SKILL) / BEST_SKILL for name in _skills(wanted)]
    if wanted.language:
        parts.append(min(spoken(agent, wanted.language), 6) / 6)
    if wanted.region and agent.regions:
        parts.append(1.0 if wanted.region in agent.regions else 0.5)
    if agent.months:
        parts.append(0.5 + 0.5 * min(agent.months, FULL_EXPERIENCE) / FULL_EXPERIENCE)
    return round(sum(parts) / len(parts), 6) if parts else 1.0


def track_factor(agent: Agent, about: Sequence[str], means: Means, shrink: int) -> float:
    """
    Return how *agent*'s results compare with the group's: 1 as good, 2 at most, 0.5 at least.

    To everybody's own cases *shrink* of the group's mean are added, so that a few cases tell little.
    """
    found = [
        _ratio(agent.track.get(name, Track()), means.tracks[name], shrink) for name in about if name in means.tracks
    ]
    known = [one for one in found if one is not None]
    if not known:
        return 1.0
    return round(min(MOST_TRACK, max(LEAST_TRACK, sum(known) / len(known))), 6)


def _ratio(own: Track, group: Track, shrink: int) -> float | None:
    """Return own over group: money won a case where there is any, else the share won, else speed; None: not known."""
    cases = own.n + shrink
    if not group.n or not cases:
        return None
    for mine, theirs in ((own.value, group.value), (own.won, group.won)):
        if theirs:
            mean = theirs / group.n
            return (mine + shrink * mean) / cases / mean
    if group.seconds:
        mean = group.seconds / group.n
        return mean / max(1e-9, (own.seconds + shrink * mean) / cases)
    return None


def _skills(wanted: Wanted) -> tuple[str, ...]:
    required = (need.split(":")[1] for need in wanted.require if need.startswith("skill:"))
    return tuple(dict.fromkeys((*required, *wanted.skills)))


def _sum(tracks: Sequence[Track]) -> Track:
    return Track(
        sum(one.n for one in tracks), sum(one.won for one in tracks), sum(one.value for one in tracks),
        sum(one.seconds for one in tracks),
    )  # fmt: skip


def added(
    before: Mapping[str, Track], about: Iterable[str], *, won: bool, value: float, seconds: int
) -> dict[str, Track]:
    """Return track records with one ended record more, about each of *about*."""
    more = dict(before)
    for name in about:
        was = more.get(name, Track())
        more[name] = Track(was.n + 1, was.won + won, was.value + value * won, was.seconds + seconds)
    return more
