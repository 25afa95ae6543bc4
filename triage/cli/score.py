"""`triage score`: records of a file through the models at hand, one JSON line a record or a table."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import msgspec
import pyarrow as pa
import pyarrow.parquet as parquet

from triage.cli.common import as_json, policy_folder, print_table, progress
from triage.config import load_policy, read_folder
from triage.domain.instant import parse_instant
from triage.domain.schema import ObjectSpec
from triage.domain.work import Event, Scores, WorkItem
from triage.errors import ConfigError, IntakeError
from triage.intake.instants import read_instant
from triage.policy import compile_policy
from triage.ports import Scorer
from triage.scored import opened, rounded
from triage.scoring.together import FAMILIES
from triage.wiring import SystemClock, open_scorer

_BATCH = 500
_TIMES = ("CreatedDate", "created_at")


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
    Score every record of FILE (csv, JSON lines or parquet; gzip too).

    Columns are read by name: those the model does not know count for nothing, those it lacks count as missing. What the
    customer wrote is in the columns that the policy's field map calls subject and description.
    """
    families = _families(wanted)
    spec = _spec(folder, object_name)
    scorer = open_scorer(models or "")
    now = SystemClock().now() if instant is None else parse_instant(instant)
    rows = read_rows(file)
    lines = scored(rows, scorer, object_name, (id_column, time_column, tz), now, spec, families)
    if as_json:
        for line in _watched(lines, len(rows)):
            click.echo(json.dumps(line, ensure_ascii=False))
        return
    table = list(_watched(lines, len(rows)))
    print_table(
        ["Id", "Scores", "Why"], [[line["id"], _short(line["scores"]), _why(line)] for line in table], "no rows"
    )


def _families(text: str) -> tuple[str, ...]:
    """Return the families that *text* names; raise ConfigError where one is none."""
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    unknown = [name for name in names if name not in FAMILIES]
    if unknown:
        raise ConfigError(f"--scores: there is no {', '.join(unknown)}; there are {', '.join(FAMILIES)}")
    return names


def _spec(folder: str | None, object_name: str) -> ObjectSpec | None:
    """Return the field map of an object; None where nobody named a policy and there is none, or it lacks the object."""
    found = policy_folder(folder)
    if folder is None and not Path(found).is_dir():
        return None
    part = compile_policy(load_policy(read_folder(found))).objects.get(object_name)
    return None if part is None else part.spec


def read_rows(file: Path) -> list[dict[str, Any]]:
    """Return the records of *file*, told apart by its bytes; raise IntakeError, naming file and line."""
    data = file.read_bytes()
    if data[:4] == b"PAR1":
        try:
            found: list[dict[str, Any]] = parquet.read_table(pa.BufferReader(data)).to_pylist()
        except (pa.ArrowException, OSError) as cause:
            raise IntakeError(f"{file}: the parquet file is damaged: {str(cause).splitlines()[0]}") from cause
        return found
    try:
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as cause:
        raise IntakeError(f"{file}: neither UTF-8 text nor parquet, or a damaged gzip file") from cause
    if not text.strip():
        raise IntakeError(f"{file}: the file is empty")
    if text.lstrip()[0] == "{":
        return [_record(file, number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    return list(_csv_rows(file, text))


def scored(
    rows: list[dict[str, Any]], scorer: Scorer, object_name: str, columns: tuple[str, str, str], now: int,
    spec: ObjectSpec | None = None, wanted: tuple[str, ...] = (),
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """Give the scores of each of *rows* in order: id, scores, versions, reasons."""
    id_column, time_column, tz = columns
    for start in range(0, len(rows), _BATCH):
        batch = rows[start : start + _BATCH]
        items = [
            _item(row, start + at, object_name, (id_column, time_column, tz), now, spec)
            for at, row in enumerate(batch, 1)
        ]
        for (item, _), scores in zip(items, scorer.score(items, now, wanted), strict=True):
            yield _line(item, rounded(scores))


def _item(
    row: Mapping[str, Any], number: int, object_name: str, columns: tuple[str, str, str], now: int,
    spec: ObjectSpec | None,
) -> tuple[WorkItem, tuple[Event, ...]]:  # fmt: skip
    id_column, time_column, tz = columns
    names = [id_column] if id_column else ["Id", f"{object_name}Id", "id"]
    for name in (id_column, time_column):
        if name and name not in row:
            raise IntakeError(f"row {number}: there is no column {name!r}: it has {', '.join(map(str, row))}")
    found = next((str(row[name]) for name in names if row.get(name) is not None), f"row {number}")
    times = [time_column] if time_column else list(_TIMES)
    told = next((row[name] for name in times if row.get(name) not in (None, "")), None)
    return opened(object_name, found, _instant(told, tz, now, found), row, spec, now)


def _instant(told: Any, tz: str, now: int, record: str) -> int:
    if told is None:
        return now
    if isinstance(told, (int, float)) and not isinstance(told, bool):
        return int(told)
    try:
        return read_instant(told if isinstance(told, str) else told.isoformat(), zone=tz)
    except (IntakeError, AttributeError) as cause:
        raise IntakeError(f"its opening cannot be read: {cause}", record) from cause


def _line(item: WorkItem, scores: Scores) -> dict[str, Any]:
    line = {"id": item.id, "scores": scores.values, "model_versions": scores.model_versions, "reasons": scores.reasons}
    found: dict[str, Any] = msgspec.to_builtins(line)
    return found


def _record(file: Path, number: int, line: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.MsgspecError as cause:
        raise IntakeError(f"{file}, line {number}: not a JSON object: {cause}") from cause
    return found


def _csv_rows(file: Path, text: str) -> Iterator[dict[str, Any]]:
    reader = csv.DictReader(text.splitlines(keepends=True), restkey="\0")
    for row in reader:
        if "\0" in row:
            raise IntakeError(f"{file}, line {reader.line_num}: more cells than the header has")
        yield {name: value for name, value in row.items() if value not in (None, "")}


def _watched(lines: Iterator[dict[str, Any]], total: int) -> Iterator[dict[str, Any]]:
    """Give *lines*, with a bar on the error stream of a terminal."""
    with progress("scoring", total) as step:
        for line in lines:
            yield line
            step(1)


def _short(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.split('.', 1)[1]} {value}" for name, value in values.items())


def _why(line: Mapping[str, Any]) -> str:
    return "; ".join(reason for reasons in line["reasons"].values() for reason in reasons)
