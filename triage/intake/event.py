"""One line of an event log in, one Event out, or a refusal that names record, field and reason."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn, cast, get_args

import msgspec

from triage.domain.work import Agent, Event, EventType, Origin
from triage.errors import IntakeError, NaiveTimeError
from triage.intake.instants import read_instant
from triage.intake.text import bad_id, clean_text, did_you_mean, show

LINE_LIMIT = 16 * 1024 * 1024
"""Bytes of one line; a longer one is refused. Text inside is cut at `text.TEXT_LIMIT` characters."""

TYPES = frozenset(get_args(EventType))
ORIGINS = frozenset(get_args(Origin))
ACTIONS = frozenset({"pull_back", "hold", "reroute", "release"})
_TEXTS = ("object", "actor", "channel", "body", "from", "reason", "to", "rule", "key")
_IDS = frozenset({"object", "actor", "to", "rule", "key"})
_CHOICES = {"origin": ORIGINS, "direction": frozenset({"in", "out"}), "action": ACTIONS}
_KNOWN = frozenset({"at", "type", "id", "event_id", "changes", "auto", "until", "rules", "scores", *_TEXTS, *_CHOICES})
_NEEDS = {"message": "direction", "override": "action", "scored": "scores"}
_EVERY = ("at", "type", "id", "event_id", "actor", "origin")
_OWN = {
    **dict.fromkeys(("created", "updated"), ("object", "changes", "rule", "key")),
    "message": ("object", "direction", "channel", "body", "from", "auto"),
    **dict.fromkeys(("comment", "activity"), ("object", "direction", "channel", "body", "from", "auto")),
    **dict.fromkeys(("related", "agent"), ("object", "changes")),
    "override": ("object", "action", "until", "rules", "reason", "to"),
    "scored": ("object", "scores"),
    **dict.fromkeys(("deleted", "merged", "undeleted"), ("object", "reason")),
}
"""What an event of each type may hold besides `_EVERY`, as its refusal tells it; keys of another type pass."""
_AGENT_KEYS = tuple(name for name in Agent.__struct_fields__ if name != "id")
_encode = msgspec.json.Encoder(order="sorted").encode


def parse_event(line: bytes | str | Mapping[str, Any], *, org_zone: str = "") -> Event:
    """
    Return the event that *line* tells: one JSON object, as text or already decoded. Changes keep CRM names and values.

    An instant without a zone is local time of *org_zone* where one is given. A missing `event_id` becomes
    `sha256:` and the hash of the line as canonical JSON. Text is cleaned and cut as `clean_text` says.

    Raises:
        NaiveTimeError: an instant without a zone, and no *org_zone*.
        IntakeError: anything else the contract does not allow; carries the record id where it could be read.
    """
    raw = _decode(line) if isinstance(line, bytes | str) else line
    try:
        return _build(raw, org_zone)
    except IntakeError as fault:
        identity = raw.get("id")
        record_id = identity if isinstance(identity, str) and not bad_id(identity) else ""
        kind = NaiveTimeError if isinstance(fault, NaiveTimeError) else IntakeError
        raise kind(fault.reason, record_id) from fault.__cause__


def _decode(line: bytes | str) -> dict[str, Any]:
    if len(line) > LINE_LIMIT:
        raise IntakeError(f"a line of more than {LINE_LIMIT // 1024 // 1024} MiB")
    try:
        decoded = _DECODER.decode((line.decode() if isinstance(line, bytes) else line).removeprefix("\ufeff"))
    except UnicodeDecodeError as cause:
        raise IntakeError(f"not UTF-8 at byte {cause.start}") from cause
    except json.JSONDecodeError as cause:
        raise IntakeError(f"not JSON: {cause.msg} at character {cause.pos + 1}") from cause
    except RecursionError as cause:
        raise IntakeError("not JSON that can be read: nested too deep") from cause
    except ValueError as cause:
        raise IntakeError("not JSON that can be read: a number of too many digits") from cause
    if not isinstance(decoded, dict):
        raise IntakeError('not an object: write {"at": .., "type": .., "object": .., "id": ..}')
    return decoded


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise IntakeError(f"key {show(twice)} stands twice in one object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise IntakeError(f"{name} is not a JSON number")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


def _build(raw: Mapping[str, Any], org_zone: str) -> Event:
    if not raw.keys() <= _KNOWN:
        key = next(key for key in raw if key not in _KNOWN)
        raise IntakeError(_unknown_key(str(key), raw.get("type")))
    kind = _kind(raw)
    values: dict[str, Any] = {"at": _instant(raw, "at", org_zone), "type": kind, "id": _identity(raw, "id")}
    values["event_id"] = _identity(raw, "event_id") if "event_id" in raw else _line_hash(raw)
    for name in raw:
        reader = _READERS.get(name)
        if reader is not None:
            values["sender" if name == "from" else name] = reader(raw, name)
    if raw.get("changes"):
        values["changes"] = _changes(raw["changes"], nested=kind == "agent")
    elif "changes" in raw:
        values["changes"] = _object(raw, "changes")
    if "until" in raw and raw["until"] is not None:
        values["until"] = _instant(raw, "until", org_zone)
    return Event(**values)


def _unknown_key(key: str, kind: object) -> str:
    """Return why *key* cannot stand in an event, and what can: the keys of its type, or where an agent's own belong."""
    if kind == "agent" and key in _AGENT_KEYS:
        return f"unknown key {show(key)}: what is known of an agent stands under 'changes', {', '.join(_AGENT_KEYS)}"
    if not isinstance(kind, str) or kind not in _OWN:
        return f"unknown key {show(key)}{did_you_mean(key, _KNOWN)}"
    own = [name for name in (*_EVERY, *_OWN[kind]) if kind != "agent" or name != "object"]
    near = did_you_mean(key, own)
    fields = "; a record's own fields stand under 'changes'" if "changes" in own and not near else ""
    return f"unknown key {show(key)}{near} (an event of type {kind} has {', '.join(own)}{fields})"


