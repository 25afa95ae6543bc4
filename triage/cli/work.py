"""Commands that work on a store: take events in, run, look at what is pending, explain, and steer single records."""

from __future__ import annotations

import contextlib
import textwrap
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

import click
import msgspec

from triage.cli.common import (
    FINDINGS,
    as_json,
    counted,
    instant_cell,
    known_owner,
    known_rule,
    log_option,
    opened_store,
    print_json,
    print_table,
    progress,
    record_named,
    record_of_option,
    say,
    signed,
    sink_option,
    store_option,
    time_to_come,
    watch_options,
)
from triage.cli.folder import folder_watcher, ingest_folder
from triage.cli.offline import instant_option, print_explanation
from triage.cli.watch import Watch, troubles, watching
from triage.config import Settings
from triage.doctor import retrying
from triage.domain.decision import Action
from triage.domain.instant import format_instant, parse_instant
from triage.domain.work import Event
from triage.engine import PureEngine
from triage.errors import ConfigError, IntakeError, StoreError
from triage.explain import customer_text, explain
from triage.hindsight import effects_then, facts_then
from triage.intaking import Door
from triage.policy import Policy
from triage.ports import AuditRow, Effect, EffectFilter, Scorer, State, Store
from triage.steering import cancel, release_keys, retry, seen_done
from triage.wiring import (
    SystemClock,
    feeding_salesforce,
    follow_policy,
    open_fleet,
    open_journal,
    open_models,
    open_sink,
    open_worker,
    serving_metrics,
    stop_on_signals,
    watching_folder,
)
from triage.wording import action_text, body_text, reason_text
from triage.worker import Worker

SHOWN = 240
"""How many characters of an audit line's body are printed; --json has it all."""

STATES = ("ready", "leased", "done", "dead", "cancelled", "superseded", "would_have", "backlog", "held", "suppressed")


@click.command()
@click.argument("file", type=click.File("rb"), required=False)
@click.option(
    "--source",
    default=None,
    help="Name of the source [default: the file's name]; the same line of one source counts once.",
)
@click.option(
    "--live-from",
    default=None,
    help="What was true before this instant is backlog [default: when the source was first read].",
)
@watch_options
@click.option("--once", is_flag=True, help="With --watch: take in what is there, then end.")
@log_option
@store_option
@as_json
def ingest(
    file: Any,
    source: str | None,
    live_from: str | None,
    watch: str | None,
    settle: int,
    keep: bool,
    once: bool,
    log_level: str,
    url: str | None,
    as_json: bool,
) -> None:
    """
    Take in events, one JSON object a line; FILE - reads standard input, --watch DIR the files that come into a folder.

    Reading the same file again changes nothing. Exit code 1 where lines were refused; each is kept with its reason.
    """
    if (file is None) == (watch is None):
        raise click.UsageError("name a FILE, - for standard input, or --watch DIR")
    if watch is not None:
        ingest_folder(watch, source, settle, keep, once, log_level, url, as_json)
        return
    clock = SystemClock()
    with opened_store(url) as store:
        worker = open_worker(store, open_sink("store"))
        seen = 0
        with progress("events", None, as_json) as advance:

            def read_so_far(count: int) -> None:
                nonlocal seen
                advance(count - seen)
                seen = count

            name = source or str(getattr(file, "name", "stdin"))
            since = None if live_from is None else parse_instant(live_from)
            try:
                found = Door(worker).take_lines(
                    enumerate(file, start=1), name, clock.now(), live_from=since, progress=read_so_far
                )
            except StoreError as cause:
                kept = f"{counted(seen, 'line')} read and kept before; the same command goes on from there"
                raise type(cause)(f"{cause}; {kept}") from cause
        worker.close()
    if as_json:
        print_json(found)
    else:
        for refusal in found.refusals[:20]:
            click.echo(f"{refusal.source}:{refusal.line}: {refusal.reason}", err=True)
        click.echo(
            f"read {found.read}: {found.accepted} accepted, {found.repeated} repeated, {found.refused} refused; "
            f"{counted(found.planned, 'action')} planned{_observed(found.observed)}"
        )
    if found.refused:
        raise SystemExit(FINDINGS)


