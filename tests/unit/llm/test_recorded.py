"""What was asked once is never asked again."""

from __future__ import annotations

from msgspec.structs import replace

from tests.support.llm import LOCAL, case
from triage.domain.work import Scores
from triage.llm.recorded import RecordedScorer, scored_event


def test_recorded_scores_come_back_as_they_were() -> None:
    event = scored_event(case(), LOCAL, 5)
    assert (event.type, event.origin, event.object, event.id) == ("scored", "system", "Case", "500A")
    assert RecordedScorer().score([(case(), [event])], 5)[0].values == LOCAL.values


def test_a_later_score_overwrites_and_one_from_the_future_does_not() -> None:
    past = [scored_event(case(), Scores(values={"urgency.score": at / 10}), at) for at in (1, 2, 9)]
    assert RecordedScorer().score([(case(), past)], 5)[0].values == {"urgency.score": 0.2}


def test_only_the_families_asked_for_come_back() -> None:
    past = [scored_event(case(), LOCAL, 1)]
    found = RecordedScorer().score([(case(), past)], 5, ("urgency",))[0]
    assert set(found.values) == {"urgency.score", "urgency.abstained"}


def test_the_same_scores_at_one_instant_are_one_event() -> None:
    assert scored_event(case(), LOCAL, 5).event_id == scored_event(case(), LOCAL, 5).event_id
    assert scored_event(case(), LOCAL, 5).event_id != scored_event(case(), LOCAL, 6).event_id
    other = replace(LOCAL, values={"urgency.score": 1.0})
    assert scored_event(case(), LOCAL, 5).event_id != scored_event(case(), other, 5).event_id


def test_a_record_that_was_never_scored_has_no_scores() -> None:
    assert RecordedScorer().score([(case(), [])], 5) == [Scores()]
