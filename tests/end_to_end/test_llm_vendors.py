"""The three real SDKs over loopback HTTP: whatever a vendor does, a valid score with the right reason and cost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.llm import KEY, LOCAL, PRICE, case, code_of, message, of_stub, one, scorer
from tests.support.llm_stub import BAD_TEXT, BELOW, STATUSES, STOPS, USED, Stub, Wire
from triage.domain.work import Scores
from triage.llm.prices import cost
from triage.llm.vendor import Usage
from triage.ports import LlmCall
from triage.store.memory import MemoryStore

WIRES: tuple[Wire, ...] = ("responses", "chat", "anthropic", "google")
PAID = cost(Usage(USED["input"], USED["cached"], USED["output"]), PRICE)
CODES = {
    "good": "", "429": "rate_limited", "429-later": "rate_limited", "500": "server_error", "503": "overloaded",
    "529": "overloaded", "401": "auth", "403": "forbidden", "unknown-model": "unknown_model", "quota": "quota",
    "402": "quota", "400": "bad_request", "408": "timeout", "409": "busy", "redirect": "redirected",
    "truncated": "malformed", "empty": "empty", "wrong-enum": "wrong_enum", "out-of-range": "out_of_range",
    "missing": "missing", "no-object": "malformed", "refusal": "refusal", "length": "length_stop",
    "safety": "safety_stop", "hang": "timeout", "drip": "timeout", "disconnect": "disconnected",
    "malformed-200": "malformed", "half-200": "malformed",
}  # fmt: skip
FREE = (
    "429",
    "429-later",
    "503",
    "529",
    "401",
    "403",
    "unknown-model",
    "quota",
    "402",
    "400",
    "408",
    "409",
    "redirect",
)
UNKNOWN = ("500", "malformed-200", "half-200", "hang", "drip", "disconnect")
ONCE = ("401", "403", "unknown-model", "quota", "402", "400", "redirect", "429-later")
"""Never sent a second time: a setting is wrong, or the vendor asks for longer than there is."""
FREE = (*ONCE, "429", "503", "529", "408", "409")


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    with Stub().running() as running:
        yield running


@pytest.fixture(autouse=True)
def fresh(stub: Stub) -> None:
    stub.seen.clear()
    stub.answer("good")
    stub.usage = dict(USED)
    stub.choose = None


def ask(stub: Stub, wire: Wire, **changes: Any) -> tuple[Scores, list[LlmCall], float]:
    """Return the scores of one record, its calls, and how long it took in seconds."""
    store = MemoryStore("acme")
    asked = scorer(of_stub(stub, wire, **changes), store=store)
    begun = time.monotonic()
    found = one(asked, None, message("Still broken! Call me: +49 30 901820"))
    took = time.monotonic() - begun
    asked.close()
    with store.read() as unit:
        return found, unit.llm.calls(), took


def test_every_manner_of_the_stub_is_tried() -> None:
    assert set(CODES) == {"good", *STATUSES, *BAD_TEXT, *STOPS, *BELOW}


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("manner", CODES)
def test_each_manner_ends_in_a_valid_score_with_its_reason_and_cost(stub: Stub, wire: Wire, manner: str) -> None:
    stub.answer(manner)
    short = {"attempt": 150, "deadline": 400} if manner in ("hang", "drip") else {}
    found, calls, took = ask(stub, wire, **short)
    code = CODES[manner]
    if wire == "google" and manner == "refusal":
        code = "safety_stop"
    if wire == "anthropic" and manner == "safety":
        code = "refusal"
    assert code_of(found) == code
    assert {call.outcome for call in calls} == {code or "answered"}
    assert took < 15
    for call in calls:
        booked = 0 if manner in FREE else call.reserved if manner in UNKNOWN else PAID
        assert call.cost == booked
    if code:
        assert found.values == LOCAL.values
    else:
        assert found.values["urgency.score"] == 0.7
    assert len(stub.seen) == 1 or manner not in ONCE


@pytest.mark.parametrize("wire", WIRES)
def test_a_second_attempt_that_is_answered_counts(stub: Stub, wire: Wire) -> None:
    stub.answer("429", "good")
    found, calls, _ = ask(stub, wire)
    assert code_of(found) == ""
    assert sorted(call.outcome for call in calls) == ["answered", "rate_limited"]


@pytest.mark.parametrize("wire", WIRES)
def test_usage_that_is_not_said_is_booked_at_the_reservation(stub: Stub, wire: Wire) -> None:
    stub.usage = None
    _, calls, _ = ask(stub, wire)
    assert [call.cost for call in calls] == [calls[0].reserved]


@pytest.mark.parametrize("wire", WIRES)
def test_what_is_sent_is_one_structured_call_without_tools_or_streaming(stub: Stub, wire: Wire) -> None:
    ask(stub, wire)
    body, text = stub.seen[0].body, stub.seen[0].text
    assert not {"tools", "stream", "temperature", "tool_choice"} & set(body)
    assert "temperature" not in text
    assert "Cannot log in" in text
    assert "[phone]" in text
    assert "901820" not in text
    assert "additionalProperties" in text
    assert text.index("Describe these things") < text.index("Cannot log in")
    assert KEY not in text


def test_the_vendor_is_told_to_keep_nothing(stub: Stub) -> None:
    ask(stub, "responses")
    assert stub.seen[0].body["store"] is False


def test_the_key_goes_in_the_vendors_own_header_and_nowhere_else(stub: Stub) -> None:
    for wire, header in (("responses", "authorization"), ("anthropic", "authorization"), ("google", "x-goog-api-key")):
        ask(stub, wire)  # type: ignore[arg-type]
        seen = stub.seen[-1]
        assert KEY in seen.headers[header]
        assert [name for name, value in seen.headers.items() if KEY in value] == [header]
        assert KEY not in seen.path


def test_azure_names_its_deployment_and_version(stub: Stub) -> None:
    changes = {"provider": "azure", "endpoint": stub.url, "api_version": "2025-04-01-preview", "model": "ours"}
    found, _, _ = ask(stub, "chat", **changes)
    assert code_of(found) == ""
    assert stub.seen[0].path.startswith("/openai/deployments/ours/chat/completions?api-version=2025-04-01-preview")
    assert stub.seen[0].headers["api-key"] == KEY


def test_azure_speaks_responses_too(stub: Stub) -> None:
    changes = {"provider": "azure", "endpoint": stub.url, "api_version": "2025-04-01-preview", "api": "responses"}
    assert code_of(ask(stub, "responses", **changes)[0]) in ("", "malformed")
    assert "/openai/" in stub.seen[0].path


def test_nobody_there_costs_nothing(stub: Stub) -> None:
    found, calls, _ = ask(stub, "chat", endpoint="http://127.0.0.1:1/v1")
    assert code_of(found) == "unreachable"
    assert {call.cost for call in calls} == {0}


@pytest.mark.parametrize("wire", WIRES)
def test_neither_key_nor_text_stands_in_any_log(stub: Stub, wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    for manner in ("good", "401", "malformed-200", "truncated"):
        stub.answer(manner)
        ask(stub, wire)
    assert KEY not in caplog.text
    assert "Cannot log in" not in caplog.text
    assert "Nobody can log in" not in caplog.text


def test_a_batch_of_records_is_asked_at_the_same_time(stub: Stub) -> None:
    asked = scorer(of_stub(stub, "chat"))
    found = asked.score([(case(f"50{n}", subject=f"s{n}"), ()) for n in range(12)], 0)
    asked.close()
    assert [code_of(scores) for scores in found] == [""] * 12
    assert len(stub.seen) == 12
