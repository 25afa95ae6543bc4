"""Columns of instants as text, numbers or datetimes in any mix of formats, in milliseconds UTC."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd

from triage.errors import IntakeError
from triage.intake.instants import EARLIEST, EPOCH_SECONDS, LATEST, load_zone
from triage.intake.text import show

NO_TIME = int(np.iinfo(np.int64).min)
"""What stands for a missing instant in an int64 array: before every other one."""

_DAY_FIRST = re.compile(r"^\s*(\d{1,2})([./-])(\d{1,2})\2(\d{4})(.*)$", re.DOTALL)
_ISO = re.compile(
    r"^\s*(?:(?:19|20|21)\d{2}-\d{2}-\d{2}|(?:19|20|21)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))"
    r"(?:[T ]\d{1,2}:?\d{2}.*)?$"
)
_NAMED = re.compile(
    r"^\s*(?:[A-Za-z]{3,9},?\s+)?(?:\d{1,2}[ -])?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*[ .,-]",
    re.IGNORECASE,
)
_SLASHED = re.compile(r"^\s*\d{4}[/.]\d{1,2}[/.]\d{1,2}")
_BEYOND = re.compile(r"^\s*(?:0{4}|000\d|9999|[34]000)-\d{2}-\d{2}|^\s*(?:\d{2}[./-]){2}(?:0{4}|0001|9999)\b")
_ZONED = re.compile(r"(?:[Zz]|[+-]\d{2}:?\d{2}|\b(?:UTC|GMT))\s*$")
_MOST = 0.95
_ODD = 0.01
_MILLIS = 1e14
_UNITS = {"seconds ": 1, "milliseconds ": 1e3, "microseconds ": 1e6, "nanoseconds ": 1e9}


def looks_like_instants(sample: pd.Series) -> bool:
    """Return whether *sample* (text) is written like dates or instants, but for one in twenty such as `unknown`."""
    return len(sample) > 0 and sum(map(_is_written, sample)) >= _MOST * len(sample)


def read_times(
    column: pd.Series,
    tz: str = "UTC",
    *,
    where: Callable[[int], str] = lambda row: f"row {row + 1}",
    strict: bool = True,
) -> tuple[np.ndarray, list[str]]:
    """
    Return *column* as int64 ms UTC (`NO_TIME` where missing) and what was assumed, as sentences.

    Instants without a zone are local time of *tz*; of a time that the clocks jump over, the next one is taken.
    `3/4/2025` goes by the order that the column's other dates prove, else month first with slashes and day first with
    dots; both said. Plain numbers are epoch seconds (milli-, micro-, nanoseconds) where all lie between 1979 and 2128,
    days where they are written so (20250131), else taken as an order without a unit. A date before 1900 or after 2199
    is one that stands for none: missing, and said.

    Raises:
        IntakeError: more than one value in a hundred is no instant (*where* names the place of the first; not
            *strict*: they are missing), or dates prove both orders.
    """
    load_zone(tz)
    name = str(column.name)
    if column.dtype.kind == "M":
        naive = column.dt.tz is None
        column = _within(column)
        return _as_ms(_localised(column, tz) if naive else column), _naive_note(name, tz, len(column) if naive else 0)
    if column.dtype.kind in "if":
        return _numbers(column, name)
    notes: list[str] = []
    found = np.full(len(column), NO_TIME, dtype=np.int64)
    text = column.astype("str").str.strip()
    known = np.asarray(column.notna(), dtype=bool) & np.asarray((text != "").fillna(False), dtype=bool)
    codes, distinct = pd.factorize(text[known])
    values, zoneless = _read_distinct([str(value) for value in distinct], tz, name, notes)
    beyond = np.array([bool(_BEYOND.match(str(value))) for value in distinct], dtype=bool)
    bad = np.flatnonzero((values[codes] == NO_TIME) & ~beyond[codes]) if len(codes) else np.zeros(0, dtype=np.int64)
    if len(codes) and beyond[codes].any():
        notes.append(f"{name}: {int(beyond[codes].sum()):,} dates that stand for none, such as 9999-12-31, are missing")
    few = len(bad) <= _ODD * int(known.sum())
    if len(bad) and few:
        notes.append(f"{name}: {len(bad):,} values such as {_first_of(text, known, bad)} are no instants: missing")
    if len(bad) and strict and not few:
        row = int(np.flatnonzero(known)[bad[0]])
        raise IntakeError(
            f"{where(row)}: {name} {show(str(text.iloc[row]))} is not an instant ({len(bad):,} such rows)"
        )
    found[known] = values[codes]
    return found, notes + _naive_note(name, tz, int(zoneless[codes].sum()) if len(codes) else 0)


def _first_of(text: pd.Series, known: np.ndarray, bad: np.ndarray) -> str:
    return show(str(text[known].iloc[int(bad[0])]))


def _within(column: pd.Series) -> pd.Series:
    """Return the instants *column* without those outside 1900-2199, which clocks of zones cannot tell."""
    bare = column if column.dt.tz is None else column.dt.tz_convert("UTC").dt.tz_localize(None)
    ms = bare.astype("datetime64[ms]").to_numpy().astype("int64")
    return column.where((ms >= EARLIEST) & (ms < LATEST))


def _is_written(text: str) -> bool:
    return bool(
        _BEYOND.match(text) or _ISO.match(text) or _DAY_FIRST.match(text) or _SLASHED.match(text) or _NAMED.match(text)
    )


def _read_distinct(distinct: list[str], tz: str, name: str, notes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return each distinct text's instant and whether it had no zone of its own."""
    series = pd.Series(distinct, dtype="object")
    zoned = np.array([bool(_ZONED.search(text)) and ":" in text for text in distinct], dtype=bool)
    parts = [_DAY_FIRST.match(text) for text in distinct]
    ordered = np.array([part is not None for part in parts], dtype=bool)
    values = np.full(len(distinct), NO_TIME, dtype=np.int64)
    if ordered.any():
        turned = [f"{y}-{m:02d}-{d:02d}{rest}" for y, m, d, rest in _in_order([p for p in parts if p], name, notes)]
        series[ordered] = turned
    for local in (False, True):
        chosen = zoned != local
        if not chosen.any():
            continue
        moments = _parse(series[chosen], utc=not local)
        values[chosen] = _as_ms(_localised(moments, tz) if local else moments)
    return values, ~zoned


