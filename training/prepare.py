"""Files and options into rows ready to fit: targets read, leaks and exclusions out, features made, slices cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pandas as pd
from msgspec import Struct

from training.candidates import Rows
from training.columns import Columns, features_of, sort_columns, top_crosses
from training.encoders import fit_grams
from training.guards import Finding, find_leaks
from training.instants import read_times
from training.labels import labelled, read_ages
from training.maturity import known_at, open_rows
from training.pasts import Pasts, aged, read_pasts
from training.splits import Split, split
from training.tables import Table, read_table
from training.target import FEWEST_OF_A_CLASS, Classes, read_classes, without_rare
from triage.domain.instant import DAY, HOUR
from triage.errors import IntakeError
from triage.features import FeatureSpec
from triage.features.spec import LATEST
from triage.features.values import as_level
from triage.intake.text import did_you_mean, show

MOST_ROWS = 32_000
"""Rows that are fitted on; of a larger table the latest (or, without a time, every k-th by hash) are taken."""
AGED_ROWS = 24_000
"""The same of records seen at several ages, which have more columns: what a minute is enough for."""
CROSSED_ROWS = 8_000
"""Rows below which pairs of categories are no features: too few rows hold any one pair."""
RESERVED = ("y_*", "leak_*")
"""Columns called like targets and leaks of a benchmark are never features; the guard names them first."""
_UNTIMED = "an instant counts as hours before the row's own: name that by --time"
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
    cut: str = ""
    immutable: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
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
    target: str
    pasts: Pasts | None = None
    dated: bool = False
    notes: list[str] = field(default_factory=list)


@dataclass
class Loaded:
    """Rows as they came, with what is known of each: the target, its weight, its past, its record."""

    table: Table
    target: str
    weights: np.ndarray
    notes: list[str]
    pasts: Pasts | None = None
    groups: np.ndarray | None = None
    amounts: np.ndarray | None = None
    duplicates: bool = True
    """Whether rows that say the same stay on one side of a split."""
    in_time: bool = True
    """Whether slices follow the table's time."""

    def take(self, at: np.ndarray) -> None:
        """Keep the rows *at* only."""
        self.table, self.weights = self.table.take(at), self.weights[at]
        self.groups = None if self.groups is None else self.groups[at]
        self.amounts = None if self.amounts is None else self.amounts[at]
        if self.pasts is not None and self.pasts.nows is not None:
            self.pasts = self.pasts.looking(self.pasts.nows[at])


def prepare(request: Request, loaded: Loaded | None = None) -> Prepared:
    """Return the rows of *request*, or of *loaded* ones; raise IntakeError where there is nothing sound to fit."""
    if loaded is None:
        loaded = _labels(request) if request.label else _load(request)
    _need_columns(loaded.table, request)
    classes = _known_rows(loaded, request)
    findings = find_leaks(
        loaded.table, classes.codes.astype(float), "classes" if len(classes.names) > 2 else "binary",
        target=loaded.target, protect=request.keep,
    )  # fmt: skip
    excluded = _excluded(loaded, request, findings)
    loaded.notes += _idle(loaded.table, request.exclude)
    columns = sort_columns(loaded.table, [name for name in loaded.table.columns if name not in excluded])
    if loaded.pasts is not None and request.as_of and not request.label:
        classes = _age(loaded, classes, request)
    ordered = _order(loaded, columns, classes)
    spec = _spec(request, loaded, columns, classes)
    columns.left_out |= {name: _UNTIMED for name in columns.instants if name not in spec.instants}
    if not spec.category_names and not spec.number_names and not spec.texts:
        raise IntakeError(f"no column is left to learn from: {_reasons(columns, findings)}")
    features = features_of(loaded.table, spec, loaded.pasts)
    in_order = loaded.table if ordered is None else replace(loaded.table, at=ordered, time=loaded.table.id)
    if not loaded.in_time:
        in_order = replace(in_order, at=None)
    cut = _slices(in_order, classes, loaded, request.seed)
    _need_slices(classes, cut)
    rows = Rows(
        features, fit_grams(features.texts), classes.codes, len(classes.names), classes.ordinal, len(spec.crosses),
        cut.codes,
    )  # fmt: skip
    return Prepared(
        *(request, loaded.table, classes, spec, rows, cut, loaded.weights),
        at=in_order.at if cut.by_time else None,
        amounts=loaded.amounts, columns=columns, findings=findings, excluded=excluded, pasts=loaded.pasts,
        target=loaded.target,
        notes=list(dict.fromkeys([*loaded.notes, *loaded.table.warnings, *cut.notes])),
        dated=ordered is None and cut.by_time,
    )  # fmt: skip


