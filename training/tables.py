"""Tables of an administrator's (csv, tsv, JSON lines, parquet; packed or not) as one frame with an id and a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from training.files import RawFile, read_file
from training.instants import NO_TIME, looks_like_instants, read_times
from triage.errors import IntakeError
from triage.intake.text import did_you_mean, show

__all__ = ["NO_TIME", "Table", "read_table"]


@dataclass(frozen=True)
class Table:
    """
    Rows to learn from, with the columns that name them.

    Attributes:
        frame: One row per record, RangeIndex. A column is of one of three kinds: numbers (int64 or float64, missing is
            NaN), text (dtype str, missing is NaN; true and false are text `true`, `false`), instants (datetime64[ms,
            UTC], missing is NaT). The id column is text without a gap.
        id: The column that names the record.
        time: The column of the instant at which the row was known, None where there is none.
        at: int64 array of shape (n_rows,), that instant in ms UTC, `NO_TIME` where it is missing; None without *time*.
        text: Columns that the caller named as free text.
        warnings: Sentences about what was assumed, for the card and the terminal.
        as_opened: The columns were rolled back to the row's instant, so that no name speaks against one of them.
        stacked: Bool array of shape (n_rows,): the row came by `also`; such rows help to fit and are never judged on.
    """

    frame: pd.DataFrame
    id: str
    time: str | None = None
    at: np.ndarray | None = None
    text: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    stacked: np.ndarray | None = None
    as_opened: bool = False

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def columns(self) -> list[str]:
        """Columns that may be features: neither the id nor the time."""
        return [name for name in self.frame.columns if name not in (self.id, self.time)]

    def take(self, rows: np.ndarray) -> Table:
        """Return the table of the *rows* given by a bool mask or by positions, in that order."""
        return replace(
            self,
            frame=self.frame.iloc[np.flatnonzero(rows) if rows.dtype == bool else rows].reset_index(drop=True),
            at=None if self.at is None else self.at[rows],
            stacked=None if self.stacked is None else self.stacked[rows],
        )

    def without(self, columns: Sequence[str]) -> Table:
        """Return the table less *columns*; unknown names are passed over."""
        return replace(self, frame=self.frame.drop(columns=list(columns), errors="ignore"))


def read_table(
    files: Sequence[Path | str],
    *,
    id: str,
    time: str | None = None,
    tz: str = "UTC",
    text: Sequence[str] = (),
    also: Sequence[Path | str] = (),
    timed: bool = True,
) -> Table:
    """
    Return the first of *files* with the columns of the others joined to it, one to one on *id*, and *also* below it.

    Rows of another file whose id the first one lacks are left out and counted. A column that two files share stays
    once where it says the same, else comes as `<file>.<column>`. Instants without a zone are read in *tz*, told in
    `warnings`; a time of plain numbers is taken as seconds (milli-, micro-, nanoseconds) of the epoch or as written
    days where it looks like that, else as an order; it may be absent where the rows need not be *timed*. *also* brings
    rows of the same meaning: columns that the joined table lacks are left out, told by name.

    Raises:
        IntakeError: a file cannot be read, is empty, lacks the id (file and column are named), repeats an id (both
            lines are named), or its time cannot be read (line and value are named).
    """
    if not files:
        raise IntakeError("no file given: name at least one with --data")
    notes: list[str] = []
    first = _keyed(files[0], id, notes)
    frame = first.frame
    for path in files[1:]:
        frame = _joined(frame, _keyed(path, id, notes), id, notes)
    stacked = np.zeros(len(frame), dtype=bool)
    for path in also:
        frame = _stacked(frame, _keyed(path, id, notes), id, notes)
        stacked = np.concatenate([stacked, np.ones(len(frame) - len(stacked), dtype=bool)])
    if not timed and time not in frame.columns:
        time = None
    for name in (*([time] if time else ()), *text):
        _need(name, frame.columns, first.path.name)
    at = None
    if time:
        at, more = read_times(frame[time], tz, where=first.place)
        notes += more
        _no_time(at, time, notes)
        if not any("an order without" in note for note in notes):
            frame[time] = _instants(at)
    _read_instants(frame, time, tz)
    for name in text:
        frame[name] = frame[name].astype("str") if frame[name].dtype != "str" else frame[name]
    return Table(frame, id, time, at, tuple(text), tuple(notes), stacked)


def _keyed(path: Path | str, id: str, notes: list[str]) -> RawFile:
    """Return one file, its id as text without gaps or repeats."""
    found = read_file(Path(path))
    notes += found.notes
    _need(id, found.frame.columns, found.path.name)
    ids = _id_text(found.frame[id])
    missing = np.flatnonzero(ids.isna().to_numpy() | (ids == "").fillna(True).to_numpy())
    if len(missing):
        raise IntakeError(f"{found.place(int(missing[0]))}: {id} is empty ({_rows(len(missing))} without it)")
    again = np.flatnonzero(ids.duplicated().to_numpy())
    if len(again):
        second = int(again[0])
        first = int(np.flatnonzero((ids == ids.iloc[second]).to_numpy())[0])
        raise IntakeError(
            f"{found.place(second)}: {id} {show(str(ids.iloc[second]))} stands already at {found.place(first)} "
            f"({_rows(len(again))} repeat an id); every row needs an id of its own"
        )
    found.frame[id] = ids
    return found


def _id_text(ids: pd.Series) -> pd.Series:
    if ids.dtype.kind == "f" and bool((ids.dropna() % 1 == 0).all()):
        ids = ids.astype("Int64")
    return ids.astype("str").where(ids.notna()).str.strip()


def _joined(frame: pd.DataFrame, other: RawFile, id: str, notes: list[str]) -> pd.DataFrame:
    stem = other.path.name.split(".")[0]
    found = other.frame.set_index(id).reindex(frame[id])
    here = frame[id].isin(other.frame[id])
    strangers = len(other.frame) - int(here.sum())
    if strangers:
        notes.append(f"{other.path.name}: {_rows(strangers)} of records that the first file lacks were left out")
    if not here.all():
        notes.append(f"{other.path.name}: {_rows(int((~here).sum()))} of the first file have no counterpart in it")
    found = found.reset_index(drop=True)
    for name in list(found.columns):
        if name not in frame.columns:
            continue
        if found[name].equals(frame[name]):
            found = found.drop(columns=name)
            continue
        notes.append(f"{other.path.name}: its column {name} differs from the one before and is called {stem}.{name}")
        found = found.rename(columns={name: f"{stem}.{name}"})
    return pd.concat([frame, found], axis=1)


def _stacked(frame: pd.DataFrame, other: RawFile, id: str, notes: list[str]) -> pd.DataFrame:
    lacking = [name for name in frame.columns if name not in other.frame.columns]
    beyond = [name for name in other.frame.columns if name not in frame.columns]
    if lacking:
        notes.append(f"{other.path.name}: has no {', '.join(lacking)}: empty in its rows")
    if beyond:
        notes.append(f"{other.path.name}: {', '.join(beyond)} left out, for the first file has no such column")
    rows = other.frame.reindex(columns=frame.columns)
    clash = rows[id].isin(frame[id])
    if clash.any():
        stem = other.path.name.split(".")[0]
        notes.append(f"{other.path.name}: {_rows(int(clash.sum()))} bear an id of the first file: now {stem}:<id>")
        rows[id] = rows[id].where(~clash, stem + ":" + rows[id])
    for name in frame.columns:
        if rows[name].dtype != frame[name].dtype and not rows[name].isna().all():
            rows[name], frame[name] = _alike(rows[name], frame[name])
    return pd.concat([frame, rows], ignore_index=True)


def _alike(one: pd.Series, other: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return two columns as one kind: numbers where both are, else text."""
    if one.dtype.kind in "if" and other.dtype.kind in "if":
        return one.astype("float64"), other.astype("float64")
    return one.astype("str").where(one.notna()), other.astype("str").where(other.notna())


