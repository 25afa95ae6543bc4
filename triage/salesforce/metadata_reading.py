"""One metadata file after the other into what it says; a file that cannot be read is noted, and the rest goes on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Literal
from urllib.parse import unquote

from triage.intake.text import show
from triage.salesforce.metadata import Source
from triage.salesforce.metadata_model import (
    DAYS,
    LONGEST,
    Entry,
    EscalationAction,
    NativeHoliday,
    NativeHours,
    NativeMilestone,
    NativeProcess,
    NativeRule,
    Note,
    Read,
    Reader,
    Spot,
    TimeTrigger,
)  # fmt: skip
from triage.salesforce.metadata_xml import Malformed, Tag, read_xml

_API_NAME = re.compile(r"[A-Za-z]\w{0,79}", re.ASCII)
_UNITS = {"Minutes": 1, "Hours": 60, "Days": 24 * 60}
_CRITERIA = ("criteriaItems", "booleanFilter", "formula")
_STARTS = ("CaseCreation", "CaseLastModified")
_SOURCES = ("None", "Case", "Static")


def read_sources(sources: Iterable[Source]) -> Read:
    """Return everything that *sources* say; faults are notes of level refused."""
    into = Read.empty()
    for source in sources:
        try:
            root, remarks = read_xml(source)
        except Malformed as cause:
            fault = cause.fault
            text = f"{fault.text} (column {fault.column})" + (f": {fault.source.strip()[:80]}" if fault.source else "")
            into.notes.append(Note("refused", Spot(source.name, fault.line), text, "mend the file, import again"))
            continue
        reader = Reader(source.name, into)
        for remark in remarks:
            reader.note("info", root, remark)
        known = _ROOTS.get(root.name)
        if known is not None:
            known(reader, root, unquote(source.stem))
        elif root.name.endswith("Settings"):
            _other_settings(reader, root)
        elif root.name not in _OTHERS:
            roots = ", ".join(name for name in _ROOTS if name not in ("CustomField", "CustomObject"))
            reader.note("refused", root, f"<{root.name}> is no kind of metadata that is imported", f"imported: {roots}")
    return into


_OTHERS = ("Package",)


def _escalation(reader: Reader, root: Tag, stem: str) -> None:
    reader.unread(root, ("escalationRule", "fullName"))
    for tag in root.all("escalationRule"):
        entries = tuple(_escalation_entry(reader, one) for one in tag.all("ruleEntry"))
        _rule(reader, tag, "escalation", "Case", entries, stem)


def _escalation_entry(reader: Reader, tag: Tag) -> Entry:
    own = ("businessHours", "businessHoursSource", "escalationAction", "escalationStartTime")
    reader.unread(tag, (*_CRITERIA, *own, "disableEscalationWhenModified"))
    actions = tuple(action for one in tag.all("escalationAction") if (action := _action(reader, one)) is not None)
    return Entry(
        criteria=reader.criteria(tag, "criteriaItems", "booleanFilter", "formula"),
        spot=reader.spot(tag),
        hours_source=_choice(reader, tag, "businessHoursSource", _SOURCES),
        hours=tag.value("businessHours"),
        start=_choice(reader, tag, "escalationStartTime", _STARTS),
        until_modified=reader.flag(tag, "disableEscalationWhenModified"),
        actions=actions,
        unread_actions=len(tag.all("escalationAction")) - len(actions),
    )


def _choice(reader: Reader, tag: Tag, name: str, known: tuple[str, ...]) -> str:
    """Return the word under *name*, the first of *known* where there is none; an unknown one comes back as it is."""
    text = tag.value(name) or known[0]
    if text not in known:
        place = tag.one(name) or tag
        reader.note("untranslated", place, f"{name} {show(text)} is not one of {', '.join(known)}")
    return text


def _action(reader: Reader, tag: Tag) -> EscalationAction | None:
    reader.unread(
        tag,
        ("assignedTo", "assignedToTemplate", "assignedToType", "minutesToEscalation", "notifyCaseOwner", "notifyEmail",
         "notifyTo", "notifyToTemplate"),
    )  # fmt: skip
    minutes = reader.number(tag, "minutesToEscalation", least=0)
    if minutes is None:
        return None
    return EscalationAction(
        minutes=minutes,
        assigned_to=tag.value("assignedTo"),
        assigned_type=tag.value("assignedToType"),
        assigned_template=tag.value("assignedToTemplate"),
        notify_owner=reader.flag(tag, "notifyCaseOwner"),
        notify_to=tag.value("notifyTo"),
        notify_template=tag.value("notifyToTemplate"),
        notify_emails=tuple(one.text.strip() for one in tag.all("notifyEmail") if one.text.strip()),
        spot=reader.spot(tag),
    )


def _assignment(reader: Reader, root: Tag, stem: str) -> None:
    reader.unread(root, ("assignmentRule", "fullName"))
    for tag in root.all("assignmentRule"):
        entries = tuple(_assignment_entry(reader, one) for one in tag.all("ruleEntry"))
        _rule(reader, tag, "assignment", "", entries, stem)


def _assignment_entry(reader: Reader, tag: Tag) -> Entry:
    own = ("assignedTo", "assignedToType", "overrideExistingTeams", "team", "template", "notifyCcRecipients")
    reader.unread(tag, (*_CRITERIA, *own))
    return Entry(
        criteria=reader.criteria(tag, "criteriaItems", "booleanFilter", "formula"),
        spot=reader.spot(tag),
        assigned_to=tag.value("assignedTo"),
        assigned_type=tag.value("assignedToType"),
        template=tag.value("template"),
        team=tuple(one.text.strip() for one in tag.all("team")),
    )


def _auto_response(reader: Reader, root: Tag, stem: str) -> None:
    reader.unread(root, ("autoResponseRule", "fullName"))
    for tag in root.all("autoResponseRule"):
        entries = tuple(_reply(reader, one) for one in tag.all("ruleEntry"))
        _rule(reader, tag, "auto-response", "", entries, stem)


def _reply(reader: Reader, tag: Tag) -> Entry:
    own = ("notifyCcRecipients", "replyToEmail", "senderEmail", "senderName", "template")
    reader.unread(tag, (*_CRITERIA, *own))
    return Entry(
        criteria=reader.criteria(tag, "criteriaItems", "booleanFilter", "formula"),
        spot=reader.spot(tag),
        template=tag.value("template"),
        sender=tag.value("senderName") or tag.value("senderEmail"),
    )


_Kind = Literal["escalation", "assignment", "auto-response"]


def _rule(reader: Reader, tag: Tag, kind: _Kind, obj: str, entries: tuple[Entry, ...], stem: str) -> None:
    reader.unread(tag, ("fullName", "active", "ruleEntry", "name"))
    name = tag.value("fullName") or tag.value("name") or stem
    if not tag.value("fullName"):
        reader.note("check", tag, f"this {kind} rule has no fullName: it is called {show(name)}, after its file")
    rule = NativeRule(
        kind=kind,
        name=name,
        active=reader.flag(tag, "active"),
        object=obj or _object_of(entries, stem),
        entries=entries,
        spot=reader.spot(tag),
    )
    reader.into.rules.append(rule)


def _object_of(entries: tuple[Entry, ...], stem: str) -> str:
    """Return whose rule it is: the object its criteria name first, else the file's name."""
    named = (item.field.partition(".")[0] for entry in entries for item in entry.criteria.items if "." in item.field)
    return next((name for name in named if name in ("Case", "Lead")), "Lead" if stem == "Lead" else "Case")


