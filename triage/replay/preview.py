"""The same history under two policies: what a change of rules would do, before it does it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from msgspec import Struct

from triage.domain.instant import HOUR, format_instant, parse_instant
from triage.policy import Policy
from triage.replay.engine import EventCount, run_replay
from triage.replay.lines import ActionLine
from triage.replay.source import History

Progress = Callable[[str, int, int], None]
"""Hears which policy is played (`new`, `live`) and how many events of how many."""


class PreviewRow(Struct, frozen=True, kw_only=True):
    """Actions of one rule for one recipient in one hour (its begin, UTC): under the new policy and under the live."""

    rule: str
    recipient: str
    hour: str
    new: int
    live: int
    difference: int


class Preview(Struct, frozen=True, kw_only=True):
    """
    What changes. `rows` hold every hour in which either policy acts; `rules` are their sums by rule.

    `newly`: (object, id) of records on which only the new policy acts; `no_longer` those of the live one only.
    `new`, `live`: what each policy made of the events (`live` None: nothing is published).
    """

    rows: tuple[PreviewRow, ...]
    rules: dict[str, tuple[int, int]]
    newly: tuple[tuple[str, str], ...]
    no_longer: tuple[tuple[str, str], ...]
    new: EventCount
    live: EventCount | None


class _Side:
    """What one policy does: actions by rule, recipient and hour, and the records it acts on, in order."""

    def __init__(self, lines: Iterable[object], since: int | None) -> None:
        self.counts: Counter[tuple[str, str, str]] = Counter()
        self.records: dict[tuple[str, str], None] = {}
        for line in lines:
            if not isinstance(line, ActionLine) or line.status:
                continue
            at = parse_instant(line.at)
            if since is not None and at < since:
                continue
            self.counts[line.rule, line.target, format_instant(at - at % HOUR)] += 1
            self.records[line.object, line.id] = None


def preview(
    history: History,
    new: Policy,
    live: Policy | None,
    *,
    since: int | None = None,
    until: int | None = None,
    on_progress: Progress | None = None,
) -> Preview:
    """
    Return what *new* does on *history* beside what *live* does: actions by rule, recipient and hour.

    Both policies have to be virtual (see `compile_policy`), else no rule does anything that was not promoted.

    Args:
        live: None where nothing is published yet: then everything is new.
        since: Count actions from this instant on (ms UTC), though all of history is played.
    """
    news = run_replay(history, new, until=until, on_progress=_told("new", on_progress))
    fresh = _Side(news, since)
    if live is None:
        return _compared(fresh, _Side((), since), news.summary().events, None)
    lives = run_replay(history, live, until=until, on_progress=_told("live", on_progress))
    return _compared(fresh, _Side(lives, since), news.summary().events, lives.summary().events)


def preview_table(found: Preview) -> str:
    """Return the sums by rule as a table in plain text, the largest difference first, then the records in words."""
    width = max([4, *(len(rule) for rule in found.rules)])
    lines = [f"{'rule':{width}}  {'new':>8}  {'live':>8}  {'change':>8}"]
    for rule, (new, live) in sorted(found.rules.items(), key=lambda one: (-abs(one[1][0] - one[1][1]), one[0])):
        lines.append(f"{rule:{width}}  {new:8,}  {live:8,}  {new - live:+8,}")
    lines.append(f"{len(found.newly):,} records newly acted on, {len(found.no_longer):,} no longer")
    return "\n".join(lines)


def _compared(new: _Side, live: _Side, new_events: EventCount, live_events: EventCount | None) -> Preview:
    rows = []
    rules: dict[str, tuple[int, int]] = {}
    for name in sorted(new.counts.keys() | live.counts.keys()):
        rule, recipient, hour = name
        ours, theirs = new.counts[name], live.counts[name]
        rows.append(
            PreviewRow(rule=rule, recipient=recipient, hour=hour, new=ours, live=theirs, difference=ours - theirs)
        )
        before = rules.get(rule, (0, 0))
        rules[rule] = (before[0] + ours, before[1] + theirs)
    return Preview(
        rows=tuple(rows),
        rules=rules,
        newly=tuple(record for record in new.records if record not in live.records),
        no_longer=tuple(record for record in live.records if record not in new.records),
        new=new_events,
        live=live_events,
    )


def _told(which: str, on_progress: Progress | None) -> Callable[[int, int], None] | None:
    if on_progress is None:
        return None
    return lambda done, total: on_progress(which, done, total)
