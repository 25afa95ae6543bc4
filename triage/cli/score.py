"""`triage score`: records of a file through the models at hand, one JSON line a record or a table."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from triage.cli.common import as_json, policy_folder, print_table, progress
from triage.cli.rows import Rows, read_rows
from triage.cli.score_text import cells_of
from triage.config import load_policy, read_folder
from triage.domain.instant import format_instant, parse_instant
from triage.domain.schema import ObjectSpec
from triage.domain.work import Event, Scores, WorkItem
from triage.errors import ConfigError, IntakeError
from triage.intake.instants import EPOCH_SECONDS, date_order_of, load_zone, read_instant
from triage.intake.text import did_you_mean, show
from triage.policy import compile_policy
from triage.ports import Scorer
from triage.scored import TEXTS, opened, rounded
from triage.scoring.catalogue import fields_read
from triage.scoring.opening import QUICK
from triage.scoring.together import FAMILIES, SALES
from triage.wiring import SystemClock, find_models, open_scorer

_BATCH = 500
_TIMES = ("CreatedDate", "created_at")
_EPOCH = re.compile(r"\d{10}|\d{13}", re.ASCII)
_LOCAL = re.compile(r"\s*(\d{1,2}[./-]\d{1,2}[./-]\d{4}|\d{4}-\d{2}-\d{2})(?!.*(Z|[+-]\d{2}:?\d{2})\s*$)", re.ASCII)
_MODELLED = ("Case", *SALES)
_NAMED = 10
"""How many columns of a file are named where none is known."""


@click.command("score")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--models", default=None, type=click.Path(file_okay=False), help="Folder of models [default: TRIAGE_MODELS]."
)
@click.option("--object", "object_name", default="Case", show_default=True, help="What the rows are: Case, Lead, ..")
@click.option("--id", "id_column", default="", help="Column of the id [default: Id, else <Object>Id, else the row].")
@click.option("--time", "time_column", default="", help="Column of the opening [default: CreatedDate, else now].")
@click.option("--tz", default="UTC", show_default=True, help="Zone of instants that carry none.")
@click.option("--at", "instant", default=None, help="The instant to score at [default: now].")
@click.option("--scores", "wanted", default="", help="Only these, such as urgency,sentiment [default: all that fit].")
@click.option(
    "--policy",
    "folder",
    default=None,
    type=click.Path(),
    help="Policy whose field map counts [default: TRIAGE_POLICY].",
)
@as_json
def score_file(
    file: Path, models: str | None, object_name: str, id_column: str, time_column: str, tz: str, instant: str | None,
    wanted: str, folder: str | None, as_json: bool,
) -> None:  # fmt: skip
    """
    Score every record of FILE (csv with any usual separator, JSON lines or array, parquet; gzip too).

    Columns are read by name: those the model does not know count for nothing, those it lacks count as missing; a file
    without one that it knows is refused. What the customer wrote is in the columns that the policy's field map calls
    subject and description.
    """
    families = _families(wanted)
    load_zone(tz)
    spec = _spec(folder, object_name)
    now = SystemClock().now() if instant is None else parse_instant(instant)
    root = find_models(models or "")
    rows = read_rows(file)
    _read_dates(rows, tz, frozenset() if spec is None else frozenset(spec.by_source))
    scorer = open_scorer(models or "")
    _understood(file, rows, _read_by(root, scorer.asked(object_name, families), rows, spec))
    lines = scored(rows.records, scorer, object_name, (id_column, time_column, tz), now, spec, families)
    if as_json:
        for line in _watched(lines, len(rows.records)):
            click.echo(json.dumps(line, ensure_ascii=False))
        return
    print_table(*cells_of(_watched(lines, len(rows.records))), "no rows")


def _families(text: str) -> tuple[str, ...]:
    """Return the families that *text* names; raise ConfigError where one is none."""
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    unknown = [name for name in names if name not in FAMILIES]
    if unknown:
        raise ConfigError(f"--scores: there is no {', '.join(unknown)}; there are {', '.join(FAMILIES)}")
    return names


def _spec(folder: str | None, object_name: str) -> ObjectSpec | None:
    """
    Return the field map of an object; None where nobody named a policy and there is none, or it lacks the object.

    An object that neither the policy nor the models were made for is refused: most likely its name is mistyped.
    """
    found = policy_folder(folder)
    named = folder is not None or Path(found).is_dir()
    objects = compile_policy(load_policy(read_folder(found))).objects if named else {}
    known = sorted({*_MODELLED, *objects})
    if object_name not in known:
        near = did_you_mean(object_name, known) or f": there are {', '.join(known)}"
        raise ConfigError(f"--object: neither the policy nor the models know {show(object_name)}{near}")
    return objects[object_name].spec if object_name in objects else None


def _read_by(root: Path, families: frozenset[str], rows: Rows, spec: ObjectSpec | None) -> frozenset[str]:
    """Return the columns that count for *families*, as the API tells them, and those that hold the customer's words."""
    read = fields_read(root)
    known = frozenset().union(*(read[family] for family in families))
    if families <= QUICK:
        # These read the CRM's own names alone.
        return known
    if spec is None:
        return known.union(name for name in rows.columns if name.casefold() in TEXTS)
    return known.union(field.source for field in spec.fields if field.name in TEXTS)


