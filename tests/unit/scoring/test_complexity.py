"""The effort to expect, from numbers alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from triage.domain.work import Event, WorkItem
from triage.errors import ModelRefused
from triage.scoring.complexity import FEATURES, Coefficients, ComplexityModel, features
from triage.scoring.sealed import write_sealed

FOLDER = Path(__file__).parents[3] / "models" / "complexity"
ITEM = WorkItem(object="Case", id="1", created_at=0)


def _model(*, width: float = 0.1) -> ComplexityModel:
    count = len(FEATURES)
    weights = tuple(0.1 if name == "words" else 0.0 for name in FEATURES)
    return ComplexityModel(
        Coefficients(
            means=(2.0,) * count, scales=(1.0,) * count, weights=weights, intercept=0.5, half_widths=(width,) * 3
        )
    )


def test_more_words_speak_for_more_work_and_say_so() -> None:
    short, long = (_model().expect(ITEM, (), "word " * count) for count in (2, 200))
    assert short.score < 0.5 < long.score
    assert long.reasons == ("words (200) speaks for more work",)
    assert not long.abstained


def test_it_abstains_where_its_error_is_wide() -> None:
    found = _model(width=0.5).expect(ITEM, (), "hello there")
    assert found.abstained
    assert found.reasons[0].startswith("records like this one")


def test_it_abstains_where_nothing_is_written() -> None:
    assert _model().expect(ITEM, (), "").abstained


def test_scores_stay_between_zero_and_one() -> None:
    assert 0 <= _model().from_features([50.0] * len(FEATURES)).score <= 1
    assert 0 <= _model().from_features([-50.0] * len(FEATURES)).score <= 1


def test_automatic_mail_and_our_own_do_not_count() -> None:
    past = [
        Event(at=1, type="message", event_id="a", direction="in", body="x", sender="c@x.example"),
        Event(at=2, type="message", event_id="b", direction="in", body="away", sender="d@x.example", auto=True),
        Event(at=3, type="message", event_id="c", direction="out", body="y", sender="desk@shop.example"),
    ]
    row = dict(zip(FEATURES, features(ITEM, past, "x"), strict=True))
    assert row["messages so far"] == pytest.approx(0.6931, abs=1e-4)
    assert row["people who wrote"] == pytest.approx(0.6931, abs=1e-4)


def test_the_shipped_model_says_that_it_is_a_default() -> None:
    assert ComplexityModel.load(FOLDER).version
    assert "invented" in (FOLDER / "card.md").read_text("utf-8")


def test_a_model_for_other_features_is_refused(tmp_path: Path) -> None:
    numbers = b'{"means":[1],"scales":[1],"weights":[1],"intercept":0,"half_widths":[0,0,0]}'
    write_sealed(tmp_path, "complexity", {"model.json": numbers}, {})
    with pytest.raises(ModelRefused, match="other features"):
        ComplexityModel.load(tmp_path)
