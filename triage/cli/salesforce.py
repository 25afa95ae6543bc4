"""Commands about Salesforce: a sandbox organisation on this machine, and who acts on the real one."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from triage.cli.common import FINDINGS, as_json, policy_option, print_json, print_table, read_policy, say
from triage.config import salesforce_settings
from triage.doctor import Check
from triage.engine import PureEngine
from triage.ports import Store
from triage.publishing import Published
from triage.rules.document import PolicyDocument
from triage.sample import invent
from triage.wiring import SystemClock, open_deployment, open_salesforce, open_setup_rules, stop_on_signals

if TYPE_CHECKING:
    from triage.salesforce.sandbox import Sandbox


@click.command()
@click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), default=None, help="For certificates and keys."
)
@click.option("--seed", default=7, show_default=True, help="Which sample organisation moves in.")
@click.option(
    "--cases", default=20, show_default=True, type=click.IntRange(0, 200), help="How many open cases there are."
)
@click.option("--empty", is_flag=True, help="Nobody moves in.")
@as_json
def sandbox(folder: Path | None, seed: int, cases: int, empty: bool, as_json: bool) -> None:
    """
    Run a Salesforce organisation of our own on this machine until Ctrl-C, and say how to get in.

    It speaks the REST, Bulk 2.0 and Pub/Sub APIs over TLS on loopback, is as strict as the real one, and misbehaves
    when it is told to: POST {"kind": "unavailable", "match": "composite", "times": 3} to /sandbox/faults.
    """
    from triage.salesforce.sandbox import Sandbox

    clock = SystemClock()
    place = folder or Path(tempfile.mkdtemp(prefix="triage-sandbox-"))
    with Sandbox(place, clock.now) as found:
        if not empty:
            _fill(found, seed, cases)
        environment = found.environment()
        with stop_on_signals() as stop:
            if as_json:
                print_json({"environment": environment, "ca_bundle": str(found.authority.bundle), "pid": os.getpid()})
            else:
                click.echo("\n".join(f"export {name}={shlex.quote(value)}" for name, value in environment.items()))
                click.echo("# in another terminal: triage run --salesforce --sink salesforce")
            # Whoever started it waits for these lines.
            sys.stdout.flush()
            stop.wait()
    click.echo("stopped", err=True)


def _fill(found: Sandbox, seed: int, cases: int) -> None:
    """Let the sample organisation move in, with so many cases as if they came in now."""
    from triage.salesforce.sandbox.seeding import Story, move_in

    sample = invent(seed)
    move_in(found.org, sample)
    opened = [event for event in sample.events if event.type == "created" and event.object == "Case"]
    Story(found.org).write(opened[:cases])


@click.group()
def salesforce() -> None:
    """Look at the connected Salesforce organisation, and say which deployment acts on it."""


@salesforce.command("check")
@policy_option
@as_json
def salesforce_check(folder: str | None, as_json: bool) -> None:
    """Log in and look: organisation, fields, setup package, native automation, limits. Exit code 1 for trouble."""
    connection = hidden_connection()
    checks = salesforce_checks(read_policy(folder))
    if as_json:
        print_json({"connection": connection, "checks": checks})
    else:
        print_table(("", "what", "found", "to do"), [(c.mark, c.name, c.found, c.fix) for c in checks], "")
    if any(check.mark != "ok" for check in checks):
        raise SystemExit(FINDINGS)


@salesforce.command("take-over")
@click.option("--yes", is_flag=True, help="Do it without asking.")
@as_json
def salesforce_take_over(yes: bool, as_json: bool) -> None:
    """Make this deployment the one that acts on the organisation; stop the other one first."""
    clock = SystemClock()
    client = open_salesforce()
    try:
        identity = client.identity()
        if not yes:
            click.confirm(f"act on {identity.name} ({identity.organization_id}) from here?", abort=True, err=True)
        open_deployment(client).take_over(clock.now())
    finally:
        client.close()
    say("this deployment acts now", {"acts": True, "organization": identity.organization_id}, as_json)


def publish_setup_rules(
    store: Store, texts: Mapping[str, str], now: int, *, actor: str, reason: str, progress: Callable[[int], None]
) -> Published:
    """Publish *texts* with the rules of Salesforce's setup; standard error tells which records are not in force."""
    with open_setup_rules(store, PureEngine()) as rules:
        published, statuses = rules.publish(texts, now, actor=actor, reason=reason, progress=progress)
    for one in statuses:
        if one.state != "good":
            last = "its last good version stays" if one.state == "kept" else "no rule of it is in force"
            click.echo(f"{one.name}: {one.error}; {last}", err=True)
    return published


def hidden_connection() -> dict[str, Any]:
    """Return the settings of the connection without its secrets."""
    from triage.salesforce.settings import hidden

    client = open_salesforce()
    client.close()
    return hidden(client.connection)


def salesforce_checks(document: PolicyDocument) -> tuple[Check, ...]:
    """Return the checks of the connected organisation, none where none is connected."""
    if not salesforce_settings():
        return ()
    from triage.salesforce.checks import examine

    client = open_salesforce()
    try:
        found = examine(client, document, open_deployment(client), SystemClock().now())
    finally:
        client.close()
    return tuple(Check(name=one.name, mark=one.mark, found=one.found, fix=one.fix) for one in found)
