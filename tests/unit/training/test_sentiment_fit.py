"""A sentiment fit end to end on a tiny encoder: tune, export, gate, calibrate, seal, open, read."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tests.support.tiny_encoder import tiny_encoder
from training.bert import Tuned, fill
from training.sentiment import Wish, evaluate_sentiment, fit_sentiment
from training.sentiment_base import load_base, served_weights
from training.sentiment_calibrate import fit_lean, fit_scaling, fit_thresholds, macro_f1, macro_recall
from training.sentiment_export import export, gate
from training.sentiment_tune import Pace, _affordable
from training.sentiment_tuning import Recipe, mix
from triage.errors import ModelRefused
from triage.scoring.encoder import Encoder, windows
from triage.scoring.language import LanguageModel
from triage.scoring.sealed import read_sealed
from triage.scoring.sentiment import SentimentModel, softmax

LANGUAGES = Path(__file__).parents[3] / "models" / "language"
_MOODS = (
    ["late", "broken", "wrong", "slow", "bad", "angry", "terrible", "awful"],
    ["question", "where", "when", "how", "number", "please", "change", "address"],
    ["great", "thanks", "love", "fast", "helpful", "perfect", "happy", "works"],
)


def invented(count: int, seed: int = 1) -> tuple[list[str], list[int]]:
    """Return texts whose mood two words tell, one in fifteen labelled wrongly."""
    rng = random.Random(seed)
    texts, labels = [], []
    for number in range(count):
        mood = rng.randrange(3)
        thing, first, second = rng.choice(("order", "invoice", "app")), *rng.choices(_MOODS[mood], k=2)
        texts.append(f"the {thing} was so very {first} and it is {second} today, we say number {number}")
        labels.append(mood if rng.random() < 0.93 else 1)
    return texts, labels


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def wish(base: Path) -> Wish:
    return Wish(base=base, languages=LANGUAGES, threads=1, rate=4e-3, epochs=2.0, seconds=60, bf16=False)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory, wish: Wish) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("fitted") / "model"
    return out, fit_sentiment(*invented(600), out, wish=wish)


def test_a_fit_learns_and_tells_what_it_did(fitted: tuple[Path, dict[str, Any]]) -> None:
    out, found = fitted
    assert found["metrics"]["macro_f1"]["value"] > 0.8
    assert found["languages"] == ("en",)
    assert found["recipe"]["parity"]["exact_gap"] < 1e-3
    card = (out / "card.md").read_text("utf-8")
    assert card.startswith("# sentiment: of 10 customers")
    assert "parity on" in card


def test_a_fitted_model_reads_later_texts(fitted: tuple[Path, dict[str, Any]]) -> None:
    texts, labels = invented(150, seed=9)
    found = evaluate_sentiment(fitted[0], texts, [*labels[:-1], None], languages=LANGUAGES)
    assert found["rows"] == 149
    assert found["metrics"]["macro_f1"]["value"] > 0.75
    assert (
        found["metrics"]["macro_f1"]["low"]
        <= found["metrics"]["macro_f1"]["value"]
        <= found["metrics"]["macro_f1"]["high"]
    )
    assert found["coverage"] > 0.8


def test_golden_rows_come_out_as_they_were(fitted: tuple[Path, dict[str, Any]]) -> None:
    model = SentimentModel.load(fitted[0])
    lines = [msgspec.json.decode(line) for line in (fitted[0] / "golden.jsonl").read_bytes().splitlines()]
    assert len(lines) >= 200
    for row in lines[::9]:
        assert model.probabilities([row["text"]])[0] == pytest.approx(row["probabilities"], abs=1e-6)


def test_a_reading_does_not_depend_on_what_is_read_beside_it(fitted: tuple[Path, dict[str, Any]]) -> None:
    model = SentimentModel.load(fitted[0])
    texts = invented(20, seed=3)[0]
    together = model.probabilities(texts)
    alone = np.stack([model.probabilities([text])[0] for text in reversed(texts)])[::-1]
    assert np.abs(together - alone).max() <= 1e-9


def test_it_abstains_on_a_language_it_was_not_trained_for_and_on_nothing(fitted: tuple[Path, dict[str, Any]]) -> None:
    model = SentimentModel.load(fitted[0], language=LanguageModel.load(LANGUAGES))
    german = model.read("Die Rechnung stimmt nicht und niemand meldet sich bei uns.")
    assert german.abstained
    assert german.why.startswith("written in de")
    assert model.read("> quoted only").why == "nothing is written by the customer"


def test_long_texts_go_through_in_windows(fitted: tuple[Path, dict[str, Any]]) -> None:
    model = SentimentModel.load(fitted[0])
    long = model.read("the order was so very bad and it is awful today. " * 300)
    assert long.label == "negative"


@pytest.mark.parametrize("name", ["encoder.onnx", "head.npz", "tokenizer.json", "golden.jsonl", "card.md"])
def test_one_changed_byte_anywhere_is_refused_by_name(
    fitted: tuple[Path, dict[str, Any]], tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(fitted[0], folder)
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(ModelRefused, match=f"{name} was changed"):
        SentimentModel.load(folder)


def test_one_seed_and_thread_give_the_same_files(tmp_path: Path, wish: Wish) -> None:
    texts, labels = invented(520)
    for name in ("one", "two"):
        torch.rand(3)
        fit_sentiment(texts, labels, tmp_path / name, wish=wish)
    one, two = (read_sealed(tmp_path / name, "sentiment").manifest["files"] for name in ("one", "two"))
    assert one == two


def test_few_rows_learn_on_the_encoder_as_it_is(fitted: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    told: list[str] = []
    wish = Wish(base=fitted[0], languages=LANGUAGES, threads=1)
    texts, labels = invented(150, seed=5)
    found = fit_sentiment(texts, [2 - label for label in labels], tmp_path / "few", wish=wish, tell=told.append)
    assert found["recipe"]["kind"] == "frozen encoder, linear head"
    assert any("too few rows" in line for line in told)


@pytest.mark.parametrize("count", [160, 600])
def test_a_target_of_two_moods_is_learnt_and_neutral_is_never_said(
    fitted: tuple[Path, dict[str, Any]], tmp_path: Path, wish: Wish, count: int
) -> None:
    """Labels 0 and 1 give negative and positive; neutral is neither said nor kept possible."""
    texts, labels = invented(2 * count, seed=8)
    said = [text for text, label in zip(texts, labels, strict=True) if label != 1]
    moods = [label // 2 for label in labels if label != 1]
    asked = msgspec.structs.replace(wish, base=fitted[0])
    found = fit_sentiment(said, moods, tmp_path / "two", wish=asked)
    assert found["metrics"]["macro_f1"]["value"] > 0.8
    readings = [SentimentModel.load(tmp_path / "two").read(text) for text in said[:60]]
    assert {reading.label for reading in readings} == {"negative", "positive"}
    assert not all(reading.abstained for reading in readings)
    assert not any("neutral" in reading.why for reading in readings)


def test_rows_that_teach_nothing_leave_the_base_as_it_was(
    fitted: tuple[Path, dict[str, Any]], tmp_path: Path, wish: Wish
) -> None:
    """Where tuning ends worse by the choosing slice, the base's own encoder is served; its head and words are tried."""
    texts, labels = invented(600)
    spoilt = msgspec.structs.replace(wish, base=fitted[0], rate=1.0, epochs=0.5)
    found = fit_sentiment(texts, labels, tmp_path / "spoilt", wish=spoilt)
    assert {line.split(",")[0] for line in found["tried"]} == {"fine-tuned encoder", "frozen encoder", "base as it was"}
    assert (tmp_path / "spoilt" / "encoder.onnx").read_bytes() == (fitted[0] / "encoder.onnx").read_bytes()
    assert found["metrics"]["macro_f1"]["value"] > 0.8


