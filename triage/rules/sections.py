"""The sections beside the rules: objects, milestones, words, templates, the directory and the safety limits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from msgspec import structs

from triage.calendars.zones import unknown_zone, zone_names
from triage.domain.instant import UNITS, parse_instant
from triage.domain.schema import BUILTIN_FIELDS, FieldSpec, ObjectSpec, RelatedSpec
from triage.domain.work import Agent, Track
from triage.errors import IntakeError
from triage.intake.agent import language_level
from triage.rules.check import WHOLE_TEXT, Known
from triage.rules.document import (
    Directory,
    ItemWeight,
    MilestoneSpec,
    ObjectConfig,
    Overload,
    Routing,
    Safety,
    TargetTime,
    Template,
)
from triage.rules.grammar import DEFINITIONS
from triage.rules.language import CLOCK_LEAVES, AllOf, Condition
from triage.rules.parse import Allowed, read_condition
from triage.rules.positions import Node, Page, Scalar
from triage.rules.shapes import Entry, read, read_duration, unknown

ROLES = {spec.name: spec for spec in BUILTIN_FIELDS} | {
    name: FieldSpec(name=name, source="", type="reference") for name in ("owner", "customer", "account.id")
}
"""Fields whose name says their type and values where the field map does not; all others are text."""

_TEXT = FieldSpec(name="", source="")
_RESERVED = frozenset([*CLOCK_LEAVES, WHOLE_TEXT, "not", "sla", "milestone"])


def read_object(name: str, entry: Entry, page: Page) -> ObjectConfig:
    """Return one object with its fields; `closed_when` follows once all fields are known (`read_closing`)."""
    fields = tuple(_fields(entry.get("fields"), "", page))
    related: Entry | None = entry.get("related")
    relations = tuple(_related(related, page)) if related else ()
    _check_twice(fields, relations, entry, page)
    spec = ObjectSpec.of(name, fields, relations)
    spec = structs.replace(spec, created_field=entry.get("created", spec.created_field))
    return ObjectConfig(spec=spec, calendar=entry.get("calendar", "none"), link=entry.get("link", ""))


def _check_twice(fields: tuple[FieldSpec, ...], relations: tuple[RelatedSpec, ...], entry: Entry, page: Page) -> None:
    """Report a CRM column that two fields read, and a name that a related field takes from a field of the object."""
    seen: dict[str, str] = {}
    for spec in fields:
        other = seen.setdefault(spec.source.casefold(), spec.name)
        if other != spec.name:
            key = entry.values["fields"].keys[spec.name]
            page.fault(key, f"{spec.source!r} is read by {other!r} already: one field a column", len(spec.name))
    own = {spec.name for spec in fields}
    for relation in relations:
        for spec in relation.fields:
            if spec.name in own:
                page.fault(entry.keys["related"], f"{spec.name!r} is declared both under fields and under related")


def _related(entry: Entry, page: Page) -> Iterator[RelatedSpec]:
    """Yield the related objects that could be read."""
    for alias, body in entry.values.items():
        if body.get("object") and body.get("by"):
            fields = tuple(_fields(body.get("fields"), f"{alias}.", page))
            yield RelatedSpec(alias=alias, object=body.get("object"), by=body.get("by"), fields=fields)


def _fields(entry: Entry | None, prefix: str, page: Page) -> Iterator[FieldSpec]:
    """Yield the fields of an object, or of a related one whose alias is *prefix*."""
    if entry is None:
        return
    for name, value in entry.values.items():
        full = name if name.startswith(prefix) else prefix + name
        if name in _RESERVED or name.startswith(("sla.", "milestone.")):
            page.fault(
                entry.keys[name], f"{name!r} means something of its own in conditions: choose another name", len(name)
            )
        elif isinstance(value, str):
            yield structs.replace(ROLES.get(full, _TEXT), name=full, source=value)
        elif value.get("from"):
            yield _field(full, value, page)


def _field(name: str, entry: Entry, page: Page) -> FieldSpec:
    """Return one field that is written as a mapping; what it does not say, its name may imply."""
    role = ROLES.get(name, _TEXT)
    values = entry.get("values", ())
    kind = entry.get("type", "picklist" if values else role.type)
    if kind == role.type and not values and "values" not in entry.keys:
        values = role.values
    _check_values(name, kind, values, entry, page)
    _check_units(kind, entry, page)
    settings = {
        key: entry.values[key] for key in ("ordered", "unit", "zone", "date_order", "immutable") if key in entry.values
    }
    return FieldSpec(name=name, source=entry.values["from"], type=kind, values=values, **settings)


def _check_values(name: str, kind: str, values: tuple[str, ...], entry: Entry, page: Page) -> None:
    """Report a picklist without values, values of what is no picklist, and values that differ by case only."""
    if kind == "picklist" and "values" not in entry.keys and not values:
        page.fault(entry.nodes.get("type", entry.node), f"{name!r} is a {kind}: list its values, or use type text")
    if kind not in ("picklist", "multipicklist") and values:
        page.fault(
            entry.keys["values"], f"a field of type {kind} has no list of values: use type picklist", len("values")
        )
    if "ordered" in entry.keys and kind != "picklist":
        page.fault(entry.keys["ordered"], "only a picklist can be ordered", len("ordered"))
    folded = [value.casefold() for value in values]
    if len(set(folded)) < len(folded):
        page.fault(entry.nodes["values"], f"the values of {name!r} hold one twice (capitals do not count)")


def _check_units(kind: str, entry: Entry, page: Page) -> None:
    """Report a zone that does not exist and a duration column without a unit that can be read."""
    zone = entry.get("zone")
    if zone and zone not in zone_names():
        page.fault(entry.nodes["zone"], unknown_zone(zone), len(zone))
    if kind == "duration" and "unit" not in entry.keys:
        page.fault(entry.node, f"a duration column states its unit: one of {', '.join(UNITS)}, mm:ss or hh:mm")


def read_closing(entry: Entry, known: Known, page: Page) -> Condition | None:
    """Return the condition under `closed_when`: static leaves; None without it."""
    return _static(entry, "closed_when", known, page)


def _static(entry: Entry, key: str, known: Known, page: Page) -> Condition | None:
    """Return the condition under *key*: static leaves; None without it or where it always holds."""
    if key not in entry.nodes:
        return None
    condition = read_condition(entry.nodes[key], known, page, Allowed(False, False, f"{key!r}"))
    return None if condition == AllOf(()) else condition


def read_milestone(name: str, entry: Entry, known: Known, page: Page) -> MilestoneSpec | None:
    """Return one milestone; None where its object is unknown or its target cannot be read."""
    targets = _targets(entry, known, page)
    conditions = {key: _static(entry, key, known, page) for key in ("start", "complete", "pause", "stop")}
    hours = entry.get("hours", "record")
    if hours not in ("record", "none") and hours not in known.calendars:
        page.fault(entry.nodes["hours"], unknown("calendar", hours, ["record", "none", *known.calendars]), len(hours))
    if not entry.get("object"):
        return None
    return MilestoneSpec(
        name=name,
        object=entry.get("object"),
        targets=targets,
        hours=hours,
        recurrence=entry.get("recurrence", "none"),
        at=page.at(entry.node, name),
        **conditions,
    )


def _targets(entry: Entry, known: Known, page: Page) -> tuple[TargetTime, ...]:
    """Return the targets in the order they are tried: by condition, then the default."""
    value: Any = entry.get("target")
    if value is None:
        return ()
    if isinstance(value, Scalar):
        return (TargetTime(allowed=_allowed(value, page)),)
    targets = []
    for part in value.get("by", ()):
        when = _static(part, "when", known, page)
        if "target" in part.values:
            targets.append(TargetTime(allowed=_allowed(part.values["target"], page), when=when))
    if "default" in value.values:
        targets.append(TargetTime(allowed=_allowed(value.values["default"], page)))
    return tuple(targets)


def _allowed(node: Node, page: Page) -> int | None:
    """Return the ms that a target allows; None for `none`, zero, or after a fault."""
    text = read(DEFINITIONS["target_time"], node, page)
    if text is None or text in ("none", "0"):
        return None
    try:
        return read_duration(text) or None
    except ValueError:
        fix = f"write '{text}m' or '{text}h'" if text.isdigit() else "write 30m, 8h or none (1d is 24 open hours)"
        page.fault(node, f"a target is a duration; {text!r} has no unit: {fix}", len(text))
        return None


def read_words(value: Any) -> tuple[str, ...]:
    """Return the words of a list, or of all languages of a mapping in the order written; each once."""
    lists = value.values.values() if isinstance(value, Entry) else (value,)
    return tuple(dict.fromkeys(word for words in lists for word in words))


def read_template(name: str, entry: Entry, page: Page) -> Template | None:
    """Return one template; None after a fault, such as a brace that is never closed."""
    for key in ("subject", "body"):
        text, node = entry.get(key, ""), entry.nodes.get(key)
        odd = re.search(r"[{}]", re.sub(r"\{[A-Za-z_][\w.]*\}", "", text))
        if odd and node is not None:
            page.fault(node, f"a lone {odd[0]!r} in {key!r}: placeholders look like {{account.name}}")
    if "subject" not in entry.values or "body" not in entry.values:
        return None
    subject, body, pre_breach = entry.values["subject"], entry.values["body"], entry.get("pre_breach", False)
    return Template(name=name, subject=subject, body=body, pre_breach=pre_breach, at=page.at(entry.node, name))


def placeholders(template: Template) -> tuple[str, ...]:
    """Return the names that stand in braces in a template, each once, in the order of their first appearance."""
    return tuple(dict.fromkeys(re.findall(r"\{([A-Za-z_][\w.]*)\}", template.subject + template.body)))


def read_agent(name: str, entry: Entry, directory: Directory, known: Known, page: Page) -> Agent:
    """Return one agent known beforehand; teams, pools and the shift's calendar must be declared."""
    for key, declared in (("teams", directory.teams), ("pools", directory.pools)):
        node = entry.nodes.get(key)
        for text in entry.get(key, ()):
            if text not in declared and node is not None:
                page.fault(node, unknown(key.removesuffix("s"), text, declared))
    shift = entry.get("shift")
    if shift and shift not in known.calendars:
        page.fault(entry.nodes["shift"], unknown("calendar", shift, known.calendars), len(shift))
    values = dict(entry.values)
    for key in ("skills", "languages", "track"):
        if key in values:
            values[key] = values[key].values
    if "languages" in values:
        values["languages"] = {one: language_level(level) for one, level in values["languages"].items()}
    if "track" in values:
        values["track"] = {about: Track(**part.values) for about, part in values["track"].items()}
    if "away" in values:
        values["away"] = tuple(span for part in values["away"] if (span := _span(part, page)) is not None)
    return Agent(id=name, **values)


