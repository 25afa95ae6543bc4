"""Laws of intake: nothing that comes in escapes the error tree, and what is read is read again the same."""

from __future__ import annotations

import json
from typing import Any, get_args

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.domain.instant import format_instant
from triage.domain.schema import FieldSpec, FieldType, ObjectSpec
from triage.errors import IntakeError
from triage.intake.event import parse_event
from triage.intake.record import parse_record
from triage.intake.text import clean_text
from triage.intake.values import coerce

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)
LOOKALIKES = st.from_regex(
    r"[-+]?[$\u20ac]?[0-9., ]{1,12}%?|[0-9]{1,4}[./-][0-9]{1,2}[./-][0-9]{1,4}( [0-9:]{1,8})?", fullmatch=True
)
KEYS = st.sampled_from(
    ["at", "type", "id", "object", "changes", "event_id", "auto", "until", "rules", "scores", "body", "from"]
) | st.sampled_from(["origin", "direction", "action", "actor", "to"])
TYPES: tuple[FieldType, ...] = get_args(FieldType)
ONE_OF_EACH = ObjectSpec.of(
    "Case",
    tuple(
        FieldSpec(
            name=f"a_{kind}",
            source=f"{kind}_{number}__c",
            type=kind,
            values=("Low", "High") if "picklist" in kind else (),
            unit=("m" if number else "") if kind == "duration" else ("EUR" if number else ""),
            zone="Europe/Berlin" if number else "",
            date_order="DMY" if number else "",
        )
        for kind in TYPES
        for number in (0, 1)
    ),
)
SOURCES = st.sampled_from([spec.source for spec in ONE_OF_EACH.fields]) | st.text(max_size=20)


@given(st.dictionaries(SOURCES, JSON | LOOKALIKES, max_size=6))
@settings(max_examples=200)
def test_coerce_never_raises_and_its_values_are_json(changes: dict[str, Any]) -> None:
    """Whatever JSON holds is coerced to values that JSON can hold again, each dropped one with a short warning."""
    coerced = coerce(changes, ONE_OF_EACH)
    assert len(msgspec.json.encode(coerced.fields)) > 0
    assert all(len(warning) < 400 and warning.isprintable() for warning in coerced.warnings)


@given(st.dictionaries(SOURCES, JSON | LOOKALIKES, max_size=6))
def test_a_field_that_is_dropped_for_dirt_always_leaves_a_warning(changes: dict[str, Any]) -> None:
    """No value turns into nothing silently: None is either an empty value or accompanied by a warning."""
    for source, raw in changes.items():
        coerced = coerce({source: raw}, ONE_OF_EACH)
        says_something = raw is not None and not (isinstance(raw, str) and len(raw.strip()) < 8)
        if list(coerced.fields.values()) == [None] and says_something:
            assert coerced.warnings


@given(st.binary(max_size=300) | st.text(max_size=300))
@settings(max_examples=200)
def test_parse_event_raises_nothing_but_intake_errors_on_noise(line: bytes | str) -> None:
    """Arbitrary bytes and text are refused as IntakeError."""
    try:
        parse_event(line)
    except IntakeError as fault:
        assert fault.reason


@given(st.dictionaries(KEYS | st.text(max_size=6), JSON, max_size=10), st.booleans())
@settings(max_examples=300)
def test_parse_event_raises_nothing_but_intake_errors_on_json(raw: dict[str, Any], decoded: bool) -> None:
    """Arbitrary JSON objects with the contract's own keys are events or IntakeErrors."""
    raw = {"at": "2026-01-31T09:00:00Z", "type": "updated", "object": "Case", "id": "500", **raw}
    try:
        event = parse_event(raw if decoded else json.dumps(raw))
    except IntakeError as fault:
        assert fault.reason
    else:
        assert msgspec.json.decode(msgspec.json.encode(event), type=type(event), strict=False) is not None


@given(st.dictionaries(st.text(min_size=1, max_size=9), SCALARS, max_size=4), st.text(max_size=60))
def test_an_event_told_twice_is_the_same_event(changes: dict[str, Any], body: str) -> None:
    """Parsing a line, and parsing what an event says again as a line, give the same event."""
    raw = {"at": "2026-01-31T09:00:00.5Z", "type": "comment", "object": "Case", "id": "500", "body": body}
    try:
        event = parse_event(json.dumps({**raw, "changes": changes}))
    except IntakeError:
        return
    told = {**raw, "at": format_instant(event.at), "body": event.body, "changes": event.changes}
    again = parse_event(json.dumps({**told, "event_id": event.event_id}))
    assert again == event


@given(st.text(max_size=80))
def test_cleaning_twice_changes_nothing(text: str) -> None:
    """Clean text is clean, and can be written as UTF-8."""
    cleaned = clean_text(text)
    assert clean_text(cleaned) == cleaned
    assert cleaned.encode("utf-8") is not None


@given(st.dictionaries(SOURCES | st.sampled_from(["Id", "CreatedDate"]), JSON | LOOKALIKES, max_size=6))
def test_parse_record_raises_nothing_but_intake_errors(raw: dict[str, Any]) -> None:
    """A record is a WorkItem without empty values, or an IntakeError."""
    try:
        item = parse_record({"Id": "500", "CreatedDate": "2026-01-31T09:00:00Z", **raw}, ONE_OF_EACH)
    except IntakeError as fault:
        assert fault.reason
    else:
        assert None not in item.fields.values()
