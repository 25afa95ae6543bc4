"""Commands that bring an organisation along: its Salesforce metadata as a policy, its last days as a page."""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

import click
from msgspec.structs import replace

from triage.cli.common import (
    BAD_INPUT,
    FINDINGS,
    as_json,
    counted,
    policy_folder,
    policy_option,
    print_json,
    progress,
    read_policy,
    virtual_policy,
)
from triage.config import load_policy
from triage.domain.instant import DAY, format_instant, parse_instant
from triage.errors import IntakeError
from triage.replay.source import open_history
from triage.salesforce.equivalence import Bench, Comparison
from triage.salesforce.importing import Imported, import_path, write_import
from triage.salesforce.importing_report import as_data, of_level, report, table
from triage.tryout import look, page
from triage.wiring import SystemClock, open_salesforce

_FILE_NAME = re.compile(r"[^\w .-]+")
TIMELINES = 200
SHOWN = 40


@click.group("import")
def import_() -> None:
    """Bring rules along from elsewhere."""


@import_.command("salesforce")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--out", "folder", required=True, type=click.Path(path_type=Path), help="Folder to write the policy to.")
@click.option("--report", "report_file", type=click.Path(path_type=Path), help="Report [default: DIR/IMPORT.md].")
@click.option(
    "--timelines",
    default=TIMELINES,
    show_default=True,
    type=click.IntRange(0, 100_000),
    help="Random timelines of each escalation rule to compare with Salesforce's own semantics.",
)
@click.option("--seed", default=7, show_default=True, help="Which timelines: the same seed is the same ones.")
@click.option("--force", is_flag=True, help="Write into a folder that is not empty.")
@as_json
def import_salesforce(
    path: Path, folder: Path, report_file: Path | None, timelines: int, seed: int, force: bool, as_json: bool
) -> None:  # fmt: skip
    """
    Turn Salesforce metadata into policy files: PATH is a file, a folder (SFDX source or Metadata API) or a zip.

    Read are escalation, assignment and auto-response rules, business hours and holidays, entitlement processes,
    milestone types, queues, case settings, and the types of custom fields. What has no exact counterpart is listed with
    its file, its line and what to do, never guessed. The result is checked as `triage rules check` does, and compared
    with an independent interpreter of Salesforce's own escalation.

    Exit code 1 where something was not translated or differs, 2 where nothing could be read.
    """
    _check_folder(folder, force)
    imported = import_path(path)
    if not imported.coverage.files or imported.coverage.files == imported.coverage.refused:
        _nothing(imported, path, as_json)
    load_policy(imported.texts)
    compared = _compared(imported, timelines, seed, as_json)
    write_import(imported, folder)
    text = report(imported, compared, str(path))
    target = report_file or folder / "IMPORT.md"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    if as_json:
        print_json(as_data(imported, compared))
    else:
        _print(imported, compared, folder, target)
    if of_level(imported.notes, "refused", "untranslated") or any(one.differences for one in compared):
        raise SystemExit(FINDINGS)


def _check_folder(folder: Path, force: bool) -> None:
    if folder.is_file():
        raise IntakeError(f"{folder} is a file: name a folder for the policy")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise IntakeError(f"{folder} is not empty: name another folder, or add --force to write into it")


def _nothing(imported: Imported, path: Path, as_json: bool) -> None:
    """End with 2: there is no metadata at *path*, or none that could be read."""
    if as_json:
        print_json(as_data(imported, ()), sys.stderr)
    else:
        for note in imported.notes:
            click.echo(str(note), err=True)
        why = "could be read" if imported.coverage.files else "was found"
        click.echo(f"{path}: no metadata {why}: nothing was written", err=True)
    raise SystemExit(BAD_INPUT)


def _compared(imported: Imported, timelines: int, seed: int, quiet: bool) -> list[Comparison]:
    if not timelines or not imported.rules:
        return []
    bench = Bench(imported)
    compared = []
    with progress("escalation rules compared", len(imported.rules), quiet) as advance:
        for rule in imported.rules:
            compared.append(bench.compare(rule, timelines, seed))
            advance(1)
    return compared


