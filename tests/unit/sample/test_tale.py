"""One record's tale: order, ids and moods."""

from __future__ import annotations

import random

from triage.domain.instant import HOUR, MINUTE, SECOND
from triage.sample.tale import Mood, Tale, open_minutes, wall_hours


def a_tale() -> Tale:
    tale = Tale("Case", "5001", 1000)
    tale.add("created", 1000, changes={"Status": "New"})
    return tale


def test_an_event_that_would_come_too_early_comes_right_after_the_last_one():
    """A tale never goes back in time."""
    tale = a_tale()
    tale.update(500, "005A", Status="Working")
    assert [event.at for event in tale.events] == [1000, 1000 + SECOND]


def test_events_carry_the_record_and_ids_of_their_own():
    """Every id names the record and the place in its tale."""
    tale = a_tale()
    tale.says(2000, "someone@customer.example", "hello")
    tale.writes(9000, "005A", "hello back")
    assert [event.event_id for event in tale.events] == ["5001/1", "5001/2", "5001/3"]
    assert {(event.object, event.id) for event in tale.events} == {("Case", "5001")}


def test_mail_has_a_direction_and_a_sender():
    """Customers write in, agents write out."""
    tale = a_tale()
    tale.says(2000, "someone@customer.example", "hello", auto=True)
    tale.writes(9000, "005A", "hello back")
    into, out = tale.events[1:]
    assert (into.direction, into.sender, into.auto) == ("in", "someone@customer.example", True)
    assert (out.direction, out.actor, out.auto) == ("out", "005A", False)


def test_a_mood_belongs_to_the_last_text_and_is_no_event():
    """Nobody who reads the events learns it."""
    tale = a_tale()
    tale.says(2000, "someone@customer.example", "hello")
    tale.feels("angry")
    told = tale.told(worth=70.0)
    assert told.moods == (Mood("5001", told.events[-1].at, "angry"),)
    assert [event.type for event in told.events] == ["created", "message"]
    assert told.worth == 70.0


def test_spans_stay_within_what_was_asked_for():
    """Minutes and hours are drawn between their bounds, to the second."""
    rng = random.Random(1)
    for _ in range(200):
        assert 2 * MINUTE <= open_minutes(rng, 2, 5) < 5 * MINUTE
        assert HOUR // 2 <= wall_hours(rng, 0.5, 2) < 2 * HOUR
        assert open_minutes(rng, 2, 5) % SECOND == 0
