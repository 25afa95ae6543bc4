"""Columns that are known only after the outcome: found by evidence, named, and dropped from the features."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from training.artefacts import Artefact, find_artefact, is_wordy
from training.evidence import (
    FOLDS,
    binary_views,
    codes_of,
    column_auc,
    column_aucs,
    filled_for_one_class,
    missing_auc,
    out_of_fold,
    pure_share,
    steepness,
    strength,
)
from training.maturity import open_rows
from training.names import UNSURE, Saying, saying_of, words_of_name
from training.rest import rest_auc
from training.tables import NO_TIME, Table

Task = Literal["binary", "classes", "number"]

_DONE = re.compile(
    r"(?i)\b(un)?(closed|resolved|done|completed?|cancel|won|lost|converted|solved|finished|check-?out|no-?show|paid|"
    r"charged|rejected|approved|declined|expired|delivered|returned|refunded|shipped|churned|left)"
)
_AHEAD = frozenset({
    "due", "target", "planned", "expected", "appointment", "arrival", "departure", "scheduled", "schedule", "promised",
    "requested", "renewal", "expiry", "expiration", "expires", "deadline", "travel", "flight", "valid", "until",
})  # fmt: skip
"""Words of instants that lie ahead of a row and are known from its beginning."""
_ROWS = 40_000
_CERTAIN = 0.99
_HIGH = 0.85
_STARK = 0.9
_ODD = 0.85
_GRADUAL = 0.93
_STEEP = 0.94
_EASY = 0.95
_GAP = 1.6
_LATE = 0.5


@dataclass(frozen=True)
class Finding:
    """
    One column that tells the outcome because it was written after it, or by it.

    Attributes:
        column: Its name; for an artefact in text the text column's.
        evidence: What was found, as sentences for the person who has to judge it, the strongest first.
        drop: Whether an unattended fit leaves the column out: False where a person keeps it.
        tokens: Tokens of a text column that one class has and the other never.
        auc: What the column reaches alone on rows left out, 0.5-1.
    """

    column: str
    evidence: tuple[str, ...]
    drop: bool = True
    tokens: tuple[str, ...] = ()
    auc: float = 0.5


class _Column(NamedTuple):
    """
    One column under suspicion: its codes, what it reaches alone, what its name says.

    `auc` is that of the class it tells best, `typical` the mean of all classes: a good column tells the ends of a
    scale well, one that was written by the outcome tells all of it. `bar` is the `typical` below which a column is
    never refused for its strength.
    """

    name: str
    codes: np.ndarray
    auc: float
    typical: float
    saying: Saying | None
    bar: float = _HIGH


def find_leaks(
    table: Table,
    target_values: np.ndarray,
    task: Task,
    *,
    target: str = "",
    history: pd.DataFrame | None = None,
    protect: Sequence[str] = (),
    seed: int = 0,
) -> list[Finding]:
    """
    Return the columns of *table* that leak the target, the surest first.

    Evidence that suffices alone: instants that lie after the row's own; filled rows of one class only; an AUC of 0.99;
    an AUC out of line with all other columns, or above what they reach together; field history that writes the
    column's value later; text tokens that one class never has. A name suffices only where it marks the column, or is
    that of something a CRM writes at the end; any other name needs an AUC with it. Rows still open are not judged.

    Args:
        target_values: array of shape (n_rows,): 0/1, class codes, or numbers; NaN where the target is missing.
        target: Column of the target.
        history: Field history: a column of record ids (called like the table's id, or `..Id`), Field, OldValue,
            NewValue, CreatedDate.
        protect: Columns that a person keeps: still found, with drop False.
    """
    y = np.asarray(target_values, dtype="float64")
    still_open, _ = open_rows(table, y)
    rows = np.flatnonzero(np.isfinite(y) & ~still_open)
    if len(rows) > _ROWS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, _ROWS, replace=False))
    whole, judged, y = table, table.take(rows), y[rows]
    views = binary_views(y, task)
    fold = np.random.default_rng(seed).permutation(len(y)) % FOLDS
    names = [name for name in judged.columns if name != target]
    found: dict[str, Finding] = {}
    texts = _artefacts(judged, [name for name in names if is_wordy(judged.frame[name])], views, fold, found)
    says = (lambda name: None) if table.as_opened else saying_of
    plain = []
    for name in names:
        if name in texts:
            continue
        codes = codes_of(judged.frame[name])
        plain.append(_judge(name, codes, views, fold, says(name)))
    for column in plain:
        evidence = _evidence(column, whole, judged, views, still_open, task)
        if evidence:
            found[column.name] = Finding(column.name, tuple(evidence), auc=round(column.auc, 4))
    for name, share in _rewritten(whole, history).items():
        old = found.get(name, Finding(name, ()))
        line = f"history: it was written again after the row's instant in {share:.0%} of records, and holds the last"
        found[name] = replace(old, evidence=(line, *old.evidence))
    _spare_easy(plain, found, views, fold, task, seed)
    _out_of_line(plain, found, max(texts.values(), default=0.5), task)
    _stronger_than_all(plain, found, views, fold, max(texts.values(), default=0.5), task, seed)
    _siblings(judged, plain, found)
    order = sorted(found.values(), key=lambda one: (-one.auc, one.column))
    return [replace(one, drop=one.column not in protect) for one in order]


def _judge(name: str, codes: np.ndarray, views: list[np.ndarray], fold: np.ndarray, saying: Saying | None) -> _Column:
    """
    Return the column with what it reaches alone, and from where on that is suspicious.

    What was written by the outcome parts the classes at one place, but for errors; an honest number or list of groups
    tells them apart by degrees, and may well reach 0.9. So it may where there are several classes.
    """
    reached = column_aucs(codes, views, fold) or [0.5]
    typical = max(0.5, float(np.mean(reached)))
    gradual = len(views) != 1 or (typical >= _HIGH and steepness(views[0], out_of_fold(codes, views[0], fold)) < _STEEP)
    return _Column(name, codes, max(0.5, *reached), typical, saying, _GRADUAL if gradual else _HIGH)


def _artefacts(
    judged: Table, names: list[str], views: list[np.ndarray], fold: np.ndarray, found: dict[str, Finding]
) -> dict[str, float]:
    """Return the AUC of each text column, and put those with an artefact into *found*."""
    reach: dict[str, float] = {}
    for name in names:
        artefact, whole = find_artefact(judged.frame[name].fillna("").astype("object").tolist(), views, fold)
        saying = saying_of(name)
        reach[name] = whole
        if artefact is not None:
            evidence = _told(artefact)
            found[name] = Finding(
                name, evidence, True, tuple(token for token, _, _ in artefact.tokens), round(artefact.auc, 4)
            )
        elif saying is not None and whole > saying.floor:
            found[name] = Finding(name, (saying.text, f"its text reaches AUC {whole:.3f}"), auc=round(whole, 4))
        if name in found:
            reach[name] = 0.5
    return reach


def _told(artefact: Artefact) -> tuple[str, ...]:
    lines = [
        f"{token!r} stands in {max(here, there):.0%} of one class and {min(here, there):.1%} of the other"
        for token, here, there in artefact.tokens[:3]
    ]
    if len(artefact.tokens) > 3:
        lines.append(f"so do {len(artefact.tokens) - 3} more tokens: the classes were written by different pipelines")
    lines += [f"{name} alone reaches AUC {value:.3f}" for name, value in artefact.forms]
    lines.append(f"the text reaches AUC {artefact.auc:.4f}, and {artefact.without:.4f} without these tokens")
    return tuple(lines)


def _evidence(
    column: _Column, whole: Table, judged: Table, views: list[np.ndarray], still_open: np.ndarray, task: Task
) -> list[str]:
    """Return why *column* alone is refused; empty where nothing speaks against it."""
    lines: list[str] = []
    values = judged.frame[column.name]
    missing = values.isna().to_numpy()
    late = _later(whole, column.name)
    one_class = filled_for_one_class(missing, views) if task != "number" else 0.0
    if late > _LATE:
        lines.append(f"its instants lie after the row's own in {late:.0%} of rows")
    if one_class >= 0.98:
        lines.append(f"it is filled in {1 - missing.mean():.0%} of rows, {one_class:.1%} of them of one class")
    if still_open.any() and _only_when_closed(whole, column.name, still_open) and column.saying is not None:
        lines.append("it is empty while a record is open and filled once it is closed")
    if column.auc >= _CERTAIN and (task != "number" or _same(column)):
        lines.append(f"alone it reaches AUC {column.auc:.3f}: it is the target in other words")
    blank = missing_auc(missing, views) if missing.any() else 0.5
    if blank >= 0.9:
        lines.append(f"whether it is filled reaches AUC {blank:.3f} alone")
    done = _all_done(column.name, values)
    if done:
        lines.append(f"every row says {done!r}: the rows show how the records ended")
    if column.saying is not None and (lines or column.auc >= _floor(column.saying, values)):
        lines.append(column.saying.text)
        lines.append(f"alone it reaches AUC {column.auc:.3f}")
        pure = max(pure_share(column.codes, view) for view in views) if views else 0.0
        if pure >= 0.02:
            lines.append(f"{pure:.0%} of the rows have values that stand in one class only")
    return lines


def _floor(saying: Saying, values: pd.Series) -> float:
    """Return the AUC from which a column called so, with these *values*, is believed to leak."""
    if saying.steps and not any(_DONE.search(str(value)) for value in values.dropna().unique()[:200]):
        return UNSURE
    return saying.floor


def _all_done(name: str, values: pd.Series) -> str:
    """Return the one value that a status has in every row, where it is that of an ended record; "" otherwise."""
    if words_of_name(name) not in ("status", "state", "stage", "stage name") or values.nunique() != 1:
        return ""
    value = str(values.dropna().iloc[0])
    return value if _DONE.search(value) else ""


def _same(column: _Column) -> bool:
    """Return whether a column that orders a number is more than a good price list: only to the last row, or by name."""
    return column.saying is not None or column.auc >= 0.9999


def _later(table: Table, name: str) -> float:
    """Return the share of filled rows of an instant column that lie over a minute after the row's own instant."""
    column = table.frame[name]
    if column.dtype.kind != "M":
        return 0.0
    at = table.at if table.at is not None else _born(table)
    if at is None or not _AHEAD.isdisjoint(words_of_name(name).split()):
        return 0.0
    own = column.dt.tz_localize(None).astype("datetime64[ms]").to_numpy().astype("int64")
    known = column.notna().to_numpy() & (at != NO_TIME)
    if known.sum() < 30:
        return 0.0
    delay = own[known] - at[known]
    # A promised date lies a few fixed spans ahead; what happened lies anywhere.
    return float((delay > 60_000).mean()) if len(np.unique(delay)) > 0.02 * len(delay) else 0.0


def _born(table: Table) -> np.ndarray | None:
    for name in table.columns:
        column = table.frame[name]
        if column.dtype.kind == "M" and words_of_name(name) in ("created date", "created", "opened", "opened at"):
            values = column.dt.tz_localize(None).astype("datetime64[ms]").to_numpy().astype("int64")
            return np.where(column.isna().to_numpy(), NO_TIME, values)
    return None


def _only_when_closed(whole: Table, name: str, still_open: np.ndarray) -> bool:
    missing = whole.frame[name].isna().to_numpy()
    return bool(missing[still_open].mean() > 0.95 and missing[~still_open].mean() < 0.2)


def _rewritten(table: Table, history: pd.DataFrame | None) -> dict[str, float]:
    """Return columns whose value in the table is the last that *history* gives, written after the row -> share."""
    if history is None or "Field" not in history.columns:
        return {}
    key = next(
        (
            name
            for name in (table.id, *history.columns)
            if name in history and name != "Id" and history[name].astype("str").isin(table.frame[table.id]).mean() > 0.5
        ),
        None,
    )
    if key is None or "NewValue" not in history:
        return {}
    found: dict[str, float] = {}
    own = history.assign(**{key: history[key].astype("str")})
    for name in table.columns:
        steps = own[own["Field"].isin([name, name.removesuffix("Id")])]
        if not len(steps):
            continue
        steps = steps[steps["OldValue"].notna()]
        last = steps.groupby(key)["NewValue"].last()
        first = steps.groupby(key)["OldValue"].first()
        here = table.frame.set_index(table.id)[name].reindex(last.index)
        moved = _plain(last) != _plain(first)
        final = (_plain(here) == _plain(last)) & moved
        if moved.sum() >= 30 and final.sum() > 0.6 * moved.sum():
            found[name] = float(moved.sum() / len(table))
    return found


def _plain(values: pd.Series) -> pd.Series:
    return values.astype("str").str.strip().str.casefold().str.replace(r"\.0$", "", regex=True)


def _spare_easy(
    plain: list[_Column], found: dict[str, Finding], views: list[np.ndarray], fold: np.ndarray, task: Task, seed: int
) -> None:
    """Take back what was refused only for telling one class of several, where all other columns tell it as well."""
    alone = [
        column
        for column in plain
        if column.name in found and len(found[column.name].evidence) == 1 and column.typical < _CERTAIN <= column.auc
    ]
    others = [column.codes for column in plain if column.name not in found]
    if task != "classes" or not others:
        return
    for column in alone:
        view = max(views, key=lambda one: column_auc(column.codes, [one], fold))
        if rest_auc(others, view, seed) >= _EASY:
            del found[column.name]


def _out_of_line(plain: list[_Column], found: dict[str, Finding], text: float, task: Task) -> None:
    """Refuse the columns above a wide gap: each at its bar and more, and 1.6 times as strong as the best below them."""
    if task == "number":
        return
    clean = sorted((column for column in plain if column.name not in found), key=lambda one: -one.typical)
    most = max(1, len(clean) // 3)
    for count in range(min(most, len(clean) - 1), 0, -1):
        low, high = max(clean[count].typical, text), clean[count - 1].typical
        if all(column.typical >= column.bar for column in clean[:count]) and strength(high) >= _GAP * max(
            strength(low), 0.2
        ):
            for column in clean[:count]:
                line = f"alone it reaches AUC {column.typical:.3f}, the best of all other columns {low:.3f}"
                found[column.name] = Finding(column.name, (line,), auc=round(column.auc, 4))
            return


def _stronger_than_all(
    plain: list[_Column],
    found: dict[str, Finding],
    views: list[np.ndarray],
    fold: np.ndarray,
    text: float,
    task: Task,
    seed: int,
) -> None:
    """Refuse a column that alone tells more than all others together."""
    if task == "number":
        return
    clean = sorted((column for column in plain if column.name not in found), key=lambda one: -one.typical)
    while clean and clean[0].typical >= max(clean[0].bar, _ODD if len(clean) > 5 else _STARK):
        best, others = clean[0], clean[1:]
        view = max(views, key=lambda one: column_auc(best.codes, [one], fold))
        together = max(rest_auc([column.codes for column in others], view, seed) if others else 0.5, text)
        if best.typical < together + (0.01 if best.typical >= 0.8 else 0.05):
            return
        line = f"alone it reaches AUC {best.typical:.3f}, the {len(others)} other columns together {together:.3f}"
        found[best.name] = Finding(best.name, (line,), auc=round(best.auc, 4))
        clean = others


def _siblings(judged: Table, plain: list[_Column], found: dict[str, Finding]) -> None:
    """Refuse columns that share an unusual first word and the very same gaps with one refused: one tool wrote them."""
    gaps = {column.name: judged.frame[column.name].isna().to_numpy() for column in plain}
    stems = {column.name: words_of_name(column.name).split()[:1] for column in plain}
    for column in plain:
        if column.name in found or not gaps[column.name].any():
            continue
        for other in list(found):
            if other in gaps and stems[other] == stems[column.name] and np.array_equal(gaps[other], gaps[column.name]):
                line = f"it is filled in the very same rows as {other}, which bears the same first word"
                found[column.name] = Finding(column.name, (line,), auc=round(column.auc, 4))
                break
