"""What an import makes of rules and processes: names, clocks, hours, deeds, stand-ins, and an account of all of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.metadata import criteria, escalation_page, hours_page, leaf, milestone_type, page, process_page, tag
from triage.config import load_policy
from triage.rules.document import PolicyDocument
from triage.rules.language import Rule
from triage.salesforce.equivalence import Bench
from triage.salesforce.importing import Imported, import_sources
from triage.salesforce.importing_report import as_data, report, table
from triage.salesforce.metadata import Source

HIGH = [{"field": "Case.Priority", "operation": "equals", "value": "High"}]
DESK = {"timeZoneId": "Europe/London", "hours": {"mon": ["09:00", "17:00"]}}


def made(**files: str) -> tuple[Imported, PolicyDocument]:
    """An import of files by kind, and the policy it made."""
    imported = import_sources([Source(name.replace("__", "."), text.encode()) for name, text in files.items()])
    return imported, load_policy(imported.texts)


def rules(document: PolicyDocument) -> dict[str, Rule]:
    return {rule.id: rule for rule_set in document.rule_sets for rule in rule_set.rules}


def assignment_page(kind: str, *entries: str, name: str = "Assign", active: bool = True) -> str:
    root = {"assignmentRule": "AssignmentRules", "autoResponseRule": "AutoResponseRules"}[kind]
    return page(root, tag(kind, leaf("fullName", name), leaf("active", active), *entries))


def test_entries_are_named_after_their_rule_and_steps_by_their_place() -> None:
    entries = [
        {"criteriaItems": HIGH, "escalationActions": [{"minutesToEscalation": 90}, {"minutesToEscalation": 240}]}
    ]
    imported, document = made(a__escalationRules=escalation_page("Standard Escalation", entries))
    (rule_set,) = document.rule_sets
    assert (rule_set.match, rule_set.reevaluate_on) == ("first_match", "record")
    rule = rules(document)["Standard Escalation/1"]
    assert [(step.id, step.over, step.clock, step.hours) for step in rule.steps] == [
        ("1", 90 * 60_000, "created", "none"), ("2", 240 * 60_000, "created", "none"),
    ]  # fmt: skip
    assert "# from a.escalationRules:" in next(text for name, text in imported.texts.items() if "escalation" in name)


@pytest.mark.parametrize(
    ("entry", "clock", "hours"),
    [
        ({"escalationStartTime": "CaseLastModified"}, "last_modified", "none"),
        ({"disableEscalationWhenModified": True}, "created_until_modified", "none"),
        ({"businessHoursSource": "Case"}, "created", "record"),
        ({"businessHoursSource": "Static", "businessHours": "Desk (EU): 9-5"}, "created", "Desk (EU): 9-5"),
    ],
)
def test_clocks_and_hours_are_those_of_the_entry(entry: dict[str, Any], clock: str, hours: str) -> None:
    entries = [{**entry, "escalationActions": [{"minutesToEscalation": 5}]}]
    settings = hours_page({"Desk (EU): 9-5": DESK})
    _, document = made(a__escalationRules=escalation_page("R", entries), b__settings=settings)
    (step,) = rules(document)["R/1"].steps
    assert (step.clock, step.hours) == (clock, hours)


def test_deeds_are_assignment_notice_or_the_tick_of_escalated() -> None:
    actions = [
        {"minutesToEscalation": 1},
        {"minutesToEscalation": 2, "assignedTo": "Tier2", "assignedToType": "Queue", "notifyCaseOwner": True},
        {"minutesToEscalation": 3, "assignedTo": "a@b.example", "assignedToType": "User", "notifyTo": "c@d.example"},
    ]
    _, document = made(a__escalationRules=escalation_page("R", [{"escalationActions": actions}]))
    done = [
        [(deed.kind, deed.target.kind, deed.target.name) for deed in step.do] for step in rules(document)["R/1"].steps
    ]
    assert done == [
        [("set", "field", "is_escalated")],
        [("reassign", "queue", "Tier2"), ("notify", "owner", "")],
        [("reassign", "user", "a@b.example"), ("notify", "user", "c@d.example")],
    ]
    assert document.directory.queues == ("Tier2",)


def test_hours_that_were_not_imported_are_stood_in_for_and_said() -> None:
    entries = [
        {"businessHoursSource": "Static", "businessHours": "Gone", "escalationActions": [{"minutesToEscalation": 1}]}
    ]
    imported, document = made(a__escalationRules=escalation_page("R", entries))
    assert "Gone" in document.calendars
    assert "TODO" in imported.texts["calendars.yaml"]
    assert any("'Gone' are not among" in note.text and note.level == "check" for note in imported.notes)


def test_an_inactive_rule_is_kept_beside_and_not_loaded() -> None:
    entries = [{"escalationActions": [{"minutesToEscalation": 1}]}]
    imported, document = made(a__escalationRules=escalation_page("Old", entries, active=False))
    assert document.rule_sets == ()
    assert list(imported.beside) == ["inactive/escalation-old.yaml.off"]


def test_an_entry_without_counterpart_is_left_out_and_told_with_its_line() -> None:
    entries = [
        {"formula": "NOW() > CreatedDate", "escalationActions": [{"minutesToEscalation": 1}]},
        {"escalationActions": [{"minutesToEscalation": 2}]},
    ]
    imported, document = made(a__escalationRules=escalation_page("R", entries))
    assert list(rules(document)) == ["R/2"]
    (note,) = [note for note in imported.notes if note.level == "untranslated"]
    assert "entries below it may now match" in note.text
    assert imported.coverage.share("escalation entries, formula").found == 1
    found = Bench(imported).compare(imported.rules[0], 20)
    assert (found.differences, found.entries) == (0, 1)


def test_two_rules_of_one_name_are_kept_apart_and_the_second_active_one_is_said() -> None:
    text = escalation_page("R", [{"escalationActions": [{"minutesToEscalation": 1}]}])
    imported, document = made(a__escalationRules=text, b__escalationRules=text)
    assert set(rules(document)) == {"R/1", "R (2)/1"}
    assert any("a second active escalation rule" in note.text for note in imported.notes)


def test_a_second_of_equal_calendars_parents_and_labels_loads_without_findings() -> None:
    items = [
        {"field": "Account.SLA__c", "operation": "equals", "value": "Gold"},
        {"field": "Case.RecordTypeId", "operation": "equals", "value": "Support"},
    ]
    _, document = made(a__escalationRules=escalation_page("R", [{"criteriaItems": items}]))
    config = document.objects["Case"]
    assert [one.alias for one in config.spec.related] == ["account"]
    assert config.spec.by_source["recordtype.name"].name == "record_type"


def test_assignment_acts_at_creation_only() -> None:
    entry = tag(
        "ruleEntry", leaf("assignedTo", "Sales"), leaf("assignedToType", "Queue"), leaf("template", "a/b"),
        criteria([{"field": "Lead.Country", "operation": "equals", "value": "NL"}]),
    )  # fmt: skip
    _, document = made(Lead__assignmentRules=assignment_page("assignmentRule", entry))
    (rule_set,) = document.rule_sets
    (step,) = rule_set.rules[0].steps
    assert (rule_set.object, step.clock, step.over) == ("Lead", "created_until_modified", 0)
    assert [(deed.kind, deed.target.name) for deed in step.do] == [("reassign", "Sales"), ("notify", "Sales")]


def test_auto_response_acknowledges_and_says_that_customers_are_written_to() -> None:
    entry = tag("ruleEntry", leaf("template", "unfiled$public/Hello"), leaf("formula", "ISNEW()"))
    imported, document = made(Case__autoResponseRules=assignment_page("autoResponseRule", entry))
    (step,) = document.rule_sets[0].rules[0].steps
    assert [deed.kind for deed in step.do] == ["acknowledge"]
    assert document.safety.allow_customer_contact
    assert "unfiled-public-Hello" in document.templates
    assert imported.coverage.share("auto-response entries, formula").translated == 1


def test_milestones_start_with_their_process_or_their_criteria() -> None:
    ones = [{"name": "First Response", "minutes": 60}, {"name": "Close", "minutes": 2880, "criteria": HIGH}]
    _, document = made(
        gold__entitlementProcess=process_page("Gold", ones), Close__milestoneType=milestone_type("recursChained")
    )
    first, close = document.milestones
    assert (first.name, first.start, first.targets[0].allowed) == ("first_response", None, 60 * 60_000)
    assert (close.recurrence, close.start is not None, close.targets[0].allowed) == ("chained", True, 2880 * 60_000)


def test_minutes_of_apex_are_told_never_guessed() -> None:
    text = process_page("Gold", [{"name": "First Response", "minutes": 60}])
    text = text.replace("<minutesToComplete>60</minutesToComplete>", "<minutesCustomClass>Sla</minutesCustomClass>")
    imported, document = made(gold__entitlementProcess=text)
    assert document.milestones == ()
    assert any("Apex class Sla" in note.text for note in imported.notes if note.level == "untranslated")


def test_of_several_versions_of_a_process_the_default_is_used() -> None:
    one = [{"name": "M", "minutes": 10}]
    imported, document = made(
        a_v1__entitlementProcess=process_page("G", one, versionMaster="552", versionNumber=1, isVersionDefault=False),
        a_v2__entitlementProcess=process_page("G v2", one, versionMaster="552", versionNumber=2, isVersionDefault=True),
    )
    assert [milestone.name for milestone in document.milestones] == ["m"]
    assert "inactive/process-g.yaml.off" in imported.beside


def test_records_of_several_processes_are_told_apart_by_their_entitlement() -> None:
    imported, document = made(
        a__entitlementProcess=process_page("Gold", [{"name": "M", "minutes": 10}]),
        b__entitlementProcess=process_page("Silver", [{"name": "M", "minutes": 20}]),
    )
    assert [milestone.name for milestone in document.milestones] == ["m", "silver_m"]
    assert 'entitlement_process == "Gold"' in imported.texts["milestones.yaml"]
    assert "entitlement_process is missing" not in imported.texts["milestones.yaml"].split("milestones:")[1]


def test_report_and_table_give_an_account() -> None:
    entries = [{"escalationActions": [{"minutesToEscalation": 1}]}]
    imported, _ = made(a__escalationRules=escalation_page("R", entries), b__queue="<broken")
    compared = [Bench(imported).compare(rule, 5) for rule in imported.rules]
    assert "escalation entries, plain criteria  " in table(imported)
    text = report(imported, compared, "here")
    for words in ("| R | 5 |", "15 minutes", "Refused", "b.queue:1"):
        assert words in text
    data = as_data(imported, compared)
    assert data["files"] == {"read": 2, "refused": 1, "others": 0}
    assert data["equivalence"][0]["differences"] == 0


def criterion(field: str, operation: str, value: str) -> str:
    """One line of criteria."""
    return criteria([{"field": field, "operation": operation, "value": value}])


def entry(items: str = "", more: str = "") -> str:
    """One escalation entry with a tier of an hour."""
    return tag("ruleEntry", items, more, tag("escalationAction", leaf("minutesToEscalation", 60)))


def escalation(*entries: str) -> str:
    return page("EscalationRules", tag("escalationRule", leaf("fullName", "R"), leaf("active", True), *entries))


def told(imported: Imported, level: str) -> list[str]:
    return [note.text for note in imported.notes if note.level == level]


def test_a_list_too_long_for_one_condition_becomes_several() -> None:
    """None of three hundred values is still none of them."""
    names = ",".join(f"value number {number}" for number in range(300))
    page_ = escalation(entry(criterion("Case.Product__c", "notEqual", names)), entry())
    imported, _ = made(a__escalationRules=page_)
    assert told(imported, "untranslated") == []
    assert Bench(imported).compare(imported.rules[0], 40).examples == ()


def nested() -> str:
    """A filter of forty criteria, each one level deeper than the last."""
    text = "1"
    for number in range(2, 41):
        text = f"({text} {'OR' if number % 2 else 'AND'} {number})"
    return text


@pytest.mark.parametrize(
    ("joined", "said"), [("(" * 300 + "1" + ")" * 300, "nested deeper than 60"), (nested(), "nested too deeply")]
)
def test_a_filter_that_is_nested_too_deeply_is_told(joined: str, said: str) -> None:
    items = "".join(criterion(f"Case.F{number}__c", "equals", "x") for number in range(1, 41))
    imported, _ = made(a__escalationRules=escalation(entry(items, leaf("booleanFilter", joined)), entry()))
    assert any(said in text for text in told(imported, "untranslated"))


def test_an_action_whose_minutes_cannot_be_is_told_and_counted() -> None:
    """A negative number of minutes was passed over in silence once."""
    actions = "".join(tag("escalationAction", leaf("minutesToEscalation", text)) for text in ("-5", "999999999", "60"))
    imported, document = made(a__escalationRules=escalation(tag("ruleEntry", actions)))
    assert len(rules(document)["R/1"].steps) == 1
    assert ["negative" in text or "ten years" in text for text in told(imported, "untranslated")] == [True, True]
    share = imported.coverage.share("escalation actions")
    assert (share.found, share.translated) == (3, 1)


def test_names_that_a_policy_does_not_take_are_changed_and_told() -> None:
    """Queues and business hours keep theirs wherever they can."""
    odd = {"none": DESK, "# Desk": DESK}
    entries = [{"businessHoursSource": "Static", "businessHours": name} for name in odd]
    entries = [one | {"escalationActions": [{"minutesToEscalation": 5, "assignedTo": "*"}]} for one in entries]
    imported, document = made(a__escalationRules=escalation_page("R", entries), b__settings=hours_page(odd))
    hours = [rule.steps[0].hours for rule in rules(document).values()]
    assert hours == ["none (hours)", "Desk"]
    assert document.directory.queues == ("queue",)
    assert len([text for text in told(imported, "check") if "here" in text]) == 3


def test_two_templates_never_become_one() -> None:
    entries = [
        {"escalationActions": [{"minutesToEscalation": 5, "notifyTo": "u", "notifyToTemplate": t}]}
        for t in ("a b", "a-b")
    ]
    imported, _ = made(a__escalationRules=escalation_page("R", entries))
    people = imported.texts["people.yaml"]
    assert "a-b:" in people
    assert "a-b-2:" in people


def test_what_is_neither_a_user_nor_a_queue_gets_no_record() -> None:
    """A role is no queue of that name."""
    body = tag("ruleEntry", leaf("assignedTo", "Managers"), leaf("assignedToType", "Role"))
    imported, document = made(Case__assignmentRules=assignment_page("assignmentRule", body))
    assert rules(document)["Assign/1"].steps == ()
    assert any("neither a user nor a queue" in text for text in told(imported, "untranslated"))


def test_what_stands_twice_or_says_neither_true_nor_false_is_told() -> None:
    twice = tag(
        "ruleEntry", leaf("formula", "TRUE"), leaf("formula", "FALSE"), leaf("disableEscalationWhenModified", "y")
    )
    imported, _ = made(a__escalationRules=escalation(twice))
    said = told(imported, "check")
    assert any("stands 2 times" in text for text in said)
    assert any("is read as false" in text for text in said)


def test_hours_that_a_holiday_without_an_end_closes_for_good_are_told() -> None:
    """No clock could ever run in them."""
    always = {
        "name": "x",
        "recurrenceType": "RecursDaily",
        "recurrenceStartDate": "2024-01-01",
        "recurrenceInterval": "1",
    }
    imported, _ = made(b__settings=hours_page({"Desk": DESK | {"holidays": [always]}}))
    assert any("does not open after" in text for text in told(imported, "untranslated"))


def test_dates_in_criteria_are_compared_with_the_interpreter_as_dates() -> None:
    """Neighbouring days are tried, not words."""
    items = criterion("Case.Due__c", "greaterOrEqual", "2026-01-31") + criterion(
        "Case.CreatedDate", "greaterThan", "2026-01-31T10:00:00.000Z"
    )
    imported, _ = made(a__escalationRules=escalation(entry(items), entry()))
    found = Bench(imported).compare(imported.rules[0], 60)
    assert (found.examples, found.entries_fired) == ((), 2)
