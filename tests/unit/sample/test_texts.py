"""What customers and agents write."""

from __future__ import annotations

import random

import pytest

from triage.config import load_policy, read_folder
from triage.demo.main import find_policy
from triage.rules.words import words_in
from triage.sample.texts import (
    LANGUAGES,
    MOODS,
    answer,
    auto_reply,
    complaint,
    message,
    need,
    outage,
)

WORDS = load_policy(read_folder(find_policy())).words


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("mood", MOODS)
def test_every_mood_has_words_in_every_language(language, mood):
    """No language lacks a mood, and no text is empty."""
    assert message(random.Random(1), language, mood).strip()


@pytest.mark.parametrize("language", LANGUAGES)
def test_urgent_messages_hold_a_word_of_the_example_policys_list(language):
    """The rule that looks for urgency finds it in each language, whichever text is drawn."""
    search = words_in(WORDS["urgency"])
    assert all(search(message(random.Random(seed), language, "urgent")) for seed in range(20))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("mood", ["calm", "thankful"])
def test_friendly_messages_hold_no_urgency(language, mood):
    """A calm text is not taken for an urgent one."""
    search = words_in(WORDS["urgency"])
    assert not any(search(message(random.Random(seed), language, mood)) for seed in range(20))


@pytest.mark.parametrize("language", LANGUAGES)
def test_reports_of_an_outage_name_it(language):
    """Subject or text of an outage holds a word of the list, in each language."""
    search = words_in(WORDS["outage"])
    for seed in range(20):
        assert search(" . ".join(outage(random.Random(seed), language, "Platform")))


@pytest.mark.parametrize("language", LANGUAGES)
def test_ordinary_complaints_name_no_outage(language):
    """What is no outage is not reported as one."""
    search = words_in(WORDS["outage"])
    for seed in range(20):
        assert not search(" . ".join(complaint(random.Random(seed), language, 4711)))


def test_complaints_carry_their_number():
    """The number that the story drew stands in the subject."""
    subject, text = complaint(random.Random(3), "en", 4711)
    assert "4711" in subject
    assert text


def test_the_same_draw_gives_the_same_words():
    """Words depend on the generator alone."""
    assert need(random.Random(5)) == need(random.Random(5))


@pytest.mark.parametrize("language", LANGUAGES)
def test_answers_and_absences_exist_in_every_language(language):
    """Agents answer in the customer's language, and so do mailboxes."""
    assert answer(language) != auto_reply(language)
