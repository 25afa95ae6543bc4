"""What every command shares: the `--json` switch, tables, progress, and errors as one sentence with exit code 2."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TextIO, TypeVar

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from triage.config import Settings, load_policy, read_folder
from triage.domain.instant import format_instant
from triage.errors import ConfigError, Fault, IntakeError, StoreError, TriageError
from triage.policy import Policy, compile_policy
from triage.ports import Record, Store, Unit, record_key
from triage.rules.document import PolicyDocument
from triage.wiring import open_store

OK, FINDINGS, BAD_INPUT = 0, 1, 2
"""Exit codes: all well; the command worked and found something; the input was refused."""

F = TypeVar("F", bound=Callable[..., Any])


def as_json(command: F) -> F:
    """Add `--json` to *command*: one JSON object or line instead of text for people."""
    return click.option("as_json", "--json", is_flag=True, help="Print JSON instead of text.")(command)


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


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> None:
    """Print *rows* under *columns*, or the sentence *empty* where there are none. Cells are plain text, not markup."""
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    count = 0
    for row in rows:
        count += 1
        table.add_row(*(Text(cell(value)) for value in row))
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty(), width=None if sys.stdout.isatty() else 200)
    console.print(table) if count else click.echo(empty)


def cell(value: object) -> str:
    """Return a table cell: control characters out, nothing where nothing is known."""
    if value is None:
        return "-"
    return "".join(c if c.isprintable() else " " for c in str(value))


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


def signed(command: F) -> F:
    """Add `--by` and `--reason` to *command*: who did it and why, for the audit."""
    command = click.option("--reason", default="", help="Why; kept in the audit.")(command)
    return click.option("--by", "actor", default="cli", show_default=True, help="Who; kept in the audit.")(command)


@contextmanager
def opened_store(url: str | None) -> Iterator[Store]:
    """Open the store asked for, or the one of the environment, and close it at the end."""
    settings = Settings.from_environment()
    store = open_store(url or settings.database_url, settings.org)
    try:
        yield store
    finally:
        store.close()


def record_named(unit: Unit, name: str) -> Record:
    """Return the record that *name* means: `Case/500..`, or an id alone where the policy's objects tell it apart."""
    live = unit.policies.live()
    if live is None:
        raise StoreError("no policy is in force: publish one with `triage policy publish`")
    objects = load_policy(live.texts).objects
    keys = [name] if "/" in name else [record_key(object_name, name) for object_name in objects]
    found = list(unit.records.get(keys).values())
    if len(found) == 1:
        return found[0]
    raise IntakeError(
        "no such record in the store" if not found else f"{len(found)} objects have this id: write OBJECT/ID", name
    )
