"""The script: what still happens once people have reacted."""

from __future__ import annotations

import random

from triage.domain.decision import Action
from triage.domain.instant import HOUR, parse_instant
from triage.domain.work import Event
from triage.sample.organisation import Organisation, invent
from triage.sample.reactions import react
from triage.sample.script import Script

MORNING = parse_instant("2026-09-03T08:00:00Z")
END = MORNING + 100 * HOUR


def event(at: int, number: int, type_: str = "updated", **rest) -> Event:
    return Event(at=at, type=type_, event_id=f"s/{number}", object="Case", id="50001", **rest)


def story() -> Organisation:
    """A case that is answered after ten hours and closed after twenty."""
    told = (
        event(MORNING, 1, "created", changes={"Status": "New"}),
        event(MORNING + 10 * HOUR, 2, "message", direction="out"),
        event(MORNING + 20 * HOUR, 3, changes={"Status": "Closed"}),
        event(MORNING + 30 * HOUR, 4, "message", direction="in"),
    )
    return Organisation(7, (), told, END)


def action(number: int, record: str = "50001", **parts) -> Action:
    values = {
        "object": "Case", "id": record, "rule": "r", "step": "", "position": 0, "kind": "reassign",
        "target": "user:005EM03", "due": MORNING, "at": MORNING, "episode": "e", "key": f"{number:064d}",
    }  # fmt: skip
    return Action(**(values | parts))


def working_action() -> Action:
    """An action whose reaction is work: contact, then the end."""
    for number in range(100):
        found = action(number)
        events = react(found, MORNING, random.Random(f"7/{found.key}"))
        if events and events[0].type == "message":
            return found
    raise AssertionError("nobody works")


def test_fed_with_nothing_the_script_is_the_story():
    """Every event comes once, in order."""
    organisation = invent(7, 1)
    script = Script(organisation)
    assert script.take(organisation.end) == organisation.events
    assert script.next_at is None


def test_take_stops_at_the_instant_asked_for():
    """Up to and including it, and the rest stays."""
    script = Script(story())
    assert [one.event_id for one in script.take(MORNING + 10 * HOUR)] == ["s/1", "s/2"]
    assert script.next_at == MORNING + 20 * HOUR


def test_a_record_that_is_worked_on_has_no_other_story():
    """After the reaction's first contact the story's own events do not happen any more."""
    script = Script(story())
    script.take(MORNING)
    assert script.feed([working_action()], MORNING) == 4
    taken = script.take(END)
    assert [one.event_id.split("/")[0] for one in taken] == ["reaction"] * 4
    assert taken[-1].changes == {"Status": "Closed"}


def test_a_record_has_one_reaction_at_a_time():
    """A second escalation finds somebody at work already."""
    script = Script(story())
    script.take(MORNING)
    assert script.feed([working_action()], MORNING) == 4
    assert script.feed([working_action()], MORNING) == 0


def test_the_order_of_actions_does_not_matter():
    """Actions carried out at once are fed in an order of their own."""
    actions = [action(number, record=f"5000{number}") for number in range(2, 8)]
    ahead, back = Script(story()), Script(story())
    ahead.feed(actions, MORNING)
    back.feed(actions[::-1], MORNING)
    assert ahead.take(END) == back.take(END)


def test_nobody_reacts_on_a_closed_record():
    """What is closed stays closed."""
    script = Script(story())
    script.take(MORNING + 25 * HOUR)
    assert script.feed([working_action()], MORNING + 25 * HOUR) == 0


def test_a_reaction_to_a_record_closed_meanwhile_does_not_open_it_again():
    """Of a reaction that comes too late only its mail is left."""
    script = Script(story())
    script.take(MORNING + 19 * HOUR)
    script.feed([working_action()], MORNING + 19 * HOUR)
    late = script.take(END)
    assert not [one for one in late if one.changes.get("Status") == "Working"]


def test_reactions_beyond_the_end_are_left_out():
    """The play ends when it ends."""
    short = Organisation(7, (), story().events[:1], MORNING + 1)
    script = Script(short)
    script.take(MORNING)
    assert script.feed([working_action()], MORNING) == 0
    assert script.next_at is None
