"""What history says of how work was given out, and how people's records came out."""

from __future__ import annotations

from typing import Any

from tests.unit.build import make_policy
from triage.domain.instant import HOUR, MINUTE
from triage.domain.work import Agent, Event, Track
from triage.intake.agent import changed_agent
from triage.people import kept_events, learned, report, skipped
from triage.routing.fit import means_of, track_factor
from triage.testing import START, Sandbox

POLICY = make_policy("", "routing: {won: [Working], figures: true}")
PEOPLE = (Agent(id="ann"), Agent(id="bob"))


def life(identity: str, owner: str, hours: int, **closing: Any) -> list[Event]:
    """Return a case that *owner* had from its creation, and closed after so many hours."""
    begun = Event(
        at=START, type="created", event_id=f"c{identity}", object="Case", id=identity,
        changes={"Status": "New", "Priority": "Low", "OwnerId": owner},
    )  # fmt: skip
    changes = {"IsClosed": True} | closing
    ended = replace_at(begun, START + hours * HOUR, f"x{identity}", changes)
    return [begun, ended]


def replace_at(begun: Event, at: int, identity: str, changes: dict[str, Any]) -> Event:
    return Event(
        at=at, type="updated", event_id=identity, object="Case", id=begun.id, changes=changes, actor="somebody"
    )


def history(*lives: list[Event]) -> list[Event]:
    return sorted((event for one in lives for event in one), key=lambda event: event.at)


def test_track_records_are_learnt_by_what_they_are_about() -> None:
    """Seconds from assignment to the end, won by the status that the policy names, and nothing of who is unknown."""
    told = learned(
        history(life("1", "ann", 1), life("2", "ann", 3, Status="Working"), life("3", "bob", 9), life("4", "zoe", 1)),
        POLICY, START + HOUR, PEOPLE,
    )  # fmt: skip
    assert [(one.id, one.changes["track"]["Case"]) for one in told] == [
        ("ann", {"n": 2, "won": 1, "value": 0.0, "seconds": 4 * 3600}),
        ("bob", {"n": 1, "won": 0, "value": 0.0, "seconds": 9 * 3600}),
    ]
    assert {(one.type, one.origin, one.at) for one in told} == {("agent", "system", START + HOUR)}


def test_what_was_learnt_is_read_back_and_counts_little_where_it_is_little() -> None:
    told = learned(history(life("1", "ann", 1), life("2", "bob", 9)), POLICY, START, PEOPLE)
    ann, bob = (changed_agent(Agent(id=one.id), one) for one in told)
    assert ann.track == {"Case": Track(1, 0, 0.0, 3600)}
    means = means_of([ann, bob], ["Case"])
    assert 1.0 < track_factor(ann, ["Case"], means, 20) < 1.05
    assert track_factor(ann, ["Case"], means, 0) == 2.0


def test_what_ends_in_a_queue_or_is_still_open_teaches_nothing() -> None:
    events = history(life("1", "queue:Tier1", 1), life("2", "ann", 1)[:1])
    assert learned(events, POLICY, START, PEOPLE) == []


def test_people_whom_events_alone_tell_of_count_too() -> None:
    """Twenty-five cases each, and who they are only from `agent` events."""
    told = [Event(at=START, type="agent", event_id=name, id=name, changes={"presence": "online"}) for name in "ab"]
    lives = [life(f"{name}{number}", name, 1) for number in range(25) for name in "ab"]
    found = report([*told, *history(*lives)], POLICY, ["people"], skips={"a": 3})
    assert [(one.agent, one.cases, one.skips) for one in found.fairness.people] == [("a", 25, 3), ("b", 25, 0)]
    assert found.fairness.spread == 0.0


def test_what_a_store_has_kept_says_the_same() -> None:
    box = Sandbox()
    box.agent("ann", presence="online")
    box.create("1", "2", OwnerId="ann")
    box.clock.move(5 * MINUTE)
    box.happen("updated", "1", changes={"Status": "Closed"})
    with box.store.read() as unit:
        events, skips = kept_events(unit), skipped(unit, box.clock.now())
    assert [(event.type, event.id) for event in events] == [("created", "1"), ("created", "2"), ("updated", "1")]
    assert skips == {}
