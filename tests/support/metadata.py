"""Salesforce metadata as XML, from plain facts; and logs of events that go with it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
LONG = {
    "mon": "monday", "tue": "tuesday", "wed": "wednesday", "thu": "thursday", "fri": "friday", "sat": "saturday",
    "sun": "sunday",
}  # fmt: skip

RECURRING: list[dict[str, Any]] = [
    {"name": "yearly", "recurrenceType": "RecursYearly", "recurrenceDayOfMonth": 25,
     "recurrenceMonthOfYear": "December", "recurrenceStartDate": "2015-12-25"},
    {"name": "nth of year", "recurrenceType": "RecursYearlyNth", "recurrenceInstance": "Last",
     "recurrenceDayOfWeek": ["Monday"], "recurrenceMonthOfYear": "May", "recurrenceStartDate": "2014-05-26"},
    {"name": "nth of month", "recurrenceType": "RecursMonthlyNth", "recurrenceInstance": "Second",
     "recurrenceInterval": 1, "recurrenceDayOfWeek": ["Saturday"], "recurrenceStartDate": "2017-01-14"},
    {"name": "monthly", "recurrenceType": "RecursMonthly", "recurrenceDayOfMonth": 31, "recurrenceInterval": 2,
     "recurrenceStartDate": "2024-01-31"},
    {"name": "weekly", "recurrenceType": "RecursWeekly", "recurrenceDayOfWeek": ["Tuesday", "Friday"],
     "recurrenceInterval": 3, "recurrenceStartDate": "2024-11-05"},
    {"name": "lunch", "recurrenceType": "RecursDaily", "recurrenceInterval": 1, "recurrenceStartDate": "2024-11-01",
     "startTime": "11:30", "endTime": "13:00"},
    {"name": "tea", "recurrenceType": "RecursEveryWeekday", "recurrenceStartDate": "2024-11-01", "startTime": "15:00",
     "endTime": "15:15"},
]  # fmt: skip
"""One holiday of each way to come back, as metadata has it."""


def tag(name: str, *inner: str) -> str:
    """One element around what is inside."""
    return f"<{name}>{''.join(inner)}</{name}>"


def leaf(name: str, value: object) -> str:
    """One element with text; nothing for None."""
    if value is None:
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"    <{name}>{escape(text)}</{name}>\n"


def page(root: str, *inner: str) -> str:
    """A whole file."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{NAMESPACE}">\n{"".join(inner)}</{root}>\n'


def criteria(items: Iterable[Mapping[str, Any]], name: str = "criteriaItems") -> str:
    """Lines of criteria."""
    keys = ("field", "operation", "value")
    return "".join(f"<{name}>\n{''.join(leaf(key, one.get(key)) for key in keys)}</{name}>\n" for one in items)


def escalation_entry(entry: Mapping[str, Any]) -> str:
    """One entry, from a mapping with the names of the metadata itself."""
    actions = "".join(
        tag(
            "escalationAction\n".strip(),
            leaf("assignedTo", action.get("assignedTo")),
            leaf("assignedToType", action.get("assignedToType")),
            leaf("minutesToEscalation", action["minutesToEscalation"]),
            leaf("notifyCaseOwner", action.get("notifyCaseOwner", False)),
            leaf("notifyTo", action.get("notifyTo")),
            leaf("notifyToTemplate", action.get("notifyToTemplate")),
        )
        for action in entry.get("escalationActions") or ()
    )
    plain = ("booleanFilter", "businessHours", "businessHoursSource")
    return tag(
        "ruleEntry",
        "\n",
        *(leaf(key, entry.get(key)) for key in plain),
        criteria(entry.get("criteriaItems") or ()),
        leaf("disableEscalationWhenModified", entry.get("disableEscalationWhenModified") or None),
        actions,
        leaf("escalationStartTime", entry.get("escalationStartTime")),
        leaf("formula", entry.get("formula")),
    )


def escalation_page(name: str, entries: Sequence[Mapping[str, Any]], active: bool = True) -> str:
    """A file with one escalation rule."""
    inner = (leaf("fullName", name), leaf("active", active), *map(escalation_entry, entries))
    return page("EscalationRules", tag("escalationRule", "\n", *inner))


def hours_page(calendars: Mapping[str, Mapping[str, Any]], default: str = "") -> str:
    """Business hours and their holidays, from `{timeZoneId, hours: {mon: [open, close]}, holidays: [..]}` by name."""
    parts = []
    for name, one in calendars.items():
        days = [
            leaf(f"{LONG[day]}{side}Time", f"{times[end]}:00.000Z")
            for day, times in one["hours"].items()
            for side, end in (("Start", 0), ("End", 1))
        ]
        inner = (leaf("active", True), leaf("default", name == default), leaf("name", name))
        parts.append(tag("businessHours", "\n", *inner, leaf("timeZoneId", one["timeZoneId"]), *days))
    for name, one in calendars.items():
        for holiday in one.get("holidays") or ():
            parts.append(tag("holidays", "\n", leaf("businessHours", name), *_holiday(holiday)))
    return page("BusinessHoursSettings", *parts)


def _holiday(holiday: Mapping[str, Any]) -> list[str]:
    lines = []
    for key, value in holiday.items():
        for one in value if isinstance(value, list) else [value]:
            text = f"{one}:00.000Z" if key in ("startTime", "endTime") else one
            lines.append(leaf(key, text))
    return lines


def process_page(name: str, milestones: Sequence[Mapping[str, Any]], **more: Any) -> str:
    """An entitlement process of cases."""
    parts = [leaf("SObjectType", "Case"), leaf("active", True), leaf("entryStartDateField", "Case.CreatedDate")]
    parts += [leaf(key, value) for key, value in more.items()]
    for one in milestones:
        triggers = [
            tag("timeTriggers", "\n", leaf("timeLength", at), leaf("workflowTimeTriggerUnit", "Minutes"))
            for at in one.get("timeTriggers") or ()
        ]
        inner = (
            criteria(one.get("criteria") or (), "milestoneCriteriaFilterItems"),
            leaf("milestoneName", one["name"]),
            leaf("minutesToComplete", one["minutes"]),
            *triggers,
            leaf("useCriteriaStartTime", bool(one.get("criteria"))),
        )
        parts.append(tag("milestones", "\n", *inner))
    return page("EntitlementProcess", *parts, leaf("name", name))


def milestone_type(recurrence: str) -> str:
    """A kind of milestone."""
    return page("MilestoneType", leaf("recurrenceType", recurrence))


def write_files(folder: Path, files: Mapping[str, str]) -> Path:
    """Write *files* below *folder*, and return it."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def write_log(path: Path, events: Iterable[Mapping[str, Any]]) -> Path:
    """Write a log of events of case 500A, each with an id of its own."""
    lines = [
        json.dumps({"object": "Case", "id": "500A", "event_id": f"e{number}", **one})
        for number, one in enumerate(events)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
