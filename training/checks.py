"""Commands that judge what is there: a table's leaks, two models, a model's card, a model's drift."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np

from training.compare import compare, drift, verdict_text
from training.drift import as_json as drift_json
from training.drift import sentences
from training.gate import Threshold, thresholds_of
from training.guards import find_leaks
from training.maturity import open_rows
from training.options import Greedy, Many
from training.splits import split
from training.tables import read_table
from training.target import read_classes
from triage.config import load_policy, read_folder
from triage.errors import IntakeError

FINDINGS = 1
_FIELDS = {"urgency": "urgency.score", "lead-value": "lead.probability"}


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(part for part in (text or "").split(",") if part)


_DATA = click.option("--data", cls=Many, required=True, help="FILE..; further ones join on the id.")
_ID = click.option("--id", "id_", default="", help="The column that names a record [a model's: as in training].")
_TIME = click.option("--time", default=None, help="The column of the instant at which a row was known.")
_TZ = click.option("--tz", default="", help="Zone of instants that carry none.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


@click.command("audit-data", cls=Greedy)
@_DATA
@click.option("--target", required=True, help="The column to learn.")
@_ID
@_TIME
@_TZ
@click.option("--history", default=None, help="Field history: shows which values were written later.")
@_JSON
def audit_data(
    data: tuple[str, ...], target: str, id_: str, time: str | None, tz: str, history: str | None, as_json: bool
) -> None:
    """Name the columns that are known only after the outcome, with the evidence. Exit code 1 where there are any."""
    if not id_:
        raise IntakeError("--id is missing: name the column that tells records apart")
    table = read_table(data, id=id_, time=time, tz=tz or "UTC")
    if target not in table.frame.columns:
        raise IntakeError(f"--target {target}: no such column; there are {', '.join(map(str, table.frame.columns))}")
    classes = read_classes(table.frame[target], target)
    y = np.where(classes.codes < 0, np.nan, classes.codes.astype("float64"))
    past = None if history is None else read_history(history)
    found = find_leaks(table, y, "binary" if len(classes.names) == 2 else "classes", target=target, history=past)
    notes = [note for note in (*table.warnings, open_rows(table, y)[1], *split(table, y, 0).notes) if note]
    if as_json:
        rows = [{"column": one.column, "auc": one.auc, "evidence": one.evidence, "tokens": one.tokens} for one in found]
        _print({"rows": len(table), "leaks": rows, "notes": notes})
    else:
        click.echo("\n".join([f"{one.column}: {'; '.join(one.evidence)}" for one in found] or ["no column leaks"]))
        click.echo("\n".join(f"note: {note}" for note in notes))
    if found:
        raise click.exceptions.Exit(FINDINGS)


def read_history(path: str) -> Any:
    """Return a field history as a frame, as the guard takes it."""
    from training.files import read_file

    return read_file(Path(path)).frame


@click.command("compare", cls=Greedy)
@click.argument("champion", type=click.Path(path_type=Path, file_okay=False))
@click.argument("challenger", type=click.Path(path_type=Path, file_okay=False))
@_DATA
@click.option("--target", required=True, help="The column that says what came of the rows.")
@_ID
@_TIME
@_TZ
@click.option("--segments", default="", help="Columns whose segments are judged each by itself, A,B.")
@click.option("--policy", default=None, help="Folder of the live policy: its thresholds are replayed.")
@click.option("--field", default="", help="Score field that its rules look at [default: by the model's task].")
@_JSON
def compare_command(
    champion: Path, challenger: Path, data: tuple[str, ...], target: str, as_json: bool, **options: Any
) -> None:
    """
    Judge whether CHALLENGER may take the place of CHAMPION, on rows neither was fitted on; exit code 1 where not.

    The verdict is left as gate.json in CHALLENGER, where `triage models promote` looks for it.
    """
    thresholds: list[Threshold] = []
    if options["policy"]:
        from triage.scoring.folder import read_manifest

        field = options["field"] or _FIELDS.get(str(read_manifest(challenger).get("task")), "urgency.score")
        thresholds = thresholds_of(load_policy(read_folder(options["policy"])), field)
    verdict = compare(
        champion, challenger, data, target, id=options["id_"], time=options["time"], tz=options["tz"],
        segments=_words(options["segments"]), thresholds=thresholds,
    )  # fmt: skip
    if as_json:
        _print(msgspec.to_builtins(verdict))
    else:
        click.echo(verdict_text(verdict))
    if not verdict.passed:
        raise click.exceptions.Exit(FINDINGS)


@click.command("card")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def card_command(folder: Path) -> None:
    """Print the card of the model in FOLDER."""
    path = folder / "card.md"
    if not path.is_file():
        raise IntakeError(f"{folder}: there is no card.md in it: fit the model again")
    click.echo(path.read_text(encoding="utf-8"), nl=False)


@click.command("drift", cls=Greedy)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@_DATA
@click.option("--target", default="", help="The column that says what came of the rows, where it is known.")
@_ID
@_TIME
@_TZ
@_JSON
def drift_command(
    folder: Path, data: tuple[str, ...], target: str, id_: str, time: str | None, tz: str, as_json: bool
) -> None:
    """Say how far live rows have moved from those the model in FOLDER was calibrated on; exit code 1: fit it again."""
    found = drift(folder, data, target, id=id_, time=time, tz=tz)
    if as_json:
        _print(drift_json(found))
    else:
        click.echo("\n".join(sentences(found)))
    if found.retrain:
        raise click.exceptions.Exit(FINDINGS)


COMMANDS = (audit_data, compare_command, card_command, drift_command)
"""What `triage-train` adds to fit and evaluate."""


def _print(value: object) -> None:
    click.echo(msgspec.json.encode(value, order="sorted", enc_hook=str).decode())
