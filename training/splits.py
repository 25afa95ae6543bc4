"""Which rows fit, which choose, which calibrate: in time order where there is a time, duplicates on one side."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from training.duplicates import duplicate_groups
from training.tables import NO_TIME, Table
from triage.errors import IntakeError

SHARES = (0.70, 0.15, 0.15)
"""Of the rows: to fit, to choose a candidate by, to calibrate on (the latest)."""

_FEWEST = 30


@dataclass(frozen=True)
class Split:
    """
    Positions of rows, ascending: int64 arrays of `fit`, `choose`, `calibrate`, and those in none of them.

    `by_time` says whether later rows stand in later slices. `codes`, from 0, are equal for rows that stay together;
    `notes` tell what was done, as sentences.
    """

    fit: np.ndarray
    choose: np.ndarray
    calibrate: np.ndarray
    dropped: np.ndarray
    by_time: bool
    codes: np.ndarray
    notes: tuple[str, ...] = ()


def split(
    table: Table,
    y: np.ndarray,
    seed: int,
    groups: np.ndarray | None = None,
    *,
    shares: tuple[float, float, float] = SHARES,
    duplicates: bool = True,
) -> Split:
    """
    Return three slices of *table*: by time where it has one, else by a hash of id and *seed*, so that order is nothing.

    Rows of one group (*groups*, or near duplicates) stand on one side. By hash the group goes as one; by time a group
    that straddles a border keeps its rows in the earlier slice and its later rows go to none, so that no label of a
    later row is learnt. Rows without an instant, and stacked ones, only help to fit.

    Args:
        y: array of shape (n_rows,), the target; used for its length only, so that a split never looks at it.
        groups: array of shape (n_rows,) of any hashable codes; rows of one record (`as_of`) share one.

    Raises:
        IntakeError: fewer than 30 rows.
    """
    n = len(table)
    if n < _FEWEST or len(y) != n:
        raise IntakeError(f"{n} rows are too few to fit, choose and calibrate on: {_FEWEST} are the least")
    codes = np.arange(n) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    notes: list[str] = []
    if duplicates:
        found = duplicate_groups(table)
        if found.repeated:
            notes.append(found.sentence)
            codes = _merged(codes, found.codes)
    own = np.ones(n, dtype=bool) if table.stacked is None else ~table.stacked
    by_time = table.at is not None and len(np.unique(table.at[own])) > len(shares)
    if by_time and table.at is not None:
        place, dropped = _by_time(table.at, codes, own, shares)
        notes.append("slices follow time: the latest rows calibrate, those before choose")
    else:
        place, dropped = _by_hash(table.frame[table.id].tolist(), codes, own, shares, seed), np.zeros(n, dtype=bool)
        notes.append(f"no time given: slices by a hash of {table.id} and the seed {seed}")
    if dropped.any():
        notes.append(f"{int(dropped.sum()):,} later rows left out of their slice: earlier rows are their duplicates")
    sides = [np.flatnonzero((place == side) & ~dropped) for side in range(3)]
    return Split(sides[0], sides[1], sides[2], np.flatnonzero(dropped), by_time, codes, tuple(notes))


def _by_time(
    at: np.ndarray, codes: np.ndarray, own: np.ndarray, shares: tuple[float, float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Return each row's slice, and which rows are left out; rows of one instant are never parted."""
    judged = own & (at != NO_TIME)
    instants = np.sort(at[judged])
    borders = [instants[min(len(instants) - 1, int(len(instants) * share))] for share in np.cumsum(shares[:2])]
    place = np.where(judged, np.searchsorted(np.asarray(borders), at, side="right"), 0)
    first = np.full(int(codes.max()) + 1, 3)
    np.minimum.at(first, codes, place)
    return place, place > first[codes]


def _by_hash(
    ids: list[str], codes: np.ndarray, own: np.ndarray, shares: tuple[float, float, float], seed: int
) -> np.ndarray:
    """Return each row's slice: a group goes by the least hash of its ids, a group with a stacked row to fit."""
    draws = np.array([_draw(name, seed) for name in ids])
    least = np.full(int(codes.max()) + 1, 1.0)
    np.minimum.at(least, codes, draws)
    # The least of k draws is no even draw: drawing anew from it keeps the shares whatever the size of groups.
    again = np.array([_draw(repr(float(value)), seed) for value in least])[codes]
    place = np.searchsorted(np.cumsum(shares[:2]), again, side="right")
    held = np.zeros(len(least), dtype=bool)
    held[codes[~own]] = True
    return np.where(held[codes], 0, place)


def _draw(name: str, seed: int) -> float:
    return int.from_bytes(blake2b(f"{seed}|{name}".encode(), digest_size=7).digest(), "big") / 2.0**56


def _merged(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return codes under which rows that share a group in either are together."""
    parent = np.arange(int(one.max()) + 1 + int(other.max()) + 1)
    shift = int(one.max()) + 1
    for a, b in zip(one.tolist(), (other + shift).tolist(), strict=True):
        parent[_root(parent, a)] = _root(parent, b)
    return np.unique([_root(parent, a) for a in one.tolist()], return_inverse=True)[1]


def _root(parent: np.ndarray, node: int) -> int:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = int(parent[node])
    return node