def _business_hours(reader: Reader, root: Tag, _stem: str) -> None:
    reader.unread(root, ("businessHours", "holidays", "fullName"))
    for tag in root.all("businessHours"):
        known = tuple(f"{day}{side}Time" for day in DAYS for side in ("Start", "End"))
        reader.unread(tag, ("active", "default", "name", "timeZoneId", "fullName", *known))
        reader.into.hours.append(
            NativeHours(
                name=tag.value("name") or tag.value("fullName"),
                zone=tag.value("timeZoneId"),
                active=reader.flag(tag, "active"),
                default=reader.flag(tag, "default"),
                days={
                    day[:3]: (tag.value(f"{day}StartTime"), tag.value(f"{day}EndTime"))
                    for day in DAYS
                    if tag.value(f"{day}StartTime") or tag.value(f"{day}EndTime")
                },
                spot=reader.spot(tag),
            )
        )
    for tag in root.all("holidays"):
        _holiday(reader, tag)


def _holiday(reader: Reader, tag: Tag) -> None:
    single = (
        "name", "activityDate", "startTime", "endTime", "recurrenceType", "recurrenceStartDate", "recurrenceEndDate",
        "recurrenceInterval", "recurrenceDayOfMonth", "recurrenceMonthOfYear", "recurrenceInstance",
    )  # fmt: skip
    reader.unread(tag, (*single, "recurrenceDayOfWeek", "businessHours", "description", "isRecurring"))
    raw: dict[str, str | list[str]] = {key: tag.value(key) for key in single if tag.value(key)}
    days = [part.strip() for one in tag.all("recurrenceDayOfWeek") for part in one.text.split(",") if part.strip()]
    if days:
        raw["recurrenceDayOfWeek"] = days
    named = tuple(one.text.strip() for one in tag.all("businessHours") if one.text.strip())
    reader.into.holidays.append(NativeHoliday(name=tag.value("name"), hours=named, raw=raw, spot=reader.spot(tag)))