def _load(request: Request) -> Loaded:
    table = read_table(
        request.data, id=request.id, time=request.time, tz=request.tz, text=request.text, also=request.also
    )
    pasts = read_pasts(request.history, table) if request.history else None
    if pasts is None and any(age.strip() not in ("0h", "0m", "0d") for age in request.as_of):
        raise IntakeError("--as-of needs --history: without it nobody can tell how a record stood at a later age")
    return Loaded(table, request.target, np.ones(len(table)), [], pasts)


def _labels(request: Request) -> Loaded:
    """Return the rows that `--label` makes of an export's folder (or files of one folder, or an event log)."""
    source = Path(request.data[0])
    if len(request.data) > 1 and not source.is_dir():
        source = source.parent
    found = labelled(
        source, request.label, request.as_of or ("0h",), tz=request.tz, immutable=request.immutable, own=request.own
    )
    table = replace(found.table, text=request.text)
    notes = [*found.notes, *(f"{count:,} left out: {why}" for why, count in found.excluded.items())]
    pasts = Pasts(dict(found.events), found.fields, found.nows)
    return Loaded(table, found.target, found.weights, notes, pasts, found.groups)


def _known_rows(loaded: Loaded, request: Request) -> Classes:
    """Keep the rows whose target (and amount) is known, at most `MOST_ROWS`; return their classes."""
    table, target = loaded.table, loaded.target
    classes = read_classes(_own_classes(table, target, loaded.notes), target)
    if request.cut:
        classes = _as_known(loaded, classes, request.cut)
    kept = np.flatnonzero((classes.codes >= 0) & (loaded.weights > 0))
    if len(kept) < len(table):
        loaded.notes.append(f"{len(table) - len(kept):,} rows without a known {target} were dropped")
    unfinished, sentence = open_rows(table, np.where(classes.codes >= 0, classes.codes, np.nan).astype(float))
    if sentence:
        loaded.notes.append(sentence)
        kept = kept[~unfinished[kept]]
    if request.amount:
        loaded.amounts, known = _amounts(table.frame[request.amount], classes, request.amount, loaded.notes)
        kept = np.intersect1d(kept, known)
    aged_already = request.label and len(request.as_of) > 1
    kept = _sampled(table, kept, loaded.notes, AGED_ROWS if aged_already else MOST_ROWS)
    classes, kept = _common(loaded, classes, kept)
    loaded.take(kept)
    classes = Classes(classes.codes[kept], classes.names, classes.ordinal)
    if len(np.unique(classes.codes)) < 2:
        raise IntakeError(f"{target}: only one class is left among {len(kept):,} rows: there is nothing to tell apart")
    return classes


def _own_classes(table: Table, target: str, notes: list[str]) -> pd.Series:
    """Return the target without what only stacked rows say: they are to help with the table's own classes."""
    column = table.frame[target]
    if table.stacked is None or not table.stacked.any():
        return column
    levels = pd.Series([as_level(value) for value in column.tolist()])
    strange = table.stacked & ~levels.isin(levels[~table.stacked]).to_numpy() & (levels != "").to_numpy()
    if strange.any():
        notes.append(f"{int(strange.sum()):,} rows of --also have a {target} that the table has not: left out")
    return column.where(~strange)


def _common(loaded: Loaded, classes: Classes, kept: np.ndarray) -> tuple[Classes, np.ndarray]:
    """Return the classes that have rows enough to learn them, and those of the rows *kept* that are of one."""
    enough, rare = without_rare(classes, kept)
    if not rare:
        return classes, kept
    rows = len(kept) - len(enough)
    loaded.notes.append(
        f"{', '.join(rare)}: {rows} rows of classes with fewer than {FEWEST_OF_A_CLASS} were left out, nor is such a "
        "class ever said"
    )
    column = loaded.table.frame[loaded.target]
    known = np.zeros(len(column), dtype=bool)
    known[enough] = True
    return read_classes(column.where(known), loaded.target), enough


