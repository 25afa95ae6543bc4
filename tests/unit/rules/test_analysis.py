"""The static analysis: dead rules, shadowed entries, late warnings, empty fields, loops of owners."""

from __future__ import annotations

from fractions import Fraction

import pytest

from triage.config import load_policy
from triage.rules.analysis import analyse, witnesses
from triage.rules.document import PolicyDocument
from triage.rules.findings import Finding, readable, specs_of
from triage.rules.language import AllOf, Leaf, Rule, RuleSet

DO = "do: [{notify: {who: owner, template: received}}]"


def loaded(base: str, rules: str) -> PolicyDocument:
    return load_policy({"base.yaml": base, "rules.yaml": rules})


def entries(base: str, *conditions: str) -> PolicyDocument:
    body = "".join(f"  - {{id: e{n}, when: [{condition}]}}\n" for n, condition in enumerate(conditions))
    return loaded(base, f"match: first_match\nrules:\n{body}")


def found(document: PolicyDocument, code: str) -> list[Finding]:
    return [finding for finding in analyse(document) if finding.code == code]


def test_the_sample_policy_has_no_findings(document: PolicyDocument) -> None:
    assert analyse(document) == ()


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        ("priority == High, priority == Low", "'priority == High' and 'priority == Low' exclude each other"),
        ("priority > Critical", "no record satisfies 'priority > Critical'"),
        ("seats > 5, seats < 5", "exclude each other"),
        ("seats > 5, seats < 6", "exclude each other"),
        ("inbound_count < 0", "no record satisfies"),
        ("urgency.score > 100%", "no record satisfies"),
        ("is_closed, not is_closed", "'is_closed' and 'not is_closed' exclude each other"),
        ("status is missing, status == New", "exclude each other"),
        ("status is missing, not status == New", "exclude each other"),
        ("status == New, status == Old", "exclude each other"),
        ("status == New, status == OLD", "exclude each other"),
        ("subject == a, subject contains b", "exclude each other"),
        ("subject starts_with re, subject starts_with fw", "exclude each other"),
        ("products includes Mail, products excludes Mail", "exclude each other"),
        ("opened_at > 2026-01-31T09:00:00Z, opened_at < 2026-01-01T00:00:00Z", "exclude each other"),
        ("text in words(outage), not text in words(outage)", "exclude each other"),
        ("priority == High, {any: [priority == Low, priority == Medium]}", "exclude one another"),
        ("{not: {any: [is_closed, not is_closed]}}", "exclude each other"),
    ],
)
def test_a_rule_that_can_never_hold_is_found_with_its_contradiction(base: str, condition: str, why: str) -> None:
    (finding,) = found(entries(base, condition), "never")
    assert why in finding.text
    assert (finding.level, finding.rule) == ("warning", "e0")
    assert (finding.at.file, finding.at.line) == ("rules.yaml", 3)


@pytest.mark.parametrize("condition", ["age > 6h, age < 6h", "sla.used >= 80%, sla.remaining > 20%", "sla.used < 0%"])
def test_clocks_that_exclude_each_other_are_found(base: str, condition: str) -> None:
    (finding,) = found(loaded(base, f"rules: [{{id: a, when: [{condition}], {DO}}}]"), "never")
    assert finding.rule == "a"


@pytest.mark.parametrize(
    "condition",
    [
        "seats >= 5, seats <= 5",
        "amount > 5, amount < 6",
        "discount > 10%, discount < 10.1%",
        "subject contains a, subject contains b, not subject contains c",
        "subject starts_with re, subject starts_with r",
        "subject contains a, not subject == a",
        "products includes Mail, products includes Voice, products excludes Chat",
        "'products includes [Mail, Voice]', products excludes Mail",
        "not priority == High, not priority == Low",
        "{any: [priority == High, is_closed]}, not is_closed",
        "text in words(outage), not text in words(anger)",
        "lead.value >= 0, status is present",
    ],
)
def test_a_rule_that_can_hold_is_not_accused_and_has_a_record_as_proof(base: str, condition: str) -> None:
    document = entries(base, condition)
    assert found(document, "never") == []
    assert "e0" in witnesses(document.rule_sets[0], document)


