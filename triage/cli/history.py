"""Commands over history: replay a log or an export, preview a rule change on it, draft a policy from it."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import click
import msgspec

from triage.calendars.describe import local_text
from triage.cli.common import (
    BAD_INPUT,
    FINDINGS,
    as_json,
    counted,
    opened_store,
    policy_option,
    print_json,
    print_table,
    progress,
    store_option,
    virtual_policy,
)
from triage.config import load_policy
from triage.domain.instant import DAY, SECOND, parse_instant
from triage.errors import ConfigError
from triage.init import draft
from triage.policy import Policy, compile_policy
from triage.ports import Store
from triage.replay.doubts import BlindClosing, Doubt, blind_closings, doubts_of
from triage.replay.engine import Replayed, Summary, run_replay
from triage.replay.foresight import Foresight, foresight, foresight_table
from triage.replay.lines import ActionLine, MilestoneLine
from triage.replay.preview import preview, preview_table
from triage.replay.scoring import score_history
from triage.replay.source import Entry, History, kind_of, open_history
from triage.replay.table import Refusal
from triage.wiring import SystemClock, open_scorer

PREVIEW_DAYS = 30
SHOWN_REASONS = 12
SHOWN_DOUBTS = 8


@click.command()
@click.argument("source", type=click.Path(exists=True))
@policy_option
@click.option("--until", default=None, help="Play up to this instant, itself included [default: the last event].")
@click.option("--apply", is_flag=True, help="Feed what actions do back into the record; else history alone moves it.")
@click.option("--milestones", is_flag=True, help="Print the runs of milestones instead of the actions.")
@click.option("--score", is_flag=True, help="Let the models score what history tells, as a punctual worker would have.")
@click.option(
    "--refused",
    "refused_file",
    type=click.Path(dir_okay=False),
    default=None,
    help="Write every refused line and its reason here, as JSON lines.",
)
@as_json
def replay(
    source: str,
    folder: str | None,
    until: str | None,
    apply: bool,
    milestones: bool,
    score: bool,
    refused_file: str | None,
    as_json: bool,
) -> None:
    """
    Play history through the same decision as the live worker, with a clock of its own. Nothing is sent.

    SOURCE is an event log (.jsonl), a folder of such logs, or a folder of CRM export files (Case.csv, CaseHistory.csv,
    ..; .gz too). With --json one line an action goes to standard output, and the account of every input line to
    standard error.

    Exit code 2 where nothing could be replayed; lines refused beside others are told, with their reasons, and are no
    failure.
    """
    policy = virtual_policy(folder)
    clock = SystemClock()
    begin = clock.now()
    end = None if until is None else parse_instant(until)
    with progress("events", None, as_json) as advance:
        history = open_history(source, policy)
        if score:
            history = score_history(history, open_scorer(), policy)
        replayed = run_replay(history, policy, until=end, apply=apply, on_progress=_steps(advance))
        by_rule = _played(replayed, milestones, as_json)
        summary = replayed.summary()
    found = foresight(replayed)
    speed = round(summary.events.read / max(0.001, (clock.now() - begin) / SECOND))
    noticed = Noticed(by_rule, doubts_of(history, policy), blind_closings(history, _closed(replayed)), history.notes)
    if refused_file is not None:
        Path(refused_file).write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in replayed.refused))
    if as_json:
        report = {"summary": summary, "foresight": found, "events_per_second": speed, "noticed": noticed}
        sys.stderr.write(msgspec.json.encode(report).decode() + "\n")
    else:
        if milestones:
            rows = [(m.id, m.milestone, m.start, m.target, m.completed, m.violated) for m in replayed.milestone_lines()]
            print_table(("record", "milestone", "start", "target", "completed", "violated"), rows, "no milestone ran")
        _print_summary(summary, _examples(replayed.refused), found, noticed, speed)
    _leave(summary, as_json)


class Noticed(msgspec.Struct, frozen=True):
    """
    What people should know beside the summary: actions of each rule by status, values that were lost, closings that
    no history tells, and how files were read.
    """

    rules: dict[str, dict[str, int]]
    doubts: tuple[Doubt, ...]
    closings: tuple[BlindClosing, ...]
    notes: tuple[str, ...]


def _leave(summary: Summary, as_json: bool) -> None:
    """End with 2 where nothing could be replayed, saying so; lines refused beside others are in the account."""
    if not summary.events.replayed:
        if not as_json:
            click.echo("nothing could be replayed: see the reasons above", err=True)
        raise SystemExit(BAD_INPUT)


def _closed(replayed: Replayed) -> dict[tuple[str, str], int]:
    items = (kept.facts.item for kept in replayed.records())
    return {(item.object, item.id): item.created_at for item in items if item.fields.get("is_closed") is True}


def _steps(advance: Callable[[int], None]) -> Callable[[int, int], None]:
    seen = 0

    def told(done: int, _total: int) -> None:
        nonlocal seen
        advance(done - seen)
        seen = done

    return told


def _played(replayed: Replayed, milestones: bool, as_json: bool) -> dict[str, dict[str, int]]:
    """Play, print each line where *as_json*, and return how many actions each rule had, by status."""
    counts: dict[str, Counter[str]] = {}
    for line in replayed:
        if isinstance(line, ActionLine):
            counts.setdefault(line.rule, Counter())[line.status or "planned"] += 1
        if as_json and not milestones:
            sys.stdout.write(_line(line))
    for run in replayed.milestone_lines() if as_json and milestones else ():
        sys.stdout.write(_line(run))
    return {rule: dict(sorted(counts[rule].items())) for rule in sorted(counts)}


def _line(line: ActionLine | MilestoneLine) -> str:
    return msgspec.json.encode(line).decode() + "\n"


def _examples(refused: Iterable[Refusal]) -> dict[str, int]:
    """Return, by the reason as the summary has it, the first line that was refused for it, where lines are known."""
    first: dict[str, int] = {}
    for one in refused:
        if one.line:
            first[kind_of(one)] = min(one.line, first.get(kind_of(one), one.line))
    return first


def _print_summary(
    summary: Summary, examples: Mapping[str, int], found: Foresight, noticed: Noticed, speed: int
) -> None:
    rows = [(name, f"{count.rows:,}", f"{count.used:,}", f"{count.refused:,}") for name, count in summary.files.items()]
    print_table(("file", "lines", "used", "refused"), rows, "nothing was read")
    for name, reason in summary.skipped.items():
        click.echo(f"  not read: {name}: {reason}")
    for note in noticed.notes:
        click.echo(f"  note: {note}")
    events = summary.events
    click.echo(
        f"\nthe lines used make {events.read:,} events: {events.replayed:,} replayed, {events.refused:,} refused on "
        f"replay, {events.after_until:,} after --until; {summary.records:,} records, {summary.decisions:,} decisions, "
        f"{speed:,} events/s"
    )
    reasons = sorted(summary.refused.items(), key=lambda one: (-one[1], one[0]))
    for reason, count in reasons[:SHOWN_REASONS]:
        example = f" (e.g. line {examples[reason]})" if reason in examples else ""
        click.echo(f"  refused {count:,}: {reason}{example}")
    if reasons:
        more = f"and {len(reasons) - SHOWN_REASONS} more reasons: " if len(reasons) > SHOWN_REASONS else ""
        click.echo(f"  {more}--refused FILE lists every line")
    _print_doubts(noticed)
    click.echo()
    _print_rules(noticed.rules)
    if found.milestones:
        click.echo("\nbreaches foreseen, by how long before:")
        click.echo(foresight_table(found))
    click.echo("\none line an action: repeat with --json")


def _print_doubts(noticed: Noticed) -> None:
    """Say which values counted as missing, which columns nobody reads, and which closings no history tells."""
    unread = [one for one in noticed.doubts if one.field]
    for one in unread[:SHOWN_DOUBTS]:
        click.echo(
            f"  warning: {one.object} {one.field}: {counted(one.count, 'time')} taken as missing, e.g. {one.example}"
        )
    if len(unread) > SHOWN_DOUBTS:
        click.echo(f"  warning: and {len(unread) - SHOWN_DOUBTS} more fields: --json lists them all")
    strange = [one for one in noticed.doubts if not one.field]
    if strange:
        named = ", ".join(f"{one.object} {one.column} ({one.count:,})" for one in strange[:SHOWN_DOUBTS])
        more = f" and {len(strange) - SHOWN_DOUBTS} more" if len(strange) > SHOWN_DOUBTS else ""
        click.echo(f"  columns that the field map does not read: {named}{more}")
    for closing in noticed.closings:
        click.echo(f"  warning: {_closing_text(closing)}")


def _closing_text(one: BlindClosing) -> str:
    text = f"{one.object}: {one.records:,} of {one.closed:,} closed records have no field history"
    dated = one.records - one.from_start
    if dated:
        text += f"; {dated:,} close at their closing date, with the values of their end until then"
    if one.from_start:
        text += f"; {one.from_start:,} are closed from their creation on: no rule sees them"
    return text


def _print_rules(rules: dict[str, dict[str, int]]) -> None:
    """Print what each rule did, and what of it was held back, by status."""
    others = sorted({status for counts in rules.values() for status in counts} - {"planned"})
    ordered = sorted(rules.items(), key=lambda one: (-one[1].get("planned", 0), one[0]))
    rows = [(rule, *(f"{counts.get(status, 0):,}" for status in ("planned", *others))) for rule, counts in ordered]
    print_table(("rule", "actions", *(status.replace("_", " ") for status in others)), rows, "no rule acted")


@click.command("preview")
@policy_option
@click.option(
    "--against",
    type=click.Path(exists=True, file_okay=False),
    default=None,
    help="Compare with this folder [default: the policy in force].",
)
@click.option(
    "--history",
    "source",
    type=click.Path(exists=True),
    default=None,
    help="Log or export to play [default: the store's open records and last 30 days].",
)
@click.option("--since", default=None, help="Count actions from this instant on.")
@store_option
@as_json
def rules_preview(
    folder: str | None, against: str | None, source: str | None, since: str | None, url: str | None, as_json: bool
) -> None:
    """
    Say what a changed policy would do: actions by rule, recipient and hour, beside the live one. Nothing is sent.

    Exit code 1 where anything differs.
    """
    new = virtual_policy(folder)
    live = virtual_policy(against) if against is not None else None
    start = None if since is None else parse_instant(since)
    until = None
    if source is not None:
        history = open_history(source, new)
    else:
        until = SystemClock().now()
        start = until - PREVIEW_DAYS * DAY if start is None else start
        with opened_store(url) as store:
            history = stored_history(store, start)
            live = live if live is not None else _live_policy(store)
    found = preview(history, new, live, since=start, until=until)
    if as_json:
        print_json(found)
    else:
        click.echo(preview_table(found))
        rows = [(row.hour, row.rule, row.recipient, row.new, row.live) for row in found.rows if row.difference]
        print_table(("hour", "rule", "for", "new", "live"), rows[:50], "both act alike, hour by hour")
    if any(row.difference for row in found.rows):
        raise SystemExit(FINDINGS)


def stored_history(store: Store, since: int) -> History:
    """Return the events of the store's open records, and of those that anything has happened to since *since*."""
    entries: list[Entry] = []
    after = ""
    with store.read() as unit:
        while keys := unit.records.keys(after=after, limit=1000, only_open=False):
            for key, record in unit.records.get(keys).items():
                events = unit.intake.events(key)
                if record.open or (events and events[-1].at >= since):
                    entries += [Entry(event, "store", 0) for event in events if event.origin != "triage"]
            after = keys[-1]
    entries.sort(key=lambda entry: entry.event.at)
    return History(entries=tuple(entries))


