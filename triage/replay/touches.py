"""Rows that tell of contact: e-mails, comments and tasks as message, comment and activity events."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from triage.errors import IntakeError
from triage.intake.text import clean_text, show
from triage.replay.stamps import Stamp

_TRUE = frozenset({"true", "1", "yes", "y"})
_FALSE = frozenset({"false", "0", "no", "n"})
_PARENTS = ("ParentId", "RelatedToId", "WhatId", "CaseId")
_INSTANTS = ("MessageDate", "CreatedDate", "CompletedDateTime")
_AUTO_SUBJECT = re.compile(
    r"\s*(?:(?:re|aw|fwd?|wg|tr|sv)\s*:\s*)*(?:"
    r"auto(?:matic)?[ -]?(?:reply|response)|out of (?:the )?office|undeliver(?:able|ed)|returned mail|failure notice"
    r"|delivery (?:status notification|has failed)|mail delivery (?:failed|subsystem)"
    r"|automatische antwort|abwesenheits|unzustellbar|automatisch antwoord|autosvar"
    r"|r\u00e9ponse automatique|respuesta autom\u00e1tica|risposta automatica|resposta autom\u00e1tica)",
    re.IGNORECASE,
)
_AUTO_HEADER = re.compile(
    r"^\s*(?:auto-submitted\s*:(?!\s*no\b)|x-auto(?:reply|respond)\s*:|x-failed-recipients\s*:"
    r"|precedence\s*:\s*(?:auto_reply|bulk|junk))",
    re.IGNORECASE | re.MULTILINE,
)
_DAEMON = re.compile(r"(?:mailer-daemon|postmaster|no-?reply-bounce)@", re.IGNORECASE)


class Touch(Struct, frozen=True):
    """
    One contact as its row tells it: the record it belongs to, its instant, and what the event carries besides.

    `borrowed`: the instant's text does not say zone or date order, and they were lent.
    """

    parent: str
    at: int
    values: dict[str, Any]
    borrowed: bool = False


def parent_of(row: Mapping[str, str]) -> str:
    """Return the id of the record that *row* belongs to, "" where it names none."""
    return next((row[name] for name in _PARENTS if row.get(name)), "")


def read_touch(kind: str, row: Mapping[str, str], stamp: Stamp | None = None) -> Touch:
    """
    Return the contact that *row* of the table *kind* (EmailMessage, CaseComment, Task) tells.

    *stamp* lends its instant what its text lacks. A message is automatic where its headers, its status as a bounce, its
    sender or its subject say so.

    Raises:
        IntakeError: no parent, no readable instant, or an e-mail that does not say which way it went.
    """
    parent = parent_of(row)
    if not parent:
        raise IntakeError("names no record it belongs to (ParentId)")
    stamped = next((name for name in _INSTANTS if row.get(name)), "")
    if not stamped:
        raise IntakeError("has no instant (MessageDate, CreatedDate)")
    at, borrowed = (stamp or Stamp()).read(row, stamped)
    return Touch(parent, at, _message(row) if kind == "EmailMessage" else _note(kind, row), borrowed)


def is_automatic(row: Mapping[str, str]) -> bool:
    """Return whether the e-mail in *row* was sent by a machine: an auto-reply, an absence note or a bounce."""
    if row.get("IsBounced", "").strip().casefold() in _TRUE or _AUTO_HEADER.search(row.get("Headers", "")):
        return True
    return bool(_DAEMON.search(row.get("FromAddress", "")) or _AUTO_SUBJECT.match(row.get("Subject", "")))


def _message(row: Mapping[str, str]) -> dict[str, Any]:
    incoming = row.get("Incoming", "").strip().casefold()
    if incoming not in _TRUE | _FALSE:
        raise IntakeError(f"Incoming is {show(incoming)}, neither true nor false: which way did it go?")
    body = next((row[name] for name in ("TextBody", "HtmlBody", "Subject") if row.get(name)), "")
    return {
        "type": "message",
        "direction": "in" if incoming in _TRUE else "out",
        "channel": "email",
        "body": clean_text(body),
        "sender": clean_text(row.get("FromAddress") or row.get("FromName", "")),
        "auto": is_automatic(row),
        "actor": row.get("CreatedById", ""),
    }


def _note(kind: str, row: Mapping[str, str]) -> dict[str, Any]:
    actor = row.get("CreatedById") or row.get("OwnerId", "")
    if kind == "CaseComment":
        return {"type": "comment", "actor": actor, "body": clean_text(row.get("CommentBody", ""))}
    return {"type": "activity", "actor": actor}
