"""One whole record, as a CRM hands it out, in; a WorkItem or a typed error out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from triage.domain.schema import FieldSpec, ObjectSpec
from triage.domain.work import WorkItem
from triage.errors import IntakeError, NaiveTimeError
from triage.intake.text import bad_id, show
from triage.intake.values import coerce, read_value

_MODIFIED = ("LastModifiedDate", "SystemModstamp")


def parse_record(raw: Mapping[str, Any], spec: ObjectSpec) -> WorkItem:
    """
    Return the record that *raw* (CRM names, raw values) states, as of now, without a past.

    Its clocks `created` and `last_modified` start at the created field and at `LastModifiedDate` (else at creation);
    those that need history (assigned, queued, last_contact) do not run. Dirty and unknown fields become warnings.

    Raises:
        NaiveTimeError: the created field has no zone, neither in the value nor declared.
        IntakeError: no usable `Id` or created field.
    """
    record_id = _record_id(raw)
    created_at = _created_at(raw, spec, record_id)
    marks = {"created": created_at, "last_modified": _modified_at(raw, created_at)}
    apart = {"id", *(name.casefold() for name in (spec.created_field, *_MODIFIED))} - spec.by_source.keys()
    coerced = coerce({name: value for name, value in raw.items() if str(name).casefold() not in apart}, spec)
    present = {name: value for name, value in coerced.fields.items() if value is not None}
    return WorkItem(
        object=spec.name, id=record_id, created_at=created_at, fields=present, marks=marks, warnings=coerced.warnings
    )


def _record_id(raw: Mapping[str, Any]) -> str:
    found = _look_up(raw, "Id")
    if found is None or found == "":
        raise IntakeError("'Id' is missing")
    if not isinstance(found, str):
        raise IntakeError(f"'Id' must be text, not {show(found)}")
    fault = bad_id(found)
    if fault:
        raise IntakeError(f"'Id' {fault}: {show(found)}")
    return found


def _created_at(raw: Mapping[str, Any], spec: ObjectSpec, record_id: str) -> int:
    name = spec.created_field
    known = spec.by_source.get(name.casefold())
    column = FieldSpec(
        name=name,
        source=name,
        type="datetime",
        zone=known.zone if known else "",
        date_order=known.date_order if known else "",
    )
    try:
        value = read_value(_look_up(raw, name), column)
    except IntakeError as fault:
        kind = NaiveTimeError if isinstance(fault, NaiveTimeError) else IntakeError
        raise kind(f"{name!r}: {fault.reason}", record_id) from fault
    if not isinstance(value, int):
        raise IntakeError(f"{name!r} is missing: without it no clock can start", record_id)
    return value


def _modified_at(raw: Mapping[str, Any], created_at: int) -> int:
    for name in _MODIFIED:
        try:
            value = read_value(_look_up(raw, name), FieldSpec(name=name, source=name, type="datetime"))
        except IntakeError:
            continue
        if isinstance(value, int):
            return max(value, created_at)
    return created_at


def _look_up(raw: Mapping[str, Any], name: str) -> object:
    if name in raw:
        return raw[name]
    return next((value for key, value in raw.items() if str(key).casefold() == name.casefold()), None)
