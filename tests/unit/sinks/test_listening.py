"""What a webhook wants to hear of decisions."""

from __future__ import annotations

import pytest

from tests.unit.sinks.letters import SECRET
from triage.domain.decision import AuditEntry
from triage.sinks.listening import DecisionListener
from triage.sinks.settings import Listening
from triage.sinks.webhook import WebhookSink


@pytest.mark.parametrize(("org", "event", "key", "wanted"), [
    ("acme", "planned", "k", True), ("other", "planned", "k", False), ("acme", "done", "k", False),
    ("acme", "planned", "", False),
])  # fmt: skip
def test_only_decisions_of_listed_organisations_are_wanted(org: str, event: str, key: str, wanted: bool) -> None:
    """What is not wanted is passed over: no refusal, no line in the audit of an organisation that is not listed."""
    hooks = WebhookSink("hooks", {"bus": SECRET}, lambda: 0)
    listener = DecisionListener(hooks, Listening(sink="hooks", webhook="bus"), ("acme",))
    entry = AuditEntry(at=0, org=org, object="Case", id="1", event=event, key=key, rule="r")
    assert listener.wants(entry) is wanted
    hooks.close()
