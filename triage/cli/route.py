"""Who takes what: a plan for two tables, the work queue of a store, redistribution, and what the figures say."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click
import msgspec

from triage.cli.common import (
    FINDINGS,
    as_json,
    counted,
    opened_store,
    policy_option,
    print_json,
    print_table,
    signed,
    store_option,
    virtual_policy,
)
from triage.cli.offline import instant_option
from triage.cli.work import policy_in_force
from triage.config import read_file
from triage.demo.routing_day import POLICIES, Day, Result, simulate, table
from triage.demo.routing_plot import svg
from triage.domain.instant import format_instant
from triage.domain.work import Event
from triage.errors import ConfigError, IntakeError
from triage.handing import Line, agent_named, hand_out, orders_of, queue_of_agent, queue_of_team, skip, spread
from triage.intake.event import parse_event
from triage.intake.text import did_you_mean
from triage.people import kept_events, learned, report, skipped
from triage.policy import Policy
from triage.ports import Store
from triage.routing.batch import Plan, assign_batch
from triage.routing.eligible import Desk
from triage.routing.sheet import read_agents, read_records
from triage.rules.document import Routing
from triage.rules.grammar import MATCHES
from triage.rules.language import Target
from triage.sample.desk import AT, leads, reps
from triage.wiring import SystemClock, open_sink, open_worker

SHOWN = 25
"""How many lines of each part of a plan are printed; --all and --json have them all."""


@click.command()
@click.option("--waiting", type=click.Path(), default=None, help="Records that wait, a CSV file with a column id.")
@click.option("--agents", "people", type=click.Path(), default=None, help="People, a CSV file with a column id.")
@click.option("--policy", "match", type=click.Choice(MATCHES), default="best", show_default=True, help="How to choose.")
@click.option("--config", "folder", type=click.Path(), default=None, help="Folder of policy files: shifts, routing.")
@click.option("--at", "at_text", default=None, help="As of this instant [default: now].")
@click.option("--all", "everything", is_flag=True, help="Print every line.")
@click.option("--sample", type=click.Path(), default=None, help="Write invented leads.csv and agents.csv there.")
@click.option("--simulate", "simulated", is_flag=True, help="Play a day of the sample organisation by three policies.")
@click.option("--seeds", default=5, show_default=True, type=click.IntRange(1, 50), help="With --simulate: how often.")
@click.option("--plot", type=click.Path(), default=None, help="With --simulate: draw it as SVG into this file.")
@as_json
def route(
    waiting: str | None, people: str | None, match: str, folder: str | None, at_text: str | None, everything: bool,
    sample: str | None, simulated: bool, seeds: int, plot: str | None, as_json: bool,
) -> None:  # fmt: skip
    """
    Plan who takes which of the records that wait, without doing anything: why, who came second, and who stays and why.

    Both files are CSV. Records: id, value, urgency, language, level, region, skills, product, segment, team, tier,
    owner, previous, last_agent, weight, created. People: id, name, presence, capacity, load, skills, languages,
    regions, teams, tier, shift, max_per_hour, months, cases, won, value. Lists stand with `;`, levels with `:`.
    """
    if simulated:
        _simulated(seeds, plot, as_json)
        return
    if sample is not None:
        _write_sample(Path(sample))
        return
    if waiting is None or people is None:
        raise click.UsageError("name --waiting FILE and --agents FILE (--sample FOLDER writes both), or --simulate")
    routing, calendars = Routing(), {}
    if folder is not None:
        policy = virtual_policy(folder)
        routing, calendars = policy.routing, policy.calendars
    records = read_records(waiting, _table(waiting), routing)
    agents = read_agents(people, _table(people), sorted(calendars))
    plan = assign_batch(records, agents, Desk(routing, calendars, instant_option(at_text)), match)
    if as_json:
        print_json(plan)
        return
    names = {agent.id: agent.name or agent.id for agent in agents}
    _print_plan(plan, names, len(records), SHOWN if not everything else 1 << 60)


@click.command()
@click.option("--agent", "name", default="", help="The queue of this person, by id or name.")
@click.option("--team", default="", help="The queue of this team or pool.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="How many records.")
@click.option("--at", "at_text", default=None, help="As of this instant [default: now].")
@store_option
@as_json
def queue(name: str, team: str, limit: int, at_text: str | None, url: str | None, as_json: bool) -> None:
    """Print a work queue, what to do first on top: urgency x value x time left x mood, with the reason for each."""
    if bool(name) == bool(team):
        raise click.UsageError("name --agent or --team")
    now = instant_option(at_text)
    with opened_store(url) as store, store.read() as unit:
        policy = policy_in_force(store)
        if name:
            lines = queue_of_agent(unit, policy, agent_named(unit, policy, name), now)
        else:
            known_group(team, policy)
            lines = queue_of_team(unit, policy, team, now)
    if as_json:
        for line in lines[:limit]:
            print_json({"record": line.key, "rank": line.rank, "owner": _owner(line), "why_not": line.why_not})
        return
    rows = [(at, line.key, _owner(line), line.rank.words(), line.why_not) for at, line in enumerate(lines[:limit], 1)]
    print_table(("", "record", "owner", "rank", "not for them"), rows, "the queue is empty")


@click.command("next")
@click.option("--agent", "name", required=True, help="Who asks, by id or name.")
@click.option("--skip", "skipped", default="", help="A record (OBJECT/ID) that they will not take; needs --reason.")
@click.option("--reason", default="", help="Why it is skipped; kept in the audit.")
@store_option
@as_json
def next_record(name: str, skipped: str, reason: str, url: str | None, as_json: bool) -> None:
    """
    Hand out the one record to work on next; nobody chooses. What the person does not own yet is given to them.

    Exit code 1 where there is nothing for them.
    """
    now = SystemClock().now()
    with opened_store(url) as store:
        policy = policy_in_force(store)
        if skipped:
            skip(store, policy, name, skipped, reason, now)
        handed = hand_out(store, policy, name, now)
        _send(store, [] if handed.order is None else [handed.order], now)
    if as_json:
        print_json({"record": handed.record, "own": handed.own, "rank": handed.rank, "passed": handed.passed})
    elif handed.rank is None:
        click.echo("nothing to do")
    else:
        click.echo(f"{handed.record}{'' if handed.own else ' (given to them now)'}: {handed.rank.words()}")
    for line in () if as_json else handed.passed[:10]:
        click.echo(f"  passed over: {line}")
    if not handed.record:
        raise SystemExit(FINDINGS)


@click.command()
@click.option("--from", "source", required=True, help="agent:ID or team:NAME, whose open records are to go.")
@click.option("--to", "to", default="", help="agent:ID, team:NAME or pool:NAME [default: the colleagues].")
@click.option(
    "--policy", "match", type=click.Choice(MATCHES), default="optimal", show_default=True, help="How to choose."
)
@click.option("--dry-run", is_flag=True, help="Only print the plan.")
@store_option
@signed
@as_json
def redistribute(
    source: str, to: str, match: str, dry_run: bool, url: str | None, actor: str, reason: str, as_json: bool
) -> None:
    """Give one person's or team's open records to others, all at once. --dry-run: only the plan."""
    now = SystemClock().now()
    with opened_store(url) as store:
        policy = policy_in_force(store)
        with store.read() as unit:
            origin, target = _target(source, policy), _target(to, policy) if to else None
            if target is not None and target.kind == "user":
                target = Target(kind="user", name=agent_named(unit, policy, target.name).id)
            plan = spread(unit, policy, origin, target, now, match)
            people = {one.id: one.name or one.id for one in (*policy.directory.agents, *unit.related.agents())}
        if not dry_run:
            _send(store, orders_of(plan, actor, reason or f"redistributed from {source}", now), now)
    if as_json:
        print_json({"dry_run": dry_run, "plan": plan})
        return
    _print_plan(plan, people, len(plan.placed) + len(plan.staying), SHOWN)
    click.echo("\nnothing was changed: --dry-run" if dry_run else f"\n{counted(len(plan.placed), 'order')} given")


@click.command()
@click.option(
    "--history",
    type=click.Path(exists=True, dir_okay=False),
    default=None,
    help="Events, a .jsonl file, under the policy of --policy [default: what the store has kept].",
)
@policy_option
@click.option("--scope", "scopes", multiple=True, type=click.Choice(["people"]), help="What the asker may see.")
@click.option("--learn", is_flag=True, help="Tell the store how records came out, by person, for matching.")
@store_option
@as_json
def people(
    history: str | None, folder: str | None, scopes: tuple[str, ...], learn: bool, url: str | None, as_json: bool
) -> None:  # fmt: skip
    """
    Say how evenly work was spread, how it was picked, and where it was pushed about.

    A team's figures only, unless the policy says `routing: {figures: true}` and --scope people is given; nobody with
    fewer than 20 cases is shown even then.
    """
    now = SystemClock().now()
    if learn:
        _learn(history, folder, url, now)
        return
    if history is not None:
        found = report(_history(history), virtual_policy(folder), scopes)
    else:
        with opened_store(url) as store, store.read() as unit:
            agents, skips = unit.related.agents(), skipped(unit, now)
            found = report(kept_events(unit), policy_in_force(store), scopes, agents=agents, skips=skips)
    if as_json:
        print_json(found)
        return
    even = found.fairness
    rows = [
        ("records given to people", even.records), ("load spread (deviation / mean)", even.spread),
        ("load spread (Gini)", even.gini), ("urgent share, most less least", even.hot_spread),
        ("after hours share, most less least", even.after_hours_spread),
        ("cherry-picking, 0 never to 1", "-" if even.cherry is None else even.cherry),
        *((f"sign: {kind.replace('_', ' ')}", count) for kind, count in found.signs.items()),
    ]  # fmt: skip
    print_table(("", "team"), rows, "")
    shown = [(one.agent, one.cases, one.hot_share, one.after_hours_share, one.cherry, one.skips) for one in even.people]
    if shown:
        click.echo()
        print_table(("person", "cases", "urgent", "after hours", "cherry-picking", "skipped"), shown, "")
    for reason, count in even.hidden.items():
        click.echo(f"{counted(count, 'person')} not shown: {reason}".replace("persons", "people"))
    for sign in found.shown[:SHOWN]:
        click.echo(f"{format_instant(sign.at)} {sign.record} {sign.actor}: {sign.words}")
    if found.unread:
        click.echo(f"{counted(found.unread, 'event')} could not be read: `triage replay` says why")


def _learn(history: str | None, folder: str | None, url: str | None, now: int) -> None:
    """Let the store know everybody's track record, out of *history* or of what it has kept itself."""
    with opened_store(url) as store:
        policy = policy_in_force(store)
        with store.read() as unit:
            agents = unit.related.agents()
            events = _history(history) if history is not None else kept_events(unit)
        told = learned(events, policy if folder is None else virtual_policy(folder), now, agents)
        _send(store, told, now)
    cases = sum(about["n"] for event in told for name, about in event.changes["track"].items() if "/" not in name)
    who = counted(len(told), "person").replace("persons", "people")
    click.echo(f"the track records of {who} were taken in, out of {counted(cases, 'ended record')}")


