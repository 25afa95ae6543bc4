"""Numbers and amounts as people write them; what could be read in two ways is refused."""

from __future__ import annotations

from decimal import Decimal

import pytest

from triage.errors import IntakeError
from triage.intake.numbers import plain_number, read_money, read_number


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        ("12", "12"), (" +12.50 ", "12.50"), ("-1.5e3", "-1500"), ("1,234.5", "1234.5"), ("12,345,678", "12345678"),
        ("1.234,5", "1234.5"), ("12.345.678,9", "12345678.9"), ("1\u00a0234", "1234"), ("1\u2019234.5", "1234.5"),
        (12, "12"), (0.1, "0.1"), ("0.1", "0.1"),
    ],
)  # fmt: skip
def test_numbers_are_exact(raw: object, number: str) -> None:
    """0.1 is a tenth, not the nearest power of two."""
    assert read_number(raw) == Decimal(number)


@pytest.mark.parametrize(
    "raw",
    [
        "1,5", "1,234", "1234,5", "1,23,456.7", "1.2.3", "12 34", "0x10", "1_000", "", "-", "e5", "inf", "nan",
        "1e9999", "\u00bd", "9" * 30, True, None, [], float("inf"), 1 << 63, "9" * 5000,
    ],
)  # fmt: skip
def test_what_is_no_number_or_two_is_refused(raw: object) -> None:
    """With a reason that shows it in part."""
    with pytest.raises(IntakeError) as caught:
        read_number(raw)
    assert len(caught.value.reason) < 200


@pytest.mark.parametrize(
    ("raw", "currency", "amount"),
    [
        ("\u20ac 1.234,50", "EUR", "1234.5"), ("1,234.50 \u20ac", "", "1234.5"), ("USD12", "usd", "12"),
        ("-$5", "CAD", "-5"), ("\u00a512", "JPY", "12"), ("\u20b912", "", "12"),
        (12.5, "EUR", "12.5"), ("12.5", "EUR", "12.5"),
    ],
)  # fmt: skip
def test_amounts_may_carry_their_currency(raw: object, currency: str, amount: str) -> None:
    """Before or after, as sign or code."""
    assert read_money(raw, currency) == Decimal(amount)


@pytest.mark.parametrize(
    ("raw", "currency"), [("\u00a312", "EUR"), ("12 USD", "EUR"), ("$12", "EUR"), ("EUR USD 5", "")]
)
def test_amounts_in_another_currency_are_refused(raw: str, currency: str) -> None:
    """Nothing is converted."""
    with pytest.raises(IntakeError):
        read_money(raw, currency)


@pytest.mark.parametrize(("text", "number", "kind"), [("12.0", 12, int), ("12.5", 12.5, float), ("-0.0", 0, int)])
def test_whole_numbers_are_ints_however_written(text: str, number: float, kind: type) -> None:
    """So that 12 and 12.0 are the same bytes."""
    plain = plain_number(Decimal(text))
    assert (plain, type(plain)) == (number, kind)
