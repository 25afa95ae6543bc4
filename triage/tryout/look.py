"""The last days of history under a policy: what would have been caught, how early, what missed, how noisy."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median

from msgspec import Struct
from msgspec.structs import replace

from triage.domain.instant import DAY, format_instant, parse_instant
from triage.policy import Policy
from triage.replay.doubts import Doubt, doubts_of
from triage.replay.engine import Replayed, Summary, run_replay
from triage.replay.foresight import COLUMNS, Foresight, foresight, lead_name
from triage.replay.lines import ActionLine, outcome_of, runs_of
from triage.replay.source import Entry, History

SHOWN = 40
"""Records named in each list of the page; all of them are counted."""

Progress = Callable[[int, int], None]


class RuleNoise(Struct, frozen=True, kw_only=True):
    """
    One rule within the days looked at: actions, records, the busiest day, and what would have been held back.

    `warned`: broken promises that it was the first to act on, in time; `needless`: kept ones that it was the first to
    act on.
    """

    rule: str
    actions: int
    records: int
    busiest_day: str
    busiest: int
    held_back: int
    warned: int = 0
    needless: int = 0


class Case(Struct, frozen=True, kw_only=True):
    """One breach: the record, the milestone, when it was broken, and how long before it a rule acted (ms)."""

    object: str
    id: str
    milestone: str
    breached: int
    lead: int | None
    rule: str = ""


class Where(Struct, frozen=True, kw_only=True):
    """How many promises of one kind were broken, and caught beforehand, on records of one priority ("": none)."""

    object: str
    milestone: str
    priority: str
    broken: int
    caught: int


class Day(Struct, frozen=True, kw_only=True):
    """One day (UTC, `2026-01-31`): promises broken on it that were caught beforehand, and those that were not."""

    date: str
    caught: int
    missed: int


class Tryout(Struct, frozen=True, kw_only=True):
    """
    What a look came to, from *since* to *until* (ms UTC).

    `caught`: breaches before which a rule acted, the earliest first; `missed`: those before which none did. Lists are
    cut at SHOWN, `breaches` and `caught_count` are not. `by_lead` counts the breaches of these days by COLUMNS,
    `usual_lead` is the median of how long before (ms, None where nothing was caught). `acted` is how many promises due
    in these days were acted on in time, `needless` how many of them would have been kept anyway.
    """

    since: int
    until: int
    records: int
    actions: int
    breaches: int
    caught_count: int
    caught: tuple[Case, ...]
    missed: tuple[Case, ...]
    by_lead: dict[str, int]
    usual_lead: int | None
    acted: int
    needless: int
    where: tuple[Where, ...]
    days: tuple[Day, ...]
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
        until: The last instant; default that of the last event within a day of the last record that came in, of those
            objects that the policy has rules or promises for.
    """
    end = until if until is not None else _last(history, policy)
    since = end - days * DAY
    recent = replace(history, entries=tuple(_recent(history.entries, since, end)))
    replayed = run_replay(recent, policy, until=end, on_progress=on_progress)
    every = [line for line in replayed if isinstance(line, ActionLine)]
    lines = [line for line in every if parse_instant(line.at) >= since]
    planned = [line for line in lines if not line.status]
    met = _promises(replayed, policy, since, end, every)
    broken = [one for one in met if one.broken]
    caught = [one.case for one in broken if one.case.lead is not None]
    missed = [one.case for one in broken if one.case.lead is None]
    needless = [one.case for one in met if not one.broken and one.case.lead is not None]
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
        by_lead=_by_lead(broken),
        usual_lead=int(median(one.lead or 0 for one in caught)) if caught else None,
        acted=len(caught) + len(needless),
        needless=len(needless),
        where=_where(broken),
        days=_days(broken, since, end),
        foresight=foresight(replayed),
        noise=_noise(lines, Counter(one.rule for one in caught), Counter(one.rule for one in needless)),
        recipients=tuple(Counter(line.target for line in planned).most_common(15)),
        busiest_hour=max(
            ((f"{hour}:00Z", count) for hour, count in hours.items()), key=lambda one: one[1], default=("", 0)
        ),
        summary=replayed.summary(),
        doubts=doubts_of(recent, policy),
        notes=history.notes,
    )


