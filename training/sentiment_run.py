"""Sentiment for the command line: options in, tables read, a folder or figures out."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np
import pandas as pd

from training.sentiment import Wish, evaluate_sentiment, fit_sentiment
from training.tables import Table, read_table
from triage.errors import IntakeError
from triage.intake.text import did_you_mean
from triage.scoring.sealed import read_sealed
from triage.wiring import find_models

SECONDS = 480.0
"""Until fine-tuning has ended, where no other number is asked for: the rest has to fit in a quarter of an hour too."""


def fit_from_options(options: Mapping[str, Any], tell: Callable[[str], None] | None = None) -> dict[str, Any]:
    """
    Fit as the command line's *options* say, write the folder `out`, print what came of it, and return it.

    Raises:
        IntakeError: a file, column or label does not do, said in words.
    """
    if not options["target"]:
        raise IntakeError("name what to learn: --target COLUMN with negative, neutral, positive or 0, 1, 2")
    if not options["id_"]:
        raise IntakeError("--id is missing: name the column that tells records apart")
    table = read_table(
        options["data"], id=options["id_"], time=options.get("time"), tz=options.get("tz") or "UTC",
        text=tuple(options.get("text") or ()), also=tuple(options.get("also") or ()),
    )  # fmt: skip
    _need(table, options["target"])
    columns = table.text or (wordiest(table, options["target"]),)
    for column in columns:
        _need(table, column)
    notes = [*table.warnings, *([options["note"]] if options.get("note") else [])]
    found = fit_sentiment(
        texts_of(table, columns), table.frame[options["target"]].tolist(), Path(options["out"]),
        own=None if table.stacked is None else ~table.stacked, at=table.at, elapsed=_elapsed,
        wish=_wish(options, {"text": columns, "id": table.id, "time": table.time, "target": options["target"]}, notes),
        tell=tell or (lambda line: click.echo(f"  {line}", err=True)),
    )  # fmt: skip
    click.echo(_summary(found))
    return found


def _wish(options: Mapping[str, Any], columns: dict[str, Any], notes: list[str]) -> Wish:
    models = find_models()
    language = models / "language"
    shipped = Path(options["base"]) if options.get("base") else models / "sentiment"
    return Wish(
        base=shipped if options.get("base") or (shipped / "manifest.json").exists() else None,
        languages=language if language.is_dir() else None, coverage=float(options.get("coverage") or 0.9),
        seed=int(options.get("seed") or 7), notes=tuple(notes), columns=columns, name=Path(options["out"]).name,
        seconds=float(options.get("seconds") or SECONDS),
    )  # fmt: skip


def evaluate_from_options(folder: str, as_json: bool, options: Mapping[str, Any]) -> dict[str, Any]:
    """Print and return how the model in *folder* does on the rows that *options* name."""
    columns = read_sealed(Path(folder), "sentiment").manifest.get("columns") or {}
    table = read_table(
        options["data"], id=options["id_"] or columns.get("id") or _first(options), tz=options.get("tz") or "UTC"
    )
    _need(table, options["target"])
    texts = tuple(columns.get("text") or (wordiest(table, options["target"]),))
    for column in texts:
        _need(table, column)
    languages = find_models() / "language"
    found = evaluate_sentiment(
        Path(folder), texts_of(table, texts), table.frame[options["target"]].tolist(),
        languages=languages if languages.is_dir() else None,
    )  # fmt: skip
    click.echo(msgspec.json.encode(found).decode() if as_json else _figures(found["metrics"], found["rows"]))
    return found


def texts_of(table: Table, columns: tuple[str, ...]) -> list[str]:
    """Return the text of each row: its *columns*, one below the other, "" where all are missing."""
    parts = [table.frame[column].fillna("").astype(str).tolist() for column in columns]
    return ["\n".join(part for part in row if part) for row in zip(*parts, strict=True)]


def wordiest(table: Table, target: str) -> str:
    """Return the text column with the most words in its rows; raise IntakeError where there is none."""
    best, most = "", 3.0
    for name in table.columns:
        values = table.frame[name]
        if name == target or pd.api.types.is_numeric_dtype(values) or pd.api.types.is_datetime64_any_dtype(values):
            continue
        words = float(np.mean([len(str(value).split()) for value in values.dropna().head(500)] or [0]))
        if words > most:
            best, most = name, words
    if not best:
        raise IntakeError("no column holds sentences: name the one to read with --text")
    return best


def _first(options: Mapping[str, Any]) -> str:
    raise IntakeError(f"--id is missing: name the column of {Path(options['data'][0]).name} that tells records apart")


def _need(table: Table, column: str) -> None:
    if column not in table.frame:
        raise IntakeError(f"there is no column {column!r}{did_you_mean(column, table.frame.columns)}")


def _elapsed() -> float:
    return time.perf_counter()  # noqa: TID251  the budget of a run; nothing that a model learns from


def _summary(found: Mapping[str, Any]) -> str:
    lines = [f"{found['folder']}: {found['recipe']['kind']}, {found['bytes'] / 1e6:.1f} MB, version {found['version']}"]
    return "\n".join([*lines, _figures(found["metrics"], found["rows"]["held_out"])])


def _figures(metrics: Mapping[str, Mapping[str, float]], rows: int) -> str:
    lines = [f"on {rows:,} rows:"]
    for name, numbers in metrics.items():
        shown = f"{numbers['value']:.4f} ({numbers['low']:.4f} to {numbers['high']:.4f}; floor {numbers['floor']:.4f})"
        lines.append(f"  {name:13} {shown}")
    return "\n".join(lines)