def _as_known(loaded: Loaded, classes: Classes, cut: str) -> Classes:
    """Return the *classes* as far as they were known at *cut*, and weigh the rows so that these stand for all."""
    if len(classes.names) != 2:
        raise IntakeError("--cut needs a target of two classes: of others nobody can tell which is overdue")
    at = int(read_times(pd.Series([cut], name="--cut", dtype="str"))[0][0])
    y, weights, notes = known_at(loaded.table, np.where(classes.codes < 0, np.nan, classes.codes.astype(float)), at)
    loaded.weights = loaded.weights * weights
    loaded.notes += notes
    return Classes(np.where(np.isnan(y), -1, y).astype(int), classes.names, classes.ordinal)


def _age(loaded: Loaded, classes: Classes, request: Request) -> Classes:
    """Put in place of each row one for each age at which it was still open; return their classes."""
    assert loaded.pasts is not None
    loaded.table, places, nows = aged(loaded.table, loaded.pasts, request.as_of, loaded.notes)
    if not len(places):
        raise IntakeError("no record was still open at any of these ages")
    loaded.weights = loaded.weights[places]
    loaded.amounts = None if loaded.amounts is None else loaded.amounts[places]
    loaded.pasts, loaded.groups = loaded.pasts.looking(nows), places
    # A record seen at several ages is several rows: the limit is of what is fitted on.
    kept = _sampled(loaded.table, np.arange(len(places)), loaded.notes, AGED_ROWS)
    loaded.take(kept)
    return Classes(classes.codes[places[kept]], classes.names, classes.ordinal)


def _order(loaded: Loaded, columns: Columns, classes: Classes) -> np.ndarray | None:
    """
    Return the rows' order as instants a day apart, where no time is given but a running number is.

    A whole number of its own in each row, along which the file is sorted, was given as rows came in. It is believed
    only where the target does not follow it: a file sorted by outcome is no order of time.
    """
    if loaded.table.at is not None or len(loaded.table) < 500:
        return None
    for name, why in columns.left_out.items():
        column = loaded.table.frame[name]
        if column.dtype.kind not in "iuf" or "names the row" not in why:
            continue
        values = column.to_numpy(dtype=float)
        steps = np.diff(values[~np.isnan(values)])
        if np.isnan(values).any() or not (np.all(steps > 0) or np.all(steps < 0)):
            continue
        if abs(np.corrcoef(values, classes.codes)[0, 1]) > 0.3:
            continue
        loaded.notes.append(f"no time given: {name} runs through the file, so its order stands for time")
        return np.asarray((np.argsort(np.argsort(values)) + 1) * DAY, dtype=np.int64)
    return None


def _slices(table: Table, classes: Classes, loaded: Loaded, seed: int) -> Split:
    """Return the slices of *table*; by hash where so much repeats that hardly a later row is new."""
    cut = split(table, classes.codes, seed, loaded.groups, duplicates=loaded.duplicates)
    if _poor(cut, classes):
        loaded.notes.append(
            "a class is too rare for slices in time, or too new: rows are dealt so that the slices have all of them"
        )
        return _dealt(replace(table, at=None), classes, cut, seed)
    if not cut.by_time or min(len(cut.choose), len(cut.calibrate)) >= 0.04 * len(table):
        return cut
    loaded.notes.append("nearly all later rows repeat earlier ones: slices go by groups of equal rows, not by time")
    return split(replace(table, at=None), classes.codes, seed, loaded.groups, duplicates=loaded.duplicates)


def _poor(cut: Split, classes: Classes) -> bool:
    """
    Return whether a slice lacks a class by chance: one so rare that fewer than five of its rows were to be there.

    One of several that the rows to fit lack altogether could not be told at all.
    """
    if len(classes.names) > 2 and len(np.unique(classes.codes[cut.fit])) < len(classes.names):
        return True
    rarest = float(np.bincount(classes.codes).min()) / len(classes.codes)
    return any(
        len(np.unique(classes.codes[rows])) < 2 and rarest * len(rows) < 5
        for rows in (cut.fit, cut.choose, cut.calibrate)
    )


def _dealt(table: Table, classes: Classes, cut: Split, seed: int) -> Split:
    """Return slices by hash under the first of 50 seeds that leaves no slice poor, else under the last."""
    stay = [note for note in cut.notes if "duplicates (" in note]
    for more in range(50):
        found = split(table, classes.codes, seed + more, cut.codes, duplicates=False)
        if not _poor(found, classes):
            break
    return replace(found, notes=(*stay, *found.notes))


