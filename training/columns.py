"""Which column becomes which feature, decided from training rows; and a table's rows as records for `features/`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from training.pasts import Pasts
from training.tables import NO_TIME, Table
from triage.domain.work import Event, WorkItem
from triage.features import FeatureSpec, FeatureTable, extract_features
from triage.features.text import words_of
from triage.features.values import as_number

FEW_LEVELS = 40
"""Whole numbers with at most so many values are read as levels too: they are often codes."""
_IDENTIFIER = 0.9
"""From this share of distinct values on, a column of short text names the row and says nothing of its like."""


@dataclass
class Columns:
    """The columns by kind, and why others are left out: name -> sentence."""

    texts: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    instants: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


def sort_columns(table: Table, columns: Sequence[str]) -> Columns:
    """Return *columns* of *table* by the kind of feature they become."""
    found = Columns()
    for name in columns:
        _sort_one(table, name, found)
    return found


def _sort_one(table: Table, name: str, found: Columns) -> None:
    column = table.frame[name]
    known = column.dropna()
    distinct = known.nunique()
    if name in table.text:
        found.texts.append(name)
    elif not len(known):
        found.left_out[name] = "empty in every row"
    elif distinct == 1 and len(known) == len(column):
        found.left_out[name] = "the same in every row"
    elif column.dtype.kind == "M":
        found.instants.append(name)
    elif column.dtype.kind in "iuf":
        _sort_numbers(name, known, distinct, found)
    else:
        _sort_text(name, known.astype(str), distinct, found)


def _sort_numbers(name: str, known: pd.Series, distinct: int, found: Columns) -> None:
    whole = bool((known % 1 == 0).all())
    if whole and distinct == len(known) and distinct > 200 and _numbered(known.to_numpy(float)):
        found.left_out[name] = "a number of its own in every row: it names the row"
        return
    found.numbers.append(name)
    if whole and distinct <= FEW_LEVELS:
        found.categories.append(name)


def _numbered(values: np.ndarray) -> bool:
    """
    Return whether *values*, whole and each its own, were dealt out: in order, or too many for chance to part them all.

    Of n drawn from a range r two are surely alike where n * n / 2 is several times r; incomes of 300 people are not.
    """
    steps = np.diff(values)
    in_order = bool(np.all(steps > 0) or np.all(steps < 0))
    return in_order or len(values) ** 2 / 2 > 3 * float(values.max() - values.min() + 1)


def _sort_text(name: str, known: pd.Series, distinct: int, found: Columns) -> None:
    sample = known.iloc[:: max(1, len(known) // 500)]
    if _is_json(sample):
        found.left_out[name] = "free JSON is not read: name the fields that matter as columns of their own"
        return
    words = float(np.mean([len(words_of(text[:500])) for text in sample]))
    own = distinct / len(known)
    numeric = float(np.mean([not math.isnan(as_number(cell)) for cell in sample]))
    if words >= 3 and own > 0.3 and distinct > 50:
        found.texts.append(name)
    elif numeric > 0.9 and distinct > FEW_LEVELS and not _coded(sample):
        found.numbers.append(name)
    elif own > _IDENTIFIER and distinct > 200:
        found.left_out[name] = "a value of its own in nearly every row: it names the row"
    else:
        found.categories.append(name)
        if numeric > 0.5 and distinct > FEW_LEVELS and not _coded(sample):
            found.numbers.append(name)


def _coded(sample: pd.Series) -> bool:
    """Return whether whole numbers of *sample* are rather codes than amounts: every one without a point or minus."""
    return bool(sample.str.fullmatch(r"\d+").mean() > 0.95)


def _is_json(sample: pd.Series) -> bool:
    braces = sample.str.strip().str.match(r"^[\[{].*[\]}]$")
    if braces.mean() < 0.8:
        return False
    try:
        json.loads(sample[braces].iloc[0])
    except ValueError:
        return False
    return True


def top_crosses(table: Table, categories: Sequence[str], y: np.ndarray, most: int) -> tuple[tuple[str, str], ...]:
    """
    Return all pairs of the few *categories* that tell the target best alone, at most *most* pairs.

    How well a category tells is the variance between its levels' smoothed means over the variance of *y* (numbers).
    """
    spread = float(np.var(y)) or 1.0
    strength: dict[str, float] = {}
    for name in categories:
        codes, _ = pd.factorize(table.frame[name].astype(object), use_na_sentinel=False)
        counts = np.bincount(codes)
        if len(counts) < 2 or len(counts) > len(y) * 0.5:
            continue
        means = (np.bincount(codes, y) + 20 * y.mean()) / (counts + 20)
        strength[name] = float(np.sum(counts * (means - y.mean()) ** 2) / len(y) / spread)
    best = sorted(strength, key=lambda name: (-strength[name], name))
    best = [name for name in best if strength[name] > 0.002]
    pairs = [(best[one], best[other]) for other in range(len(best)) for one in range(other)]
    return tuple(pairs[:most])


def table_items(
    table: Table, columns: Sequence[str], pasts: Pasts | None
) -> Iterator[tuple[WorkItem, Sequence[Event]]]:
    """Give each row of *table* as a record with *columns* as its fields, born at the row's time, with its own past."""
    values = [_plain(table.frame[name]) for name in columns]
    ids = table.frame[table.id].tolist()
    born = [0] * len(ids) if table.at is None else [at if at != NO_TIME else 0 for at in table.at.tolist()]
    past = pasts.events if pasts is not None and pasts.nows is not None else {}
    for at, (name, *cells) in enumerate(zip(ids, *values, strict=True)):
        known = zip(columns, cells, strict=True)
        fields = {column: cell for column, cell in known if cell is not None and cell == cell}
        item = WorkItem(object="Row", id=str(name), created_at=born[at], fields=fields)
        yield item, past.get(str(name), ())


def features_of(table: Table, spec: FeatureSpec, pasts: Pasts | None = None) -> FeatureTable:
    """Return the features of *table* by *spec*; columns that it lacks are missing in every row."""
    have = [name for name in spec.columns if name in table.frame.columns]
    if pasts is not None and pasts.nows is not None:
        nows = pasts.nows.tolist()
    else:
        nows = [0] * len(table) if table.at is None else table.at.tolist()
    return extract_features(table_items(table, have, pasts), nows, spec)


def _plain(column: pd.Series) -> list[object]:
    if column.dtype.kind == "M":
        # Instants live as whole milliseconds inside, as everywhere in triage.
        ms = column.astype("datetime64[ms, UTC]").astype("int64").tolist()
        return [None if missing else at for at, missing in zip(ms, column.isna().tolist(), strict=True)]
    return column.astype(object).tolist()
