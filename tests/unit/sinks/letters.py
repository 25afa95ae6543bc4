"""Actions and messages for tests of the sinks."""

from __future__ import annotations

from typing import Any

from triage.domain.decision import Action
from triage.domain.message import Limits, Message
from triage.testing import START

NOW = START
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OPEN = Limits(
    recipient_domains=("example.com",),
    webhook_hosts=("localhost",),
    private_hosts=("localhost",),
    customer_contact=True,
)
"""Limits under which loopback may be reached."""


def action(key: str = "k" * 64, /, **given: Any) -> Action:
    """Return a notice to ann@example.com, changed as *given*."""
    named: dict[str, Any] = {
        "object": "Case", "id": "500A", "rule": "late", "step": "", "position": 0, "kind": "notify",
        "target": "address:ann@example.com", "due": 0, "at": 1_500, "episode": "e", "key": key,
    }  # fmt: skip
    return Action(**(named | given))


def hook(key: str = "k" * 64, /, **given: Any) -> Action:
    """Return a call of the webhook `page`."""
    return action(key, **({"kind": "custom", "target": "webhook:page", "params": {"with": {"part": "case"}}} | given))


def message(**given: Any) -> Message:
    """Return words to ann@example.com under open limits, changed as *given*."""
    named: dict[str, Any] = {
        "org": "acme", "subject": "Case 500A is late", "text": "It is late.", "footer": "Why: age >= 1h",
        "reason": "age >= 1h", "to": ("ann@example.com",), "limits": OPEN,
    }  # fmt: skip
    return Message(**(named | given))
