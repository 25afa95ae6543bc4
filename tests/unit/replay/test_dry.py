"""events_of, dry_run: one record decided on as its file tells it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.replay.scenes import BASE, DESK, at, instant, line, policy_of
from triage.errors import IntakeError
from triage.replay.dry import dry_run, events_of

RECORD = {"Id": "500A", "CreatedDate": at("09:00"), "Priority": "High", "Status": "New"}
NAMED = BASE.replace("      stage: Stage__c\n", "      stage: Stage__c\n      id: Case Number\n")


def _fired(raw: Any, until: str = "09:30") -> list[str]:
    policy = policy_of()
    text = raw if isinstance(raw, str) else json.dumps(raw)
    _, decisions = dry_run(events_of(text, "Case", policy), policy, instant(until))
    return [action.rule for decision in decisions for action in decision.actions]


@pytest.mark.parametrize(
    "more",
    [
        {"Account": {"SLA__c": "Platinum"}},
        {"AccountId": "001A", "Account": {"attributes": {"type": "Account"}, "Id": "001A", "SLA__c": "Platinum"}},
        {"Account.SLA__c": "Platinum"},
        {"account.tier": "Platinum", "AccountId": "001A"},
        {"account": {"tier": "Platinum"}},
    ],
)
def test_a_related_record_nested_in_the_record_is_read(more: dict[str, Any]) -> None:
    assert _fired(RECORD | more) == ["vip"]


def test_a_nested_record_that_no_rule_reads_is_a_warning() -> None:
    policy = policy_of()
    events = events_of(json.dumps(RECORD | {"Contact": {"Name": "x"}}), "Case", policy)
    facts, _ = dry_run(events, policy, instant("09:30"))
    assert facts.item.warnings == ("unknown field 'Contact'",)


def test_a_log_is_read_line_by_line() -> None:
    log = [
        line("09:00", "created", changes={"AccountId": "001A"}),
        line("10:00", "updated", changes={"Status": "Open"}),
    ]
    related = line("09:00", "related", "001A", "Account", changes={"SLA__c": "Platinum"})
    assert _fired("\n".join([*log, related, ""])) == ["vip"]


def test_a_list_may_hold_events_of_agents_and_related_records() -> None:
    raw = [
        json.loads(line("09:00", "created", changes={"AccountId": "001A", "OwnerId": "005A"})),
        json.loads(line("09:10", "agent", "005A", changes={"presence": "online"})),
        json.loads(line("09:20", "related", "001A", "Account", changes={"SLA__c": "Platinum"})),
    ]
    assert _fired(raw) == ["vip"]


def test_clocks_run_on_to_the_instant_asked_for() -> None:
    assert _fired(RECORD, "10:29") == []
    assert _fired(RECORD, "10:30") == ["at-risk"]


def test_the_id_stands_in_the_column_that_the_field_map_names() -> None:
    policy = policy_of(DESK, NAMED)
    raw = {"Case Number": "A-1", "CreatedDate": at("09:00")}
    assert [event.id for event in events_of(json.dumps(raw), "Case", policy)] == ["A-1"]
    with pytest.raises(IntakeError, match="'Case Number' is missing"):
        events_of(json.dumps({"CreatedDate": at("09:00")}), "Case", policy)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("oops", "the file is not JSON"),
        ("{}\n{", "line 1: 'at' is missing"),
        ("[" * 100_000, "nested too deep"),
        ("7", "neither a record nor a list of events"),
        (json.dumps(RECORD | {"CreatedDate": 7}), "'CreatedDate' must be text"),
        (json.dumps(RECORD | {"CreatedDate": "1/2/2026"}), "date_order"),
    ],
)
def test_what_tells_no_record_is_refused(text: str, reason: str) -> None:
    with pytest.raises(IntakeError, match=reason):
        events_of(text, "Case", policy_of())


def test_several_records_are_refused_by_name() -> None:
    log = "\n".join([line("09:00", "created"), line("09:00", "created", "500B")])
    with pytest.raises(IntakeError, match=r"about 2 records \(Case/500A, Case/500B\)"):
        _fired(log)


def test_a_record_that_is_still_to_come_is_refused() -> None:
    with pytest.raises(IntakeError, match="nothing has happened"):
        _fired(RECORD, "08:00")
