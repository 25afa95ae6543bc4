"""Rows that say the same twice: equal rows, and texts that differ in little but numbers, case and punctuation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pandas as pd

from training.tables import Table

_WORD = re.compile(r"[^\W\d_]+")
_RARE = 2
_BANDS, _DEPTH = 4, 5
_SHORT = 4
_READ = 2_000
"""Characters of a text that are compared."""
_TEMPLATE = 0.05
_MIX = np.array([0xBF58476D1CE4E5B9, 0x94D049BB133111EB], dtype=np.uint64)


@dataclass(frozen=True)
class Groups:
    """Int64 codes of shape (n_rows,): rows of one code are duplicates; how many rows repeat another; one sentence."""

    codes: np.ndarray
    repeated: int
    sentence: str = ""


def duplicate_groups(table: Table) -> Groups:
    """
    Return which rows of *table* repeat one another.

    With free text rows are alike where their words are (numbers, case and punctuation apart; about nine words in ten
    the same), but for what stands in one row of twenty: that is a template, and its rows are different ones. Without
    text, where every column but id and time is equal and one of the values is rare: seldom seen in other rows, so that
    a table of few values, where equal rows are chance, has none.
    """
    texts = [name for name in (table.text or _wordy(table.frame, table.columns)) if name in table.frame]
    if texts:
        joined = table.frame[list(texts)].fillna("").astype("object").agg(" ".join, axis=1).tolist()
        codes = _no_template(_alike(joined))
    else:
        codes = _equal(table.frame[table.columns])
    repeated = int((np.bincount(codes)[codes] > 1).sum())
    what = "texts that differ in little but numbers" if texts else "equal rows"
    return Groups(
        codes, repeated, f"{repeated:,} rows are duplicates ({what}): each group stays on one side of a split"
    )


def _no_template(codes: np.ndarray) -> np.ndarray:
    """Return *codes* with one of its own for each row of a group that is no repetition but a common wording."""
    common = np.bincount(codes)[codes] > max(20, _TEMPLATE * len(codes))
    codes = np.where(common, codes.max() + 1 + np.arange(len(codes)), codes)
    return np.unique(codes, return_inverse=True)[1]


def _equal(frame: pd.DataFrame) -> np.ndarray:
    """Return codes of equal rows that hold a rare value; any other row has a code of its own."""
    hashes = pd.util.hash_pandas_object(frame, index=False).to_numpy()
    codes = np.unique(hashes, return_inverse=True)[1]
    sizes = np.bincount(codes)[codes]
    rarest = np.full(len(frame), len(frame))
    for name in frame.columns:
        values = pd.factorize(frame[name])[0]
        seen = np.bincount(values + 1)[values + 1]
        rarest = np.minimum(rarest, np.where(values < 0, len(frame), seen))
    chance = rarest > np.minimum(_RARE * sizes, max(10, len(frame) // 100))
    codes[chance] = codes.max() + 1 + np.arange(int(chance.sum()))
    return np.unique(codes, return_inverse=True)[1]


def _wordy(frame: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """Return the text columns whose values are sentences: four words on average, most of them different."""
    found = []
    for name in columns:
        column = frame[name]
        if column.dtype.kind in "ifM":
            continue
        sample = column.dropna().iloc[:2000]
        if len(sample) and sample.nunique() > 0.5 * len(sample) and sample.str.split().str.len().mean() >= _SHORT:
            found.append(name)
    return found


def _alike(texts: list[str]) -> np.ndarray:
    """Return codes of texts by min-hash of their word pairs: four bands of five, one common band makes a pair."""
    seeds = np.random.default_rng(1).integers(1, 1 << 63, _BANDS * _DEPTH, dtype=np.uint64)
    seen: dict[tuple[int, ...] | str, int] = {}
    hashes: dict[str, int] = {}
    parent = np.arange(len(texts))
    for row, text in enumerate(texts):
        words = _WORD.findall(text[:_READ].casefold())
        for key in _keys(words, seeds, hashes):
            first = seen.setdefault(key, row)
            if first != row:
                parent[_root(parent, row)] = _root(parent, first)
    return np.unique([_root(parent, row) for row in range(len(texts))], return_inverse=True)[1]


def _keys(words: list[str], seeds: np.ndarray, hashes: dict[str, int]) -> list[tuple[int, ...] | str]:
    if len(words) < 2 * _SHORT:
        return [" ".join(words)] if len(words) >= _SHORT else []
    for word in words:
        if word not in hashes:
            hashes[word] = int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "big")
    own = np.array([hashes[word] for word in words], dtype=np.uint64)
    # One word turned, so that `a b` is not `b a`.
    mixed = (own[:-1] ^ ((own[1:] << np.uint64(21)) | (own[1:] >> np.uint64(43))))[:, None] ^ seeds
    for factor in _MIX:
        mixed = (mixed ^ (mixed >> np.uint64(30))) * factor
    least = (mixed ^ (mixed >> np.uint64(31))).min(axis=0).reshape(_BANDS, _DEPTH)
    return [(band, *map(int, least[band])) for band in range(_BANDS)]


def _root(parent: np.ndarray, node: int) -> int:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = int(parent[node])
    return node
