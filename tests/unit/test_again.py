"""A transaction tried again where somebody else was first."""

from __future__ import annotations

import pytest

from triage.again import CONFLICTS, again
from triage.errors import StaleRecord


def test_the_answer_comes_at_the_first_try_without_a_conflict() -> None:
    assert again(lambda attempt: attempt) == 0


def test_a_conflict_is_tried_again_and_told_how_often() -> None:
    tries: list[int] = []

    def piece(attempt: int) -> str:
        tries.append(attempt)
        if attempt < 3:
            raise StaleRecord("first")
        return "done"

    assert again(piece) == "done"
    assert tries == [0, 1, 2, 3]


def test_a_conflict_without_end_is_raised() -> None:
    tries: list[int] = []

    def piece(attempt: int) -> None:
        tries.append(attempt)
        raise StaleRecord("always")

    with pytest.raises(StaleRecord):
        again(piece)
    assert len(tries) == CONFLICTS + 1


def test_any_other_error_is_raised_at_once() -> None:
    with pytest.raises(ZeroDivisionError):
        again(lambda _: 1 // 0)
