"""Commands about the outside sinks: what they are, and one test message."""

from __future__ import annotations

import hashlib

import click
from msgspec.structs import replace

from triage.actions.message import limits
from triage.cli.common import as_json, policy_option, print_json, print_table, read_policy, sink_option
from triage.config import Settings, read_file, read_secret
from triage.domain.decision import Action
from triage.domain.instant import format_instant
from triage.domain.message import Message
from triage.errors import ConfigError
from triage.rules.document import PolicyDocument
from triage.sinks.opening import open_one
from triage.sinks.settings import SinkSettings, SinksFile, read_sinks
from triage.wiring import SINKS_FILE, SystemClock


@click.group()
def sinks() -> None:
    """Look at the sinks of a sinks file, or send a test message."""


@sinks.command("list")
@sink_option
@as_json
def sinks_list(sink: str | None, as_json: bool) -> None:
    """Show every sink, what is routed to it, and who is told of decisions. Nothing is sent."""
    _, found = _sinks_file(sink)
    rows = [(one.sink, found.sinks[one.sink].kind, ", ".join(one.kinds), ", ".join(one.to)) for one in found.routes]
    if as_json:
        for name, kind, kinds, to in rows:
            print_json({"sink": name, "kind": kind, "actions": kinds, "to": to})
        for told in found.decisions:
            print_json({"sink": told.sink, "decisions": told.events, "webhook": told.webhook, "rules": told.rules})
        return
    print_table(
        ("sink", "kind", "actions", "to"),
        [(*row[:2], row[2] or "all", row[3] or "anybody") for row in rows],
        "no routes",
    )
    for told in found.decisions:
        rules = ", ".join(told.rules) or "all rules"
        click.echo(f"{told.sink} tells {told.webhook} of decisions of {rules}: {', '.join(told.events)}")


@sinks.command("test")
@click.argument("name")
@click.option("--to", default="", help="Whom: address:you@example.com, role:NAME, webhook:NAME. Chat needs none.")
@click.option("--yes", is_flag=True, help="Send without asking.")
@sink_option
@policy_option
@as_json
def sinks_test(name: str, to: str, yes: bool, sink: str | None, folder: str | None, as_json: bool) -> None:
    """
    Send one test message through the sink NAME, after showing it and asking.

    The policy's allow-lists hold for it as for any other message.
    """
    file, found = _sinks_file(sink)
    if name not in found.sinks:
        raise ConfigError(f"{file} has no sink {name!r}: known are {', '.join(found.sinks) or 'none'}")
    settings, now = Settings.from_environment(), SystemClock().now
    if settings.org not in found.organisations:
        raise ConfigError(f"organisation {settings.org!r} is not among the organisations of {file}")
    action, message = _trial(found.sinks[name], to, read_policy(folder), settings.org, now())
    if not as_json:
        click.echo(f"{name} ({found.sinks[name].kind}) to {to or 'its own place'}:\n{message.subject}\n{message.text}")
    if not yes:
        click.confirm("send it?", abort=True, err=True)
    opened = open_one(found.sinks[name], read_secret, now)
    try:
        receipt = opened.send(action, message)
    finally:
        opened.close()
    print_json({"sent": True, "detail": receipt.detail}) if as_json else click.echo(f"sent: {receipt.detail or 'done'}")


def _sinks_file(sink: str | None) -> tuple[str, SinksFile]:
    file = sink or Settings.from_environment().sink
    if not file.endswith(SINKS_FILE):
        raise ConfigError("name the sinks file: --sink configs/sinks.yaml, or TRIAGE_SINK")
    return file, read_sinks(file, read_file(file))


def _trial(sink: SinkSettings, to: str, document: PolicyDocument, org: str, now: int) -> tuple[Action, Message]:
    """Return a test action, new each time, and its words; the limits are the policy's, a customer is never one."""
    key = hashlib.sha256(f"test|{org}|{sink.name}|{to}|{now}".encode()).hexdigest()
    action = Action(
        object="Test", id="0", rule="triage-sinks-test", step="", position=0, kind="notify", target=to, due=now, at=now,
        episode="test", key=key,
    )  # fmt: skip
    if sink.kind == "webhook":
        action = replace(action, kind="custom", params={"with": {"test": True}})
    message = Message(
        org=org,
        subject="A test message of triage",
        text=f"The sink {sink.name!r} works. Sent at {format_instant(now)}; nobody has to do anything.",
        to=(to.removeprefix("address:"),) if to.startswith("address:") else (),
        webhooks=document.directory.webhooks,
        limits=limits(document.safety),
    )
    return action, message