def _last(history: History, policy: Policy) -> int:
    """
    Return where the days that are looked at end; 0 for a history without events.

    An export of old records trails off: its last changes come months after the last record came in.
    """
    governed = {name for name, part in policy.objects.items() if part.milestones or part.book.rules}
    events = [entry.event for entry in history.entries]
    events = [event for event in events if event.object in governed] or events
    last = max(
        (event.at for event in events if event.type == "created"), default=max((e.at for e in events), default=0)
    )
    return max((event.at for event in events if event.at <= last + DAY), default=0)


def _recent(entries: Iterable[Entry], since: int, until: int) -> list[Entry]:
    """Return the events of records to which something happened from *since* on; agents and parents stay."""
    kept = list(entries)
    touched = {(one.event.object, one.event.id) for one in kept if since <= one.event.at <= until}
    apart = ("agent", "related")
    return [one for one in kept if one.event.type in apart or (one.event.object, one.event.id) in touched]


class _Promise(Struct, frozen=True):
    """One promise that was broken or kept in the days looked at, and the instant of the first action in its run."""

    case: Case
    broken: bool
    acted: int | None
    priority: str


def _promises(
    replayed: Replayed, policy: Policy, since: int, until: int, lines: Iterable[ActionLine]
) -> list[_Promise]:
    """Return the runs of milestones that were broken, or kept, in the days looked at."""
    rules: dict[tuple[str, str, int], str] = {}
    for line in lines:
        if not line.status:
            rules.setdefault((line.object, line.id, parse_instant(line.at)), line.rule)
    found: list[_Promise] = []
    for kept in replayed.records():
        item = kept.facts.item
        for run in runs_of(kept.facts):
            outcome = outcome_of(kept.facts, policy, run, until)
            ends = [end for end in (run.completed, run.stopped) if end is not None]
            settled = outcome.due if outcome.violated or not ends else min(ends)
            if outcome.due is None or settled is None or not since <= settled <= until:
                continue
            first = bisect_left(kept.acted, run.start)
            action = kept.acted[first] if first < len(kept.acted) else None
            in_time = action is not None and action < outcome.due and action <= min(ends, default=until)
            case = Case(
                object=item.object, id=item.id, milestone=run.name, breached=outcome.due,
                lead=outcome.due - action if in_time and action is not None else None,
                rule=rules.get((item.object, item.id, action), "") if action is not None else "",
            )  # fmt: skip
            found.append(_Promise(case, outcome.violated, action, str(item.fields.get("priority") or "")))
    return found


def _by_lead(broken: Iterable[_Promise]) -> dict[str, int]:
    found = dict.fromkeys(COLUMNS, 0)
    for one in broken:
        found[lead_name(one.acted, one.case.breached)] += 1
    return found


def _where(broken: Iterable[_Promise]) -> tuple[Where, ...]:
    """Return the broken promises by kind and priority, most of them first."""
    groups: dict[tuple[str, str, str], list[_Promise]] = {}
    for one in broken:
        groups.setdefault((one.case.object, one.case.milestone, one.priority), []).append(one)
    found = [
        Where(
            object=name, milestone=milestone, priority=priority, broken=len(group),
            caught=sum(one.case.lead is not None for one in group),
        )
        for (name, milestone, priority), group in groups.items()
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda one: (-one.broken, one.object, one.milestone, one.priority)))


def _days(broken: Sequence[_Promise], since: int, until: int) -> tuple[Day, ...]:
    """Return every day looked at, also those on which nothing was broken."""
    caught, missed = (
        Counter(format_instant(one.case.breached)[:10] for one in broken if (one.case.lead is None) is late)
        for late in (False, True)
    )
    dates = dict.fromkeys(format_instant(at)[:10] for at in (*range(since, until, DAY), until))
    return tuple(Day(date=date, caught=caught[date], missed=missed[date]) for date in dates)


def _noise(
    lines: Iterable[ActionLine], warned: Mapping[str, int], needless: Mapping[str, int]
) -> tuple[RuleNoise, ...]:
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
                warned=warned.get(rule, 0), needless=needless.get(rule, 0),
            )
        )  # fmt: skip
    return tuple(sorted(found, key=lambda one: (-one.actions, one.rule)))
