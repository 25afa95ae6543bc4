"""Criteria as Salesforce writes them: lists, quotes, blanks, filters, and what they come to as conditions."""

from __future__ import annotations

from typing import Any as Anything

import pytest

from triage.salesforce.criteria import ALWAYS, All, Any, Leaf, Not, Untranslatable, leaf_of, list_of, negation, tree_of
from triage.salesforce.criteria_fields import FieldMap, slug, type_from_uses
from triage.salesforce.criteria_text import conditions
from triage.salesforce.metadata_model import Criteria, Criterion, Spot

SPOT = Spot("Case.escalationRules", 7)


def criterion(field: str, operation: str, value: str = "") -> Criterion:
    return Criterion(field, operation, value, SPOT)


def rendered(*items: Criterion, filter: str = "") -> list[Anything]:
    """The lines of a policy that criteria become."""
    tree = tree_of(Criteria(spot=SPOT, items=items, filter=filter, filter_spot=SPOT))
    fields = FieldMap("Case", {})
    fields.use(_leaves(tree))
    return conditions(tree, fields)


def _leaves(tree: Anything) -> list[Leaf]:
    match tree:
        case Leaf():
            return [tree]
        case Not():
            return [tree.leaf]
    return [leaf for part in tree.parts for leaf in _leaves(part)]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("High", ("High",)),
        ("High, Low", ("High", "Low")),
        ('HONG KONG,"TAIWAN, ROC"', ("HONG KONG", "TAIWAN, ROC")),
        ('"a ""b"", c"', ('a "b", c',)),
        ('say "hi", there', ('say "hi"', "there")),
        ("", ("",)),
        ("   ", ("",)),
        ("1,,2", ("1", "", "2")),
        ("a,", ("a",)),
    ],
)
def test_a_comma_list_reads_as_salesforce_reads_it(text: str, values: tuple[str, ...]) -> None:
    assert list_of(text) == values


@pytest.mark.parametrize("text", ['"open', 'a, "b" c, d', '"'])
def test_a_quote_that_protects_no_whole_value_is_reported(text: str) -> None:
    """Whether it is part of the value or a slip cannot be known."""
    with pytest.raises(Untranslatable, match="quote"):
        list_of(text)


@pytest.mark.parametrize(
    ("operation", "value", "lines"),
    [
        ("equals", "High", ['priority == "High"']),
        ("equals", "High,Low", ['priority in ["High", "Low"]']),
        ("notEqual", "High", [{"any": ["priority is missing", 'priority != "High"']}]),
        ("notEqual", "High,Low", [{"any": ["priority is missing", 'priority not in ["High", "Low"]']}]),
        ("equals", "", ["priority is missing"]),
        ("notEqual", "", ["priority is present"]),
        ("equals", "High,,Low", [{"any": ['priority in ["High", "Low"]', "priority is missing"]}]),
        ("notEqual", "a,,b", [{"any": ["priority is missing", 'priority not in ["a", "b"]']}, "priority is present"]),
        ("contains", "ig,ow", ['priority contains ["ig", "ow"]']),
        ("notContain", "ig", [{"any": ["priority is missing", 'not priority contains "ig"']}]),
        ("startsWith", "Hi", ['priority starts_with "Hi"']),
    ],
)  # fmt: skip
def test_an_operation_becomes_its_condition_a_missing_value_included(
    operation: str, value: str, lines: list[Anything]
) -> None:
    assert rendered(criterion("Case.Priority", operation, value)) == lines


def test_a_checkbox_that_is_absent_is_not_ticked() -> None:
    assert rendered(criterion("Case.Vip__c", "equals", "True")) == ["vip"]
    assert rendered(criterion("Case.Vip__c", "equals", "False")) == [{"any": ["vip is missing", "not vip"]}]
    assert rendered(criterion("Case.IsClosed", "equals", "false")) == ["not is_closed"]


def test_numbers_and_dates_keep_their_type() -> None:
    assert rendered(criterion("Case.Level__c", "greaterOrEqual", "160")) == ["level >= 160"]
    assert rendered(criterion("Case.Due__c", "lessThan", "2026-01-31")) == ["due < 2026-01-31"]


def test_labels_and_parents_are_asked_by_name() -> None:
    found = rendered(
        criterion("Case.RecordTypeId", "equals", "Support"), criterion("Case.OwnerId", "equals", "Tier 2"),
        criterion("Account.SLA__c", "equals", "Gold"),
    )  # fmt: skip
    assert found == ['record_type == "Support"', 'owner_name == "Tier 2"', 'account.sla == "Gold"']


@pytest.mark.parametrize("filter", ["(1 OR 2 )AND( 3)", "(1 or 2)and 3", "( ( 1 OR 2))   AND 3", "3 AND (2 OR 1)"])
def test_a_filter_reads_with_any_case_and_sloppy_spaces(filter: str) -> None:
    items = [criterion("Case.Status", "equals", value) for value in ("a", "b")]
    found = rendered(*items, criterion("Case.Priority", "equals", "High"), filter=filter)
    either = [one for one in found if isinstance(one, dict)]
    assert len(found) == 2
    assert sorted(either[0]["any"]) == ['status == "a"', 'status == "b"']


