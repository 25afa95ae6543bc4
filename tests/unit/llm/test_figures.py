"""What asking has cost and will cost."""

from __future__ import annotations

from typing import Any

from tests.support.llm import llm_policy
from triage.domain.instant import DAY, HOUR
from triage.llm.figures import Agreement, forecast, usage_report
from triage.ports import LlmCall, LlmTally

POLICY = llm_policy()


def tally(**given: Any) -> LlmTally:
    named = {"day": 1, "model": "m", "purpose": "answer", "outcome": "answered", "calls": 10, "cost": 500, "input": 1}
    return LlmTally(**(named | {"cached": 0, "output": 0, "records": 10} | given))


def call(**compared: tuple[Any, Any]) -> LlmCall:
    return LlmCall(id="a", at=0, record="r", provider="p", model="m", prompt="p", compared=compared)


def test_usage_adds_up_and_is_told_per_thousand_records() -> None:
    rows = [tally(), tally(outcome="timeout", calls=2, cost=100, records=2), tally(purpose="shadow", cost=50)]
    found = usage_report(rows, [], POLICY, 10)
    assert (found.calls, found.answered, found.records, found.spent, found.shadow_spent) == (22, 20, 20, 650, 50)
    assert (found.per_thousand, found.projected) == (32_500, 1_950)
    assert found.outcomes == {"answered": 20, "timeout": 2}


def test_usage_of_nothing_is_zero() -> None:
    found = usage_report([], [], POLICY, 30)
    assert (found.calls, found.per_thousand, found.projected) == (0, 0, 0)


def test_agreement_counts_labels_alike_and_numbers_that_are_near() -> None:
    calls = [
        call(sentiment=("negative", "negative"), urgency=(0.5, 0.6)), call(sentiment=("neutral", "negative")),
        call(urgency=(0.1, 0.9)), call(urgency=(None, 0.9), language=(None, "en")),
    ]  # fmt: skip
    assert usage_report([], calls, POLICY, 1).agreement == {
        "sentiment": Agreement(asked=2, agreed=1), "urgency": Agreement(asked=2, agreed=1, gap=0.45),
    }  # fmt: skip


def test_a_day_at_this_pace_is_told_with_its_end() -> None:
    found = forecast(300, 1000, {}, 6 * HOUR)
    assert (found.expected, found.ends) == (1200, 6 * HOUR + 14 * HOUR)


def test_a_day_within_the_budget_has_no_end() -> None:
    assert forecast(100, 1000, {}, 12 * HOUR).ends is None
    assert forecast(0, 1000, {}, 12 * HOUR).expected == 0


def test_a_quiet_morning_counts_as_the_past_days_did() -> None:
    assert forecast(0, 5000, {1: 2400, 2: 2400}, 5 * DAY + 12 * HOUR).expected == 1200
