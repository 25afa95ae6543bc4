"""A call that takes too long is left, whatever its socket says."""

from __future__ import annotations

import threading

import pytest

from triage.errors import AnswerRefused, VendorBusy, VendorTimeout
from triage.llm.answers import Finding
from triage.llm.asking import decode_answer, encode_answer, within


def test_what_a_call_returns_comes_back() -> None:
    assert within(1000, lambda: 5) == 5


def test_a_call_that_never_ends_is_left_after_its_time() -> None:
    never = threading.Event()
    with pytest.raises(VendorTimeout):
        within(30, never.wait)
    never.set()


def test_our_errors_come_back_as_they_are_and_others_as_a_failure_of_the_sdk() -> None:
    def ours() -> None:
        raise AnswerRefused("refusal")

    def theirs() -> None:
        raise KeyError("choices")

    with pytest.raises(AnswerRefused):
        within(1000, ours)
    with pytest.raises(VendorBusy, match="sdk_error: KeyError"):
        within(1000, theirs)


def test_kept_answers_come_back_as_they_were() -> None:
    found = {"urgency": Finding(score=5, reason="x"), "sentiment": Finding(score=-1, label="negative", shift=3)}
    assert decode_answer(encode_answer(found)) == found