def test_the_best_point_on_the_way_is_kept(base: Path) -> None:
    """Of the points between two sets of weights the one with the least loss stays in the model."""
    model = Tuned(load_base(base).shape)
    before = {name: torch.zeros_like(weight) for name, weight in model.state_dict().items()}
    model.load_state_dict({name: torch.ones_like(weight) for name, weight in before.items()})
    share, losses = mix(model, before, lambda: abs(float(model.head.bias[0].detach()) - 0.4))
    assert share == 0.5
    assert set(losses) == {"1", "0.75", "0.5", "0.25"}
    assert all(float(weight.detach().mean()) == 0.5 for weight in model.state_dict().values())


def test_a_run_ends_inside_its_budget(tmp_path: Path, wish: Wish) -> None:
    ticks = iter(range(10_000))
    short = msgspec.structs.replace(wish, seconds=5)
    found = fit_sentiment(*invented(520), tmp_path / "short", wish=short, elapsed=lambda: float(next(ticks)))
    assert found["recipe"]["done"]["steps"] < found["recipe"]["done"]["planned"]


def test_a_served_model_gives_its_weights_back(fitted: tuple[Path, dict[str, Any]]) -> None:
    served = load_base(fitted[0])
    model = Tuned(served.shape)
    fill(model, served.weights)
    model.eval()
    encoder = Encoder((fitted[0] / "encoder.onnx").read_bytes(), served.tokenizer)
    tokens = encoder.tokens("the order was so very bad")
    ids = torch.tensor([encoder.marked(tokens)])
    with torch.inference_mode():
        again = model(ids, torch.ones_like(ids))[0][0].numpy()
    assert np.abs(again - encoder.pooled_tokens(tokens)).max() < 0.25
    assert set(served_weights((fitted[0] / "encoder.onnx").read_bytes())) == set(model.bert.state_dict())


