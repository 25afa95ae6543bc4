"""Commands that need no store: calendars and deadlines, one dry decision, rules checked and previewed, the demo."""

from __future__ import annotations

import gzip
import json
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import click
import msgspec

from triage.calendars.describe import describe_openings
from triage.cli.common import (
    BAD_INPUT,
    FINDINGS,
    always_json,
    as_json,
    counted,
    policy_folder,
    policy_option,
    print_json,
    print_table,
    read_policy,
    virtual_policy,
)
from triage.config import unread_files
from triage.deadline import answer_lines
from triage.demo.main import DATABASE
from triage.demo.main import main as play_demo
from triage.domain.decision import Decision
from triage.domain.instant import SECOND, format_duration, format_instant, parse_instant
from triage.errors import ConfigError, IntakeError
from triage.explain import Explanation, Promise, explain
from triage.replay.dry import dry_run, events_of
from triage.rules.analysis import analyse
from triage.rules.findings import Finding
from triage.rules.language import At
from triage.rules.schema import json_schema
from triage.sample.people import DAYS
from triage.wiring import SystemClock
from triage.wording import action_text, reason_text

LEDGER_LINES = 24
"""How many lines of a ledger are printed; the middle of a longer one is left out."""


def instant_option(text: str | None) -> int:
    """Return the instant that `--at` names, or the clock's."""
    return SystemClock().now() if text is None else parse_instant(text)


@click.command()
@click.option(
    "--jsonl",
    "file",
    type=click.File("rb"),
    required=True,
    help="Questions, one JSON object a line; - reads standard input.",
)
@always_json
def deadline(file: Any) -> None:
    """
    Answer calendar questions: add, subtract, between, next_open, prev_open, is_open.

    A line is {"id","kind","calendar":{"tz","weekly",..},"start","seconds"|"end","pauses"}; it gives {"id","result"},
    or {"id","error"} in its place. Exit code 2 where any line failed.
    """
    failed = False
    for text, ok in answer_lines(file):
        sys.stdout.write(text + "\n")
        failed = failed or not ok
    if failed:
        raise SystemExit(BAD_INPUT)


@click.group()
def calendar() -> None:
    """Look at business hours."""


@calendar.command("show")
@click.argument("name")
@policy_option
@click.option("--at", "at_text", default=None, help="From this instant on [default: now].")
@click.option("--count", default=14, show_default=True, type=click.IntRange(1, 1000), help="How many changes.")
@as_json
def calendar_show(name: str, folder: str | None, at_text: str | None, count: int, as_json: bool) -> None:
    """Print the next openings and closures of calendar NAME, in local time and UTC, with the holiday that closes."""
    policy = virtual_policy(folder)
    if name not in policy.calendars:
        raise ConfigError(f"no calendar {name!r} in the policy: it has {', '.join(sorted(policy.calendars))}")
    changes = describe_openings(policy.calendars[name], instant_option(at_text), count)
    if as_json:
        for change in changes:
            print_json({"at": format_instant(change.at)} | msgspec.structs.asdict(change) | {"at": change.utc})
        return
    rows = [(change.kind, change.local, change.utc, change.reason) for change in changes]
    print_table(("", "local", "UTC", "why"), rows, f"{name} never closes")


