"""Stamp: what the text of an instant lacks is lent by the column of creation."""

from __future__ import annotations

import pytest
from msgspec import structs

from triage.domain.instant import parse_instant
from triage.domain.schema import FieldSpec, ObjectSpec
from triage.errors import IntakeError
from triage.replay.stamps import Stamp

LOCAL = Stamp("Case", "CreatedDate", "opened_at", "Europe/Berlin", "DMY")


def test_text_that_says_it_all_borrows_nothing() -> None:
    assert LOCAL.read({"At": "2026-01-31T09:00:00Z"}, "At") == (parse_instant("2026-01-31T09:00:00Z"), False)


@pytest.mark.parametrize("text", ["31.01.2026 10:00", "2026-01-31 10:00"])
def test_text_without_zone_or_order_borrows_them(text: str) -> None:
    assert LOCAL.read({"At": text}, "At") == (parse_instant("2026-01-31T09:00:00Z"), True)


@pytest.mark.parametrize(
    ("stamp", "text", "reason"),
    [
        (LOCAL, "", "At is empty"),
        (LOCAL, "soon", "At: 'soon' is not an instant: write 2026-01-31T09:00:00Z"),
        (Stamp("Case", "Born", "born"), "1/2/2026", "(in the policy: objects.Case.fields.born.date_order)"),
        (Stamp("Case", "Born", "born"), "2026-01-02 09:00", "(in the policy: objects.Case.fields.born.zone)"),
        (Stamp(), "2026-01-02 09:00", "or declare the column's zone"),
    ],
)
def test_what_cannot_be_read_names_the_key_where_one_would_help(stamp: Stamp, text: str, reason: str) -> None:
    with pytest.raises(IntakeError) as caught:
        stamp.read({"At": text}, "At")
    assert caught.value.reason.endswith(reason)


def test_the_stamp_of_an_object_is_that_of_its_created_column() -> None:
    fields = (FieldSpec(name="born", source="Came In", type="datetime", zone="Asia/Tokyo", date_order="YMD"),)
    spec = structs.replace(ObjectSpec.of("Lead", fields), created_field="came in")
    assert Stamp.of("Lead", {"Lead": spec}) == Stamp("Lead", "came in", "born", "Asia/Tokyo", "YMD")
    assert Stamp.of("Lead", {"Lead": structs.replace(spec, created_field="Other")}) == Stamp("Lead", "Other")
    assert Stamp.of("Case", {"Lead": spec}) == Stamp("Case")
