"""Imported things as the text of policy files: values quoted, every part with where it came from."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from triage.domain.instant import MINUTE, format_duration
from triage.rules.language import CLOCK_LEAVES
from triage.salesforce.criteria_fields import Mapped
from triage.salesforce.hours import DAYS, Hours
from triage.salesforce.metadata_model import Note

_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
RESERVED = frozenset({*CLOCK_LEAVES, "text", "not", "sla", "milestone"})
"""Names that mean something of their own in conditions."""
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def quoted(text: str) -> str:
    """Return *text* as a YAML scalar: bare where it is one word, else in double quotes with escapes."""
    if _BARE.fullmatch(text) and text.casefold() not in _WORDS:
        return text
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    if character in ('"', "\\"):
        return f"\\{character}"
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def comment(text: str, indent: str = "", width: int = 118) -> list[str]:
    """Return *text* as comment lines; whatever cannot be printed is a blank."""
    clean = "".join(c if c.isprintable() else " " for c in text)
    return [f"{indent}# {line}" for line in textwrap.wrap(clean, max(40, width - len(indent) - 2))] or [f"{indent}#"]


def minutes(count: int) -> str:
    """Return a number of minutes as a duration of ours: 90 -> 1h30m, in whole hours and minutes at most."""
    hours, rest = divmod(count, 60)
    if not hours:
        return f"{rest}m"
    return f"{hours}h" + (f"{rest}m" if rest else "")


def listed(items: Iterable[Any], indent: str) -> Iterator[str]:
    """Yield a YAML block list of conditions or other nested values."""
    for item in items:
        yield from _item(item, indent)


def _item(item: Any, indent: str) -> Iterator[str]:
    if isinstance(item, str):
        yield f"{indent}- " + ("'" + item.replace("'", "''") + "'" if item.isprintable() else quoted(item))
        return
    for first, (key, value) in enumerate(item.items()):
        lead = f"{indent}{'  ' if first else '- '}{key}:"
        if isinstance(value, list) and value:
            yield lead
            yield from listed(value, f"{indent}    ")
        else:
            yield f"{lead} {flow(value)}"


def flow(value: Any) -> str:
    """Return *value* on one line: mappings and lists in flow style."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(flow(one) for one in value) + "]"
    return quoted(str(value)) if isinstance(value, str) else str(value).lower()


def objects_page(
    fields: Mapping[str, tuple[Mapped, ...]], calendars: Mapping[str, str], origin: Mapping[str, list[str]]
) -> str:
    """Return the field map: every field that imported conditions use, with the standard ones of each object."""
    lines = [
        "# Field map, made by 'triage import salesforce'. Left: our names, used in rules. Right: where a value stands",
        "# in Salesforce. RecordType.Name and its like are labels, as Salesforce's own criteria compare them.",
        "objects:",
    ]
    for name, mapped in fields.items():
        lines.append(f"  {name}:")
        lines += comment(f"asked by {', '.join(origin.get(name, ()))}", "    ") if origin.get(name) else ()
        lines.append(f"    calendar: {quoted(calendars.get(name) or 'none')}")
        lines.append("    fields:")
        lines += (f"      {one.name}: {_field(one)}" for one in mapped if not one.alias)
        lines += _parents(mapped)
    return "\n".join(lines) + "\n"


def _field(one: Mapped) -> str:
    if one.type == "text":
        return f"{{from: {quoted(one.source)}, type: text}}"
    more = f", values: {flow(list(one.values))}" if one.type == "multipicklist" else ""
    zone = ", zone: UTC" if one.type in ("date", "datetime") else ""
    return f"{{from: {quoted(one.source)}, type: {one.type}{more}{zone}}}"


def _parents(mapped: tuple[Mapped, ...]) -> Iterator[str]:
    aliases = {one.alias: (one.parent, one.by) for one in mapped if one.alias}
    if aliases:
        yield "    related:"
    for alias, (parent, by) in aliases.items():
        yield f"      {alias}:"
        yield f"        object: {parent}"
        yield f"        by: {by}"
        yield "        fields:"
        for one in mapped:
            if one.alias == alias:
                short = one.name.removeprefix(f"{alias}.")
                yield f"          {one.name if short in RESERVED else short}: {_field(one)}"


