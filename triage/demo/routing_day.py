"""
One hard day of the sample organisation, with the same records and people under different ways of giving work out.

A simulation: who answers when is worked out from stated assumptions, not measured. The same seed gives the same day.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from statistics import mean, median, pstdev

from msgspec import Struct
from msgspec.structs import replace

from triage.calendars.calendar import Calendar
from triage.domain.instant import DAY, HOUR, MINUTE
from triage.domain.work import Agent, Event, Standing
from triage.routing.batch import assign_batch
from triage.routing.eligible import Desk
from triage.routing.wanted import Wanted, joint_worth
from triage.rules.document import Routing
from triage.sample.cases import PRIORITIES
from triage.sample.organisation import invent
from triage.sample.people import AGENTS, REGIONS, SEATS, START, hours

POLICIES = ("round_robin", "best", "optimal")
TICK = 5 * MINUTE
LASTS = 40 * HOUR
"""The day, and until the next evening, so that what came late can still be answered."""

IN_HAND = 2
_TARGETS = {"Critical": 30 * MINUTE, "High": 60 * MINUTE, "Medium": 2 * HOUR, "Low": 4 * HOUR}
_CASE_WORK, _LEAD_WORK = 34 * MINUTE, 22 * MINUTE
_LEAD_TARGET = 30 * MINUTE
_SLOWER_UNSKILLED, _SLOWER_FOREIGN = 1.5, 1.4
_SPOKEN = {"emea": ("en", "german"), "americas": ("en", "spanish"), "apac": ("en",)}


class Day(Struct, frozen=True):
    """What is assumed of the day: minutes that work takes, and how much slower it is where something is lacking."""

    case_work: int = _CASE_WORK
    lead_work: int = _LEAD_WORK

    def assumptions(self) -> tuple[str, ...]:
        """Return them for people."""
        return (
            "every case and lead of the sample organisation's six days comes on one day, at its own time of day;",
            "the first answer takes "
            f"{self.case_work // MINUTE} min for a case and {self.lead_work // MINUTE} for a lead, give or take half;",
            f"x {_SLOWER_UNSKILLED} without the product's skill, x {_SLOWER_FOREIGN} in a language one does not speak;",
            "people work one record after another, in their shift; whoever is on shift may take any region's;",
            "round robin hands out at once, in turn, and each works first come first served;",
            f"best and optimal hand out the worthiest first, every {TICK // MINUTE} min, {IN_HAND} in hand at most;",
            "targets in open hours of the record's region: 30 min to 4 h by priority, 30 min for a lead;",
            "what is not answered by the evening of the next day counts as answered then.",
        )


class Result(Struct, frozen=True, kw_only=True):
    """What one policy came to on one day; times in minutes of open time, shares 0..1."""

    policy: str
    seed: int
    records: int
    breaches: int
    response: float
    response_p90: float
    lead_response: float
    value_weighted: float
    spread: float
    unanswered: int


class Job(Struct, frozen=True):
    """One record of the day: what routing sees of it, when it comes, and how long its first answer takes."""

    wanted: Wanted
    at: int
    region: str
    value: float
    target: int
    work: int
    sells: bool


class _Desk:
    """One person at work: what is in hand, and until when they are busy."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.calendar: Calendar = hours(SEATS[agent.id].region)
        self.hand: list[Job] = []
        self.busy = 0
        self.worked = 0
        self.given_at = 0


def simulate(policy: str, seed: int, day: Day) -> Result:
    """Return what *policy* comes to on the day of *seed*."""
    jobs = jobs_of(seed, day)
    desks = [_Desk(seat.agent) for seat in AGENTS]
    answered: dict[str, int] = {}
    waiting: list[Job] = []
    coming = sorted(jobs, key=lambda job: (job.at, job.wanted.key))
    for now in range(START, START + LASTS, TICK):
        while coming and coming[0].at <= now:
            waiting.append(coming.pop(0))
        for sells in (False, True):
            crew = [one for one in desks if SEATS[one.agent.id].sells == sells]
            waiting = _hand_out([job for job in waiting if job.sells == sells], crew, policy, now) + [
                job for job in waiting if job.sells != sells
            ]
        for one in desks:
            _work(one, now, answered, first_come=policy == "round_robin")
    return _result(policy, seed, jobs, answered, desks)


def jobs_of(seed: int, day: Day) -> list[Job]:
    """Return the cases and leads of the organisation of *seed*, all on one day."""
    told = invent(seed)
    tiers = {account.id: account.tier for account in told.accounts}
    rng = random.Random(seed)
    created = [event for event in told.events if event.type == "created" and event.object in ("Case", "Lead")]
    return [_job(event, told.worths.get(event.id, 0.0), tiers, rng, day) for event in created]