def test_an_entry_behind_a_wider_one_is_shadowed_by_it(base: str) -> None:
    document = entries(base, '"priority in [High, Low]"', "priority == High, status == New", "priority == Medium")
    (finding,) = found(document, "shadowed")
    assert finding.rule == "e1"
    assert "'e0' (line 3) takes every record" in finding.text


def test_an_entry_behind_several_that_cover_it_together_is_shadowed(base: str) -> None:
    document = entries(base, "priority <= Medium", "priority >= High", "priority is present, is_closed", "is_closed")
    (finding,) = found(document, "shadowed")
    assert finding.rule == "e2"
    assert "together" in finding.text


def test_missing_values_keep_an_entry_reachable(base: str) -> None:
    document = entries(base, "priority == High", "not priority == High", "seats is missing")
    assert found(document, "shadowed") == []
    assert "priority" not in witnesses(document.rule_sets[0], document)["e2"]


def test_nothing_is_shadowed_where_all_rules_match(base: str) -> None:
    rules = "".join(f"  - {{id: a{n}, when: [priority == High], {DO}}}\n" for n in range(3))
    assert analyse(loaded(base, f"rules:\n{rules}")) == ()


def test_a_witness_is_taken_by_its_entry_and_by_none_before_it(base: str) -> None:
    document = entries(base, "priority == High", "seats > 5, priority <= High", "seats > 3", "[]")
    found_records = witnesses(document.rule_sets[0], document)
    assert found_records["e1"] == {"priority": "Low", "seats": 6}
    assert found_records["e2"] == {"seats": 4}
    assert found_records["e3"] == {}


@pytest.mark.parametrize(("holes", "code"), [(3, "never"), (5, "undecided")])
def test_more_pigeons_than_holes_are_impossible_or_the_search_says_that_it_gave_up(holes: int, code: str) -> None:
    birds = range(holes + 1)
    fields = ", ".join(["is_closed: IsClosed", *(f"p{n}: P{n}" for n in birds)])
    objects = f"objects: {{Lead: {{fields: {{{fields}}}}}}}"
    placed = [f'"p{n} in [{", ".join(f"h{h}" for h in range(holes))}]"' for n in birds]
    apart = [
        f"{{any: [not p{a} == h{h}, not p{b} == h{h}]}}" for h in range(holes) for a in birds for b in birds if b < a
    ]
    rules = f"object: Lead\nmatch: first_match\nrules: [{{id: x, when: [{', '.join([*placed, *apart])}]}}]"
    (finding,) = analyse(load_policy({"a.yaml": objects, "b.yaml": rules}))
    assert finding.code == code


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ("clock: first_response, over: 8h", "8h is never before the breach: the largest target is 8h"),
        ("clock: first_response, over: 9h", "never before the breach"),
        ("clock: first_response, over: 100%", "warns of a breach to come"),
        ("clock: first_response, remaining: 0s", "warns of a breach to come"),
        ("clock: sla, over: 2d", "the largest target is 2d"),
    ],
)
def test_a_warning_that_comes_after_the_breach_is_found(base: str, after: str, words: str) -> None:
    do = "do: [{notify: {who: owner, template: sla-at-risk}}]"
    rules = f"match: first_match\nrules: [{{id: e, when: [], steps: [{{after: {{{after}}}, {do}}}]}}]"
    (finding,) = found(loaded(base, rules), "after_breach")
    assert words in finding.text


@pytest.mark.parametrize(
    "after", ["clock: first_response, over: 99%", "clock: first_response, over: 2h", "clock: created, over: 9d"]
)
def test_a_warning_before_the_breach_is_not_accused(base: str, after: str) -> None:
    do = "do: [{notify: {who: owner, template: sla-at-risk}}]"
    rules = f"match: first_match\nrules: [{{id: e, when: [], steps: [{{after: {{{after}}}, {do}}}]}}]"
    assert analyse(loaded(base, rules)) == ()


