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


class Track(Struct, frozen=True, omit_defaults=True):
    """
    What somebody's ended records of one kind came to: how many (`n`), how many of them won, and what that was worth.

    `seconds` is the time that all of them together took from assignment to their end.
    """

    n: int = 0
    won: int = 0
    value: float = 0.0
    seconds: int = 0


class Standing(Struct, frozen=True, omit_defaults=True):
    """
    What moves from minute to minute about an agent besides the load; kept by us, only where a policy asks for it.

    `urgent` and `missed` count the open records held that are urgent, and those with a promise missed; `overloaded`
    says why nothing more is taken, until that clears. `given` holds the instants of the last hour at which work came,
    `given_at` the last of all, `idle_since` the last at which anything came or ended, or the agent came back;
    `seen_at` when presence was last told.
    """

    urgent: int = 0
    missed: int = 0
    overloaded: str = ""
    given: tuple[int, ...] = ()
    given_at: int = 0
    idle_since: int = 0
    seen_at: int = 0


AT_REST = Standing()
"""Nothing known: of an agent whose policy asks for none of it."""


class Agent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    Somebody who can own work. `capacity` None is unlimited; `load` is the open work held now, in the same unit.

    `languages` are levels 1 to 6 (A1 to C2), `months` is experience, `away` spans out of office (ms UTC, None: no end
    known). `track` is keyed by what it is about: `Case`, `Lead/product=Mobile`, `Lead/size=large`.
    """

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
    languages: dict[str, int] = field(default_factory=dict)
    regions: tuple[str, ...] = ()
    max_per_hour: int | None = None
    months: int = 0
    away: tuple[tuple[int, int | None], ...] = ()
    track: dict[str, Track] = field(default_factory=dict)
    standing: Standing = AT_REST
