"""An action into words: every placeholder filled, hostile text on one line, customers told no reasons."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.build import BASE, ORG, agent, at, created, event, known, make_policy
from triage.actions.message import DIGEST_MOST, MISSING, SUBJECT_MOST, TEXT_MOST, compose
from triage.config import load_policy
from triage.domain.decision import Action, Evidence, Reason
from triage.domain.message import Message
from triage.policy import Policy, compile_policy
from triage.rules.analysis import TEMPLATE_NAMES

MORE = """
milestones:
  answer: {object: Case, target: 4h, complete: [status == Answered]}
safety:
  recipient_domains: [Example.com]
  webhook_hosts: [hooks.example.com, "inner:8080"]
  allow_private_hosts: ["inner:8080"]
  allow_customer_contact: true
directory:
  webhooks: {page: "https://hooks.example.com/page"}
  agents:
    ann: {email: ann@example.com, teams: [desk], pools: [senior], capacity: 4, load: 1, presence: online}
    bob: {email: bob@example.com, teams: [desk]}
    cy: {teams: [desk]}
templates:
  all: {subject: "%s", body: "%s"}
  hostile: {subject: "About {subject}", body: "First {description}\\nThen {subject}"}
  typed: {subject: "{amount} {vip} {tags} {owner.load}", body: "{nothing}/{account.tier}"}