def _job(event: Event, value: float, tiers: dict[str, str], rng: random.Random, day: Day) -> Job:
    changes = event.changes
    region = str(changes.get("Support_Hours__c", REGIONS[0]))
    sells = event.object == "Lead"
    priority = str(changes.get("Priority", "Medium"))
    urgency = None if sells else PRIORITIES.index(priority) / (len(PRIORITIES) - 1)
    product = str(changes.get("Product__c", "")).casefold()
    wanted = Wanted(
        key=event.id, object=event.object, worth=joint_worth(value if sells else None, urgency, 10_000),
        urgent=priority == "Critical", language=rng.choice(_SPOKEN[region]), region=region,
        skills=(product,) if product else (), about=(event.object,), since=event.at,
    )  # fmt: skip
    if tiers.get(str(changes.get("AccountId"))) == "Enterprise":
        wanted = replace(wanted, worth=min(1.0, round(wanted.worth + 0.25, 2)))
    work = int((day.lead_work if sells else day.case_work) * rng.uniform(0.5, 1.5))
    target = _LEAD_TARGET if sells else _TARGETS[priority]
    return Job(wanted, START + (event.at - START) % DAY, region, value, target, work, sells)


def _hand_out(waiting: list[Job], crew: Sequence[_Desk], policy: str, now: int) -> list[Job]:
    """Give out what waits; return what stays."""
    if not waiting:
        return waiting
    people = [_seen(one, policy, now) for one in crew]
    if not any(agent.presence == "online" for agent in people):
        return waiting
    plan = assign_batch([job.wanted for job in waiting], people, Desk(Routing(costs={"load": 20}), {}, now), policy)
    by_key = {job.wanted.key: job for job in waiting}
    by_id = {one.agent.id: one for one in crew}
    for turn, placed in enumerate(plan.placed):
        by_id[placed.agent].hand.append(by_key.pop(placed.key))
        by_id[placed.agent].given_at = now + turn
    return list(by_key.values())


def _seen(one: _Desk, policy: str, now: int) -> Agent:
    """Return the person as routing sees them: languages are skills of their names, English is everybody's."""
    in_hand = len(one.hand) + (one.busy > now)
    return replace(
        one.agent, presence="online" if one.calendar.is_open(now) else "offline", load=in_hand, shift="",
        capacity=None if policy == "round_robin" else IN_HAND, regions=(SEATS[one.agent.id].region,),
        languages={"en": 6}, standing=Standing(given_at=one.given_at),
    )  # fmt: skip


def _work(one: _Desk, now: int, answered: dict[str, int], *, first_come: bool) -> None:
    """Let a person begin what is next in hand, where they are there and free."""
    while one.hand and one.busy < now + TICK:
        start = one.calendar.next_open(max(one.busy, now))
        if start >= now + TICK:
            return
        if not first_come:
            one.hand.sort(key=lambda job: (-job.wanted.worth, job.at))
        job = one.hand.pop(0)
        took = int(job.work * _slowness(one.agent, job))
        answered[job.wanted.key] = start
        one.busy = one.calendar.add(start, took) or start + took
        one.worked += took


def _slowness(agent: Agent, job: Job) -> float:
    slower = 1.0
    for product in job.wanted.skills:
        level = agent.skills.get(product, 0)
        slower *= _SLOWER_UNSKILLED if not level else 1.1 - 0.04 * level
    if job.wanted.language not in ("en", *agent.skills):
        slower *= _SLOWER_FOREIGN
    return slower


def _result(policy: str, seed: int, jobs: Sequence[Job], answered: dict[str, int], desks: Sequence[_Desk]) -> Result:
    end = START + LASTS
    took = {job.wanted.key: _open(job, answered.get(job.wanted.key, end)) for job in jobs}
    leads = [job for job in jobs if job.sells]
    worth = sum(job.value for job in leads) or 1.0
    weighted = sum(job.value * took[job.wanted.key] for job in leads) / worth
    minutes = sorted(took.values())
    worked = [one.worked for one in desks]
    return Result(
        policy=policy, seed=seed, records=len(jobs), response=round(median(minutes), 1),
        breaches=sum(took[job.wanted.key] * MINUTE > job.target for job in jobs),
        response_p90=round(minutes[int(0.9 * (len(minutes) - 1))], 1),
        lead_response=round(mean(took[job.wanted.key] for job in leads), 1), value_weighted=round(weighted, 1),
        spread=round(pstdev(worked) / (mean(worked) or 1), 3), unanswered=len(jobs) - len(answered),
    )  # fmt: skip


def _open(job: Job, until: int) -> float:
    return hours(job.region).elapsed(job.at, max(job.at, until)) / MINUTE


ROWS = (
    ("promises missed", "breaches"),
    ("time to first response, median (min)", "response"),
    ("time to first response, 9 of 10 within (min)", "response_p90"),
    ("leads: time to first response, mean (min)", "lead_response"),
    ("leads: the same weighted by value (min)", "value_weighted"),
    ("load spread (deviation / mean)", "spread"),
    ("not answered by the end", "unanswered"),
)


def table(results: Sequence[Result]) -> list[tuple[str, ...]]:
    """Return the rows of a table: for each figure and policy the median of the seeds, with least and most."""
    return [(label, *(_cell(results, policy, name) for policy in POLICIES)) for label, name in ROWS]


def figures(results: Sequence[Result], policy: str, name: str) -> list[float]:
    """Return one figure of one policy, by seed."""
    return [float(getattr(one, name)) for one in results if one.policy == policy]


def _cell(results: Sequence[Result], policy: str, name: str) -> str:
    found = figures(results, policy, name)
    return f"{median(found):g} ({min(found):g} to {max(found):g})"
