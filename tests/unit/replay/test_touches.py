"""read_touch and is_automatic: which mails a machine wrote, in the languages they come in."""

from __future__ import annotations

import pytest

from triage.errors import IntakeError
from triage.replay.touches import is_automatic, read_touch


@pytest.mark.parametrize(
    "subject",
    [
        "Automatic reply: Printer", "Re: Auto-Reply", "AW: Automatische Antwort: Drucker", "Out of office",
        "Autosvar: x", "Out of the Office until Monday", "Abwesenheitsnotiz: Drucker", "Undeliverable: Printer",
        "Returned mail: see",
        "Delivery Status Notification (Failure)", "R\u00e9ponse automatique : bonjour", "failure notice",
    ],
)  # fmt: skip
def test_subjects_of_machines_are_recognised(subject: str) -> None:
    """Also behind Re: and its like."""
    assert is_automatic({"Subject": subject})


@pytest.mark.parametrize(
    "subject", ["", "Printer broken", "The office is out of paper", "Is the automatic reply broken?"]
)
def test_subjects_of_people_are_not(subject: str) -> None:
    """The words elsewhere in the subject mean nothing."""
    assert not is_automatic({"Subject": subject})


@pytest.mark.parametrize(
    ("headers", "automatic"),
    [
        ("Auto-Submitted: auto-generated", True), ("From: x\nPrecedence: bulk", True), ("X-Autoreply: yes", True),
        ("Auto-Submitted: no", False), ("Subject: Precedence: bulk", False),
    ],
)  # fmt: skip
def test_headers_tell(headers: str, automatic: bool) -> None:
    """RFC 3834 and its forerunners; at the start of a line."""
    assert is_automatic({"Headers": headers}) is automatic


def test_a_bounce_is_automatic() -> None:
    """By its flag or its sender."""
    assert is_automatic({"IsBounced": "true"})
    assert is_automatic({"FromAddress": "Mailer-Daemon@example.com"})


def test_a_mail_without_text_keeps_what_there_is() -> None:
    """HTML, else the subject; the name where there is no address."""
    row = {
        "ParentId": "500",
        "MessageDate": "2026-01-01T00:00:00Z",
        "Incoming": "0",
        "HtmlBody": "<p>x",
        "FromName": "Kim",
    }
    values = read_touch("EmailMessage", row).values
    assert (values["body"], values["sender"], values["direction"]) == ("<p>x", "Kim", "out")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({}, "names no record"),
        ({"ParentId": "5"}, "no instant"),
        ({"ParentId": "5", "MessageDate": "x"}, "MessageDate: 'x'"),
    ],
)
def test_a_touch_that_cannot_be_placed_is_refused(row: dict[str, str], reason: str) -> None:
    """In record or in time."""
    with pytest.raises(IntakeError, match=reason):
        read_touch("Task", row)
