"""Money is whole micro-dollars, rounded up, and a worst case is one."""

from __future__ import annotations

import pytest

from tests.support.llm import PRICE, case, llm_policy
from triage.errors import VendorRefused
from triage.llm.prices import cost, most_tokens, price_of, worst_case
from triage.llm.prompting import Prompt, prompt_of, question
from triage.llm.vendor import Usage
from triage.rules.llm_policy import Price


def prompt(text: str = "Cannot log in") -> Prompt:
    policy = llm_policy()
    asked = question(case(description=text), (), policy.tasks_of("Case"), policy)
    assert asked is not None
    return prompt_of(asked, policy, "n")


def test_the_policys_own_prices_come_first() -> None:
    assert price_of(llm_policy(prices=PRICE)) == PRICE


@pytest.mark.parametrize(
    ("provider", "model"),
    [("openai", "gpt-5-mini"), ("anthropic", "claude-haiku-4-5"), ("google", "gemini-2.5-flash"),
     ("azure", "gpt-4.1-mini")],
)  # fmt: skip
def test_listed_models_have_prices_of_their_own(provider: str, model: str) -> None:
    found = price_of(llm_policy(provider=provider, model=model, prices=None))
    assert 0 < found.cached < found.input < found.output


def test_the_listed_price_is_per_million_tokens() -> None:
    assert price_of(llm_policy(prices=None)) == Price(input=250_000, cached=25_000, output=2_000_000)


def test_a_model_without_a_price_is_not_asked() -> None:
    with pytest.raises(VendorRefused, match=r"llm\.prices") as caught:
        price_of(llm_policy(model="our-own-7b", prices=None))
    assert caught.value.code == "no_price"


def test_tokens_from_the_vendors_cache_cost_their_own_price() -> None:
    assert cost(Usage(1_000_000, 400_000, 1_000_000), PRICE) == 600_000 * 25 // 100 + 10_000 + 2_000_000


def test_a_cost_is_rounded_up() -> None:
    assert cost(Usage(1, 0, 0), PRICE) == 1
    assert cost(Usage(0, 0, 0), PRICE) == 0


def test_more_cached_than_read_is_counted_once() -> None:
    assert cost(Usage(10, 50, 0), PRICE) == cost(Usage(10, 10, 0), PRICE)


@pytest.mark.parametrize("text", ["plain", "ünïcödé " * 50, "東京" * 300, "🙂" * 200])
def test_no_text_has_more_tokens_than_bytes(text: str) -> None:
    one = prompt(text)
    most = most_tokens(one)
    assert most.input >= len(one.user.encode()) + len(one.system.encode())
    assert most.output == one.most_output
    assert worst_case(one, PRICE) == cost(most, PRICE)


def test_a_worst_case_takes_the_dearer_price_for_what_is_read() -> None:
    one = prompt()
    assert worst_case(one, Price(input=1, cached=10**6, output=0)) == most_tokens(one).input
