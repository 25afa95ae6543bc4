"""A record's final row and its field history in; the row as it stood at opening and the steps since then out. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from triage.domain.instant import format_instant
from triage.errors import IntakeError
from triage.intake.instants import read_date, read_instant

AUDIT = frozenset(
    {"Id", "LastModifiedDate", "LastModifiedById", "SystemModstamp", "LastActivityDate", "LastViewedDate"}
    | {"LastReferencedDate"}
)
"""Columns that describe the last save, hence nothing that was true at opening: no event carries them."""

_STATUSES = ("Status", "StageName")
_FLAGS = ("IsClosed", "IsConverted")
_WITH_FLAG = ("IsWon", "ConvertedAccountId", "ConvertedContactId", "ConvertedOpportunityId")
_ENDS = ("ClosedDate", "ConvertedDate")
_PLANNED_END = "CloseDate"
_TRUE = frozenset({"true", "1", "yes"})
_ID = re.compile(r"(?=.*\d)[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?")


class Change(Struct, frozen=True):
    """One row of field history: *field* went from *old* to *new* ("" is empty) at *at*, by *actor*."""

    at: int
    actor: str
    field: str
    old: str
    new: str
    row: str


class Step(Struct, frozen=True):
    """What one actor changed at one instant: new values by CRM name, None for emptied. *row* names its source."""

    at: int
    actor: str
    changes: dict[str, str | None]
    row: str
    origin: str = "user"


class Inconsistency(Struct, frozen=True):
    """A place where history and the final row, or two rows of history, contradict each other."""

    object: str
    id: str
    field: str
    expected: str
    found: str
    reason: str


class Life(Struct, frozen=True):
    """One record from its opening to its final row: rolling *steps* over *opening* gives the final row again."""

    opening: dict[str, str]
    steps: tuple[Step, ...]
    inconsistencies: tuple[Inconsistency, ...] = ()


class Outcome(Struct, frozen=True):
    """
    The columns of one object that are known only at its end, and the statuses that mean closed.

    Without a `flag` a record is closed where `end`, its closing date, is filled. `zone` and `date_order` read that date
    where its text does not say.
    """

    status: str
    flag: str
    end: str
    others: tuple[str, ...]
    closed: frozenset[str]
    zone: str = ""
    date_order: str = ""

    def says_closed(self, row: Mapping[str, str]) -> bool:
        """Return whether *row* is that of a closed record."""
        return _is_true(row[self.flag]) if self.flag else bool(row[self.end].strip())


def find_outcome(columns: Collection[str], rows: Iterable[Mapping[str, str]]) -> Outcome | None:
    """
    Return which of *columns* are outcomes, and as closed those statuses that closed *rows* have and open ones lack.

    None where no column says whether a record is closed: neither a flag nor the date it closed at.
    """
    flag = next((name for name in _FLAGS if name in columns), "")
    end = next((name for name in (*_ENDS, _PLANNED_END) if name in columns), "")
    if not flag and end not in _ENDS:
        return None
    status = next((name for name in _STATUSES if name in columns), "")
    others = tuple(name for name in _WITH_FLAG if name in columns)
    outcome = Outcome(status, flag, end, others, frozenset())
    sides: tuple[set[str], set[str]] = (set(), set())
    for row in rows:
        sides[outcome.says_closed(row)].add(row[status] if status else "")
    return replace(outcome, closed=frozenset(sides[True] - sides[False] - {""}))


def live_through(
    object_name: str,
    record_id: str,
    created_at: int,
    final: Mapping[str, str],
    changes: Sequence[Change],
    outcome: Outcome | None,
) -> Life:
    """
    Return the life that *final* and *changes* (in time order, none before *created_at*) tell.

    A field starts with the old value of its earliest change; one without history keeps its final value from the
    start, except outcomes: those open empty (flags false) and are set by the step that closes the record. That step is
    the one that brings a closed status; without such a step, one of origin system at the closing date (no date: at the
    last known instant), which then brings the status too. Where history ends elsewhere than the final row, history
    stands, and a last step of origin system at the last known instant brings the final value: each such field is an
    inconsistency, and so is a chain whose old value is not the new value before it.
    """
    tracked = {change.field for change in changes}
    opening = {name: value for name, value in final.items() if value and name not in AUDIT}
    for change in reversed(changes):
        _put(opening, change.field, change.old)
    steps = _steps(changes)
    found = _broken_chains(object_name, record_id, final, changes)
    if outcome is not None and (outcome.flag or outcome.end) not in tracked:
        steps, more = _with_outcome(opening, steps, final, outcome, created_at, tracked)
        found += [Inconsistency(object_name, record_id, *parts) for parts in more]
    wanted = {name: value for name, value in final.items() if name not in AUDIT}
    last = _roll_forward(opening, steps, wanted)
    if last:
        at = max([created_at, *(step.at for step in steps)])
        steps.append(Step(at, "", last, "final", "system"))
    return Life(opening, tuple(steps), tuple(found))


def same_value(one: str, other: str) -> bool:
    """Return whether two raw values say the same: case and surrounding space apart, and `0` is `0.0`."""
    if one == other:
        return True
    one, other = one.strip().casefold(), other.strip().casefold()
    if one == other:
        return True
    try:
        return float(one) == float(other)
    except ValueError:
        return False


def drop_name_twins(changes: Sequence[Change]) -> list[Change]:
    """
    Return *changes* without the rows that tell a reference's change by name where a twin tells it by id.

    Salesforce writes two rows for a new owner: one with the people's names, one with their ids.
    """
    by_id = {(change.at, change.actor, change.field) for change in changes if _is_reference(change)}
    return [
        change
        for change in changes
        if not change.field.endswith("Id")
        or (change.at, change.actor, change.field) not in by_id
        or _is_reference(change)
    ]


def _is_reference(change: Change) -> bool:
    if not change.field.endswith("Id") or not (change.old or change.new):
        return False
    return all(_ID.fullmatch(value) for value in (change.old, change.new) if value)


def _steps(changes: Sequence[Change]) -> list[Step]:
    """Return one step per instant and actor; a field that changes twice within it begins another, so none is lost."""
    steps: list[Step] = []
    first = 0
    for change in changes:
        if steps and steps[-1].at != change.at:
            first = len(steps)
        after = max((at for at in range(first, len(steps)) if change.field in steps[at].changes), default=first - 1)
        fits = (steps[at] for at in range(after + 1, len(steps)) if steps[at].actor == change.actor)
        step = next(fits, None)
        if step is None:
            steps.append(Step(change.at, change.actor, {change.field: change.new or None}, change.row))
        else:
            step.changes[change.field] = change.new or None
    return steps


def _broken_chains(
    object_name: str, record_id: str, final: Mapping[str, str], changes: Sequence[Change]
) -> list[Inconsistency]:
    found: list[Inconsistency] = []
    last: dict[str, str] = {}
    for change in changes:
        before = last.get(change.field)
        if before is not None and not same_value(before, change.old):
            reason = f"history at {format_instant(change.at)} starts from another value than it ended with before"
            found.append(Inconsistency(object_name, record_id, change.field, before, change.old, reason))
        last[change.field] = change.new
    for name, value in last.items():
        if name in final and not same_value(value, final[name]):
            reason = "history ends with another value than the final row"
            found.append(Inconsistency(object_name, record_id, name, value, final[name], reason))
    return found


def _with_outcome(
    opening: dict[str, str],
    steps: list[Step],
    final: Mapping[str, str],
    outcome: Outcome,
    created_at: int,
    tracked: Collection[str],
) -> tuple[list[Step], list[tuple[str, str, str, str]]]:
    """Open the outcome columns in *opening*, let *steps* close and reopen, and close by date where none does."""
    _open(opening, outcome)
    closing = _follow_status(opening, steps, outcome, created_at) if outcome.status in tracked else None
    if not outcome.says_closed(final):
        return steps, []
    known_last = (name for name in (outcome.flag, *outcome.others, outcome.end) if name)
    result: dict[str, str | None] = {name: final[name] or None for name in known_last}
    said = _end_instant(final.get(outcome.end, ""), outcome)
    if closing is not None:
        closing.changes.update(result)
        exact = outcome.end in _ENDS and said is not None and said != closing.at
        disagreement = (
            outcome.end,
            format_instant(closing.at),
            final.get(outcome.end, ""),
            "closed at another instant",
        )
        return steps, [disagreement] if exact else []
    if outcome.status and outcome.status not in tracked:
        result[outcome.status] = opening.pop(outcome.status, None)
    at = said if said is not None else max([created_at, *(step.at for step in steps)])
    closer = Step(max(at, created_at), "", result, "closed", "system")
    place = next((index for index, step in enumerate(steps) if step.at > closer.at), len(steps))
    missing = [(outcome.end or outcome.flag, "", "", "closed, but nothing says when")] if said is None else []
    return [*steps[:place], closer, *steps[place:]], missing


def _open(opening: dict[str, str], outcome: Outcome) -> None:
    for name in (outcome.flag, *outcome.others):
        if name in opening:
            _put(opening, name, "False" if name.startswith("Is") else "")
    if outcome.flag:
        opening[outcome.flag] = "False"
    if outcome.end in _ENDS:
        opening.pop(outcome.end, None)


def _follow_status(opening: dict[str, str], steps: list[Step], outcome: Outcome, created_at: int) -> Step | None:
    """Write closing and reopening into the steps whose status says so; return the closing step that still holds."""
    closed = opening.get(outcome.status) in outcome.closed
    if closed:
        if outcome.flag:
            opening[outcome.flag] = "True"
        if outcome.end in _ENDS:
            opening[outcome.end] = format_instant(created_at)
    closing: Step | None = None
    for step in steps:
        if outcome.status not in step.changes:
            continue
        now = step.changes[outcome.status] in outcome.closed
        if now != closed:
            if outcome.flag:
                step.changes[outcome.flag] = str(now)
            if outcome.end in _ENDS:
                step.changes[outcome.end] = format_instant(step.at) if now else None
            closing = step if now else None
        closed = now
    return closing


def _end_instant(text: str, outcome: Outcome) -> int | None:
    """Return the closing instant; a day alone stands for its first one; None where it cannot be read."""
    zone, order = outcome.zone or "UTC", outcome.date_order
    try:
        timed = len(text.strip()) > 10
        return (
            read_instant(text, zone=zone, date_order=order) if timed else read_date(text, zone=zone, date_order=order)
        )
    except IntakeError:
        return None


def _roll_forward(
    opening: Mapping[str, str], steps: Iterable[Step], wanted: Mapping[str, str]
) -> dict[str, str | None]:
    """Return what is still to change after all *steps* for the *wanted* final values to stand."""
    state: dict[str, str | None] = dict(opening)
    for step in steps:
        state.update(step.changes)
    return {name: value or None for name, value in wanted.items() if not same_value(state.get(name) or "", value)}


def _put(values: dict[str, str], name: str, value: str) -> None:
    if value:
        values[name] = value
    else:
        values.pop(name, None)


def _is_true(text: str) -> bool:
    return text.strip().casefold() in _TRUE
