"""The tale of one case: opened, picked up or forgotten, answered, asked back, solved, reopened."""

from __future__ import annotations

import random

from msgspec import Struct

from triage.domain.instant import HOUR, MINUTE, SECOND
from triage.sample.people import AGENTS, INBOX, Account, later
from triage.sample.tale import Tale, Told, open_minutes, wall_hours
from triage.sample.texts import BOUNCE, answer, auto_reply, complaint, message, outage

PRODUCTS = ("Billing", "Platform", "Mobile")
PRIORITIES = ("Low", "Medium", "High", "Critical")
_LANGUAGES = {"emea": ("en", "de", "de", "fr"), "americas": ("en", "en", "es"), "apac": ("en",)}


class Plot(Struct, frozen=True, kw_only=True):
    """What is laid down about a case before it is told; *product* set makes it a report of an outage of that."""

    number: int
    at: int
    account: Account
    product: str = ""
    reopens: int = 0
    hold: bool = False


class Cast(Struct, frozen=True):
    """Who takes part: the customer's address and language, and the agent who looks after the case."""

    sender: str
    language: str
    agent: str


def case_tale(rng: random.Random, plot: Plot) -> Told:
    """Return one case, its events in time order, as they would run if nobody ever escalated anything."""
    region = plot.account.region
    desk = [seat.agent.id for seat in AGENTS if seat.region == region and "tier1" in seat.agent.pools]
    cast = Cast(
        sender=f"contact{rng.randrange(1, 4)}@{plot.account.slug}.example",
        language=rng.choice(_LANGUAGES[region]),
        agent=rng.choice(desk),
    )
    tale = Tale("Case", f"500{plot.number:05d}", plot.at)
    queued = _opened(tale, rng, plot, cast)
    picked = _picked_up(tale, rng, cast) if queued else None
    answered = _first_answer(rng, plot, cast, plot.at if picked is None else picked)
    _waited(tale, rng, cast, picked, answered)
    _answers(tale, rng, cast, answered)
    for _ in range(rng.choices((0, 1, 2), weights=(45, 40, 15))[0]):
        _asked_back(tale, rng, cast)
    _solved(tale, rng, plot, cast)
    again = plot.reopens or (1 if rng.random() < 0.12 else 0)
    for _ in range(again):
        _reopened(tale, rng, cast, quick=again > 1)
    if rng.random() < 0.25:
        tale.says(tale.at + wall_hours(rng, 0.2, 2), cast.sender, message(rng, cast.language, "thankful"))
        tale.feels("thankful")
    return tale.told()


def _opened(tale: Tale, rng: random.Random, plot: Plot, cast: Cast) -> bool:
    """Open the case; return whether it lies in the queue."""
    product = plot.product or rng.choice(PRODUCTS)
    subject, text = _words(rng, plot, cast)
    mood = "urgent" if plot.product else rng.choices(("calm", "worried", "angry"), weights=(70, 22, 8))[0]
    weights = (0, 20, 60, 20) if plot.product else (20, 50, 24, 6)
    queued = rng.random() < 0.35
    origin = rng.choices(("Email", "Web", "Phone", "Chat"), weights=(45, 30, 15, 10))[0]
    changes = {
        "CaseNumber": f"{plot.number:08d}", "Subject": subject, "Description": text, "Status": "New",
        "Priority": rng.choices(PRIORITIES, weights=weights)[0], "Origin": origin, "Product__c": product,
        "Type": "Incident" if plot.product else rng.choice(("Question", "Problem")),
        "OwnerId": INBOX if queued else cast.agent, "ContactId": f"003{plot.account.id[3:]}",
        "ContactEmail": cast.sender,
        "AccountId": plot.account.id, "Support_Hours__c": plot.account.region,
    }  # fmt: skip
    tale.add("created", plot.at, changes=changes, actor="005WEB", origin="system")
    if origin == "Email":
        tale.says(plot.at + SECOND, cast.sender, text)
    tale.feels(mood)
    if plot.hold:
        reason = "agreed with the customer: waits for their release"
        tale.add(
            "override", tale.at + 5 * MINUTE, action="hold", until=plot.at + 30 * HOUR, rules=("*",), reason=reason,
            actor="005MG01",
        )  # fmt: skip
    return queued


def _words(rng: random.Random, plot: Plot, cast: Cast) -> tuple[str, str]:
    if plot.product:
        return outage(rng, cast.language, plot.product)
    return complaint(rng, cast.language, rng.randrange(1000, 9999))


