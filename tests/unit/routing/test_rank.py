"""What to do first, and why."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.build import at, created, known, make_policy
from triage.domain.facts import Facts
from triage.policy import Policy
from triage.routing.rank import rank, ranked, time_used

MILESTONE = "milestones: {answer: {object: Case, target: 2h, complete: [is_contacted], hours: none}}"
POLICY = make_policy("", MILESTONE)


def case(policy: Policy = POLICY, fields: dict[str, Any] | None = None, **changes: Any) -> Facts:
    facts = known(policy, created(**changes))
    return replace(facts, item=replace(facts.item, fields=facts.item.fields | (fields or {})))


def test_each_factor_is_one_more_than_its_share_and_told() -> None:
    facts = case(Priority="Urgent", Amount=10_000, fields={"sentiment.score": -0.5, "sentiment.label": "negative"})
    found = rank(facts, POLICY, at("10:30"))
    assert [part.factor for part in found.parts] == [2.0, 1.5, 1.75, 1.75]
    assert found.words() == (
        "9.19 = 2.00 (urgency 100%) x 1.50 (worth 10,000) x 1.75 (75% of answer used) x 1.75 (mood negative)"
    )


def test_what_is_not_known_speaks_for_nothing() -> None:
    policy = make_policy()
    assert rank(case(policy), policy, at("10:30")).words() == "1.00, nothing speaks for it"


@pytest.mark.parametrize(("when", "share", "words"), [
    ("10:00", 0.5, "50% of answer used"), ("12:00", 1.5, "answer late by 1h"), ("20:00", 5.5, "answer late by 9h"),
])  # fmt: skip
def test_time_used_of_a_promise(when: str, share: float, words: str) -> None:
    assert time_used(case(), POLICY, at(when)) == (share, words)


def test_a_promise_long_broken_counts_no_more_than_three() -> None:
    assert rank(case(), POLICY, at("20:00")).parts[2].factor == 3.0


def test_the_powers_of_the_policy_weigh_the_factors() -> None:
    policy = make_policy("", MILESTONE, "routing: {queue: {urgency: 0, sla: 200}}")
    found = rank(case(policy, Priority="Urgent"), policy, at("10:00"))
    assert [part.factor for part in found.parts] == [1.0, 1.0, 2.25, 1.0]


def test_the_highest_stands_on_top_and_ties_go_by_age() -> None:
    facts = [case(Priority=name) for name in ("Low", "Urgent", "Medium")]
    assert [one.item.fields["priority"] for one, _ in ranked(facts, POLICY, at("10:00"))] == ["Urgent", "Medium", "Low"]
