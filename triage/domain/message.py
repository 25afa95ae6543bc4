"""What an effect says and to whom: made by the pure core at send time, the same for every sink."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from triage.domain.work import Value


class Limits(Struct, frozen=True, kw_only=True):
    """Whom the policy in force lets us reach; nobody where it says nothing. Every sink looks again before it sends."""

    recipient_domains: tuple[str, ...] = ()
    webhook_hosts: tuple[str, ...] = ()
    private_hosts: tuple[str, ...] = ()
    customer_contact: bool = False


class Message(Struct, frozen=True, kw_only=True):
    """
    The words of one effect, its addresses as far as they are known, and what the policy allows.

    `subject` is one line, `text` lines of plain text; both are free of control characters and capped. `footer` says why
    (rule, due, reason, link) and is empty for customers. `to` are mail addresses as data gave them: not checked yet.
    `values` are the record's present fields by our names, `webhooks` the policy's addresses by name. `customer`: it
    goes to one. `changes` are the fields that the effect sets, by CRM name; `next_at` is when the record is next due.
    `team` is whose the target is, as far as that is known; `model_versions` are those of its scores, by family.
    """

    org: str = ""
    subject: str = ""
    text: str = ""
    footer: str = ""
    reason: str = ""
    link: str = ""
    to: tuple[str, ...] = ()
    customer: bool = False
    values: dict[str, Value] = field(default_factory=dict)
    webhooks: dict[str, str] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)
    next_at: int | None = None
    team: str = ""
    model_versions: dict[str, str] = field(default_factory=dict)
    limits: Limits = Limits()


UNWRITTEN = Message()
"""The message of an effect that nobody has put into words: it may go nowhere outside."""