@click.command()
@click.argument("record", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@policy_option
@click.option("--at", "at_text", default=None, help="Decide as of this instant [default: now].")
@click.option("--object", "object_name", default="Case", show_default=True, help="What the record is.")
@as_json
def decide(record: str, folder: str | None, at_text: str | None, object_name: str, as_json: bool) -> None:
    """
    Decide on one record without doing anything: which rules hold, what they would do, and when to look again.

    RECORD is a JSON file: one record by CRM names ({"Id","CreatedDate",..}), with related ones nested in it where rules
    read them ({"Account": {"Tier__c": ..}}); or the events of one record, with those of agents and related records
    that matter to it, as a list or as a log (.jsonl).
    """
    policy = virtual_policy(folder)
    now = instant_option(at_text)
    facts, decisions = dry_run(events_of(_text_of(record), object_name, policy, name=record), policy, now)
    explanation = explain(facts, policy, now)
    if as_json:
        print_json({"actions": [_action_row(a) for d in decisions for a in d.actions], "explanation": explanation})
        return
    _print_decided(decisions, explanation)


def _text_of(path: str) -> str:
    if path == "-":
        return sys.stdin.read()
    try:
        data = Path(path).read_bytes()
        unpacked = gzip.decompress(data) if path.casefold().endswith(".gz") else data
        return unpacked.decode("utf-8-sig", errors="replace")
    except (OSError, EOFError, zlib.error) as cause:
        raise IntakeError(f"{path} cannot be read: {cause}") from cause


def _action_row(action: Any) -> dict[str, object]:
    return {
        "at": format_instant(action.at), "due": format_instant(action.due), "rule": action.rule, "step": action.step,
        "action": action.kind, "target": action.target, "status": action.status, "reason": reason_text(action.reason),
        "key": action.key,
    }  # fmt: skip


def _print_decided(decisions: list[Decision], explanation: Explanation) -> None:
    actions = [action for decision in decisions for action in decision.actions]
    rows = [(format_instant(a.at), a.rule, action_text(a), a.status, reason_text(a.reason)) for a in actions]
    print_table(("at", "rule", "what", "status", "why"), rows, "no rule would have acted by then")
    print_explanation(explanation)


def print_explanation(explanation: Explanation) -> None:
    """Print the promises, what holds, what comes next, and the nearest miss."""
    click.echo()
    rows = [
        (p.milestone, p.state, _used(p), "-" if p.due is None else format_instant(p.due), p.hours)
        for p in explanation.promises
    ]
    print_table(("milestone", "state", "used", "due", "hours"), rows, "no milestone runs")
    for promise in explanation.promises:
        click.echo(f"\n{promise.milestone}, hours counted:")
        click.echo(_shortened(promise.ledger))
    click.echo()
    if explanation.deleted_at is not None:
        click.echo(f"deleted at {format_instant(explanation.deleted_at)}: its promises are measured up to then")
    elif explanation.closed and any(p.state in ("running", "paused", "missed") for p in explanation.promises):
        click.echo("closed: a promise that the closing did not complete runs on, as it does after a reopening")
    if explanation.not_begun:
        click.echo(f"never begun: {', '.join(explanation.not_begun)}")
    if explanation.holding:
        click.echo(f"holds now: {', '.join(explanation.holding)}")
    for miss in explanation.waiting[:5]:
        click.echo(f"will hold: {miss.rule} from {format_instant(miss.holds_from or 0)}, unless something changes")
    if explanation.nearest_miss is not None:
        click.echo(
            f"nearest miss: {explanation.nearest_miss.rule} fails on {'; '.join(explanation.nearest_miss.failing)}"
        )
    for line in (*explanation.overrides, *explanation.warnings):
        click.echo(f"note: {line}")
    if explanation.next_at is not None:
        click.echo(f"next look: {format_instant(explanation.next_at)} ({explanation.next_why})")


def _used(promise: Promise) -> str:
    """How much of what is allowed is used: `3h of 2d`."""
    used = format_duration(promise.used * SECOND)
    return used if promise.allowed is None else f"{used} of {format_duration(promise.allowed * SECOND)}"


def _shortened(ledger: str) -> str:
    """A long ledger's beginning and end: the sum stands in its last line."""
    lines = ledger.splitlines()
    if len(lines) > LEDGER_LINES:
        left_out = f".. {len(lines) - LEDGER_LINES + 4} lines: --json has them all"
        lines = [*lines[: LEDGER_LINES - 4], left_out, *lines[-3:]]
    return "\n".join(f"  {line}" for line in lines)


@click.group()
def rules() -> None:
    """Check, preview and promote rules."""


@rules.command("check")
@click.argument("path", required=False, type=click.Path())
@policy_option
@as_json
def rules_check(path: str | None, folder: str | None, as_json: bool) -> None:
    """Check a policy folder: every fault with its line, then rules that can never hold or are never reached."""
    document = read_policy(path or folder)
    findings = (*_unread(policy_folder(path or folder)), *analyse(document))
    if as_json:
        print_json([msgspec.structs.asdict(finding) for finding in findings])
    for finding in () if as_json else findings:
        click.echo(str(finding))
    count = sum(len(rule_set.rules) for rule_set in document.rule_sets)
    if not as_json:
        files = counted(len(document.texts), "file")
        click.echo(f"{counted(count, 'rule')} in {files}: {counted(len(findings), 'finding')}")
    if findings:
        raise SystemExit(FINDINGS)


def _unread(folder: str) -> Iterator[Finding]:
    """Yield the files of a policy folder that nobody reads because of their names."""
    for name in unread_files(folder):
        text = f"this file is not read: rename it to {PurePosixPath(name).with_suffix('.yaml').name}"
        yield Finding(level="warning", code="unread", text=text, at=At(name, 1, 1))


@rules.command("schema")
@always_json
def rules_schema() -> None:
    """Print the JSON Schema of policy files, for editors."""
    click.echo(json.dumps(json_schema(), indent=2, sort_keys=True))


@click.command()
@click.option("--seed", default=7, show_default=True, help="Which organisation: the same seed is the same story.")
@click.option("--days", default=5, show_default=True, type=click.IntRange(1, DAYS), help="Business days to play.")
@click.option("--plain", is_flag=True, help="Lines instead of a live table, as where there is no terminal.")
@policy_option
@click.option(
    "--db",
    "path",
    type=click.Path(path_type=Path),
    default=DATABASE,
    show_default=True,
    help="Store file, written anew.",
)
@click.option(
    "--salesforce/--no-salesforce",
    default=True,
    show_default=True,
    help="Inside the Salesforce sandbox on this machine; without it, events are handed to the worker as they are.",
)
@as_json
def demo(seed: int, days: int, plain: bool, folder: str | None, path: Path, salesforce: bool, as_json: bool) -> None:
    """
    Play a sample organisation through the real worker and store, in accelerated time. Nothing outside is touched.

    It lives in a Salesforce sandbox of ours: the worker logs in, reads change events and writes back through its APIs.

    At the end: what was escalated and why, what would have breached without, and three commands to try next.
    """
    chosen = Path(folder) if folder else None
    code = play_demo(seed, days, plain, policy=chosen, database=path, salesforce=salesforce, as_json=as_json)
    raise SystemExit(code)
