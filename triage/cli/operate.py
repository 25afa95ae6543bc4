"""Commands that steer the whole: publish and promote, stop and start, backlog, undo, database, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from triage.cli.common import (
    FINDINGS,
    as_json,
    counted,
    instant_cell,
    known_rule,
    opened_store,
    policy_folder,
    policy_option,
    print_json,
    print_table,
    progress,
    read_policy,
    say,
    signed,
    sink_option,
    store_option,
)
from triage.cli.salesforce import publish_setup_rules, salesforce_checks
from triage.config import Settings, read_file, read_folder, read_secret, salesforce_settings
from triage.doctor import examine, examine_llm, examine_sinks
from triage.domain.instant import format_instant, parse_instant
from triage.engine import PureEngine
from triage.publishing import Published, promote, publish, rollback
from triage.salesforce.metadata_rules import wants_setup_rules
from triage.sinks.settings import read_sinks
from triage.steering import release, start, stop, stops, waiting
from triage.undo import preview, undo
from triage.wiring import SINKS_FILE, SystemClock, store_file, upgrade_store


@click.group()
def policy() -> None:
    """Publish a policy, or look at those that were."""


@policy.command("publish")
@policy_option
@store_option
@signed
@click.option("--dry-run", is_flag=True, help="Check the files and say what would change; publish nothing.")
@as_json
def policy_publish(folder: str | None, url: str | None, actor: str, reason: str, dry_run: bool, as_json: bool) -> None:
    """
    Make a folder of policy files the policy in force: the only way that one becomes live.

    New and changed rules act on nothing that is already true (it becomes backlog), and new ones only observe.
    A file that says `rules: {source: salesforce}` takes those of the connected organisation's setup.
    """
    document = read_policy(folder)
    if dry_run:
        valid = {"valid": sorted(document.texts), "published": False}
        say(f"{len(document.texts)} files are valid; nothing was published", valid, as_json)
        return
    texts = read_folder(policy_folder(folder))
    now = SystemClock().now()
    with opened_store(url, must_exist=False) as store, progress("open records", None, as_json) as advance:
        seen = 0

        def woken(count: int) -> None:
            nonlocal seen
            advance(count - seen)
            seen = count

        if wants_setup_rules(texts):
            published = publish_setup_rules(store, texts, now, actor=actor, reason=reason, progress=woken)
        else:
            published = publish(store, PureEngine(), texts, now, actor=actor, reason=reason, progress=woken)
    _print_published(published, as_json)


def _print_published(published: Published, as_json: bool) -> None:
    if as_json:
        print_json(published)
        return
    if published.digest == published.previous:
        click.echo(f"policy {published.digest[:12]} is in force already")
        return
    click.echo(f"policy {published.digest[:12]} is in force; {published.woken} open records are looked at again")
    for label, names in (("new", published.added), ("changed", published.changed), ("gone", published.removed)):
        if names:
            click.echo(f"  {label}: {', '.join(names)}")
    observing = [name for name, mode in published.modes.items() if mode.mode == "observe"]
    if observing:
        click.echo(f"  only observing: {', '.join(sorted(observing))}; promote with `triage rules promote RULE act`")


@policy.command("history")
@store_option
@as_json
def policy_history(url: str | None, as_json: bool) -> None:
    """List published policies, the latest first."""
    with opened_store(url) as store, store.read() as unit:
        history = unit.policies.history()
    if as_json:
        for one in history:
            print_json(
                {
                    "digest": one.digest,
                    "at": format_instant(one.at),
                    "by": one.actor,
                    "reason": one.reason,
                    "live": one.live,
                }
            )
        return
    rows = [
        (one.digest[:12], format_instant(one.at), one.actor, one.reason, "live" if one.live else "") for one in history
    ]
    print_table(("policy", "published", "by", "why", ""), rows, "no policy has been published")


@click.command("promote")
@click.argument("rule")
@click.argument("mode", type=click.Choice(["observe", "notify", "act"]))
@click.option("--by", "actor", required=True, help="Who.")
@click.option("--reason", required=True, help="Why.")
@store_option
@as_json
def rules_promote(rule: str, mode: Any, actor: str, reason: str, url: str | None, as_json: bool) -> None:
    """Let RULE go as far as MODE from now on. What is already true becomes backlog, not action."""
    with opened_store(url) as store:
        published = promote(store, PureEngine(), rule, mode, SystemClock().now(), actor=actor, reason=reason)
    if as_json:
        print_json(published)
    else:
        click.echo(f"{rule} is in mode {mode} from now on")


@click.command("rollback")
@click.argument("digest", default="")
@store_option
@signed
@as_json
def rules_rollback(digest: str, url: str | None, actor: str, reason: str, as_json: bool) -> None:
    """Publish the earlier policy whose digest begins with DIGEST; without it, the one before this."""
    with opened_store(url) as store:
        done = rollback(store, PureEngine(), digest, SystemClock().now(), actor=actor, reason=reason)
    _print_published(done, as_json)


@click.command("stop")
@click.option("--rule", default="*", help="Only this rule [default: everything].")
@store_option
@signed
@as_json
def stop_effects(rule: str, url: str | None, actor: str, reason: str, as_json: bool) -> None:
    """Halt effects within a second: of one rule, or all. Clocks, decisions and the audit go on."""
    with opened_store(url) as store:
        if rule != "*":
            with store.read() as unit:
                known_rule(unit, rule)
        stop(store, SystemClock().now(), rule=rule, actor=actor, reason=reason)
    say("all effects are halted" if rule == "*" else f"effects of {rule} are halted", {"halted": rule}, as_json)


@click.command("start")
@click.option("--rule", default="*", help="Only this rule [default: what `stop` without a rule halted].")
@store_option
@signed
@as_json
def start_effects(rule: str, url: str | None, actor: str, reason: str, as_json: bool) -> None:
    """Let effects go again after `triage stop`."""
    with opened_store(url) as store:
        started = start(store, SystemClock().now(), rule=rule, actor=actor, reason=reason)
        left = [one.rule for one in stops(store)]
    text = "effects go again" if started else "nothing was halted under that name"
    still = f"\nstill halted: {', '.join(left)}" if left else ""
    say(text + still, {"started": rule if started else None, "still_halted": left}, as_json)
    if not started:
        raise SystemExit(FINDINGS)


@click.group()
def backlog() -> None:
    """What was already true when a rule, calendar, mode or source went live: listed, and released by hand."""


@backlog.command("list")
@click.option("--state", type=click.Choice(["backlog", "held"]), default="backlog", show_default=True)
@store_option
@as_json
def backlog_list(state: Any, url: str | None, as_json: bool) -> None:
    """Count what waits, by rule and recipient."""
    with opened_store(url) as store:
        found = waiting(store, state)
    if as_json:
        for row in found:
            print_json(row)
        return
    rows = [(row.count, row.rule, row.target, instant_cell(row.oldest)) for row in found]
    print_table(("how many", "rule", "for", "oldest due"), rows, "nothing waits")


@backlog.command("release")
@click.argument("rule")
@click.option("--limit", required=True, type=click.IntRange(1), help="At most so many, oldest first.")
@click.option("--state", type=click.Choice(["backlog", "held"]), default="backlog", show_default=True)
@store_option
@signed
@as_json
def backlog_release(rule: str, limit: int, state: Any, url: str | None, actor: str, reason: str, as_json: bool) -> None:
    """Let at most LIMIT waiting actions of RULE go; those whose condition no longer holds are cancelled."""
    with opened_store(url) as store:
        with store.read() as unit:
            known_rule(unit, rule)
        done = release(
            store, PureEngine(), SystemClock().now(), rule=rule, limit=limit, actor=actor, reason=reason, state=state
        )
    text = f"{len(done.released)} released, {len(done.cancelled)} cancelled because they no longer hold"
    text += f", {len(done.waiting)} wait for somebody who can take them" if done.waiting else ""
    say(text, {"released": done.released, "cancelled": done.cancelled, "waiting": done.waiting}, as_json)


@click.command("undo")
@click.option("--rule", required=True, help="Whose effects.")
@click.option("--since", required=True, help="Done since this instant.")
@click.option("--yes", is_flag=True, help="Do it; without this only the preview is printed.")
@store_option
@signed
@as_json
def undo_rule(rule: str, since: str, yes: bool, url: str | None, actor: str, reason: str, as_json: bool) -> None:
    """Put back the owner and priority that RULE changed, where nobody has touched them since. Previews first."""
    now = SystemClock().now()
    with opened_store(url) as store:
        with store.read() as unit:
            known_rule(unit, rule)
        if yes:
            found = undo(store, PureEngine(), rule, parse_instant(since), now, actor=actor, reason=reason)
        else:
            found = preview(store, rule, parse_instant(since), now)
    if as_json:
        for one in found:
            print_json({"record": one.record, "field": one.field, "now": one.now, "again": one.again, "kept": one.kept})
        return
    rows = [(one.record, one.field, one.now, one.again, one.kept) for one in found]
    titles = ("record", "field", "was", "is put back to") if yes else ("record", "field", "now", "would be again")
    print_table((*titles, "left alone because"), rows, f"{rule} has done nothing since")
    if found and yes:
        done = sum(not one.kept for one in found)
        click.echo(
            f"done: {counted(done, 'change')} ordered, {len(found) - done} left alone; `triage run` carries them out"
        )
    elif found:
        click.echo("nothing was changed: repeat with --yes")


@click.group()
def db() -> None:
    """The store: bring it up to date, check it, back it up and restore it, forget what is old."""


@db.command("upgrade")
@store_option
@as_json
def db_upgrade(url: str | None, as_json: bool) -> None:
    """Bring the schema up to date: of a file after a copy of it, of PostgreSQL one at a time."""
    settings = Settings.from_environment()
    upgrade_store(url or settings.database_url, settings.org)
    say("the schema is up to date", {"up_to_date": True}, as_json)


@db.command("check")
@store_option
@as_json
def db_check(url: str | None, as_json: bool) -> None:
    """Check the file, the audit chains and the counts. Exit code 1 where something is wrong."""
    with opened_store(url) as store, store.read() as unit:
        faults = store.check()
        faults += [f"audit line {fault.seq} ({fault.record}): {fault.what}" for fault in unit.audit.verify()]
        counts = {"records": unit.records.count(), "actions": unit.outbox.counts()}
    if as_json:
        print_json({"faults": faults} | counts)
    else:
        click.echo("\n".join(faults) if faults else "every chain verifies")
        records = ", ".join(f"{number:,} {what}" for what, number in counts["records"].items())
        actions = ", ".join(f"{number:,} {state}" for state, number in counts["actions"].items()) or "none yet"
        click.echo(f"records: {records}\nactions: {actions}")
    if faults:
        raise SystemExit(FINDINGS)


@db.command("backup")
@click.argument("path", type=click.Path())
@store_option
@as_json
def db_backup(path: str, url: str | None, as_json: bool) -> None:
    """Write a complete copy of the store to the new file PATH, while workers go on."""
    with opened_store(url) as store:
        now = SystemClock().now()
        store.backup(Path(path))
        with store.write() as unit:
            unit.upkeep.mark("backup", now)
    say(f"copied to {path}", {"backup": path, "at": format_instant(now)}, as_json)


@click.command()
@policy_option
@store_option
@sink_option
@as_json
def doctor(folder: str | None, url: str | None, sink: str | None, as_json: bool) -> None:
    """
    Look for trouble: policy, timers, actions, stops, audit, workers, refusals, backup, growth, disk, model and sinks.

    Exit code 1 if there is any.
    """
    clock, settings = SystemClock(), Settings.from_environment()
    database = store_file(url or settings.database_url)
    with opened_store(url) as store:
        root = policy_folder(folder)
        named = folder is not None or root != Settings().policy
        checks = examine(store, root, clock.now(), named=named, file=database)
        checks += examine_llm(store, root, read_secret, clock.now())
    file = sink or settings.sink
    if file.endswith(SINKS_FILE):
        found = read_sinks(file, read_file(file))
        checks += examine_sinks(found, root, settings.org, read_secret, clock.now, file)
    if salesforce_settings():
        checks += salesforce_checks(read_policy(folder))
    if as_json:
        for check in checks:
            print_json(check)
    else:
        print_table(("", "what", "found", "to do"), [(c.mark, c.name, c.found, c.fix) for c in checks], "")
    if any(check.mark != "ok" for check in checks):
        raise SystemExit(FINDINGS)
