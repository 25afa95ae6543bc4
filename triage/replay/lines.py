"""What a replay prints: one line for each action and, if asked for, one for each run of a milestone."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from triage.domain.decision import Action
from triage.domain.facts import Facts, MilestoneState
from triage.domain.instant import SECOND, format_instant
from triage.errors import CalendarError
from triage.observe import promised_until
from triage.policy import Policy
from triage.sla.clocks import NEVER, Hours
from triage.sla.milestones import due, paused_ms, violated
from triage.wording import reason_text

NOTE_LIMIT = 160
"""Characters kept of a note, which may quote what a person gave as the reason of an override."""


class ActionLine(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    One action as a replay reports it. `due` and `at` are ISO 8601 with `Z`, `action` is its kind.

    `status` is there only where the action would not have been done (suppressed, held, cancelled, ..).
    """

    at: str
    due: str
    object: str
    id: str
    rule: str
    step: str
    action: str
    target: str
    reason: str
    key: str
    status: str = ""


class MilestoneLine(Struct, frozen=True, kw_only=True):
    """One run of one milestone as it stood at the end: `target` is the due instant, None without a deadline."""

    object: str
    id: str
    milestone: str
    start: str
    target: str | None
    completed: str | None
    violated: bool
    paused_seconds: int


Line = ActionLine | MilestoneLine


def encode_line(line: Struct) -> bytes:
    """Return *line* as one line of JSON in UTF-8, keys in the order declared, no line end."""
    return msgspec.json.encode(line)


def action_line(action: Action) -> ActionLine:
    """Return *action* as a line; its reason becomes a sentence here and nowhere before."""
    reason = action.reason
    if len(reason.note) > NOTE_LIMIT:
        reason = replace(reason, note=f"{reason.note[: NOTE_LIMIT - 1]}…")
    return ActionLine(
        at=format_instant(action.at),
        due=format_instant(action.due),
        object=action.object,
        id=action.id,
        rule=action.rule,
        step=action.step,
        action=action.kind,
        target=action.target,
        reason=reason_text(reason),
        key=action.key,
        status="" if action.status == "planned" else action.status,
    )


def milestone_lines(facts: Facts, policy: Policy, until: int) -> Iterator[MilestoneLine]:
    """Yield every run of the record's milestones as of *until*: earlier runs first, then those under way."""
    for run in runs_of(facts):
        outcome = outcome_of(facts, policy, run, until)
        yield MilestoneLine(
            object=facts.item.object,
            id=facts.item.id,
            milestone=run.name,
            start=format_instant(run.start),
            target=None if outcome.due is None else format_instant(outcome.due),
            completed=None if run.completed is None else format_instant(run.completed),
            violated=outcome.violated,
            paused_seconds=outcome.paused_seconds,
        )


class Outcome(Struct, frozen=True):
    """What became of one run: its due instant (None: no deadline, or a pause keeps it off), breached or not, pauses."""

    due: int | None
    violated: bool
    paused_seconds: int


def outcome_of(facts: Facts, policy: Policy, run: MilestoneState, until: int) -> Outcome:
    """
    Return what became of *run* by *until*, or by its record's deletion.

    A run whose deadline lies beyond the years of calendars has none.
    """
    until = promised_until(facts.item, until)

    def hours(name: str) -> Hours:
        return policy.hours_for(facts.item) if name == "record" else policy.calendars[name]

    try:
        deadline = due(run, hours)
        paused = -(-paused_ms(run, hours, until) // SECOND) if run.pauses else 0
        return Outcome(None if deadline == NEVER else deadline, violated(run, hours, until), paused)
    except CalendarError:
        return Outcome(None, False, 0)


def runs_of(facts: Facts) -> tuple[MilestoneState, ...]:
    """Return the record's runs of milestones, the earlier ones of those that recur first."""
    return facts.memory.past_milestones + facts.memory.milestones
