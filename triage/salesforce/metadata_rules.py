"""
Rules that operations keep in Salesforce's setup: records of `Triage_Rule__mdt` into rules of a policy.

A file that says `rules: {source: salesforce}` is where they go. Each record is checked by itself, as a policy file is;
a bad one keeps its last good version and hands back its error, to be shown in Salesforce.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from triage.config import load_policy
from triage.errors import ConfigError
from triage.intake.text import show
from triage.salesforce.drafting import flow, listed, quoted
from triage.salesforce.package import RULES

OBJECT = RULES
FIELDS = (
    "DeveloperName", "MasterLabel", "Active__c", "Object__c", "Trigger__c", "Milestone__c", "Trigger_Field__c",
    "Threshold__c", "Threshold_Unit__c", "Secondary__c", "Tier__c", "Action__c", "Target_Kind__c", "Target__c",
    "Template__c", "Mode__c", "Repeat_Minutes__c", "Repeat_At_Most__c", "Description__c",
)  # fmt: skip
"""What a query asks of the records."""

_SOURCE = re.compile(
    r"^rules:\s*\{\s*source:\s*[\"']?salesforce[\"']?\s*\}\s*(#.*)?$|^rules:\s*\n\s+source:\s*salesforce\s*$", re.M
)
_OBJECT = re.compile(r"^object:\s*[\"']?(\w+)[\"']?\s*(#.*)?$", re.M)
_CLOCKS = {
    "age": "age", "since_assignment": "since_assignment", "since_modified": "since_modified",
    "since_contact": "since_contact", "since_queued": "since_queued",
}  # fmt: skip
_UNITS = {"minutes": "m", "hours": "h", "days": "d"}
_PREFIX = "salesforce/"


class RuleStatus(Struct, frozen=True, kw_only=True):
    """What became of one record: `good` as written, `kept` its last good version, `refused` none. For Salesforce."""

    name: str
    rule: str
    state: Literal["good", "kept", "refused"]
    error: str = ""


class SetupRules(Struct, frozen=True):
    """
    A policy's files with the rules of Salesforce in them, what became of each record, and the good versions to keep.

    `good` maps a record's name to its rule as text: handed in again at the next reading.
    """

    texts: dict[str, str]
    statuses: tuple[RuleStatus, ...]
    good: dict[str, str]


def wants_setup_rules(texts: Mapping[str, str]) -> tuple[str, ...]:
    """Return the files that say `rules: {source: salesforce}`, by name."""
    return tuple(name for name, text in sorted(texts.items()) if _SOURCE.search(text))


def with_setup_rules(
    texts: Mapping[str, str], records: Iterable[Mapping[str, Any]], good: Mapping[str, str]
) -> SetupRules:
    """
    Return *texts* with the rules that *records* state, each in the file of its object.

    Args:
        records: Rows of a query for FIELDS of OBJECT.
        good: The good versions of the last reading, by record.

    Raises:
        ConfigError: the files themselves are faulty, whatever the records say.
    """
    files = {_object_of(texts[name]): name for name in wants_setup_rules(texts)}
    load_policy(texts)
    statuses: list[RuleStatus] = []
    kept: dict[str, str] = {}
    chosen: dict[str, list[str]] = {}
    for record in sorted(records, key=lambda one: str(one.get("DeveloperName"))):
        name = str(record.get("DeveloperName") or "")
        if record.get("Active__c") is False:
            continue
        status, text = _judged(name, record, texts, files, good.get(name, ""))
        statuses.append(status)
        if text:
            kept[name] = text
            chosen.setdefault(_object_named(text), []).append(text)
    made = dict(texts)
    for object_name, file in files.items():
        made[file] = _placed(texts[file], [_bare(text) for text in chosen.get(object_name, [])])
    return SetupRules(made, tuple(statuses), kept)


def _judged(
    name: str, record: Mapping[str, Any], texts: Mapping[str, str], files: Mapping[str, str], last: str
) -> tuple[RuleStatus, str]:
    """Return what becomes of one record, and its rule as text: the last good one where this one is bad."""
    rule = f"{_PREFIX}{name}"
    try:
        text = rule_text(record)
        _check(text, texts, files)
        return RuleStatus(name=name, rule=rule, state="good"), text
    except ConfigError as cause:
        error = "; ".join(fault.text for fault in cause.faults) or str(cause)
    if last:
        try:
            _check(last, texts, files)
            return RuleStatus(name=name, rule=rule, state="kept", error=error), last
        except ConfigError:
            error += " (and its last good version no longer fits the policy)"
    return RuleStatus(name=name, rule=rule, state="refused", error=error), ""


def _check(text: str, texts: Mapping[str, str], files: Mapping[str, str]) -> None:
    """Raise ConfigError where the rule *text* is faulty, or no file takes rules for its object."""
    object_name = _object_named(text)
    if object_name not in files:
        raise ConfigError(f"no policy file takes rules of Salesforce for {object_name}: one says rules: {{source: ..}}")
    file = files[object_name]
    load_policy({**texts, file: _placed(texts[file], [_bare(text)])})


def rule_text(record: Mapping[str, Any]) -> str:
    """
    Return one record as the text of a rule, its object in a comment above it.

    Raises:
        ConfigError: a field that is empty or does not fit the trigger or action, named with what to write.
    """
    name = str(record.get("DeveloperName") or "")
    if not re.fullmatch(r"[A-Za-z]\w{0,79}", name):
        raise ConfigError(f"DeveloperName {show(name)} is no API name")
    object_name = _text(record, "Object__c") or "Case"
    when = [_trigger(record), *_tiers(record), *_lines(record, "Secondary__c")]
    lines = [f"# object {object_name}", f"  - id: {_PREFIX}{name}"]
    if _text(record, "Description__c"):
        lines.append(f"    description: {quoted(' '.join(_text(record, 'Description__c').split()))}")
    lines += ["    when:", *listed(when, "      "), "    do:", f"      - {flow(_action(record))}"]
    lines.append(f"    mode: {_text(record, 'Mode__c') or 'observe'}")
    lines += _repeat(record)
    return "\n".join(lines) + "\n"


def _trigger(record: Mapping[str, Any]) -> str:
    kind = _text(record, "Trigger__c")
    if kind in ("milestone_used", "milestone_remaining"):
        side = kind.removeprefix("milestone_")
        milestone = _text(record, "Milestone__c")
        field = f"milestone.{milestone}.{side}" if milestone else f"sla.{side}"
        return f"{field} {'>=' if side == 'used' else '<='} {_amount(record, clock=False)}"
    if kind in _CLOCKS:
        return f"{_CLOCKS[kind]} >= {_amount(record, clock=True)}"
    if kind != "field":
        raise ConfigError(f"Trigger {show(kind)} is not known: choose a milestone, a clock or Field")
    field = _text(record, "Trigger_Field__c")
    if not field:
        raise ConfigError("Trigger Field is empty: name a field such as urgency.score")
    number = _number(record, "Threshold__c")
    return f"{field} >= {number}{'%' if _text(record, 'Threshold_Unit__c') == 'percent' else ''}"


def _amount(record: Mapping[str, Any], *, clock: bool) -> str:
    unit = _text(record, "Threshold_Unit__c")
    number = _number(record, "Threshold__c")
    if unit == "percent" and not clock:
        return f"{number}%"
    if unit not in _UNITS:
        raise ConfigError(f"Threshold Unit {show(unit)} does not go with this trigger: choose minutes, hours or days")
    return f"{number}{_UNITS[unit]}"


def _number(record: Mapping[str, Any], field: str) -> str:
    raw = record.get(field)
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        raise ConfigError(f"{_label(field)} is empty: write a number")
    return f"{raw:.4f}".rstrip("0").rstrip(".")


def _tiers(record: Mapping[str, Any]) -> list[str]:
    tiers = [one.strip() for one in _text(record, "Tier__c").split(",") if one.strip()]
    listing = ", ".join(f'"{one}"' for one in tiers if '"' not in one)
    return [f"account.tier in [{listing}]"] if tiers else []


def _lines(record: Mapping[str, Any], field: str) -> list[str]:
    return [line.strip() for line in _text(record, field).splitlines() if line.strip()]


def _action(record: Mapping[str, Any]) -> dict[str, Any]:
    action, kind, target = (_text(record, name) for name in ("Action__c", "Target_Kind__c", "Target__c"))
    if action == "notify":
        template = _text(record, "Template__c")
        if not template:
            raise ConfigError("Template is empty: a notification needs one of the policy's templates")
        return {"notify": {"who": kind if kind in ("owner", "manager") else f"{kind}:{target}", "template": template}}
    if action == "reprioritise":
        return {"reprioritise": {"to": _required(target, "Target")}}
    if action not in ("reassign", "move"):
        raise ConfigError(f"Action {show(action)} is not known: choose notify, reassign, move or reprioritise")
    if kind not in ("queue", "pool", "team", "user"):
        raise ConfigError(f"Target Kind {show(kind)} does not go with {action}: choose queue, pool, team or user")
    return {action: {"to": {kind: _required(target, "Target")}}}


def _required(text: str, label: str) -> str:
    if not text:
        raise ConfigError(f"{label} is empty: write its name")
    return text


def _repeat(record: Mapping[str, Any]) -> list[str]:
    if record.get("Repeat_Minutes__c") is None:
        return []
    every, most = _number(record, "Repeat_Minutes__c"), _number(record, "Repeat_At_Most__c")
    return [f"    repeat: {{every: {every}m, at_most: {most}}}"]


def _label(field: str) -> str:
    return field.removesuffix("__c").replace("_", " ")


def _text(record: Mapping[str, Any], field: str) -> str:
    return str(record.get(field) or "").strip()


def _object_of(text: str) -> str:
    found = _OBJECT.search(text)
    return found[1] if found else "Case"


def _object_named(text: str) -> str:
    return text.partition("\n")[0].removeprefix("# object ")


def _bare(text: str) -> str:
    return text.partition("\n")[2]


def _placed(text: str, rules: Sequence[str]) -> str:
    """Return *text* with *rules* where it asks for those of Salesforce."""
    body = "rules:\n" + "".join(rules).rstrip("\n") if rules else "rules: []"
    return _SOURCE.sub(lambda _: body, text, count=1)
