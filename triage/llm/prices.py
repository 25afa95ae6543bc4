"""What tokens cost, in whole micro-dollars: the policy's own prices, or those that genai-prices carries with it."""

from __future__ import annotations

import warnings
from decimal import ROUND_UP, Decimal
from functools import cache

import msgspec

from triage.errors import VendorRefused
from triage.llm.prompting import Prompt
from triage.llm.vendor import Usage
from triage.rules.llm_policy import LlmPolicy, Price

MILLION = 1_000_000
_SAMPLE = 10_000
"""Tokens that prices are asked for: below every step of a tariff that grows with the length of a prompt."""

AROUND = 1_024
"""Tokens that a vendor may add around our words: roles, the schema in another form, its own instructions."""


def price_of(policy: LlmPolicy) -> Price:
    """Return the prices of the policy's model; raise VendorRefused (`no_price`) where nobody knows them."""
    return policy.prices or _listed(policy.provider, policy.model)


def cost(usage: Usage, price: Price) -> int:
    """Return what *usage* costs in micro-dollars, rounded up."""
    fresh = max(0, usage.input - usage.cached)
    amount = fresh * price.input + min(usage.cached, usage.input) * price.cached + usage.output * price.output
    return -(-amount // MILLION)


def most_tokens(prompt: Prompt) -> Usage:
    """Return the most tokens that *prompt* can use: no token is shorter than a byte, thinking counts as output."""
    words = len(prompt.system.encode()) + len(prompt.user.encode()) + 2 * len(msgspec.json.encode(prompt.schema))
    return Usage(words + AROUND, 0, prompt.most_output)


def worst_case(prompt: Prompt, price: Price) -> int:
    """Return the most that one attempt at *prompt* can cost, in micro-dollars."""
    dearest = Price(input=max(price.input, price.cached), cached=price.cached, output=price.output)
    return cost(most_tokens(prompt), dearest)


@cache
def _listed(provider: str, model: str) -> Price:
    missing = VendorRefused(
        "no_price", f"no price is known for {model!r} of {provider}: write llm.prices (0 USD where it is your own)",
        free=True,
    )  # fmt: skip
    try:
        from genai_prices import Usage as Listed
        from genai_prices import calc_price
    except ImportError as cause:
        raise missing from cause
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            plain = calc_price(Listed(input_tokens=_SAMPLE, output_tokens=_SAMPLE), model, provider_id=provider)
            hot = calc_price(Listed(input_tokens=_SAMPLE, cache_read_tokens=_SAMPLE), model, provider_id=provider)
        except (LookupError, ValueError) as cause:
            raise missing from cause
    each = [_micro(amount) for amount in (plain.input_price, hot.input_price, plain.output_price)]
    return Price(input=each[0], cached=each[1], output=each[2])


def _micro(amount: Decimal) -> int:
    """Return the price of `_SAMPLE` tokens as micro-dollars for a million, rounded up."""
    return int((amount * MILLION * MILLION / _SAMPLE).to_integral_value(ROUND_UP))
