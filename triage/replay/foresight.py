"""What a policy would have seen coming: for each breach of a milestone, how long before it a rule acted."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from msgspec import Struct

from triage.domain.facts import Facts, MilestoneState
from triage.domain.instant import HOUR, MINUTE
from triage.observe import promised_until
from triage.policy import Policy
from triage.replay.engine import Replayed
from triage.replay.lines import outcome_of, runs_of

LEADS = ((">= 8 h", 8 * HOUR), ("4-8 h", 4 * HOUR), ("1-4 h", HOUR), ("15 min-1 h", 15 * MINUTE), ("< 15 min", 1))
"""Lead times and their least ms of wall time, longest first. An action at the breach itself is not before it."""
NOT_BEFORE = "not before"
NEVER_ACTED = "never"
COLUMNS = (*(name for name, _ in LEADS), NOT_BEFORE, NEVER_ACTED)


class MilestoneForesight(Struct, frozen=True, kw_only=True):
    """
    One milestone's runs with a deadline. `breaches` = `foreseen` + those acted on too late + those never acted on.

    `by_lead` counts breaches by the wall time from the first action in the run to the breach. `acted` counts runs
    acted on before their deadline; `needless` of these did not breach, and `precision` is the share that did (None
    where nothing was acted on).
    """

    object: str
    milestone: str
    runs: int
    breaches: int
    foreseen: int
    by_lead: dict[str, int]
    acted: int
    needless: int
    precision: float | None


class Foresight(Struct, frozen=True):
    """Every milestone's figures, in the policy's order."""

    milestones: tuple[MilestoneForesight, ...]


class _Tally:
    def __init__(self) -> None:
        self.runs = self.acted = self.needless = 0
        self.by_lead = dict.fromkeys(COLUMNS, 0)


def foresight(replayed: Replayed) -> Foresight:
    """
    Return how many breaches were foreseen, by lead time; finishes the replay where it is still under way.

    A run breached where it was completed after its target, or was still open past it at the end, which for a deleted
    record is its deletion. An action counts for
    a run where it was planned on the run's record between the run's start and its end, whatever the rule.
    """
    policy, until = replayed.policy, replayed.until or 0
    tallies = {(spec.object, spec.name): _Tally() for spec in policy.document.milestones}
    for kept in replayed.records():
        for run in runs_of(kept.facts):
            tally = tallies.get((kept.facts.item.object, run.name))
            if tally is not None:
                _count(tally, kept.facts, run, kept.acted, policy, until)
    return Foresight(tuple(_summed(*name, tally) for name, tally in tallies.items()))


def foresight_table(found: Foresight) -> str:
    """Return the figures as a table in plain text: a line for each milestone, then what they say in words."""
    rows = [("milestone", "breaches", *COLUMNS, "precision")]
    for one in found.milestones:
        precision = "-" if one.precision is None else f"{one.precision:.1%}"
        leads = (str(one.by_lead[name]) for name in COLUMNS)
        rows.append((f"{one.object} {one.milestone}", str(one.breaches), *leads, precision))
    return "\n".join([*_aligned(rows), *_sentences(found)])


def _count(tally: _Tally, facts: Facts, run: MilestoneState, acted: list[int], policy: Policy, until: int) -> None:
    outcome = outcome_of(facts, policy, run, until)
    deadline = outcome.due
    if deadline is None:
        return
    tally.runs += 1
    first = bisect_left(acted, run.start)
    action = acted[first] if first < len(acted) else None
    ends = (run.completed, run.stopped, promised_until(facts.item, until))
    over = min(end for end in ends if end is not None)
    before = action is not None and action < deadline and action <= over
    tally.acted += before
    tally.needless += before and not outcome.violated
    if outcome.violated:
        tally.by_lead[lead_name(action, deadline)] += 1


def lead_name(action: int | None, deadline: int) -> str:
    """Return which of COLUMNS a breach at *deadline* falls into whose run was first acted on at *action*."""
    if action is None:
        return NEVER_ACTED
    return next((name for name, least in LEADS if deadline - action >= least), NOT_BEFORE)


def _summed(object_name: str, milestone: str, tally: _Tally) -> MilestoneForesight:
    breaches = sum(tally.by_lead.values())
    return MilestoneForesight(
        object=object_name,
        milestone=milestone,
        runs=tally.runs,
        breaches=breaches,
        foreseen=breaches - tally.by_lead[NOT_BEFORE] - tally.by_lead[NEVER_ACTED],
        by_lead=tally.by_lead,
        acted=tally.acted,
        needless=tally.needless,
        precision=round((tally.acted - tally.needless) / tally.acted, 4) if tally.acted else None,
    )


def _aligned(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for first, *rest in rows:
        numbers = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
        yield "  ".join([first.ljust(widths[0]), *numbers])


def _sentences(found: Foresight) -> Iterator[str]:
    for one in found.milestones:
        yield (
            f"{one.object} {one.milestone}: of {one.breaches:,} breaches {one.foreseen:,} were foreseen; "
            f"of {one.acted:,} runs acted on in time {one.needless:,} would not have breached"
        )
