"""What any process can say of all of them from the ledger."""

from __future__ import annotations

from tests.support.llm import llm_policy
from triage.domain.instant import HOUR
from triage.llm.health import LlmHealth, dollars, health_of, limits_of
from triage.metrics import llm_metrics
from triage.ports import LlmCall
from triage.rules.llm_policy import Budget
from triage.store.memory import MemoryStore
from triage.testing import START

POLICY = llm_policy(budget=Budget(per_day=10_000, per_org=10_000, per_record=10_000))


def stored(*outcomes: str, cost: int = 10, at: int = START) -> MemoryStore:
    store = MemoryStore("acme")
    with store.write() as unit:
        for number, outcome in enumerate(outcomes):
            call = LlmCall(
                id=f"c{number}", at=at + number, record="Case/1", provider="openai", model="m", prompt="p",
                reserved=cost, cost=cost, outcome=outcome,
            )  # fmt: skip
            unit.llm.reserve(call, limits_of(POLICY, "acme", "Case/1", START))
            unit.llm.settle([call])
    return store


def of(store: MemoryStore, now: int = START + 100) -> LlmHealth:
    with store.read() as unit:
        return health_of(POLICY, unit, now)


def test_without_a_policy_it_is_off() -> None:
    with MemoryStore("acme").read() as unit:
        found = health_of(None, unit, START)
    assert (found.state, found.ok, found.sentence()) == ("off", True, "no language model is asked")


def test_answers_and_passing_trouble_are_well() -> None:
    found = of(stored("answered", "timeout", "answered"))
    assert (found.state, found.spent, found.outcomes) == ("asking", 30, {"answered": 2, "timeout": 1})
    assert found.sentence() == "asking; $0.00003 of $0.01 spent today"


def test_a_wrong_setting_is_a_fault_with_its_fix_until_something_is_answered() -> None:
    found = of(stored("answered", "auth"))
    assert (found.state, found.code, found.since, found.ok) == ("fault", "auth", START + 1, False)
    assert "llm.key" in found.fix
    assert of(stored("auth", "answered")).state == "asking"


def test_a_fault_of_long_ago_says_nothing_about_now() -> None:
    assert of(stored("auth"), START + 2 * HOUR).state == "asking"


def test_a_budget_that_is_used_up_is_told() -> None:
    found = of(stored("answered", cost=9_950))
    assert (found.state, found.code) == ("spent", "budget_day")


def test_dollars_show_small_amounts_too() -> None:
    assert [dollars(n) for n in (0, 198, 1_500_000, 12_345_670_000)] == ["$0.00", "$0.000198", "$1.50", "$12,345.67"]


def test_metrics_say_whether_somebody_has_to_act_and_what_was_spent() -> None:
    found = {metric.name: metric.samples for metric in llm_metrics(of(stored("answered", "auth")))}
    assert found["triage_llm_ok"][0].value == 0
    assert found["triage_llm_spent_dollars"][0].value == 0.00002
    assert {one.labels["outcome"]: one.value for one in found["triage_llm_calls"]} == {"answered": 1, "auth": 1}
