"""Text from outside: cleaned, cut, and quoted so that it can do no harm in a message."""

from __future__ import annotations

import pytest

from triage.intake.text import bad_id, clean_text, did_you_mean, show


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("abc", "'abc'"),
        (12, "'12'"),
        (None, "'None'"),
        ({}, "a dict"),
        ("a\nb", "'a\\nb'"),
        ("M\u00fcller", "'M\u00fcller'"),
    ],
)
def test_values_are_shown_quoted(value: object, shown: str) -> None:
    """Printable text as it is, the rest escaped."""
    assert show(value) == shown


def test_long_values_are_shown_in_part() -> None:
    """Sixty characters and two dots; numbers of thousands of digits not at all."""
    assert show("x" * 100) == f"'{'x' * 60}'.."
    assert show(10**5000) == "'a number of more than 64 bits'"


def test_text_that_turns_the_reading_direction_is_escaped() -> None:
    """A terminal or a log viewer would show something else than what stands there."""
    assert show("abc\u202ecba") == "'abc\\u202ecba'"


def test_clean_text_keeps_tabs_and_newlines_and_emoji() -> None:
    """Only control characters go."""
    assert clean_text("a\tb\n\U0001f621") == "a\tb\n\U0001f621"


@pytest.mark.parametrize("text", ["500A", "pool:tier 2", "\u00fc"])
def test_ids_may_be_any_printable_text(text: str) -> None:
    """Not only Salesforce has records."""
    assert bad_id(text) == ""


def test_did_you_mean_stays_silent_where_nothing_is_near() -> None:
    """A far-fetched suggestion helps nobody."""
    assert did_you_mean("priorty", ["priority"]) == ": did you mean 'priority'?"
    assert did_you_mean("zzz", ["priority"]) == ""
