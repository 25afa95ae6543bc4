"""A model's answer reaches a score only within the bounds of the local one."""

from __future__ import annotations

import random

import pytest
from msgspec.structs import replace

from tests.support.llm import LOCAL, llm_policy
from triage.domain.work import Scores
from triage.llm.answers import Finding
from triage.llm.bounds import fallen_back, merge
from triage.rules.llm_policy import ScoreMode, Task, TaskName

POLICY = llm_policy()


def merged(name: TaskName, finding: Finding, mode: ScoreMode = "llm_with_local_floor", local: Scores = LOCAL) -> Scores:
    return merge(local, {name: finding}, (Task(name=name, mode=mode),), POLICY, "v").scores


def mood(score: int, label: str, shift: int = 0) -> Finding:
    return Finding(score=score, label=label, shift=shift)


def test_urgency_never_falls_below_the_local_score() -> None:
    assert merged("urgency", Finding(score=0)).values["urgency.score"] == 0.512345


def test_urgency_rises_by_max_raise_at_most() -> None:
    assert merged("urgency", Finding(score=1000)).values["urgency.score"] == 0.812345


def test_urgency_between_the_bounds_is_the_models() -> None:
    assert merged("urgency", Finding(score=700)).values["urgency.score"] == 0.7


@pytest.mark.parametrize("mode", ["llm", "escalate_to_llm", "llm_with_local_floor"])
def test_urgency_is_bounded_in_every_mode(mode: ScoreMode) -> None:
    assert merged("urgency", Finding(score=1000), mode).values["urgency.score"] == 0.812345
    assert merged("urgency", Finding(score=0), mode).values["urgency.score"] == 0.512345


def test_urgency_without_a_local_score_is_max_raise_at_most() -> None:
    assert merged("urgency", Finding(score=1000), local=Scores()).values["urgency.score"] == 0.3


def test_complexity_is_bounded_with_a_floor_and_free_without() -> None:
    assert merged("complexity", Finding(score=0)).values["complexity.score"] == 0.3
    assert merged("complexity", Finding(score=0), "llm").values["complexity.score"] == 0.0


def test_a_mood_may_be_worse_than_the_local_one_and_never_better() -> None:
    worse = merged("sentiment", mood(-1000, "negative", -500)).values
    assert (worse["sentiment.score"], worse["sentiment.label"], worse["sentiment.shift"]) == (-0.4, "negative", -0.3)
    better = merged("sentiment", mood(1000, "positive", 900)).values
    assert (better["sentiment.score"], better["sentiment.label"], better["sentiment.shift"]) == (-0.1, "neutral", 0.0)


def test_a_mood_without_a_floor_is_the_models() -> None:
    found = merged("sentiment", mood(900, "positive", 200), "llm").values
    assert (found["sentiment.label"], found["sentiment.score"], found["sentiment.shift"]) == ("positive", 0.9, 0.2)


def test_words_are_the_models_with_version_and_reason() -> None:
    found = merged("intent", Finding(label="refund", reason="money back"), "llm")
    assert found.values["intent.label"] == "refund"
    assert found.model_versions["intent"] == "v"
    assert found.reasons["intent"] == ("model: money back",)


def test_the_models_reason_stands_before_the_local_ones() -> None:
    assert merged("urgency", Finding(score=700, reason="down")).reasons["urgency"] == ("model: down", "old backlog")


def test_what_is_asked_in_shadow_changes_nothing_and_is_compared() -> None:
    found = merge(LOCAL, {"urgency": Finding(score=600)}, (Task(name="urgency", mode="shadow"),), POLICY, "v")
    assert found.scores == LOCAL
    assert found.compared == {"urgency": (0.512345, 0.6)}


def test_disagreement_beyond_the_threshold_is_flagged() -> None:
    assert merged("urgency", Finding(score=1000)).reasons["llm"] == ("disagrees:urgency",)
    assert merged("sentiment", mood(-500, "negative")).reasons["llm"] == ("disagrees:sentiment",)
    assert "llm" not in merged("urgency", Finding(score=700)).reasons


def test_falling_back_adds_the_code_and_changes_nothing_else() -> None:
    found = fallen_back(LOCAL, "timeout")
    assert found == replace(LOCAL, reasons={**LOCAL.reasons, "llm": ("timeout",)})


def test_no_answer_leaves_the_bounds() -> None:
    """3,000 random local scores and answers, each task and mode: the law itself, in exact arithmetic."""
    chance = random.Random(7)
    most = POLICY.max_raise * 1000
    for _ in range(3000):
        own, raw = chance.randrange(1_000_001), chance.randrange(1001)
        local = Scores(values={"urgency.score": own / 1_000_000, "sentiment.score": (own - 500_000) / 500_000})
        urgency = round(1_000_000 * float(merged("urgency", Finding(score=raw), local=local).values["urgency.score"]))  # type: ignore[arg-type]
        assert own <= urgency <= max(own, min(own + most, 1_000_000))
        floor = round(1_000_000 * ((own - 500_000) / 500_000))
        value = merged("sentiment", mood(2 * raw - 1000, "neutral"), local=local).values["sentiment.score"]
        assert floor - most <= round(1_000_000 * float(value)) <= floor  # type: ignore[arg-type]
