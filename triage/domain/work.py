"""What comes in: events about records, the record they add up to, and the agents who could take it."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field

Value = str | bool | int | float | tuple[str, ...]
"""A coerced field value: text and picklists str, numbers int or float, instants int (ms UTC), multipicklists tuple."""

EventType = Literal[
    "created", "updated", "message", "comment", "activity", "related", "agent", "override", "scored", "deleted",
    "merged", "undeleted",
]  # fmt: skip
Origin = Literal["user", "triage", "system"]


class Event(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    One thing that happened to one record, as its source told it: *changes* keeps CRM field names and raw values.

    `id` is the record's (for `agent` events the agent's), `event_id` the source's own or a hash of the line.
    Events of origin triage carry the *rule* and *key* of the action whose effect they are.
    """

    at: int
    type: EventType
    event_id: str
    object: str = ""
    id: str = ""
    changes: dict[str, Any] = field(default_factory=dict)
    actor: str = ""
    origin: Origin = "user"
    direction: Literal["", "in", "out"] = ""
    channel: str = ""
    body: str = ""
    sender: str = field(default="", name="from")
    auto: bool = False
    action: Literal["", "pull_back", "hold", "reroute", "release"] = ""
    until: int | None = None
    rules: tuple[str, ...] = ()
    reason: str = ""
    to: str = ""
    scores: dict[str, Any] = field(default_factory=dict)
    rule: str = ""
    key: str = ""


class WorkItem(Struct, frozen=True, kw_only=True):
    """
    One record as of its last event: our field names, coerced values, and the instants its clocks start from.

    `fields` holds only values that are present; `marks` maps a clock name (created, last_modified, assigned, queued,
    last_contact) to its start, absent while that clock does not run; `warnings` names values that were dropped.
    """

    object: str
    id: str
    created_at: int
    fields: dict[str, Value] = field(default_factory=dict)
    marks: dict[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    deleted: bool = False


class Scores(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One record's scores by our field names (`urgency.score`, `lead.value`, `sentiment.label`, ..), 6 decimals."""

    values: dict[str, Value] = field(default_factory=dict)
    model_versions: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, tuple[str, ...]] = field(default_factory=dict)


class Agent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Somebody who can own work. `capacity` None is unlimited; `load` is the open work held now, in the same unit."""

    id: str
    name: str = ""
    manager: str = ""
    email: str = ""
    presence: Literal["online", "break", "away", "offline"] = "offline"
    capacity: int | None = None
    load: int = 0
    skills: dict[str, int] = field(default_factory=dict)
    teams: tuple[str, ...] = ()
    pools: tuple[str, ...] = ()
    tier: int = 1
    shift: str = ""
