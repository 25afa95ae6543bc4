"""Sentences from values: bodies of audit lines, and actions that people ordered."""

from __future__ import annotations

from triage.domain.decision import Action
from triage.wording import action_text, body_text


def raising(rule: str) -> Action:
    return Action(
        object="Case", id="1", rule=rule, step="", position=0, kind="reprioritise", target="field:priority",
        params={"to": "Medium"}, due=0, at=0, episode="e", key="k",
    )  # fmt: skip


def test_a_rule_raises_and_a_person_puts_back() -> None:
    assert action_text(raising("age-1h")) == "raise priority to Medium"
    assert action_text(raising("override")) == "put priority back to Medium"


def test_a_body_is_read_without_python() -> None:
    body = {
        "due": 1_772_442_000_000, "params": {"to": "High", "deep": [1, True]}, "note": "", "none": None,
        "reason": {"evidence": [{"leaf": "priority == High", "found": "High"}]},
        "priority": {"was": "Low", "is": "High"},
    }  # fmt: skip
    assert body_text(body) == (
        "due: 2026-03-02T09:00:00Z, params: to=High deep=1, yes, reason: priority == High (is High), "
        "priority: Low -> High"
    )
    assert body_text({"attempt": 0}) == "attempt: 0"
