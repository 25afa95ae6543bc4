"""Text into grams, in any script."""

from __future__ import annotations

from triage.features.text import character_grams, word_grams, words_of


def test_words_keep_umlauts_and_lose_their_case() -> None:
    assert words_of("Größere STÖRUNG!") == ["grössere", "störung"]


def test_numbers_are_all_alike() -> None:
    assert words_of("invoice 4711") == words_of("invoice 42") == ["invoice", "0"]


def test_word_grams_are_words_and_neighbours() -> None:
    assert word_grams("down again now") == ["down", "again", "now", "down again", "again now"]


def test_character_grams_cross_words_and_keep_what_is_no_letter() -> None:
    assert character_grams("ab") == [" ab", "ab ", " ab "]
    assert character_grams("a") == [" a "]
    assert {"b c", "c::", "b c::"} <= set(character_grams("A  b\nC::7"))
    assert max(map(len, character_grams("A  b\nC::7"))) == 6


def test_scripts_without_blanks_still_give_grams() -> None:
    assert len(character_grams("系统无法登录")) > 10


def test_nothing_gives_nothing() -> None:
    assert word_grams("") == character_grams("  \n") == []