def test_an_escalation_after_the_breach_that_promises_nothing_is_fine(base: str) -> None:
    assert analyse(loaded(base, f"rules: [{{id: a, when: [sla.used >= 120%], {DO}}}]")) == ()


def test_a_pre_breach_rule_with_its_clock_at_the_breach_is_found(base: str) -> None:
    rules = f"rules: [{{id: a, when: [sla.used >= 100%], pre_breach: true, {DO}}}]"
    assert len(found(loaded(base, rules), "after_breach")) == 1


def test_a_clock_of_milestones_that_an_object_has_not_is_found(base: str) -> None:
    lead = "objects: {Lead: {fields: {owner: OwnerId}}}"
    rules = f"object: Lead\nrules: [{{id: a, when: [sla.used >= 80%], {DO}}}]"
    document = load_policy({"base.yaml": base, "lead.yaml": lead, "rules.yaml": rules})
    assert len(found(document, "no_target")) == 1


def test_fields_that_nothing_fills_are_found(base: str) -> None:
    lead = """objects:
  Lead:
    fields: {rating: Rating}
    related: {account: {object: Account, by: AccountId, fields: {tier: SLA__c}}}
"""
    rules = f"object: Lead\nrules: [{{id: a, when: [account.tier == Gold, owner.load > 80%, rating == Hot], {DO}}}]"
    document = load_policy({"base.yaml": base, "lead.yaml": lead, "rules.yaml": rules})
    texts = [finding.text for finding in found(document, "unfilled")]
    assert len(texts) == 2
    assert "'account.tier' is never filled: no field maps 'AccountId'" in texts[0]
    assert "'owner.load' is never filled: no field 'owner' is mapped" in texts[1]


@pytest.mark.parametrize(
    ("do", "words"),
    [
        ("notify: {who: 'address:a@else.example', template: received}", "'else.example' is not among"),
        ("custom: {webhook: other}", "'other.example' is not among safety's webhook_hosts"),
        ("notify: {who: owner, template: odd}", "nothing fills {nobody} of the template 'odd'"),
    ],
)
def test_actions_that_safety_refuses_are_found(base: str, do: str, words: str) -> None:
    more = "templates: {odd: {subject: a, body: 'dear {nobody}'}}\n"
    more += "directory: {webhooks: {other: 'https://other.example/x'}}"
    rules = f"rules: [{{id: a, when: [], do: [{{{do}}}]}}]"
    (finding,) = analyse(load_policy({"base.yaml": base, "more.yaml": more, "rules.yaml": rules}))
    assert words in finding.text


def test_messages_to_customers_need_permission(base: str) -> None:
    rules = "rules: [{id: a, when: [], do: [{acknowledge: {template: received}}]}]"
    (finding,) = analyse(loaded(base.replace("allow_customer_contact: true", "allow_customer_contact: false"), rules))
    assert "allow_customer_contact: true" in finding.text


def test_findings_read_like_faults(base: str) -> None:
    (finding,) = analyse(entries(base, "priority == High, priority == Low"))
    assert str(finding).startswith("rules.yaml:3:10: warning: rule 'e0' never holds: ")


def test_records_are_shown_in_the_units_of_their_fields(document: PolicyDocument) -> None:
    record = {
        "opened_at": 0,
        "waited": 90_000,
        "clock:sla/none/share": Fraction(4, 5),
        "clock:created/none/ms": 3_600_000,
        "products": ("Mail", "Chat"),
        "seats": 3,
    }
    assert readable(record, specs_of(document, "Case")) == (
        "opened_at=1970-01-01T00:00:00Z, waited=1m30s, sla/none/share=80%, created/none/ms=1h, products=Mail+Chat, "
        "seats=3"
    )


def test_rules_made_without_a_file_can_be_analysed(document: PolicyDocument) -> None:
    rules = (Rule(id="a", when=AllOf(())), Rule(id="b", when=Leaf(field="status", op="==", values=("New",))))
    rule_set = RuleSet(id="s", object="Case", match="first_match", rules=rules)
    assert set(witnesses(rule_set, document)) == {"a"}
