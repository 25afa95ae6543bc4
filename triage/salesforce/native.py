"""
Salesforce's escalation, literally: one case, one rule, its saves in order, and every action that fires.

An oracle for the imported policy, so it shares nothing with it: no rules, no clocks, no calendars of ours. It works in
datetimes, walks local days, and reads the rule as the metadata has it. `native_criteria.py` judges entries,
`native_hours.py` counts open time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct

from triage.salesforce.native_criteria import matches
from triage.salesforce.native_hours import NativeHours, NeverOpen


class Save(Struct, frozen=True):
    """
    One instant at which something happened to the case: the record as it stands from then on.

    Only a save of the case itself (*modifies*) counts as a modification and makes the rule look at it again; comments,
    mail, activities and changes of parents do not.
    """

    at: datetime
    record: Mapping[str, Any]
    modifies: bool = True


class Fired(Struct, frozen=True, order=True):
    """One action that fired: when, when its clock had run out, and which one (entry and action from 1)."""

    at: datetime
    due: datetime
    entry: int
    action: int


class _State(Struct):
    """What Salesforce keeps of a case between two looks at it."""

    created: datetime
    modified: datetime
    touched: bool = False
    entry: int | None = None
    since: datetime | None = None


def escalate(
    rule: Mapping[str, Any], saves: Sequence[Save], hours: Mapping[str, NativeHours], default: str, horizon: datetime
) -> list[Fired]:
    """
    Return every action of *rule* that fires up to *horizon*, in order; the first of *saves* creates the case.

    Args:
        rule: `{entries: [{criteriaItems, booleanFilter, formula, businessHoursSource, businessHours,
            escalationStartTime, disableEscalationWhenModified, escalationActions: [{minutesToEscalation}]}]}`.
        hours: Business hours by name. The case's own stand under `Case.BusinessHoursId`.
        default: The organisation's default hours, for cases without their own; "" is round the clock.
    """
    entries = rule["entries"]
    first = saves[0]
    state = _State(created=first.at, modified=first.at)
    fired: list[Fired] = []
    done: set[tuple[int, int, datetime]] = set()
    for number, save in enumerate(saves):
        if number == 0 or save.modifies:
            if number:
                state.modified, state.touched = save.at, True
            _evaluate(state, entries, save)
        until = saves[number + 1].at if number + 1 < len(saves) else horizon + timedelta(milliseconds=1)
        if state.entry is None or _closed(save.record):
            continue
        for found in _actions(state, entries[state.entry], save, hours, default):
            key = (found.entry, found.action, _clock_start(state, entries[state.entry]))
            # A save at the very instant comes first: what it makes of the case decides.
            if found.at < until and found.at <= horizon and key not in done:
                done.add(key)
                fired.append(found)
    return sorted(fired)


def _evaluate(state: _State, entries: Sequence[Mapping[str, Any]], save: Save) -> None:
    """Find the first entry that matches; a closed case has none. An entry keeps its instant while it holds the case."""
    found = None
    if not _closed(save.record):
        found = next((place for place, entry in enumerate(entries) if matches(save.record, entry)), None)
    if found != state.entry:
        state.entry, state.since = found, save.at


def _actions(
    state: _State, entry: Mapping[str, Any], save: Save, hours: Mapping[str, NativeHours], default: str
) -> Iterable[Fired]:
    """Yield each action of the entry in force with its due instant and the instant at which it can fire."""
    assert state.entry is not None and state.since is not None
    if entry.get("disableEscalationWhenModified") and state.touched:
        return
    counted = _hours(entry, save.record, hours, default)
    start = _clock_start(state, entry)
    for place, action in enumerate(entry.get("escalationActions") or (), 1):
        minutes = int(action["minutesToEscalation"])
        try:
            due = start + timedelta(minutes=minutes) if counted is None else counted.after(start, minutes)
            at = due
            if due < state.since:
                at = state.since if counted is None else counted.next_open(state.since)
        except NeverOpen:
            continue
        yield Fired(max(at, save.at), due, state.entry + 1, place)


def _clock_start(state: _State, entry: Mapping[str, Any]) -> datetime:
    if entry.get("disableEscalationWhenModified"):
        return state.created
    return state.modified if entry.get("escalationStartTime") == "CaseLastModified" else state.created


def _hours(
    entry: Mapping[str, Any], record: Mapping[str, Any], hours: Mapping[str, NativeHours], default: str
) -> NativeHours | None:
    """Return the hours that an entry's clock runs in, None for round the clock."""
    source = entry.get("businessHoursSource") or "None"
    if source == "Static":
        return hours[str(entry["businessHours"])]
    if source == "Case":
        own = record.get("Case.BusinessHoursId")
        return hours[str(own)] if own in hours else hours.get(default)
    return None


def _closed(record: Mapping[str, Any]) -> bool:
    return record.get("Case.IsClosed") is True


def as_datetime(text: str) -> datetime:
    """Return an ISO instant as a datetime in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)
