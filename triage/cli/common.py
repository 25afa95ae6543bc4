"""What every command shares: the `--json` switch, tables, progress, and errors as one sentence with exit code 2."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TextIO, TypeVar

import click
import msgspec
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from triage.config import Settings, load_policy, read_folder
from triage.domain.instant import DAY, format_instant, parse_duration, parse_instant
from triage.errors import ConfigError, Fault, IntakeError, StoreError, TriageError
from triage.intake.text import did_you_mean, show
from triage.logs import LEVELS
from triage.policy import Policy, compile_policy
from triage.ports import EffectFilter, Record, Store, Unit, record_key
from triage.rules.document import PolicyDocument
from triage.wiring import open_store

OK, FINDINGS, BAD_INPUT = 0, 1, 2
"""Exit codes: all well; the command worked and found something; the input was refused."""

MOST_MILLIS = 36_525 * DAY
"""The longest duration that an option takes, in ms: a hundred years; what lies beyond is a slip of the hand."""

UNLIMITED = 100_000
"""Columns of an output that is no terminal."""

F = TypeVar("F", bound=Callable[..., Any])


def duration(text: str) -> int:
    """Return what an option says, such as `30d`, in ms: its `type`. None, or over a hundred years, is a usage error."""
    try:
        millis = parse_duration(text)
    except ValueError:
        raise click.BadParameter(f"{show(text)} is no duration: write 30d, 12h or 15m") from None
    if millis > MOST_MILLIS:
        raise click.BadParameter(f"{show(text)} is more than a hundred years: write 30d, 12h or 15m")
    return millis


def as_json(command: F) -> F:
    """Add `--json` to *command*: one JSON object or line instead of text for people."""
    return click.option("as_json", "--json", is_flag=True, help="Print JSON instead of text.")(command)


def always_json(command: F) -> F:
    """Add `--json` to *command*, which prints JSON whether it is asked or not."""
    return click.option("--json", is_flag=True, expose_value=False, help="Print JSON; this command always does.")(
        command
    )


def policy_option(command: F) -> F:
    """Add `--policy` to *command*: the folder of policy files, TRIAGE_POLICY where it is not given."""
    return click.option(
        "--policy", "folder", type=click.Path(), default=None, help="Folder of policy files [default: TRIAGE_POLICY]."
    )(command)


def policy_folder(folder: str | None) -> str:
    """Return the folder asked for, or the one of the environment."""
    return folder or Settings.from_environment().policy


def read_policy(folder: str | None) -> PolicyDocument:
    """Return the checked policy of *folder*; its faults name the folder, so that an editor can jump there."""
    root = policy_folder(folder)
    try:
        return load_policy(read_folder(root))
    except ConfigError as cause:
        if not cause.faults:
            raise
        raise ConfigError([Fault(f"{root}/{f.file}", *f[1:]) for f in cause.faults]) from cause


def virtual_policy(folder: str | None) -> Policy:
    """Return the policy of *folder* as a replay has it: every rule acts, nothing reaches the outside."""
    return compile_policy(read_policy(folder), virtual=True)


def print_json(value: object, out: TextIO | None = None) -> None:
    """Print *value* as one compact JSON line with sorted keys; the same value gives the same bytes."""
    stream = sys.stdout if out is None else out
    stream.write(msgspec.json.encode(value, order="sorted", enc_hook=str).decode() + "\n")


def say(text: str, value: Mapping[str, object], as_json: bool) -> None:
    """Print what a command did: the sentence *text*, or *value* as one JSON line."""
    if as_json:
        print_json(value)
    else:
        click.echo(text)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> None:
    """Print *rows* under *columns*, or the sentence *empty* where there are none. Cells are plain text, not markup."""
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    cells = [[cell(value) for value in row] for row in rows]
    if not cells:
        click.echo(empty)
        return
    # In a pipe nothing limits a line, unless COLUMNS says so.
    width = shutil.get_terminal_size((UNLIMITED, 24)).columns
    if _least_width(columns, cells) > width:
        # Ids, keys and instants are of no use cut short or in pieces.
        click.echo("\n\n".join(_stacked(columns, row) for row in cells))
        return
    for row in cells:
        table.add_row(*map(Text, row))
    Console(highlight=False, width=width).print(table)


def _least_width(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Return how wide a table is at least where no word is cut."""
    words = [[title, *(word for row in rows for word in row[at].split())] for at, title in enumerate(columns)]
    return sum(max(map(cell_len, found)) + 2 for found in words)


def _stacked(columns: Sequence[str], row: Sequence[str]) -> str:
    """Return one row as lines, a title and its value each."""
    return "\n".join(f"{title}: {value}".removeprefix(": ") for title, value in zip(columns, row, strict=True) if value)


def cell(value: object) -> str:
    """Return a table cell: control characters out, nothing where nothing is known."""
    if value is None:
        return "-"
    return "".join(c if c.isprintable() else " " for c in str(value))


def counted(number: int, what: str) -> str:
    """Return a number with its noun: `1 finding`, `2 findings`."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def instant_cell(instant: int | None) -> str:
    """Return an instant as text, `-` for none."""
    return "-" if instant is None else format_instant(instant)


@contextmanager
def progress(label: str, total: int | None, quiet: bool = False) -> Iterator[Callable[[int], None]]:
    """Give a function that moves a bar on standard error forward; no bar where that is not a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda step: bar.advance(task, step)