def _observed(count: int) -> str:
    return f", {count:,} only observed (`triage actions list --state would_have`)" if count else ""


@click.command()
@sink_option
@click.option("--drain", is_flag=True, help="Do what is due now, then end.")
@click.option("--org", "orgs", multiple=True, help="Serve this organisation; may be given several times (PostgreSQL).")
@click.option("--all-orgs", is_flag=True, help="Serve every organisation in the database (PostgreSQL).")
@watch_options
@click.option("--metrics", default="", help="Serve Prometheus metrics at HOST:PORT, such as 127.0.0.1:9464.")
@click.option("--salesforce", is_flag=True, help="Read the organisation of TRIAGE_SALESFORCE_*, too.")
@click.option("--no-scores", is_flag=True, help="Give no scores [default: those that rules read, by TRIAGE_MODELS].")
@log_option
@store_option
@as_json
def run(
    sink: str | None,
    drain: bool,
    orgs: tuple[str, ...],
    all_orgs: bool,
    watch: str | None,
    settle: int,
    keep: bool,
    metrics: str,
    salesforce: bool,
    no_scores: bool,
    log_level: str,
    url: str | None,
    as_json: bool,
) -> None:
    """
    Run the worker: fire what is due, carry out actions, until Ctrl-C. What has been begun is finished first.

    Every rule starts in mode observe: nothing is sent until `triage rules promote`. On PostgreSQL any number of workers
    may run at once; with several organisations none waits for another's backlog.
    """
    target = sink or Settings.from_environment().sink
    if (orgs or all_orgs) and (watch or salesforce):
        raise ConfigError("--watch and --salesforce take in for the one organisation of TRIAGE_ORG: run them beside")
    if orgs or all_orgs:
        database, named = url or Settings.from_environment().database_url, () if all_orgs else orgs
        run_fleet(
            database, named, target, metrics=metrics, log_level=log_level, drain=drain, as_json=as_json,
            no_scores=no_scores,
        )  # fmt: skip
        return
    journal = None if drain else open_journal(log_level)
    local = None if no_scores else _models(log_level, drain)
    with opened_store(url) as store:
        with store.hold():
            # Only the one worker of a store opens the sink: a second one leaves nothing behind.
            scorer = None if local is None else follow_policy(local, store, journal=journal)
            worker = open_worker(store, open_sink(target), journal=journal, scorer=scorer)
            with store.read() as unit:
                worker.policy(unit)
            done = worker.drain(worker.clock.now()) if drain else 0
        if drain:
            click.echo(msgspec.json.encode({"done": done}).decode() if as_json else f"{counted(done, 'action')} done")
            _tell_troubles(store)
        else:
            watcher = folder_watcher(worker, journal, watch, None, settle, keep)
            served, said = serving_metrics(worker, metrics), watching(Watch(store, worker))
            with stop_on_signals(worker) as stop, served, said, watching_folder(watcher, stop):
                click.echo(f"working on {url or 'the store'}, sink {target}; Ctrl-C stops", err=True)
                seen = partial(seen_keys, worker)
                fed = feeding_salesforce(worker, stop, journal, seen) if salesforce else contextlib.nullcontext()
                with fed:
                    worker.run(stop)
            report = worker.lateness.report()
            click.echo(msgspec.json.encode(report).decode() if as_json else f"stopped; {_lateness_text(report)}")
        worker.close()


def seen_keys(worker: Worker, keys: Collection[str]) -> None:
    """Mark effects as done that Salesforce shows as done."""
    seen_done(worker.store, worker.engine, worker.clock.now(), keys=keys, actor="salesforce")


def _models(log_level: str, drain: bool) -> Scorer:
    """Return the models at hand. A drain has no journal, but it says that there are none."""
    return open_models(journal=open_journal("warning" if drain and log_level in ("debug", "info") else log_level))


