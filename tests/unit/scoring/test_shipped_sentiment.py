"""The sentiment model that ships: golden rows, plain cases, size, and what its card owns up to."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from triage.domain.work import Event, WorkItem
from triage.scoring.customer_scores import SentimentScorer
from triage.scoring.language import LanguageModel
from triage.scoring.sentiment import NOTHING, TOLERANCE, Golden, SentimentModel

MODELS = Path(__file__).parents[3] / "models"
FOLDER = MODELS / "sentiment"


@pytest.fixture(scope="module")
def model() -> SentimentModel:
    return SentimentModel.load(FOLDER, language=LanguageModel.load(MODELS / "language"))


def test_golden_rows_come_out_as_they_were(model: SentimentModel) -> None:
    rows = [msgspec.json.decode(line, type=Golden) for line in (FOLDER / "golden.jsonl").read_bytes().splitlines()]
    assert len(rows) >= 200
    for row in rows[::5]:
        assert model.probabilities([row.text])[0] == pytest.approx(row.probabilities, abs=TOLERANCE)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("This is terrible, nobody helps and I want my money back.", "negative"),
        ("Your support was wonderful, thank you so much!", "positive"),
        ("I waited three hours and my bag is still lost. Worst service ever.", "negative"),
    ],
)
def test_plain_moods_are_named(model: SentimentModel, text: str, label: str) -> None:
    assert model.read(text).label == label


def test_it_abstains_on_german(model: SentimentModel) -> None:
    assert model.read("Die Rechnung stimmt nicht und niemand meldet sich bei uns.").abstained


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Je suis très mécontent, personne ne me répond depuis une semaine.", "fr"),
        ("O atendimento foi ótimo, muito obrigado pela ajuda rápida. 😀😀", "pt"),
        ("الخدمة ممتازة شكرا لكم جميعا", "ar"),
    ],
)
def test_it_abstains_on_other_languages_and_says_which(model: SentimentModel, text: str, code: str) -> None:
    """A foreign language is named in the reason, emoji beside it or not."""
    found = model.read(text)
    assert found.abstained
    assert found.why.startswith(f"written in {code},")


@pytest.mark.parametrize(
    ("piece", "times"),
    [("", 1), (" \n\t", 1), ("> only quoted\n", 2), ("\x00\x01", 9), ("\u200b", 2), ("\ud800", 1), ("\n", 10_000_000)],
)
def test_nothing_written_is_no_mood(model: SentimentModel, piece: str, times: int) -> None:
    """Where nothing is the customer's own, the reading is neutral at 0 and abstains."""
    assert model.read(piece * times) is NOTHING


@pytest.mark.parametrize(
    ("piece", "times"),
    [
        ("a", 10_000_000),
        ("terrible service ", 600_000),
        ("<", 10_000_000),
        ("e\u0301", 100_000),
        ("bad \ud800 thing", 1),
    ],
)
def test_any_text_is_read_whatever_is_in_it(model: SentimentModel, piece: str, times: int) -> None:
    """Ten megabytes, markup that never ends, marks on marks and broken letters give a reading like any other."""
    assert sum(model.read(piece * times).probabilities) == pytest.approx(1)


def test_emoji_alone_are_read(model: SentimentModel) -> None:
    """Emoji carry a mood by their names."""
    assert model.read("😡😡😡").label == "negative"
    assert model.read("🎉👍❤️").label == "positive"


def test_it_is_small_and_its_card_names_sources_and_terms() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 25_000_000
    card = (FOLDER / "card.md").read_text("utf-8")
    assert all(word in card for word in ("Apache-2.0", "SemEval", "airline", "research", "seed"))


def test_the_scorer_of_the_shipped_models_scores_a_thread() -> None:
    scorer = SentimentScorer.load(MODELS)
    item = WorkItem(object="Case", id="1", created_at=0, fields={"description": "Thanks, the new app is great!"})
    angry = Event(
        at=5, type="message", event_id="m", direction="in", body="It is broken again and nobody answers. Awful!"
    )
    found = scorer.score([(item, [angry])], 10)[0]
    assert found.values["sentiment.label"] == "negative"
    assert float(found.values["sentiment.shift"]) < -0.5  # type: ignore[arg-type]
    assert found.values["language.code"] == "en"
    assert set(found.model_versions) == {"sentiment", "complexity"}
