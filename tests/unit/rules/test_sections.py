"""Objects, milestones, words, templates and people."""

from __future__ import annotations

import pytest

from triage.config import load_policy
from triage.domain.schema import FieldSpec
from triage.domain.work import Agent
from triage.errors import ConfigError
from triage.rules.document import PolicyDocument, Template
from triage.rules.language import AllOf, Leaf
from triage.rules.sections import placeholders


def spec(document: PolicyDocument, name: str) -> FieldSpec:
    return document.objects["Case"].spec.by_name[name]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("status", FieldSpec(name="status", source="Status")),
        ("owner", FieldSpec(name="owner", source="OwnerId", type="reference")),
        ("account.id", FieldSpec(name="account.id", source="AccountId", type="reference")),
        ("number", FieldSpec(name="number", source="CaseNumber", immutable=True)),
        ("amount", FieldSpec(name="amount", source="Amount__c", type="money", unit="EUR")),
        ("account.csm", FieldSpec(name="account.csm", source="CSM__c")),
        (
            "opened_at",
            FieldSpec(
                name="opened_at", source="Date/Time Opened", type="datetime", zone="Europe/Berlin", date_order="DMY"
            ),
        ),
    ],
)
def test_fields_have_the_type_they_state_or_their_name_implies(
    document: PolicyDocument, name: str, expected: FieldSpec
) -> None:
    assert spec(document, name) == expected


def test_a_list_of_values_makes_a_picklist() -> None:
    document = load_policy({"a.yaml": "objects: {Case: {fields: {rating: {from: R, values: [Cold, Hot]}}}}"})
    assert spec(document, "rating").type == "picklist"


def test_ordered_values_ascend(document: PolicyDocument) -> None:
    assert spec(document, "priority").ordered
    assert spec(document, "priority").values == ("Low", "Medium", "High", "Critical")


def test_related_fields_are_read_through_their_reference(document: PolicyDocument) -> None:
    (relation,) = document.objects["Case"].spec.related
    assert (relation.alias, relation.object, relation.by) == ("account", "Account", "AccountId")
    assert [field.name for field in relation.fields] == ["account.tier", "account.csm"]
    assert "sla__c" not in document.objects["Case"].spec.by_source


def test_an_object_has_a_calendar_a_creation_column_and_what_closes_it(document: PolicyDocument) -> None:
    config = document.objects["Case"]
    assert (config.calendar, config.spec.created_field) == ("support", "CreatedDate")
    assert isinstance(config.closed_when, AllOf)
    bare = load_policy({"a.yaml": "objects: {Lead: {created: Created}}"}).objects["Lead"]
    assert (bare.calendar, bare.closed_when, bare.spec.created_field) == ("none", None, "Created")


def test_targets_are_tried_by_condition_then_the_default(document: PolicyDocument) -> None:
    first, second, default = document.milestones[0].targets
    assert (first.allowed, second.allowed, default.allowed) == (3_600_000, None, 28_800_000)
    assert default.when is None
    assert isinstance(first.when, AllOf)


def test_a_milestone_with_one_target_has_hours_and_recurrence(document: PolicyDocument) -> None:
    second = document.milestones[1]
    assert [target.allowed for target in second.targets] == [172_800_000]
    assert (second.hours, second.recurrence, document.milestones[0].hours) == ("none", "independent", "record")


def test_conditions_of_a_milestone_that_are_not_written_are_none(document: PolicyDocument) -> None:
    first = document.milestones[0]
    assert (first.start, first.stop) == (None, None)
    assert isinstance(first.pause, AllOf)
    assert isinstance(first.pause.parts[0], Leaf)


@pytest.mark.parametrize("target", ["none", "0", "0h"])
def test_no_target_and_zero_are_no_deadline(target: str) -> None:
    texts = {"a.yaml": f"objects: {{Case: {{}}}}\nmilestones: {{m: {{object: Case, target: {target}}}}}"}
    assert load_policy(texts).milestones[0].targets[0].allowed is None


def test_a_target_without_a_unit_is_told_what_a_day_of_it_is() -> None:
    with pytest.raises(ConfigError, match=r"\(1d is 24 open hours\)"):
        load_policy({"p.yaml": "milestones: {late: {object: Case, target: 2x}}"})


def test_words_of_all_languages_are_one_list_each_word_once() -> None:
    document = load_policy({"a.yaml": "words: {x: {en: [down, NO], de: [down, weg]}, y: [one]}"})
    assert document.words == {"x": ("down", "NO", "weg"), "y": ("one",)}


def test_placeholders_are_listed_once_in_their_order() -> None:
    template = Template(name="t", subject="{id} of {account.tier}", body="{owner} {id}")
    assert placeholders(template) == ("id", "account.tier", "owner")


def test_agents_are_known_by_id(document: PolicyDocument) -> None:
    expected = Agent(id="005A", name="A. Person", skills={"billing": 3}, teams=("sales-emea",), tier=2, shift="support")
    assert document.directory.agents == (expected,)


def test_milestones_know_where_they_stand(document: PolicyDocument) -> None:
    assert document.milestones[0].at.file == "base.yaml"
    assert document.milestones[0].at.line > 30


@pytest.mark.parametrize(
    ("name", "kind"),
    [("is_closed", "boolean"), ("reopen_count", "integer"), ("lead.value", "money"), ("language", "text")],
)
def test_a_builtin_field_that_is_mapped_keeps_its_type(name: str, kind: str) -> None:
    document = load_policy({"a.yaml": f"objects: {{Case: {{fields: {{{name}: Column, x: {{from: X}}}}}}}}"})
    assert (spec(document, name).type, spec(document, name).source) == (kind, "Column")


def test_a_builtin_picklist_that_is_mapped_keeps_its_values_unless_it_states_others() -> None:
    kept = load_policy({"a.yaml": "objects: {Case: {fields: {sentiment.label: Mood}}}"})
    assert spec(kept, "sentiment.label").values == ("negative", "neutral", "positive")
    longer = load_policy({"a.yaml": "objects: {Case: {fields: {sentiment.label: {from: Mood, values: [bad, good]}}}}"})
    assert spec(longer, "sentiment.label").values == ("bad", "good")
