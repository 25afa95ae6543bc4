"""Files and options into rows ready to fit: targets read, leaks and exclusions out, features made, slices cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import numpy as np
import pandas as pd
from msgspec import Struct

from training.candidates import Rows
from training.columns import Columns, features_of, sort_columns, top_crosses
from training.encoders import fit_grams
from training.guards import Finding, find_leaks
from training.pasts import Pasts, aged, read_pasts
from training.splits import Split, split
from training.tables import Table, read_table
from training.target import Classes, read_classes
from triage.errors import IntakeError
from triage.features import FeatureSpec, FeatureTable
from triage.intake.text import did_you_mean, show

MOST_ROWS = 40_000
"""Rows that are fitted on; of a larger table the latest (or, without a time, every k-th by hash) are taken."""
RESERVED = ("y_*", "leak_*")
"""Columns called like targets and leaks of a benchmark are never features; the guard names them first."""
POSITIVES = 100
"""Rows of the rarest class below which no model may be promoted."""


class Request(Struct, frozen=True, kw_only=True):
    """What `fit` was asked for, as on the command line; see `triage-train fit --help`."""

    task: str
    data: tuple[str, ...]
    id: str
    out: str
    target: str = ""
    label: str = ""
    time: str | None = None
    tz: str = "UTC"
    text: tuple[str, ...] = ()
    amount: str = ""
    history: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    because: str = ""
    as_of: tuple[str, ...] = ()
    seed: int = 0
    coverage: float = 0.9
    segment: str = ""
    high_first: bool = False
    name: str = ""
    note: str = ""


@dataclass
class Prepared:
    """Rows ready to fit, and all that a card has to tell about how they came to be."""

    request: Request
    table: Table
    classes: Classes
    spec: FeatureSpec
    rows: Rows
    split: Split
    weights: np.ndarray
    at: np.ndarray | None
    amounts: np.ndarray | None
    columns: Columns
    findings: list[Finding]
    excluded: list[str]
    pasts: Pasts | None = None
    notes: list[str] = field(default_factory=list)


def prepare(request: Request) -> Prepared:
    """Return the rows of *request*; raise IntakeError, in words, where there is nothing sound to fit."""
    table, notes = _load(request)
    target = request.target
    _need_columns(table, request)
    classes = read_classes(table.frame[target], target)
    kept = classes.known
    amounts = None
    if request.amount:
        amounts, known = _amounts(table.frame[request.amount], classes, request.amount, notes)
        kept = np.intersect1d(kept, known)
    if len(kept) < len(table):
        notes.append(f"{len(table) - len(kept):,} rows without {target} (or its amount) were dropped")
    kept = _sampled(table, kept, notes)
    table = table.take(kept)
    classes = Classes(classes.codes[kept], classes.names, classes.ordinal)
    counts = np.bincount(classes.codes, minlength=len(classes.names))
    if (counts > 0).sum() < 2:
        raise IntakeError(f"{target}: only one class is left among {len(table):,} rows: there is nothing to tell apart")
    findings = _leaks(table, classes, request)
    excluded = _excluded(table, request, findings)
    columns = sort_columns(table, [name for name in table.columns if name not in excluded])
    pasts = read_pasts(request.history, table) if request.history else None
    groups = None
    if pasts is not None and request.as_of:
        table, at_rows, nows = aged(table, pasts, request.as_of, notes)
        classes = Classes(classes.codes[at_rows], classes.names, classes.ordinal)
        kept = kept[at_rows]
        groups = at_rows
        pasts = pasts.looking(nows)
    spec = _spec(request, table, columns, classes, pasts)
    features = features_of(table, spec, pasts)
    if not spec.category_names and not spec.number_names and not spec.texts:
        raise IntakeError(f"no column is left to learn from: {_reasons(columns, findings)}")
    cut = split(table, classes.codes, request.seed, groups)
    rows = Rows(features, fit_grams(features.texts), classes.codes, len(classes.names), classes.ordinal)
    return Prepared(
        *(request, table, classes, spec, rows, cut, np.ones(len(table))),
        at=table.at if cut.by_time else None,
        amounts=None if amounts is None else amounts[kept],
        columns=columns, findings=findings, excluded=excluded, pasts=pasts, notes=[*notes, *table.warnings, *cut.notes],
    )  # fmt: skip


def feature_table(table: Table, spec: FeatureSpec, pasts: Pasts | None = None) -> FeatureTable:
    """Return the features of *table* by *spec*."""
    return features_of(table, spec, pasts)


def _load(request: Request) -> tuple[Table, list[str]]:
    table = read_table(
        request.data, id=request.id, time=request.time, tz=request.tz, text=request.text, also=request.also
    )
    return table, []


def _need_columns(table: Table, request: Request) -> None:
    names = [str(name) for name in table.frame.columns]
    wanted = [("--target", request.target), ("--amount", request.amount), *(("--keep", name) for name in request.keep)]
    for option, name in wanted:
        if name and name not in names:
            near = did_you_mean(name, names)
            raise IntakeError(f"{option} {show(name)}: no such column{near or ': there are ' + ', '.join(names[:30])}")
    if request.keep and not request.because:
        raise IntakeError("--keep needs --because: say why the column is known before the outcome")


def _amounts(
    column: pd.Series, classes: Classes, name: str, notes: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Return each row's amount (0 where lost), and the positions of rows whose amount can be told."""
    amounts = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
    if np.isnan(amounts).all():
        raise IntakeError(f"--amount {name}: holds no number")
    if len(classes.names) != 2:
        raise IntakeError("--amount needs a target of two classes: won or not")
    lost = classes.codes == 0
    told = ~np.isnan(amounts)
    # Where lost rows carry an amount of 0, a lost row without one has not ended yet; where none do, it is simply empty.
    zero = bool((told & lost).any())
    known = told | (lost & ~zero)
    if zero and (lost & ~told).any():
        notes.append(f"{int((lost & ~told).sum()):,} rows are neither won nor carry {name}: still open, dropped")
    return np.where(lost, 0.0, np.nan_to_num(amounts)), np.flatnonzero(known)


