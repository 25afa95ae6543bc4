"""The milestone state machine: one record's milestones after one more event. Conditions are tests of static values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from triage.domain.facts import MilestoneState, Pause
from triage.sla.clocks import NEVER, Hours

Holds = Callable[[Mapping[str, Any]], bool]


class Milestone(Struct, frozen=True, kw_only=True):
    """
    One milestone of a policy, its conditions compiled. `start` None: with the record's creation.

    `targets` are (condition or None, ms of open time or None for no deadline), tried in order.
    """

    name: str
    targets: tuple[tuple[Holds | None, int | None], ...]
    start: Holds | None = None
    complete: Holds | None = None
    pause: Holds | None = None
    stop: Holds | None = None
    hours: str = "record"
    recurrence: str = "none"

    def target(self, values: Mapping[str, Any]) -> int | None:
        """Return the ms allowed for a record of these *values*; None or zero means no deadline."""
        for when, allowed in self.targets:
            if when is None or when(values):
                return allowed or None
        return None


class Progress(Struct, frozen=True):
    """Milestones under way (the latest run of each) and the earlier runs of recurring ones."""

    current: tuple[MilestoneState, ...] = ()
    past: tuple[MilestoneState, ...] = ()


def follow(
    progress: Progress,
    milestones: Sequence[Milestone],
    values: Mapping[str, Any],
    at: int,
    created_at: int,
    hours_of: Callable[[str], Hours],
) -> Progress:
    """
    Return *progress* after an event at *at* left the record with *values*.

    A state whose milestone the policy no longer has is kept as it is: pauses and history outlive a change of policy.
    """
    by_name = {state.name: state for state in progress.current}
    past = list(progress.past)
    for milestone in milestones:
        state = by_name.get(milestone.name)
        after, ended = _step(milestone, state, values, at, created_at, hours_of)
        if ended is not None:
            past.append(ended)
        if after is not None:
            by_name[milestone.name] = after
    return Progress(tuple(by_name.values()), tuple(past))


def _step(
    milestone: Milestone,
    state: MilestoneState | None,
    values: Mapping[str, Any],
    at: int,
    created_at: int,
    hours_of: Callable[[str], Hours],
) -> tuple[MilestoneState | None, MilestoneState | None]:
    """Return the run after the event, and the run before it where the event began a new one."""
    wanted = milestone.start is None or milestone.start(values)
    done = milestone.complete is not None and milestone.complete(values)
    if state is None:
        if not wanted or (milestone.start is not None and done):
            return None, None
        start = created_at if milestone.start is None else at
        return _settle(milestone, _begin(milestone, start, values), values, at, done), None
    if state.completed is not None and milestone.recurrence != "none":
        if not wanted or done:
            return state, None
        again = _begin(milestone, _next_start(milestone, state, at, hours_of), values)
        return _settle(milestone, again, values, at, False), state
    if state.stopped is not None and wanted and not (milestone.stop is not None and milestone.stop(values)):
        state = replace(state, stopped=None)
    return _settle(milestone, state, values, at, done), None


def _begin(milestone: Milestone, start: int, values: Mapping[str, Any]) -> MilestoneState:
    return MilestoneState(name=milestone.name, start=start, target=milestone.target(values), hours=milestone.hours)


def _next_start(milestone: Milestone, state: MilestoneState, at: int, hours_of: Callable[[str], Hours]) -> int:
    """Chained runs begin at the criteria's instant or, completed early, at the previous target."""
    if milestone.recurrence != "chained":
        return at
    return max(at, due(state, hours_of) or at)


def _settle(
    milestone: Milestone, state: MilestoneState, values: Mapping[str, Any], at: int, done: bool
) -> MilestoneState:
    """Apply target, pause, completion and stop to a run. Reopening resumes the same clock: closed time counts."""
    completed = (state.completed if state.completed is not None else at) if done else None
    stopped = state.stopped
    if stopped is None and not done and milestone.stop is not None and milestone.stop(values):
        stopped = at
    paused = milestone.pause is not None and not done and stopped is None and milestone.pause(values)
    return replace(
        state,
        target=milestone.target(values),
        hours=milestone.hours,
        completed=completed,
        stopped=stopped,
        pauses=_pauses(state.pauses, paused, at),
    )


def _pauses(pauses: tuple[Pause, ...], paused: bool, at: int) -> tuple[Pause, ...]:
    running = bool(pauses) and pauses[-1][1] is None
    if paused and not running:
        return (*pauses, (at, None))
    if running and not paused:
        return (*pauses[:-1], (pauses[-1][0], at))
    return pauses


def due(state: MilestoneState, hours_of: Callable[[str], Hours]) -> int | None:
    """Return the instant at which the target is used up: None without a target, NEVER while an open pause holds it."""
    if not state.target:
        return None
    found = hours_of(state.hours).add(state.start, state.target, state.pauses)
    return NEVER if found is None else found


def violated(state: MilestoneState, hours_of: Callable[[str], Hours], now: int) -> bool:
    """Return whether the target passed before the run completed, was stopped, or *now*; met exactly is in time."""
    deadline = due(state, hours_of)
    if deadline is None:
        return False
    if state.completed is not None:
        return state.completed > deadline
    return (now if state.stopped is None else state.stopped) >= deadline


def paused_ms(state: MilestoneState, hours_of: Callable[[str], Hours], until: int) -> int:
    """Return the open ms that pauses took from this run by *until* (or its completion)."""
    end = state.completed if state.completed is not None else until
    hours = hours_of(state.hours)
    return hours.elapsed(state.start, end) - hours.elapsed(state.start, end, state.pauses)
