"""Rules files into rule sets."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from triage.rules.document import PolicyDocument
from triage.rules.language import ActionSpec, AllOf, Rule, RuleSet
from triage.rules.load import load_rules

DO = "do: [{notify: {who: owner, template: received}}]"


def load(text: str, document: PolicyDocument) -> RuleSet:
    rule_set, faults = load_rules("rules/service.yaml", text, document)
    assert faults == ()
    assert rule_set is not None
    return rule_set


def rule(body: str, document: PolicyDocument) -> Rule:
    (only,) = load(f"rules:\n  - id: x\n    when: []\n    {body}\n", document).rules
    return only


def named(document: PolicyDocument, name: str) -> Rule:
    return next(rule for rule_set in document.rule_sets for rule in rule_set.rules if rule.id == name)


def test_a_file_without_settings_is_an_all_matches_set_of_cases_called_after_the_file(document: PolicyDocument) -> None:
    found = load(f"rules: [{{id: a, when: [], {DO}}}]", document)
    assert (found.id, found.object, found.match, found.reevaluate_on) == ("service", "Case", "all_matches", "related")


def test_a_file_states_its_object_name_match_and_reevaluation(document: PolicyDocument) -> None:
    found = next(rule_set for rule_set in document.rule_sets if rule_set.id == "ageing")
    assert (found.object, found.match, found.reevaluate_on) == ("Case", "first_match", "record")


def test_defaults_of_a_rule_are_those_of_the_language(document: PolicyDocument) -> None:
    found = rule(DO, document)
    default = Rule(id="x", when=AllOf(()))
    for name in ("boosts", "on", "once", "repeat", "cool_down", "deliver", "hours", "mode", "while_closed"):
        assert getattr(found, name) == getattr(default, name)


def test_every_setting_of_a_rule_is_read(document: PolicyDocument) -> None:
    found = named(document, "angry-outage")
    assert found.on == ("created", "updated")
    assert (found.mode, found.cool_down, found.deliver, found.hours) == ("act", 7_200_000, "in_hours", "support")
    assert found.while_closed
    assert not found.pre_breach
    assert named(document, "tier1-enterprise-sla").once == "per_milestone"
    assert named(document, "tier1-enterprise-sla").pre_breach
    assert named(document, "tier1-enterprise-sla").description == "The enterprise card"


def test_reassign_carries_its_target_its_match_and_its_limits(document: PolicyDocument) -> None:
    action = named(document, "tier1-enterprise-sla").do[0]
    assert (action.kind, action.target.kind, action.target.name) == ("reassign", "pool", "tier2-senior")
    assert (action.match, action.params) == ("best", {"respect_capacity": True, "if_none": "next_eligible"})
    limited = named(document, "neglected").do[0]
    assert (limited.exclude, limited.require) == (("owner", "previous_owners"), ("present", "free_capacity"))


def test_several_recipients_become_several_actions_in_their_order(document: PolicyDocument) -> None:
    targets = [(action.target.kind, action.target.name) for action in named(document, "angry-outage").do[:4]]
    assert targets == [("owner", ""), ("role", "manager"), ("role", "lead"), ("address", "a@example.com")]


def test_a_field_can_name_the_recipient(document: PolicyDocument) -> None:
    target = named(document, "tier1-enterprise-sla").do[1].target
    assert (target.kind, target.name) == ("field", "account.csm")


@pytest.mark.parametrize(
    ("position", "kind", "target", "params"),
    [
        (4, "acknowledge", ("customer", ""), {"template": "received"}),
        (5, "reprioritise", ("field", "priority"), {"raise": 1}),
        (6, "reprioritise", ("field", "priority"), {"to": "Critical"}),
        (7, "set", ("field", "seats"), {"value": 12}),
        (8, "custom", ("webhook", "pager"), {"with": {"level": 3, "urgent": True, "text": "NO", "list": ["a", "010"]}}),
    ],
)
def test_the_other_actions(
    document: PolicyDocument, position: int, kind: str, target: tuple[str, str], params: dict[str, Any]
) -> None:
    action = named(document, "angry-outage").do[position]
    assert (action.kind, (action.target.kind, action.target.name), action.params) == (kind, target, params)


def test_else_of_an_action_beats_that_of_its_rule(document: PolicyDocument) -> None:
    def spare(action: ActionSpec) -> list[str]:
        return [other.target.name for other in action.if_none]

    actions = named(document, "angry-outage").do
    assert spare(actions[0]) == ["Tier3"]
    assert spare(actions[5]) == ["005A"]


def test_else_nests_no_deeper_than_four(document: PolicyDocument) -> None:
    move = "{move: {to: {queue: Tier2}}}"
    for _ in range(4):
        move = f"{{move: {{to: {{queue: Tier2}}, else: [{move}]}}}}"
    _, faults = load_rules("a.yaml", f"rules: [{{id: a, when: [], do: [{move}]}}]", document)
    assert [fault.text for fault in faults] == ["'else' inside 'else' goes 4 levels deep at most"]


def test_repeat_has_an_interval_a_bound_and_what_follows(document: PolicyDocument) -> None:
    repeat = named(document, "neglected").repeat
    assert repeat is not None
    assert (repeat.every, repeat.at_most) == (900_000, 3)
    assert [action.target.name for action in repeat.then] == ["sales-pool"]


def test_boosts_are_conditions_with_a_number(document: PolicyDocument) -> None:
    (boost,) = named(document, "tier1-enterprise-sla").boosts
    assert boost.add == 20
    (lone,) = rule(f"boost: {{when: age > 3h, add: -5}}\n    {DO}", document).boosts
    assert lone.add == -5


def test_steps_are_called_by_their_position_unless_they_have_an_id(document: PolicyDocument) -> None:
    steps = named(document, "priority-ageing-high").steps
    assert [step.id for step in steps] == ["1", "again", "3"]
    assert [step.clock for step in steps] == ["created", "milestone:first_response", "milestone:resolution"]
    assert [step.over for step in steps] == [10_800_000, Fraction(4, 5), 1_800_000]
    assert [step.of_remaining for step in steps] == [False, False, True]
    assert {step.hours for step in steps} == {"none"}


def test_an_entry_without_steps_only_takes_the_record(document: PolicyDocument) -> None:
    assert named(document, "everything-else").steps == ()


def digest(text: str, document: PolicyDocument) -> str:
    return rule(text, document).digest


def test_the_digest_ignores_comments_quotes_order_and_place(document: PolicyDocument) -> None:
    plain = digest(f"cool_down: 2h\n    mode: act\n    {DO}", document)
    assert plain == digest(f"mode: 'act'  # loud\n\n    {DO}\n    cool_down: \"2h\"", document)
    assert len(plain) == 64


def test_the_digest_tells_rules_apart(document: PolicyDocument) -> None:
    assert digest(f"cool_down: 2h\n    {DO}", document) != digest(f"cool_down: 3h\n    {DO}", document)


def test_positions_are_kept_on_rules_and_leaves(document: PolicyDocument) -> None:
    found = named(document, "tier1-enterprise-sla")
    assert (found.at.file, found.at.line, found.at.column) == ("service.yaml", 2, 9)


def test_a_file_with_ten_different_faults_reports_ten(document: PolicyDocument) -> None:
    text = """rules:
  - id: one
    when:
      - sla.usd >= 80%
      - account.tier == Enterprize
      - age > 6
      - priority = High
      - description in words(outag)
    do:
      - reassign: {to: {queue: Tier9}, mach: best}
      - notify: {who: owner, template: recieved}
    onec: per_clock
  - id: two
    when: [{raised: status}]
    do: []
