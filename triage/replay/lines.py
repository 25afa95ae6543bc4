"""What a replay prints: one line for each action and, if asked for, one for each run of a milestone."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from triage.domain.decision import Action
from triage.domain.facts import Facts, MilestoneState
from triage.domain.instant import SECOND, format_instant
from triage.policy import Policy
from triage.sla.clocks import NEVER, Hours
from triage.sla.milestones import due, paused_ms, violated
from triage.wording import reason_text

NOTE_LIMIT = 160
"""Characters kept of a note, which may quote what a person gave as the reason of an override."""
_LAST = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z: an instant after it has no ISO 8601 text."""


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

    def hours(name: str) -> Hours:
        return hours_of(facts, policy, name)

    for run in runs_of(facts):
        yield MilestoneLine(
            object=facts.item.object,
            id=facts.item.id,
            milestone=run.name,
            start=format_instant(run.start),
            target=_instant(due(run, hours)),
            completed=_instant(run.completed),
            violated=violated(run, hours, until),
            paused_seconds=-(-paused_ms(run, hours, until) // SECOND),
        )


def runs_of(facts: Facts) -> tuple[MilestoneState, ...]:
    """Return the record's runs of milestones, the earlier ones of those that recur first."""
    return facts.memory.past_milestones + facts.memory.milestones


def hours_of(facts: Facts, policy: Policy, name: str) -> Hours:
    """Return the hours called *name* for the record; `record` is its own calendar."""
    return policy.hours_for(facts.item) if name == "record" else policy.calendars[name]


def _instant(instant: int | None) -> str | None:
    return None if instant is None or instant >= NEVER or instant > _LAST else format_instant(instant)