def _kind(raw: Mapping[str, Any]) -> EventType:
    for name in ("at", "type", "id"):
        if raw.get(name) is None:
            raise IntakeError(f"{name!r} is missing")
    kind = raw["type"]
    if not isinstance(kind, str) or kind not in TYPES:
        hint = did_you_mean(kind, TYPES) if isinstance(kind, str) else ""
        raise IntakeError(f"type {show(kind)} is unknown{hint}")
    if kind != "agent" and not raw.get("object"):
        raise IntakeError("'object' is missing: write Case, Lead, Opportunity or any object's API name")
    if raw.get(_NEEDS.get(kind, "type")) is None:
        raise IntakeError(f"{_NEEDS[kind]!r} is missing in an event of type {kind}")
    return cast(EventType, kind)


def _instant(raw: Mapping[str, Any], name: str, org_zone: str) -> int:
    text = raw[name]
    if not isinstance(text, str):
        raise IntakeError(f"{name!r} must be text such as 2026-01-31T09:00:00Z, not {show(text)}")
    try:
        return read_instant(text, zone=org_zone)
    except NaiveTimeError as naive:
        raise NaiveTimeError(f"{name!r} {show(text)} has no zone: write 2026-01-31T09:00:00Z or +01:00") from naive
    except IntakeError as fault:
        raise IntakeError(f"{name!r}: {fault.reason}") from fault


def _identity(raw: Mapping[str, Any], name: str) -> str:
    text = raw[name]
    if not isinstance(text, str):
        raise IntakeError(f"{name!r} must be text, not {show(text)}")
    fault = bad_id(text)
    if fault:
        raise IntakeError(f"{name!r} {fault}: {show(text)}")
    return text


def _line_hash(raw: Mapping[str, Any]) -> str:
    try:
        canonical = _encode(raw)
    except (ValueError, OverflowError, TypeError, RecursionError):
        # Lone surrogates and numbers beyond 64 bits are JSON to the standard library only.
        try:
            canonical = json.dumps(raw, sort_keys=True, default=repr).encode()
        except (ValueError, TypeError, RecursionError) as cause:
            raise IntakeError("holds values that JSON does not have") from cause
    return "sha256:" + hashlib.sha256(canonical).hexdigest()


def _text(raw: Mapping[str, Any], name: str) -> str:
    text = raw[name]
    if text is None:
        return ""
    if not isinstance(text, str):
        raise IntakeError(f"{name!r} must be text, not {show(text)}")
    if name in _IDS and text:
        return _identity(raw, name)
    return clean_text(text)


def _choice(raw: Mapping[str, Any], name: str) -> str:
    text = raw[name]
    if not isinstance(text, str) or text not in _CHOICES[name]:
        hint = did_you_mean(text, _CHOICES[name]) if isinstance(text, str) else ""
        raise IntakeError(f"{name!r} must be one of {', '.join(sorted(_CHOICES[name]))}, not {show(text)}{hint}")
    return text


def _flag(raw: Mapping[str, Any], name: str) -> bool:
    if not isinstance(raw[name], bool):
        raise IntakeError(f"{name!r} must be true or false, not {show(raw[name])}")
    return bool(raw[name])


def _names(raw: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = raw[name]
    if not isinstance(found, list | tuple) or not all(isinstance(one, str) and not bad_id(one) for one in found):
        raise IntakeError(f'{name!r} must be a list of rule ids or ["*"], not {show(found)}')
    return tuple(found)


def _object(raw: Mapping[str, Any], name: str) -> dict[str, Any]:
    if not isinstance(raw[name], Mapping):
        raise IntakeError(f"{name!r} must be an object, not {show(raw[name])}")
    return {}


def _scores(raw: Mapping[str, Any], name: str) -> dict[str, Any]:
    _object(raw, name)
    return _changes(raw[name], nested=True, of=name)


def _changes(changes: object, *, nested: bool, of: str = "changes") -> dict[str, Any]:
    """Return *changes* with clean text; one level of objects (skills, reasons) only where *nested*."""
    if not isinstance(changes, Mapping):
        raise IntakeError(f"{of!r} must be an object, not {show(changes)}")
    kept: dict[str, Any] = {}
    for name, value in changes.items():
        if not isinstance(name, str) or bad_id(name):
            raise IntakeError(f"{of!r} holds {show(name)}, which is no field name")
        if isinstance(value, str):
            kept[name] = clean_text(value)
        elif name != "attributes":
            kept[name] = _plain(value, f"{of}.{name}", nested)
    return kept


def _plain(value: object, where: str, nested: bool) -> Any:
    if value is None or value is True or value is False:
        return value
    if isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        return [clean_text(part) for part in value]
    if nested and isinstance(value, Mapping):
        return _changes(value, nested=False, of=where)
    raise IntakeError(f"{where!r} must be text, a number, true, false, null or a list of text, not {show(value)}")


_READERS = {
    **dict.fromkeys(_TEXTS, _text),
    **dict.fromkeys(_CHOICES, _choice),
    "auto": _flag,
    "rules": _names,
    "scores": _scores,
}
