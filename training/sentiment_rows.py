"""Labelled texts ready to learn from: labels read, empty texts dropped and counted, repeats on one side of a split."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct

from triage.errors import IntakeError
from triage.scoring.customer_text import customer_text
from triage.scoring.plain import plain
from triage.scoring.sentiment import CLASSES

_NAMES: Mapping[str, int] = {
    "0": 0, "1": 1, "2": 2, "negative": 0, "neutral": 1, "positive": 2, "neg": 0, "neu": 1, "pos": 2,
    "negativ": 0, "positiv": 2, "mixed": 1,
}  # fmt: skip
_SIGNED: Mapping[str, int] = {"-1": 0, "0": 1, "1": 2}
_BINARY: Mapping[str, int] = {"0": 0, "1": 2}
_STARS: Mapping[str, int] = {"1": 0, "2": 0, "3": 1, "4": 2, "5": 2}
LEAST = 60
"""Rows below which nothing is fitted."""
_NOT_WORDS = re.compile(r"\W+")


class Rows(Struct, frozen=True):
    """
    Texts as the encoder reads them, with labels 0 negative, 1 neutral, 2 positive.

    `own` marks rows of the table itself; others came by `--also`, help to fit and are never judged on. `kept` are the
    positions among the rows given. `notes` are sentences about what was dropped and assumed.
    """

    said: list[str]
    labels: np.ndarray
    own: np.ndarray
    kept: np.ndarray
    notes: tuple[str, ...]


class Cut(Struct, frozen=True):
    """Positions of the rows to fit on, to choose by, and to calibrate on (the latest where times are known)."""

    fit: np.ndarray
    choose: np.ndarray
    calibrate: np.ndarray


def label_numbers(values: Sequence[Any]) -> tuple[np.ndarray, str]:
    """
    Return (class numbers, -1 where *values* has none; how the labels were read).

    Raises:
        IntakeError: a label is of no known kind, or there is only one class.
    """
    words = [_word(value) for value in values]
    seen = sorted({word for word in words if word})
    known, way = _read_as(seen)
    numbers = np.array([known[word] if word else -1 for word in words], dtype=np.int64)
    classes = np.unique(numbers[numbers >= 0])
    if len(classes) < 2:
        raise IntakeError(f"the target has one class only ({CLASSES[int(classes[0])]}): nothing can be learnt from it")
    return numbers, way


def _read_as(seen: Sequence[str]) -> tuple[Mapping[str, int], str]:
    """Return what the labels *seen* mean, and how to call that; raise IntakeError where they mean no mood."""
    ways = ((_BINARY, "0 negative, 1 positive"), (_NAMES, ""), (_SIGNED, "-1, 0, 1"), (_STARS, "stars"))
    for known, way in ways:
        if seen and all(word in known for word in seen):
            return known, way
    odd = next((word for word in seen if word not in _NAMES), "nothing")
    raise IntakeError(
        f"the target holds {odd[:40]!r}: sentiment needs negative, neutral, positive; 0, 1, 2; -1, 0, 1; or stars"
    )


def _word(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    word = str(value).strip().casefold()
    return "" if word in ("nan", "none", "null", "<na>") else word.removesuffix(".0")


def prepare(texts: Sequence[Any], values: Sequence[Any], own: Sequence[bool] | np.ndarray | None = None) -> Rows:
    """Return the rows of *texts* that have a label and something written; raise IntakeError where too few are left."""
    numbers, told = label_numbers(values)
    said = [plain(customer_text(text)) if isinstance(text, str) else "" for text in texts]
    written = np.array([bool(text) for text in said])
    kept = np.flatnonzero((numbers >= 0) & written)
    mine = np.ones(len(said), dtype=bool) if own is None else np.asarray(own, dtype=bool)
    notes = [f"labels read as {told}"] if told else []
    for count, what in (((numbers < 0).sum(), "have no target"), (((numbers >= 0) & ~written).sum(), "have no text")):
        if count:
            notes.append(f"{count:,} rows {what}: dropped")
    if mine[kept].sum() < LEAST:
        raise IntakeError(f"only {mine[kept].sum()} rows have a text and a target; at least {LEAST} are needed")
    return Rows([said[at] for at in kept], numbers[kept], mine[kept], kept, tuple(notes))


def split(rows: Rows, at: np.ndarray | None, *, held: float = 0.14, most: int = 3000, seed: int = 7) -> Cut:
    """
    Return the cut of *rows*: repeats of a text lie on one side; other tables' rows are only ever fitted on.

    Args:
        at: Instants of the rows (ms UTC); the latest own rows are held out. None: by hash of the text.
        held: Share of own rows held out, half to choose by and half to calibrate on; *most* rows at most.
    """
    keys = [_key(text) for text in rows.said]
    first: dict[str, int] = {}
    group = np.array([first.setdefault(key, place) for place, key in enumerate(keys)])
    order = draws(rows.said, seed) if at is None else _ranks(np.asarray(at)[group])
    own = np.flatnonzero(rows.own)
    count = min(int(len(own) * held), most)
    out = own[np.argsort(order[own], kind="stable")][::-1][:count]
    late = set(group[out].tolist())
    fit = np.array([row for row in range(len(keys)) if int(group[row]) not in late and row not in late], dtype=np.int64)
    return Cut(fit, np.sort(out[count // 2 :]), np.sort(out[: count // 2]))


def draws(said: Sequence[str], seed: int) -> np.ndarray:
    """
    Return a number from 0 to 1 for each text, the same for repeats of it and in whatever table it stands.

    Without instants the rows that draw highest are held out. The shipped model keeps away from them too, so that a fit
    that starts from it is judged and calibrated on texts that neither has learnt.
    """
    return np.array([_draw(_key(text), seed) for text in said])


def _key(text: str) -> str:
    return _NOT_WORDS.sub(" ", text.lower()).strip()


def _ranks(at: np.ndarray) -> np.ndarray:
    return np.argsort(np.argsort(at, kind="stable"), kind="stable").astype(float)


def _draw(key: str, seed: int) -> float:
    digest = hashlib.blake2b(f"{seed}|{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64
