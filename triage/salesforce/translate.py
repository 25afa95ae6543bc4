"""Rows and change events of Salesforce in, events of ours out. Pure: whoever reads has looked everything up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from triage.domain.instant import DAY, format_instant, parse_instant
from triage.domain.schema import ObjectSpec
from triage.domain.work import Event, Origin
from triage.errors import IntakeError
from triage.salesforce import package
from triage.salesforce.describe import Shape, parent_paths

SYSTEM_COLUMNS = (
    "Id",
    "CreatedDate",
    "CreatedById",
    "LastModifiedDate",
    "LastModifiedById",
    "SystemModstamp",
    "IsDeleted",
)
AUTOMATIC = ("auto-submitted: auto-", "x-auto-response-suppress", "precedence: bulk", "precedence: auto_reply")
"""What the headers of a mail hold that no person wrote, in small letters."""

_OBJECTS_BY_PREFIX = {"500": "Case", "00Q": "Lead", "006": "Opportunity", "001": "Account", "003": "Contact"}


class Own(Struct, frozen=True):
    """One action of ours as its log row tells it."""

    rule: str
    key: str
    target: str = ""


class Known(Struct, frozen=True, kw_only=True):
    """
    What is known of an organisation before anything is read.

    `us` is our own user, `robots` the users that are no people, `queues` what rules call a queue, by its id.
    """

    us: str = ""
    robots: frozenset[str] = frozenset()
    queues: dict[str, str] = field(default_factory=dict)

    def origin(self, user: str) -> Origin:
        """Return who is behind a change by *user*; our own are told apart by the log alone."""
        return "system" if user in self.robots else "user"


def columns(spec: ObjectSpec, shape: Shape) -> list[str]:
    """Return the fields to be read of one object: the mapped ones that are there, and the system's."""
    wanted = [one.source for one in spec.fields if one.source] + [relation.by for relation in spec.related]
    wanted += [*SYSTEM_COLUMNS, package.HOLD_UNTIL, package.HOLD_REASON, "MasterRecordId"]
    there = {name.casefold(): name for name in shape.types} | {one.casefold(): one for one in parent_paths(spec.labels)}
    return list(dict.fromkeys(there[name.casefold()] for name in wanted if name.casefold() in there))


def flat(row: Mapping[str, Any], spec: ObjectSpec) -> dict[str, Any]:
    """
    Return *row* with every label that *spec* reads over references under its path: `{"RecordType.Name": "Support"}`.

    REST nests what stands behind a reference, and says null for a reference that is empty; bulk answers are flat.
    """
    found = {name: value for name, value in row.items() if not isinstance(value, Mapping)}
    folded = {name.casefold() for name in found}
    return found | {path: _behind(row, path) for path in parent_paths(spec.labels) if path.casefold() not in folded}


def _behind(row: Mapping[str, Any], path: str) -> Any:
    value: Any = row
    for part in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = next((one for name, one in value.items() if name.casefold() == part.casefold()), None)
    return None if isinstance(value, Mapping) else value


def mapped(spec: ObjectSpec) -> frozenset[str]:
    """Return the CRM names, in small letters, whose values go into our events."""
    return frozenset(
        {one.source.casefold() for one in spec.fields if one.source} | {one.by.casefold() for one in spec.related}
    )


def snapshot(
    row: Mapping[str, Any], spec: ObjectSpec, known: Known, *, fresh: bool, own: Own | None = None
) -> Iterator[Event]:
    """
    Yield what one row, read as a whole, tells: that it was created, and how it stands since its last change.

    Args:
        fresh: The record may not be known yet. Its `created` event carries the values; taken in twice it changes
            nothing, since its id is always the same.
        own: The action of ours behind its last change, where there was one.
    """
    created, modified = _at(row["CreatedDate"]), _at(row["LastModifiedDate"])
    row = flat(row, spec)
    values = _values(row, spec, known)
    base = {"object": spec.name, "id": row["Id"]}
    if _yes(row.get("IsDeleted")):
        yield _gone(row, spec, known)
        return
    if fresh:
        origin = known.origin(row.get("CreatedById") or "")
        yield Event(
            at=created, type="created", event_id=f"{row['Id']}/created", changes=values,
            actor=row.get("CreatedById") or "",
            origin=origin, **base,
        )  # fmt: skip
    if not fresh or modified > created:
        actor = row.get("LastModifiedById") or ""
        event = Event(
            at=modified, type="updated", event_id=f"{row['Id']}/{_at(row['SystemModstamp'])}", changes=values,
            actor=actor,
            origin=known.origin(actor), **base,
        )  # fmt: skip
        yield _as_ours(event, own)
    yield from held(row, spec, modified)


