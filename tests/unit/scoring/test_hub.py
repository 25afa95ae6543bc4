"""Any Hugging Face classifier: labels told apart, a folder opened, refusals in words."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from tests.support.tiny_encoder import tiny_encoder
from triage.errors import ModelRefused
from triage.scoring.hub import HubModel, places


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


def test_a_folder_is_opened_and_reads_short_and_long_texts(tmp_path: Path) -> None:
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(tiny_encoder(tmp_path / "tiny") / "tokenizer.json"), pad_token="[PAD]", model_max_length=64
    )
    size = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 64}
    config = BertConfig(vocab_size=len(tokenizer), id2label={0: "negative", 1: "neutral", 2: "positive"}, **size)
    BertForSequenceClassification(config).save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    model = HubModel.load(tmp_path / "model")
    assert model.read("the order is late").probabilities == pytest.approx(model.probabilities(["the order is late"])[0])
    assert sum(model.probabilities(["late again " * 200])[0]) == pytest.approx(1)
    assert model.read("> only quoted").abstained


def test_a_model_that_is_not_on_this_machine_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="no classifier"):
        HubModel.load(tmp_path / "nothing")
