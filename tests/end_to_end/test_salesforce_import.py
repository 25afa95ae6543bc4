"""Thirty worked timelines through the import and the replay, as people run them: metadata in, instants out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.metadata import escalation_page, hours_page, milestone_type, process_page, write_files, write_log
from triage.cli.main import main

HERE = Path(__file__).parent
SHARED = HERE.parents[2] / "shared" / "salesforce"
TIMELINES: dict[str, Any] = yaml.safe_load((HERE / "timelines.yaml").read_text(encoding="utf-8"))
CRITERIA: dict[str, list[tuple[str, str, str]]] = {
    "priority == High": [("Priority", "equals", "High")],
    "priority == Medium": [("Priority", "equals", "Medium")],
    "priority == Critical": [("Priority", "equals", "Critical")],
    "country in ['HONG KONG', 'TAIWAN, ROC']": [("Country__c", "equals", 'HONG KONG,"TAIWAN, ROC"')],
    "reason is present": [("Reason", "notEqual", "")],
    "reason is missing": [("Reason", "equals", "")],
}
EITHER_AND = [
    ("Priority", "equals", "low, Medium"),
    ("Origin", "equals", "Email,web , Portal"),
    ("Status", "notEqual", "Closed,Resolved"),
]
"""The same facts as Salesforce would write them, for the conditions of timelines.yaml."""


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    return {name.removeprefix("Case."): value for name, value in fields.items()}


def _ours() -> Iterator[dict[str, Any]]:
    """Yield our own timelines in the layout of metadata."""
    for story in TIMELINES["escalations"]:
        entries = [_entry(entry) for entry in story["entries"]]
        actions = [step for entry in story["entries"] for step in entry.get("steps", {})]
        opened = story["opened"]
        yield {
            "id": story["id"], "kind": "escalation", "rule": {"entries": entries},
            "case": {"createdAt": opened["at"], "businessHours": opened.get("calendar"), "fields": opened["fields"]},
            "events": [
                {"at": one["at"], "type": "case_update", "changes": one["set"]} for one in story.get("changes", ())
            ],
            "horizon": story["until"], "steps": actions,
            "expected": [{"action": a, "dueAt": due, "fireAt": at} for a, due, at in story["fires"]],
        }  # fmt: skip


def _entry(entry: dict[str, Any]) -> dict[str, Any]:
    when = entry.get("when", [])
    either = bool(when) and isinstance(when[0], dict)
    items = EITHER_AND if either else [one for text in when for one in CRITERIA[text]]
    hours = entry.get("hours", "none")
    return {
        "criteriaItems": [{"field": f"Case.{f}", "operation": op, "value": value} for f, op, value in items],
        "booleanFilter": "(1 Or 2 )and(3)" if either else None,
        "businessHoursSource": {"none": "None", "record": "Case"}.get(hours, "Static"),
        "businessHours": hours if hours not in ("none", "record") else None,
        "escalationStartTime": "CaseLastModified" if entry.get("clock") == "last_modified" else "CaseCreation",
        "escalationActions": [
            {"id": step, "minutesToEscalation": _minutes(over)} for step, over in entry.get("steps", {}).items()
        ],
    }


def _minutes(text: str) -> int:
    return sum(int(n) * {"h": 60, "m": 1, "d": 1440}[unit] for n, unit in re.findall(r"(\d+)([dhm])", text))


def _calendars() -> dict[str, Any]:
    """Return the calendars of timelines.yaml in the layout of metadata."""
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    found = {}
    for name, one in TIMELINES["calendars"].items():
        hours = {}
        for key, (window,) in one["weekly"].items():
            first, _, last = key.partition("-")
            for day in days[days.index(first) : days.index(last or first) + 1]:
                hours[day] = [time.replace("24:00", "00:00") for time in window.split("-")]
        found[name] = {
            "timeZoneId": one["tz"],
            "hours": hours,
            "holidays": [_holiday(h) for h in one.get("holidays", ())],
        }
    return found


def _holiday(found: dict[str, Any]) -> dict[str, Any]:
    names = {
        "type": "recurrenceType", "start": "recurrenceStartDate", "interval": "recurrenceInterval",
        "days": "recurrenceDayOfWeek", "day": "recurrenceDayOfMonth", "month": "recurrenceMonthOfYear",
        "instance": "recurrenceInstance",
    }  # fmt: skip
    plain = {"date": "activityDate", "from": "startTime", "to": "endTime", "name": "name"}
    raw = {theirs: found[ours] for ours, theirs in plain.items() if ours in found}
    return raw | {names[key]: value for key, value in found.get("recurrence", {}).items()}


class Shop:
    """A folder to import into and replay from, over the command line."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capsys = capsys

    def run(self, *arguments: object) -> str:
        """Run one command, which must end well, and return what it printed."""
        with pytest.raises(SystemExit) as end:
            main([str(one) for one in arguments])
        printed = self.capsys.readouterr()
        assert not end.value.code, (arguments, printed)
        return str(printed.out)

    def imported(self, files: dict[str, str]) -> Path:
        """Import metadata files, check the policy and return its folder."""
        source = write_files(self.folder / "metadata", files)
        policy = self.folder / "policy"
        self.run("import", "salesforce", source, "--out", policy, "--timelines", 0)
        self.run("rules", "check", policy)
        return policy

    def replayed(self, policy: Path, events: list[dict[str, Any]], until: str, *more: str) -> list[dict[str, Any]]:
        """Replay a log and return its lines."""
        log = write_log(self.folder / "log.jsonl", events)
        out = self.run("replay", log, "--policy", policy, "--until", until, "--json", *more)
        return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def shop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shop:
    return Shop(tmp_path, capsys)