def _span(part: Entry, page: Page) -> tuple[int, int | None] | None:
    """Return when somebody is out of office, ms UTC; None after the fault of a text that is no instant."""
    instants: list[int | None] = []
    for key in ("from", "to"):
        try:
            instants.append(parse_instant(part.get(key)) if part.get(key) else None)
        except IntakeError as cause:
            page.fault(part.nodes[key], cause.reason, len(part.get(key)))
            return None
    start = instants[0]
    return None if start is None else (start, instants[1])


def read_routing(entry: Entry, directory: Directory, page: Page) -> Routing:
    """Return how people are chosen, what is not written at its default; groups must be declared."""
    values = dict(entry.values)
    known = (*directory.teams, *directory.pools, *directory.queues)
    for key in ("groups", "costs", "queue", "weights"):
        if key in values:
            values[key] = values[key].values
    for name in values.get("groups", ()):
        if name not in known:
            page.fault(entry.nodes["groups"], unknown("team or pool", name, known), len("groups"))
    if "weights" in values:
        values["weights"] = {name: _weight(part) for name, part in values["weights"].items()}
    if "overloaded" in values:
        values["overloaded"] = _overload(values["overloaded"])
    return Routing(**values)


def _weight(part: Entry) -> ItemWeight:
    by: Entry | None = part.get("by")
    return ItemWeight(default=part.get("default", 1), by=by.values if by else {})