def _parse(text: pd.Series, *, utc: bool) -> pd.Series:
    found = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=utc)
    open_ = found.isna()
    if bool(open_.any()):
        with warnings.catch_warnings():
            # Of quarters (`2024Q1`), which it reads today.
            warnings.simplefilter("ignore")
            found[open_] = pd.to_datetime(text[open_], format="mixed", errors="coerce", utc=utc)
    return found.where(found.dt.year.between(1900, 2199))


def _in_order(parts: list[re.Match[str]], name: str, notes: list[str]) -> list[tuple[int, int, int, str]]:
    """Return year, month, day and the rest of dates that do not begin with the year, by the order the column proves."""
    found: dict[str, str] = {}
    for mark in sorted({part.group(2) for part in parts}):
        own = [(int(part.group(1)), int(part.group(3))) for part in parts if part.group(2) == mark]
        day_first, month_first = any(a > 12 for a, _ in own), any(b > 12 for _, b in own)
        if day_first and month_first:
            raise IntakeError(f"{name}: dates such as 31{mark}12{mark}2025 and 12{mark}31{mark}2025 stand side by side")
        found[mark] = "DMY" if day_first or (mark != "/" and not month_first) else "MDY"
        if not (day_first or month_first):
            notes.append(f"{name}: nothing shows the order of its dates with {mark}: read as {found[mark]}")
    return [
        (int(part.group(4)), *((b, a) if found[part.group(2)] == "DMY" else (a, b)), part.group(5))
        for part in parts
        for a, b in [(int(part.group(1)), int(part.group(3)))]
    ]


def _numbers(column: pd.Series, name: str) -> tuple[np.ndarray, list[str]]:
    values = column.to_numpy(dtype="float64")
    known = np.isfinite(values)
    low, high = (float(values[known].min()), float(values[known].max())) if known.any() else (0.0, 0.0)
    found = np.full(len(values), NO_TIME, dtype=np.int64)
    for unit, scale in _UNITS.items():
        if EPOCH_SECONDS[0] * scale <= low and high <= EPOCH_SECONDS[1] * scale:
            found[known] = np.round(values[known] / scale * 1000).astype(np.int64)
            return found, [f"{name} holds plain numbers: taken as {unit}since 1970"]
    days = _written_days(values[known])
    if days is not None:
        found[known] = days
        return found, [f"{name} holds plain numbers: taken as days such as 20250131"]
    # Whatever they count, their places in order are what matters; they may be too large for an instant.
    found[known] = np.round(values[known]) if abs(low) + abs(high) < _MILLIS else _places(values[known])
    return found, [f"{name} holds plain numbers: taken as an order without a unit"]


def _written_days(values: np.ndarray) -> np.ndarray | None:
    """Return whole numbers that are all written days (20250131) in ms, None where one is not."""
    if not len(values) or not bool(np.all((values >= 19_000_101) & (values <= 21_991_231) & (values % 1 == 0))):
        return None
    days = pd.to_datetime(pd.Series(values.astype(np.int64).astype(str)), format="%Y%m%d", errors="coerce")
    return None if bool(days.isna().any()) else _as_ms(days.dt.tz_localize("UTC"))


def _places(values: np.ndarray) -> np.ndarray:
    return np.asarray(np.unique(values, return_inverse=True)[1], dtype=np.int64)


def _localised(naive: pd.Series, tz: str) -> pd.Series:
    zone = load_zone(tz)
    early = np.ones(len(naive), dtype=bool)
    return naive.dt.tz_localize(zone, ambiguous=early, nonexistent="shift_forward")


def _as_ms(aware: pd.Series) -> np.ndarray:
    values = aware.dt.tz_convert("UTC").dt.tz_localize(None).astype("datetime64[ms]").to_numpy()
    found: np.ndarray = values.astype("int64")
    found[np.isnat(values)] = NO_TIME
    return found


def _naive_note(name: str, tz: str, count: int) -> list[str]:
    return [f"{name}: {count:,} instants without a zone were read as local time of {tz}"] if count else []
