"""Thirty worked timelines of escalation entries and milestones: each fires what it says, at the very instants."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.build import Outcome, run
from triage.config import load_policy
from triage.domain.facts import MilestoneState
from triage.domain.instant import format_instant, parse_instant
from triage.domain.work import Event
from triage.policy import Policy, compile_policy
from triage.sla.milestones import due, paused_ms, violated

HERE = Path(__file__).parent
SHARED = HERE.parents[2] / "shared" / "salesforce" / "golden.json"
TIMELINES: dict[str, Any] = yaml.safe_load((HERE / "timelines.yaml").read_text(encoding="utf-8"))
FIELDS = {
    "status": "Status", "priority": "Priority", "origin": "Origin", "country": "Country__c", "reason": "Reason",
    "subject": "Subject", "phase": "Phase", "calendar": "BusinessHours",
    "is_closed": {"from": "IsClosed", "type": "boolean"}, "waiting": {"from": "Waiting", "type": "boolean"},
    "done": {"from": "Done", "type": "boolean"},
}  # fmt: skip


def _named(kind: str) -> list[Any]:
    return [pytest.param(story, id=story["id"]) for story in TIMELINES[kind]]


@pytest.mark.parametrize("story", _named("escalations"))
def test_escalation_fires_exactly_what_the_timeline_says(story: dict[str, Any]) -> None:
    """Every step with its due instant and its instant of firing, in order, and nothing else."""
    assert escalated(story, TIMELINES["calendars"]) == [tuple(fired) for fired in story["fires"]]


@pytest.mark.parametrize("story", _named("milestones"))
def test_milestone_is_due_warns_and_breaches_exactly_when_the_timeline_says(story: dict[str, Any]) -> None:
    """Due instant, warnings, breach, elapsed and paused time."""
    assert measured(story, TIMELINES["calendars"]) == story["expect"]


@pytest.mark.parametrize("story", _named("recurrences"))
def test_recurring_milestone_starts_and_ends_each_run_when_the_timeline_says(story: dict[str, Any]) -> None:
    """Start and due instant of every run."""
    assert recurred(story, TIMELINES["calendars"]) == story["expect"]


def test_all_thirty_timelines_are_there() -> None:
    assert sum(len(TIMELINES[kind]) for kind in ("escalations", "milestones", "recurrences")) == 30


@pytest.mark.shared
def test_worked_examples_of_the_shared_file_hold() -> None:
    """The same policies built from the shared JSON give its instants."""
    shared = json.loads(SHARED.read_text(encoding="utf-8"))
    calendars = {name: _calendar(found) for name, found in shared["calendars"].items()}
    for case in shared["cases"]:
        kind, story = translated(case)
        judge = {"escalation": escalated, "milestone": measured, "recurrence": recurred}[kind]
        wanted = story["expect"] if kind != "escalation" else [tuple(fired) for fired in story["fires"]]
        assert judge(story, calendars) == wanted, case["id"]


def escalated(story: dict[str, Any], calendars: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return step, due and instant of all that fires."""
    entries = [
        {
            "id": f"entry {number}",
            "when": entry.get("when", []),
            "steps": [
                {
                    "id": step,
                    "after": {
                        "clock": entry.get("clock", "created"),
                        "over": over,
                        "hours": entry.get("hours", "none"),
                    },
                    "do": [{"reassign": {"to": {"queue": "Next"}}}],
                }
                for step, over in entry.get("steps", {}).items()
            ],
        }
        for number, entry in enumerate(story["entries"], 1)
    ]
    rules = {"object": "Case", "match": "first_match", "reevaluate_on": "record", "rules": entries}
    opened = story["opened"]
    fields = {"BusinessHours": opened.get("calendar", ""), **opened["fields"]}
    events = [_event("created", opened["at"], fields)]
    events += [_event("updated", change["at"], change["set"]) for change in story.get("changes", ())]
    outcome = run(_policy(calendars, rules=rules), events, story["until"])
    assert all(one.status == "planned" for one in outcome.actions)
    return [(one.step, format_instant(one.due), format_instant(one.at)) for one in outcome.actions]