def run_fleet(
    url: str,
    orgs: tuple[str, ...],
    sink: str,
    *,
    metrics: str,
    log_level: str,
    drain: bool,
    as_json: bool,
    no_scores: bool = False,
) -> None:
    """Serve several organisations until Ctrl-C, or do what is due now for each where *drain*."""
    journal = None if drain else open_journal(log_level)
    scorer = None if no_scores else _models(log_level, drain)
    with contextlib.closing(open_fleet(url, orgs, open_sink(sink), journal=journal, scorer=scorer)) as fleet:
        if drain:
            done = fleet.drain()
            each = "".join(f"{org}: {counted(number, 'action')} done\n" for org, number in done.items())
            click.echo(
                msgspec.json.encode({"done": done}).decode() if as_json else each or "no organisation", nl=as_json
            )
            return
        with stop_on_signals() as stop, serving_metrics(fleet, metrics):
            click.echo(f"working for {', '.join(orgs) or 'every organisation'}, sink {sink}; Ctrl-C stops", err=True)
            fleet.run(stop)
    say("stopped", {"stopped": True}, as_json)


def _tell_troubles(store: Store) -> None:
    """Say on standard error what did not get through."""
    with store.read() as unit:
        dead, failing = unit.outbox.counts().get("dead", 0), retrying(unit)
    for line in troubles(dead, failing):
        click.echo(line, err=True)


def _lateness_text(report: Mapping[str, int]) -> str:
    """How late timers were fired: `12 timers, half within 20 ms, 99 of 100 within 50 ms, the worst 61 ms late`."""
    if not report["count"]:
        return "no timer was due"
    return (
        f"{counted(report['count'], 'timer')}, half within {report['p50']} ms of their instant, 99 of 100 within "
        f"{report['p99']} ms, the worst {report['worst']} ms late"
    )


@click.command()
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="How many records.")
@store_option
@as_json
def pending(limit: int, url: str | None, as_json: bool) -> None:
    """Show what will fire next: which record, when, and why; the earliest first."""
    with opened_store(url) as store, store.read() as unit:
        records = unit.records.due(1 << 61, limit)
    if as_json:
        for record in records:
            print_json(
                {"record": record.key, "due": instant_cell(record.due), "why": record.why, "owner": record.owner}
            )
        return
    rows = [(instant_cell(record.due), record.key, record.why, record.owner) for record in records]
    print_table(("when", "record", "why", "owner"), rows, "nothing is pending")


@click.command("explain")
@click.argument("record")
@click.option(
    "--for",
    "audience",
    type=click.Choice(["staff", "customer"]),
    default="staff",
    show_default=True,
    help="Customers see no scores, rules or names of staff.",
)
@click.option("--at", "at_text", default=None, help="As of this instant [default: now].")
@store_option
@as_json
def explain_record(record: str, audience: str, at_text: str | None, url: str | None, as_json: bool) -> None:
    """Say why RECORD (an id, or OBJECT/ID) is where it is: promises, hours counted, what was done and why."""
    now = instant_option(at_text)
    with opened_store(url) as store, store.read() as unit:
        found = record_named(unit, record)
        policy = policy_in_force(store)
        effects = unit.outbox.find(EffectFilter(record=found.key))
        facts = msgspec.structs.replace(found.facts, agents=unit.related.agents())
        if at_text is not None and now < SystemClock().now():
            facts, effects = facts_then(unit, found, policy, now), effects_then(effects, now)
    done = [effect for effect in effects if effect.state == "done"]
    if audience == "customer":
        text = customer_text(facts, policy, now, done)
        click.echo(msgspec.json.encode({"text": text}).decode() if as_json else text)
        return
    explanation = explain(facts, policy, now)
    if as_json:
        print_json({"explanation": explanation, "effects": [_effect_row(effect) for effect in effects]})
        return
    rows = [
        (format_instant(e.action.at), e.state, action_text(e.action), e.action.rule, reason_text(e.action.reason))
        for e in effects
    ]
    print_table(("when", "state", "what", "rule", "why"), rows, "no rule has acted")
    print_explanation(explanation)