def _picked_up(tale: Tale, rng: random.Random, cast: Cast) -> int:
    """Let an agent take the case from the queue, mostly soon; return when."""
    wait = open_minutes(rng, 120, 420) if rng.random() < 0.2 else open_minutes(rng, 2, 60)
    return later(cast.agent, tale.at, wait)


def _first_answer(rng: random.Random, plot: Plot, cast: Cast, since: int) -> int:
    """Return when the agent answers: some at once, some late, some who have forgotten it the next day."""
    kind = rng.choices(("prompt", "slow", "neglect"), weights=(62, 22, 16))[0]
    if plot.product:
        kind = "slow" if kind == "prompt" else "neglect"
    span = {"prompt": (4, 40), "slow": (50, 170), "neglect": (240, 700)}[kind]
    if plot.reopens:
        span = (3, 15)
    return later(cast.agent, since, open_minutes(rng, *span))


def _waited(tale: Tale, rng: random.Random, cast: Cast, picked: int | None, answered: int) -> None:
    """Let the customer write again until the answer at *answered*, more and more upset; pick the case up meanwhile."""
    for mood in ("worried", "angry", "urgent"):
        again = tale.at + wall_hours(rng, 1.2, 4)
        if again >= answered or rng.random() < 0.35:
            break
        if picked is not None and picked < again:
            tale.update(picked, cast.agent, OwnerId=cast.agent)
            picked = None
        tale.says(again, cast.sender, message(rng, cast.language, mood))
        tale.feels(mood)
    if picked is not None:
        tale.update(picked, cast.agent, OwnerId=cast.agent)
    if rng.random() < 0.08:
        place = PRIORITIES.index(tale.events[0].changes["Priority"])
        tale.update(tale.at + 30 * SECOND, cast.agent, Priority=PRIORITIES[min(3, place + 1)])


def _answers(tale: Tale, rng: random.Random, cast: Cast, at: int, status: str = "Working") -> None:
    """Let the agent write; now and then a machine replies at once."""
    tale.writes(at, cast.agent, answer(cast.language))
    tale.update(tale.at, cast.agent, Status=status)
    if rng.random() < 0.08:
        tale.says(tale.at + 20 * SECOND, cast.sender, auto_reply(cast.language), auto=True)
    elif rng.random() < 0.03:
        tale.says(tale.at + 5 * SECOND, "mailer-daemon@mail.example", BOUNCE, auto=True)


def _asked_back(tale: Tale, rng: random.Random, cast: Cast) -> None:
    """Ask the customer something, wait for the reply, and answer that."""
    _answers(tale, rng, cast, later(cast.agent, tale.at, open_minutes(rng, 5, 50)), "Waiting on Customer")
    mood = rng.choices(("calm", "worried", "urgent"), weights=(70, 18, 12))[0]
    tale.says(tale.at + wall_hours(rng, 0.5, 7), cast.sender, message(rng, cast.language, mood))
    tale.update(tale.at, "005WEB", Status="Working")
    tale.feels(mood)
    slow = rng.random() < 0.25
    _answers(tale, rng, cast, later(cast.agent, tale.at, open_minutes(rng, *((150, 480) if slow else (8, 100)))))


def _solved(tale: Tale, rng: random.Random, plot: Plot, cast: Cast) -> None:
    """Close the case; one in five drags on for days."""
    drags = rng.random() < 0.2 and not plot.reopens
    at = later(cast.agent, tale.at, open_minutes(rng, *((500, 1500) if drags else (20, 240))))
    if plot.reopens:
        at = later(cast.agent, tale.at, open_minutes(rng, 5, 25))
    if rng.random() < 0.3:
        tale.add("comment", tale.at + MINUTE, actor=cast.agent, body="Reproduced; fix under way.")
    tale.writes(at, cast.agent, answer(cast.language))
    tale.update(tale.at, cast.agent, Status="Closed")


def _reopened(tale: Tale, rng: random.Random, cast: Cast, *, quick: bool) -> None:
    """Let the customer come back with what was not solved, and solve it once more."""
    mood = rng.choice(("worried", "angry", "urgent"))
    tale.says(tale.at + wall_hours(rng, 0.3, 1.0 if quick else 6), cast.sender, message(rng, cast.language, mood))
    tale.update(tale.at, "005WEB", Status="Working")
    tale.feels(mood)
    tale.writes(later(cast.agent, tale.at, open_minutes(rng, 4, 30)), cast.agent, answer(cast.language))
    tale.update(later(cast.agent, tale.at, open_minutes(rng, 5, 40 if quick else 200)), cast.agent, Status="Closed")
