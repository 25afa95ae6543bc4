"""An agent as its source tells it: what an `agent` event changes, levels of languages, spans out of office."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from triage.domain.instant import parse_instant
from triage.domain.work import Agent, Event
from triage.errors import IntakeError, TriageError

LEVELS = ("A1", "A2", "B1", "B2", "C1", "C2")
"""How well somebody speaks a language, as the European framework has it; 1 to 6 inside."""


def language_level(text: str | int) -> int:
    """Return 1 to 6 for `A1` to `C2`, or for such a number; raise IntakeError for anything else."""
    name = str(text).strip().upper()
    if name in LEVELS:
        return LEVELS.index(name) + 1
    if name.isdigit() and 0 <= int(name) <= len(LEVELS):
        return int(name)
    raise IntakeError(f"{text!r} is no level of a language: write {LEVELS[0]} to {LEVELS[-1]}, or 1 to {len(LEVELS)}")


def level_name(level: int) -> str:
    """Return `C1` for 5; an empty string where no level is asked for."""
    return LEVELS[min(level, len(LEVELS)) - 1] if level > 0 else ""


def changed_agent(agent: Agent | None, event: Event, *, load: int = 0) -> Agent:
    """
    Return *agent* (None: a new one that holds *load*) with the event's changes.

    Raises:
        IntakeError: a value of a wrong type, a capacity below 0, or an instant or level that cannot be read.
    """
    known = msgspec.to_builtins(agent) if agent is not None else {"id": event.id, "load": load}
    try:
        changes = {name: _READERS[name](value) if name in _READERS else value for name, value in event.changes.items()}
        changed = msgspec.convert({**known, **changes, "id": event.id}, Agent)
    except msgspec.ValidationError as cause:
        raise IntakeError(f"agent: {cause}", event.id) from cause
    except TriageError as cause:
        raise IntakeError(f"agent: {getattr(cause, 'reason', cause)}", event.id) from cause
    for name in ("capacity", "load", "max_per_hour"):
        if (getattr(changed, name) or 0) < 0:
            raise IntakeError(f"agent: {name} is {getattr(changed, name)}: write 0 or more", event.id)
    return changed


def came_back(before: Agent | None, after: Agent, at: int, told: Mapping[str, Any]) -> Agent:
    """Return *after* with what an event at *at* says of presence: when it was told, and idle since a return."""
    if "presence" not in told:
        return after
    standing = replace(after.standing, seen_at=at)
    if after.presence == "online" and (before is None or before.presence != "online"):
        standing = replace(standing, idle_since=at)
    return replace(after, standing=standing)


def _languages(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {name: language_level(level) if isinstance(level, str | int) else level for name, level in value.items()}


def _away(value: Any) -> Any:
    """Spans come as [from, to] or {"from","to"}, instants as text or ms; no end is an open one."""
    if not isinstance(value, list | tuple):
        return value
    return [_span(one) for one in value]


def _span(one: Any) -> Any:
    if isinstance(one, Mapping):
        one = [one.get("from"), one.get("to")]
    if not isinstance(one, list | tuple) or len(one) != 2 or one[0] is None:
        raise IntakeError(f"{one!r} is no span out of office: write [FROM, TO], instants with a zone")
    return [parse_instant(part) if isinstance(part, str) else part for part in one]


_READERS = {"languages": _languages, "away": _away}