def _print(imported: Imported, compared: list[Comparison], folder: Path, target: Path) -> None:
    click.echo(table(imported))
    for one in compared:
        same = "no difference" if not one.differences else counted(one.differences, "DIFFERENCE")
        click.echo(
            f"compared: {one.rule}: {one.timelines:,} timelines, {one.fired:,} tiers fired ({one.late:,} late): {same}"
        )
    open_ones = of_level(imported.notes, "refused", "untranslated")
    for note in open_ones[:SHOWN]:
        click.echo(str(note))
    if len(open_ones) > SHOWN:
        click.echo(f".. and {len(open_ones) - SHOWN:,} more: see the report")
    checks = len(of_level(imported.notes, "check"))
    click.echo(
        f"{counted(len(imported.texts), 'policy file')} in {folder}; {counted(checks, 'thing')} to check: {target}"
    )


@click.command()
@click.argument("source", type=click.Path(exists=True), required=False)
@click.option(
    "--salesforce", is_flag=True, help="Read the connected organisation instead of SOURCE; nothing is written."
)
@policy_option
@click.option("--out", "file", required=True, type=click.Path(dir_okay=False, path_type=Path), help="Page to write.")
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, 3660), help="How many days to look at.")
@click.option("--until", default=None, help="The last instant of them [default: about when the last record came in].")
@as_json
def tryout(
    source: str | None, salesforce: bool, folder: str | None, file: Path, days: int, until: str | None, as_json: bool
) -> None:  # fmt: skip
    """
    Show on one page what a policy would have caught in the last days, how early, what it missed, and how noisy it is.

    SOURCE is a folder of CRM export files (Case.csv, CaseHistory.csv, ..), or an event log; with --salesforce the last
    days of the connected organisation are read, for which a login that may only read is enough. The policy is the
    example's unless --policy names another, such as one that `triage import salesforce` made. Nothing is sent, and
    nothing but the page is kept.
    """
    if (source is None) != salesforce:
        raise click.UsageError("name a SOURCE, or --salesforce to read the connected organisation")
    policy = virtual_policy(folder)
    end = None if until is None else parse_instant(until)
    with tempfile.TemporaryDirectory() as place, progress("events", None, as_json):
        unread: list[str] = []
        if source is None:
            source, end, unread = _exported(folder, Path(place), days, end)
        history = open_history(source, policy)
        history = replace(history, notes=(*history.notes, *unread))
        found = look(history, policy, days=days, until=end)
    if not found.summary.events.replayed:
        reasons = "; ".join(f"{reason} ({count:,})" for reason, count in found.summary.refused.items())
        raise IntakeError(f"{source}: nothing could be played{f': {reasons}' if reasons else ''}")
    if not found.records:
        raise IntakeError(f"nothing happened to any record in the {days} days up to {format_instant(found.until)}")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(page(found, policy=policy_folder(folder), source=source), encoding="utf-8")
    if as_json:
        print_json(found)
        return
    missed = found.breaches - found.caught_count
    broken, acted = counted(found.breaches, "broken promise"), counted(found.actions, "action")
    click.echo(
        f"{counted(found.records, 'record')}, {broken}: {found.caught_count:,} caught beforehand, {missed:,} missed; "
        f"{acted} by {counted(len(found.noise), 'rule')}: {file}"
    )


def _exported(folder: str | None, place: Path, days: int, until: int | None) -> tuple[str, int, list[str]]:
    """Read the last days of the connected organisation into *place*; return its name, their end, what was not read."""
    from triage.salesforce.exporting import export
    from triage.salesforce.reading import Reader

    end = SystemClock().now() if until is None else until
    client = open_salesforce()
    try:
        target = place / (_FILE_NAME.sub("-", client.identity().name).strip("-") or "salesforce")
        target.mkdir()
        unread = export(client, Reader(client, read_policy(folder)), target, end - days * DAY)
    finally:
        client.close()
    return str(target), end, unread
