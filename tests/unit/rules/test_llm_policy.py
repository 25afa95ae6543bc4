"""The section `llm`: read with every fault at its place."""

from __future__ import annotations

import pytest

from tests.support.llm import FIELDS, LLM, llm_policy
from triage.config import load_policy
from triage.errors import ConfigError, Fault
from triage.rules.llm_policy import Price, Task, micro, share

RULES = """
object: Case
rule_set: service
rules:
  - id: a
    when: [priority == High]
    do: [{reprioritise: {raise: 1}}]
"""


def faults(text: str, **files: str) -> tuple[Fault, ...]:
    with pytest.raises(ConfigError) as caught:
        load_policy({"fields.yaml": FIELDS, "llm.yaml": text, "rules.yaml": RULES, **files})
    return caught.value.faults


def swapped(old: str, new: str, text: str = LLM) -> str:
    assert old in text
    return text.replace(old, new)


def test_a_policy_without_the_section_asks_nobody() -> None:
    assert load_policy({"fields.yaml": FIELDS}).llm is None


def test_what_is_not_written_has_its_default() -> None:
    found = llm_policy()
    assert found.tasks["sentiment"].mode == "llm_with_local_floor"
    assert (found.max_raise, found.deadline, found.api) == (300, 20_000, "responses")
    assert (found.budget.per_org, found.budget.per_record) == (5_000_000, 5_000_000)


def test_everything_may_be_written() -> None:
    text = (
        LLM
        + """
  api: chat
  keys: {acme: "file:/run/secrets/acme"}
  mask: {Case: [account.name]}
  languages: [en, de]
  prices: {input: 0.5 USD, cached: 0.05 USD, output: 2 USD}
  max_raise: 12.5%
  disagree_over: 50%
  most_characters: 1000
  most_output: 500
  deadline: 8s
  attempt: 3s
  parallel: 2
  rest: 2m
"""
    )
    found = load_policy({"fields.yaml": FIELDS, "llm.yaml": text}).llm
    assert found is not None
    assert (found.api, found.keys, found.languages) == ("chat", {"acme": "file:/run/secrets/acme"}, ("en", "de"))
    assert found.prices == Price(input=500_000, cached=50_000, output=2_000_000)
    assert (found.max_raise, found.disagree_over, found.most_characters, found.most_output) == (125, 500, 1000, 500)
    assert (found.deadline, found.attempt, found.parallel, found.rest) == (8_000, 3_000, 2, 120_000)


def test_texts_and_references_that_may_not_be_sent_are_masked() -> None:
    assert set(llm_policy().mask["Case"]) == {"customer", "account.id", "secret_note", "account.name"}


def test_a_task_may_be_for_some_rule_sets_only() -> None:
    text = swapped("sentiment: {}", "sentiment: {rule_sets: service}")
    found = load_policy({"fields.yaml": FIELDS, "llm.yaml": text, "rules.yaml": RULES}).llm
    assert found is not None
    assert found.tasks["sentiment"] == Task(name="sentiment", rule_sets=("service",), objects=("Case",))
    assert "sentiment" in {task.name for task in found.tasks_of("Case")}
    assert found.tasks_of("Lead") == ()


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("provider: openai", "provider: openia", 3, "did you mean 'openai'"),
        ("  endpoint: http://127.0.0.1:9/v1\n", "", 3, "llm lacks endpoint"),
        ("http://127.0.0.1:9/v1", "http://gpu.example.com/v1", 4, "does not go over an open line"),
        ("http://127.0.0.1:9/v1", "https://user:pw@h/v1", 4, "a web address"),
        ("env:TRIAGE_TEST_KEY", "TRIAGE", 6, "a key never stands in the file"),
        ("[subject, description, messages]", "[subjct]", 7, "did you mean 'subject'"),
        ("{Case: [subject", "{Csae: [subject", 7, "did you mean 'Case'"),
        ("    sentiment: {}", "    mood: {}", 9, "one of sentiment"),
        ("sentiment: {}", "sentiment: {mode: shadwo}", 9, "did you mean 'shadow'"),
        ("sentiment: {}", "sentiment: {sample: 5%}", 9, "only mode shadow"),
        ("sentiment: {}", "sentiment: {values: [a, b]}", 9, "has its own values"),
        ("sentiment: {}", "sentiment: {rule_sets: [servce]}", 9, "did you mean 'service'"),
        ("{mode: llm, values: [refund, outage]}", "{mode: llm}", 12, "list them under values"),
        ("5 USD", "5", 15, "an amount such as"),
        ("5 USD", "5 USD, per_record: 6 USD", 15, "above per_day"),
        ("provider: openai", "provider: azure", 3, "azure needs api_version"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_line_and_its_fix(old: str, new: str, line: int, says: str) -> None:
    found = faults(swapped(old, new))
    assert len(found) == 1
    assert says in found[0].text
    assert (found[0].file, found[0].line) == ("llm.yaml", line)
    assert found[0].column > 1


def test_all_faults_are_told_at_once() -> None:
    text = swapped("5 USD", "5", swapped("subject", "subjct", swapped("gpt-5-mini", "a b")))
    assert len(faults(text)) == 3


def test_a_key_written_into_the_file_by_mistake_is_not_repeated() -> None:
    for written in ("sk-proj-SECRET0123456789", "AIzaSECRET"):
        found = faults(swapped("env:TRIAGE_TEST_KEY", written))
        assert "SECRET" not in str(ConfigError(found))
        assert "not shown" in found[0].text


def test_the_section_stands_in_one_file() -> None:
    found = faults(LLM, **{"more.yaml": LLM})
    assert "'llm' stands in one file: first at llm.yaml:2:1" in found[0].text


def test_a_private_host_that_the_policy_names_may_be_asked_openly() -> None:
    text = swapped("127.0.0.1:9", "gpu.example.com:8000")
    safety = "safety: {allow_private_hosts: ['gpu.example.com:8000']}"
    found = load_policy({"fields.yaml": FIELDS, "llm.yaml": text, "safety.yaml": safety}).llm
    assert found is not None
    assert found.endpoint == "http://gpu.example.com:8000/v1"


def test_money_and_shares_are_whole_numbers() -> None:
    assert [micro(text) for text in ("1 USD", "0.000001 USD", "12.5USD")] == [1_000_000, 1, 12_500_000]
    assert [share(text) for text in ("5%", "12.5%", "100%")] == [50, 125, 1000]
