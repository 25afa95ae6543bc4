"""Word lists over free text: whole words, accents folded, negation heeded within a sentence, several languages."""

from __future__ import annotations

import pytest

from triage.rules.words import fold, words_in

OUTAGE = words_in(["outage", "système en panne", "Ausfall", "caída", "data loss"])


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("We have an OUTAGE!", "outage"),
        ("outages are listed", ""),
        ("Le systeme en panne depuis hier", "système en panne"),
        ("Totalausfall im Werk", ""),
        ("AUSFALL im Werk", "Ausfall"),
        ("Hay una caida total", "caída"),
        ("data\nloss since noon", "data loss"),
        ("data was no loss", ""),
        ("", ""),
    ],
)
def test_search_finds_whole_words_with_accents_and_case_folded(text: str, entry: str) -> None:
    assert OUTAGE(text) == entry


@pytest.mark.parametrize(
    "text",
    [
        "there is no outage", "this is not a real outage", "It isn't an outage", "It isn’t an outage",
        "Es gibt keinen Ausfall", "no hay caída", "Ce n'est pas un système en panne", "There hasn't been an outage",
    ],
)  # fmt: skip
def test_search_passes_over_a_negated_word(text: str) -> None:
    assert OUTAGE(text) == ""


def test_search_finds_a_later_mention_when_the_first_is_negated() -> None:
    assert OUTAGE("not an outage at first, but by nine o'clock it was an outage") == "outage"


@pytest.mark.parametrize(
    "text", ["Is it fixed? No. Outage again.", "Not yet!\nOutage since ten", "It did not help; outage"]
)
def test_search_ends_a_negation_with_its_sentence(text: str) -> None:
    assert OUTAGE(text) == "outage"


def test_search_counts_a_negation_out_of_reach_for_nothing() -> None:
    assert OUTAGE("not that we would ever call this an outage") == "outage"


def test_search_of_no_words_finds_nothing() -> None:
    assert words_in([])("anything") == words_in(["", "…"])("anything …") == ""


def test_fold_gives_words_without_case_accents_and_typographic_apostrophes() -> None:
    assert fold("Öl-Straße, N’est pas ÇA") == ["ol", "strasse", "n'est", "pas", "ca"]


def test_search_reads_no_further_than_a_hundred_thousand_characters() -> None:
    assert OUTAGE("x " * 50_000 + "outage") == ""
