"""Actions and their reasons as sentences for people. Made at the very end, from values; nothing reads them back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from triage.domain.decision import Action, Evidence, Reason
from triage.domain.instant import format_duration, format_instant
from triage.domain.work import Value

NEVER = 1 << 60
"""Beyond any instant: a clock that an open pause holds."""

INSTANTS = ("at", "due", "decided", "until", "since", "run_at", "live_from")
"""Names under which the body of an audit line holds an instant."""

CLOCK_NAMES = {
    "created": "creation",
    "created_until_modified": "creation (never modified since)",
    "last_modified": "the last modification",
    "assigned": "its assignment",
    "queued": "its arrival in the queue",
    "last_contact": "the last contact",
}


def reason_text(reason: Reason) -> str:
    """Return one sentence that says why: the leaves that held with what they found, the clock, who was passed over."""
    parts = [evidence_text(evidence) for evidence in reason.evidence]
    if reason.clock_start is not None and reason.over is not None:
        since = CLOCK_NAMES.get(reason.clock, f"the start of {reason.clock}")
        parts.append(f"{format_duration(reason.over)} after {since} ({format_instant(reason.clock_start)})")
    if reason.note:
        parts.append(reason.note)
    text = "; ".join(parts) or "it has no conditions"
    return f"{text}; passed over: {', '.join(reason.passed_over)}" if reason.passed_over else text


def evidence_text(evidence: Evidence) -> str:
    """Return one leaf with what it found: `priority == High (is High)`, a clock with the instant it ran out."""
    if evidence.found is None:
        return evidence.leaf
    return f"{evidence.leaf} ({_found(evidence)})"


def _found(evidence: Evidence) -> str:
    found = evidence.found
    if evidence.instant and isinstance(found, int):
        return f"at {format_instant(found)}" if found < NEVER else "not while paused"
    return f"is {value_text(found)}"


def value_text(value: Value | None) -> str:
    """Return one field value as a person would write it; control characters never come through."""
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(value_text, value))
    return "".join(c if c.isprintable() else " " for c in str(value))


def action_text(action: Action) -> str:
    """Return what an action does: `reassign to queue:Tier2`, `raise priority to High`, `put priority back to Low`."""
    if action.kind == "reprioritise" and action.rule == "override":
        # A person's order, an undo or a pull-back: it goes either way.
        return f"put priority back to {value_text(action.params.get('to'))}"
    if action.kind == "reprioritise":
        return f"raise priority to {value_text(action.params.get('to'))}"
    if action.kind == "set":
        return f"set {action.target.removeprefix('field:')} to {value_text(action.params.get('value'))}"
    verb = {"move": "move", "reassign": "reassign", "notify": "notify", "acknowledge": "write to"}.get(
        action.kind, "call"
    )
    whom = action.target or "nobody"
    return f"{verb} {whom}" if action.kind in ("notify", "acknowledge", "custom") else f"{verb} to {whom}"


def body_text(body: Mapping[str, Any]) -> str:
    """Return the body of an audit line for people: instants as text, reasons as sentences, nothing that is empty."""
    return ", ".join(f"{name}: {_part_text(name, value)}" for name, value in body.items() if _says(value))


def _says(value: object) -> bool:
    return value is not None and value not in ("", [], {}, ())


def _part_text(name: str, value: Any) -> str:
    if name == "reason" and isinstance(value, Mapping):
        return reason_text(msgspec.convert(value, Reason))
    if name in INSTANTS and isinstance(value, int) and not isinstance(value, bool):
        return format_instant(value)
    if isinstance(value, Mapping) and set(value) == {"was", "is"}:
        return f"{_part_text('', value['was'])} -> {_part_text('', value['is'])}"
    if isinstance(value, Mapping):
        return " ".join(f"{key}={_part_text(str(key), one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_part_text("", one) for one in value)
    return value_text(value) if value is None or isinstance(value, str | bool) else json.dumps(value)