"""
    _, faults = load_rules("rules/bad.yaml", text, document)
    assert [fault.line for fault in faults] == [4, 5, 6, 7, 8, 10, 10, 11, 12, 14, 15]
    assert len({fault.text for fault in faults}) == 11


def test_a_fault_shows_the_line_and_marks_the_word(document: PolicyDocument) -> None:
    text = f"rules:\n  - id: x\n    when:\n      - sla.usd >= 80%\n    {DO}\n"
    _, (fault,) = load_rules("configs/rules/service.yaml", text, document)
    assert str(fault).split("\n") == [
        "configs/rules/service.yaml:4:9: unknown field 'sla.usd': did you mean 'sla.used'?",
        "          - sla.usd >= 80%",
        "            ^^^^^^^",
    ]


@pytest.mark.parametrize("text", ["", "[]", "x", "rules: 5", "- id: a", "rules: [5]", "rules: {id: a}"])
def test_what_is_no_rules_file_is_a_fault_never_an_exception(text: str, document: PolicyDocument) -> None:
    _, faults = load_rules("a.yaml", text, document)
    assert len(faults) == 1


def test_an_empty_list_of_rules_is_an_empty_set(document: PolicyDocument) -> None:
    assert load("rules: []", document).rules == ()


def test_the_same_text_gives_the_same_set(document: PolicyDocument) -> None:
    text = f"rules: [{{id: a, when: [priority == High, age > 3h], {DO}}}]"
    assert load(text, document) == load(text, document)


def test_fifteen_thousand_wrong_rules_are_given_up_on_quickly(document: PolicyDocument) -> None:
    text = "rules:\n" + "".join(f"- {{id: r{n}, when: [nope{n} == 1], do: [5]}}\n" for n in range(15_000))
    _, faults = load_rules("a.yaml", text, document)
    assert len(faults) == 1001
    assert "the rest of this file is not listed" in faults[-1].text or any("more than 1000" in f.text for f in faults)


def test_a_step_counts_in_its_entrys_hours_unless_it_names_its_own(document: PolicyDocument) -> None:
    text = """
match: first_match
rules:
  - id: ageing
    hours: record
    when:
      - priority == High
    steps:
      - {after: {clock: created, over: 3h}, do: [{move: {to: {queue: Tier2}}}]}
      - {after: {clock: created, over: 5h, hours: none}, do: [{move: {to: {queue: Tier2}}}]}
"""
    assert [step.hours for step in load(text, document).rules[0].steps] == ["record", "none"]
