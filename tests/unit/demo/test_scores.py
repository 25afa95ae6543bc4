"""The scorer that listens: what it remembers of another one's answers."""

from __future__ import annotations

from msgspec.structs import replace

from tests.unit.demo.scenes import NOW, action
from triage.demo.scores import ListeningScorer, Scored, by_score
from triage.domain.decision import Evidence, Reason
from triage.domain.instant import HOUR
from triage.domain.work import Event, Scores, WorkItem
from triage.testing import FixedScorer

CASE = WorkItem(object="Case", id="50001", created_at=NOW)
PAST = [Event(at=NOW, type="created", event_id="e1", object="Case", id="50001")]


def by(*leaves: str):
    return replace(action(), reason=Reason(evidence=tuple(Evidence(leaf) for leaf in leaves)))


def test_answers_pass_through_and_are_told_as_the_worker_tells_them():
    """One event, once taken."""
    scorer = ListeningScorer(FixedScorer(urgency__score=0.9))
    assert scorer.score([(CASE, PAST)], NOW, ("urgency",))[0].values == {"urgency.score": 0.9}
    [told] = scorer.take()
    assert (told.type, told.at, told.id, told.scores["urgency.score"]) == ("scored", NOW, "50001", 0.9)
    assert scorer.take() == []


def test_the_same_news_is_told_once():
    """As the worker takes it in once."""
    scorer = ListeningScorer(FixedScorer(urgency__score=0.9))
    scorer.score([(CASE, PAST)], NOW)
    scorer.score([(CASE, PAST)], NOW + HOUR)
    assert len(scorer.take()) == 1
    assert scorer.scored(()) == Scored(models={"urgency": "fixed"}, events=1, records=1)


def test_an_answer_without_values_is_no_event():
    """Nothing to tell."""
    scorer = ListeningScorer(FixedScorer(Scores()))
    scorer.score([(CASE, PAST)], NOW)
    assert scorer.take() == []
    assert scorer.scored((action(),)) == Scored()


def test_actions_by_score_are_those_with_a_score_among_their_reasons():
    """A field that only sounds like one is none."""
    assert by_score(by("account.tier == Gold", "urgency.score >= 85%"))
    assert by_score(by("became: sentiment.label == negative"))
    assert not by_score(by("account.tier == Gold", "milestone.lead_call.used >= 80%"))
    actions = (by("lead.value >= 5000"), action())
    assert ListeningScorer(FixedScorer()).scored(actions).actions == 1
