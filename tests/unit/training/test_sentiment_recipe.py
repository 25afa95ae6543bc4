"""The recipe of the shipped model, on invented messages and a tiny encoder: what it may learn, and that it repeats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tests.support.tiny_encoder import tiny_encoder
from training import sentiment_recipe as recipe
from training.sentiment_base import Base, load_base
from training.sentiment_rows import draws, split
from triage.scoring.sentiment import SentimentModel

_MOODS = ("terrible and late", "a question of hours", "great and helpful")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    count = 300
    texts = [f"the order {at} was {_MOODS[at % 3]}" for at in range(2 * count)]
    labels = [at % 3 for at in range(count)]
    splits = ["2013train" if at % 2 else recipe.LATEST for at in range(count)]
    general = {"MessageId": range(count), "split": splits, "TextBody": texts[:count], "y_sentiment": labels}
    pd.DataFrame(general).to_parquet(folder / "semeval_message.parquet")
    days = pd.date_range("2015-02-16", periods=count, freq="h")
    airlines = {"MessageId": range(count), "CreatedDate": days, "TextBody": texts[count:], "y_sentiment": labels}
    pd.DataFrame(airlines).to_parquet(folder / "airline_message.parquet")
    return folder


@pytest.fixture(scope="module")
def sources(data: Path) -> recipe.Sources:
    return recipe.read_sources(data)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return load_base(tiny_encoder(tmp_path_factory.mktemp("base")))


def test_late_messages_and_those_kept_out_are_never_learnt(sources: recipe.Sources) -> None:
    """No stage has a late airline message, or one that any fit would hold out; the first has no airline at all."""
    first, second = recipe.stage_rows(sources)
    learnt = np.concatenate([first, second])
    assert sources.late.sum() == 60
    assert not (sources.late | sources.kept_out)[learnt].any()
    assert sources.general[first].all()
    assert not sources.latest[first].any()


def test_a_fit_without_times_holds_out_what_the_recipe_kept_out(sources: recipe.Sources) -> None:
    """The rows that a usual fit judges itself on draw above the line that the recipe stays below."""
    cut = split(sources.rows, None, held=0.1, seed=recipe.SEED)
    held = np.concatenate([cut.choose, cut.calibrate])
    assert (draws(sources.rows.said, recipe.SEED)[held] >= recipe.KEPT_OUT).all()


def test_the_second_stage_goes_on_from_a_checkpoint_as_if_it_had_not_stopped(
    sources: recipe.Sources, base: Base, tmp_path: Path
) -> None:
    """A run from the checkpoint of the first stage ends at the very weights of a run in one go."""
    whole, _ = recipe.learn(sources, base, tmp_path / "stage", lambda line: None)
    torch.rand(3)
    again, stages = recipe.learn(sources, base, tmp_path / "stage", lambda line: None)
    assert [stage["recipe"]["seed"] for stage in stages] == [recipe.SEED, recipe.SEED + 1]
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name]), name


def test_the_recipe_writes_a_folder_that_opens_and_says_how_to_make_it_again(data: Path, tmp_path: Path) -> None:
    """From tables to a sealed model with a card that names command, stages, sources and terms."""
    recipe.main(data, tmp_path / "out", start=tiny_encoder(tmp_path / "base"))
    assert SentimentModel.load(tmp_path / "out").read("the order was late").label
    card = (tmp_path / "out" / "card.md").read_text("utf-8")
    assert all(word in card for word in ("python -m training.sentiment_recipe", "two stages", "research", "sha256"))
