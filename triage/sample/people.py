"""Who works in the sample organisation, when, and for whom: agents, their shifts, accounts and managers."""

from __future__ import annotations

import random
from functools import cache
from typing import Any

from msgspec import Struct

from triage.calendars.calendar import Calendar, compile_calendar
from triage.calendars.definition import CalendarDefinition, Interval, PublicHolidays
from triage.domain.instant import DAY, HOUR, parse_instant
from triage.domain.work import Agent

START = parse_instant("2026-09-01T22:00:00Z")
"""Wednesday morning in Sydney. Six business days follow; the Monday among them is a holiday in the Americas."""

DAYS = 6
"""Business days that the organisation lives through."""

_CALENDAR_DAYS = (1, 2, 3, 6, 7, 8)
"""After how many days on the wall the 1st, 2nd, .. business day is over: a weekend lies between the 3rd and the 4th."""

REGIONS = ("emea", "americas", "apac")
INBOX = "00GINBOX"
SALES_INBOX = "00GSALES"
QUEUES = (INBOX, SALES_INBOX)
MANAGERS = {"emea": "005MG01", "americas": "005MG02", "apac": "005MG03"}
_CSMS = ("005CS01", "005CS02", "005CS03")

_WEEK = ("mon", "tue", "wed", "thu", "fri")
_HOURS = {
    "emea": ("Europe/Berlin", ("08:30", "18:00"), ("12:00", "12:45"), "DE"),
    "americas": ("America/New_York", ("09:00", "18:00"), ("12:30", "13:15"), "US"),
    "apac": ("Australia/Sydney", ("09:00", "17:30"), ("12:30", "13:15"), "AU"),
}

_OVERRIDES: dict[str, dict[str, tuple[Interval, ...]]] = {"emea": {"2026-09-04": (("08:30", "13:00"),)}}
"""The summer party: EMEA goes home at one o'clock, the others do not."""


class Seat(Struct, frozen=True, kw_only=True):
    """One agent and the region they work in; `sells` says that leads and deals are theirs, not cases."""

    agent: Agent
    region: str
    sells: bool = False


class Account(Struct, frozen=True):
    """One customer: `tier` Standard, Gold or Enterprise, `csm` the person who looks after them."""

    id: str
    name: str
    tier: str
    region: str
    csm: str
    slug: str


def _seat(code: str, name: str, region: str, pools: tuple[str, ...], tier: int, capacity: int, **skills: int) -> Seat:
    agent = Agent(
        id=f"005{code}", name=name, manager=MANAGERS[region], capacity=capacity, skills=skills, teams=(region,),
        pools=pools, tier=tier, shift="around_the_clock" if code == "EX01" else region,
    )  # fmt: skip
    return Seat(agent=agent, region=region, sells=any(pool.startswith("sales") for pool in pools))


_DESK = ("sales-desk",)
_SENIOR_DESK = ("sales-desk", "sales-senior")

AGENTS: tuple[Seat, ...] = (
    _seat("EM01", "Mira", "emea", ("tier1",), 1, 10, billing=3, german=5),
    _seat("EM02", "Joost", "emea", ("tier1",), 1, 10, platform=3, german=3),
    _seat("EM03", "Sanne", "emea", ("tier2-senior",), 2, 14, platform=5, billing=4),
    _seat("EM04", "Piet", "emea", _DESK, 1, 20, german=5),
    _seat("EM05", "Elif", "emea", _SENIOR_DESK, 3, 20, french=5),
    _seat("AM01", "Nell", "americas", ("tier1",), 1, 10, billing=4),
    _seat("AM02", "Tavi", "americas", ("tier1",), 1, 10, mobile=3, spanish=5),
    _seat("AM03", "Orla", "americas", ("tier2-senior",), 2, 14, platform=5, mobile=4),
    _seat("AM04", "Bram", "americas", _DESK, 1, 20, spanish=4),
    _seat("AM05", "Ines", "americas", _SENIOR_DESK, 3, 20, spanish=5),
    _seat("AP01", "Kiri", "apac", ("tier1",), 1, 10, billing=3),
    _seat("AP02", "Ravi", "apac", ("tier1",), 1, 10, platform=4),
    _seat("AP03", "Yuna", "apac", ("tier2-senior",), 2, 14, mobile=5),
    _seat("AP04", "Theo", "apac", _DESK, 1, 20),
    _seat("AP05", "Anouk", "apac", _SENIOR_DESK, 3, 20),
    _seat("EX01", "Quill", "emea", ("tier3-experts",), 3, 16, platform=5, billing=5, mobile=5),
)
"""Sixteen people in three teams. `configs/example/people.yaml` names the same ones."""

SEATS: dict[str, Seat] = {seat.agent.id: seat for seat in AGENTS}

_FIRST = ("Amber", "Birch", "Cobalt", "Delta", "Ember", "Fjord", "Granite", "Harbour", "Indigo", "Juniper")
_SECOND = ("Freight", "Foods", "Labs", "Mills", "Optics", "Press", "Rail", "Studios", "Textiles", "Works")


def accounts(rng: random.Random, count: int = 60) -> tuple[Account, ...]:
    """Return *count* invented customers: about a sixth Enterprise, a third Gold, the rest Standard."""
    names = [f"{first} {second}" for first in _FIRST for second in _SECOND]
    rng.shuffle(names)
    found = []
    for number, name in enumerate(names[:count]):
        tier = "Enterprise" if number % 6 == 0 else "Gold" if number % 3 == 1 else "Standard"
        slug = name.casefold().replace(" ", "-")
        region = REGIONS[rng.choices((0, 1, 2), weights=(9, 7, 4))[0]]
        found.append(Account(f"001{number:05d}", name, tier, region, _CSMS[number % 3], slug))
    return tuple(found)


@cache
def hours(region: str) -> Calendar:
    """Return when the people of *region* work: their weekdays with lunch and public holidays out."""
    zone, window, lunch, country = _HOURS[region]
    definition = CalendarDefinition(
        tz=zone,
        name=f"sample {region}",
        weekly=dict.fromkeys(_WEEK, (window,)),
        public=PublicHolidays(country=country),
        overrides=_OVERRIDES.get(region, {}),
        breaks=dict.fromkeys(_WEEK, (lunch,)),
    )
    return compile_calendar(definition)


def shift_of(agent_id: str) -> Calendar:
    """Return when an agent, a manager or anybody else works; those of no region work as EMEA does."""
    seat = SEATS.get(agent_id)
    if seat is not None:
        return hours(seat.region)
    return hours(next((region for region, manager in MANAGERS.items() if manager == agent_id), "emea"))


def later(agent_id: str, at: int, millis: int) -> int:
    """Return the instant at which *agent_id* has worked *millis* ms of open time after *at*."""
    calendar = shift_of(agent_id)
    found = calendar.add(calendar.next_open(at), millis)
    return at + millis if found is None else found


def end_of(days: int) -> int:
    """Return the instant at which the given number of business days (1 to 6) is over in every region."""
    return START + _CALENDAR_DAYS[days - 1] * DAY + HOUR // 2


def profile(seat: Seat) -> dict[str, Any]:
    """Return what an `agent` event tells of somebody at the start."""
    agent = seat.agent
    return {
        "name": agent.name, "manager": agent.manager, "capacity": agent.capacity, "skills": dict(agent.skills),
        "teams": list(agent.teams), "pools": list(agent.pools), "tier": agent.tier, "shift": agent.shift,
        "presence": "offline",
    }  # fmt: skip
