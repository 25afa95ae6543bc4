"""What people do when an escalation reaches them."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from triage.domain.decision import Action
from triage.domain.instant import HOUR, MINUTE, parse_instant
from triage.sample.people import SEATS
from triage.sample.reactions import react

MORNING = parse_instant("2026-09-03T08:00:00Z")
"""Thursday ten o'clock in Berlin; night in New York."""


def action(kind: str = "reassign", target: str = "user:005EM03", object_: str = "Case", key: str = "k" * 64) -> Action:
    return Action(
        object=object_, id="50001", rule="r", step="", position=0, kind=kind, target=target, due=MORNING, at=MORNING,
        episode="e", key=key,
    )  # fmt: skip


def reactions(count: int = 300, **parts):
    return [react(action(**parts), MORNING, random.Random(seed)) for seed in range(count)]


@pytest.mark.parametrize("object_", ["Case", "Lead", "Opportunity"])
def test_most_people_answer_what_they_are_given_within_minutes_and_finish_it(object_):
    """Contact within a quarter of an hour of their shift, and an end later on."""
    acted = [events for events in reactions(object_=object_) if any(e.type in ("message", "activity") for e in events)]
    assert len(acted) > 180
    for events in acted:
        first = next(event for event in events if event.type in ("message", "activity"))
        assert MORNING < first.at <= MORNING + 15 * MINUTE
        last = events[-1].changes
        assert last.get("Status") in ("Closed", "Qualified", "Unqualified") or last["StageName"].startswith("Closed")


def test_somebody_off_shift_answers_at_their_next_opening():
    """Whoever is asleep acts when their day begins."""
    opening = parse_instant("2026-09-03T13:00:00Z")
    for events in reactions(target="user:005AM03"):
        for event in events:
            assert event.type == "override" or event.at > opening


def test_people_override_an_escalation_now_and_then():
    """Some give the case back, some do nothing, and some managers pull the change back with a reason."""
    kinds = Counter(events[0].type if events else "nothing" for events in reactions(1000))
    assert kinds["message"] > 700
    assert {"updated", "nothing", "override"} <= kinds.keys()
    pulled = next(events[0] for events in reactions(1000) if events and events[0].type == "override")
    assert (pulled.action, pulled.rules) == ("pull_back", ("*",))
    assert pulled.actor == SEATS["005EM03"].agent.manager
    assert pulled.reason


def test_events_belong_to_the_record_and_their_ids_to_the_action():
    """In order, one id each, and another action's reaction has others."""
    for events in reactions(50):
        assert {(event.object, event.id) for event in events} <= {("Case", "50001")}
        assert [event.at for event in events] == sorted(event.at for event in events)
        assert len({event.event_id for event in events}) == len(events)
    mine = react(action(), MORNING, random.Random(1))
    other = react(action(key="l" * 64), MORNING, random.Random(1))
    assert not {event.event_id for event in mine} & {event.event_id for event in other}


def test_owners_act_on_a_reminder_more_often_than_managers():
    """A reminder is acted upon by most owners, by some managers, and only while they are at work."""
    owners = sum(bool(events) for events in reactions(kind="notify"))
    managers = sum(bool(events) for events in reactions(kind="notify", target="user:005MG01"))
    assert owners > 1.5 * managers > 0
    assert not any(reactions(kind="notify", target="user:005AM03"))


def test_somebody_at_work_takes_what_lies_in_a_pool():
    """A lead in a pool is taken and then called by a seller of an open region."""
    for events in reactions(50, kind="move", target="pool:sales-pool", object_="Lead"):
        assert events[0].changes["OwnerId"] in ("005EM04", "005EM05")
        assert events[1].type == "activity"
        assert events[0].at < events[1].at


def test_nobody_takes_from_a_pool_while_all_are_away():
    """At the weekend the pool waits."""
    saturday = parse_instant("2026-09-05T12:00:00Z")
    assert react(action(kind="move", target="pool:overflow"), saturday, random.Random(1)) == ()


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        ("reprioritise", "field:priority"),
        ("acknowledge", "customer:003"),
        ("custom", "webhook:status-page"),
        ("set", "field:status"),
        ("notify", "role:duty-manager"),
        ("notify", "digest"),
    ],
)
def test_what_reaches_nobody_in_person_changes_nothing(kind, target):
    """Only a person who is named reacts."""
    assert not any(reactions(20, kind=kind, target=target))


def test_the_same_dice_give_the_same_reaction():
    """A pure function of action, instant and generator."""
    assert reactions(20) == reactions(20)


def test_reactions_end_within_the_shift_they_need():
    """Nobody needs longer than a working day for what was escalated."""
    for events in reactions(200):
        assert not events or events[-1].at - MORNING < 30 * HOUR