def _history(path: str) -> list[Event]:
    events = []
    with Path(path).open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                events.append(parse_event(line))
            except IntakeError as cause:
                raise IntakeError(f"{path}:{number}: {cause.reason}", cause.record_id) from cause
    return sorted(events, key=lambda event: event.at)


def _target(text: str, policy: Policy) -> Target:
    kind, _, name = text.partition(":")
    kinds = {"agent": "user", "user": "user", "team": "team", "pool": "pool"}
    if kind not in kinds or not name:
        raise IntakeError(f"{text!r} names nobody: write agent:ID, team:NAME or pool:NAME")
    if kinds[kind] != "user":
        known_group(name, policy)
    return Target(kind=kinds[kind], name=name)


def known_group(name: str, policy: Policy) -> None:
    """Raise IntakeError where the policy has no team, pool or queue *name*."""
    groups = (*policy.directory.teams, *policy.directory.pools, *policy.directory.queues)
    if name not in groups:
        raise IntakeError(f"no team or pool {name!r}{did_you_mean(name, groups) or ': there are ' + ', '.join(groups)}")


def _owner(line: Line) -> str:
    return str(line.facts.item.fields.get("owner", ""))


def _send(store: Store, orders: list[Event], now: int) -> None:
    """Take *orders* in as what people say, and decide on them."""
    if not orders:
        return
    worker = open_worker(store, open_sink("store"))
    try:
        worker.ingest(orders, now, source="orders", live_from=0)
    finally:
        worker.close()


