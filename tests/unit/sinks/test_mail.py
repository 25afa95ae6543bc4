"""E-mail against a real mail server: who gets it, what it looks like, and what a server's no means."""

from __future__ import annotations

import ssl
import time
from email.message import EmailMessage

import pytest

from tests.unit.sinks.letters import NOW, action, hook, message
from tests.unit.sinks.receivers import CERTIFICATE, free_port, mail_server, silent
from triage.domain.message import UNWRITTEN, Limits
from triage.errors import SinkBusy, SinkRefused
from triage.sinks.mail import MailSink, Server

TRUST = ssl.create_default_context(cafile=CERTIFICATE)


def sink(port: int, *, host: str = "localhost", **given: object) -> MailSink:
    server = Server(**({"host": host, "port": port, "security": "none", "timeout": 1_000} | given))  # type: ignore[arg-type]
    return MailSink("mail", server, "triage@example.com", lambda: NOW, recipients=MAP, tls=TRUST)


def body(mail: EmailMessage) -> str:
    return str(mail.get_content()).replace("\r\n", "\n")


MAP = {"role:duty-manager": ("duty@example.com", "deputy@example.com")}


def test_a_mail_is_marked_as_automatic_and_named_by_its_key() -> None:
    with mail_server() as (office, port):
        assert sink(port).send(action(), message()).detail == "mail: taken for 1 of 1"
    (mail,) = office.mails
    assert office.envelopes == [("triage@example.com", ["ann@example.com"])]
    assert mail["Message-ID"] == f"<{'k' * 64}@example.com>"
    assert (mail["Auto-Submitted"], mail["X-Auto-Response-Suppress"]) == ("auto-generated", "All")
    assert mail["Date"] == "Mon, 02 Mar 2026 09:00:00 +0000"
    assert (mail["From"], mail["To"], mail["Subject"]) == ("triage@example.com", "ann@example.com", "Case 500A is late")
    assert mail.get_content_type() == "text/plain"
    assert body(mail) == "It is late.\n\n-- \nWhy: age >= 1h\n"


def test_a_mail_to_a_customer_has_no_footer_and_may_go_to_any_domain() -> None:
    with mail_server() as (office, port):
        said = message(customer=True, to=("kim@customer.net",), footer="")
        sink(port).send(action(kind="acknowledge", target="customer:kim@customer.net"), said)
    assert body(office.mails[0]) == "It is late.\n"
    assert office.envelopes[0][1] == ["kim@customer.net"]


def test_the_sinks_file_names_those_whom_the_policy_does_not_know() -> None:
    with mail_server() as (office, port):
        sink(port).send(action(target="role:duty-manager"), message(to=()))
    assert office.envelopes[0][1] == ["duty@example.com", "deputy@example.com"]
    assert office.mails[0]["To"] == "duty@example.com, deputy@example.com"


@pytest.mark.parametrize(
    ("to", "words"),
    [
        ((), "has no e-mail address"),
        (("Triage@example.com",), "our own address"),
        (("ann@evil.net",), "evil.net is not among safety.recipient_domains"),
        (("ann@example.com", "bob@evil.net"), "evil.net is not among"),
        (("ann@evil.net,boss@example.com",), "not one plain mail address"),
        (("ann@example.com\r\nBcc: victim@example.com",), "not one plain mail address"),
        (("Ann <ann@example.com>",), "not one plain mail address"),
        (('"a b"@example.com',), "not one plain mail address"),
        (("ann@example.com> SIZE=1",), "not one plain mail address"),
        (("änn@example.com",), "not one plain mail address"),
        ((f"{'a' * 250}@example.com",), "not one plain mail address"),
        (tuple(f"a{n}@example.com" for n in range(51)), "51 people"),
    ],
)
def test_nobody_else_is_written_to(to: tuple[str, ...], words: str) -> None:
    with mail_server() as (office, port):
        with pytest.raises(SinkRefused, match=words):
            sink(port).send(action(), message(to=to))
        assert office.mails == []


@pytest.mark.parametrize("said", [UNWRITTEN, message(limits=Limits()), message(customer=True, limits=Limits())])
def test_what_the_policy_does_not_allow_is_refused(said) -> None:
    with mail_server() as (office, port):
        with pytest.raises(SinkRefused):
            sink(port).send(action(), said)
        assert office.mails == []


@pytest.mark.parametrize(
    "hostile",
    [
        "late\r\nBcc: victim@example.com", "late\nContent-Type: text/html\n\n<b>", "late\u2028X: y",
        "=?utf-8?q?=0D=0ABcc:_v?=", "ü =?utf-8?b?DQpCY2M6IHY=?=", "\x00\x1b[31m", "ü" * 300, "\ud800",
    ],
)  # fmt: skip
def test_no_text_adds_a_header_or_ends_the_mail(hostile: str) -> None:
    """Even where it comes past the core, which takes such characters out."""
    with mail_server() as (office, port):
        sink(port).send(action(), message(subject=hostile, text=f"{hostile}\r\n.\r\nRCPT TO:<victim@example.com>"))
    (mail,) = office.mails
    known = {"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress"}
    known |= {"Content-Type", "Content-Transfer-Encoding", "MIME-Version", "X-Peer", "X-MailFrom", "X-RcptTo"}
    assert set(mail.keys()) <= known
    assert "\n" not in mail["Subject"]
    assert office.envelopes == [("triage@example.com", ["ann@example.com"])]
    assert mail.get_content_type() == "text/plain"


