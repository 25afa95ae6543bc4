"""What a rule is: conditions of single-field leaves, steps on clocks, actions, and how often. Data, never code."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Literal

from msgspec import Struct, field

Op = Literal[
    "==", "!=", "<", "<=", ">", ">=", "in", "not in", "contains", "starts_with", "includes", "excludes", "in words",
    "is missing", "is present", "is true", "is false",
]  # fmt: skip
Mode = Literal["observe", "notify", "act"]
Once = Literal["per_clock", "per_record", "per_milestone", "per_episode"]


class At(Struct, frozen=True):
    """Where something stands: file, line and column, both from 1, and the text it was read from."""

    file: str = ""
    line: int = 0
    column: int = 0
    text: str = ""


class Leaf(Struct, frozen=True, kw_only=True):
    """
    One field compared with constants. *negate* asks for its opposite; on a missing value both are unknown.

    `values` are coerced to the field's type; for `in words` they are the words of the named list.
    """

    field: str
    op: Op
    values: tuple[Any, ...] = ()
    negate: bool = False
    text: str = ""
    at: At = At()


class ClockLeaf(Struct, frozen=True, kw_only=True):
    """
    One clock compared with an amount: holds from the instant the amount is used up (`until` False), or until it.

    `clock` is created, created_until_modified, last_modified, assigned, queued, last_contact, `milestone:NAME`, or
    `sla` (each open milestone in turn). `amount` is ms of the clock's time, or a Fraction of a milestone's target.
    `of_remaining`: the amount counts back from the target. `hours` is none, record, a calendar's name, or "" (the
    rule's, else none; milestones always run in their own hours).
    """

    clock: str
    amount: int | Fraction
    of_remaining: bool = False
    until: bool = False
    hours: str = ""
    text: str = ""
    at: At = At()


class Change(Struct, frozen=True, kw_only=True):
    """True only at the event that brings it: `became` its leaf turned true, `raised` a ranked field went up."""

    became: Condition | None = None
    raised: str = ""
    text: str = ""
    at: At = At()


class AllOf(Struct, frozen=True):
    """Every part holds."""

    parts: tuple[Condition, ...]


class AnyOf(Struct, frozen=True):
    """At least one part holds."""

    parts: tuple[Condition, ...]


class Negation(Struct, frozen=True):
    """The part does not hold; unknown stays unknown. Compilation pushes it down to the leaves."""

    part: Condition


Condition = Leaf | ClockLeaf | Change | AllOf | AnyOf | Negation


class Target(Struct, frozen=True, kw_only=True):
    """Who or what an action is for: `kind` user, queue, pool, team, role, owner, address, field, webhook, customer."""

    kind: str
    name: str = ""
    at: At = At()


class ActionSpec(Struct, frozen=True, kw_only=True):
    """
    One action as written: its kind, its target, its settings, and what to do where the target is nobody (`else`).

    `match` is how somebody of a group is chosen; empty where the rule leaves that to the policy's routing.
    """

    kind: str
    target: Target
    params: dict[str, Any] = field(default_factory=dict)
    match: str = ""
    exclude: tuple[str, ...] = ()
    require: tuple[str, ...] = ()
    if_none: tuple[ActionSpec, ...] = ()
    at: At = At()


class Step(Struct, frozen=True, kw_only=True):
    """One tier of an entry: actions due *over* ms after the clock's start, in its hours."""

    id: str
    clock: str
    over: int | Fraction
    hours: str = "none"
    of_remaining: bool = False
    do: tuple[ActionSpec, ...] = ()
    at: At = At()


class Repeat(Struct, frozen=True, kw_only=True):
    """Fire again every *every* ms while the condition holds, *at_most* firings in all; then, once, *then*."""

    every: int
    at_most: int
    then: tuple[ActionSpec, ...] = ()


class Boost(Struct, frozen=True, kw_only=True):
    """A secondary signal: adds to the priority of the rule's actions, gates nothing."""

    when: Condition
    add: int


class Rule(Struct, frozen=True, kw_only=True):
    """
    One rule as written. `digest` is the sha256 of its own text as data: what says that it has changed.

    Rules of an all-matches set have `do`; entries of a first-match set have `steps` (or neither: they only take the
    record). `on` limits the rule to events of those types; empty is any instant.
    """

    id: str
    when: Condition
    do: tuple[ActionSpec, ...] = ()
    steps: tuple[Step, ...] = ()
    boosts: tuple[Boost, ...] = ()
    on: tuple[str, ...] = ()
    once: Once = "per_clock"
    repeat: Repeat | None = None
    cool_down: int = 0
    deliver: Literal["now", "in_hours"] = "now"
    hours: str = "none"
    mode: Mode = "observe"
    while_closed: bool = False
    pre_breach: bool = False
    description: str = ""
    digest: str = ""
    at: At = At()


class RuleSet(Struct, frozen=True, kw_only=True):
    """Rules for one object, all that match or the first that does; `reevaluate_on` says what re-selects an entry."""

    id: str
    object: str
    match: Literal["all_matches", "first_match"] = "all_matches"
    reevaluate_on: Literal["related", "record"] = "related"
    rules: tuple[Rule, ...] = ()
    at: At = At()


CLOCKS = ("created", "created_until_modified", "last_modified", "assigned", "queued", "last_contact")
"""The clocks every record has. Milestones add `milestone:NAME`."""

CLOCK_LEAVES = {
    "age": "created",
    "since_modified": "last_modified",
    "since_assignment": "assigned",
    "since_queued": "queued",
    "since_contact": "last_contact",
    "age_until_modified": "created_until_modified",
}
"""How a clock reads as a leaf: the name in a condition -> the clock's own name."""

LIMITS = {"characters": 2000, "depth": 20, "leaves": 200}
"""What one rule may hold; anything larger is refused at load."""