def _live_policy(store: Store) -> Policy | None:
    with store.read() as unit:
        live = unit.policies.live()
    return None if live is None else compile_policy(load_policy(live.texts), virtual=True)


@click.command("init")
@click.option("--from", "source", type=click.Path(exists=True), required=True, help="CSV file, or a folder of them.")
@click.option("--out", type=click.Path(file_okay=False), default=None, help="Folder to write [default: print].")
@click.option(
    "--answer", "answers", multiple=True, help="KEY=VALUE for a question asked before, such as zone=Europe/Berlin."
)
@click.option("--force", is_flag=True, help="Write over files that are there.")
@as_json
def init_policy(source: str, out: str | None, answers: tuple[str, ...], force: bool, as_json: bool) -> None:
    """
    Draft a policy from somebody's export: the field map with confidence and samples, and first rules in mode observe.

    What the export does not say is asked, never guessed. Exit code 1 while questions are open.
    """
    given = {}
    for answer in answers:
        key, sign, value = answer.partition("=")
        if not sign:
            raise ConfigError(f"--answer {answer!r}: write KEY=VALUE, such as zone=Europe/Berlin")
        given[key] = value
    made = draft(source, answers=given, now_text=local_text(SystemClock().now(), "UTC"))
    if out is not None:
        _write_files(Path(out), made.files, force)
    if as_json:
        print_json(made)
    else:
        for name, text in made.files.items() if out is None else ():
            click.echo(f"# --- {name}\n{text}")
        for question in made.questions:
            options = f" ({' or '.join(question.options)})" if question.options else ""
            about = f" [{', '.join(question.about)}]" if question.about else ""
            named = (f"'{key}=..'" if " " in key else f"{key}=.." for key in question.keys)
            answers_to = " ".join(f"--answer {one}" for one in named)
            click.echo(f"asked: {question.text}{options}{about}: repeat with {answers_to}", err=True)
        if out is not None:
            click.echo(f"{len(made.files)} files in {out}; next: triage rules check {out}")
    if made.questions:
        raise SystemExit(FINDINGS)


def _write_files(folder: Path, files: dict[str, str], force: bool) -> None:
    there = [name for name in files if (folder / name).exists()]
    if there and not force:
        raise ConfigError(f"{folder} already has {', '.join(there)}: give another --out, or --force")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