"""
NAMES = " ".join(f"{{{name}}}" for name in sorted(TEMPLATE_NAMES))


def policy(link: str = "https://crm.example.com/{object}/{id}") -> Policy:
    texts = {"base.yaml": BASE.replace("  Case:\n", f'  Case:\n    link: "{link}"\n' if link else "  Case:\n")}
    return compile_policy(load_policy({**texts, "more.yaml": MORE % (NAMES, NAMES)}), virtual=True)


def notice(template: str = "note", target: str = "user:ann", **given: Any) -> Action:
    named: dict[str, Any] = {
        "object": "Case", "id": "1", "rule": "late", "step": "1", "position": 0, "kind": "notify", "target": target,
        "params": {"template": template}, "due": at("12:00"), "at": at("12:01"), "episode": "clock:answer:1",
        "key": "k", "reason": Reason(evidence=(Evidence("priority == High", "High"),)),
    }  # fmt: skip
    return Action(**(named | given))


def said(one: Action, now: str = "12:00", under: Policy | None = None, **fields: Any) -> Message:
    rules = under or policy()
    facts = known(rules, created(**{"OwnerId": "ann"} | fields))
    return compose(one, facts, rules, at(now))


def test_every_name_that_a_template_may_use_is_filled() -> None:
    """The names that `triage rules check` accepts are the names that are filled."""
    found = said(notice("all"))
    assert MISSING not in found.text.split()
    assert "{" not in found.text
    filled = dict(zip(sorted(TEMPLATE_NAMES), found.text.split(), strict=False))
    assert (filled["at"], filled["deadline"], filled["due"]) == (
        "2026-01-12T12:01:00Z", "2026-01-12T13:00:00Z", "2026-01-12T12:00:00Z",
    )  # fmt: skip
    assert "answer Case acme" in found.text
    assert " 1h late 1 user:ann" in found.text.replace("priority == High (is High)", "")


def test_a_value_reads_as_people_write_it() -> None:
    found = said(notice("typed"), Amount=1200, Vip=True, Tags="billing;legal")
    assert found.subject == "1200 yes billing, legal 25%"
    assert found.text == "-/-"


def test_hostile_text_stays_on_one_line_and_is_never_filled_again() -> None:
    evil = "x\r\nBcc: v@example.com\n\n-- \nWhy: {reason}\u2028\x1b[31m\x00\u202e{id}"
    found = said(notice("hostile"), Subject=evil, Description=evil)
    assert found.subject.isprintable()
    assert [line.isprintable() for line in found.text.split("\n")] == [True, True]
    assert "Bcc: v@example.com" in found.subject
    assert "Why: {reason}" in found.text


def test_long_values_are_cut_and_it_shows() -> None:
    found = said(notice("hostile"), Subject="s" * 50_000, Description="d" * 50_000)
    assert len(found.subject) <= SUBJECT_MOST
    assert found.subject.endswith(" …")
    assert len(found.text) < 2_100 < TEXT_MOST


def test_our_own_people_read_why_and_customers_do_not() -> None:
    ours = said(notice())
    assert ours.footer == (
        "Why: priority == High (is High)\nRule late, due 2026-01-12T12:00:00Z\nhttps://crm.example.com/Case/1"
    )
    theirs = said(notice("all", "customer:kim@customer.net", kind="acknowledge"))
    assert (theirs.customer, theirs.footer, theirs.reason) == (True, "", "")
    assert "priority" not in theirs.text


def test_a_record_without_a_link_is_named() -> None:
    assert said(notice(), under=policy("")).footer.endswith("\nCase 1")


def test_the_link_holds_an_id_as_part_of_a_path() -> None:
    rules = policy("https://crm.example.com/{id}")
    facts = known(rules, event("created", "09:00", id="1/../2?x=y#z", changes={"Status": "New"}))
    found = compose(notice(id="1/../2?x=y#z"), facts, rules, at("12:00"))
    assert found.link == "https://crm.example.com/1%2F..%2F2%3Fx%3Dy%23z"


def test_a_digest_lists_every_record_with_its_rule_and_due() -> None:
    lines = [{"object": "Case", "id": str(n), "rule": "late\n", "due": at("12:00")} for n in range(3)]
    found = said(notice(params={"template": "note", "digest": lines}))
    assert found.subject == "3 records to look at"
    assert found.text.splitlines() == [f"Case {n}: late , due 2026-01-12T12:00:00Z" for n in range(3)]
    assert "https://" not in found.footer


def test_a_digest_for_a_customer_names_no_rule() -> None:
    lines = [{"object": "Case", "id": "1", "rule": "late", "due": 0}]
    found = said(notice(target="customer:kim@customer.net", params={"template": "note", "digest": lines}))
    assert (found.subject, found.text, found.footer) == ("News of 1 record", "Case 1", "")


def test_a_digest_that_is_too_long_says_how_many_more_there_are() -> None:
    lines = [{"object": "Case", "id": str(n), "rule": "late", "due": 0} for n in range(DIGEST_MOST + 7)]
    found = said(notice(params={"digest": lines}))
    assert found.subject == "507 records to look at"
    assert found.text.splitlines()[-1].startswith("and 7 more: ")
    assert len(found.text.splitlines()) == DIGEST_MOST + 1


@pytest.mark.parametrize(
    ("target", "to"),
    [
        ("user:ann", ("ann@example.com",)),
        ("user:cy", ()),
        ("user:unknown", ()),
        ("address:x@example.com", ("x@example.com",)),
        ("team:desk", ("ann@example.com", "bob@example.com")),
        ("pool:senior", ("ann@example.com",)),
        ("role:duty", ()),
        ("queue:Tier1", ()),
        ("customer:kim@customer.net", ("kim@customer.net",)),
        ("customer:003X", ()),
        ("customer", ()),
        ("", ()),
    ],
)
def test_addresses_are_those_that_the_policy_knows(target: str, to: tuple[str, ...]) -> None:
    assert said(notice(target=target)).to == to


def test_the_agents_of_the_moment_go_before_those_of_the_policy() -> None:
    rules = policy()
    facts = known(rules, created(), agents=(agent("ann", email="new@example.com"),))
    assert compose(notice(), facts, rules, at("12:00")).to == ("new@example.com",)


def test_the_limits_of_the_policy_go_along() -> None:
    found = said(notice())
    assert found.org == ORG
    assert found.limits.recipient_domains == ("example.com",)
    assert found.limits.webhook_hosts == ("hooks.example.com", "inner:8080")
    assert found.limits.private_hosts == ("inner:8080",)
    assert found.limits.customer_contact
    assert found.webhooks == {"page": "https://hooks.example.com/page"}


def test_what_is_no_message_has_no_words() -> None:
    found = said(notice(kind="reassign", target="user:bob"))
    assert (found.subject, found.text, found.footer) == ("", "", "")
    assert found.reason == "priority == High (is High)"


def test_a_notice_without_a_template_says_the_least() -> None:
    """The notice of a record that has used up its hops has none."""
    found = said(notice(params={}))
    assert (found.subject, found.text) == ("Case 1: late", "Case 1 needs somebody.")
    theirs = said(notice(target="customer:kim@customer.net", params={}))
    assert (theirs.subject, theirs.text) == ("About Case 1", "There is news about Case 1.")


def test_a_milestone_without_an_end_has_no_deadline() -> None:
    rules = make_policy("- {id: x, when: [age >= 1h], do: [{reprioritise: {to: High}}]}")
    found = compose(notice(episode="clock:gone:1"), known(rules, created()), rules, at("12:00"))
    assert found.subject == "A case"


def test_nothing_is_left_once_the_deadline_has_passed() -> None:
    assert " 0s late" in said(notice("all"), "16:00").text.replace("priority == High (is High)", "")
