"""A batch is reserved, checked and kept like single calls, at the vendor's price for batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.llm import Scripted, case, llm_policy, of_stub, one, reply, scorer
from tests.support.llm_stub import Stub
from triage.errors import VendorBusy, VendorError
from triage.llm.asking import Asker
from triage.llm.backfill import Collected, collect, discounted, submit
from triage.llm.prompting import Question, question
from triage.llm.providers.anthropic import AnthropicProvider
from triage.llm.vendor import Usage
from triage.rules.llm_policy import Budget, LlmPolicy
from triage.store.memory import MemoryStore
from triage.testing import START, ManualClock


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub().running() as running:
        yield running


def asker(policy: LlmPolicy, store: MemoryStore) -> Asker:
    numbers = iter(range(10_000))
    return Asker(policy, store, ManualClock(START), lambda: Scripted(reply()), lambda: f"id{next(numbers)}")


def questions(policy: LlmPolicy, count: int) -> list[Question]:
    items = [case(f"50{n}", subject=f"s{n}") for n in range(count)]
    found = [question(item, (), policy.tasks_of("Case"), policy) for item in items]
    return [one for one in found if one is not None]


def test_a_batch_over_the_real_sdk_is_kept_for_the_next_scoring(stub: Stub) -> None:
    store, policy = MemoryStore("acme"), of_stub(stub, "anthropic")
    mine, vendor = asker(policy, store), AnthropicProvider(stub.url, "sk-1", lambda: START)
    stub.answer("not yet")
    batch = submit(mine, vendor, questions(policy, 4))
    assert len(batch.calls) == 4
    assert collect(mine, vendor, batch, policy) is None
    stub.answer("good")
    assert collect(mine, vendor, batch, policy) == Collected(answered=2, failed={"server_error": 2})
    vendor.close()
    with store.read() as unit:
        costs = {call.outcome: call.cost for call in unit.llm.calls()}
    assert costs == {"answered": 99, "server_error": 0}
    nobody = Scripted(reply())
    again = scorer(policy, store=store, opening=lambda: nobody)
    assert one(again, case("500", subject="s0")).values["urgency.score"] == 0.7
    assert not nobody.prompts


def test_a_batch_ends_where_the_budget_does() -> None:
    policy = llm_policy(budget=Budget(per_day=11_000, per_org=11_000, per_record=11_000))
    batch = submit(asker(policy, MemoryStore("acme")), Handed(), questions(policy, 4))
    assert len(batch.calls) == 2
    assert set(batch.left_out.values()) == {"budget_day"}


def test_a_batch_that_nobody_takes_gives_its_reservations_back() -> None:
    policy, store = llm_policy(), MemoryStore("acme")
    with pytest.raises(VendorBusy):
        submit(asker(policy, store), Handed(VendorBusy("overloaded", free=True)), questions(policy, 2))
    with store.read() as unit:
        assert {call.cost for call in unit.llm.calls()} == {0}


def test_an_answer_that_does_not_fit_is_paid_and_not_kept() -> None:
    policy, store = llm_policy(), MemoryStore("acme")
    mine, vendor = asker(policy, store), Handed(answer=reply(urgency={"score": 900}))
    batch = submit(mine, vendor, questions(policy, 1))
    assert collect(mine, vendor, batch, policy) == Collected(answered=0, failed={"out_of_range": 1})
    with store.read() as unit:
        assert unit.llm.calls()[0].cost == 99


def test_nothing_to_ask_is_no_batch() -> None:
    policy = llm_policy()
    assert submit(asker(policy, MemoryStore("acme")), Handed(), []).id == ""


def test_half_of_an_odd_number_of_tokens_is_rounded_up() -> None:
    assert discounted(Usage(5, 1, 0)) == Usage(3, 1, 0)


class Handed:
    """A batch endpoint in memory."""

    def __init__(self, error: VendorError | None = None, answer: Any = None) -> None:
        self._error = error
        self._answer = answer or reply()

    def submit(self, prompts: Any) -> str:
        """Take them, or not."""
        if self._error:
            raise self._error
        return "b1"

    def collect(self, batch: str, ids: Any) -> Any:
        """Answer all."""
        return dict.fromkeys(ids, self._answer)
