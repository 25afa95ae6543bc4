"""The last days of history under a policy: what would have been caught, how early, what missed, how noisy."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable

from msgspec import Struct
from msgspec.structs import replace

from triage.domain.instant import DAY, format_instant, parse_instant
from triage.policy import Policy
from triage.replay.doubts import Doubt, doubts_of
from triage.replay.engine import Replayed, Summary, run_replay
from triage.replay.foresight import Foresight, foresight
from triage.replay.lines import ActionLine, outcome_of, runs_of
from triage.replay.source import Entry, History

SHOWN = 40
"""Records named in each list of the page; all of them are counted."""

Progress = Callable[[int, int], None]


class RuleNoise(Struct, frozen=True, kw_only=True):
    """One rule within the days looked at: actions, records, the busiest day, and what would have been held back."""

    rule: str
    actions: int
    records: int
    busiest_day: str
    busiest: int
    held_back: int


class Case(Struct, frozen=True, kw_only=True):
    """One breach: the record, the milestone, when it was broken, and how long before it a rule acted (ms)."""

    object: str
    id: str
    milestone: str
    breached: int
    lead: int | None
    rule: str = ""


class Tryout(Struct, frozen=True, kw_only=True):
    """
    What a look came to, from *since* to *until* (ms UTC).

    `caught`: breaches before which a rule acted, the earliest first; `missed`: those before which none did. Lists are
    cut at SHOWN, `breaches` and `caught_count` are not.
    """

    since: int
    until: int
    records: int
    actions: int
    breaches: int
    caught_count: int
    caught: tuple[Case, ...]
    missed: tuple[Case, ...]
    foresight: Foresight
    noise: tuple[RuleNoise, ...]
    recipients: tuple[tuple[str, int], ...]
    busiest_hour: tuple[str, int]
    summary: Summary
    doubts: tuple[Doubt, ...]
    notes: tuple[str, ...]


def look(
    history: History, policy: Policy, *, days: int = 30, until: int | None = None, on_progress: Progress | None = None
) -> Tryout:
    """
    Return what *policy* would have done in the last *days* of *history*.

    Played are the records to which anything happened in these days, each from its own beginning, so that its clocks
    are right; counted is only what falls into the days.

    Args:
        until: The last instant; default that of the last event.
    """
    instants = [entry.event.at for entry in history.entries]
    end = until if until is not None else max(instants, default=0)
    since = end - days * DAY
    recent = replace(history, entries=tuple(_recent(history.entries, since, end)))
    replayed = run_replay(recent, policy, until=end, on_progress=on_progress)
    lines = [line for line in replayed if isinstance(line, ActionLine) and parse_instant(line.at) >= since]
    planned = [line for line in lines if not line.status]
    caught, missed = _breaches(replayed, policy, since, end, planned)
    hours = Counter(line.at[:13] for line in planned)
    return Tryout(
        since=since,
        until=end,
        records=sum(1 for _ in replayed.records()),
        actions=len(planned),
        breaches=len(caught) + len(missed),
        caught_count=len(caught),
        caught=tuple(sorted(caught, key=lambda one: -(one.lead or 0))[:SHOWN]),
        missed=tuple(sorted(missed, key=lambda one: -one.breached)[:SHOWN]),
        foresight=foresight(replayed),
        noise=_noise(lines),
        recipients=tuple(Counter(line.target for line in planned).most_common(15)),
        busiest_hour=max(
            ((f"{hour}:00Z", count) for hour, count in hours.items()), key=lambda one: one[1], default=("", 0)
        ),
        summary=replayed.summary(),
        doubts=doubts_of(recent, policy),
        notes=history.notes,
    )


def _recent(entries: Iterable[Entry], since: int, until: int) -> list[Entry]:
    """Return the events of records to which something happened from *since* on; agents and parents stay."""
    kept = list(entries)
    touched = {(one.event.object, one.event.id) for one in kept if since <= one.event.at <= until}
    apart = ("agent", "related")
    return [one for one in kept if one.event.type in apart or (one.event.object, one.event.id) in touched]


def _breaches(
    replayed: Replayed, policy: Policy, since: int, until: int, planned: Iterable[ActionLine]
) -> tuple[list[Case], list[Case]]:
    """Return the runs of milestones that were broken in the days looked at: acted on before, and not."""
    rules: dict[tuple[str, str, int], str] = {}
    for line in planned:
        rules.setdefault((line.object, line.id, parse_instant(line.at)), line.rule)
    caught: list[Case] = []
    missed: list[Case] = []
    for kept in replayed.records():
        item = kept.facts.item
        for run in runs_of(kept.facts):
            outcome = outcome_of(kept.facts, policy, run, until)
            if not outcome.violated or outcome.due is None or outcome.due < since:
                continue
            first = bisect_left(kept.acted, run.start)
            action = kept.acted[first] if first < len(kept.acted) else None
            before = action is not None and action < outcome.due
            lead = outcome.due - action if before and action is not None else None
            rule = rules.get((item.object, item.id, action), "") if action is not None else ""
            one = Case(
                object=item.object, id=item.id, milestone=run.name, breached=outcome.due, lead=lead, rule=rule
            )  # fmt: skip
            (caught if before else missed).append(one)
    return caught, missed


def _noise(lines: Iterable[ActionLine]) -> tuple[RuleNoise, ...]:
    """Return each rule's share of the noise, the loudest first."""
    by_rule: dict[str, list[ActionLine]] = {}
    for line in lines:
        by_rule.setdefault(line.rule, []).append(line)
    found = []
    for rule, own in by_rule.items():
        planned = [line for line in own if not line.status]
        day, most = max(Counter(line.at[:10] for line in planned).items(), key=lambda one: one[1], default=("", 0))
        found.append(
            RuleNoise(
                rule=rule, actions=len(planned), records=len({(line.object, line.id) for line in planned}),
                busiest_day=day, busiest=most, held_back=len(own) - len(planned),
            )
        )  # fmt: skip
    return tuple(sorted(found, key=lambda one: (-one.actions, one.rule)))


def span_text(tryout: Tryout) -> str:
    """Return the days looked at, for people."""
    return f"{format_instant(tryout.since)} to {format_instant(tryout.until)}"