def test_weights_come_back_from_every_form_that_may_be_served(base: Path) -> None:
    """A base in int8, in int8 in part, or in float32 can be gone on from."""
    checkpoint = load_base(base)
    model = Tuned(checkpoint.shape)
    fill(model, checkpoint.weights)
    torch.manual_seed(4)
    with torch.no_grad():  # equal arrays would be stored once
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.01)
    real = model.bert.state_dict()
    sizes = []
    for graph in export(model, 4)[1]:
        again = served_weights(graph)
        assert set(again) == set(real)
        again["embeddings.token_type_embeddings.weight"][1] = real["embeddings.token_type_embeddings.weight"][1]
        gaps = {name: float(np.abs(again[name] - real[name].numpy()).max()) for name in real}
        assert max(gaps.values()) < 0.05, gaps
        sizes.append(len(graph))
    assert sizes[1] < sizes[2] < sizes[3]


def test_the_gate_stops_a_graph_of_other_weights(base: Path) -> None:
    checkpoint = load_base(base)
    right, wrong = Tuned(checkpoint.shape), Tuned(checkpoint.shape)
    fill(right, load_file(base / "model.safetensors"))
    texts, graphs = invented(30)[0], export(wrong, 4)
    with pytest.raises(ModelRefused, match="export is not exact"):
        gate(right, (graphs[0], graphs[1][0]), checkpoint.tokenizer, texts, np.zeros(30, dtype=int), macro_f1)


def test_windows_cover_the_text_and_stop_at_a_limit() -> None:
    assert windows([]) == [[]]
    assert sorted({token for part in windows(list(range(900))) for token in part}) == list(range(900))
    assert len(windows(list(range(100_000)))) == 24
    assert windows(list(range(100_000)))[-1][-1] >= 99_900


def test_scaling_undoes_a_known_distortion() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 1.5, (4000, 3))
    labels = np.array([rng.choice(3, p=row) for row in softmax(logits)])
    temperature, shift = fit_scaling(logits * 3 + np.array([1.0, 0.0, -1.0]), labels)
    assert temperature == pytest.approx(3, abs=0.25)
    assert np.array(shift) == pytest.approx([-1 / 3, 0, 1 / 3], abs=0.1)


def test_thresholds_cover_the_promised_share_of_each_class() -> None:
    rng = np.random.default_rng(2)
    shares = softmax(rng.normal(0, 1.5, (8000, 3)))
    labels = np.array([rng.choice(3, p=row) for row in shares])
    limits = np.array(fit_thresholds(shares[:4000], labels[:4000], 0.9))
    kept = (1 - shares[4000:] <= limits)[np.arange(4000), labels[4000:]]
    for which in range(3):
        assert kept[labels[4000:] == which].mean() == pytest.approx(0.9, abs=0.02)


def test_the_lean_helps_rare_classes() -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 1, (4000, 3)) + np.array([2.0, 0.0, 0.0])
    shares = softmax(logits)
    labels = np.array([rng.choice(3, p=row) for row in shares])
    leaning = np.array(fit_lean(shares, labels))
    plain, leant = shares.argmax(axis=1), (np.log(shares) + leaning).argmax(axis=1)
    assert macro_recall(labels, leant) > macro_recall(labels, plain)
    assert macro_f1(labels, leant) >= macro_f1(labels, plain)


def test_what_does_not_fit_the_time_is_not_planned(wish: Wish) -> None:
    """Passes planned come down to what the pace allows; with one thread nothing measured enters."""
    slow = Pace(2, False, 10.0)
    recipe = Recipe(epochs=4.0)
    two = msgspec.structs.replace(wish, threads=2, seconds=100.0)
    assert _affordable(recipe, 1000, slow, two) == 1.5
    assert _affordable(recipe, 100, slow, two) == 4.0
    assert _affordable(recipe, 1000, slow, wish) == 4.0
