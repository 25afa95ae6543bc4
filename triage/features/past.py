"""What a record's own past adds up to at an instant: changes, people, returns, contacts. Later events never count."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from triage.domain.work import Event
from triage.features.spec import FeatureSpec
from triage.features.values import as_level

_HOUR = 3_600_000.0


def known(past: Iterable[Event], now: int) -> list[Event]:
    """Return the events of *past* that had happened at *now* and are not our own, in time order."""
    seen = [event for event in past if event.at <= now and event.origin != "triage"]
    seen.sort(key=lambda event: event.at)
    return seen


def fold(events: Iterable[Event]) -> dict[str, Any]:
    """Return the record's CRM fields as *events* (in time order) left them."""
    state: dict[str, Any] = {}
    for event in events:
        if event.changes and event.type in ("created", "updated"):
            state.update(event.changes)
    return state


def latest_message(events: Sequence[Event]) -> str:
    """Return the body of the last message that a person sent in, "" for none."""
    for event in reversed(events):
        if event.type == "message" and event.direction == "in" and not event.auto:
            return event.body
    return ""


def past_numbers(spec: FeatureSpec, events: Sequence[Event], born: int, now: int) -> list[float]:
    """Return the numbers that *spec* takes from *events*, in the order of its names; hours are counted up to *now*."""
    numbers: list[float] = []
    if spec.past:
        numbers += _changes(spec.past, [event for event in events if event.type == "updated"], born, now)
    if spec.contacts:
        numbers += _contacts([event for event in events if event.type == "message" and not event.auto], now)
    return numbers


def _changes(fields: tuple[str, ...], events: Sequence[Event], born: int, now: int) -> list[float]:
    people = {event.actor for event in events if event.actor}
    last = events[-1].at if events else born
    changed = dict.fromkeys(fields, 0.0)
    returned = dict.fromkeys(fields, 0.0)
    had: dict[str, set[str]] = {name: set() for name in fields}
    for event in events:
        for name, value in event.changes.items():
            if name in changed:
                level = as_level(value)
                changed[name] += 1.0
                returned[name] += level in had[name]
                had[name].add(level)
    return [float(len(events)), float(len(people)), (now - last) / _HOUR, *changed.values(), *returned.values()]


def _contacts(messages: Sequence[Event], now: int) -> list[float]:
    """Return how often either side wrote, and for how many hours the customer's last word stands unanswered."""
    inward = [message.at for message in messages if message.direction == "in"]
    outward = [message.at for message in messages if message.direction == "out"]
    waiting = bool(inward) and (not outward or inward[-1] > outward[-1])
    return [float(len(inward)), float(len(outward)), (now - inward[-1]) / _HOUR if waiting else math.nan]
