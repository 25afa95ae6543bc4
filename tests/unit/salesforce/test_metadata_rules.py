"""Rules kept as records in Salesforce: good ones act, a bad one keeps its last good version and says why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from triage.config import load_policy, read_folder
from triage.errors import ConfigError
from triage.salesforce.metadata_rules import FIELDS, rule_text, wants_setup_rules, with_setup_rules

EXAMPLE = Path(__file__).parents[3] / "configs" / "example"
GOOD: dict[str, Any] = {
    "DeveloperName": "At_Risk", "MasterLabel": "At risk", "Active__c": True, "Object__c": "Case",
    "Trigger__c": "milestone_used", "Milestone__c": "first_response", "Threshold__c": 80.0,
    "Threshold_Unit__c": "percent", "Secondary__c": "priority >= High\nnot is_contacted", "Tier__c": "Gold, Enterprise",
    "Action__c": "notify", "Target_Kind__c": "manager", "Template__c": "sla-at-risk", "Mode__c": "notify",
}  # fmt: skip


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    return read_folder(EXAMPLE) | {
        "rules/setup.yaml": "# from Salesforce\nobject: Case\nrule_set: setup\nrules: {source: salesforce}  # here\n",
        "rules/setup-lead.yaml": "object: Lead\nrule_set: setup-lead\nrules:\n  source: salesforce\n",
    }


def test_a_file_that_asks_for_rules_of_salesforce_is_a_valid_policy_without_them(texts: dict[str, str]) -> None:
    load_policy(texts)
    assert wants_setup_rules(texts) == ("rules/setup-lead.yaml", "rules/setup.yaml")


def test_a_good_record_becomes_a_rule_of_its_objects_file(texts: dict[str, str]) -> None:
    found = with_setup_rules(texts, [GOOD], {})
    (rule_set,) = [one for one in load_policy(found.texts).rule_sets if one.id == "setup"]
    (rule,) = rule_set.rules
    assert (rule.id, rule.mode) == ("salesforce/At_Risk", "notify")
    assert [one.state for one in found.statuses] == ["good"]
    assert "account.tier in" in found.texts["rules/setup.yaml"]


def test_a_record_that_is_not_active_is_left_out(texts: dict[str, str]) -> None:
    found = with_setup_rules(texts, [GOOD | {"Active__c": False}], {})
    assert found.statuses == ()
    assert "rules: []" in found.texts["rules/setup.yaml"]


def test_a_bad_record_keeps_its_last_good_version_and_tells_its_error(texts: dict[str, str]) -> None:
    good = with_setup_rules(texts, [GOOD], {}).good
    found = with_setup_rules(texts, [GOOD | {"Template__c": "sla-at-rsk"}], good)
    (status,) = found.statuses
    assert status.state == "kept"
    assert "did you mean 'sla-at-risk'" in status.error
    assert found.good == good
    assert "sla-at-risk" in found.texts["rules/setup.yaml"]


def test_a_bad_record_without_a_good_version_is_refused_and_the_others_stay(texts: dict[str, str]) -> None:
    bad = GOOD | {"DeveloperName": "Bad", "Secondary__c": "priorty == High"}
    found = with_setup_rules(texts, [bad, GOOD], {})
    assert [(one.name, one.state) for one in found.statuses] == [("At_Risk", "good"), ("Bad", "refused")]
    load_policy(found.texts)


def test_a_last_good_version_that_no_longer_fits_is_not_kept(texts: dict[str, str]) -> None:
    good = with_setup_rules(texts, [GOOD], {}).good
    later = texts | {"people.yaml": texts["people.yaml"].replace("sla-at-risk:", "sla-gone:")}
    others = {name: text for name, text in later.items() if not name.startswith("rules/") or "setup" in name}
    found = with_setup_rules(others, [GOOD], good)
    assert [one.state for one in found.statuses] == ["refused"]
    assert "no longer fits" in found.statuses[0].error


def test_a_record_for_an_object_no_file_asks_for_is_refused(texts: dict[str, str]) -> None:
    found = with_setup_rules(texts, [GOOD | {"Object__c": "Opportunity", "Tier__c": ""}], {})
    assert found.statuses[0].state == "refused"
    assert "Opportunity" in found.statuses[0].error


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"Trigger__c": "moon"}, "Trigger 'moon' is not known"),
        ({"Threshold__c": None}, "Threshold is empty"),
        ({"Trigger__c": "age"}, "minutes, hours or days"),
        ({"Trigger__c": "field"}, "Trigger Field is empty"),
        ({"Template__c": ""}, "Template is empty"),
        ({"Action__c": "dance"}, "Action 'dance' is not known"),
        ({"Action__c": "reassign"}, "does not go with reassign"),
        ({"Action__c": "reassign", "Target_Kind__c": "pool"}, "Target is empty"),
        ({"DeveloperName": "a b"}, "is no API name"),
        ({"Repeat_Minutes__c": 30}, "Repeat At Most is empty"),
    ],
)
def test_what_a_record_lacks_is_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        rule_text(GOOD | change)


def test_clocks_scores_and_repeats_read_as_rules() -> None:
    lead = {"Object__c": "Lead", "Trigger__c": "since_assignment", "Threshold__c": 30, "Threshold_Unit__c": "minutes"}
    text = rule_text(GOOD | lead | {"Repeat_Minutes__c": 15, "Repeat_At_Most__c": 3})
    assert "since_assignment >= 30m" in text
    assert "repeat: {every: 15m, at_most: 3}" in text
    score = {"Trigger__c": "field", "Trigger_Field__c": "urgency.score", "Threshold__c": 87.5}
    assert "urgency.score >= 87.5%" in rule_text(GOOD | score)


def test_a_query_asks_for_every_field_that_is_read() -> None:
    assert set(GOOD) <= set(FIELDS)