def _need_slices(classes: Classes, cut: Split) -> None:
    """Raise IntakeError where a slice has one class only: nothing could be chosen or calibrated on it."""
    for name, rows in (("earliest", cut.fit), ("middle", cut.choose), ("latest", cut.calibrate)):
        if len(np.unique(classes.codes[rows])) < 2:
            raise IntakeError(
                f"the {name} slice ({len(rows):,} rows) holds one class only: too few of the rarer class"
                + (", or the rows are sorted by outcome in time" if cut.by_time else "")
                + "; add rows"
            )


def _need_columns(table: Table, request: Request) -> None:
    names = [str(name) for name in table.frame.columns]
    wanted = [("--target", request.target), ("--amount", request.amount), ("--segment", request.segment)]
    wanted += [("--keep", name) for name in request.keep]
    for option, name in wanted:
        if name and name not in names:
            near = did_you_mean(name, names)
            raise IntakeError(f"{option} {show(name)}: no such column{near or ': there are ' + ', '.join(names[:30])}")
    if request.keep and not request.because:
        raise IntakeError("--keep needs --because: say why the column is known before the outcome")


def _amounts(column: pd.Series, classes: Classes, name: str, notes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return each row's amount (0 where lost), and the positions of rows whose amount can be told."""
    amounts = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float)
    if np.isnan(amounts).all():
        raise IntakeError(f"--amount {name}: holds no number")
    if len(classes.names) != 2:
        raise IntakeError("--amount needs a target of two classes: won or not")
    lost = classes.codes == 0
    if not (amounts[classes.codes == 1] > 0).any():
        raise IntakeError(f"--amount {name}: no row that was won carries an amount above zero")
    told = ~np.isnan(amounts)
    # Where lost rows carry an amount of 0, a lost row without one has not ended yet; where none do, it is simply empty.
    zero = bool((told & lost).any())
    known = told | (lost & ~zero)
    if zero and (lost & ~told).any():
        notes.append(f"{int((lost & ~told).sum()):,} rows are neither won nor carry {name}: still open, dropped")
    return np.where(lost, 0.0, np.nan_to_num(amounts)), np.flatnonzero(known)


def _sampled(table: Table, kept: np.ndarray, notes: list[str], most: int = MOST_ROWS) -> np.ndarray:
    if len(kept) <= most:
        return kept
    notes.append(
        f"{len(kept):,} rows: the {'latest' if table.at is not None else 'evenly drawn'} {most:,} are fitted on"
    )
    if table.at is not None:
        return np.sort(kept[np.argsort(table.at[kept], kind="stable")[-most:]])
    return np.sort(np.random.RandomState(0).permutation(kept)[:most])


def _excluded(loaded: Loaded, request: Request, findings: list[Finding]) -> list[str]:
    """Return the columns that are no features, `--keep` winning over what was found."""
    table = loaded.table
    out = {loaded.target, request.amount} | {found.column for found in findings if found.drop}
    out |= {name for name in table.columns for pattern in (*RESERVED, *request.exclude) if fnmatchcase(name, pattern)}
    return sorted(name for name in out if name and name not in request.keep)


def _idle(table: Table, patterns: Sequence[str]) -> list[str]:
    """Return a sentence for each of the *patterns* to leave out that no column bears: most likely it is mistyped."""
    names = [str(name) for name in table.frame.columns]
    return [
        f"--exclude {pattern}: no column is called so"
        for pattern in patterns
        if not any(fnmatchcase(name, pattern) for name in names)
    ]


def _spec(request: Request, loaded: Loaded, columns: Columns, classes: Classes) -> FeatureSpec:
    table, pasts = loaded.table, loaded.pasts
    texts = sorted(columns.texts, key=list(table.frame.columns).index)
    crosses = top_crosses(table, columns.categories, classes.codes.astype(float), most=15)
    if len(table) < CROSSED_ROWS:
        crosses = ()
    aging = (
        pasts is not None and pasts.nows is not None and table.at is not None and bool((pasts.nows > table.at).any())
    )
    contacts = aging and pasts is not None and any(e.type == "message" for past in pasts.events.values() for e in past)
    texts += [LATEST] if contacts else []
    timed = table.at is not None and not any("an order without" in note for note in table.warnings)
    return FeatureSpec(
        texts=tuple(texts),
        categories=tuple(columns.categories),
        numbers=tuple(columns.numbers),
        instants=tuple(columns.instants) if timed else (),
        crosses=crosses,
        clock=timed and _has_hours(table),
        age=aging,
        ages=tuple(sorted(age / HOUR for age in read_ages(request.as_of).values())) if aging and request.as_of else (),
        past=pasts.fields if aging and pasts is not None else (),
        contacts=contacts,
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
