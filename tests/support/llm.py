"""Policies, records and scorers for tests of language models."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from tests.support.llm_stub import GOOD, Stub, Wire
from triage.config import load_policy
from triage.domain.work import Event, Scores, WorkItem
from triage.llm.prompting import Prompt
from triage.llm.scorer import LlmScorer
from triage.llm.vendor import Provider, Reply, Stop, Usage
from triage.ports import Clock, Scorer, Store
from triage.rules.llm_policy import LlmPolicy, Price
from triage.store.memory import MemoryStore
from triage.testing import START, FixedScorer, ManualClock
from triage.wiring import SystemClock

FIELDS = """
objects:
  Case:
    fields:
      subject: Subject
      description: Description
      priority: {from: Priority, values: [Low, High], ordered: true}
      customer: {from: SuppliedName}
      account.id: AccountId
      secret_note: Note__c
    related:
      account: {object: Account, by: AccountId, fields: {name: Name}}
"""
LLM = """
llm:
  provider: openai
  endpoint: http://127.0.0.1:9/v1
  model: gpt-5-mini
  key: env:TRIAGE_TEST_KEY
  fields: {Case: [subject, description, messages]}
  tasks:
    sentiment: {}
    urgency: {}
    complexity: {}
    intent: {mode: llm, values: [refund, outage]}
    product_line: {mode: llm, values: [mobile, web]}
    language: {mode: llm}
  budget: {per_day: 5 USD}
"""
VENDORS = {"responses": "openai", "chat": "openai", "anthropic": "anthropic", "google": "google"}
LOCAL = Scores(
    values={
        "sentiment.label": "neutral", "sentiment.score": -0.1, "sentiment.shift": 0.0, "sentiment.abstained": False,
        "urgency.score": 0.512345, "urgency.abstained": False, "complexity.score": 0.3, "complexity.abstained": False,
    },
    model_versions={"sentiment": "local-1", "urgency": "local-1"},
    reasons={"urgency": ("old backlog",)},
)  # fmt: skip
KEY = "sk-test-0123456789"
PRICE = Price(input=250_000, cached=25_000, output=2_000_000)
_numbers = itertools.count(1)


class Hasty(SystemClock):
    """The machine's clock, but nobody waits between two attempts."""

    def wait(self, millis: int) -> None:
        """Come back at once."""


def llm_policy(text: str = LLM, **changes: Any) -> LlmPolicy:
    """Return the policy of *text*, its parts changed."""
    found = load_policy({"fields.yaml": FIELDS, "llm.yaml": text}).llm
    assert found is not None
    return replace(found, **{"prices": PRICE, **changes})


def of_stub(stub: Stub, wire: Wire, **changes: Any) -> LlmPolicy:
    """Return a policy that asks *stub* in one vendor's way."""
    given: dict[str, Any] = {"provider": VENDORS[wire], "endpoint": stub.endpoint(wire)}
    given["api"] = "chat" if wire == "chat" else "responses"
    return llm_policy(**(given | changes))


def case(identity: str = "500A", **fields: Any) -> WorkItem:
    """Return a case."""
    given = {"subject": "Cannot log in", "description": "The app says error 7 since this morning."} | fields
    return WorkItem(object="Case", id=identity, created_at=START, fields=given)


def message(body: str, identity: str = "500A", at: int = START, **given: Any) -> Event:
    """Return what a customer wrote."""
    number = next(_numbers)
    named: dict[str, Any] = {"direction": "in", "object": "Case", "channel": "email"}
    return Event(at=at, type="message", event_id=f"m{number}", id=identity, body=body, **(named | given))


def scorer(
    policy: LlmPolicy | None,
    *,
    local: Scorer | None = None,
    store: Store | None = None,
    clock: Clock | None = None,
    opening: Callable[[], Provider] | None = None,
) -> LlmScorer:
    """Return a scorer around the fixed local one; the clock is real where a stub is asked."""
    return LlmScorer(
        local or FixedScorer(LOCAL),
        policy,
        store or MemoryStore("acme"),
        clock or (ManualClock(START) if opening else Hasty()),
        secrets=lambda _: KEY,
        ids=lambda: f"{next(_numbers):032x}",
        opening=opening,
        chance=random.Random(1),
    )


def one(asked: LlmScorer, item: WorkItem | None = None, *past: Event, now: int = START) -> Scores:
    """Return the scores of one record."""
    return asked.score([(item or case(), past)], now)[0]


def code_of(scores: Scores) -> str:
    """Return why no model was heard, "" where one was."""
    return next((code for code in scores.reasons.get("llm", ()) if ":" not in code), "")


class Scripted:
    """A provider in memory: each call takes the next of *script*, a reply, an error to raise, or a function."""

    def __init__(self, *script: Any) -> None:
        self.script = list(script)
        self.prompts: list[Prompt] = []
        self.closed = 0

    def ask(self, prompt: Prompt, timeout: int) -> Reply:
        """Do what the script says; its last entry stays."""
        self.prompts.append(prompt)
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        found = step(prompt) if callable(step) else step
        if isinstance(found, BaseException):
            raise found
        assert isinstance(found, Reply)
        return found

    def close(self) -> None:
        """Count it."""
        self.closed += 1


_USAGE = Usage(400, 100, 60)


def reply(usage: Usage | None = _USAGE, stop: Stop = "complete", **changes: Any) -> Reply:
    """Return a good reply, parts of its answer changed."""
    return Reply(text=json.dumps(GOOD | changes), usage=usage, stop=stop, request="req_1")
