"""Labels of references, in every shape that a source may give them."""

from __future__ import annotations

from typing import Any

import pytest

from triage.domain.schema import FieldSpec, ObjectSpec
from triage.intake.values import coerce

SPEC = ObjectSpec.of(
    "Case",
    (
        FieldSpec(name="record_type", source="RecordType.Name"), FieldSpec(name="owner", source="OwnerId"),
        FieldSpec(name="owner_name", source="Owner.Name"), FieldSpec(name="status", source="Status"),
    ),
)  # fmt: skip
ID = "012000000000001AAA"


@pytest.mark.parametrize(
    ("changes", "label"),
    [
        ({"RecordType.Name": "Support"}, "Support"),
        ({"RecordType": {"attributes": {}, "Name": "Support"}}, "Support"),
        ({"RecordType": "Support"}, "Support"),
        ({"RecordTypeId": "Support"}, "Support"),
        ({"RecordTypeId": ID, "RecordType.Name": "Support"}, "Support"),
        ({"RecordTypeId": ID}, None),
        ({"RecordType": None}, None),
    ],
)
def test_a_label_is_found_beside_or_in_place_of_its_reference(changes: dict[str, Any], label: str | None) -> None:
    found = coerce(changes, SPEC)
    assert found.fields == {"record_type": label}
    assert found.warnings == ()


def test_a_new_owner_without_a_label_leaves_no_stale_name() -> None:
    assert coerce({"OwnerId": "005000000000001AAA"}, SPEC).fields == {
        "owner": "005000000000001AAA", "owner_name": None,
    }  # fmt: skip


def test_changes_that_say_nothing_of_a_label_leave_it_alone() -> None:
    assert coerce({"Status": "New"}, SPEC).fields == {"status": "New"}
    assert coerce({"RecordType": {"Id": ID}, "Status": "New"}, SPEC).fields == {"status": "New"}
