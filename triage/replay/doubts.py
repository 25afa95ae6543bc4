"""What a replay could not use of the values it was given: fields that did not read, unknown columns, blind closings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from triage.domain.schema import FieldSpec
from triage.domain.work import Event
from triage.errors import IntakeError
from triage.intake.values import read_value
from triage.policy import Policy
from triage.replay.source import History

_SILENT = frozenset({"attributes", "id"})
_CACHED = 64


class Doubt(Struct, frozen=True, kw_only=True):
    """
    One column of one object whose values counted as missing: how often, and `example`, why one of them did.

    `field` is "" where the field map does not know the column at all.
    """

    object: str
    column: str
    field: str
    count: int
    example: str = ""


def doubts_of(history: History, policy: Policy) -> tuple[Doubt, ...]:
    """
    Return the columns of *history* with values that its events lose under *policy*, unread values first, then by count.

    A value that does not fit its field counts as missing in the replay; a column that the field map lacks is not read.
    """
    columns = _columns(policy)
    counts: Counter[tuple[str, str, str]] = Counter()
    examples: dict[tuple[str, str, str], str] = {}
    faults: dict[tuple[str, str, str], str] = {}
    for event, name, raw in _values(history):
        known = columns.get(event.object)
        if known is None:
            continue
        spec = known.get(name.casefold())
        if spec is None and (event.type == "related" or name.casefold() in known):
            continue
        fault = "" if spec is None else _fault(raw, spec, (event.object, name), faults)
        if spec is None or fault:
            key = (event.object, name, spec.name if spec else "")
            counts[key] += 1
            examples.setdefault(key, fault)
    found = [
        Doubt(object=key[0], column=key[1], field=key[2], count=count, example=examples[key])
        for key, count in counts.items()
    ]
    return tuple(sorted(found, key=lambda one: (not one.field, -one.count, one.object, one.column)))


class BlindClosing(Struct, frozen=True, kw_only=True):
    """
    Records of one object that an export shows closed without any field history: `records` of `closed`.

    `from_start` of them are closed from their creation on, since nothing says when they closed: no rule ever sees them
    open. The others close at their closing date; until then all their values are those of the end.
    """

    object: str
    closed: int
    records: int
    from_start: int


def blind_closings(history: History, closed: Mapping[tuple[str, str], int]) -> tuple[BlindClosing, ...]:
    """
    Return, by object, how many records were closed with no history of their own to say how they came there.

    Args:
        closed: Each record that is closed at the end, by (object, id), with its instant of creation (ms UTC).
    """
    told: set[tuple[str, str]] = set()
    later: set[tuple[str, str]] = set()
    exported: set[tuple[str, str]] = set()
    for event, _, line in history.entries:
        record = (event.object, event.id)
        if line or record not in closed:
            continue
        exported.add(record)
        if event.type == "updated":
            told |= {record} if event.origin == "user" else set()
            later |= {record} if event.at > closed[record] else set()
    blind = exported - told
    return tuple(
        BlindClosing(
            object=name,
            closed=sum(record[0] == name for record in exported),
            records=sum(record[0] == name for record in blind),
            from_start=sum(record[0] == name for record in blind - later),
        )
        for name in sorted({record[0] for record in blind})
    )


def _columns(policy: Policy) -> dict[str, dict[str, FieldSpec | None]]:
    """Return, by object, what each column (casefolded) is read as; None for those that say what a record refers to."""
    found: dict[str, dict[str, FieldSpec | None]] = {}
    for name, part in policy.objects.items():
        own = found.setdefault(name, {})
        own |= dict.fromkeys(
            (*_SILENT, part.spec.created_field.casefold(), *(relation.by.casefold() for relation in part.spec.related))
        )
        own |= part.spec.by_source
        for relation in part.spec.related:
            found.setdefault(relation.object, {}).update({spec.source.casefold(): spec for spec in relation.fields})
    return found


def _values(history: History) -> Iterator[tuple[Event, str, Any]]:
    for entry in history.entries:
        if entry.event.type in ("created", "updated", "related"):
            for name, raw in entry.event.changes.items():
                yield entry.event, name, raw


def _fault(raw: Any, spec: FieldSpec, place: tuple[str, str], faults: dict[tuple[str, str, str], str]) -> str:
    """Return why *raw* is no value of *spec*, "" where it is; short texts are judged once."""
    if raw is None or (spec.type in ("text", "reference") and isinstance(raw, str)):
        return ""
    key = (*place, raw) if isinstance(raw, str) and len(raw) <= _CACHED else None
    if key is not None and key in faults:
        return faults[key]
    try:
        read_value(raw, spec)
        fault = ""
    except IntakeError as cause:
        fault = cause.reason
    if key is not None:
        faults[key] = fault
    return fault
