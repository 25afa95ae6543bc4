"""The tales of leads and deals: called soon or forgotten, moving from stage to stage or standing still."""

from __future__ import annotations

import random

from triage.domain.instant import DAY, SECOND, format_instant
from triage.sample.people import AGENTS, SALES_INBOX, Account, later
from triage.sample.tale import Tale, Told, open_minutes
from triage.sample.texts import need

STAGES = ("Prospecting", "Qualification", "Proposal", "Negotiation")


def lead_tale(rng: random.Random, number: int, at: int, region: str, company: str) -> Told:
    """Return one lead, its events in time order: called within minutes, hours, or never; hot ones are worth more."""
    desk = [seat.agent.id for seat in AGENTS if seat.region == region and seat.sells]
    agent = rng.choice(desk)
    queued = rng.random() < 0.4
    source = rng.choices(("Web", "Event", "Referral", "List"), weights=(50, 20, 20, 10))[0]
    hot = rng.random() < 0.3
    tale = Tale("Lead", f"00Q{number:05d}", at)
    changes = {
        "Company": company, "Status": "Open", "LeadSource": source, "Description": need(rng),
        "OwnerId": SALES_INBOX if queued else agent, "Support_Hours__c": region,
    }  # fmt: skip
    tale.add("created", at, changes=changes, actor="005WEB", origin="system")
    value = round(rng.lognormvariate(10.1 if hot else 8.2, 0.6), -2)
    if queued:
        tale.update(later(agent, tale.at, open_minutes(rng, 2, 70)), agent, OwnerId=agent)
    kind = rng.choices(("prompt", "slow", "neglect"), weights=(50, 25, 25))[0]
    span = {"prompt": (2, 14), "slow": (18, 90), "neglect": (180, 900)}[kind]
    _called(tale, agent, later(agent, tale.at, open_minutes(rng, *span)), "Working")
    if rng.random() < 0.7:
        end = rng.choices(("Qualified", "Unqualified"), weights=(45, 55))[0]
        _called(tale, agent, later(agent, tale.at, open_minutes(rng, 60, 900)), end)
    return tale.told(value)


def _called(tale: Tale, agent: str, at: int, status: str) -> None:
    tale.add("activity", at, direction="out", channel="phone", actor=agent)
    tale.update(tale.at, agent, Status=status)


def deal_tale(rng: random.Random, number: int, at: int, account: Account) -> Told:
    """Return one opportunity, its events in time order; about a third stands still in some stage."""
    desk = [seat.agent.id for seat in AGENTS if seat.region == account.region and seat.sells]
    agent = rng.choice(desk)
    tale = Tale("Opportunity", f"006{number:05d}", at)
    stage = rng.randrange(3)
    changes = {
        "Name": f"{account.name}, renewal {number}", "StageName": STAGES[stage], "OwnerId": agent,
        "Amount": round(rng.lognormvariate(10.4, 0.8), -2), "AccountId": account.id,
        "CloseDate": format_instant(at + rng.randrange(10, 60) * DAY)[:10], "Support_Hours__c": account.region,
    }  # fmt: skip
    tale.add("created", at, changes=changes, actor=agent)
    for name in (*STAGES[stage + 1 :], rng.choice(("Closed Won", "Closed Lost"))):
        stuck = rng.random() < 0.3
        moved = later(agent, tale.at, open_minutes(rng, *((1100, 2400) if stuck else (90, 660))))
        if not stuck:
            tale.add("activity", moved - 60 * SECOND, direction="out", channel="phone", actor=agent)
        tale.update(moved, agent, StageName=name)
    return tale.told()
