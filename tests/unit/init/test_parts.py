"""Answers: what was given settles what is asked, the rest stays open, one question per key."""

from __future__ import annotations

import pytest

from triage.errors import IntakeError
from triage.init.parts import TODO, Answers, Question

ZONE = Question("zone", "Which?", (), ("Opened",))


def test_an_answer_for_one_column_beats_that_for_all() -> None:
    """`zone.Opened` over `zone`."""
    answers = Answers({"zone": "UTC", "zone.Opened": "Asia/Tokyo"})
    assert answers.find("zone", "Opened") == "Asia/Tokyo"
    assert answers.find("zone", "Closed") == answers.find("zone") == "UTC"


def test_what_is_not_answered_is_todo_and_open() -> None:
    """Asked of several columns, it is one question about all of them."""
    answers = Answers({})
    assert answers.settle("zone", "Opened", ZONE) == TODO
    assert answers.settle("zone", "Closed", Question("zone", "Which?", ("UTC",), ("Closed", "Opened"))) == TODO
    assert answers.questions() == (Question("zone", "Which?", ("UTC",), ("Opened", "Closed")),)


def test_what_is_answered_is_not_asked() -> None:
    """Nothing stays open."""
    answers = Answers({"zone": "UTC"})
    assert answers.settle("zone", "Opened", ZONE) == "UTC"
    assert answers.questions() == ()


@pytest.mark.parametrize("key", ["zoen", "colour", "unit", "zone.Nowhere"])
def test_answers_to_nothing_are_refused(key: str) -> None:
    """A typing error would otherwise pass for an answer."""
    with pytest.raises(IntakeError):
        Answers({key: "x"}).refuse_strangers([])
