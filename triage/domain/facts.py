"""What is known about one record: the folded state that `decide` reads and hands on."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from triage.domain.work import Agent, Event, WorkItem

Pause = tuple[int, int | None]
"""A half-open pause in ms UTC; an end of None is still open."""


class InForce(Struct, frozen=True):
    """The first-match entry that holds a record, and the instant since when it does."""

    rule: str
    since: int


class MilestoneState(Struct, frozen=True, kw_only=True):
    """One run of one milestone. `target` is in ms of open time; None is no target, hence no deadline."""

    name: str
    start: int
    target: int | None
    completed: int | None = None
    stopped: int | None = None
    pauses: tuple[Pause, ...] = ()
    hours: str = ""


class Override(Struct, frozen=True, kw_only=True):
    """Somebody's word that rules leave a record alone: until an instant, or until released."""

    action: str
    rules: tuple[str, ...]
    since: int
    until: int | None = None
    reason: str = ""
    actor: str = ""
    implied_by: str = ""


class Run(Struct, frozen=True):
    """How often a repeating rule has fired in one go on one record, and the due instant of the last time."""

    count: int
    due: int
    ended: bool = False


class Ours(Struct, frozen=True):
    """A field that an action of ours set last: by which rule, when, and the value before (None: missing)."""

    rule: str
    at: int
    before: Any = None


class OwnerChange(Struct, frozen=True):
    """One change of owner, kept for the hop bound (24 h)."""

    at: int
    before: str
    after: str
    automatic: bool


class Pending(Struct, frozen=True, kw_only=True):
    """A firing that waits for its delivery window; its condition is checked again then."""

    rule: str
    step: str
    subject: str
    episode: str
    due: int
    deliver_at: int


class Memory(Struct, frozen=True, kw_only=True):
    """
    What has to be remembered about a record between two decisions, and nothing that can be derived.

    `true_since` is keyed `rule/milestone`; `fired` maps `rule/step#episode` to the instant it fired; `ours`
    maps a field name to the action of ours that last set it, until a person does; `latched_by` is the digest of the
    rules that chose `in_force`, so that a new policy chooses again.
    """

    in_force: dict[str, InForce] = field(default_factory=dict)
    true_since: dict[str, int] = field(default_factory=dict)
    fired: dict[str, int] = field(default_factory=dict)
    last_fired: dict[str, int] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    pending: tuple[Pending, ...] = ()
    milestones: tuple[MilestoneState, ...] = ()
    past_milestones: tuple[MilestoneState, ...] = ()
    overrides: tuple[Override, ...] = ()
    owner_changes: tuple[OwnerChange, ...] = ()
    ours: dict[str, Ours] = field(default_factory=dict)
    latched_by: str = ""


class Facts(Struct, frozen=True, kw_only=True):
    """
    Everything `decide` may look at: one record, its memory, the agents as a snapshot, the events it has yet to see.

    `fresh` holds the events applied since the last decision (change triggers look at them), each with the field values
    from before it. `next_at` is the next instant that the last decision named. `live_from`: what was already true
    before this instant is backlog (a source that just went live).
    """

    org: str
    item: WorkItem
    memory: Memory = Memory()
    agents: tuple[Agent, ...] = ()
    fresh: tuple[tuple[Event, dict[str, Any]], ...] = ()
    last_decided_at: int | None = None
    next_at: int | None = None
    live_from: int = 0
