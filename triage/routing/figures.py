"""
How evenly work is spread, and how it is picked: figures of a team always, of a person only where that is allowed.

A figure about one person needs three things: the policy says `figures: true`, the asker has the scope `people`, and
there are 20 cases behind it. Without them people count in the team's figures, and nothing else is told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from statistics import mean, pstdev

from msgspec import Struct

from triage.domain.work import Agent
from triage.rules.document import Routing

SCOPE = "people"


class Given(Struct, frozen=True, kw_only=True):
    """One record that came to somebody: when, whether urgent, after their hours, and what it weighs."""

    agent: str
    at: int
    urgent: bool = False
    after_hours: bool = False
    weight: int = 1


class Pick(Struct, frozen=True, kw_only=True):
    """One record that somebody took from a queue by hand: its place by rank, from 1, among how many that waited."""

    agent: str
    place: int
    waiting: int


class Person(Struct, frozen=True, kw_only=True):
    """What one person's figures are; shares 0..1. `cherry` is None where nothing was picked by hand."""

    agent: str
    cases: int
    hot_share: float
    after_hours_share: float
    load: int
    cherry: float | None = None
    skips: int = 0


class Fairness(Struct, frozen=True, kw_only=True):
    """
    A team's figures, and people's as far as they may be shown; `hidden` says for how many they are not, and why.

    `spread` is the deviation of what people were given over its mean (0: all alike), `gini` 0..1 of the same.
    `hot_spread` and `after_hours_spread` are the largest share of one person less the smallest.
    """

    records: int
    spread: float
    gini: float
    hot_spread: float
    after_hours_spread: float
    cherry: float | None
    people: tuple[Person, ...] = ()
    hidden: dict[str, int] = {}


def fairness(
    given: Sequence[Given],
    picks: Sequence[Pick],
    skips: Mapping[str, int],
    agents: Sequence[Agent],
    routing: Routing,
    scopes: Collection[str],
) -> Fairness:
    """Return how evenly *given* is spread over *agents*; people only as routing and *scopes* allow."""
    everybody = [_person(agent, given, picks, skips) for agent in sorted(agents, key=lambda one: one.id)]
    amounts = [sum(one.weight for one in given if one.agent == agent.id) for agent in agents]
    hot = [one.hot_share for one in everybody if one.cases]
    late = [one.after_hours_share for one in everybody if one.cases]
    shown, hidden = visible(everybody, routing, scopes)
    return Fairness(
        records=len(given), spread=round(pstdev(amounts) / mean(amounts), 3) if amounts and any(amounts) else 0.0,
        gini=round(gini(amounts), 3), hot_spread=round(max(hot) - min(hot), 3) if hot else 0.0,
        after_hours_spread=round(max(late) - min(late), 3) if late else 0.0, cherry=cherry_picking(picks),
        people=shown, hidden=hidden,
    )  # fmt: skip


def visible(
    people: Iterable[Person], routing: Routing, scopes: Collection[str]
) -> tuple[tuple[Person, ...], dict[str, int]]:
    """Return whose figures may be shown, and for how many they are hidden, by reason."""
    found = list(people)
    if not routing.figures:
        return (), {"figures about people are off (routing: figures)": len(found)} if found else {}
    if SCOPE not in scopes:
        return (), {f"the scope {SCOPE} is needed": len(found)} if found else {}
    shown = tuple(one for one in found if one.cases >= routing.least_cases)
    few = len(found) - len(shown)
    return shown, {f"fewer than {routing.least_cases} cases": few} if few else {}


def cherry_picking(picks: Sequence[Pick]) -> float | None:
    """Return 0 where always the first in rank was picked, 1 where always the last; None where nothing was picked."""
    free = [one for one in picks if one.waiting > 1]
    if not free:
        return None
    return round(mean((one.place - 1) / (one.waiting - 1) for one in free), 3)


def gini(amounts: Sequence[int]) -> float:
    """Return 0 where all have the same, towards 1 where one has everything."""
    total = sum(amounts)
    if not total:
        return 0.0
    ranked = sorted(amounts)
    weighted = sum((2 * place - len(ranked) - 1) * amount for place, amount in enumerate(ranked, start=1))
    return weighted / (len(ranked) * total)


def _person(agent: Agent, given: Sequence[Given], picks: Sequence[Pick], skips: Mapping[str, int]) -> Person:
    own = [one for one in given if one.agent == agent.id]
    cases = len(own)
    return Person(
        agent=agent.id, cases=cases, load=agent.load, skips=skips.get(agent.id, 0),
        hot_share=round(sum(one.urgent for one in own) / cases, 3) if cases else 0.0,
        after_hours_share=round(sum(one.after_hours for one in own) / cases, 3) if cases else 0.0,
        cherry=cherry_picking([one for one in picks if one.agent == agent.id]),
    )  # fmt: skip