def measured(story: dict[str, Any], calendars: dict[str, Any]) -> dict[str, Any]:
    """Return the due instant, warnings with their instants, breach, elapsed (completed runs) and paused time."""
    milestone = {"object": "Case", "target": story["target"], "pause": ["waiting"], "complete": ["done"]}
    rules = {
        "object": "Case",
        "rules": [
            {
                "id": before,
                "when": [f"milestone.resolution.remaining <= {before}"],
                "do": [{"reassign": {"to": {"queue": "Next"}}}],
            }
            for before in story["warn"]
        ],
    }
    policy = _policy(calendars, rules=rules, milestones={"resolution": milestone})
    events = [_event("created", story["start"], {"BusinessHours": story["calendar"]})]
    for begin, end in story.get("paused", ()):
        events += [_event("updated", begin, {"Waiting": True}), _event("updated", end, {"Waiting": False})]
    if "completed" in story:
        events.append(_event("updated", story["completed"], {"Done": True}))
    outcome = run(policy, events, story.get("until", story.get("completed", "")))
    return _measures(outcome, policy, story)


def _measures(outcome: Outcome, policy: Policy, story: dict[str, Any]) -> dict[str, Any]:
    (state,) = outcome.facts.memory.milestones
    hours = policy.hours_for(outcome.facts.item)
    end = state.completed or parse_instant(story["until"])
    found = {
        "due": _due(state, policy, outcome),
        "fired": [[one.rule, format_instant(one.at)] for one in outcome.actions],
        "violated": violated(state, lambda name: hours, end),
    }
    if state.completed is not None:
        found["elapsed"] = f"{hours.elapsed(state.start, end, state.pauses) // 60_000}m"
    if story.get("paused"):
        found["paused"] = f"{paused_ms(state, lambda name: hours, end) // 60_000}m"
    return found


def recurred(story: dict[str, Any], calendars: dict[str, Any]) -> list[list[str]]:
    """Return start and due instant of every run."""
    milestone = {
        "object": "Case", "target": story["target"], "recurrence": story["recurrence"],
        "start": ["phase == asked"], "complete": ["phase == answered"],
    }  # fmt: skip
    policy = _policy(calendars, milestones={"answer": milestone})
    events = [_event("created", story["opened"], {})]
    for number, one in enumerate(story["runs"]):
        events.append(_event("updated", one["asked"], {"Phase": "asked"}, f"ask {number}"))
        if "answered" in one:
            events.append(_event("updated", one["answered"], {"Phase": "answered"}, f"answer {number}"))
    outcome = run(policy, events, story["until"])
    memory = outcome.facts.memory
    states = (*memory.past_milestones, *memory.milestones)
    return [[format_instant(state.start), _due(state, policy, outcome)] for state in states]


def _due(state: MilestoneState, policy: Policy, outcome: Outcome) -> str:
    deadline = due(state, lambda name: policy.hours_for(outcome.facts.item))
    assert deadline is not None
    return format_instant(deadline)


def _policy(calendars: dict[str, Any], **sections: Any) -> Policy:
    texts = {"base.yaml": _text({"objects": {"Case": {"fields": FIELDS}}, "calendars": calendars})}
    texts["people.yaml"] = _text({"directory": {"queues": ["Next"]}})
    if "milestones" in sections:
        texts["milestones.yaml"] = _text({"milestones": sections["milestones"]})
    if "rules" in sections:
        texts["rules.yaml"] = _text(sections["rules"])
    return compile_policy(load_policy(texts), virtual=True)


class _NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(value: Any) -> str:
    return yaml.dump(value, Dumper=_NoAliases, sort_keys=False, allow_unicode=True)


def _event(kind: str, when: str, changes: dict[str, Any], name: str = "") -> Event:
    return Event(
        at=parse_instant(when), type=kind, event_id=name or f"{kind}@{when}", object="Case", id="1", changes=changes
    )  # type: ignore[arg-type]


