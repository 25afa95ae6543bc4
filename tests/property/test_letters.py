"""Whatever text a customer writes: the mail keeps its headers and its one recipient, the chat shows it as written."""

from __future__ import annotations

import html
from email import message_from_bytes, policy

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.sinks.letters import NOW, action, message
from triage.sinks.chat import chat_text
from triage.sinks.guard import is_public
from triage.sinks.mail import letter

HEADERS = [
    "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress", "Content-Type",
    "Content-Transfer-Encoding", "MIME-Version",
]  # fmt: skip
HOSTILE = st.lists(
    st.one_of(
        st.text(max_size=60),
        st.sampled_from(
            ["\r\n", "\n.\r\n", "Bcc: v@example.com", "=?utf-8?q?", "=0D=0A", "?=", "\u2028", "ü", "<", "--", " "]
        ),
    ),
    max_size=8,
).map("".join)


@given(HOSTILE, HOSTILE)
def test_a_mail_has_its_own_headers_and_one_plain_part_whatever_is_written(subject: str, text: str) -> None:
    raw = letter(
        action(), message(subject=subject, text=text), "triage@example.com", ("ann@example.com",), NOW
    ).as_bytes()
    for kind in (policy.default, policy.compat32):
        mail = message_from_bytes(raw, policy=kind)
        assert sorted(mail.keys()) == sorted(HEADERS)
        assert mail["To"] == "ann@example.com"
        assert mail.get_content_type() == "text/plain"
        assert not mail.is_multipart()
    assert max(map(len, raw.splitlines())) < 998


@given(st.text(alphabet="<>&@!|ahelnocrvy_*`~ \n", max_size=200))
def test_chat_text_reads_as_written_and_calls_nobody(text: str) -> None:
    shown = chat_text(message(subject="", text=text, footer=""))
    assert html.unescape(shown).replace("\u200b", "") == text
    assert "<" not in shown
    assert not any(f"@{word}" in shown for word in ("channel ", "here ", "everyone ", "all "))


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_as_public_in_any_writing(address) -> None:  # type: ignore[no-untyped-def]
    as_written = is_public(str(address))
    assert is_public(f"::ffff:{address}") == as_written
    assert as_written == (address.is_global and not address.is_multicast and not address.is_reserved)