def policy_in_force(store: Store) -> Policy:
    """Return the compiled policy in force; raise StoreError where none has been published."""
    with store.read() as unit:
        live = unit.policies.live()
    if live is None:
        raise StoreError("no policy is in force: publish one with `triage policy publish`")
    return PureEngine().compile(live.texts, live.modes, virtual=live.virtual)


def _effect_row(effect: Effect) -> dict[str, object]:
    action: Action = effect.action
    return {
        "at": format_instant(action.at),
        "due": format_instant(action.due),
        "record": effect.record,
        "rule": action.rule,
        "step": action.step,
        "action": action.kind,
        "target": action.target,
        "state": effect.state,
        "key": action.key,
        "reason": reason_text(action.reason),
        "note": action.note,
        "attempts": effect.attempt,
        "error": effect.error,
    }


@click.group()
def actions() -> None:
    """List actions; retry dead ones, cancel waiting ones, release held ones."""


@actions.command("list")
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="Only these states; may be repeated.")
@click.option("--rule", default="", help="Only of this rule.")
@click.option("--record", default="", help="Only of this record, an id or OBJECT/ID.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="How many, the newest first.")
@store_option
@as_json
def actions_list(states: tuple[State, ...], rule: str, record: str, limit: int, url: str | None, as_json: bool) -> None:
    """Print actions with their state, reason, and the other side's words where one failed."""
    with opened_store(url) as store, store.read() as unit:
        key = record_of_option(unit, record)
        wanted = EffectFilter(states=states, rule=rule, record=key, limit=limit, newest_first=True)
        effects = unit.outbox.find(wanted)
    if as_json:
        for effect in effects:
            print_json(_effect_row(effect))
        return
    rows = [
        (format_instant(a.at), e.state, e.record, action_text(a), a.rule, e.error or a.note, a.key[:12])
        for e in effects
        for a in (e.action,)
    ]
    print_table(("when", "state", "record", "what", "rule", "note", "key"), rows, "no such action")


@actions.command("retry")
@click.argument("keys", nargs=-1, required=True)
@store_option
@signed
@as_json
def actions_retry(keys: tuple[str, ...], url: str | None, actor: str, reason: str, as_json: bool) -> None:
    """Send dead actions again, from their first attempt. KEYS may be the beginnings of keys."""
    with opened_store(url) as store:
        count = retry(store, PureEngine(), SystemClock().now(), keys=keys, actor=actor, reason=reason)
    say(f"{count} ready again", {"ready": count}, as_json)


@actions.command("cancel")
@click.argument("keys", nargs=-1, required=True)
@store_option
@signed
@as_json
def actions_cancel(keys: tuple[str, ...], url: str | None, actor: str, reason: str, as_json: bool) -> None:
    """Cancel actions that are not done yet."""
    with opened_store(url) as store:
        count = cancel(store, PureEngine(), SystemClock().now(), keys=keys, actor=actor, reason=reason)
    say(f"{count} cancelled", {"cancelled": count}, as_json)


@actions.command("release")
@click.argument("keys", nargs=-1, required=True)
@store_option
@signed
@as_json
def actions_release(keys: tuple[str, ...], url: str | None, actor: str, reason: str, as_json: bool) -> None:
    """Let held or backlog actions go; one whose condition no longer holds is cancelled instead."""
    with opened_store(url) as store:
        done = release_keys(store, PureEngine(), SystemClock().now(), keys=keys, actor=actor, reason=reason)
    lines = [f"{len(done.released)} released, {len(done.cancelled)} cancelled"]
    lines += [f"  {key[:12]}: {why}" for key, why in done.cancelled.items()]
    lines += [f"  {key[:12]}: nobody can take it any more; it waits for somebody" for key in done.waiting]
    say("\n".join(lines), {"released": done.released, "cancelled": done.cancelled, "waiting": done.waiting}, as_json)


@click.command()
@click.option("--record", default="", help="Only of this record, an id or OBJECT/ID.")
@click.option("--event", "event_name", default="", help="Only this kind of line (planned, done, policy_published, ..).")
@click.option("--after", default=None, type=int, help="Only lines above this number, the first of them.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="How many lines, the latest.")
@click.option(
    "--verify", is_flag=True, help="Check the hash chain of every record instead. Exit code 1 where it is broken."
)
@store_option
@as_json
def audit(
    record: str, event_name: str, after: int | None, limit: int, verify: bool, url: str | None, as_json: bool
) -> None:
    """Print the append-only log: what was planned, done, refused, published, stopped, by whom and why."""
    with opened_store(url) as store, store.read() as unit:
        if verify:
            faults = unit.audit.verify()
            said = [f"line {fault.seq} ({fault.record}): {fault.what}" for fault in faults]
            say("\n".join(said) or "every chain verifies", {"faults": faults}, as_json)
            if faults:
                raise SystemExit(FINDINGS)
            return
        key = record_of_option(unit, record)
        lines = unit.audit.lines(record=key, event=event_name, after=after or 0, limit=limit, last=after is None)
    if as_json:
        for line in lines:
            print_json(line)
        return
    print_table(
        ("line", "when", "record", "event", "rule", "by", "what"), [_audit_row(line) for line in lines], "no such line"
    )


def _audit_row(line: AuditRow) -> tuple[object, ...]:
    entry = line.entry
    said = textwrap.shorten(body_text(entry.body), SHOWN, placeholder=" ..")
    what = "(erased)" if line.erased else said
    return (
        line.seq,
        format_instant(entry.at),
        f"{entry.object}/{entry.id}",
        entry.event,
        entry.rule,
        entry.actor,
        what,
    )


@click.command()
@click.argument("record")
@click.argument("action", type=click.Choice(["pull_back", "hold", "reroute", "release"]))
@click.option("--until", default=None, help="Until this instant [default: until released].")
@click.option("--rule", "rule_ids", multiple=True, help="Only this rule; may be repeated [default: all].")
@click.option("--to", default="", help="reroute: the new owner, a user's id or queue:NAME.")
@click.option("--force", is_flag=True, help="reroute: to somebody whom nobody here knows, too.")
@click.option("--by", "actor", required=True, help="Who.")
@click.option("--reason", required=True, help="Why.")
@store_option
@as_json
def override(
    record: str,
    action: Any,
    until: str | None,
    rule_ids: tuple[str, ...],
    to: str,
    force: bool,
    actor: str,
    reason: str,
    url: str | None,
    as_json: bool,
) -> None:
    """
    Keep rules off RECORD (hold), take back what they did (pull_back), send it elsewhere (reroute), or let go (release).

    It is logged on the record with who and why.
    """
    if action == "reroute" and not to:
        raise IntakeError("reroute needs --to: a user's id, or queue:NAME", record)
    now = SystemClock().now()
    with opened_store(url) as store:
        with store.read() as unit:
            found = record_named(unit, record)
            for name in rule_ids:
                if name != "*":
                    known_rule(unit, name)
            if action == "reroute" and not force:
                known_owner(unit, to)
        end = time_to_come(until, now)
        event = Event(
            at=now, type="override", event_id=f"override:{found.key}:{now}", object=found.facts.item.object,
            id=found.facts.item.id, action=action, until=end,
            rules=rule_ids or ("*",), reason=reason, actor=actor, to=to,
        )  # fmt: skip
        worker = open_worker(store, open_sink("store"))
        done = worker.ingest([event], now, source="cli", live_from=0)
        worker.close()
    body = {"action": action, "record": found.key, "until": end and format_instant(end), "planned": done.planned}
    say(f"{action} is on {found.key}; {counted(done.planned, 'action')} planned", body, as_json)
