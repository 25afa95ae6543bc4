"""What customers are told: the promise as it was made, and what has really changed."""

from __future__ import annotations

import pytest

from triage.domain.instant import HOUR, MINUTE
from triage.engine import PureEngine
from triage.explain import customer_text, explain, our_changes
from triage.policy import Policy
from triage.testing import SMALL_POLICY, START, Sandbox
from triage.undo import undo

PROMISING = {
    **SMALL_POLICY,
    "milestones.yaml": """
milestones:
  answer:
    object: Case
    target:
      by:
        - {when: [priority >= Medium], target: 90m}
      default: 4h
    complete:
      - is_contacted
  reply:
    object: Case
    target: 4h
    start:
      - awaiting_reply
    complete:
      - not awaiting_reply
""",
}


@pytest.fixture
def sandbox() -> Sandbox:
    """Case 1 of low priority, promised an answer within 4 h; an hour later a rule raises it, which means 90 minutes."""
    made = Sandbox(PROMISING)
    made.create("1")
    made.after(HOUR)
    return made


def policy_of(sandbox: Sandbox) -> Policy:
    return PureEngine().compile(PROMISING, {}, virtual=True)


def told(sandbox: Sandbox) -> str:
    return customer_text(sandbox.facts("1"), policy_of(sandbox), sandbox.clock.now(), sandbox.effects("done"))


def test_our_own_raise_does_not_shorten_what_was_promised(sandbox: Sandbox) -> None:
    sandbox.after(HOUR)
    text = told(sandbox)
    assert "answer: promised within 4h of service hours; 2h counted; under way." in text
    assert "What we did: given more urgency." in text
    (answer,) = explain(sandbox.facts("1"), policy_of(sandbox), sandbox.clock.now()).promises
    assert (answer.allowed, answer.state) == (90 * MINUTE // 1000, "missed")


def test_a_promise_that_ran_out_is_said_without_blame(sandbox: Sandbox) -> None:
    sandbox.after(5 * HOUR)
    assert "promised within 4h of service hours; 6h counted; not done within that time." in told(sandbox)


def test_a_change_of_a_person_is_their_promise_and_not_our_deed(sandbox: Sandbox) -> None:
    sandbox.happen("updated", "1", changes={"Priority": "High"}, actor="005M")
    assert "promised within 1h30m" in told(sandbox)
    assert "What we did" not in told(sandbox)


def test_what_was_put_back_is_not_told(sandbox: Sandbox) -> None:
    undo(sandbox.store, sandbox.engine, "age-1h", START, sandbox.clock.now(), actor="me", reason="wrong")
    sandbox.after(1)
    assert sandbox.facts("1").item.fields["priority"] == "Low"
    assert "What we did" not in told(sandbox)
    assert our_changes(sandbox.facts("1"), sandbox.effects("done")) == {}


def test_a_pull_back_after_two_raises_is_told_as_what_is_left() -> None:
    again = "  - id: age-2h\n    when:\n      - age >= 2h\n    do:\n      - reprioritise: {raise: 1}\n"
    rules = SMALL_POLICY["rules.yaml"].replace("  - id: high-3h", f"{again}  - id: high-3h")
    sandbox = Sandbox({**PROMISING, "rules.yaml": rules})
    sandbox.create("1")
    sandbox.after(HOUR)
    sandbox.after(HOUR)
    assert sandbox.facts("1").item.fields["priority"] == "High"
    sandbox.happen("override", "1", action="pull_back", rules=("*",), actor="boss", reason="calm down")
    sandbox.after(1)
    assert sandbox.facts("1").item.fields["priority"] == "Medium"
    assert told(sandbox).endswith("What we did: given more urgency.")


def test_a_queue_is_another_team_and_no_specialist() -> None:
    sandbox = Sandbox(PROMISING)
    sandbox.create("1", Priority="High")
    sandbox.after(3 * HOUR)
    assert sandbox.facts("1").item.fields["owner"] == "queue:Tier2"
    assert "moved to another team" in told(sandbox)
    assert "Tier2" not in told(sandbox)


def test_a_person_is_another_colleague() -> None:
    sandbox = Sandbox(PROMISING)
    sandbox.create("1")
    sandbox.happen("override", "1", action="reroute", to="005B", rules=("*",), actor="boss", reason="knows it")
    sandbox.after(1)
    assert "handed to another colleague" in told(sandbox)
    assert "005B" not in told(sandbox)


def test_milestones_that_never_began_are_named(sandbox: Sandbox) -> None:
    explanation = explain(sandbox.facts("1"), policy_of(sandbox), sandbox.clock.now())
    assert explanation.not_begun == ("reply",)
    sandbox.happen("message", "1", direction="in", body="well?")
    assert explain(sandbox.facts("1"), policy_of(sandbox), sandbox.clock.now()).not_begun == ()


def test_promises_about_a_deleted_record_end_with_it(sandbox: Sandbox) -> None:
    """Kept until then: no longer needed; missed before: missed. What comes later makes nothing worse."""
    sandbox.happen("deleted", "1")
    deleted = sandbox.clock.now()
    sandbox.after(9 * HOUR)
    explanation = explain(sandbox.facts("1"), policy_of(sandbox), sandbox.clock.now())
    (answer,) = explanation.promises
    assert (answer.state, answer.used, explanation.deleted_at) == ("stopped", HOUR // 1000, deleted)
    assert "1h counted; no longer needed." in told(sandbox)


def test_a_promise_missed_before_the_deletion_stays_missed(sandbox: Sandbox) -> None:
    sandbox.after(5 * HOUR)
    sandbox.happen("deleted", "1")
    sandbox.after(9 * HOUR)
    assert "6h counted; not done within that time." in told(sandbox)
