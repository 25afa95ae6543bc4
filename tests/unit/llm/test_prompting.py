"""What is sent: only what the policy names, masked, fenced, under a prompt that never changes once published."""

from __future__ import annotations

from msgspec.structs import replace

from tests.support.llm import case, llm_policy, message
from triage.domain.work import Event, WorkItem
from triage.llm.prompting import Question, prompt_digest, prompt_of, prompt_text, question
from triage.rules.llm_policy import LlmPolicy

PUBLISHED = {"score-1": "aa92a7ab8998c8ed17fc8d4c3b94a8d25482b99eed039d1c4cc004ff089da40b"}


def asked(item: WorkItem, *past: Event, policy: LlmPolicy | None = None) -> Question:
    chosen = policy or llm_policy()
    found = question(item, past, chosen.tasks_of("Case"), chosen)
    assert found is not None
    return found


def test_a_published_prompt_has_not_changed() -> None:
    """A changed word needs a new version: kept answers were given to the old one."""
    assert {name: prompt_digest(name) for name in PUBLISHED} == PUBLISHED


def test_the_prompt_has_a_paragraph_for_every_task() -> None:
    assert set(prompt_text()["tasks"]) == {"sentiment", "urgency", "complexity", "intent", "product_line", "language"}


def test_only_fields_that_the_policy_names_are_sent() -> None:
    found = asked(case(priority="High", secret_note="do not tell", customer="Jane Doe"))
    assert found.sent == ("subject", "description")
    assert "do not tell" not in found.text
    assert "High" not in found.text


def test_values_of_fields_that_are_not_sent_are_masked_where_they_stand() -> None:
    item = case(description="I am Jane Doe of Acme", customer="Jane Doe", **{"account.name": "Acme"})
    found = asked(item)
    assert "I am [known] of [known]" in found.text
    assert found.masked == {"known": 2}


def test_the_name_beside_a_sender_is_masked_in_all_messages() -> None:
    past = [message("Regards, Mia Berg", sender='"Mia Berg" <mia@example.com>')]
    assert "Regards, [known]" in asked(case(), *past).text


def test_messages_are_the_customers_own_the_first_and_the_latest() -> None:
    ours = message("we look into it", direction="out")
    auto = message("I am away", auto=True)
    past = [message(f"word{n}") for n in range(9)]
    text = asked(case(), ours, auto, *past).text
    assert "(1) word0\n(2) word5" in text
    assert "(5) word8" in text
    assert "word3" not in text
    assert "we look into it" not in text
    assert "I am away" not in text


def test_the_latest_message_is_read_from_the_past_where_the_record_has_none() -> None:
    policy = llm_policy(fields={"Case": ("latest_message",)})
    assert asked(case(), message("first"), message("last"), policy=policy).text == "latest_message: last"


def test_the_whole_text_is_subject_description_and_latest_message() -> None:
    policy = llm_policy(fields={"Case": ("text",)})
    text = asked(case(subject="A", description="B"), message("C"), policy=policy).text
    assert text == "text: A\nB\nC"


def test_a_record_that_says_nothing_is_not_asked_about() -> None:
    policy = llm_policy()
    assert question(case(subject="", description=" "), (), policy.tasks_of("Case"), policy) is None


def test_the_strangers_text_stands_last_between_marks_with_the_random_word() -> None:
    found = prompt_of(asked(case()), llm_policy(), "r4nd0m")
    assert found.user.endswith("<<<END CUSTOMER-TEXT r4nd0m>>>")
    assert found.user.count("CUSTOMER-TEXT r4nd0m") == 2
    assert "Cannot log in" not in found.system


def test_the_key_is_that_of_the_content_and_of_all_that_shapes_the_answer() -> None:
    policy = llm_policy()
    same = asked(case()).key
    assert asked(case("500B")).key == same
    assert asked(case(priority="High")).key == same
    others = [asked(case(subject="x")), asked(case(), message("more"))]
    changed: list[dict[str, object]] = [{"model": "other"}, {"endpoint": "http://127.0.0.1:8/v1"}, {"most_output": 99}]
    changed += [{"languages": ("en",)}, {"tasks": {"urgency": policy.tasks["urgency"]}}]
    keys = {found.key for found in others} | {asked(case(), policy=replace(policy, **one)).key for one in changed}
    assert len(keys | {same}) == len(others) + len(changed) + 1


def test_the_text_is_bounded_whatever_the_record_holds() -> None:
    found = asked(case(description="y" * 100_000), *[message("z" * 50_000) for _ in range(5)])
    assert len(found.text) < 6_200


def test_the_words_to_choose_from_are_told() -> None:
    assert "The words: refund, outage." in asked(case()).instructions