def changed(
    header: Mapping[str, Any], values: Mapping[str, Any], spec: ObjectSpec, known: Known, own: Own | None
) -> Iterator[Event]:
    """Yield what one change event tells; *values* are the fields that changed, None for those that are empty now."""
    kind, at, user = header["changeType"], int(header["commitTimestamp"]), header["commitUser"]
    origin = known.origin(user)
    for identity in header["recordIds"]:
        mark = f"{identity}/{header['transactionKey']}/{header['sequenceNumber']}"
        base = {"object": spec.name, "id": identity, "actor": user, "origin": origin}
        changes = _values(values, spec, known)
        if kind == "CREATE":
            created = int(values.get("CreatedDate") or at)
            yield Event(at=created, type="created", event_id=f"{identity}/created", changes=changes, **base)
        elif kind == "UPDATE":
            modified = int(values.get("LastModifiedDate") or at)
            yield _as_ours(Event(at=modified, type="updated", event_id=mark, changes=changes, **base), own)
        elif kind == "UNDELETE":
            yield Event(at=at, type="undeleted", event_id=mark, **base)
        if kind in ("CREATE", "UPDATE") and package.HOLD_UNTIL in values:
            yield from held({**values, "Id": identity, "LastModifiedById": user}, spec, at, mark)


def held(row: Mapping[str, Any], spec: ObjectSpec, at: int, mark: str = "") -> Iterator[Event]:
    """Yield the hold that a manager set on the record, or took off it (that only where *mark* names the change)."""
    until, identity = row.get(package.HOLD_UNTIL), row["Id"]
    base = {"object": spec.name, "id": identity, "actor": row.get("LastModifiedById") or "", "rules": ("*",)}
    if until:
        end = until if isinstance(until, int) else _at(until)
        reason = row.get(package.HOLD_REASON) or "set in Salesforce"
        yield Event(
            at=at, type="override", event_id=f"{identity}/hold/{end}", action="hold", until=end, reason=reason, **base
        )
    elif mark:
        yield Event(
            at=at, type="override", event_id=f"{mark}/release", action="release", reason="set in Salesforce", **base
        )


def message(row: Mapping[str, Any]) -> Event | None:
    """
    Return the mail that one EmailMessage row is, None where it belongs to no case.

    It counts from when it came into the organisation: the mail that opens a case was sent before there was one.
    """
    case = row.get("ParentId")
    if not case or not str(case).startswith("500"):
        return None
    incoming = _yes(row.get("Incoming"))
    headers = (row.get("Headers") or "").casefold()
    return Event(
        at=_at(row["CreatedDate"]), type="message", event_id=f"{row['Id']}/mail", object="Case",
        id=case, direction="in" if incoming else "out", channel="email", body=row.get("TextBody") or "",
        sender=row.get("FromAddress") or "", auto=any(word in headers for word in AUTOMATIC),
        actor="" if incoming else row.get("CreatedById") or "",
    )  # fmt: skip


def comment(row: Mapping[str, Any]) -> Event:
    """Return the comment that one CaseComment row is."""
    return Event(
        at=_at(row["CreatedDate"]), type="comment", event_id=f"{row['Id']}/comment", object="Case", id=row["ParentId"],
        body=row.get("CommentBody") or "", actor=row.get("CreatedById") or "",
    )  # fmt: skip