def escalated(case: dict[str, Any], calendars: dict[str, Any], shop: Shop) -> list[tuple[str, str, str, str]]:
    """Return rule, step, due and instant of all that fires after an import."""
    policy = shop.imported(
        {
            "escalationRules/Case.escalationRules-meta.xml": escalation_page("Standard", case["rule"]["entries"]),
            "settings/BusinessHours.settings-meta.xml": hours_page(calendars),
        }
    )
    opened = {**_plain(case["case"]["fields"]), "BusinessHoursId": case["case"]["businessHours"]}
    events: list[dict[str, Any]] = [{"at": case["case"]["createdAt"], "type": "created", "changes": opened}]
    for one in case["events"]:
        assert one["type"] == "case_update"
        events.append({"at": one["at"], "type": "updated", "changes": _plain(one["changes"])})
    lines = shop.replayed(policy, events, case["horizon"])
    return [(line["rule"], line["step"], line["due"], line["at"]) for line in lines]


def expected(case: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Return what has to fire, entries and steps by their numbers."""
    places = {
        action["id"]: (f"Standard/{number}", str(step))
        for number, entry in enumerate(case["rule"]["entries"], 1)
        for step, action in enumerate(entry["escalationActions"], 1)
    }
    return [(*places[one["action"]], one["dueAt"], one["fireAt"]) for one in case["expected"]]


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in _ours()])
def test_imported_escalation_fires_at_the_worked_instants(case: dict[str, Any], shop: Shop) -> None:
    """Every tier of the rule, its due instant and its instant of firing, and nothing else."""
    assert escalated(case, _calendars(), shop) == expected(case)


def measured(case: dict[str, Any], calendars: dict[str, Any], shop: Shop) -> dict[str, Any]:
    """Return target, violation, paused time and time triggers of an imported milestone."""
    milestone = {"name": "Resolution", "minutes": case["minutesToComplete"], "timeTriggers": case["timeTriggers"]}
    policy = shop.imported(
        {
            "entitlementProcesses/gold.entitlementProcess-meta.xml": process_page("Gold", [milestone]),
            "milestoneTypes/Resolution.milestoneType-meta.xml": milestone_type("none"),
            "settings/BusinessHours.settings-meta.xml": hours_page(calendars),
        }
    )
    opened = {"Status": "New", "IsStopped": False, "BusinessHoursId": case["businessHours"]}
    events: list[dict[str, Any]] = [{"at": case["startAt"], "type": "created", "changes": opened}]
    for begin, end in case["stops"]:
        events += [{"at": at, "type": "updated", "changes": {"IsStopped": at == begin}} for at in (begin, end)]
    done = "CaseMilestones.Resolution.CompletionDate"
    if case["completedAt"]:
        events.append({"at": case["completedAt"], "type": "updated", "changes": {done: case["completedAt"]}})
    until = case["observedAt"] or case["completedAt"]
    fired = [(line["rule"], line["at"]) for line in shop.replayed(policy, events, until)]
    *_, run = shop.replayed(policy, events, until, "--milestones")
    return {
        "TargetDate": run["target"], "IsCompleted": run["completed"] is not None, "IsViolated": run["violated"],
        "StoppedTimeInMins": run["paused_seconds"] // 60, "fired": fired,
    }  # fmt: skip


def _offset_rule(offset: int) -> str:
    side = f"{abs(offset)}m {'before' if offset < 0 else 'after'}" if offset else "due"
    return f"Gold/resolution/{side}"


def wanted_measures(case: dict[str, Any]) -> dict[str, Any]:
    """Return what an imported milestone has to come to."""
    told = case["expected"]
    keys = {key: told[key] for key in ("TargetDate", "IsCompleted", "IsViolated")}
    fired = [(_offset_rule(offset), at) for offset, at in told["fired"]]
    return keys | {"StoppedTimeInMins": told.get("StoppedTimeInMins", 0), "fired": fired}


def _our_milestones() -> Iterator[dict[str, Any]]:
    for story in TIMELINES["milestones"]:
        told = story["expect"]
        yield {
            "id": story["id"], "businessHours": story["calendar"], "minutesToComplete": _minutes(story["target"]),
            "startAt": story["start"], "stops": story.get("paused", []), "completedAt": story.get("completed"),
            "observedAt": story.get("until"), "timeTriggers": [-_minutes(text) for text in story["warn"]],
            "expected": {
                "TargetDate": told["due"], "IsCompleted": "completed" in story, "IsViolated": told["violated"],
                "StoppedTimeInMins": _minutes(told.get("paused", "0m")),
                "fired": [(-_minutes(text), at) for text, at in told["fired"]],
            },
        }  # fmt: skip


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in _our_milestones()])
def test_imported_milestone_comes_to_the_worked_instants(case: dict[str, Any], shop: Shop) -> None:
    """Target, violation, stopped time, and time triggers in business minutes."""
    assert measured(case, _calendars(), shop) == wanted_measures(case)


def recurred(case: dict[str, Any], shop: Shop) -> list[dict[str, str]]:
    """Return start and target of each run of an imported milestone that recurs."""
    asked = [{"field": "Case.Phase__c", "operation": "equals", "value": "asked"}]
    milestone = {"name": "Next Response", "minutes": case["minutesToComplete"], "criteria": asked}
    policy = shop.imported(
        {
            "entitlementProcesses/gold.entitlementProcess": process_page("Gold", [milestone]),
            "milestoneTypes/Next Response.milestoneType": milestone_type(case["recurrenceType"]),
        }
    )
    done = "CaseMilestones.Next Response.CompletionDate"
    runs = case["occurrences"]
    events: list[dict[str, Any]] = [{"at": runs[0]["criteriaMetAt"], "type": "created", "changes": {"Status": "New"}}]
    for run in runs:
        events.append({"at": run["criteriaMetAt"], "type": "updated", "changes": {"Phase__c": "asked", done: None}})
        if run["completedAt"]:
            changes = {"Phase__c": "answered", done: run["completedAt"]}
            events.append({"at": run["completedAt"], "type": "updated", "changes": changes})
    lines = shop.replayed(policy, events, runs[-1]["criteriaMetAt"], "--milestones")
    return [{"StartDate": line["start"], "TargetDate": line["target"]} for line in lines]


def _our_recurrences() -> Iterator[dict[str, Any]]:
    names = {"chained": "recursChained", "independent": "recursIndependently"}
    for story in TIMELINES["recurrences"]:
        yield {
            "id": story["id"], "recurrenceType": names[story["recurrence"]],
            "minutesToComplete": _minutes(story["target"]),
            "occurrences": [
                {"criteriaMetAt": run["asked"], "completedAt": run.get("answered")} for run in story["runs"]
            ],
            "expected": [{"StartDate": start, "TargetDate": target} for start, target in story["expect"]],
        }  # fmt: skip


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in _our_recurrences()])
def test_imported_recurring_milestone_starts_each_run_when_it_should(case: dict[str, Any], shop: Shop) -> None:
    """Chained runs start at the previous target, independent ones when asked."""
    assert recurred(case, shop) == case["expected"]


@pytest.mark.shared
def test_worked_examples_of_the_shared_file_hold_after_import(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All thirty of them, through the command line."""
    golden = json.loads((SHARED / "golden.json").read_text(encoding="utf-8"))
    assert len(golden["cases"]) == 30
    for case in golden["cases"]:
        shop = Shop(tmp_path / case["id"], capsys)
        shop.folder.mkdir()
        if case["kind"] == "escalation":
            assert escalated(case, golden["calendars"], shop) == expected(case), case["id"]
        elif case["kind"] == "milestone":
            found = measured(case, golden["calendars"], shop)
            told = wanted_measures(case)
            assert {key: value for key, value in found.items() if key in told} == told, case["id"]
        else:
            assert recurred(case, shop) == case["expected"], case["id"]