def _print_plan(plan: Plan, names: dict[str, str], records: int, most: int) -> None:
    click.echo(
        f"{counted(records, 'record')}, {len(names)} people: {len(plan.placed)} given out, {len(plan.staying)} stay "
        f"({plan.solver})"
    )
    if plan.greedy_total:
        gain = 100 * (plan.total / plan.greedy_total - 1)
        click.echo(
            f"score {plan.total:.2f}; one by one it would be {plan.greedy_total:.2f} with {plan.greedy_placed} "
            f"given out ({gain:+.1f} %)"
        )
    for remark in plan.remarks:
        click.echo(f"note: {remark}")
    click.echo()
    rows = [(one.key, names[one.agent], f"{one.score.total:.2f}", one.note) for one in plan.placed]
    print_table(("record", "to", "score", "why"), rows[:most], "nothing is given out")
    _rest(len(rows), most)
    if plan.staying:
        click.echo("\nstays in the queue:")
        print_table(("record", "why"), [(one.key, one.why) for one in plan.staying[:most]], "")
        _rest(len(plan.staying), most)
    click.echo("\nby person:")
    taken = Counter(one.agent for one in plan.placed)
    print_table(("to", "records"), [(names[name], count) for name, count in taken.most_common(most)], "nobody")


def _rest(count: int, most: int) -> None:
    if count > most:
        click.echo(f".. and {count - most} more: --all or --json has them")


