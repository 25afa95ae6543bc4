"""What a field map of one's own leaves out: the owner, what is closed, and rules altogether."""

from __future__ import annotations

import pytest

from triage.config import load_policy
from triage.errors import ConfigError
from triage.rules.analysis import analyse
from triage.rules.standard import STANDARD, line_for

TELL = "do: [{notify: {who: owner, template: t}}]"
PEOPLE = "templates: {t: {subject: s, body: b}}\ndirectory: {queues: [Q]}\n"


def said(fields: str, rule: str, name: str = "Case") -> list[tuple[str, str]]:
    """Code and text of each finding of a policy with one field map and one rule."""
    rules = f"object: {name}\nrules:\n  - {{id: a, {rule}}}\n"
    objects = f"objects: {{{name}: {fields}}}\n" if fields else ""
    return [(one.code, one.text) for one in analyse(load_policy({"a.yaml": objects + PEOPLE, "b.yaml": rules}))]


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        (f"when: [age >= 1h], {TELL}", "notifies 'owner'"),
        ("when: [age >= 1h], do: [{move: {to: {queue: Q}}}]", "changes the owner (move)"),
        ("when: [since_assignment >= 1h], do: [{notify: {who: customer, template: t}}]", "the clock 'assigned'"),
    ],
)
def test_a_rule_about_an_owner_that_no_field_maps_is_found_with_the_line_to_write(rule: str, what: str) -> None:
    """One finding a rule; with the line added there is none."""
    ((code, text),) = [one for one in said("{fields: {is_closed: IsClosed}}", rule) if one[0] != "refused"]
    assert code == "no_owner"
    assert what in text
    assert text.endswith("but Case maps no owner: add 'owner: OwnerId' under objects, Case, fields")
    assert "no_owner" not in dict(said("{fields: {is_closed: IsClosed, owner: OwnerId}}", rule))


@pytest.mark.parametrize(
    ("name", "line", "closing"),
    [
        ("Case", "add 'is_closed: IsClosed' under objects, Case, fields", "closed_when: [status == Done]"),
        ("Lead", "and 'closed_when: [is_converted]' under objects, Lead", "closed_when: [status == Done]"),
        ("Opportunity", "add 'is_closed: IsClosed' under objects", "created: CreatedDate"),
    ],
)
def test_a_standard_object_with_rules_and_nothing_that_closes_it_is_found(name: str, line: str, closing: str) -> None:
    """Its own field map replaces the standard one; either way of saying what is closed will do."""
    rule = f"when: [age >= 1h], {TELL}"
    ((code, text),) = said("{fields: {owner: OwnerId, status: Status}}", rule, name)
    assert (code, line in text) == ("no_closing", True)
    fields = "{owner: OwnerId, status: Status, is_closed: IsClosed}"
    assert said(f"{{fields: {fields}, {closing}}}", rule, name) == []


@pytest.mark.parametrize("name", STANDARD)
def test_standard_field_maps_and_objects_of_ones_own_are_not_found_wanting(name: str) -> None:
    """The standard map has owner and end; of an object of the team's own nobody knows how it ends."""
    rule = f"when: [age >= 1h], {TELL}"
    assert said("", rule, name) == []
    assert said("{fields: {owner: OwnerId}}", rule, "Job__c") == []


def test_a_policy_without_any_rule_is_told_so() -> None:
    """It would be in force and do nothing."""
    (finding,) = analyse(load_policy({"a.yaml": PEOPLE}))
    assert (finding.code, finding.at.file) == ("no_rules", "a.yaml")


@pytest.mark.parametrize(
    ("condition", "line"),
    [
        ("subject contains x", "add 'subject: Subject' under objects, Case, fields"),
        ("is_escalated", "add 'is_escalated: {from: IsEscalated, type: boolean}' under objects, Case, fields"),
        ("owner is present", "a field map of your own replaces the standard one: add 'owner: OwnerId'"),
        ("account.tier == Gold", "under objects, Case, related: 'account: {object: .., by: .., fields: {account.tier"),
        ("urgncy.score >= 80%", "did you mean 'urgency.score'"),
        ("sla.remaining <= 0.2", "write '20%'"),
        ("sla.remaining <= 20", "write '20%' or '20m'"),
    ],
)
def test_a_condition_that_cannot_be_read_says_what_to_write(condition: str, line: str) -> None:
    """The line of the field map, the related object, or the share."""
    with pytest.raises(ConfigError) as refused:
        said("{fields: {region: Region__c}}", f"when: [{condition}], {TELL}")
    assert line in str(refused.value)


def test_the_lines_named_declare_the_field_as_the_standard_map_has_it() -> None:
    """Each pasted under `fields` gives the same field."""
    for name, config in STANDARD.items():
        lines = ", ".join(line_for(name, spec.name) for spec in config.spec.fields)
        document = load_policy({"a.yaml": f"objects: {{{name}: {{fields: {{{lines}}}}}}}\n"})
        assert document.objects[name].spec == config.spec