def _understood(file: Path, rows: Rows, known: frozenset[str]) -> None:
    """Raise IntakeError where no column of *rows* is *known*: what the models would say has nothing to do with it."""
    if not rows.columns or not known or not known.isdisjoint(rows.columns):
        return
    seen = ", ".join(show(name) for name in rows.columns[:_NAMED])
    more = f" and {len(rows.columns) - _NAMED} more" if len(rows.columns) > _NAMED else ""
    raise IntakeError(
        f"{file}: no column is known to the models: it has {seen}{more}; they read {', '.join(sorted(known))}"
    )


def _read_dates(rows: Rows, tz: str, mapped: frozenset[str]) -> None:
    """
    Turn columns of local dates (`31.12.2025 14:05`) into instants, in place, where all of a column can be read.

    Training reads a file's columns so; columns that a field map names, casefolded in *mapped*, are read by it.
    """
    for name in rows.columns:
        if name.casefold() in mapped:
            continue
        cells = [row.get(name) for row in rows.records]
        told = [cell for cell in cells if cell not in (None, "")]
        if not told or not all(isinstance(cell, str) and _LOCAL.match(cell) for cell in told):
            continue
        order = date_order_of(told)
        try:
            read = {cell: read_instant(str(cell), zone=tz, date_order=order) for cell in set(told)}
        except IntakeError:
            continue
        for row, cell in zip(rows.records, cells, strict=True):
            if cell in read:
                row[name] = format_instant(read[cell])


def scored(
    rows: list[dict[str, Any]], scorer: Scorer, object_name: str, columns: tuple[str, str, str], now: int,
    spec: ObjectSpec | None = None, wanted: tuple[str, ...] = (),
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """Give the scores of each of *rows* in order: id, scores, versions, reasons."""
    id_column, time_column, tz = columns
    order = date_order_of(row.get(name) for row in rows for name in ([time_column] if time_column else _TIMES))
    for start in range(0, len(rows), _BATCH):
        batch = rows[start : start + _BATCH]
        items = [
            _item(row, start + at, object_name, (id_column, time_column, tz, order), now, spec)
            for at, row in enumerate(batch, 1)
        ]
        for (item, _), scores in zip(items, scorer.score(items, now, wanted), strict=True):
            yield _line(item, rounded(scores))


def _item(
    row: Mapping[str, Any], number: int, object_name: str, columns: tuple[str, str, str, str], now: int,
    spec: ObjectSpec | None,
) -> tuple[WorkItem, tuple[Event, ...]]:  # fmt: skip
    id_column, time_column, tz, order = columns
    names = [id_column] if id_column else ["Id", f"{object_name}Id", "id"]
    for name in (id_column, time_column):
        if name and name not in row:
            raise IntakeError(f"row {number}: there is no column {name!r}: it has {', '.join(map(str, row))}")
    found = next((str(row[name]) for name in names if row.get(name) is not None), f"row {number}")
    times = [time_column] if time_column else list(_TIMES)
    told = next((row[name] for name in times if row.get(name) not in (None, "")), None)
    return opened(object_name, found, _instant(told, tz, order, now, found), row, spec, now)


def _instant(told: Any, tz: str, order: str, now: int, record: str) -> int:
    if told is None:
        return now
    if isinstance(told, str) and _EPOCH.fullmatch(told):
        told = int(told)
    if isinstance(told, (int, float)) and not isinstance(told, bool):
        return int(told * 1000 if EPOCH_SECONDS[0] <= told <= EPOCH_SECONDS[1] else told)
    try:
        return read_instant(told if isinstance(told, str) else told.isoformat(), zone=tz, date_order=order)
    except (IntakeError, AttributeError) as cause:
        raise IntakeError(f"its opening cannot be read: {cause}", record) from cause


def _line(item: WorkItem, scores: Scores) -> dict[str, Any]:
    line = {"id": item.id, "scores": scores.values, "model_versions": scores.model_versions, "reasons": scores.reasons}
    found: dict[str, Any] = msgspec.to_builtins(line)
    return found


def _watched(lines: Iterator[dict[str, Any]], total: int) -> Iterator[dict[str, Any]]:
    """Give *lines*, with a bar on the error stream of a terminal."""
    with progress("scoring", total) as step:
        for line in lines:
            yield line
            step(1)
