"""parse_event: the contract's shapes come through, everything else is refused by record, field and reason."""

from __future__ import annotations

import json
from typing import Any

import pytest

from triage.errors import IntakeError, NaiveTimeError
from triage.intake.event import parse_event
from triage.intake.text import CUT_MARK, TEXT_LIMIT, was_cut

AT = "2026-01-31T09:00:00Z"
INSTANT = 1_769_850_000_000
BASE: dict[str, Any] = {"at": AT, "type": "updated", "object": "Case", "id": "500A"}


def _refusal(raw: object) -> IntakeError:
    with pytest.raises(IntakeError) as caught:
        parse_event(raw if isinstance(raw, bytes | str) else json.dumps(raw))
    return caught.value


def test_a_created_event_keeps_crm_names_and_raw_values() -> None:
    """Changes come through as the source wrote them."""
    line = json.dumps({**BASE, "type": "created", "changes": {"Priority": "High", "Age__c": 3, "Tags__c": ["a", "b"]}})
    event = parse_event(line)
    assert (event.at, event.type, event.object, event.id) == (INSTANT, "created", "Case", "500A")
    assert event.changes == {"Priority": "High", "Age__c": 3, "Tags__c": ["a", "b"]}
    assert event.origin == "user"


def test_a_message_event_carries_direction_body_and_sender() -> None:
    """`from` is the sender; auto says that a machine wrote it."""
    raw = {
        **BASE,
        "type": "message",
        "direction": "in",
        "channel": "email",
        "body": "hi",
        "from": "a@b.c",
        "auto": True,
    }
    event = parse_event(raw)
    assert (event.direction, event.channel, event.body, event.sender, event.auto) == (
        "in",
        "email",
        "hi",
        "a@b.c",
        True,
    )


def test_an_agent_event_needs_no_object_and_may_nest_skills() -> None:
    """Skills are an object of levels."""
    event = parse_event({"at": AT, "type": "agent", "id": "005", "changes": {"capacity": 6, "skills": {"billing": 3}}})
    assert event.changes["skills"] == {"billing": 3}


def test_an_override_event_carries_until_rules_and_reason() -> None:
    """The instant of its end is read as an instant."""
    event = parse_event({**BASE, "type": "override", "action": "hold", "until": AT, "rules": ["*"], "reason": "vip"})
    assert (event.action, event.until, event.rules, event.reason) == ("hold", INSTANT, ("*",), "vip")


def test_a_scored_event_carries_its_scores() -> None:
    """Scores may nest one level: reasons by score."""
    event = parse_event({**BASE, "type": "scored", "scores": {"urgency.score": 0.83, "reasons": {"u": ["outage"]}}})
    assert event.scores == {"urgency.score": 0.83, "reasons": {"u": ["outage"]}}


def test_bytes_text_and_mappings_give_the_same_event() -> None:
    """The three ways in agree, the hash that stands for a missing event id included."""
    line = json.dumps(BASE)
    assert parse_event(line) == parse_event(line.encode()) == parse_event(BASE)


def test_the_hash_of_a_line_ignores_key_order_and_space_but_not_content() -> None:
    """Two spellings of one line are one event; another value is another."""
    reordered = json.dumps(dict(reversed(BASE.items())), indent=2)
    assert parse_event(reordered).event_id == parse_event(BASE).event_id
    assert parse_event({**BASE, "actor": "x"}).event_id != parse_event(BASE).event_id
    assert parse_event(BASE).event_id.startswith("sha256:")


def test_an_event_id_of_the_source_is_kept() -> None:
    """No hash where the source names its events."""
    assert parse_event({**BASE, "event_id": "e-1"}).event_id == "e-1"


def test_a_byte_order_mark_is_no_fault() -> None:
    """Files from Windows begin with one."""
    assert parse_event(b"\xef\xbb\xbf" + json.dumps(BASE).encode()).id == "500A"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ('{"at":', "not JSON"),
        (b"\xff\xfe\x00", "not UTF-8 at byte 0"),
        ("[1]", "not an object"),
        ("null", "not an object"),
        ("[" * 100_000, "nested too deep"),
        ("1" * 5000, "too many digits"),
        ('{"at":NaN}', "NaN is not a JSON number"),
        ('{"at":-Infinity}', "-Infinity is not a JSON number"),
        ('{"id":"1","id":"2"}', "key 'id' stands twice"),
        ('{"changes":{"a":1,"a":1}}', "key 'a' stands twice"),
    ],
)
def test_a_line_that_is_no_json_object_is_refused(line: bytes | str, reason: str) -> None:
    """The reason says what is wrong with the text itself."""
    assert reason in _refusal(line).reason


