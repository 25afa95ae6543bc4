"""The scorer around the local one: modes, the cache, budgets, the fuse, and always a score."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from msgspec.structs import replace

from tests.support.llm import LOCAL, PRICE, Scripted, case, code_of, llm_policy, message, one, reply, scorer
from triage.domain.instant import DAY, SECOND
from triage.domain.work import Scores
from triage.errors import AnswerRefused, StaleRecord, StoreError, VendorBusy, VendorRefused, VendorTimeout
from triage.llm.breaker import FAULT_REST, IN_A_ROW
from triage.llm.scorer import LlmScorer
from triage.llm.vendor import Reply
from triage.ports import LlmCall
from triage.rules.llm_policy import Budget, ScoreMode, Task
from triage.store.memory import MemoryStore
from triage.testing import START, FixedScorer, ManualClock


def made(*script: Any, **given: Any) -> tuple[LlmScorer, Scripted, MemoryStore]:
    vendor, store = Scripted(*(script or (reply(),))), MemoryStore("acme")
    policy = given.pop("policy", None) or llm_policy(**given.pop("changes", {}))
    return scorer(policy, opening=lambda: vendor, store=given.pop("store", store), **given), vendor, store


def calls(store: MemoryStore) -> list[LlmCall]:
    with store.read() as unit:
        return unit.llm.calls()


def modes(mode: ScoreMode, **given: Any) -> dict[str, Any]:
    return {"tasks": {"urgency": Task(name="urgency", mode=mode, **given)}}


def test_one_call_answers_all_that_the_policy_asks() -> None:
    asked, vendor, _ = made()
    found = one(asked)
    assert len(vendor.prompts) == 1
    assert found.values["urgency.score"] == 0.7
    assert found.values["sentiment.label"] == "negative"
    assert (found.values["intent.label"], found.values["language.code"]) == ("outage", "en")
    assert found.model_versions["urgency"] == "openai/gpt-5-mini#score-1"


def test_without_a_policy_nothing_is_asked() -> None:
    local = FixedScorer(LOCAL)
    asked = scorer(None, local=local, opening=lambda: Scripted(reply()))
    assert one(asked) == LOCAL
    assert asked.health().state == "off"


def test_an_object_that_the_policy_does_not_name_is_not_asked_about() -> None:
    asked, vendor, _ = made()
    assert one(asked, replace(case(), object="Lead")) == LOCAL
    assert not vendor.prompts


def test_only_the_families_wanted_are_asked_about() -> None:
    asked, vendor, _ = made()
    asked.score([(case(), ())], START, ("urgency",))
    assert set(vendor.prompts[0].schema["properties"]) == {"urgency"}
    asked.score([(case(), ())], START, ("lead",))
    assert len(vendor.prompts) == 1


def test_mode_local_asks_nothing() -> None:
    asked, vendor, _ = made(changes=modes("local"))
    assert one(asked) == LOCAL
    assert not vendor.prompts


def test_mode_shadow_uses_nothing_and_notes_what_both_said() -> None:
    asked, _, store = made(changes=modes("shadow"))
    assert one(asked) == replace(LOCAL, reasons={**LOCAL.reasons})
    assert (calls(store)[0].purpose, calls(store)[0].compared) == ("shadow", {"urgency": (0.512345, 0.7)})


def test_mode_shadow_asks_about_its_sample_the_same_one_each_time() -> None:
    asked, vendor, _ = made(changes=modes("shadow", sample=200))
    items = [(case(f"500{n}", subject=f"s{n}"), ()) for n in range(300)]
    asked.score(items, START)
    first = {prompt.user.split("subject: ")[1].split("\n")[0] for prompt in vendor.prompts}
    assert 30 <= len(first) <= 90
    again, other, _ = made(changes=modes("shadow", sample=200))
    again.score(items, START)
    assert {prompt.user.split("subject: ")[1].split("\n")[0] for prompt in other.prompts} == first


def test_mode_escalate_asks_only_where_the_local_model_abstains() -> None:
    unsure = replace(LOCAL, values={**LOCAL.values, "urgency.abstained": True})
    local = FixedScorer(LOCAL, {"B": unsure, "C": Scores()})
    asked, vendor, _ = made(changes=modes("escalate_to_llm"), local=local)
    items = [(case(name, subject=name), ()) for name in "ABC"]
    found = asked.score(items, START)
    assert sorted(prompt.user.split("subject: ")[1][0] for prompt in vendor.prompts) == ["B", "C"]
    assert [scores.values.get("urgency.abstained") for scores in found] == [False, False, False]


def test_the_same_text_is_asked_about_once_also_for_another_record_and_after_a_restart() -> None:
    asked, vendor, store = made()
    first = one(asked)
    assert one(asked, case("500B")) == first
    again, other, _ = made(store=store)
    assert one(again) == first
    assert (len(vendor.prompts), len(other.prompts)) == (1, 0)


def test_the_same_text_twice_in_one_batch_is_asked_about_once() -> None:
    asked, vendor, _ = made()
    asked.score([(case("A"), ()), (case("B"), ())], START)
    assert len(vendor.prompts) == 1


def test_a_new_message_is_another_question() -> None:
    asked, vendor, _ = made()
    one(asked)
    one(asked, None, message("it is worse now"))
    assert len(vendor.prompts) == 2


def test_what_is_kept_is_the_checked_answer_and_no_body() -> None:
    asked, _, store = made()
    one(asked)
    with store.read() as unit:
        kept = repr(unit.llm.__dict__["_tables"].llm_answers) + repr(calls(store))
    assert "Nobody can log in." in kept
    assert "error 7" not in kept
    assert "Cannot log in" not in kept


@pytest.mark.parametrize(
    ("error", "code", "times"),
    [
        (VendorRefused("auth", free=True), "auth", 1), (VendorRefused("quota", free=True), "quota", 1),
        (AnswerRefused("malformed"), "malformed", 1), (VendorTimeout("timeout"), "timeout", 4),
        (VendorBusy("rate_limited", free=True, after=6 * SECOND), "rate_limited", 4),
        (VendorBusy("rate_limited", free=True, after=60 * SECOND), "rate_limited", 1),
        (RuntimeError("a surprise of an SDK"), "sdk_error", 4),
    ],
)  # fmt: skip
def test_what_goes_wrong_ends_in_the_local_score_with_its_code(error: Exception, code: str, times: int) -> None:
    asked, vendor, _ = made(error)
    found = one(asked)
    assert (code_of(found), found.values) == (code, LOCAL.values)
    assert len(vendor.prompts) == times


def test_an_answer_on_the_second_attempt_counts_and_both_are_booked() -> None:
    asked, _, store = made(VendorTimeout("timeout"), reply())
    assert code_of(one(asked)) == ""
    assert sorted(call.outcome for call in calls(store)) == ["answered", "timeout"]


def test_attempts_end_with_the_deadline() -> None:
    clock = ManualClock(START)

    def slow(_: object) -> VendorTimeout:
        clock.move(9 * SECOND)
        return VendorTimeout("timeout")

    asked, vendor, _ = made(slow, clock=clock)
    assert code_of(one(asked)) in ("timeout", "deadline")
    assert len(vendor.prompts) == 3
    assert clock.now() <= START + 30 * SECOND


def test_at_once_one_deadline_holds_for_all_items_together() -> None:
    """Whoever waits for an answer waits once: what was not asked by then has its local scores and says so."""
    clock = ManualClock(START)

    def slow(_prompt: object) -> Reply:
        clock.wait(12 * SECOND)
        return reply()

    asked, vendor, _ = made(slow, clock=clock, changes={"parallel": 1})
    items = [(case(str(number), subject=f"s{number}"), ()) for number in range(4)]
    found = asked.score(items, START, at_once=True)
    assert [code_of(scores) for scores in found] == ["", "", "deadline", "deadline"]
    assert len(vendor.prompts) == 2
    assert found[3].values == LOCAL.values


def test_costs_are_booked_as_the_vendor_counts_them() -> None:
    asked, _, store = made()
    one(asked)
    assert calls(store)[0].cost == -(-(300 * PRICE.input + 100 * PRICE.cached + 60 * PRICE.output) // 10**6)


@pytest.mark.parametrize(
    "script",
    [reply(usage=None), reply(usage=(-5, 0, 0)), reply(usage=(10**9, 0, 0)), VendorTimeout("timeout")],
)  # fmt: skip
def test_a_cost_that_nobody_can_believe_is_the_reservation(script: Any) -> None:
    if not isinstance(script, Exception) and isinstance(script.usage, tuple):
        script = replace(script, usage=type(reply().usage)(*script.usage))  # type: ignore[misc]
    asked, _, store = made(script)
    one(asked)
    assert {call.cost for call in calls(store)} == {calls(store)[0].reserved}


def test_an_error_that_is_free_costs_nothing() -> None:
    asked, _, store = made(VendorRefused("auth", free=True))
    one(asked)
    assert calls(store)[0].cost == 0


@pytest.mark.parametrize("scope", ["day", "org", "record"])
def test_a_budget_that_does_not_allow_the_worst_case_is_not_touched(scope: str) -> None:
    amounts = {"per_day": 10**6, "per_org": 10**6, "per_record": 10**6} | {f"per_{scope}": 500}
    asked, vendor, store = made(changes={"budget": Budget(**amounts)})
    assert code_of(one(asked)) == f"budget_{scope}"
    assert not vendor.prompts
    assert not calls(store)


def test_a_new_day_has_a_new_budget_and_a_record_does_not() -> None:
    clock = ManualClock(START)
    worst = 6_000
    asked, vendor, _ = made(
        reply(usage=None), clock=clock, changes={"budget": Budget(per_day=worst, per_org=worst, per_record=10**6)}
    )
    assert code_of(one(asked, case(subject="a"))) == ""
    assert code_of(one(asked, case(subject="b"))) == "budget_day"
    clock.move(DAY)
    assert code_of(one(asked, case(subject="b"))) == ""
    assert len(vendor.prompts) == 2


def test_a_budget_that_is_spent_does_not_open_the_fuse() -> None:
    asked, _, _ = made(changes={"budget": Budget(per_day=1, per_org=1, per_record=1)})
    for n in range(2 * IN_A_ROW):
        assert code_of(one(asked, case(subject=str(n)))).startswith("budget_")


def test_the_fuse_opens_and_says_so() -> None:
    clock = ManualClock(START)
    asked, vendor, _ = made(VendorBusy("overloaded", after=60 * SECOND, free=True), clock=clock)
    for n in range(IN_A_ROW + 3):
        assert code_of(one(asked, case(subject=str(n)))) == "overloaded"
    assert len(vendor.prompts) == IN_A_ROW
    health = asked.health()
    assert (health.state, health.code, health.until > START) == ("resting", "overloaded", True)


def test_a_wrong_key_is_asked_with_once_and_is_loud_until_mended() -> None:
    clock = ManualClock(START)
    asked, vendor, _ = made(VendorRefused("auth", free=True), reply(), clock=clock)
    assert [code_of(one(asked, case(subject=str(n)))) for n in range(5)] == ["auth"] * 5
    assert len(vendor.prompts) == 1
    health = asked.health()
    assert (health.state, health.ok, health.fix != "") == ("fault", False, True)
    clock.move(FAULT_REST)
    assert code_of(one(asked)) == ""
    assert asked.health().state == "asking"


def test_a_key_that_is_missing_is_a_fault_of_the_settings() -> None:
    def opening() -> Scripted:
        raise VendorRefused("no_key", "set it", free=True)

    asked = scorer(llm_policy(), opening=opening)
    assert code_of(one(asked)) == "no_key"
    assert asked.health().state == "fault"


def test_a_model_without_a_price_is_never_asked() -> None:
    asked, vendor, _ = made(changes={"model": "ours", "prices": None})
    assert code_of(one(asked)) == "no_price"
    assert not vendor.prompts


class Failing(MemoryStore):
    """A store that cannot be written, or not read."""

    def __init__(self, reads: bool) -> None:
        super().__init__("acme")
        self._reads = reads

    @contextmanager
    def write(self, *, lasting: bool = True) -> Iterator[Any]:
        """Fail."""
        raise StoreError("the disk is full")
        yield

    @contextmanager
    def read(self) -> Iterator[Any]:
        """Fail where it should."""
        if not self._reads:
            raise StoreError("it is gone")
        with super().read() as unit:
            yield unit


@pytest.mark.parametrize("reads", [True, False])
def test_without_a_ledger_nothing_is_asked_and_scores_are_local(reads: bool) -> None:
    asked, vendor, _ = made(store=Failing(reads))
    assert code_of(one(asked)) == "ledger"
    assert not vendor.prompts


class Contended(MemoryStore):
    """A store in which somebody else was first, each other time."""

    tries = 0

    @contextmanager
    def write(self, *, lasting: bool = True) -> Iterator[Any]:
        """Fail at the end where it is the turn."""
        self.tries += 1
        if self.tries % 2:
            raise StaleRecord("somebody else stored the same in between")
        with super().write(lasting=lasting) as unit:
            yield unit


def test_a_call_is_reserved_and_its_paid_answer_kept_though_somebody_else_was_first() -> None:
    """Both writes are tried again: nothing is asked twice, and what it did not cost is given back."""
    store = Contended("acme")
    asked, vendor, _ = made(store=store)
    assert one(asked).values["urgency.score"] == 0.7
    (kept,) = calls(store)
    assert kept.outcome == "answered"
    assert kept.cost is not None and kept.cost < kept.reserved
    assert one(asked).values["urgency.score"] == 0.7
    assert (len(vendor.prompts), store.tries) == (1, 4)


def test_items_of_a_batch_keep_their_order_and_one_failure_is_one_records() -> None:
    def by_text(prompt: Any) -> Any:
        return AnswerRefused("refusal") if "s3" in prompt.user else reply()

    asked, _, _ = made(by_text)
    found = asked.score([(case(f"5{n}", subject=f"s{n}"), ()) for n in range(6)], START)
    assert [code_of(scores) for scores in found] == ["", "", "", "refusal", "", ""]


def test_closing_closes_the_provider() -> None:
    asked, vendor, _ = made()
    one(asked)
    asked.close()
    assert vendor.closed == 1


def test_the_random_word_is_new_for_every_attempt() -> None:
    asked, vendor, _ = made(VendorTimeout("timeout"), VendorTimeout("timeout"), reply())
    one(asked)
    assert len({prompt.user.rsplit("CUSTOMER-TEXT ", 1)[1] for prompt in vendor.prompts}) == 3
