"""
Decisions told to a webhook as they are taken: what a rule planned, observed or held, and why.

No field of the record goes along as such; `reason` quotes what its conditions found, up to 80 characters of a value.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec

from triage.domain.decision import AuditEntry, Reason
from triage.domain.instant import format_instant
from triage.domain.message import Message
from triage.errors import SinkRefused
from triage.ports import AuditRow
from triage.sinks.settings import Listening
from triage.sinks.webhook import WebhookSink
from triage.wording import reason_text


class DecisionListener:
    """See `triage.ports.Listener`: one webhook of a webhook sink."""

    def __init__(
        self, hooks: WebhookSink, wanted: Listening, organisations: Collection[str], file: str = "the sinks file"
    ) -> None:
        """*organisations* are those whose decisions may be told."""
        self.name = f"{wanted.sink}/{wanted.webhook}"
        self._hooks = hooks
        self._wanted = wanted
        self._organisations = organisations
        self._file = file

    def wants(self, entry: AuditEntry) -> bool:
        """Tell whether *entry* is a decision of a listed organisation, of the kinds and rules that were asked for."""
        rules = self._wanted.rules
        listed = entry.org in self._organisations
        return listed and entry.event in self._wanted.events and bool(entry.key) and (not rules or entry.rule in rules)

    def tell(self, row: AuditRow, reach: Message) -> None:
        """POST one decision; the audit line's hash is its `webhook-id`. Raise SinkBusy or SinkRefused."""
        if reach.org not in self._organisations:
            raise SinkRefused(f"organisation {reach.org!r} is not among the organisations of {self._file}")
        self._hooks.post(self._wanted.webhook, row.hash, decision_payload(row), reach)


def decision_payload(row: AuditRow) -> dict[str, Any]:
    """Return the body that tells of *row*; `data.key` is the action's key, under which its effect goes out."""
    entry, body = row.entry, row.entry.body
    reason = msgspec.convert(body.get("reason", {}), Reason)
    data = {
        "key": entry.key, "org": entry.org, "object": entry.object, "id": entry.id, "rule": entry.rule,
        "decision": entry.event, "step": body.get("step", ""), "action": body.get("kind", ""),
        "target": body.get("target", ""), "due": format_instant(int(body.get("due", entry.at))),
        "reason": reason_text(reason), "note": body.get("note", ""), "seq": row.seq,
    }  # fmt: skip
    return {"type": "triage.decision", "timestamp": format_instant(entry.at), "data": data}
