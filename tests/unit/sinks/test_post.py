"""One POST against receivers that misbehave: always an answer or a typed error, in bounded time and memory."""

from __future__ import annotations

import ssl
import time

import pytest

from tests.unit.sinks.letters import OPEN
from tests.unit.sinks.receivers import (
    CERTIFICATE,
    Behave,
    Receiver,
    answer,
    flood,
    free_port,
    hang,
    raw,
    receiver,
    reset,
    silent,
)  # fmt: skip
from triage.domain.instant import DAY, SECOND
from triage.errors import SinkBusy, SinkRefused
from triage.sinks.guard import Place, place_of
from triage.sinks.post import Answer, judged, knock, plain_words, post

TRUST = ssl.create_default_context(cafile=CERTIFICATE)


def sent(one: Receiver, timeout: int = 500, tls: ssl.SSLContext = TRUST) -> Answer:
    return post(place_of(one.url, OPEN), b"{}", {"Content-Type": "application/json"}, timeout, tls)


def local(port: int, secure: bool = False) -> Place:
    return Place(host="localhost", port=port, secure=secure, path="/", addresses=("127.0.0.1",))


@pytest.mark.parametrize("tls", [False, True])
def test_an_answer_comes_with_its_words(tls: bool) -> None:
    with receiver(answer(200, b"thank\x00 you\r\n  very much"), tls=tls) as one:
        assert sent(one) == Answer(status=200, words="thank you very much")
    assert one.requests[0].body == b"{}"


def test_an_empty_answer_is_worded_by_its_status() -> None:
    with receiver(answer(503)) as one:
        assert sent(one).words == "Service Unavailable"


def test_the_addresses_are_tried_in_turn_and_no_name_is_looked_up_again() -> None:
    """The host of this place does not exist: only its checked addresses lead anywhere."""
    with receiver() as one:
        place = Place(
            host="gone.invalid", port=one.server_port, secure=False, path="/x", addresses=("127.0.0.9", "127.0.0.1")
        )
        assert post(place, b"{}", {}, 2_000, TRUST).status == 200
    assert one.requests[0].headers["Host"] == f"gone.invalid:{one.server_port}"


@pytest.mark.parametrize(
    ("behave", "words"),
    [
        (hang, "no answer within 0.5 s"),
        (raw(*(b"HTTP/1.1 200 OK\r\nX-Slow: y" + b"." * 20)[:20].split(), pause=0.4), "no answer within 0.5 s"),
        (raw(b"HTTP/1.1 2", *[b"0"] * 30, pause=0.1), "no answer within 0.5 s"),
        (reset, "ConnectionResetError: Connection reset by peer"),
        (raw(), "RemoteDisconnected"),
        (raw(b"SSH-2.0-OpenSSH\r\n"), "BadStatusLine"),
        (raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500), "HTTPException: got more than 100 headers"),
        (raw(b"HTTP/1.1 200 " + b"x" * 100_000), "LineTooLong"),
    ],
)
def test_no_proper_answer_is_busy_in_bounded_time(behave: Behave, words: str) -> None:
    with receiver(behave) as one:
        begun = time.monotonic()
        with pytest.raises(SinkBusy, match=f"localhost: {words}"):
            sent(one)
        assert time.monotonic() - begun < 2


def test_nobody_there_is_busy() -> None:
    with pytest.raises(SinkBusy, match="localhost: ConnectionRefusedError: Connection refused"):
        post(local(free_port()), b"{}", {}, 500, TRUST)


def test_a_peer_that_never_ends_its_handshake_is_cut_off() -> None:
    with silent(b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03", pause=0.2) as port:
        begun = time.monotonic()
        with pytest.raises(SinkBusy, match=r"no answer within 0\.5 s"):
            post(local(port, secure=True), b"{}", {}, 500, TRUST)
        assert time.monotonic() - begun < 2


def test_a_certificate_that_does_not_hold_is_busy_and_nothing_is_sent() -> None:
    with receiver(tls=True) as one:
        with pytest.raises(SinkBusy, match=r"localhost: no trusted connection: CERTIFICATE_VERIFY_FAILED"):
            sent(one, tls=ssl.create_default_context())
        assert one.requests == []


def test_an_answer_without_end_is_read_only_so_far() -> None:
    with receiver(flood) as one:
        found = sent(one, timeout=2_000)
    assert (found.status, found.words) == (400, "x" * 500)


def test_a_truncated_answer_counts_by_its_status() -> None:
    with receiver(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")) as one:
        assert sent(one) == Answer(status=200, words="half")


@pytest.mark.parametrize(
    ("headers", "after"),
    [
        ({"Retry-After": "7"}, 7 * SECOND),
        ({"Retry-After": "999999999"}, DAY),
        ({"Retry-After": "soon"}, 0),
        ({"Retry-After": "-5"}, 0),
        ({"Retry-After": "Mon, 02 Mar 2099 09:00:00 GMT"}, DAY),
        ({"Retry-After": "Mon, 02 Mar 1999 09:00:00 GMT"}, 0),
        ({}, 0),
    ],
)
def test_the_wait_asked_for_is_believed_up_to_a_day(headers: dict[str, str], after: int) -> None:
    with receiver(answer(429, **{name.replace("-", "_"): value for name, value in headers.items()})) as one:
        assert sent(one).after == after


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_a_2xx_is_done(status: int) -> None:
    assert judged(Answer(status=status), "hooks").already is False


@pytest.mark.parametrize("status", [208, 409])
def test_a_key_that_the_receiver_knows_is_done_already(status: int) -> None:
    assert judged(Answer(status=status), "hooks").already


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_what_may_pass_is_busy_with_the_wait_asked_for(status: int) -> None:
    with pytest.raises(SinkBusy, match=f"hooks: {status} wait") as found:
        judged(Answer(status=status, words="wait", after=7_000), "hooks")
    assert found.value.after == 7_000


@pytest.mark.parametrize("status", [102, 400, 401, 403, 404, 410, 413, 422, 451])
def test_anything_else_is_refused_in_the_receivers_words(status: int) -> None:
    with pytest.raises(SinkRefused, match=f"hooks: {status} no such user"):
        judged(Answer(status=status, words="no such user"), "hooks")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "to", ["http://127.0.0.1:1/", "http://169.254.169.254/latest/meta-data", "http://10.0.0.1/", "/elsewhere"]
)
def test_a_redirect_is_never_followed(status: int, to: str) -> None:
    with receiver(answer(status, Location=to)) as one:
        with pytest.raises(SinkRefused, match="redirects are not followed") as found:
            judged(sent(one), "hooks")
        assert len(one.requests) == 1
    assert to in str(found.value)


def test_words_are_one_short_printable_line() -> None:
    assert plain_words(b"a\r\nb\x1b[31m\xff" + b"c" * 999) == "a b [31m\ufffd" + "c" * 491


def test_a_knock_says_what_is_wrong_and_asks_for_nothing() -> None:
    with receiver(tls=True) as one:
        assert knock(place_of(one.url, OPEN), 500, TRUST) == ""
        assert "CERTIFICATE_VERIFY_FAILED" in knock(place_of(one.url, OPEN), 500, ssl.create_default_context())
    assert one.requests == []
    assert knock(local(free_port()), 500, TRUST) == "localhost: ConnectionRefusedError: Connection refused"
