"""Signed webhooks: the receiver can verify them with the standard library of the standard, and tell repeats."""

from __future__ import annotations

import json
import time

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.unit.sinks.letters import NOW, SECRET, action, hook, message
from tests.unit.sinks.receivers import Receiver, answer, hang, receiver
from triage.domain.instant import SECOND
from triage.domain.message import UNWRITTEN, Limits, Message
from triage.errors import SinkBusy, SinkRefused
from triage.sinks.webhook import WebhookSink, payload


def sink(**given: object) -> WebhookSink:
    return WebhookSink("hooks", {"page": SECRET}, lambda: time.time_ns() // 1_000_000, timeout=500, **given)  # type: ignore[arg-type]


def words(one: Receiver, **given: object) -> Message:
    return message(webhooks={"page": one.url}, **given)


def test_a_webhook_is_signed_under_its_key() -> None:
    with receiver() as one:
        assert sink().send(hook(), words(one)).detail == "hooks/page: 200"
    (request,) = one.requests
    assert request.headers["webhook-id"] == "k" * 64
    body = Webhook(SECRET).verify(request.body, dict(request.headers))
    assert body["data"]["key"] == "k" * 64


def test_a_changed_body_does_not_verify() -> None:
    with receiver() as one:
        sink().send(hook(), words(one))
    (request,) = one.requests
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(request.body.replace(b"500A", b"500B"), dict(request.headers))


def test_a_repeat_has_the_same_id_and_body_and_is_known_to_the_receiver() -> None:
    with receiver(answer(200), answer(409, b"done before")) as one:
        first, second = (sink().send(hook(), words(one)) for _ in range(2))
    assert (first.already, second.already) == (False, True)
    assert one.requests[0].body == one.requests[1].body
    assert {request.headers["webhook-id"] for request in one.requests} == {"k" * 64}


def test_the_body_says_what_is_to_be_done_and_why() -> None:
    given = payload(hook(), message(values={"number": 7, "secret": "x"}, link="https://crm/500A"), ("number", "gone"))
    assert given["type"] == "triage.custom"
    assert given["timestamp"] == "1970-01-01T00:00:01.500Z"
    data = given["data"]
    assert (data["object"], data["id"], data["rule"], data["reason"]) == ("Case", "500A", "late", "age >= 1h")
    assert (data["with"], data["fields"], data["link"]) == (
        {"part": "case"}, {"number": 7, "gone": None}, "https://crm/500A",
    )  # fmt: skip
    assert "text" not in data


def test_a_notice_by_webhook_carries_its_words_and_a_digest_its_lines() -> None:
    lines = [{"object": "Case", "id": "1", "rule": "late", "due": 0}]
    data = payload(action(params={"digest": lines}), message())["data"]
    assert (data["subject"], data["text"]) == ("Case 500A is late", "It is late.")
    assert data["digest"] == [{"object": "Case", "id": "1", "rule": "late", "due": "1970-01-01T00:00:00Z"}]


def test_hostile_text_stays_inside_its_json_string() -> None:
    with receiver() as one:
        sink(fields=("text",)).send(hook(), words(one, values={"text": '"},{"x":"\r\nHost: evil\u2028'}))
    (request,) = one.requests
    assert json.loads(request.body)["data"]["fields"]["text"].startswith('"},{"x"')
    assert request.headers["Host"].startswith("localhost")


def test_other_actions_go_to_the_webhook_named_as_default() -> None:
    with receiver() as one:
        sink(default="page").send(action(kind="reassign", target="user:005"), words(one))
        with pytest.raises(SinkRefused, match="has no webhook ''"):
            sink().send(action(kind="reassign", target="user:005"), words(one))
    assert json.loads(one.requests[0].body)["data"]["target"] == "user:005"


def test_a_webhook_without_a_secret_is_never_called() -> None:
    with receiver() as one:
        with pytest.raises(SinkRefused, match="'other' has no secret"):
            sink().send(hook(target="webhook:other"), message(webhooks={"other": one.url}))
        assert one.requests == []


def test_the_allow_list_of_the_moment_counts() -> None:
    with receiver() as one:
        for limits in (Limits(), Limits(webhook_hosts=("localhost",))):
            with pytest.raises(SinkRefused, match=r"webhook_hosts|private address"):
                sink().send(hook(), message(webhooks={"page": one.url}, limits=limits))
        with pytest.raises(SinkRefused):
            sink().send(hook(), UNWRITTEN)
        with pytest.raises(SinkRefused, match="allow_customer_contact"):
            sink(default="page").send(action(), Message(customer=True, webhooks={"page": one.url}))
        assert one.requests == []


def test_a_name_that_moves_after_the_check_is_not_followed() -> None:
    """The first look gives an address where nobody is, a second would give the receiver's: there is no second."""
    answers = [("127.0.0.9",), ("127.0.0.1",)]
    looks: list[str] = []

    def rebinding(host: str, port: int) -> tuple[str, ...]:
        looks.append(host)
        return answers[len(looks) - 1]

    with receiver() as one:
        url = f"http://rebind.example.com:{one.server_port}/"
        hosts = ("rebind.example.com",)
        said = Message(webhooks={"page": url}, limits=Limits(webhook_hosts=hosts, private_hosts=hosts))
        with pytest.raises(SinkBusy, match="Connection refused"):
            sink(look_up=rebinding).send(hook(), said)
        assert (looks, one.requests) == (["rebind.example.com"], [])


@pytest.mark.parametrize(
    ("behave", "kind", "words_of_theirs"),
    [
        (answer(500, b"database is down"), SinkBusy, "500 database is down"),
        (answer(429, b"slow down", Retry_After="30"), SinkBusy, "429 slow down"),
        (answer(400, b"no such component"), SinkRefused, "400 no such component"),
        (answer(401, b"bad signature"), SinkRefused, "401 bad signature"),
        (answer(302, Location="http://169.254.169.254/"), SinkRefused, "redirects are not followed"),
        (hang, SinkBusy, "no answer within 0.5 s"),
    ],
)
def test_failures_are_typed_and_carry_the_receivers_words(behave, kind, words_of_theirs) -> None:
    with receiver(behave) as one, pytest.raises(kind, match=words_of_theirs) as found:
        sink().send(hook(), words(one))
    assert getattr(found.value, "after", 0) == (30 * SECOND if "429" in str(found.value) else 0)


def test_a_probe_names_every_webhook_that_lacks_something_and_sends_nothing() -> None:
    with receiver() as one:
        limits = message().limits
        assert sink().probe({"page": one.url}, limits) == ""
        found = sink().probe({"page": "https://evil.example.com", "other": one.url}, limits)
        assert found == (
            "other: no secret: name it under secrets; page: evil.example.com is not among safety.webhook_hosts"
        )
        assert one.requests == []


def test_the_timestamp_is_the_instant_of_sending() -> None:
    with receiver() as one:
        WebhookSink("hooks", {"page": SECRET}, lambda: NOW).send(hook(), words(one))
    assert one.requests[0].headers["webhook-timestamp"] == str(NOW // 1000)