def translated(case: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return a worked example of the shared file in the layout of ours."""
    kind = case["kind"]
    if kind == "escalation":
        return kind, _escalation(case)
    return kind, _milestone(case) if kind == "milestone" else _recurrence(case)


def _escalation(case: dict[str, Any]) -> dict[str, Any]:
    opened = case["case"]
    changes = [
        {"at": one["at"], "set": _plain(one["changes"])} for one in case["events"] if one["type"] == "case_update"
    ]
    assert len(changes) == len(case["events"])
    return {
        "entries": [_entry(entry) for entry in case["rule"]["entries"]],
        "opened": {"at": opened["createdAt"], "calendar": opened["businessHours"], "fields": _plain(opened["fields"])},
        "changes": changes,
        "until": case["horizon"],
        "fires": [(one["action"], one["dueAt"], one["fireAt"]) for one in case["expected"]],
    }


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    return {name.removeprefix("Case."): value for name, value in fields.items()}


def _entry(entry: dict[str, Any]) -> dict[str, Any]:
    assert not entry["disableEscalationWhenModified"]
    hours = {"None": "none", "Case": "record", "Static": entry["businessHours"]}[entry["businessHoursSource"]]
    items = [_criterion(item) for item in entry["criteriaItems"]]
    open_only: list[Any] = ["not is_closed"]
    return {
        "when": open_only + ([_combined(entry["booleanFilter"], items)] if entry["booleanFilter"] else items),
        "clock": {"CaseCreation": "created", "CaseLastModified": "last_modified"}[entry["escalationStartTime"]],
        "hours": hours,
        "steps": {one["id"]: f"{one['minutesToEscalation']}m" for one in entry["escalationActions"]},
    }


def _criterion(item: dict[str, Any]) -> Any:
    sources = {source if isinstance(source, str) else source["from"]: name for name, source in FIELDS.items()}
    name = sources[item["field"].removeprefix("Case.")]
    values = [quoted or bare.strip() for quoted, bare in re.findall(r'"([^"]*)"|([^",]+)', item["value"])]
    listed = ", ".join(f"'{value}'" for value in values)
    if item["operation"] == "equals":
        return f"{name} in [{listed}]" if values else f"{name} is missing"
    return {"any": [f"{name} is missing", f"{name} not in [{listed}]"]} if values else f"{name} is present"


def _combined(text: str, items: list[Any]) -> Any:
    """Return items joined as a filter such as `(1 OR 2) AND 3` says; brackets bind, else AND before OR."""
    tokens = re.findall(r"\d+|[()]|AND|OR", text)

    def either() -> Any:
        parts = [both()]
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            parts.append(both())
        return {"any": parts}

    def both() -> Any:
        parts = [one()]
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            parts.append(one())
        return {"all": parts}

    def one() -> Any:
        token = tokens.pop(0)
        if token != "(":
            return items[int(token) - 1]
        inner = either()
        tokens.pop(0)
        return inner

    return either()


def _milestone(case: dict[str, Any]) -> dict[str, Any]:
    wanted = case["expected"]
    before = {offset: f"{-offset}m" for offset in case["timeTriggers"]}
    story: dict[str, Any] = {
        "calendar": case["businessHours"], "target": f"{case['minutesToComplete']}m", "start": case["startAt"],
        "paused": case["stops"], "warn": list(before.values()),
    }  # fmt: skip
    story |= {"completed": case["completedAt"]} if case["completedAt"] else {"until": case["observedAt"]}
    story["expect"] = {
        "due": wanted["TargetDate"],
        "fired": [[before[offset], instant] for offset, instant in wanted["fired"]],
        "violated": wanted["IsViolated"],
    }
    for name, key in (("elapsed", "ElapsedTimeInMins"), ("paused", "StoppedTimeInMins")):
        if key in wanted:
            story["expect"][name] = f"{wanted[key]}m"
    return story


def _recurrence(case: dict[str, Any]) -> dict[str, Any]:
    runs = [
        {"asked": one["criteriaMetAt"]} | ({"answered": one["completedAt"]} if one["completedAt"] else {})
        for one in case["occurrences"]
    ]
    return {
        "recurrence": {"recursChained": "chained", "recursIndependently": "independent"}[case["recurrenceType"]],
        "target": f"{case['minutesToComplete']}m",
        "opened": runs[0]["asked"],
        "runs": runs,
        "until": runs[-1]["asked"],
        "expect": [[one["StartDate"], one["TargetDate"]] for one in case["expected"]],
    }


def _calendar(found: dict[str, Any]) -> dict[str, Any]:
    weekly = {day: ["-".join(hours)] for day, hours in found["hours"].items()}
    return {"tz": found["timeZoneId"], "weekly": weekly, "holidays": [_holiday(one) for one in found["holidays"]]}


def _holiday(found: dict[str, Any]) -> dict[str, Any]:
    names = {
        "recurrenceType": "type", "recurrenceStartDate": "start", "recurrenceInterval": "interval",
        "recurrenceDayOfWeek": "days", "recurrenceDayOfMonth": "day", "recurrenceMonthOfYear": "month",
        "recurrenceInstance": "instance",
    }  # fmt: skip
    holiday = {"date": "activityDate", "from": "startTime", "to": "endTime", "name": "name"}
    result = {ours: found[theirs] for ours, theirs in holiday.items() if theirs in found}
    recurrence = {ours: found[theirs] for theirs, ours in names.items() if theirs in found}
    return result | ({"recurrence": recurrence} if recurrence else {})