def _table(path: str) -> str:
    """Return the text of a table."""
    if not Path(path).is_file():
        raise ConfigError(f"{path} does not exist: name a CSV file; --sample FOLDER writes two to begin with")
    return read_file(path)


def _write_sample(folder: Path) -> None:
    """Write both tables into *folder*, which may not be there yet; files of those names are left alone."""
    files = {folder / "leads.csv": leads(), folder / "agents.csv": reps()}
    there = [path for path in files if path.exists()]
    if there:
        raise ConfigError(f"{there[0]} is there already: name another folder, or take it away")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in files.items():
            path.write_text(text, encoding="utf-8")
    except OSError as cause:
        raise ConfigError(f"{folder} cannot be written: {cause.strerror}") from cause
    named = " ".join(f"{option} {path}" for option, path in zip(("--waiting", "--agents"), files, strict=True))
    click.echo(f"written; now: triage route {named} --policy optimal --at {format_instant(AT)}")


def _simulated(seeds: int, plot: str | None, as_json: bool) -> None:
    day = Day()
    found: list[Result] = [simulate(match, seed, day) for seed in range(1, seeds + 1) for match in POLICIES]
    if plot is not None:
        try:
            Path(plot).write_text(svg(found), encoding="utf-8")
        except OSError as cause:
            raise ConfigError(f"{plot} cannot be written: {cause.strerror}") from cause
    if as_json:
        print_json([msgspec.structs.asdict(one) for one in found])
        return
    click.echo(
        f"A day of the sample organisation, {counted(seeds, 'seed')}; the median of the seeds, least and most:\n"
    )
    print_table(("", *POLICIES), table(found), "")
    click.echo("\nAssumed:")
    for line in day.assumptions():
        click.echo(f"  {line}")
    if plot is not None:
        click.echo(f"\ndrawn in {plot}")
