"""One record, as a file tells it, decided on without a store: a bare record, a list of events, or a log."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from triage.domain.decision import Decision
from triage.domain.facts import Facts
from triage.domain.instant import format_instant
from triage.domain.schema import FieldSpec, RelatedSpec
from triage.domain.work import Event
from triage.errors import IntakeError
from triage.intake.event import parse_event
from triage.intake.text import show
from triage.pipeline import advance
from triage.policy import ObjectPolicy, Policy
from triage.replay.stamps import Stamp
from triage.replay.world import Kept, World

_APART = ("agent", "related")


def events_of(text: str, object_name: str, policy: Policy, *, name: str = "the file") -> list[Event]:
    """
    Return the events that *text* tells, by instant: those of a JSON list or of a log, one JSON object a line; or what a
    bare record by CRM names stands for.

    A bare record becomes `created`, after a `related` event for each record nested in it, be it `{"Account":
    {"Tier__c": ..}}` or `"Account.Tier__c": ..`. Its id stands in `Id`, or in the column that the field map names `id`.

    Raises:
        IntakeError: no JSON, a line that is no event, or a record without id or creation; *name* is what the file is
            called.
    """
    try:
        raw = json.loads(text)
    except RecursionError as cause:
        raise IntakeError(f"{name} is not JSON that can be read: nested too deep") from cause
    except ValueError as cause:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2 or not all(line.lstrip().startswith("{") for line in lines):
            raise IntakeError(f"{name} is not JSON: {cause}") from cause
        return _by_instant([_line(line, number) for number, line in enumerate(lines, 1)])
    if isinstance(raw, list):
        return _by_instant([parse_event(json.dumps(line)) for line in raw])
    if not isinstance(raw, dict):
        raise IntakeError(f"{name} holds neither a record nor a list of events")
    if "type" in raw and "at" in raw:
        return [parse_event(raw)]
    return _bare(raw, object_name, policy)


def dry_run(events: list[Event], policy: Policy, now: int) -> tuple[Facts, list[Decision]]:
    """
    Return the facts of the one record that *events* are about, with the clock at *now*, and every decision on the way.

    Events of agents and related records count for it as they do in a replay.

    Raises:
        IntakeError: the events are about several records, or none of it has happened yet.
    """
    records = list(dict.fromkeys((event.object, event.id) for event in events if event.type not in _APART))
    if len(records) > 1:
        named = ", ".join(f"{name}/{record_id}" for name, record_id in records[:5])
        raise IntakeError(f"the events are about {len(records)} records ({named}): keep those of one")
    world = World(policy, "dry-run")
    decisions: list[Decision] = []
    for event in events:
        if event.at > now:
            break
        for kept in world:
            decisions += _advance(kept, world, event.at - 1)
        for kept in world.fold(event):
            decisions += _advance(kept, world, event.at)
    one = next(iter(world), None)
    if one is None:
        raise IntakeError("nothing has happened to the record yet at that instant")
    decisions += _advance(one, world, now)
    return one.facts, decisions


def _advance(kept: Kept, world: World, upto: int) -> list[Decision]:
    agents = world.agents.snapshot()
    kept.facts, made = advance(replace(kept.facts, agents=agents), world.policy, upto)
    return list(made)


def _line(line: str, number: int) -> Event:
    try:
        return parse_event(line)
    except IntakeError as fault:
        raise IntakeError(f"line {number}: {fault.reason}", fault.record_id) from fault


def _by_instant(events: list[Event]) -> list[Event]:
    """Return *events* by instant; at one instant what is known of others comes first, as in an export."""
    return sorted(events, key=lambda event: (event.at, event.type not in _APART))


def _bare(raw: dict[str, Any], object_name: str, policy: Policy) -> list[Event]:
    part = policy.objects.get(object_name)
    if part is None:
        raise IntakeError(f"object {object_name!r} is not in the policy: {', '.join(policy.objects)}")
    record_id, at = _identity(raw, part), _creation(raw, part)
    own = {name: value for name, value in raw.items() if name not in ("Id", "attributes")}
    events = []
    for relation in part.spec.related:
        fields = _taken(own, relation)
        if fields:
            identity = str(own.get(relation.by) or fields.pop("Id", "") or f"{relation.object} of {record_id}")
            own[relation.by] = identity
            line = {"at": at, "type": "related", "object": relation.object, "id": identity, "changes": fields}
            events.append(parse_event(line))
    # A nested record that no relation reads is an unknown field: null keeps its name for the warning.
    changes = {name: None if isinstance(value, Mapping) else value for name, value in own.items()}
    created = {"at": at, "type": "created", "object": object_name, "id": record_id, "changes": changes}
    return [*events, parse_event(created)]


def _identity(raw: Mapping[str, Any], part: ObjectPolicy) -> object:
    spec = part.spec.by_name.get("id")
    column = spec.source if spec is not None and spec.source else "Id"
    found = raw.get(column) or raw.get("Id")
    if not found:
        raise IntakeError(f"{column!r} is missing: a record needs its id")
    return found


def _creation(raw: Mapping[str, Any], part: ObjectPolicy) -> str:
    """Return the instant of creation as the contract writes it, read as the field map says."""
    column = part.spec.created_field
    found = raw.get(column)
    if not found:
        raise IntakeError(f"{column!r} is missing: the record's clocks need its creation", str(raw.get("Id", "")))
    if not isinstance(found, str):
        raise IntakeError(f"{column!r} must be text such as 2026-01-31T09:00:00Z, not {show(found)}")
    at, _ = Stamp.of(part.spec.name, {part.spec.name: part.spec}).read({column: found}, column)
    return format_instant(at)


def _taken(own: dict[str, Any], relation: RelatedSpec) -> dict[str, Any]:
    """Return what *own* says of the related record, by CRM name, and take it out of there."""
    names = {name.casefold() for name in (_reference_name(relation.by), relation.object, relation.alias)}
    sources = {spec.name.partition(".")[2].casefold(): spec for spec in relation.fields}
    fields: dict[str, Any] = {}
    for name in list(own):
        head, dot, tail = name.partition(".")
        if head.casefold() not in names or name == relation.by:
            continue
        if dot:
            fields[_source(tail, sources)] = own.pop(name)
        elif isinstance(own[name], Mapping):
            fields |= {_source(key, sources): value for key, value in own.pop(name).items() if key != "attributes"}
    return fields


def _reference_name(column: str) -> str:
    """Return what Salesforce calls the record behind a reference: Account for AccountId, Site__r for Site__c."""
    return f"{column[:-3]}__r" if column.endswith("__c") else column.removesuffix("Id")


def _source(name: str, ours: Mapping[str, FieldSpec]) -> str:
    spec = ours.get(name.casefold())
    return spec.source if spec is not None else name
