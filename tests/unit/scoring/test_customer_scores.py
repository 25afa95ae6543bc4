"""Scores of what customers wrote, with a reader whose mood is plain to see."""

from __future__ import annotations

from pathlib import Path

import pytest

from triage.domain.work import Event, WorkItem
from triage.scoring.complexity import ComplexityModel
from triage.scoring.customer_scores import SentimentScorer, sentences, thread_of
from triage.scoring.language import LanguageModel
from triage.scoring.sentiment import Reading

MODELS = Path(__file__).parents[3] / "models"
CASE = WorkItem(
    object="Case", id="1", created_at=0, fields={"subject": "Order late", "description": "Where is my order?"}
)


class PlainReader:
    """Reads by three words: bad, good, and nothing else."""

    version = "plain"

    def read(self, text: str) -> Reading:
        if not text:
            return Reading(label="neutral", probabilities=(0, 1, 0), score=0, abstained=True, why="nothing is written")
        score = 0.8 if "good" in text else -0.8 if "bad" in text else 0.0
        label = "positive" if score > 0 else "negative" if score else "neutral"
        return Reading(label=label, probabilities=(0.1, 0.1, 0.8), score=score, abstained=False)


def _mail(at: int, body: str, *, direction: str = "in", auto: bool = False) -> Event:
    return Event(
        at=at, type="message", event_id=f"m{at}", object="Case", id="1", direction=direction, body=body, auto=auto
    )  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def scorer() -> SentimentScorer:
    return SentimentScorer(
        PlainReader(), LanguageModel.load(MODELS / "language"), ComplexityModel.load(MODELS / "complexity")
    )


def test_the_latest_inbound_message_is_read(scorer: SentimentScorer) -> None:
    found = scorer.score([(CASE, [_mail(1, "This is bad."), _mail(2, "Now it is good.")])], 10)[0]
    assert found.values["sentiment.label"] == "positive"
    assert found.model_versions["sentiment"] == "plain"


def test_the_shift_is_the_latest_against_the_mean_before(scorer: SentimentScorer) -> None:
    found = scorer.score([(CASE, [_mail(1, "good"), _mail(2, "bad")])], 10)[0]
    assert found.values["sentiment.shift"] == pytest.approx(-0.8 - 0.4)
    assert "worse than in the 2 messages before" in found.reasons["sentiment"]


def test_a_first_message_has_no_shift(scorer: SentimentScorer) -> None:
    assert "sentiment.shift" not in scorer.score([(CASE, [])], 10)[0].values


@pytest.mark.parametrize(
    "event",
    [_mail(5, "I am away, bad time", auto=True), _mail(5, "We are bad at this", direction="out"), _mail(50, "bad")],
)
def test_machines_the_desk_and_the_future_are_not_read(scorer: SentimentScorer, event: Event) -> None:
    past = [_mail(1, "good")]
    assert scorer.score([(CASE, [*past, event])], 10) == scorer.score([(CASE, past)], 10)


def test_quoted_mail_is_not_read(scorer: SentimentScorer) -> None:
    body = "All good.\n\nOn Mon, 3 Mar 2025, Desk wrote:\n> this is bad\n"
    assert scorer.score([(CASE, [_mail(1, body)])], 10)[0].values["sentiment.label"] == "positive"


def test_a_record_without_words_abstains(scorer: SentimentScorer) -> None:
    found = scorer.score([(WorkItem(object="Case", id="2", created_at=0), [])], 10)[0]
    assert found.values["sentiment.abstained"] is True
    assert found.values["complexity.abstained"] is True
    assert found.values["language.code"] == "und"


def test_only_wanted_families_are_scored(scorer: SentimentScorer) -> None:
    found = scorer.score([(CASE, [])], 10, {"language", "urgency"})[0]
    assert set(found.values) == {"language.code", "language.confidence"}


def test_the_language_of_a_short_answer_comes_from_the_thread(scorer: SentimentScorer) -> None:
    past = [_mail(1, "Die Rechnung stimmt nicht und niemand meldet sich."), _mail(2, "ok")]
    assert scorer.score([(CASE, past)], 10, {"language"})[0].values["language.code"] == "de"


def test_reasons_quote_the_sentence_that_tells(scorer: SentimentScorer) -> None:
    told = scorer.score([(CASE, [_mail(1, "The app is new. Support is bad. Bye.")])], 10)[0].reasons["sentiment"]
    assert "“Support is bad.” reads negative" in told


def test_order_and_company_change_nothing(scorer: SentimentScorer) -> None:
    items = [(CASE, [_mail(1, word)]) for word in ("good", "bad", "hm")]
    alone = [scorer.score([item], 10)[0] for item in items]
    assert scorer.score(items, 10) == alone
    assert scorer.score(items[::-1], 10) == alone[::-1]


def test_a_description_repeated_as_mail_counts_once() -> None:
    event = _mail(1, "Order late\nWhere is my order?")
    assert thread_of(CASE, [event]).earlier == ()


def test_sentences_end_at_marks_and_lines() -> None:
    assert sentences("One. Two!\nthree 3.5 kg? 12") == ["One.", "Two!", "three 3.5 kg?"]
