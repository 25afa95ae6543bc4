"""No vendor is trusted to keep to a schema."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.llm import llm_policy
from tests.support.llm_stub import GOOD
from triage.errors import AnswerRefused
from triage.llm.answers import Finding, read_answer, schema_of

TASKS = tuple(llm_policy().tasks.values())


def said(**changes: Any) -> str:
    return json.dumps(GOOD | changes)


def code(text: str) -> str:
    with pytest.raises(AnswerRefused) as caught:
        read_answer(text, TASKS, ("en", "de"))
    return caught.value.code


def test_a_good_answer_is_read_to_whole_thousandths() -> None:
    found = read_answer(said(), TASKS, ("en", "de"))
    assert found["sentiment"] == Finding(
        score=-600, label="negative", shift=-100, reason="The customer is angry about an outage."
    )
    assert (found["urgency"].score, found["complexity"].score) == (700, 400)
    assert (found["intent"].label, found["product_line"].label, found["language"].label) == ("outage", "mobile", "en")


def test_a_code_fence_around_the_json_is_taken_off() -> None:
    assert read_answer(f"```json\n{said()}\n```", TASKS, ("en",))["language"].label == "en"


def test_a_whole_number_written_as_a_fraction_is_one() -> None:
    assert read_answer(said(urgency={"score": 70.0, "reason": "x"}), TASKS, ("en",))["urgency"].score == 700


def test_keys_that_nobody_asked_for_go_nowhere() -> None:
    found = read_answer(said(owner="005X", urgency={"score": 1, "reason": "", "to": "queue:VIP"}), TASKS, ("en",))
    assert set(found) == {task.name for task in TASKS}
    assert found["urgency"] == Finding(score=10)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "empty"), ("  \n", "empty"), ("{", "malformed"), ("[]", "malformed"), ("null", "malformed"),
        ('"text"', "malformed"), ("x" * 30_000, "malformed"), ("[" * 15_000, "malformed"), ("{}", "missing"),
        (said()[:-20], "malformed"), ("Sure! " + said(), "malformed"),
        (said(sentiment=3), "missing"), (said(sentiment={"label": "angry", "score": 1, "shift": 0}), "wrong_enum"),
        (said(sentiment={"label": ["negative"], "score": -1, "shift": 0}), "wrong_enum"),
        (said(sentiment={"label": "negative", "score": 50, "shift": 0}), "out_of_range"),
        (said(sentiment={"label": "positive", "score": 0, "shift": 0}), "out_of_range"),
        (said(sentiment={"label": "neutral", "score": 90, "shift": 0}), "out_of_range"),
        (said(sentiment={"label": "negative", "score": -101, "shift": 0}), "out_of_range"),
        (said(sentiment={"label": "negative", "score": -5, "shift": 201}), "out_of_range"),
        (said(sentiment={"label": "negative", "score": -5}), "missing"),
        (said(urgency={"score": 101}), "out_of_range"), (said(urgency={"score": -1}), "out_of_range"),
        (said(urgency={"score": "70"}), "out_of_range"), (said(urgency={"score": True}), "out_of_range"),
        (said(urgency={"score": 1.5}), "out_of_range"), (said(urgency={"score": 1e400}), "malformed"),
        (said(urgency={"score": 10**40}), "out_of_range"),
        (said(intent={"label": "hack"}), "wrong_enum"), (said(language={"label": "xx"}), "wrong_enum"),
    ],
)  # fmt: skip
def test_an_answer_that_does_not_fit_is_refused_with_its_code(text: str, expected: str) -> None:
    assert code(text) == expected


def test_a_reason_that_is_no_text_is_none() -> None:
    assert read_answer(said(urgency={"score": 5, "reason": {"a": 1}}), TASKS, ("en",))["urgency"].reason == ""


def test_the_schema_asks_for_every_key_and_uses_no_keyword_that_vendors_lack() -> None:
    schema = schema_of(TASKS, ("en", "de"))
    assert schema["required"] == [task.name for task in TASKS]
    text = json.dumps(schema)
    assert not any(word in text for word in ("minimum", "maximum", "maxLength", "pattern", "$ref"))
    assert schema["properties"]["language"]["properties"]["label"]["enum"] == ["en", "de"]
    assert all(part["additionalProperties"] is False for part in schema["properties"].values())
