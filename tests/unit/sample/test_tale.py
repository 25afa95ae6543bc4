"""One record's tale: order, ids and simulated scores."""

from __future__ import annotations

import random

import pytest

from triage.domain.instant import HOUR, MINUTE, SECOND
from triage.sample.tale import Tale, open_minutes, wall_hours


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


@pytest.mark.parametrize(
    ("mood", "label"),
    [
        ("thankful", "positive"),
        ("calm", "neutral"),
        ("worried", "neutral"),
        ("angry", "negative"),
        ("urgent", "negative"),
    ],
)
def test_simulated_scores_follow_the_mood(mood, label):
    """The label is the mood's, shares stay between 0 and 1, and scores come seconds after the text."""
    for seed in range(50):
        tale = a_tale()
        tale.feels(random.Random(seed), mood, "en")
        event = tale.events[-1]
        assert event.type == "scored"
        assert event.scores["sentiment"]["label"] == label
        assert 0 < event.scores["urgency"]["score"] < 1
        assert -1 <= event.scores["sentiment"]["score"] <= 1
        assert 0 < event.at - 1000 < MINUTE


def test_urgent_texts_score_higher_than_calm_ones():
    """On the average, and by far."""

    def mean(mood: str) -> float:
        total = 0.0
        for seed in range(100):
            tale = a_tale()
            tale.feels(random.Random(seed), mood, "en")
            total += tale.events[-1].scores["urgency"]["score"]
        return total / 100

    assert mean("urgent") > mean("worried") > mean("calm")


def test_spans_stay_within_what_was_asked_for():
    """Minutes and hours are drawn between their bounds, to the second."""
    rng = random.Random(1)
    for _ in range(200):
        assert 2 * MINUTE <= open_minutes(rng, 2, 5) < 5 * MINUTE
        assert HOUR // 2 <= wall_hours(rng, 0.5, 2) < 2 * HOUR
        assert open_minutes(rng, 2, 5) % SECOND == 0