def _sampled(table: Table, kept: np.ndarray, notes: list[str]) -> np.ndarray:
    if len(kept) <= MOST_ROWS:
        return kept
    notes.append(f"{len(kept):,} rows: the {'latest' if table.at is not None else 'evenly drawn'} {MOST_ROWS:,} are fitted on")
    if table.at is not None:
        return np.sort(kept[np.argsort(table.at[kept], kind="stable")[-MOST_ROWS:]])
    return np.sort(np.random.RandomState(0).permutation(kept)[:MOST_ROWS])


def _leaks(table: Table, classes: Classes, request: Request) -> list[Finding]:
    task = "classes" if len(classes.names) > 2 else "binary"
    return find_leaks(table, classes.codes.astype(float), task, target=request.target)


def _excluded(table: Table, request: Request, findings: list[Finding]) -> list[str]:
    """Return the columns that are no features, `--keep` winning over what was found."""
    out = {request.target, request.amount} | {found.column for found in findings if found.drop}
    out |= {name for name in table.columns for pattern in (*RESERVED, *request.exclude) if fnmatchcase(name, pattern)}
    return sorted(name for name in out if name and name not in request.keep)


def _spec(request: Request, table: Table, columns: Columns, classes: Classes, pasts: Pasts | None) -> FeatureSpec:
    texts = sorted(columns.texts, key=list(table.frame.columns).index)
    crosses = top_crosses(table, columns.categories, classes.codes.astype(float), most=15)
    timed = table.at is not None and not any("an order without" in note for note in table.warnings)
    return FeatureSpec(
        texts=tuple(texts),
        categories=tuple(columns.categories),
        numbers=tuple(columns.numbers),
        instants=tuple(columns.instants) if timed else (),
        crosses=crosses,
        clock=timed and _has_hours(table),
        age=bool(request.as_of),
        past=() if pasts is None or not request.as_of else pasts.fields,
        zone=request.tz if timed else "UTC",
    )


def _has_hours(table: Table) -> bool:
    """Return whether the rows' instants hold more than one hour of the day: dates alone tell no hour."""
    assert table.at is not None
    return len(np.unique((table.at // 3_600_000) % 24)) > 1


def _reasons(columns: Columns, findings: Sequence[Finding]) -> str:
    told = [f"{name}: {why}" for name, why in columns.left_out.items()]
    told += [f"{found.column}: known only after the outcome" for found in findings if found.drop]
    return "; ".join(told) or "the table has only the id and the target"
