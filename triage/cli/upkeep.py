"""Commands that keep an installation healthy: restore a backup, prune what is old, erase a customer's words."""

from __future__ import annotations

from pathlib import Path

import click

from triage.cli.common import (
    FINDINGS,
    as_json,
    duration,
    instant_cell,
    opened_store,
    print_json,
    print_table,
    progress,
    record_named,
    say,
    signed,
    store_option,
)
from triage.config import Settings
from triage.domain.decision import AuditEntry
from triage.engine import PureEngine
from triage.erasing import erase, records_of
from triage.ports import Stop, Unit
from triage.pruning import prune
from triage.sending import EVERYTHING
from triage.steering import halt as halt_all
from triage.wiring import SystemClock, restore_store


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--halt", is_flag=True, help="Halt all effects until `triage start`, to look around first.")
@click.option("--replace", is_flag=True, help="PostgreSQL: the database may hold something; it is kept in a schema.")
@store_option
@signed
@as_json
def db_restore(file: Path, halt: bool, replace: bool, url: str | None, actor: str, reason: str, as_json: bool) -> None:
    """
    Put the backup FILE in the place of the store, of all its organisations, whole or not at all.

    A store in a file is refused while a worker or any other process has it open; on PostgreSQL workers may run on. A
    backup of a file may be restored into PostgreSQL: so a store moves there. What was due meanwhile is done late; what
    was done meanwhile is not done again where the other side knows its key.
    """
    settings, now = Settings.from_environment(), SystemClock().now()

    def note(unit: Unit) -> None:
        body = {"reason": reason, "backup": file.name}
        entry = AuditEntry(at=now, org=unit.org, object="org", id=unit.org, event="restored", actor=actor, body=body)
        unit.audit.append([entry])
        if halt:
            halt_all(unit, Stop(rule=EVERYTHING, at=now, actor=actor, reason=reason or "restored from a backup"))

    kept = restore_store(url or settings.database_url, file, note, org=settings.org, replace=replace)
    text = f"restored from {file}" + (f"; what stood there is kept as {kept}" if kept else "")
    text += (
        "\neffects are halted: `triage start` lets them go" if halt else "\nhand in again what came since the backup"
    )
    say(text, {"restored": str(file), "kept": kept and str(kept), "halted": halt}, as_json)


@click.command("prune")
@click.option(
    "--older-than", type=duration, required=True, help="Closed and without an event for so long, such as 400d."
)
@click.option("--erase-audit", is_flag=True, help="Empty the bodies of their audit lines too.")
@click.option("--dry-run", is_flag=True, help="Count what would go; change nothing.")
@store_option
@signed
@as_json
def db_prune(
    older_than: int, erase_audit: bool, dry_run: bool, url: str | None, actor: str, reason: str, as_json: bool
) -> None:
    """
    Forget events, decisions and ended actions of records closed long ago, old refusals, policies and rate counts,
    and what language models were asked and said by then.

    The records and their audit stay, and policies that a decision still names.
    """
    with opened_store(url) as store, progress("records", None, as_json) as advance:
        seen = 0

        def pruned(count: int) -> None:
            nonlocal seen
            advance(count - seen)
            seen = count

        done = prune(
            store, SystemClock().now(), older_than=older_than, actor=actor, reason=reason,
            erase_audit=erase_audit, dry_run=dry_run, progress=pruned,
        )  # fmt: skip
    if as_json:
        print_json(done)
        return
    rows = ", ".join(f"{count} {name}" for name, count in done.rows.items() if count) or "nothing else"
    click.echo(f"{'would forget' if dry_run else 'forgot'} the history of {done.records} records: {rows}")


@click.command("erase")
@click.option("--record", "record_names", multiple=True, help="OBJECT/ID or an id; may be repeated.")
@click.option(
    "--customer", default="", help="Every record that names this id or e-mail address, and the customer's own."
)
@click.option("--yes", is_flag=True, help="Do it; without this only the records are listed.")
@click.option("--by", "actor", required=True, help="Who.")
@click.option("--reason", required=True, help="Why; write no customer's words here.")
@store_option
@as_json
def erase_words(
    record_names: tuple[str, ...],
    customer: str,
    yes: bool,
    actor: str,
    reason: str,
    url: str | None,
    as_json: bool,
) -> None:
    """
    Take every free text of a customer or record out of the store: bodies, subjects, addresses, reasons, refusals.

    Clocks go on, digests stay, and the audit still verifies. Backups and what has been sent are not reached.
    """
    if not record_names and not customer:
        raise click.UsageError("name --record or --customer")
    with opened_store(url) as store:
        with store.read() as unit:
            named = {record_named(unit, name).key for name in record_names}
        keys = sorted(named | set(records_of(store, customer) if customer else []))
        if not yes:
            for key in keys:
                print_json({"record": key}) if as_json else click.echo(key)
            click.echo(f"{len(keys)} records; nothing was changed: repeat with --yes", err=True)
            return
        now = SystemClock().now()
        done = erase(store, PureEngine(), keys, now, customer=customer, actor=actor, reason=reason)
        store.compact()
    if as_json:
        print_json(done)
        return
    click.echo(
        f"erased {len(done.records)} records and {len(done.related)} related: {done.events} events, {done.effects} "
        f"actions, {done.decisions} decisions, {done.audit_lines} audit bodies, {done.refusals} refused lines, "
        f"{done.model_answers} answers of language models"
    )


@click.command("refused")
@click.option("--source", default="", help="Only of this source, or file of a watched folder.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="How many lines.")
@store_option
@as_json
def refused(source: str, limit: int, url: str | None, as_json: bool) -> None:
    """List the lines of sources that were refused, and why. Exit code 1 where there are any."""
    with opened_store(url) as store, store.read() as unit:
        found = unit.intake.refusals(source, limit)
    if as_json:
        for one in found:
            print_json(
                {"source": one.source, "line": one.line, "at": instant_cell(one.at), "record": one.record,
                 "reason": one.reason}
            )  # fmt: skip
    else:
        rows = [(one.source, one.line, instant_cell(one.at), one.record, one.reason) for one in found]
        print_table(("source", "line", "when", "record", "why"), rows, "no line was refused")
    if found:
        raise SystemExit(FINDINGS)