def _process(reader: Reader, root: Tag, stem: str) -> None:
    own = (
        "SObjectType", "active", "businessHours", "description", "entryStartDateField", "exitCriteriaBooleanFilter",
        "exitCriteriaFilterItems", "exitCriteriaFormula", "isRecordTypeSpecific", "isVersionDefault", "milestones",
        "name", "versionMaster", "versionNotes", "versionNumber", "fullName",
    )  # fmt: skip
    reader.unread(root, own)
    if not _API_NAME.fullmatch(root.value("SObjectType", "Case")):
        text = f"SObjectType {show(root.value('SObjectType'))} is no name of an object: the process is left out"
        reader.note("untranslated", root.one("SObjectType") or root, text, "write Case, WorkOrder or the like")
        return
    exits = reader.criteria(root, "exitCriteriaFilterItems", "exitCriteriaBooleanFilter", "exitCriteriaFormula")
    version = root.value("versionNumber")
    reader.into.processes.append(
        NativeProcess(
            name=root.value("name") or stem,
            object=root.value("SObjectType", "Case"),
            active=reader.flag(root, "active"),
            version=int(version) if version.isascii() and version.isdigit() else 1,
            default_version=reader.flag(root, "isVersionDefault"),
            master=root.value("versionMaster"),
            entry_start=root.value("entryStartDateField"),
            hours=root.value("businessHours"),
            exit=exits if exits.items or exits.formula is not None else None,
            milestones=tuple(_milestone(reader, one) for one in root.all("milestones")),
            spot=reader.spot(root),
        )
    )