def calendars_page(calendars: Iterable[Hours]) -> str:
    """Return the calendars: weekly hours and holidays, local to their zone."""
    lines = [
        "# Business hours and holidays, made by 'triage import salesforce'. Times are local to tz, as in Salesforce,",
        "# which writes them with a Z that means nothing.",
        "calendars:",
    ]
    for one in calendars:
        definition = one.definition
        if one.stand_in:
            lines += comment(
                f"TODO: business hours {one.name!r} are used at {one.spot} and were not imported. Round the clock "
                "until their hours stand here: import the organisation's BusinessHours settings with its rules.", "  "
            )  # fmt: skip
        else:
            state = ("" if one.active else ", inactive in Salesforce") + (", the default" if one.default else "")
            lines += comment(f"from {one.spot}{state}", "  ")
        lines += [f"  {quoted(one.name)}:", f"    tz: {quoted(definition.tz)}", "    weekly:"]
        lines += _weekly(definition.weekly)
        if definition.holidays:
            lines.append("    holidays:")
        for holiday, spot in zip(definition.holidays, one.spots, strict=True):
            parts: dict[str, Any] = {"name": holiday.name} if holiday.name else {}
            if holiday.date:
                parts["date"] = holiday.date
            if holiday.recurrence is not None:
                parts["recurrence"] = _recurrence(holiday.recurrence)
            times = {"from": holiday.start, "to": holiday.end}
            parts |= {
                key: text.removesuffix(":00") if text.count(":") == 2 else text for key, text in times.items() if text
            }
            lines.append(f"      - {flow(parts)}  # line {spot.line}")
    return "\n".join(lines) + "\n"


def _weekly(weekly: Mapping[str, tuple[tuple[str, str], ...]]) -> Iterator[str]:
    """Yield days, neighbours with the same hours together."""
    run: list[str] = []
    for position, day in enumerate((*DAYS, "")):
        if run and (not day or weekly.get(day) != weekly.get(run[-1])):
            windows = [f"{opens}-{closes}" for opens, closes in weekly[run[0]]]
            yield f"      {run[0] if len(run) == 1 else f'{run[0]}-{run[-1]}'}: {flow(windows)}"
            run = []
        if day and weekly.get(day):
            run.append(DAYS[position])
    if not any(weekly.values()):
        yield "      {}"


def _recurrence(found: Any) -> dict[str, Any]:
    parts = {
        "type": found.type, "start": found.start, "end": found.end, "interval": found.interval, "month": found.month,
        "day": found.day, "days": list(found.days), "instance": found.instance,
    }  # fmt: skip
    return {
        key: value for key, value in parts.items() if value not in (None, [], "") and (key, value) != ("interval", 1)
    }


def people_page(
    queues: Mapping[str, str], templates: Mapping[str, tuple[str, str]], hop_limit: int, answers: bool
) -> str:
    """Return queues, stand-in templates by their names and where they were named, and the safety limits."""
    lines = ["# Queues and templates that the imported rules name.", "directory:", "  queues:"]
    for queue, label in queues.items():
        lines.append(f"    - {quoted(queue)}" + (f"  # {_plain(label)}" if label else ""))
    if not queues:
        lines[-1] = "  queues: []"
    lines += [
        "",
        "# The words of Salesforce's e-mail templates do not stand in rules: put yours in.",
        "templates:" if templates else "templates: {}",
    ]
    for name, (native, kind) in templates.items():
        lines += comment(f"stands in for the e-mail template {native}" if native else "ours: names no template", "  ")
        lines += [
            f"  {quoted(name)}:",
            f"    subject: {quoted(_SUBJECTS[kind])}",
            f"    body: {quoted(_BODIES[kind])}",
        ]
    lines += [
        "",
        "# What follows is ours, Salesforce has none of it. Every rule observes until somebody promotes it.",
        "safety:",
        "  # As many changes of owner as the longest imported entry makes.",
        f"  hop_limit: {hop_limit}",
        f"  # {'Auto-response rules are in force' if answers else 'No auto-response rule is in force'} in Salesforce.",
        f"  allow_customer_contact: {str(answers).lower()}",
    ]
    return "\n".join(lines) + "\n"


_SUBJECTS = {
    "escalation": "Escalated", "assignment": "Assigned to you", "auto-response": "We have received your message",
    "milestone": "Milestone",
}  # fmt: skip
_BODIES = {
    "escalation": "This record has been waiting for too long.",
    "assignment": "This record has been assigned to you.",
    "auto-response": "Thank you. Your message is with us, and somebody will answer it.",
    "milestone": "A milestone of this record has reached the time set for it.",
}


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)[:80]


def duration_of(count: int) -> str:
    """Return minutes for people."""
    return format_duration(count * MINUTE)


def report_text(title: str, notes: Iterable[Note], table: str, more: Iterable[str] = ()) -> str:
    """Return the report of an import as Markdown: figures, what needs a person, what is only said."""
    headings = {
        "refused": "Refused: these files or parts could not be read",
        "untranslated": "Not translated: to be written by hand",
        "check": "To be checked",
        "info": "Remarks",
    }
    notes = list(notes)
    lines = [f"# {title}", "", "```", table, "```", ""]
    lines += more
    for level, heading in headings.items():
        found = [note for note in notes if note.level == level]
        if found:
            lines += ["", f"## {heading} ({len(found)})", ""]
            lines += [f"* `{note.spot}` {_plain_line(note)}" for note in found]
    return "\n".join(lines) + "\n"


def _plain_line(note: Note) -> str:
    text = f"{note.text}. {note.fix[:1].upper()}{note.fix[1:]}." if note.fix else f"{note.text}."
    return "".join(c if c.isprintable() else " " for c in text)