def test_and_binds_closer_than_or_and_not_is_known() -> None:
    items = [criterion("Case.Status", "equals", value) for value in ("a", "b", "c")]
    tree = tree_of(Criteria(spot=SPOT, items=tuple(items), filter="1 OR 2 AND NOT 3"))
    assert isinstance(tree, Any)
    assert isinstance(tree.parts[1], All)
    assert isinstance(tree.parts[1].parts[1], Not)


def test_no_criteria_select_every_record() -> None:
    assert tree_of(Criteria(spot=SPOT)) == ALWAYS
    assert rendered() == []


@pytest.mark.parametrize(
    ("filter", "why"),
    [
        ("1 AND 9", "there is no criterion 9"), ("(1 OR 2", "lacks a closing bracket"), ("1 2", "ends before"),
        ("1 XOR 2", "cannot be read"), ("1 AND", "stands where a number should"),
    ],
)  # fmt: skip
def test_a_broken_filter_is_told_with_its_place(filter: str, why: str) -> None:
    items = tuple(criterion("Case.Status", "equals", value) for value in ("a", "b"))
    with pytest.raises(Untranslatable, match=why) as raised:
        tree_of(Criteria(spot=SPOT, items=items, filter=filter, filter_spot=Spot("f", 3)))
    assert raised.value.spot == Spot("f", 3)


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (criterion("Case.Location__c", "within", "5"), "has no counterpart"),
        (criterion("Case.CreatedDate", "lessThan", "LAST_N_DAYS:30"), "moves with the calendar"),
        (criterion("Case.CreatedDate", "equals", "TODAY"), "moves with the calendar"),
        (criterion("Case.Level__c", "lessThan", "1,2"), "needs one value"),
        (criterion("Case.Subject", "contains", ""), "without a value"),
        (criterion("", "equals", "x"), "without a field"),
    ],
)
def test_what_has_no_counterpart_is_refused_with_its_line(item: Criterion, why: str) -> None:
    with pytest.raises(Untranslatable, match=why) as raised:
        leaf_of(item)
    assert raised.value.spot == SPOT


@pytest.mark.parametrize(
    ("field", "operation", "value", "why"),
    [
        ("Case.BusinessHoursId", "greaterThan", "Default", "compares texts by their order"),
        ("Case.IsEscalated", "equals", "maybe", "compared with maybe"),
        ("Contact.Account.Name", "equals", "x", "goes over two parents"),
        ("Case.IsEscalated", "contains", "x", "compared with x"),
        ("Moon.Phase", "equals", "full", "is no field of Case"),
    ],
)
def test_what_a_type_does_not_take_is_refused(field: str, operation: str, value: str, why: str) -> None:
    with pytest.raises(Untranslatable, match=why):
        rendered(criterion(field, operation, value))


def test_an_entry_of_too_many_comparisons_is_refused() -> None:
    items = [criterion(f"Case.F{number}__c", "notEqual", "x") for number in range(100)]
    with pytest.raises(Untranslatable, match="comparisons in one entry"):
        rendered(*items)


def test_the_opposite_of_the_opposite_is_the_same() -> None:
    tree = All((Leaf("a", "in", ("1",)), Any((Not(Leaf("b", "missing")), Leaf("c", "<", ("3",))))))
    assert negation(negation(tree)) == tree


def test_a_type_follows_from_every_use() -> None:
    assert type_from_uses([Leaf("f", "in", ("24",)), Leaf("f", "in", ("48",))]) == "number"
    assert type_from_uses([Leaf("f", "in", ("24",)), Leaf("f", "missing")]) == "text"
    assert type_from_uses([Leaf("f", "in", ("024",))]) == "text"
    assert type_from_uses([Leaf("f", "in", ("True",)), Leaf("f", "in", ("x",))]) == "text"
    assert type_from_uses([Leaf("f", "includes", ("a",))]) == "multipicklist"


def test_metadata_of_a_field_say_more_than_its_uses() -> None:
    fields = FieldMap("Case", {("Case", "Code__c"): ("Text", ""), ("Case", "Site__c"): ("Lookup", "Site__c")})
    fields.use([Leaf("Case.Code__c", "in", ("1",))])
    assert fields.find("Case.Code__c").type == "text"
    assert fields.find("Case.Site__c").source == "Site__r.Name"
    found = fields.find("Site__r.Zone__c")
    assert (found.name, found.parent, found.by) == ("site.zone", "Site__c", "Site__c")


def test_two_fields_never_share_a_name() -> None:
    fields = FieldMap("Case", {})
    names = [fields.find(path).name for path in ("Case.Age__c", "Case.age__c", "Case.Text__c", "Case.Language__c")]
    assert len(set(names)) == 4
    assert not {"age", "text", "language"} & set(names)


def test_api_names_become_names_of_ours() -> None:
    assert [slug(name) for name in ("SS_SLA_Target__c", "SuppliedEmail", "XMLPage__c", "2nd__c")] == [
        "ss_sla_target", "supplied_email", "xml_page", "f_2nd",
    ]  # fmt: skip
