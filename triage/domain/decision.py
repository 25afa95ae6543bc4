"""What goes out: actions with their keys and reasons, and the decision that holds them."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field

from triage.domain.facts import Memory
from triage.domain.work import Value

ActionKind = Literal["reprioritise", "reassign", "move", "notify", "acknowledge", "set", "custom"]

Status = Literal["planned", "would_have", "backlog", "suppressed", "held", "cancelled", "superseded"]
"""
planned: to be done. would_have: the rule's mode does not allow it. backlog: was already true when something went live.
suppressed: an override. held: a cap, or nobody eligible. cancelled, superseded: a later look found it pointless.
"""


class Evidence(Struct, frozen=True, omit_defaults=True, gc=False):
    """
    One leaf of a rule that held: what it asks, and what it found (missing is None).

    `instant` says that *found* is an instant, ms UTC: the value of a date field, or when a clock ran out.
    """

    leaf: str
    found: Value | None = None
    instant: bool = False


class Reason(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Why an action was chosen: the leaves that held, the clock that ran out, and who was passed over and why."""

    evidence: tuple[Evidence, ...] = ()
    clock: str = ""
    clock_start: int | None = None
    over: int | None = None
    note: str = ""
    passed_over: tuple[str, ...] = ()


class Action(Struct, frozen=True, kw_only=True, gc=False):
    """
    One effect on the world, planned.

    `due` is the instant the rule's clock or condition came true, `at` the instant it was decided. `target` is
    `user:ID`, `queue:NAME`, `pool:NAME`, `team:NAME`, `role:NAME`, `address:..`, `field:NAME`, `webhook:..`.
    `params` are the action's own settings (template, priority, value), `key` the sha256 that makes it happen once.
    """

    object: str
    id: str
    rule: str
    step: str
    position: int
    kind: ActionKind
    target: str
    params: dict[str, Any] = field(default_factory=dict)
    due: int
    at: int
    episode: str
    key: str
    status: Status = "planned"
    reason: Reason = Reason()
    priority: int = 0
    mode: str = "act"
    note: str = ""


class Match(Struct, frozen=True, kw_only=True, gc=False):
    """One rule (and step, and milestone) that holds at the instant of a decision."""

    rule: str
    step: str
    subject: str
    since: int
    due: int
    episode: str
    evidence: tuple[Evidence, ...] = ()


class Decision(Struct, frozen=True, kw_only=True):
    """
    The answer of `decide`: what holds, what to do, what to remember, and when to look again.

    `next_at` is the one instant at which any rule, delivery or override of this record can next matter; None is never.
    """

    org: str
    object: str
    id: str
    at: int
    matches: tuple[Match, ...] = ()
    actions: tuple[Action, ...] = ()
    memory: Memory = Memory()
    next_at: int | None = None
    next_why: str = ""
    warnings: tuple[str, ...] = ()


class AuditEntry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the append-only log: what happened to which action or record, when, by whom, and why."""

    at: int
    org: str
    object: str
    id: str
    event: str
    actor: str = "triage"
    key: str = ""
    rule: str = ""
    body: dict[str, Any] = field(default_factory=dict)