def test_a_server_that_says_never_is_refused_in_its_own_words() -> None:
    with mail_server() as (office, port):
        office.to_rcpt["ann@example.com"] = "550 5.1.1 no such mailbox"
        with pytest.raises(SinkRefused, match=r"mail: ann@example.com: 550 5\.1\.1 no such mailbox"):
            sink(port).send(action(), message())
        office.to_rcpt.clear()
        office.to_data = ["554 5.7.1 looks like spam"]
        with pytest.raises(SinkRefused, match=r"mail: localhost: 554 5\.7\.1 looks like spam"):
            sink(port).send(action(), message())


def test_a_server_that_says_later_is_busy_in_its_own_words() -> None:
    with mail_server() as (office, port):
        office.to_rcpt["ann@example.com"] = "450 4.2.1 greylisted"
        with pytest.raises(SinkBusy, match=r"450 4\.2\.1 greylisted"):
            sink(port).send(action(), message())
        office.to_rcpt.clear()
        office.to_data = ["451 4.3.0 try again", "421 closing"]
        for words in ("451 4.3.0 try again", "421"):
            with pytest.raises(SinkBusy, match=words):
                sink(port).send(action(), message())
        assert sink(port).send(action(), message()).detail == "mail: taken for 1 of 1"
        assert len(office.mails) == 1


def test_a_mail_taken_for_some_is_done_and_says_who_was_refused() -> None:
    """To send it again would be a second mail for the others."""
    with mail_server() as (office, port):
        office.to_rcpt["deputy@example.com"] = "550 gone"
        receipt = sink(port).send(action(target="role:duty-manager"), message())
    assert receipt.detail == "mail: taken for 1 of 2; deputy@example.com refused: 550 gone"
    assert office.envelopes[0][1] == ["duty@example.com"]


def test_a_mail_goes_over_starttls_with_a_login() -> None:
    with mail_server(tls=True, login=("triage", "pass word")) as (office, port):
        one = sink(port, security="starttls", username="triage", password="pass word")
        one.send(action(), message())
        assert one.probe() == ""
    assert len(office.mails) == 1


def test_a_wrong_password_is_busy_and_shows_no_password() -> None:
    """It is no fault of the mail: it goes once the password is right."""
    with mail_server(tls=True, login=("triage", "right")) as (_, port):
        one = sink(port, security="starttls", username="triage", password="wrongsecret")
        with pytest.raises(SinkBusy, match="535") as found:
            one.send(action(), message())
        assert "535" in one.probe()
    assert "wrongsecret" not in f"{found.value}{one._server!r}"


def test_a_certificate_that_does_not_hold_is_busy_and_nothing_is_said() -> None:
    with mail_server(tls=True) as (office, port):
        one = MailSink("mail", Server(host="localhost", port=port, timeout=1_000), "triage@example.com", lambda: NOW)
        with pytest.raises(SinkBusy, match="CERTIFICATE_VERIFY_FAILED"):
            one.send(action(), message())
        assert office.mails == []


def test_a_server_without_starttls_gets_nothing_in_the_clear() -> None:
    with mail_server() as (office, port):
        with pytest.raises(SinkBusy, match="STARTTLS"):
            sink(port, security="starttls").send(action(), message())
        assert office.mails == []


def test_nobody_there_is_busy() -> None:
    with pytest.raises(SinkBusy, match="mail: localhost: ConnectionRefusedError: Connection refused"):
        sink(free_port()).send(action(), message())


@pytest.mark.parametrize(("greeting", "pause"), [(b"", 0.0), (b"220 " + b"x" * 80, 0.1), (b"220 hello\r\n", 0.0)])
def test_a_server_that_hangs_is_busy_in_bounded_time(greeting: bytes, pause: float) -> None:
    with silent(greeting, pause) as port:
        begun = time.monotonic()
        with pytest.raises(SinkBusy, match="mail: localhost: "):
            sink(port).send(action(), message())
        assert time.monotonic() - begun < 3


def test_a_server_that_is_not_taking_mail_is_busy() -> None:
    with silent(b"554 no service\r\n") as port, pytest.raises(SinkBusy, match="554 no service"):
        sink(port).send(action(), message())


def test_mail_is_for_messages_only() -> None:
    with pytest.raises(SinkRefused, match="not for custom"):
        sink(1).send(hook(), message())


def test_a_repeat_has_the_same_message_id() -> None:
    with mail_server() as (office, port):
        for _ in range(2):
            assert not sink(port).send(action(), message()).already
    assert len({mail["Message-ID"] for mail in office.mails}) == 1