@pytest.mark.parametrize("name", ["at", "type", "id", "object"])
def test_a_missing_key_is_named(name: str) -> None:
    """Each of the four that every event needs, absent or null."""
    assert f"'{name}' is missing" in _refusal({key: value for key, value in BASE.items() if key != name}).reason
    assert f"'{name}' is missing" in _refusal({**BASE, name: None}).reason


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        ({"type": "update"}, "type 'update' is unknown: did you mean 'updated'?"),
        ({"type": 3}, "type '3' is unknown"),
        ({"chnages": {}}, "unknown key 'chnages': did you mean 'changes'?"),
        ({"presence": "online"}, "an event of type updated has at, type, id, event_id, actor, origin, object, changes"),
        ({"Priority": "High"}, "a record's own fields stand under 'changes'"),
        ({"type": "agent", "presence": "online"}, "what is known of an agent stands under 'changes', name, manager"),
        ({"type": "agent", "shfit": 1}, "an event of type agent has at, type, id, event_id, actor, origin, changes"),
        ({"type": "merged", "into": "500B"}, "an event of type merged has at, type, id, event_id, actor, origin, obj"),
        ({"type": "scored", "score": 1}, "'score': did you mean 'scores'? (an event of type scored has"),
        ({"type": "update", "into": 1}, "unknown key 'into'"),
        ({"at": 1769850000000}, "'at' must be text"),
        ({"at": "yesterday"}, "'at': 'yesterday' is not an instant"),
        ({"at": "0001-01-01T00:00:00Z"}, "outside the years 1900 to 2199"),
        ({"id": 500}, "'id' must be text, not '500'"),
        ({"id": "5\x000"}, "'id' holds control characters: '5\\x000'"),
        ({"id": "5" * 256}, "'id' is longer than 255 characters"),
        ({"id": "  "}, "'id' is empty"),
        ({"event_id": "e\n1"}, "'event_id' holds control characters"),
        ({"event_id": 7}, "'event_id' must be text"),
        ({"object": ["Case"]}, "'object' must be text, not a list"),
        ({"actor": 5}, "'actor' must be text"),
        ({"changes": []}, "'changes' must be an object, not a list"),
        ({"changes": "Priority"}, "'changes' must be an object"),
        ({"changes": None}, "'changes' must be an object"),
        ({"changes": {"Owner": {"Name": "x"}}}, "'changes.Owner' must be text, a number"),
        ({"changes": {"Tags__c": [1]}}, "'changes.Tags__c' must be text, a number"),
        ({"changes": {"": 1}}, "no field name"),
        ({"changes": {"Big__c": 1 << 64}}, "'changes.Big__c' must be text, a number"),
        ({"auto": "yes"}, "'auto' must be true or false"),
        ({"origin": "usr"}, "did you mean 'user'?"),
        ({"direction": "up"}, "'direction' must be one of in, out"),
        ({"rules": "*"}, "'rules' must be a list"),
        ({"type": "message"}, "'direction' is missing in an event of type message"),
        ({"type": "override"}, "'action' is missing in an event of type override"),
        ({"type": "scored"}, "'scores' is missing in an event of type scored"),
        ({"type": "scored", "scores": [1]}, "'scores' must be an object"),
        ({"type": "override", "action": "pause"}, "'action' must be one of hold, pull_back"),
    ],
)
def test_a_wrong_key_or_value_is_refused_by_name(extra: dict[str, Any], reason: str) -> None:
    """The reason names the key, shows the value, and says what is asked for."""
    assert reason in _refusal({**BASE, **extra}).reason


def test_a_number_too_large_for_a_float_is_refused() -> None:
    """1e999 is JSON, but no finite number."""
    line = json.dumps({**BASE, "changes": {"a": 0}}).replace('"a": 0', '"a": 1e999')
    assert "'changes.a' must be text, a number" in _refusal(line).reason


def test_a_refusal_carries_the_record_id_where_it_can_be_read() -> None:
    """Of use to whoever looks for the record; an unreadable id is left out."""
    assert _refusal({**BASE, "type": "?"}).record_id == "500A"
    assert str(_refusal({**BASE, "type": "?"})).startswith("500A: type '?' is unknown")
    assert _refusal({**BASE, "id": "\x00"}).record_id == ""


@pytest.mark.parametrize("extra", [{"at": "2026-01-31T09:00:00"}, {"until": "2026-01-31"}])
def test_a_naive_instant_is_refused_as_such(extra: dict[str, str]) -> None:
    """Without a zone an instant names no point in time."""
    with pytest.raises(NaiveTimeError, match="has no zone") as caught:
        parse_event({**BASE, **extra})
    assert caught.value.record_id == "500A"


def test_a_naive_instant_is_local_time_where_the_organisation_has_a_zone() -> None:
    """The zone given by the caller stands in for the missing one."""
    assert parse_event({**BASE, "at": "2026-01-31T10:00:00"}, org_zone="Europe/Berlin").at == INSTANT


def test_control_characters_in_text_become_replacement_characters() -> None:
    """Tab and newline stay, other line ends become newlines, lone surrogates go too."""
    event = parse_event({**BASE, "type": "comment", "body": "a\tb\r\nc\x00\x1b[31m\ud800", "changes": {"S": "x\x07"}})
    assert event.body == "a\tb\nc\ufffd\ufffd[31m\ufffd"
    assert event.changes == {"S": "x\ufffd"}


def test_ten_megabytes_of_text_are_cut_and_marked() -> None:
    """The event survives, and the cut shows."""
    event = parse_event(json.dumps({**BASE, "type": "comment", "body": "x" * 10_000_000}))
    assert len(event.body) == TEXT_LIMIT
    assert event.body.endswith(CUT_MARK)
    assert was_cut(event.body)
    assert not was_cut("x" * TEXT_LIMIT)


def test_a_line_of_more_than_sixteen_mebibytes_is_refused() -> None:
    """Somebody's mistake, not an event."""
    assert _refusal('"' + "x" * (16 * 1024 * 1024) + '"').reason == "a line of more than 16 MiB"


def test_salesforce_attributes_are_left_out() -> None:
    """They describe the transport, not the record."""
    assert parse_event({**BASE, "changes": {"attributes": {"type": "Case"}, "Status": "New"}}).changes == {
        "Status": "New"
    }


def test_a_mapping_with_values_that_json_lacks_is_refused() -> None:
    """The API and tests hand mappings in directly."""
    with pytest.raises(IntakeError, match=r"'changes\.x' must be text"):
        parse_event({**BASE, "changes": {"x": {1, 2}}})
