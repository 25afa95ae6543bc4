"""Records get the scores that their rules read: once for each news, again as they age, and never by our own doing."""

from __future__ import annotations

from triage.domain.instant import HOUR, MINUTE
from triage.domain.work import Event
from triage.errors import ScoringError
from triage.ports import EffectFilter, record_key
from triage.rescoring import RETRY_AFTER
from triage.scored import AGES
from triage.testing import SMALL_POLICY, START, FixedScorer, Sandbox

URGENT = {
    **SMALL_POLICY,
    "urgent.yaml": """
object: Case
match: all_matches
rules:
  - id: urgent
    when:
      - urgency.score >= 80%
    do:
      - reprioritise: {to: High}
""",
}


def sandbox(scorer: FixedScorer, texts: dict[str, str] | None = None) -> Sandbox:
    return Sandbox(texts or URGENT, scorer=scorer)


def scored(house: Sandbox, name: str = "1") -> list[Event]:
    with house.store.read() as unit:
        return [one for one in unit.intake.events(record_key("Case", name)) if one.type == "scored"]


def test_a_new_record_is_scored_and_its_rule_acts() -> None:
    """The score comes as an event, with the model that gave it; the rule that reads it holds from then on."""
    scorer = FixedScorer(urgency__score=0.91234567, sentiment__label="negative")
    house = sandbox(scorer)
    house.create("1")
    assert house.worker.score(house.clock.now()) == 1
    (event,) = scored(house)
    assert event.scores["urgency.score"] == 0.912346
    assert event.scores["model_versions"] == {"urgency": "fixed"}
    assert scorer.wanted == [("urgency",)], "only what a rule reads is asked for"
    with house.store.read() as unit:
        assert [one.action.rule for one in unit.outbox.find(EffectFilter())] == ["urgent"]
        assert unit.records.get(["Case/1"])["Case/1"].facts.item.fields["urgency.score"] == 0.912346


def test_nothing_is_scored_where_no_rule_reads_a_score() -> None:
    """A score that nobody reads costs nothing."""
    scorer = FixedScorer(urgency__score=0.9)
    house = sandbox(scorer, dict(SMALL_POLICY))
    house.create("1")
    assert house.worker.score(house.clock.now()) == 0
    assert scorer.asked == 0


def test_the_same_news_is_scored_once_and_new_ones_again() -> None:
    """A second round finds nothing; a message brings the next; what triage did itself brings none."""
    house = sandbox(FixedScorer(urgency__score=0.9))
    house.create("1")
    assert [house.worker.score(house.clock.now()) for _ in range(2)] == [1, 0]
    house.after(MINUTE)
    house.happen("message", "1", direction="in", body="still down")
    house.happen("updated", "1", changes={"Priority": "High"}, origin="triage", rule="urgent")
    assert [house.worker.score(house.clock.now()) for _ in range(2)] == [1, 0]
    assert len(scored(house)) == 2


def test_an_open_record_is_scored_again_as_it_ages_and_a_closed_one_is_not() -> None:
    """At 4, 24 and 72 hours without any news; never once it is closed."""
    house = sandbox(FixedScorer(urgency__score=0.1))
    house.create("1", "2")
    house.worker.score(house.clock.now())
    house.happen("updated", "2", changes={"Status": "Closed"})
    found = []
    for hours in range(1, 100):
        house.clock.set(START + hours * HOUR)
        house.worker.fire(house.clock.now())
        if house.worker.score(house.clock.now()):
            found.append(hours * HOUR)
    assert tuple(found) == AGES
    assert (len(scored(house)), len(scored(house, "2"))) == (4, 1)


def test_scores_that_cannot_be_given_are_tried_again_and_nothing_else_waits() -> None:
    """A fault of the scorer leaves the record as it is, on the clock's rules, and comes back later."""
    scorer = FixedScorer(urgency__score=0.9)
    scorer.fault = ScoringError("no model")
    house = sandbox(scorer)
    house.create("1")
    assert house.worker.score(house.clock.now()) == 1
    assert scored(house) == []
    scorer.fault = None
    assert house.worker.score(house.clock.now() + RETRY_AFTER - 1) == 0
    assert house.worker.score(house.clock.now() + RETRY_AFTER) == 1
    assert len(scored(house)) == 1


def test_a_policy_that_asks_for_a_new_score_gets_it_for_open_records_too() -> None:
    """Records that were there before a rule read a score are scored once the rule is published."""
    scorer = FixedScorer(urgency__score=0.9)
    house = sandbox(scorer, dict(SMALL_POLICY))
    house.create("1")
    assert house.worker.score(house.clock.now()) == 0
    house.after(MINUTE)
    house.publish(URGENT)
    house.worker.fire(house.clock.now())
    assert house.worker.score(house.clock.now()) == 1
    assert len(scored(house)) == 1


def test_a_scorer_sees_the_past_and_nothing_later() -> None:
    """Events after the instant of scoring do not reach the scorer."""
    scorer = FixedScorer(urgency__score=0.9)
    house = sandbox(scorer)
    house.create("1")
    late = Event(
        at=START + HOUR, type="message", event_id="late", object="Case", id="1", direction="in", body="tomorrow"
    )
    house.worker.ingest([late], START, source="test", live_from=0)
    house.worker.score(START)
    (_, past) = scorer.seen[0]
    assert [event.type for event in past] == ["created"]