def fail(cause: TriageError, *, json: bool) -> None:
    """Print what was wrong on standard error: sentences, or the faults as one JSON object."""
    if json:
        faults = [fault._asdict() for fault in cause.faults] if isinstance(cause, ConfigError) else []
        body: Mapping[str, object] = {"error": str(cause), "faults": faults} if faults else {"error": str(cause)}
        print_json(body, sys.stderr)
        return
    lines = str(cause).splitlines() or [type(cause).__name__]
    click.echo("\n".join(lines), err=True)
    if isinstance(cause, ConfigError) and len(cause.faults) > 1:
        click.echo(f"{len(cause.faults)} faults", err=True)


def store_option(command: F) -> F:
    """Add `--db` to *command*: the store, TRIAGE_DATABASE_URL where it is not given."""
    return click.option(
        "--db",
        "url",
        default=None,
        help="Store: sqlite:///PATH or postgresql://.. [default: TRIAGE_DATABASE_URL].",
    )(command)


def sink_option(command: F) -> F:
    """Add `--sink` to *command*: where effects go, TRIAGE_SINK where it is not given."""
    text = (
        "Where effects go: store (nothing leaves), salesforce, jsonl:PATH, or a sinks file *.yaml [default: TRIAGE_SINK"
        " or store]."
    )
    return click.option("--sink", "sink", default=None, help=text)(command)


def watch_options(command: F) -> F:
    """Add `--watch`, `--settle` and `--keep` to *command*: a folder of files, and how they are treated."""
    for option in (
        click.option("--keep", is_flag=True, help="Leave files where they are [default: they are moved to DIR/done]."),
        click.option(
            "--settle",
            type=duration,
            default="2s",
            show_default=True,
            help="A file is complete when it has not changed for so long; 0s where files are only renamed into place.",
        ),
        click.option(
            "--watch",
            default=None,
            type=click.Path(file_okay=False),
            help="Take in *.jsonl and *.jsonl.gz files of DIR as they come, in the order of their names.",
            metavar="DIR",
        ),
    ):
        command = option(command)
    return command


def log_option(command: F) -> F:
    """Add `--log-level` to *command*: how much of its journal, JSON lines on standard error, is written."""
    return click.option(
        "--log-level",
        type=click.Choice(LEVELS),
        default="info",
        show_default=True,
        help="Write JSON lines from this level up to standard error.",
    )(command)


def signed(command: F) -> F:
    """Add `--by` and `--reason` to *command*: who did it and why, for the audit."""
    command = click.option("--reason", default="", help="Why; kept in the audit.")(command)
    return click.option("--by", "actor", default="cli", show_default=True, help="Who; kept in the audit.")(command)


@contextmanager
def opened_store(url: str | None, *, must_exist: bool = True) -> Iterator[Store]:
    """Open the store asked for, or the one of the environment, and close it at the end; none is made by mistake."""
    settings = Settings.from_environment()
    store = open_store(url or settings.database_url, settings.org, must_exist=must_exist)
    try:
        yield store
    finally:
        store.close()


def document_in_force(unit: Unit) -> PolicyDocument:
    """Return the document of the policy in force; raise StoreError where none has been published."""
    live = unit.policies.live()
    if live is None:
        raise StoreError("no policy is in force: publish one with `triage policy publish`")
    return load_policy(live.texts)


def known_rule(unit: Unit, name: str) -> None:
    """Raise IntakeError where the policy in force has no rule *name*, and none of that name has ever acted here."""
    rules = [rule.id for rule_set in document_in_force(unit).rule_sets for rule in rule_set.rules]
    if name in rules or unit.outbox.find(EffectFilter(rule=name, limit=1)):
        return
    near = did_you_mean(name, rules)
    raise IntakeError(f"no rule {name!r} in the policy in force{near or ': it has ' + ', '.join(sorted(rules))}")


def known_owner(unit: Unit, target: str) -> None:
    """Raise IntakeError where nobody and no queue that we know of is called *target*; where none are known, all are."""
    directory = document_in_force(unit).directory
    kind, _, name = target.rpartition(":")
    groups = [*directory.queues, *directory.pools, *directory.teams]
    people = [agent.id for agent in (*unit.related.agents(), *directory.agents)]
    if kind not in ("", "user", "queue", "pool", "team"):
        raise IntakeError(f"{target!r} is no owner: write a user's id, or queue:NAME")
    known = people if kind in ("", "user") else groups
    if kind == "" and name.startswith("00G"):
        # Salesforce's own ids of queues stand in no directory.
        return
    if not known or name in known or (kind == "" and name in groups):
        return
    if known is people and unit.records.dependents([record_key("agent", name)]):
        return
    what = "user" if known is people else "queue"
    raise IntakeError(
        f"no {what} {name!r} is known here{did_you_mean(name, known)}; --force sends it there all the same"
    )


def time_to_come(text: str | None, now: int) -> int | None:
    """Return the instant that *text* names, None for none; raise IntakeError where it has passed."""
    if text is None:
        return None
    instant = parse_instant(text)
    if instant <= now:
        raise IntakeError(f"{text} has passed: it is {format_instant(now)}")
    return instant


def record_of_option(unit: Unit, name: str) -> str:
    """Return the key of the record that `--record` names, an id alone or OBJECT/ID; "" where it was not given."""
    return name if not name or "/" in name else record_named(unit, name).key


def record_named(unit: Unit, name: str) -> Record:
    """Return the record that *name* means: `Case/500..`, or an id alone where the policy's objects tell it apart."""
    objects = document_in_force(unit).objects
    keys = [name] if "/" in name else [record_key(object_name, name) for object_name in objects]
    found = list(unit.records.get(keys).values())
    if len(found) == 1:
        return found[0]
    raise IntakeError(
        "no such record in the store" if not found else f"{len(found)} objects have this id: write OBJECT/ID", name
    )