def _overload(part: Entry) -> Overload:
    """Return the limits; what no word is written about clears just below its limit."""
    when = part.get("when")
    limits: dict[str, int] = dict(when.values) if when else {}
    clears: Entry | None = part.get("clears")
    written: dict[str, int] = dict(clears.values) if clears else {}
    cleared = {f"clear_{name}": min(written.get(name, most), most - 1) for name, most in limits.items() if most}
    return Overload(**limits, **cleared)


def read_safety(entry: Entry, directory: Directory, page: Page) -> Safety:
    """Return the safety limits, those not written at their defaults; the terminal pool must be declared."""
    values = dict(entry.values)
    caps: Entry | None = values.pop("caps", None)
    pool = values.get("terminal_pool")
    if pool and pool not in (*directory.pools, *directory.queues):
        page.fault(
            entry.nodes["terminal_pool"], unknown("pool", pool, (*directory.pools, *directory.queues)), len(pool)
        )
    limits = {
        key: structs.replace(getattr(Safety(), key), **part.values)
        for key, part in (caps.values if caps else {}).items()
    }
    for key in ("recipient_domains", "own_addresses", "webhook_hosts", "allow_private_hosts"):
        if key in values:
            values[key] = tuple(text.casefold() for text in values[key])
    return Safety(**values, **limits)
