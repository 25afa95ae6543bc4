"""The whole organisation from one seed: customers, agents coming and going, cases, leads, deals, an outage."""

from __future__ import annotations

import random
from collections.abc import Iterator

from msgspec import Struct, field

from triage.domain.instant import DAY, HOUR, MINUTE, SECOND
from triage.domain.work import Event
from triage.sample.cases import Plot, case_tale
from triage.sample.people import AGENTS, DAYS, REGIONS, START, Account, accounts, end_of, hours, profile
from triage.sample.sales import deal_tale, lead_tale
from triage.sample.tale import Mood, Told

CASES, OUTAGE_CASES, LEADS, DEALS = 220, 30, 120, 50
OUTAGE = START + 6 * DAY + 16 * HOUR
"""Tuesday 14:00 UTC: afternoon in Berlin, morning in New York, the first working day there after the holiday."""

_GRID = 15 * MINUTE
_SICK = "005AM01"
"""Somebody who stays at home on the third day."""


class Organisation(Struct, frozen=True):
    """
    What was invented: the customers, and every event in time order. All of it ends at `end` (ms UTC).

    What no event tells: `moods`, in which customers wrote, in time order, and `worths`, of leads by id in money.
    """

    seed: int
    accounts: tuple[Account, ...]
    events: tuple[Event, ...]
    end: int
    moods: tuple[Mood, ...] = ()
    worths: dict[str, float] = field(default_factory=dict)


def invent(seed: int = 7, days: int = DAYS) -> Organisation:
    """
    Return the organisation of *seed* over *days* business days (1 to 6): the same one on every machine.

    Events are what happens when nobody escalates anything. Their ids are unique; none of them is a score.
    """
    if not 1 <= days <= DAYS:
        raise ValueError(f"{days} days: the sample organisation lives through 1 to {DAYS}")
    rng = random.Random(seed)
    customers = accounts(rng)
    end = end_of(days)
    stories = list(_stories(rng, customers))
    events = [*_customers(customers), *_presence(end), *(event for story in stories for event in story.events)]
    told = sorted((event for event in events if event.at < end), key=lambda event: event.at)
    moods = sorted((one for story in stories for one in story.moods if one.at < end), key=lambda one: one.at)
    worths = {story.events[0].id: story.worth for story in stories if story.worth}
    return Organisation(seed, customers, tuple(told), end, tuple(moods), worths)


def _customers(customers: tuple[Account, ...]) -> Iterator[Event]:
    for account in customers:
        changes = {"Name": account.name, "Tier__c": account.tier, "CSM__c": account.csm}
        yield _related(account, START, changes)
    upgraded = next(account for account in customers if account.tier == "Standard")
    yield _related(upgraded, START + 6 * DAY + 12 * HOUR, {"Tier__c": "Gold"})


def _related(account: Account, at: int, changes: dict[str, str]) -> Event:
    return Event(
        at=at, type="related", event_id=f"{account.id}/{at}", object="Account", id=account.id, changes=changes,
        origin="system",
    )  # fmt: skip


def _presence(end: int) -> Iterator[Event]:
    """Yield who comes and goes: online in their hours, on a break at lunch, offline otherwise."""
    for seat in AGENTS:
        agent_id = seat.agent.id
        yield _agent(agent_id, START, profile(seat))
        before = "offline"
        for at in range(START, end, _GRID):
            now = _state(agent_id, seat.region, at)
            if now != before:
                yield _agent(agent_id, at + SECOND, {"presence": now})
                before = now


def _state(agent_id: str, region: str, at: int) -> str:
    if agent_id == _SICK and START + 2 * DAY <= at < START + 3 * DAY:
        return "offline"
    calendar = hours(region)
    if calendar.is_open(at):
        return "online"
    # Both sides open within the hour: this is lunch.
    lunch = at - calendar.prev_open(at) < HOUR and calendar.next_open(at) - at < HOUR
    return "break" if lunch else "offline"


def _agent(agent_id: str, at: int, changes: dict[str, object]) -> Event:
    return Event(at=at, type="agent", event_id=f"{agent_id}/{at}", id=agent_id, changes=changes, origin="system")


def _stories(rng: random.Random, customers: tuple[Account, ...]) -> Iterator[Told]:
    """
    Yield the tales of all records.

    Each story has a generator of its own, drawn from the seed in turn, so that one longer story changes no other.
    """
    for number in range(CASES):
        story = random.Random(rng.getrandbits(64))
        account = story.choice(customers)
        at = _arrival(story, account.region)
        yield case_tale(story, Plot(number=number + 1, at=at, account=account, hold=number % 70 == 11))
    for number in range(OUTAGE_CASES):
        story = random.Random(rng.getrandbits(64))
        account = story.choice([one for one in customers if one.region != "apac"])
        at = OUTAGE + story.randrange(0, 40 * MINUTE, SECOND)
        yield case_tale(story, Plot(number=CASES + number + 1, at=at, account=account, product="Platform"))
    for number in range(4):
        story = random.Random(rng.getrandbits(64))
        account = story.choice(customers)
        at = START + DAY * number // 2 + 11 * HOUR + number * MINUTE
        yield case_tale(story, Plot(number=CASES + 101 + number, at=at, account=account, reopens=3))
    for number in range(LEADS):
        story = random.Random(rng.getrandbits(64))
        region = story.choices(REGIONS, weights=(9, 7, 4))[0]
        company = f"{story.choice(customers).name} {story.choice(('Group', 'Partners', 'Trading'))}"
        yield lead_tale(story, number + 1, _arrival(story, region), region, company)
    for number in range(DEALS):
        story = random.Random(rng.getrandbits(64))
        account = story.choice(customers)
        yield deal_tale(story, number + 1, _arrival(story, account.region, days=4), account)


def _arrival(rng: random.Random, region: str, days: int = 8) -> int:
    """Return when something comes in: mostly while the desk is open, one time in eight at any hour."""
    at = START + rng.randrange(0, days * DAY, SECOND)
    if rng.random() < 0.125:
        return at
    calendar = hours(region)
    while not calendar.is_open(at):
        at = START + rng.randrange(0, days * DAY, SECOND)
    return at
