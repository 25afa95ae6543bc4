"""What came of a record, by label: 1 or 0 and the instant from which that was known, or not known yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from training.history import Life, Past
from triage.domain.work import Event
from triage.errors import IntakeError
from triage.replay.history import MilestoneRow

LABELS = ("sla_violated", "escalated", "slow", "priority_raised", "converted", "won")

_LEVELS: dict[str, int] = {
    word: level
    for level, words in enumerate(
        (
            ("planning", "very low", "lowest", "trivial", "none", "p5", "5"),
            ("low", "minor", "cold", "p4", "4"),
            ("normal", "medium", "moderate", "standard", "warm", "p3", "3"),
            ("high", "major", "hot", "p2", "2"),
            ("critical", "urgent", "highest", "very high", "blocker", "emergency", "p1", "1"),
        )
    )
    for word in words
}


def level_of(text: object) -> int | None:
    """Return how pressing a priority is that is spelled *text*, 0 to 4 (critical); None where nobody can tell."""
    return _LEVELS.get(str(text or "").strip().casefold().split(" - ")[-1])


class Outcome(NamedTuple):
    """*y* is 1 or 0 with *known_at* (ms UTC) the instant it became known, both None while it is not."""

    y: int | None
    known_at: int | None


UNKNOWN = Outcome(None, None)


def outcome_of(label: str, past: Past, cut: int) -> Callable[[Life], Outcome]:
    """
    Return the function that tells a life's outcome as far as it was known at *cut*.

    Raises:
        IntakeError: no such label, or the export has nothing to tell it by.
    """
    name, _, detail = label.partition(":")
    if name == "sla_violated":
        rows = _named(past.milestones, detail)
        return lambda life: _at_cut(_violated(rows.get(life.id, ()), life.closed_at, cut), cut)
    if name == "escalated":
        return lambda life: _at_cut(_first(life, _is_escalation, cut), cut)
    if name == "priority_raised":
        return lambda life: _at_cut(_raised(life, cut), cut)
    if name == "slow":
        limit = slow_limit(past, _share(detail), cut)
        return lambda life: _at_cut(_slow(life, past, limit, cut), cut)
    if name == "converted":
        return lambda life: _at_cut(_flag(life, "IsConverted", cut), cut)
    if name == "won":
        return lambda life: _at_cut(_flag(life, "IsWon", cut), cut)
    raise IntakeError(f"no label {label!r}: write one of {', '.join(LABELS)} (slow:p90 for the slowest tenth)")


def slow_limit(past: Past, share: float, cut: int) -> int:
    """
    Return the time to resolve, in ms, that *share* of the records do not exceed; open ones count by their age.

    By Kaplan and Meier, so that slow records still open do not drop out of the upper end.
    """
    times, ended = [], []
    for life in past.lives:
        if life.created_at > cut:
            continue
        end = _resolved(life, past)
        known = end is not None and end <= cut
        times.append((end if known and end is not None else cut) - life.created_at)
        ended.append(known)
    order = np.argsort(times, kind="stable")
    at_risk, left = len(order), 1.0
    for place in order:
        if ended[place]:
            left *= 1 - 1 / at_risk
            if left <= 1 - share:
                return int(times[place])
        at_risk -= 1
    raise IntakeError(f"slow:p{share * 100:g}: too few {past.object} records are resolved to know their slowest ones")


def _share(detail: str) -> float:
    digits = detail.removeprefix("p")
    if not detail.startswith("p") or not digits.isdecimal() or not 50 <= int(digits) <= 99:
        raise IntakeError(f"slow:{detail}: write slow:p90 for the slowest tenth (p50 to p99)")
    return int(digits) / 100


def _at_cut(outcome: Outcome, cut: int) -> Outcome:
    return UNKNOWN if outcome.known_at is None or outcome.known_at > cut else outcome


def _named(milestones: Mapping[str, Sequence[MilestoneRow]], name: str) -> Mapping[str, Sequence[MilestoneRow]]:
    if not milestones:
        raise IntakeError("sla_violated needs a table of milestones (CaseMilestone) beside the records")
    if not name:
        return milestones
    found = {record: [row for row in rows if row.name == name] for record, rows in milestones.items()}
    if not any(found.values()):
        there = ", ".join(sorted({row.name for rows in milestones.values() for row in rows}))
        raise IntakeError(f"sla_violated:{name}: there is no milestone of that name (there are {there})")
    return found


def _violated(rows: Sequence[MilestoneRow], closed_at: int | None, cut: int) -> Outcome:
    """Return 1 once any milestone is past its target, 0 once all are completed in time or the record is closed."""
    if not rows:
        return UNKNOWN
    breaches: list[int] = []
    ends: list[int | None] = []
    for row in rows:
        end = row.completed if row.completed is not None else closed_at
        ends.append(end)
        if row.target is not None and (row.violated or min(end or cut, cut) > row.target):
            breaches.append(row.target)
        elif row.violated:
            # Without a target nobody knows when it was breached, only that it was by its end.
            breaches.append(end if end is not None else cut)
    if breaches:
        return Outcome(1, min(breaches))
    known = [end for end in ends if end is not None]
    return Outcome(0, max(known)) if len(known) == len(ends) else UNKNOWN


def _first(life: Life, is_it: Callable[[Event], bool], cut: int) -> Outcome:
    for event in life.steps:
        if event.at <= cut and event.origin == "user" and is_it(event):
            return Outcome(1, event.at)
    return Outcome(0, life.closed_at) if life.closed_at is not None else UNKNOWN


def _is_escalation(event: Event) -> bool:
    flag = str(event.changes.get("IsEscalated", "")).strip().casefold() in ("true", "1", "yes")
    return flag or "escalat" in str(event.changes.get("Status", "")).casefold()


def _raised(life: Life, cut: int) -> Outcome:
    level = level_of(life.opening.get("Priority"))
    for event in life.steps:
        if "Priority" not in event.changes or event.at > cut:
            continue
        after = level_of(event.changes["Priority"])
        if level is not None and after is not None and after > level and event.origin == "user":
            return Outcome(1, event.at)
        level = after if after is not None else level
    return Outcome(0, life.closed_at) if life.closed_at is not None else UNKNOWN


def _resolved(life: Life, past: Past) -> int | None:
    """Return when the record was resolved: its resolution milestone's completion, else its closing."""
    done = [row.completed for row in past.milestones.get(life.id, ()) if "resol" in row.name.casefold()]
    ends = [end for end in done if end is not None]
    return max(ends) if ends and len(ends) == len(done) else life.closed_at


def _slow(life: Life, past: Past, limit: int, cut: int) -> Outcome:
    end = _resolved(life, past)
    if (end if end is not None else cut) - life.created_at > limit:
        return Outcome(1, life.created_at + limit + 1)
    return Outcome(0, end) if end is not None else UNKNOWN


def _flag(life: Life, name: str, cut: int) -> Outcome:
    value = None
    for event in life.steps:
        if name in event.changes and event.at <= cut:
            value = str(event.changes[name]).strip().casefold() in ("true", "1", "yes")
    if value:
        return Outcome(1, life.closed_at if life.closed_at is not None else cut)
    return Outcome(0, life.closed_at) if life.closed_at is not None else UNKNOWN
