"""parse_record: one whole record in, a WorkItem or a typed error out."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from triage.domain.schema import FieldSpec, ObjectSpec
from triage.errors import IntakeError, NaiveTimeError
from triage.intake.record import parse_record

SPEC = ObjectSpec.of(
    "Case",
    (
        FieldSpec(name="priority", source="Priority", type="picklist", values=("Low", "High"), ordered=True),
        FieldSpec(name="seats", source="Seats__c", type="integer"),
    ),
)
RAW: dict[str, Any] = {"Id": "500A", "CreatedDate": "2026-01-31T09:00:00Z", "Priority": "high", "Seats__c": " 12 "}
INSTANT = 1_769_850_000_000


def test_a_record_becomes_a_work_item_with_typed_fields() -> None:
    """Our names, typed values, and clocks that start at creation."""
    item = parse_record(RAW, SPEC)
    assert (item.object, item.id, item.created_at) == ("Case", "500A", INSTANT)
    assert item.fields == {"priority": "High", "seats": 12}
    assert item.marks == {"created": INSTANT, "last_modified": INSTANT}
    assert item.warnings == ()


def test_the_last_modification_starts_its_clock_where_it_is_known() -> None:
    """LastModifiedDate is heeded, but never before creation."""
    later = parse_record({**RAW, "LastModifiedDate": "2026-01-31T10:00:00Z"}, SPEC)
    assert later.marks["last_modified"] == INSTANT + 3_600_000
    earlier = parse_record({**RAW, "LastModifiedDate": "2020-01-31T10:00:00Z"}, SPEC)
    assert earlier.marks["last_modified"] == INSTANT


def test_dirty_and_unknown_fields_become_warnings() -> None:
    """The record is taken all the same; the dropped value is absent, not None."""
    item = parse_record({**RAW, "Seats__c": "many", "Colour__c": "red"}, SPEC)
    assert item.fields == {"priority": "High"}
    assert item.warnings == ("seats: 'many' is not a number", "unknown field 'Colour__c'")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"Id": None}, "'Id' is missing"),
        ({"Id": ""}, "'Id' is missing"),
        ({"Id": 7}, "'Id' must be text"),
        ({"Id": "5\x07"}, "'Id' holds control characters"),
        ({"CreatedDate": None}, "'CreatedDate' is missing"),
        ({"CreatedDate": "soon"}, "'CreatedDate': 'soon' is not an instant"),
    ],
)
def test_a_record_without_identity_or_creation_is_refused(change: dict[str, Any], reason: str) -> None:
    """Without an id nothing can be kept, without a creation no clock can start."""
    with pytest.raises(IntakeError, match=reason):
        parse_record({**RAW, **change}, SPEC)


def test_a_naive_creation_is_refused_as_such_with_the_record_id() -> None:
    """Unless its column declares a zone."""
    with pytest.raises(NaiveTimeError, match=r"500A: 'CreatedDate'.*has no zone"):
        parse_record({**RAW, "CreatedDate": "2026-01-31T09:00:00"}, SPEC)


def test_a_declared_creation_column_is_read_with_its_zone_and_order() -> None:
    """A report's column in local writing."""
    column = FieldSpec(name="opened", source="Opened", type="datetime", zone="Europe/Berlin", date_order="DMY")
    spec = structs.replace(ObjectSpec.of("Case", (column,)), created_field="Opened")
    item = parse_record({"Id": "500A", "opened": "31.01.2026 10:00"}, spec)
    assert item.created_at == INSTANT
    assert item.fields == {"opened": INSTANT}
