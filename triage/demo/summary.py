"""What the play came to, in words: what was escalated and why, what that saved, and what to try next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from shlex import quote

from msgspec import Struct
from msgspec.structs import replace

from triage.demo.breaches import Breach
from triage.demo.play import TICK, Played
from triage.domain.decision import Action
from triage.domain.facts import Facts
from triage.domain.instant import MINUTE, format_duration, format_instant
from triage.ports import record_key
from triage.wording import action_text, reason_text

CASES_SHOWN = 4
ACTIONS_SHOWN = 3
_RULES_SHOWN = 12
_LONGEST = 260


class Files(Struct, frozen=True):
    """Where the play left its traces, as to be typed on a command line: the store, its log, and the policy."""

    database: str
    log: str
    policy: str


class Rescue(Struct, frozen=True):
    """One record that was escalated: what was done, which promises that kept, and which were missed all the same."""

    record: str
    actions: tuple[Action, ...]
    kept: tuple[Breach, ...]
    missed: tuple[Breach, ...]


def summarise(played: Played, known: Mapping[str, Facts], files: Files) -> Iterator[str]:
    """Yield the summary line by line; *known* holds the records by key, for their names."""
    yield from _opening(played)
    yield from _scores(played)
    yield ""
    yield from _rules(played)
    yield ""
    yield from _effect(played)
    told = top_rescues(played, CASES_SHOWN)
    if told:
        yield ""
        yield "What was escalated, and why:"
        for rescue in told:
            yield from _told(rescue, known.get(rescue.record))
    yield ""
    yield from _next_steps(played, told, files)


def figures(played: Played, files: Files) -> dict[str, object]:
    """Return the summary as plain figures, for `triage demo --json`; promises missed are counted by milestone."""
    return {
        "finished": played.finished,
        "seed": played.seed,
        "began": format_instant(played.began),
        "ended": format_instant(played.ended),
        "events": {"given": played.given, "accepted": played.accepted, "repeated": played.repeated,
                   "refused": played.refused, "reactions": played.reactions},
        "records": played.records,
        "scoring": played.scored,
        "timers_fired": played.fired,
        "effects": played.states,
        "carried_out": Counter(action.rule for action in played.actions),
        "missed": Counter(breach.milestone for breach in played.missed),
        "missed_without": Counter(breach.milestone for breach in played.missed_without),
        "lateness_ms": played.lateness,
        "files": {"database": files.database, "log": files.log, "policy": files.policy},
    }  # fmt: skip


def top_rescues(played: Played, most: int) -> tuple[Rescue, ...]:
    """Return the escalated records that it mattered most for: promises kept, then the urgency of the actions."""
    actions: dict[str, list[Action]] = {}
    for action in played.actions:
        if action.rule != "override":
            actions.setdefault(record_key(action.object, action.id), []).append(action)
    kept, missed = saved(played), _by_record(played.missed)
    found = [
        Rescue(record, tuple(done), tuple(kept.get(record, ())), tuple(missed.get(record, ())))
        for record, done in actions.items()
    ]
    return tuple(sorted(found, key=_rank)[:most])


def saved(played: Played) -> dict[str, list[Breach]]:
    """Return, by record, the promises that would have been missed without escalation and were not."""
    still = {(breach.record, breach.milestone, breach.start) for breach in played.missed}
    return _by_record(
        breach for breach in played.missed_without if (breach.record, breach.milestone, breach.start) not in still
    )


def _rank(rescue: Rescue) -> tuple[int, int, int, str]:
    """Many promises kept by few actions come first: the plainest stories."""
    urgent = max(action.priority for action in rescue.actions)
    return (-len(rescue.kept), -urgent, len(rescue.actions), rescue.record)


def _by_record(breaches: Iterator[Breach] | tuple[Breach, ...]) -> dict[str, list[Breach]]:
    found: dict[str, list[Breach]] = {}
    for breach in breaches:
        found.setdefault(breach.record, []).append(breach)
    return found


def _opening(played: Played) -> Iterator[str]:
    how = "Played" if played.finished else "Stopped half way:"
    yield (
        f"{how} {format_instant(played.began)} to {format_instant(played.ended)} of virtual time: "
        f"{played.given} events on {played.records['total']} records, {played.fired} timers fired."
    )
    yield (
        f"Events: {played.accepted} taken in, {played.repeated} repeated, {played.refused} refused; "
        f"{played.reactions} were people's reactions to escalations."
    )
    if played.logged is not None:
        yield (
            f"Salesforce sandbox: all read by change events and written back; {played.calls} API calls. Its log object "
            f"holds {played.logged} rows for {len(played.actions)} actions."
        )
    states = ", ".join(f"{count} {state}" for state, count in sorted(played.states.items()))
    yield f"Effects planned: {sum(played.states.values())} ({states})."
    yield (
        f"Timers fired at most {format_duration(played.lateness['worst'])} of virtual time after their due instant "
        f"({played.lateness['count']} timers; the play moves in rounds of {TICK // MINUTE} minutes)."
    )


def _scores(played: Played) -> Iterator[str]:
    """Say in one line which models scored what, or why none did."""
    scored = played.scored
    if scored.refused:
        yield f"Nothing was scored, so rules that read scores stayed silent: {scored.refused}"
    elif scored.events:
        models = ", ".join(f"{family} ({version})" for family, version in scored.models.items())
        yield (
            f"Scored here, offline, by the models of {models}: {scored.records} records, {scored.events} times; "
            f"{scored.actions} of {len(played.actions)} actions had a score among their reasons."
        )


def _rules(played: Played) -> Iterator[str]:
    counts = Counter(action.rule for action in played.actions)
    yield "Carried out, by rule:"
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    for rule, count in ranked[:_RULES_SHOWN]:
        yield f"  {count:>4}  {rule}"
    rest = ranked[_RULES_SHOWN:]
    if rest:
        yield f"  {sum(count for _, count in rest):>4}  by {len(rest)} other rules"


def _effect(played: Played) -> Iterator[str]:
    """Compare promises missed with and without escalation, milestone by milestone."""
    without = Counter(breach.milestone for breach in played.missed_without)
    missed = Counter(breach.milestone for breach in played.missed)
    yield "Promises missed     without escalation   with it"
    for name in sorted(without.keys() | missed.keys()):
        yield f"  {name:<18}{without[name]:>18}{missed[name]:>10}"
    yield f"  {'all':<18}{sum(without.values()):>18}{sum(missed.values()):>10}"
    yield "  (the same organisation and the same people; those whom an escalation reaches act sooner, as a simulation)"


def _told(rescue: Rescue, facts: Facts | None) -> Iterator[str]:
    yield f"  {rescue.record}{_headline(facts)}"
    said = ""
    for action in rescue.actions[:ACTIONS_SHOWN]:
        when = format_instant(action.due)[5:16].replace("T", " ")
        yield f"    {when}Z {action.rule}: {action_text(action)}"
        why = _why(action)
        if why != said:
            yield f"      because {_cut(why)}"
        said = why
    if len(rescue.actions) > ACTIONS_SHOWN:
        yield f"    and {len(rescue.actions) - ACTIONS_SHOWN} more"
    for name, count, late in _runs(rescue.kept):
        yield f"    not missed: {name}{count}, otherwise late by {late} of open time"
    for name, count, late in _runs(rescue.missed):
        yield f"    missed all the same: {name}{count}, by {late}"


def _runs(breaches: tuple[Breach, ...]) -> Iterator[tuple[str, str, str]]:
    """Yield each milestone once: its name, how often where more than once, and how late at most."""
    for name in dict.fromkeys(breach.milestone for breach in breaches):
        late = [breach.late for breach in breaches if breach.milestone == name]
        yield (
            name,
            f" ({len(late)} times)" if len(late) > 1 else "",
            f"{'up to ' if len(late) > 1 else ''}{_span(max(late))}",
        )


def _why(action: Action) -> str:
    """Return why the rule held; who was chosen and passed over stands in `triage explain`."""
    return reason_text(replace(action.reason, note="", passed_over=()))


def _headline(facts: Facts | None) -> str:
    if facts is None:
        return ""
    fields = facts.item.fields
    names = ("priority", "account.tier", "account.name", "company", "name", "subject")
    parts = [str(fields[name]) for name in names if name in fields]
    return f" ({', '.join(parts)})" if parts else ""


def _next_steps(played: Played, told: tuple[Rescue, ...], files: Files) -> Iterator[str]:
    record = told[0].record if told else "Case/50000001"
    database, log, policy = map(quote, (files.database, files.log, files.policy))
    yield f"Scores, dry decisions and the audit over HTTP: triage serve --db {database}"
    yield "Try next:"
    yield f"  triage explain {record} --db {database} --at {format_instant(played.ended)}"
    yield f"  triage audit --record {record} --db {database}"
    yield f"  triage replay {log} --policy {policy}"


def _span(millis: int) -> str:
    return format_duration(max(MINUTE, millis // MINUTE * MINUTE))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 2] + ".."