def _read_instants(frame: pd.DataFrame, time: str | None, tz: str) -> None:
    """Turn every other column that is written like instants into instants, in place; what it cannot read is missing."""
    for name in frame.columns:
        column = frame[name]
        if name == time or column.dtype.kind in "if":
            continue
        if column.dtype.kind != "M":
            sample = column.dropna()
            if not looks_like_instants(sample.iloc[:: max(1, len(sample) // 200)]):
                continue
        try:
            frame[name] = _instants(read_times(column, tz, strict=False)[0])
        except IntakeError:
            continue


def _instants(at: np.ndarray) -> pd.Series:
    known = np.where(at == NO_TIME, np.datetime64("NaT").astype("int64"), at)
    return pd.Series(known.astype("datetime64[ms]")).dt.tz_localize("UTC")


def _need(name: str, columns: Sequence[str] | pd.Index, file: str) -> None:
    if name in columns:
        return
    near = did_you_mean(name, [str(column) for column in columns])
    raise IntakeError(f"{file}: there is no column {show(name)}{near or ': it has ' + ', '.join(map(str, columns))}")


def _no_time(at: np.ndarray, time: str, notes: list[str]) -> None:
    missing = int((at == NO_TIME).sum())
    if missing == len(at):
        raise IntakeError(f"{time} is empty in every row: leave --time out or name another column")
    if missing:
        notes.append(f"{time}: {_rows(missing)} without an instant count as older than all others")


def _rows(count: int) -> str:
    return f"{count:,} row" if count == 1 else f"{count:,} rows"
