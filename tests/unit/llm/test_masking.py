"""What says who somebody is does not leave."""

from __future__ import annotations

import pytest

from triage.llm.masking import iban, known_values, luhn, mask


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("write to jane.doe+x@mail.example.co.uk now", "write to [email] now"),
        ("<o'neil@example.com>", "<[email]>"),
        ("card 4111 1111 1111 1111, exp 12/27", "card [card], exp 12/27"),
        ("4111-1111-1111-1111", "[card]"),
        ("378282246310005 amex", "[card] amex"),
        ("IBAN DE89 3704 0044 0532 0130 00 please", "IBAN [iban] please"),
        ("GB82WEST12345698765432", "[iban]"),
        ("de89370400440532013000", "[iban]"),
        ("call +49 30 901820", "call [phone]"),
        ("(030) 901-820 77", "[phone]"),
        ("0044 20 7946 0958", "[phone]"),
        ("+1 (555) 123-4567.", "[phone]."),
    ],
)
def test_personal_forms_are_masked(text: str, masked: str) -> None:
    assert mask(text)[0] == masked


@pytest.mark.parametrize(
    "text",
    [
        "error 7 since 09:30 on 2026-03-02", "02.03.2026", "order 12345", "version 1.2.3.4", "3 of 500 users",
        "2026-03-02 09:30:15", "1,250,000 EUR", "a@b", "ticket CASE-2044", "from 2026-03-02 to 2026-03-05",
    ],
)  # fmt: skip
def test_what_is_nobodys_is_left(text: str) -> None:
    assert mask(text) == (text, {})


def test_digits_without_a_check_digit_are_no_card() -> None:
    assert "[card]" not in mask("4111 1111 1111 1112")[0]
    assert luhn("4111111111111111")
    assert not luhn("4111111111111112")
    assert not luhn("0000000000000000")
    assert not luhn("42")


def test_an_account_number_needs_its_check_digits() -> None:
    assert iban("DE89 3704 0044 0532 0130 00")
    assert not iban("DE88 3704 0044 0532 0130 00")
    assert not iban("DE89")


def test_words_that_follow_an_account_number_stay() -> None:
    assert mask("pay DE89370400440532013000 today please")[0] == "pay [iban] today please"


def test_known_values_are_masked_as_whole_words_whatever_their_capitals() -> None:
    known = known_values(["Jane Doe", "Acme Holding", "Al"])
    assert mask("JANE doe of acme holding, Jane, Doe; Janet and Al stay", known)[0] == (
        "[known] of [known], [known], [known]; Janet and Al stay"
    )


def test_a_known_value_with_signs_in_it_is_no_pattern() -> None:
    assert mask("we are A.C.M.E (x) [y", known_values(["A.C.M.E (x) [y"]))[0] == "we are [known]"


def test_common_words_of_a_name_and_long_texts_are_not_known() -> None:
    assert known_values(["Bank of the West", "x" * 300, None, 5, " "]) == ("Bank of the West", "Bank", "West")


def test_the_counts_say_how_much_was_taken_out() -> None:
    assert mask("a@b.de c@d.de +49 30 901820")[1] == {"email": 2, "phone": 1}


def test_masking_twice_changes_nothing() -> None:
    text = mask("Jane: jane@x.example, +49 30 901820, 4111 1111 1111 1111", ("Jane",))[0]
    assert mask(text, ("Jane",)) == (text, {})
