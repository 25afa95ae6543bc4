"""Random records and people for the laws of routing: few enough to try every plan, or as many as asked."""

from __future__ import annotations

import random
from itertools import product

from triage.calendars.calendar import compile_calendar
from triage.calendars.definition import CalendarDefinition
from triage.domain.instant import HOUR
from triage.domain.work import Agent, Standing, Track
from triage.routing.eligible import Desk
from triage.routing.fit import means_of, score
from triage.routing.wanted import Wanted
from triage.rules.document import Routing

NOW = 1_768_212_000_000
"""Monday 12 January 2026, 10:00 UTC."""

LANGUAGES = ("de", "en", "fr", "es")
PRODUCTS = ("billing", "platform", "mobile")
REGIONS = ("emea", "americas", "apac")
_WEEK = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), (("09:00", "17:00"),))
CALENDARS = {
    "open": compile_calendar(CalendarDefinition(tz="UTC", name="open", weekly=_WEEK)),
    "closed": compile_calendar(CalendarDefinition(tz="America/Los_Angeles", name="closed", weekly=_WEEK)),
}
DESK = Desk(Routing(costs={"load": 30, "fairness": 20}), CALENDARS, NOW)


def person(rng: random.Random, number: int, *, tight: bool) -> Agent:
    """Return somebody; *tight* people have little room, so that not everything can be given out."""
    return Agent(
        id=f"005{number:03}",
        presence=rng.choices(("online", "break", "offline"), weights=(8, 1, 1))[0],  # type: ignore[arg-type]
        capacity=rng.choice((0, 1, 2, 3) if tight else (8, 10, 14, None, 5000)),
        load=rng.randrange(0, 2),
        skills={name: rng.randint(1, 5) for name in rng.sample(PRODUCTS, rng.randint(1, 3))},
        languages={name: rng.randint(2, 6) for name in rng.sample(LANGUAGES, rng.randint(1, 3))},
        regions=(rng.choice(REGIONS),),
        shift=rng.choices(("", "open", "closed", "gone"), weights=(2, 6, 1, 1))[0],
        max_per_hour=rng.choice((None, None, None, 2)),
        months=rng.choice((0, 3, 30)),
        track={"Lead": Track(rng.randint(1, 60), rng.randint(0, 20), rng.random() * 1e5)} if rng.random() < 0.7 else {},
        standing=Standing(
            urgent=rng.randrange(0, 3), given=(NOW - HOUR // 2,) * rng.randrange(0, 2),
            given_at=NOW - rng.randrange(9**6),
            idle_since=NOW - rng.randrange(9**6),
        ),
    )  # fmt: skip


def record(rng: random.Random, number: int, *, weights: tuple[int, ...] = (1,)) -> Wanted:
    """Return something to be done."""
    skill = rng.choice(PRODUCTS)
    require: list[str] = []
    require += [f"skill:{skill}:{rng.randint(1, 3)}"] if rng.random() < 0.5 else []
    require += ["language:B1"] if rng.random() < 0.5 else []
    return Wanted(
        key=f"Lead/{number:04}", object="Lead", worth=round(rng.uniform(0.05, 1), 2), urgent=rng.random() < 0.3,
        weight=rng.choice(weights), require=tuple(require), language=rng.choice(LANGUAGES), region=rng.choice(REGIONS),
        skills=(skill,), about=("Lead",), had=frozenset([f"005{rng.randrange(8):03}"] if rng.random() < 0.2 else ()),
    )  # fmt: skip


def scene(
    seed: int, records: int, people: int, *, tight: bool = True, weights: tuple[int, ...] = (1,)
) -> tuple[list[Wanted], list[Agent]]:
    """Return records and people of *seed*."""
    rng = random.Random(seed)
    agents = [person(rng, number, tight=tight) for number in range(people)]
    return [record(rng, number, weights=weights) for number in range(records)], agents


def best_by_force(items: list[Wanted], agents: list[Agent], may: dict[tuple[str, str], bool]) -> tuple[int, float]:
    """Return how many records the best of all plans serves, and its sum of scores; *may* says who can take what."""
    means = means_of(agents, ["Lead"])
    best = (0, 0.0)
    options = [[None, *(agent for agent in agents if may[one.key, agent.id])] for one in items]
    for plan in product(*options):
        found = _judged(items, plan, means)
        if found is not None and (found[0], round(found[1], 5)) > (best[0], round(best[1], 5)):
            best = found
    return best


def _judged(items, plan, means):  # type: ignore[no-untyped-def]
    """Return how many are served and the sum of scores, one after another; None where somebody has no room."""
    state = {agent.id: agent for agent in plan if agent is not None}
    taken = dict.fromkeys(state, 0)
    total = 0.0
    for one, agent in zip(items, plan, strict=True):
        if agent is None:
            continue
        now = state[agent.id]
        taken[agent.id] += 1
        hour = len(now.standing.given)
        if now.capacity is not None and now.load + one.weight > now.capacity:
            return None
        if now.max_per_hour is not None and hour + taken[agent.id] > now.max_per_hour:
            return None
        total += score(now, one, DESK.routing, means).total
        standing = Standing(urgent=now.standing.urgent + one.urgent, given=now.standing.given)
        state[agent.id] = Agent(**{**_fields(now), "load": now.load + one.weight, "standing": standing})
    return sum(agent is not None for agent in plan), total


def _fields(agent: Agent) -> dict[str, object]:
    return {name: getattr(agent, name) for name in Agent.__struct_fields__}
