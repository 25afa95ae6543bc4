"""What people do when an escalation reaches them. A simulation, and a kind one: most of them act."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from triage.domain.decision import Action
from triage.domain.instant import HOUR, MINUTE, SECOND
from triage.domain.work import Event, EventType
from triage.sample.people import AGENTS, MANAGERS, SEATS, later, shift_of
from triage.sample.tale import open_minutes

_Deed = tuple[int, tuple[EventType, dict[str, Any]]]
"""An instant and what happens then: the event's type and the rest of it."""


def react(action: Action, at: int, rng: random.Random) -> tuple[Event, ...]:
    """
    Return what follows, in time order, from *action* having been done at *at*: nothing, or events of people.

    Whoever gets a record answers within minutes of their shift and finishes it; some do not, some give it back (an
    override of the rule), and now and then a manager pulls the change back. A pure function of its arguments.
    """
    kind, _, name = action.target.partition(":")
    if action.kind == "reassign" and kind == "user":
        return _taken_over(action, name, at, rng)
    if action.kind == "notify" and kind == "user":
        return _reminded(action, name, at, rng)
    if action.kind == "move" or (action.kind == "reassign" and kind in ("pool", "queue")):
        return _picked_from_pool(action, at, rng)
    return ()


def _taken_over(action: Action, agent: str, at: int, rng: random.Random) -> tuple[Event, ...]:
    draw = rng.random()
    if draw < 0.04:
        seat = SEATS.get(agent)
        manager = seat.agent.manager if seat is not None else MANAGERS["emea"]
        return _told(action, [(at + 10 * MINUTE, _pull_back(manager, at))])
    if draw < 0.09 and action.object == "Case":
        giver = rng.choice([seat.agent.id for seat in AGENTS if "tier1" in seat.agent.pools])
        changes = {"changes": {"OwnerId": giver}, "actor": agent}
        return _told(action, [(later(agent, at, 6 * MINUTE), ("updated", changes))])
    if draw < (0.3 if action.object == "Lead" else 0.14):
        return ()
    return _worked_on(action, agent, later(agent, at, open_minutes(rng, 2, 12)), rng)


def _reminded(action: Action, person: str, at: int, rng: random.Random) -> tuple[Event, ...]:
    """Owners act on a reminder more often than managers do."""
    share = 0.7 if person in SEATS else 0.35
    if rng.random() > share or not shift_of(person).is_open(at):
        return ()
    return _worked_on(action, person, later(person, at, open_minutes(rng, 4, 25)), rng)


def _picked_from_pool(action: Action, at: int, rng: random.Random) -> tuple[Event, ...]:
    """Let somebody of the right desk who is at work take it."""
    sells = action.object != "Case"
    present = [seat.agent.id for seat in AGENTS if seat.sells is sells and shift_of(seat.agent.id).is_open(at)]
    if not present:
        return ()
    agent = rng.choice(present)
    begun = later(agent, at, open_minutes(rng, 10, 40))
    taken = _told(action, [(begun, ("updated", {"changes": {"OwnerId": agent}, "actor": agent}))])
    return (*taken, *_worked_on(action, agent, begun + MINUTE, rng, len(taken)))


def _worked_on(action: Action, agent: str, begun: int, rng: random.Random, count: int = 0) -> tuple[Event, ...]:
    """Return the work on a record: contact at *begun*, and its end some hours later."""
    return _told(action, _WORK[action.object](agent, begun, rng), count)


def _case_work(agent: str, begun: int, rng: random.Random) -> list[_Deed]:
    mail = {
        "direction": "out", "channel": "email", "actor": agent, "sender": "support@example.com",
        "body": "I have taken over your request and am working on it now.",
    }  # fmt: skip
    done = later(agent, begun, open_minutes(rng, 20, 110))
    closed = {**mail, "body": "This is solved now. Please write back if anything is left."}
    return [
        (begun, ("message", mail)),
        (begun + SECOND, ("updated", {"changes": {"Status": "Working"}, "actor": agent})),
        (done, ("message", closed)),
        (done + SECOND, ("updated", {"changes": {"Status": "Closed"}, "actor": agent})),
    ]


def _lead_work(agent: str, begun: int, rng: random.Random) -> list[_Deed]:
    call = {"direction": "out", "channel": "phone", "actor": agent}
    done = later(agent, begun, open_minutes(rng, 60, 300))
    end = rng.choices(("Qualified", "Unqualified"), weights=(55, 45))[0]
    return [
        (begun, ("activity", call)),
        (begun + SECOND, ("updated", {"changes": {"Status": "Working"}, "actor": agent})),
        (done, ("updated", {"changes": {"Status": end}, "actor": agent})),
    ]


def _deal_work(agent: str, begun: int, rng: random.Random) -> list[_Deed]:
    call = {"direction": "out", "channel": "phone", "actor": agent}
    done = later(agent, begun, open_minutes(rng, 30, 110))
    end = rng.choices(("Closed Won", "Closed Lost"), weights=(60, 40))[0]
    return [(begun, ("activity", call)), (done, ("updated", {"changes": {"StageName": end}, "actor": agent}))]


_WORK: dict[str, Callable[[str, int, random.Random], list[_Deed]]] = {
    "Case": _case_work,
    "Lead": _lead_work,
    "Opportunity": _deal_work,
}


def _pull_back(manager: str, at: int) -> tuple[EventType, dict[str, Any]]:
    return (
        "override",
        {
            "action": "pull_back", "until": at + 2 * HOUR, "rules": ("*",), "actor": manager,
            "reason": "the owner was on the phone with the customer",
        },
    )  # fmt: skip


def _told(action: Action, deeds: list[_Deed], count: int = 0) -> tuple[Event, ...]:
    """Return *deeds* as events of the action's record, with ids that follow from its key."""
    return tuple(
        Event(
            at=at, type=type_, event_id=f"reaction/{action.key[:24]}/{number}", object=action.object, id=action.id,
            **values,
        )
        for number, (at, (type_, values)) in enumerate(deeds, start=count + 1)
    )  # fmt: skip
