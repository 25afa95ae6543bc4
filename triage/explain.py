"""
Why a record is where it is: each promise with its hours counted, each rule with what holds, waits or just misses.

Pure, from facts and policy. `for_customer` is the same without scores, rules, models and the names of staff.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from triage.actions.view import View
from triage.calendars.calendar import Calendar
from triage.calendars.describe import ledger_text
from triage.calendars.wall_time import WallTime
from triage.domain.facts import Facts, MilestoneState
from triage.domain.instant import SECOND, format_duration, format_instant
from triage.domain.work import Value
from triage.observe import is_queue, promised_until
from triage.pipeline import decide
from triage.policy import ObjectPolicy, Policy
from triage.ports import Effect
from triage.rules.compile import CompiledRule
from triage.sla.clocks import NEVER
from triage.sla.milestones import due, paused_ms, violated


class Promise(Struct, frozen=True, kw_only=True):
    """
    One run of one milestone: the open time allowed and used (seconds), when it is due, and how it stands.

    `state` is met, missed, running, paused, stopped or no deadline. `ledger` lists the hours counted, as text, up to
    the due instant.
    """

    milestone: str
    start: int
    due: int | None
    allowed: int | None
    used: int
    paused: int
    state: str
    hours: str
    ledger: str


class Miss(Struct, frozen=True, kw_only=True):
    """A rule that does not hold: the leaves that fail, and when it comes true by itself (None: only by an event)."""

    rule: str
    failing: tuple[str, ...]
    holds_from: int | None = None


class Explanation(Struct, frozen=True, kw_only=True):
    """
    All of it for one record at one instant. `next_at` is when something can next happen, `next_why` what.

    `not_begun` names the milestones of its object that have not run on it. A record that was deleted, at `deleted_at`,
    is measured up to then.
    """

    object: str
    id: str
    at: int
    closed: bool
    promises: tuple[Promise, ...]
    holding: tuple[str, ...]
    waiting: tuple[Miss, ...]
    nearest_miss: Miss | None
    overrides: tuple[str, ...]
    warnings: tuple[str, ...]
    next_at: int | None
    next_why: str
    not_begun: tuple[str, ...] = ()
    deleted_at: int | None = None


class Change(NamedTuple):
    """A field as it was before actions of ours, and as they left it (None: missing)."""

    was: Any
    now: Any


def explain(facts: Facts, policy: Policy, now: int) -> Explanation:
    """Return why the record is where it is at *now*."""
    view = View(replace(facts, fresh=()), facts.memory, policy, now)
    decision = decide(replace(facts, fresh=()), policy, now)
    misses = sorted(_misses(view), key=lambda miss: (len(miss.failing), miss.holds_from or NEVER, miss.rule))
    waiting = tuple(miss for miss in misses if miss.holds_from is not None)
    return Explanation(
        object=facts.item.object,
        id=facts.item.id,
        at=now,
        closed=view.closed,
        promises=promises(facts, policy, now),
        holding=tuple(f"{match.rule}/{match.step}".rstrip("/") for match in decision.matches),
        waiting=waiting,
        nearest_miss=next((miss for miss in misses if miss.holds_from is None), None),
        overrides=tuple(_override_text(facts, number) for number in range(len(facts.memory.overrides))),
        warnings=facts.item.warnings,
        next_at=decision.next_at,
        next_why=decision.next_why,
        not_begun=_not_begun(facts, policy),
        deleted_at=promised_until(facts.item, now) if facts.item.deleted else None,
    )


def promises(facts: Facts, policy: Policy, now: int) -> tuple[Promise, ...]:
    """Return every run of every milestone of the record, the earlier runs of recurring ones first."""
    states = (*facts.memory.past_milestones, *facts.memory.milestones)
    return tuple(_promise(state, facts, policy, now) for state in states)


def _not_begun(facts: Facts, policy: Policy) -> tuple[str, ...]:
    begun = {state.name for state in (*facts.memory.past_milestones, *facts.memory.milestones)}
    return tuple(spec.name for spec in policy.objects[facts.item.object].milestones if spec.name not in begun)


def _promise(state: MilestoneState, facts: Facts, policy: Policy, now: int) -> Promise:
    hours = _hours(state.hours, facts, policy)
    now = promised_until(facts.item, now)
    ends = [instant for instant in (state.completed, state.stopped, now) if instant is not None]
    end = max(state.start, min(ends))
    deadline = due(state, lambda name: _hours(name, facts, policy))
    zone = hours.zone if isinstance(hours, Calendar) else "UTC"
    return Promise(
        milestone=state.name,
        start=state.start,
        due=None if deadline is None or deadline >= NEVER else deadline,
        allowed=None if state.target is None else state.target // SECOND,
        used=-(-hours.elapsed(state.start, end, state.pauses) // SECOND),
        paused=-(-paused_ms(state, lambda name: _hours(name, facts, policy), end) // SECOND),
        state=_state(state, facts, policy, now),
        hours=state.hours if state.hours != "record" else getattr(hours, "name", "record"),
        ledger=ledger_text(hours.ledger(state.start, min(end, deadline or end), state.pauses), zone),
    )


def _hours(name: str, facts: Facts, policy: Policy) -> Calendar | WallTime:
    found = policy.hours_for(facts.item) if name == "record" else policy.calendars[name]
    assert isinstance(found, Calendar | WallTime)  # policies hold no other kind of hours
    return found


def _state(state: MilestoneState, facts: Facts, policy: Policy, now: int) -> str:
    if not state.target:
        return "no deadline"
    if violated(state, lambda name: _hours(name, facts, policy), now):
        return "missed"
    if state.completed is not None:
        return "met"
    if state.stopped is not None or facts.item.deleted:
        return "stopped"
    return "paused" if state.pauses and state.pauses[-1][1] is None else "running"


def _misses(view: View) -> list[Miss]:
    if view.closed:
        return []
    found = []
    for compiled in view.part.book.rules:
        if compiled.on_event:
            continue
        subjects = view.moment.clocks.milestones.values() if compiled.by_milestone else [None]
        for milestone in subjects:
            view.moment.clocks.subject = milestone
            miss = _miss(compiled, view)
            if miss is not None:
                found.append(miss)
    return found


def _miss(compiled: CompiledRule, view: View) -> Miss | None:
    if compiled.whole(view.moment):
        return None
    failing = tuple(text for text, holds in compiled.leaf_judges if not holds(view.moment))
    guarded = view.part.book.index.candidates(view.moment.values) >> view.part.book.rules.index(compiled) & 1
    flips_at = compiled.truth(view.moment, view.lower).flips_at if guarded else NEVER
    return Miss(rule=compiled.rule.id, failing=failing, holds_from=None if flips_at >= NEVER else flips_at)


def _override_text(facts: Facts, number: int) -> str:
    override = facts.memory.overrides[number]
    until = "until released" if override.until is None else f"until {format_instant(override.until)}"
    rules = "all rules" if "*" in override.rules else ", ".join(override.rules)
    return f"{override.action} of {rules} {until} by {override.actor or 'somebody'}: {override.reason}"


def customer_text(facts: Facts, policy: Policy, now: int, done: Sequence[Effect] = ()) -> str:
    """
    Return what a customer may be told: the promises as they were made, the hours counted, and what has changed.

    Args:
        done: The effects that were done on the record. What was put back since, or changed by somebody else, is not
            told; a target that an effect of ours moved is told as it was before.
    """
    lines = [f"Your request {facts.item.id}, received {format_instant(facts.item.created_at)}"]
    for state in facts.memory.past_milestones:
        lines += _customer_promise(_promise(state, facts, policy, now))
    for state in facts.memory.milestones:
        lines += _customer_promise(_promise(_as_promised(state, facts, policy, done), facts, policy, now))
    steps = _told(our_changes(facts, done), policy.objects[facts.item.object], policy)
    if steps:
        lines.append(f"What we did: {', then '.join(steps)}.")
    return "\n".join(lines)


def our_changes(facts: Facts, done: Sequence[Effect], since: int = 0) -> dict[str, Change]:
    """
    Return the fields that *done* effects after *since* changed and nobody has touched afterwards.

    Each with its value before the first of an unbroken run of them: what they put back themselves is no change.
    """
    found: dict[str, Change] = {}
    for effect in sorted(done, key=lambda one: (one.done_at or 0, one.seq)):
        for name, values in effect.before.items() if (effect.done_at or 0) > since else ():
            earlier = found.get(name)
            unbroken = earlier is not None and earlier.now == values["was"]
            found[name] = Change(earlier.was if earlier is not None and unbroken else values["was"], values["is"])
    fields = facts.item.fields
    return {name: one for name, one in found.items() if one.now == fields.get(name) and one.was != one.now}


def _as_promised(state: MilestoneState, facts: Facts, policy: Policy, done: Sequence[Effect]) -> MilestoneState:
    """Return *state* with the target that it would have without our own changes since its start."""
    milestone = next((one for one in policy.objects[facts.item.object].milestones if one.name == state.name), None)
    changes = our_changes(facts, done, state.start)
    if milestone is None or not changes:
        return state
    untouched: dict[str, Value] = {name: value for name, value in facts.item.fields.items() if name not in changes}
    untouched |= {name: change.was for name, change in changes.items() if change.was is not None}
    if milestone.target(untouched) == milestone.target(facts.item.fields):
        return state
    return replace(state, target=milestone.target(untouched))


def _told(changes: dict[str, Change], part: ObjectPolicy, policy: Policy) -> list[str]:
    told = []
    spec = part.specs.get("priority")
    ladder = spec.values if spec is not None and spec.ordered else ()
    if "owner" in changes:
        told.append(
            "moved to another team" if is_queue(changes["owner"].now, policy) else "handed to another colleague"
        )
    if "priority" in changes:
        told.append(f"given {_direction(changes['priority'], ladder)} urgency")
    return told


def _direction(change: Change, ladder: tuple[str, ...]) -> str:
    if change.was in ladder and change.now in ladder:
        return "more" if ladder.index(change.now) > ladder.index(change.was) else "less"
    if isinstance(change.was, int | float) and isinstance(change.now, int | float):
        return "more" if change.now > change.was else "less"
    return "another"


def _customer_promise(promise: Promise) -> list[str]:
    name = promise.milestone.replace("_", " ")
    if promise.allowed is None:
        return [f"{name}: no time is promised."]
    used, allowed = format_duration(promise.used * SECOND), format_duration(promise.allowed * SECOND)
    ended = {
        "met": "done in time", "missed": "not done within that time", "paused": "paused while we wait for you",
        "stopped": "no longer needed",
    }  # fmt: skip
    lines = [
        f"{name}: promised within {allowed} of service hours; {used} counted; {ended.get(promise.state, 'under way')}."
    ]
    if promise.due is not None and promise.state in ("running", "missed"):
        lines.append(f"  due {format_instant(promise.due)}")
    return [*lines, *(f"  {line}" for line in promise.ledger.splitlines())]
