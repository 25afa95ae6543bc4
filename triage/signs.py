"""
Signs that somebody works for the figures and not for the customer, read off one record's events. Signs, no verdicts.

Each names the record, the instant and what happened; whether a person is named is for the caller's scopes to say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from msgspec import Struct

from triage.domain.facts import Facts, MilestoneState
from triage.domain.instant import DAY, MINUTE, format_duration
from triage.domain.work import Event
from triage.observe import is_automatic, observe
from triage.policy import Policy
from triage.sla.clocks import Hours
from triage.sla.milestones import due as milestone_due

Kind = Literal["edit_before_threshold", "pause_near_deadline", "severity_lowered", "close_and_reopen"]

NEAR = 15 * MINUTE
"""An edit so shortly before a promise is broken, with no word to the customer, is a sign."""

LATE_SHARE = 0.9
"""From this share of the time used on, a pause or a lower severity is near the deadline."""


class Sign(Struct, frozen=True, kw_only=True):
    """One thing that happened to one record, by whom (`actor`), and why it is a sign."""

    kind: Kind
    record: str
    at: int
    actor: str
    words: str


def signs(events: Sequence[Event], policy: Policy) -> tuple[Sign, ...]:
    """
    Return the signs in one record's *events*, which stand in time order and begin with its creation.

    Outward contact (a message or a call that is not automatic) is what counts as work; an edit is not.
    """
    found: list[Sign] = []
    facts: Facts | None = None
    last_close: Event | None = None
    for event in events:
        before = facts
        facts = observe(facts, event, policy, {}, "")
        if before is None:
            continue
        if _is_contact(event, policy) or event.direction == "in":
            last_close = None
        if event.type != "updated" or event.origin != "user":
            continue
        found += _of_update(before, facts, event, policy)
        closed, was = facts.item.fields.get("is_closed"), before.item.fields.get("is_closed")
        if closed and not was:
            last_close = event
        if was and not closed and last_close is not None and event.at - last_close.at <= DAY:
            span = format_duration((event.at - last_close.at) // 1000 * 1000)
            found.append(_sign("close_and_reopen", facts, event, f"closed and reopened within {span}, no word between"))
        near = _threshold_near(before, event.at, policy)
        if near:
            found.append(_sign("edit_before_threshold", facts, event, near))
    return tuple(_without_contact(found, events, policy))


def _of_update(before: Facts, after: Facts, event: Event, policy: Policy) -> Iterator[Sign]:
    late = _late(before, event.at, policy)
    if not late:
        return
    paused = {(state.name, state.start) for state in after.memory.milestones if _paused(state)}
    paused -= {(state.name, state.start) for state in before.memory.milestones if _paused(state)}
    for name, _ in sorted(paused):
        if name in late:
            yield _sign("pause_near_deadline", after, event, f"paused {name} with {late[name]:.0%} of its time used")
    if _rank(after, policy) < _rank(before, policy):
        name = max(late, key=lambda one: late[one])
        was, now = before.item.fields.get("priority"), after.item.fields.get("priority")
        words = f"priority {was} to {now} with {late[name]:.0%} of {name} used"
        yield _sign("severity_lowered", after, event, words)


def _without_contact(found: Sequence[Sign], events: Sequence[Event], policy: Policy) -> Iterator[Sign]:
    """Leave out edits that a word to the customer went with, within a quarter of an hour on either side."""
    contacts = [event.at for event in events if _is_contact(event, policy)]
    for sign in found:
        near = any(abs(at - sign.at) <= NEAR for at in contacts)
        if sign.kind != "edit_before_threshold" or not near:
            yield sign


def _threshold_near(facts: Facts, at: int, policy: Policy) -> str:
    """Return which promise would have been broken within a quarter of an hour, or an empty string."""
    for state in facts.memory.milestones:
        if state.completed is not None or state.stopped is not None or _paused(state):
            continue
        due = milestone_due(state, lambda name: _hours(name, facts, policy))
        if due is not None and 0 <= due - at <= NEAR:
            span = format_duration((due - at) // 1000 * 1000)
            return f"an edit {span} before {state.name} is due, no word to the customer"
    return ""


def _late(facts: Facts, at: int, policy: Policy) -> dict[str, float]:
    """Return the open promises that have used nine tenths of their time and are not broken yet, with the share."""
    found = {}
    for state in facts.memory.milestones:
        if state.completed is not None or state.stopped is not None or not state.target or _paused(state):
            continue
        used = (
            _hours(state.hours, facts, policy).elapsed(state.start, max(at, state.start), state.pauses) / state.target
        )
        if LATE_SHARE <= used < 1:
            found[state.name] = used
    return found


def _paused(state: MilestoneState) -> bool:
    return bool(state.pauses) and state.pauses[-1][1] is None


def _rank(facts: Facts, policy: Policy) -> int:
    spec = policy.objects[facts.item.object].specs.get("priority")
    priority = facts.item.fields.get("priority")
    return spec.values.index(str(priority)) if spec is not None and spec.ordered and priority in spec.values else 0


def _is_contact(event: Event, policy: Policy) -> bool:
    return event.direction == "out" and event.type in ("message", "activity") and not is_automatic(event, policy)


def _hours(name: str, facts: Facts, policy: Policy) -> Hours:
    return policy.hours_for(facts.item) if name == "record" else policy.calendars[name]


def _sign(kind: Kind, facts: Facts, event: Event, words: str) -> Sign:
    record = f"{facts.item.object}/{facts.item.id}"
    return Sign(kind=kind, record=record, at=event.at, actor=event.actor, words=words)