def completion(row: Mapping[str, Any], paths: Mapping[str, str]) -> Event | None:
    """
    Return how one CaseMilestone row stands: completed at an instant, or not (a milestone that recurs begins again).

    It is no save of the case, so that its clocks go on: the event is of our own making.

    Args:
        paths: The source that reads each milestone's completion, by its name in small letters; of others None is told.
    """
    kind = row.get("MilestoneType")
    name = kind.get("Name") if isinstance(kind, Mapping) else row.get("MilestoneType.Name")
    path = paths.get(str(name or "").casefold())
    if path is None or not row.get("CaseId"):
        return None
    done = row.get("CompletionDate") or None
    return Event(
        at=_at(done or row["LastModifiedDate"]), type="updated", event_id=f"{row['Id']}/{_at(row['SystemModstamp'])}",
        object="Case", id=row["CaseId"], changes={path: done}, origin="triage", actor="triage",
    )  # fmt: skip


def activity(row: Mapping[str, Any]) -> Event | None:
    """Return the activity that one completed Task row is: calls and mails are contact; None for any other task."""
    target = next(
        (one for one in (row.get("WhatId"), row.get("WhoId")) if one and str(one)[:3] in ("500", "00Q", "006")), None
    )
    if target is None or row.get("Status") != "Completed":
        return None
    kind = row.get("TaskSubtype") or "Task"
    channel = {"Call": "phone", "Email": "email"}.get(kind, "")
    return Event(
        at=_at(row["LastModifiedDate"]), type="activity", event_id=f"{row['Id']}/activity", id=target,
        object=_OBJECTS_BY_PREFIX[target[:3]], channel=channel, direction="out" if channel else "",
        actor=row.get("OwnerId") or "",
    )  # fmt: skip


def related(name: str, identity: str, values: Mapping[str, Any], at: int, mark: str) -> Event:
    """Return that another record, which some of ours refer to, reads like *values*."""
    return Event(at=at, type="related", event_id=mark, object=name, id=identity, changes=dict(values), origin="system")


def _gone(row: Mapping[str, Any], spec: ObjectSpec, known: Known) -> Event:
    master = row.get("MasterRecordId")
    actor = row.get("LastModifiedById") or ""
    return Event(
        at=_at(row["SystemModstamp"]), type="merged" if master else "deleted", object=spec.name, id=row["Id"],
        actor=actor,
        event_id=f"{row['Id']}/gone/{_at(row['SystemModstamp'])}", origin=known.origin(actor),
        reason=f"merged into {master}" if master else "",
    )  # fmt: skip


def _as_ours(event: Event, own: Own | None) -> Event:
    return event if own is None else replace(event, origin="triage", actor="triage", rule=own.rule, key=own.key)


def _values(row: Mapping[str, Any], spec: ObjectSpec, known: Known) -> dict[str, Any]:
    """Return the mapped values of *row*; an owner that is a queue goes by the name that rules use."""
    wanted = mapped(spec)
    owner = spec.by_name.get("owner")
    found = {name: value for name, value in row.items() if name.casefold() in wanted}
    if owner is not None and isinstance(found.get(owner.source), str):
        found[owner.source] = known.queues.get(found[owner.source], found[owner.source])
    for name, value in found.items():
        # A change event has instants and days as milliseconds; everything else has them as text.
        kind = one.type if (one := spec.by_source.get(name.casefold())) is not None else ""
        if kind in ("date", "datetime") and isinstance(value, int) and not isinstance(value, bool):
            found[name] = format_instant(value)[: 10 if kind == "date" else None]
    return found


def _at(value: Any) -> int:
    """Return an instant as any of the APIs writes it: text, or milliseconds."""
    if isinstance(value, int):
        return value
    if not isinstance(value, str):
        raise IntakeError("a row of Salesforce has no instant where there must be one")
    return parse_instant(value)


def _yes(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.casefold() == "true")


RECYCLE_BIN = 15 * DAY
"""How long what was deleted can be undeleted, in ms."""
