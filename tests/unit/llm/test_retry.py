"""What is tried again, and when."""

from __future__ import annotations

import random

from triage.errors import AnswerRefused, VendorBusy, VendorRefused, VendorTimeout
from triage.llm.retry import ATTEMPTS, LONGEST, pause

LONG = 10**9


def test_refusals_are_never_tried_again() -> None:
    for error in (VendorRefused("auth"), VendorRefused("quota"), AnswerRefused("malformed")):
        assert pause(error, 1, LONG, random.Random(0)) is None


def test_retry_after_is_kept_to_the_letter() -> None:
    assert pause(VendorBusy("rate_limited", after=1234), 1, LONG, random.Random(0)) == 1234


def test_a_retry_after_beyond_the_deadline_ends_it() -> None:
    assert pause(VendorBusy("rate_limited", after=5000), 1, 5000, random.Random(0)) is None
    assert pause(VendorBusy("rate_limited", after=4999), 1, 5000, random.Random(0)) == 4999


def test_attempts_are_few() -> None:
    assert pause(VendorTimeout("timeout"), ATTEMPTS - 1, LONG, random.Random(0)) is not None
    assert pause(VendorTimeout("timeout"), ATTEMPTS, LONG, random.Random(0)) is None


def test_waits_grow_with_jitter_and_have_an_end() -> None:
    chance = random.Random(3)
    waits = [[pause(VendorBusy("busy"), attempt, LONG, chance) or 0 for _ in range(300)] for attempt in (1, 2, 3)]
    assert max(waits[0]) <= 1000 < max(waits[1]) <= 2000 < max(waits[2]) <= 4000 <= LONGEST
    assert min(waits[2]) < 500
