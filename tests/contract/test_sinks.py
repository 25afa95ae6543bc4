"""What every sink promises, over each of them and its real other side: keys, typed failures, words, closing."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from tests.unit.sinks.letters import SECRET, action, hook, message
from tests.unit.sinks.receivers import Post, answer, mail_server, receiver
from triage.domain.decision import Action
from triage.domain.message import UNWRITTEN, Message
from triage.errors import SinkBusy, SinkError, SinkRefused
from triage.ports import Sink
from triage.sinks import JsonlSink, StoreSink
from triage.sinks.chat import ChatSink
from triage.sinks.mail import MailSink, Server
from triage.sinks.routed import RoutedSink
from triage.sinks.settings import Route
from triage.sinks.webhook import WebhookSink
from triage.testing import RecordingSink


class Side(Struct):
    """A sink with its other side: the keys that arrived, and a way to let the next sending fail (None: it cannot)."""

    sink: Sink
    make: Callable[..., Action]
    words: Message
    arrived: Callable[[], list[str]]
    fail: Callable[[bool], None] | None = None


def now() -> int:
    return time.time_ns() // 1_000_000


@contextlib.contextmanager
def store(folder: Path) -> Iterator[Side]:
    yield Side(StoreSink(), action, message(), list)


@contextlib.contextmanager
def jsonl(folder: Path) -> Iterator[Side]:
    path = folder / "out.jsonl"

    def arrived() -> list[str]:
        return [json.loads(line)["key"] for line in path.read_text().splitlines()]

    yield Side(JsonlSink(path), action, message(), arrived)


@contextlib.contextmanager
def recording(folder: Path) -> Iterator[Side]:
    faults: list[Exception] = []

    def behave(_: Action) -> None:
        if faults:
            raise faults.pop()

    sink = RecordingSink(behave)

    def fail(forever: bool) -> None:
        faults.append(SinkRefused("never mind") if forever else SinkBusy("never mind"))

    yield Side(sink, action, message(), lambda: list(sink.done), fail)


@contextlib.contextmanager
def mail(folder: Path) -> Iterator[Side]:
    with mail_server() as (office, port):
        server = Server(host="localhost", port=port, security="none", timeout=2_000)

        def fail(forever: bool) -> None:
            office.to_data.append("550 never mind" if forever else "450 never mind")

        def arrived() -> list[str]:
            return [str(one["Message-ID"])[1:].partition("@")[0] for one in office.mails]

        yield Side(MailSink("mail", server, "triage@example.com", now), action, message(), arrived, fail)


@contextlib.contextmanager
def webhook(folder: Path) -> Iterator[Side]:
    """A receiver as the contract asks for it: a key that it knows is answered with 409."""
    done: list[str] = []

    def accept(post: Post) -> None:
        key = post.headers["webhook-id"]
        known = key in done
        done.extend([key] * (not known))
        answer(409 if known else 200)(post)

    with receiver() as one:
        one.otherwise = accept

        def fail(forever: bool) -> None:
            one.behaviours.append(answer(400 if forever else 503, b"never mind"))

        sink = WebhookSink("hooks", {"page": SECRET}, now, timeout=2_000)
        yield Side(sink, hook, message(webhooks={"page": one.url}), lambda: done, fail)


@contextlib.contextmanager
def chat(folder: Path) -> Iterator[Side]:
    with receiver() as one:

        def fail(forever: bool) -> None:
            one.behaviours.append(answer(404 if forever else 500, b"never mind"))

        def arrived() -> list[str]:
            return [json.loads(request.body)["text"].splitlines()[0] for request in one.requests]

        yield Side(ChatSink("chat", one.url, now), _spoken, message(), arrived, fail)


@contextlib.contextmanager
def routed(folder: Path) -> Iterator[Side]:
    with webhook(folder) as side:
        side.sink = RoutedSink({"hooks": side.sink}, (Route(sink="hooks"),), ("acme",))
        yield side


def _spoken(key: str = "k" * 64, **given: Any) -> Action:
    return action(key, **given)


SIDES = [store, jsonl, recording, mail, webhook, chat, routed]


@pytest.fixture(params=SIDES, ids=lambda make: make.__name__)
def side(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Side]:
    with request.param(tmp_path) as found:
        yield found
        found.sink.close()


@pytest.fixture(params=SIDES[2:], ids=lambda make: make.__name__)
def failing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Side]:
    """Those whose other side can say no."""
    with request.param(tmp_path) as found:
        yield found
        found.sink.close()


def test_it_has_a_name_and_says_whether_it_is_live(side: Side) -> None:
    assert side.sink.name
    assert side.sink.live is not isinstance(side.sink, StoreSink)


def test_a_key_sent_twice_is_done_once_where_the_other_side_remembers(side: Side) -> None:
    one = side.make()
    first, second = side.sink.send(one, side.words), side.sink.send(one, side.words)
    assert not first.already
    arrived = side.arrived()
    assert len(set(arrived)) == len(arrived[:1])
    if side.sink.remembers(one):
        assert len(arrived) <= 1
        assert second.already or isinstance(side.sink, StoreSink)
    else:
        assert not second.already


def test_other_keys_are_other_effects(side: Side) -> None:
    receipts = [side.sink.send(side.make(key * 64), side.words) for key in "abc"]
    assert [receipt.already for receipt in receipts] == [False] * 3
    assert len(side.arrived()) in (0, 3)


def test_what_is_busy_can_be_sent_again_and_arrives(failing: Side) -> None:
    assert failing.fail is not None
    failing.fail(False)
    with pytest.raises(SinkBusy, match="never mind"):
        failing.sink.send(failing.make(), failing.words)
    assert not failing.sink.send(failing.make(), failing.words).already
    assert failing.arrived()


def test_a_refusal_is_for_good_and_in_the_other_sides_words(failing: Side) -> None:
    assert failing.fail is not None
    failing.fail(True)
    with pytest.raises(SinkRefused, match="never mind"):
        failing.sink.send(failing.make(), failing.words)


@pytest.mark.parametrize("make", [mail, webhook, chat, routed], ids=lambda make: make.__name__)
def test_nothing_without_words_and_limits_gets_outside(make: Any, tmp_path: Path) -> None:
    with make(tmp_path) as side:
        with pytest.raises(SinkRefused):
            side.sink.send(side.make(), UNWRITTEN)
        assert side.arrived() == []


@pytest.mark.parametrize("kind", ["reprioritise", "reassign", "move", "notify", "acknowledge", "set", "custom"])
def test_every_kind_of_action_is_done_or_refused_with_a_sentence(side: Side, kind: str) -> None:
    try:
        side.sink.send(side.make("x" * 64, kind=kind), side.words)
    except SinkError as fault:
        assert isinstance(fault, SinkRefused)
        assert len(str(fault)) > 20
