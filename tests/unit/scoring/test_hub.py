"""Any Hugging Face classifier: labels told apart, a folder opened, refusals in words."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from tests.support.tiny_encoder import tiny_encoder
from triage.domain.work import WorkItem
from triage.errors import ModelRefused
from triage.scoring.customer_scores import SentimentScorer
from triage.scoring.hub import HubModel, places

MODELS = Path(__file__).parents[3] / "models"


@pytest.mark.parametrize(
    ("names", "labels", "found"),
    [
        (["negative", "Neutral", "POS"], {}, [0, 1, 2]),
        (["1 star", "2 stars", "3 stars", "4 stars", "5 stars"], {}, [0, 0, 1, 2, 2]),
        (["LABEL_0", "LABEL_1"], {"LABEL_0": "negative", "LABEL_1": "positive"}, [0, 2]),
    ],
)
def test_labels_are_read_by_name_stars_or_as_told(names: list[str], labels: dict[str, str], found: list[int]) -> None:
    assert places(names, labels) == found


def test_a_label_that_tells_nothing_is_named() -> None:
    with pytest.raises(ModelRefused, match="LABEL_0"):
        places(["LABEL_0"], {})


def _classifier(room: Path, labels: dict[int, str]) -> Path:
    """Write a tiny classifier with *labels* into *room* and return its folder."""
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(tiny_encoder(room / "tiny") / "tokenizer.json"), pad_token="[PAD]", model_max_length=64
    )
    size = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 64}
    config = BertConfig(vocab_size=len(tokenizer), id2label=labels, **size)
    BertForSequenceClassification(config).save_pretrained(room / "model")
    tokenizer.save_pretrained(room / "model")
    return room / "model"


def test_a_folder_is_opened_and_reads_short_and_long_texts(tmp_path: Path) -> None:
    _classifier(tmp_path, {0: "negative", 1: "neutral", 2: "positive"})
    model = HubModel.load(tmp_path / "model")
    assert model.read("the order is late").probabilities == pytest.approx(model.probabilities(["the order is late"])[0])
    assert sum(model.probabilities(["late again " * 200])[0]) == pytest.approx(1)
    assert model.read("> only quoted").abstained


def test_a_model_that_is_not_on_this_machine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="no classifier"):
        HubModel.load(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("provider", "told"),
    [
        ("openai:x", "no sentiment provider 'openai:x'"),
        ("transformers:", "no sentiment provider"),
        ("transformers:/no/such/folder", "check the name and the network, or name a folder"),
    ],
)
def test_a_provider_that_gives_nothing_is_refused_in_words(provider: str, told: str) -> None:
    """A provider that is none, or a name that the hub cannot have, ends in one sentence and without the network."""
    with pytest.raises(ModelRefused, match=told):
        HubModel.named(provider)


def test_records_are_scored_by_the_classifier_that_the_settings_name(tmp_path: Path) -> None:
    """`transformers:FOLDER?LABELS` reads sentiment in place of the shipped model; the language is still told."""
    folder = _classifier(tmp_path, {0: "LABEL_0", 1: "LABEL_1"})
    named = f"transformers:{folder}?LABEL_0=negative,LABEL_1=positive"
    scorer = SentimentScorer.load(MODELS, provider=named)
    item = WorkItem(object="Case", id="1", created_at=0, fields={"description": "The order is late again."})
    found = scorer.score([(item, [])], 10)[0]
    assert found.values["sentiment.label"] in ("negative", "positive")
    assert found.values["language.code"] == "en"
    assert found.model_versions["sentiment"] == str(folder)
