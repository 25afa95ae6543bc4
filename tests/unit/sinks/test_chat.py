"""A chat channel: text that nobody can turn into markup, a mention of everybody or a leak of the address."""

from __future__ import annotations

import json

import pytest

from tests.unit.sinks.letters import NOW, action, hook, message
from tests.unit.sinks.receivers import Receiver, answer, hang, receiver, reset
from triage.domain.instant import SECOND
from triage.domain.message import UNWRITTEN, Limits
from triage.errors import SinkBusy, SinkError, SinkRefused
from triage.sinks.chat import ChatSink, chat_text

LISTED = Limits(webhook_hosts=("localhost",))


def sink(one: Receiver) -> ChatSink:
    return ChatSink("chat", one.url + "/T000/B000/verysecret", lambda: NOW, timeout=500)


def test_a_notice_is_posted_with_its_reason() -> None:
    with receiver(answer(200, b"ok")) as one:
        assert sink(one).send(action(), message()).detail == "chat: 200"
    body = json.loads(one.requests[0].body)
    assert body == {
        "text": "Case 500A is late\nIt is late.\nWhy: age &gt;= 1h",
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
    }
    assert one.requests[0].path == "/hook/T000/B000/verysecret"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("<!channel> & <http://evil|click>", "&lt;!channel&gt; &amp; &lt;http://evil|click&gt;"),
        ("&lt;!here&gt;", "&amp;lt;!here&amp;gt;"),
        (
            "@channel @Here @everyone @all @ann @allison",
            "@\u200bchannel @\u200bHere @\u200beveryone @\u200ball @ann @allison",
        ),
    ],
)
def test_hostile_text_is_shown_as_it_was_written(written: str, shown: str) -> None:
    assert chat_text(message(subject="", text=written, footer="")) == shown


def test_a_long_text_is_cut_before_its_footer() -> None:
    text = chat_text(message(text="x" * 9_000))
    assert len(text) < 3_020
    assert text.endswith(" …\nWhy: age &gt;= 1h")


@pytest.mark.parametrize(
    ("behave", "kind", "words"),
    [
        (answer(404, b"channel_not_found"), SinkRefused, "chat: 404 channel_not_found"),
        (answer(403, b"invalid_token"), SinkRefused, "chat: 403 invalid_token"),
        (answer(429, b"rate_limited", Retry_After="3"), SinkBusy, "chat: 429 rate_limited"),
        (answer(500, b"rollup_error"), SinkBusy, "chat: 500 rollup_error"),
        (answer(307, Location="http://10.0.0.1/"), SinkRefused, "redirects are not followed"),
        (reset, SinkBusy, "Connection reset by peer"),
        (hang, SinkBusy, "no answer within"),
    ],
)
def test_failures_are_typed_and_never_show_the_secret_address(behave, kind, words) -> None:
    with receiver(behave) as one, pytest.raises(kind, match=words) as found:
        sink(one).send(action(), message())
    assert "verysecret" not in str(found.value)
    if "429" in words:
        assert found.value.after == 3 * SECOND


@pytest.mark.parametrize("said", [UNWRITTEN, message(limits=LISTED), message(customer=True)])
def test_what_the_policy_does_not_allow_is_refused(said) -> None:
    with receiver() as one:
        with pytest.raises(SinkRefused) as found:
            sink(one).send(action(), said)
        assert one.requests == []
    assert "verysecret" not in str(found.value)


def test_chat_is_for_notices_only() -> None:
    with receiver() as one, pytest.raises(SinkRefused, match="notices to our own people"):
        sink(one).send(hook(), message())


def test_a_probe_posts_nothing() -> None:
    with receiver() as one:
        assert sink(one).probe(message().limits) == ""
        assert "webhook_hosts" in sink(one).probe(Limits())
        assert one.requests == []


def test_a_secret_address_that_is_none_is_refused_without_showing_it() -> None:
    with pytest.raises(SinkError) as found:
        ChatSink("chat", "verysecret\r\n", lambda: NOW).send(action(), message())
    assert "verysecret" not in str(found.value)