def _milestone(reader: Reader, tag: Tag) -> NativeMilestone:
    own = (
        "businessHours", "criteriaBooleanFilter", "isDisplayedOnLinkedEntity", "milestoneCriteriaFilterItems",
        "milestoneCriteriaFormula", "milestoneName", "minutesCustomClass", "minutesToComplete", "successActions",
        "timeTriggers", "useCriteriaStartTime",
    )  # fmt: skip
    reader.unread(tag, own)
    apex = tag.value("minutesCustomClass")
    return NativeMilestone(
        name=tag.value("milestoneName"),
        criteria=reader.criteria(
            tag, "milestoneCriteriaFilterItems", "criteriaBooleanFilter", "milestoneCriteriaFormula"
        ),
        minutes=None if apex else reader.number(tag, "minutesToComplete", least=0),
        apex=apex,
        hours=tag.value("businessHours"),
        criteria_start=reader.flag(tag, "useCriteriaStartTime"),
        triggers=tuple(trigger for one in tag.all("timeTriggers") if (trigger := _trigger(reader, one)) is not None),
        success=_named_actions(tag, "successActions"),
        spot=reader.spot(tag),
    )


def _trigger(reader: Reader, tag: Tag) -> TimeTrigger | None:
    reader.unread(tag, ("actions", "timeLength", "workflowTimeTriggerUnit"))
    length = reader.number(tag, "timeLength")
    unit = tag.value("workflowTimeTriggerUnit") or "Minutes"
    if unit not in _UNITS:
        reader.note("untranslated", tag, f"workflowTimeTriggerUnit {show(unit)} is not one of {', '.join(_UNITS)}")
        return None
    if length is None:
        return None
    if abs(length * _UNITS[unit]) > LONGEST:
        reader.note(
            "untranslated", tag, f"timeLength {length} {unit} is longer than ten years", "mend it in Salesforce"
        )
        return None
    return TimeTrigger(minutes=length * _UNITS[unit], actions=_named_actions(tag, "actions"), spot=reader.spot(tag))


def _named_actions(tag: Tag, name: str) -> tuple[tuple[str, str], ...]:
    return tuple((one.value("type"), one.value("name")) for one in tag.all(name))


def _milestone_type(reader: Reader, root: Tag, stem: str) -> None:
    reader.unread(root, ("description", "recurrenceType", "fullName"))
    reader.into.recurrences[root.value("fullName") or stem] = root.value("recurrenceType") or "none"


def _queue(reader: Reader, root: Tag, stem: str) -> None:
    reader.into.queues[root.value("fullName") or stem] = (root.value("name"), reader.spot(root))


def _case_settings(reader: Reader, root: Tag, _stem: str) -> None:
    reader.into.settings.append((reader.spot(root), root))


def _other_settings(reader: Reader, root: Tag) -> None:
    """Say that other settings were seen; Omni-Channel's tell who else moves records."""
    if root.name == "OmniChannelSettings" and root.is_true("enableOmniChannel"):
        text = "Omni-Channel routes records too" + (
            ", by status: it routes again where an owner changes" if root.is_true("enableOmniStatusCapModel") else ""
        )
        reader.note("check", root, text, "let one of the two move the records of a queue")
    else:
        reader.note("info", root, f"<{root.name}> says nothing that a policy takes")


def _field(reader: Reader, root: Tag, stem: str) -> None:
    parts = reader.file.replace("\\", "/").split("/")
    owner = parts[-3] if len(parts) > 2 and parts[-2] == "fields" else ""
    _keep_field(reader, root, owner, root.value("fullName") or stem)


def _custom_object(reader: Reader, root: Tag, stem: str) -> None:
    for tag in root.all("fields"):
        _keep_field(reader, tag, stem, tag.value("fullName"))


def _keep_field(reader: Reader, tag: Tag, owner: str, name: str) -> None:
    if owner and name:
        reader.into.fields[owner, name] = (tag.value("type"), tag.value("referenceTo"))


_ROOTS: dict[str, Callable[[Reader, Tag, str], None]] = {
    "EscalationRules": _escalation,
    "AssignmentRules": _assignment,
    "AutoResponseRules": _auto_response,
    "BusinessHoursSettings": _business_hours,
    "EntitlementProcess": _process,
    "MilestoneType": _milestone_type,
    "Queue": _queue,
    "CaseSettings": _case_settings,
    "CustomField": _field,
    "CustomObject": _custom_object,
}
