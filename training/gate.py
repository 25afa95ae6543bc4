"""Whether a challenger may take the champion's place: the same rows, segment by segment, by paired bootstrap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import factorial
from typing import Any

import msgspec
import numpy as np

from triage.rules.document import PolicyDocument
from triage.rules.language import Leaf
from triage.scoring.registry import Verdict, Volume

MARGIN = 0.01
"""AUC by which a challenger may be worse than the champion over all rows, at the most."""
SEGMENT_MARGIN = 0.03
"""The same in one segment, which is smaller and so less sure."""
LOSS_MARGIN = 0.02
"""Log loss by which it may be worse over all rows: a well-ordered score that is not calibrated moves thresholds."""
POSITIVES = 100
"""Rows of either class below which nothing is promoted, and a segment is not judged."""
DRAWS = 400
_CONFIDENCE = 0.95
_CHANCES = np.cumsum([np.exp(-1.0) / factorial(times) for times in range(12)])
_COUNTS = np.searchsorted(_CHANCES, (np.arange(1 << 16) + 0.5) / (1 << 16)).astype(np.float32)
"""How often a row is drawn (Poisson of mean 1), by an even draw of 16 bits: the quickest way to many draws."""


@dataclass(frozen=True)
class Threshold:
    """A live rule that looks at the score: it flags a row at or above *value* (*below*: under it)."""

    rule: str
    value: float
    below: bool = False

    @property
    def text(self) -> str:
        """The threshold as a person reads it."""
        return f"{'<' if self.below else '>='} {self.value:g}"


def judge(
    y: np.ndarray,
    champion: np.ndarray,
    challenger: np.ndarray,
    *,
    segments: Mapping[str, np.ndarray] | None = None,
    thresholds: Sequence[Threshold] = (),
    digests: tuple[str, str] = ("", ""),
    margin: float = MARGIN,
    seed: int = 0,
) -> Verdict:
    """
    Return whether *challenger* is not worse than *champion*, with reasons.

    Over all rows the lower end of the one-sided 95 % interval of the AUC difference must lie above -*margin*, and the
    upper end of the rise in log loss below 0.02. In a segment (100 rows of either class at least) the challenger fails
    where it is worse by more than 0.03 and the interval, held wide enough for all segments together, excludes zero.

    Args:
        y: array of shape (n_rows,), 0 or 1; rows that neither model was fitted on.
        champion: array of shape (n_rows,), probability of 1; *challenger* the same, of the same rows.
        segments: column -> array of shape (n_rows,) of its values.
        digests: sha256 of the manifests of both.
    """
    y = np.asarray(y, dtype=np.float64)
    ones, zeros = int((y == 1).sum()), int((y == 0).sum())
    verdict = Verdict(
        passed=False, champion=digests[0], challenger=digests[1], rows=len(y), positives=ones, margin=margin,
        volumes=tuple(_volume(one, champion, challenger) for one in thresholds),
    )  # fmt: skip
    if min(ones, zeros) < POSITIVES:
        missing = POSITIVES - min(ones, zeros)
        short = f"only {min(ones, zeros)} rows of the rarer class to judge on: {missing} more are needed"
        return msgspec.structs.replace(verdict, because=(short,))
    rng = np.random.default_rng(seed)
    drawn = _COUNTS[rng.integers(0, len(_COUNTS), size=(DRAWS, len(y)), dtype=np.uint16)]
    draws = _auc_differences(y, champion, challenger, drawn)
    low, high = float(np.quantile(draws, 1 - _CONFIDENCE)), float(np.quantile(draws, _CONFIDENCE))
    difference = auc_of(y, challenger) - auc_of(y, champion)
    found = _segments(y, champion, challenger, segments or {}, drawn)
    because = (
        *_worse_order(difference, low, margin),
        *_worse_loss(_loss(y, challenger) - _loss(y, champion), rng),
        *_worse_segments(found),
    )
    return msgspec.structs.replace(
        verdict, passed=not because, because=because, difference=round(difference, 6), low=round(low, 6),
        high=round(high, 6), segments=tuple(found),
    )  # fmt: skip


def _worse_order(difference: float, low: float, margin: float) -> list[str]:
    if low >= -margin:
        return []
    told = f"difference {difference:+.3f}, 95 % lies above {low:+.3f}"
    return [f"its AUC may be worse by {-low:.3f} ({told}); allowed is {margin:g}"]


def _worse_loss(rise: np.ndarray, rng: np.random.Generator) -> list[str]:
    if float(np.quantile(_means(rise, rng), _CONFIDENCE)) <= LOSS_MARGIN:
        return []
    return [f"its log loss is worse by {rise.mean():.3f}; allowed is {LOSS_MARGIN:g}"]


def _worse_segments(found: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        f"in {one['column']} {one['value']} its AUC is worse by {-one['difference']:.3f} over {one['rows']} rows"
        for one in found
        if one["worse"]
    ]


def auc_of(y: np.ndarray, score: np.ndarray) -> float:
    """Return the AUC of *score*, ties half."""
    return float(_parts(np.asarray(y), np.asarray(score))[np.asarray(y) == 1].mean())


def thresholds_of(document: PolicyDocument, field: str) -> list[Threshold]:
    """Return what the rules of *document* ask of the score *field* (`urgency.score`), a Threshold each."""
    found = []
    for rule_set in document.rule_sets:
        for rule in rule_set.rules:
            for leaf in _leaves(rule):
                if leaf.field == field and leaf.values and isinstance(leaf.values[0], (int, float)):
                    below = (leaf.op in ("<", "<=")) != leaf.negate
                    found.append(Threshold(rule.id, float(leaf.values[0]), below))
    return list(dict.fromkeys(found))


def _leaves(value: object) -> list[Leaf]:
    if isinstance(value, Leaf):
        return [value]
    if isinstance(value, msgspec.Struct):
        return [leaf for name in value.__struct_fields__ for leaf in _leaves(getattr(value, name))]
    if isinstance(value, (list, tuple)):
        return [leaf for one in value for leaf in _leaves(one)]
    if isinstance(value, dict):
        return [leaf for one in value.values() for leaf in _leaves(one)]
    return []


def _volume(threshold: Threshold, champion: np.ndarray, challenger: np.ndarray) -> Volume:
    before, after = ((score < threshold.value) == threshold.below for score in (champion, challenger))
    return Volume(
        rule=threshold.rule, threshold=threshold.text, champion=int(before.sum()), challenger=int(after.sum())
    )


def _segments(
    y: np.ndarray,
    champion: np.ndarray,
    challenger: np.ndarray,
    segments: Mapping[str, np.ndarray],
    drawn: np.ndarray,
) -> list[dict[str, Any]]:
    places = []
    for column, raw in segments.items():
        values = np.asarray(raw).astype(str)
        for value in np.unique(values).tolist():
            rows = values == value
            if min((y[rows] == 1).sum(), (y[rows] == 0).sum()) >= POSITIVES:
                places.append((column, value, rows))
    found = []
    for column, value, rows in places:
        draws = _auc_differences(y[rows], champion[rows], challenger[rows], drawn[:, rows])
        difference = auc_of(y[rows], challenger[rows]) - auc_of(y[rows], champion[rows])
        # As many segments are looked at, each must be surer, or a good model would fail by chance in one of them.
        high = float(np.quantile(draws, 1 - (1 - _CONFIDENCE) / len(places)))
        found.append(
            {
                "column": column,
                "value": value,
                "rows": int(rows.sum()),
                "difference": round(difference, 6),
                "high": round(high, 6),
                "worse": bool(difference < -SEGMENT_MARGIN and high < 0),
            }
        )
    return found


def _auc_differences(y: np.ndarray, champion: np.ndarray, challenger: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """
    Return the AUC difference, challenger less champion, in bootstrap draws of shape (400,), the same rows for both.

    Each row's part in either AUC is computed once and weighed by how often the row was drawn: exact but for the few
    hundredths of the interval's width that the product of two drawn means makes.
    """
    difference = (_parts(y, challenger) - _parts(y, champion)).astype(np.float32)
    found = np.zeros(DRAWS)
    for side in (y == 1, y == 0):
        own = drawn[:, side]
        found += own @ difference[side] / np.maximum(own.sum(axis=1), 1)
    return found - float(difference[y == 1].mean())


def _parts(y: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Return for each row of class 1 the share of the others below it, for one of class 0 the share of ones above."""
    found = np.empty(len(y))
    for sign, side in ((1.0, y == 1), (-1.0, y == 0)):
        own, ordered = sign * score[side], np.sort(sign * score[~side])
        places = np.searchsorted(ordered, own, side="left") + np.searchsorted(ordered, own, side="right")
        found[side] = places / (2 * len(ordered))
    return found


def _loss(y: np.ndarray, score: np.ndarray) -> np.ndarray:
    clipped = np.clip(score, 1e-6, 1 - 1e-6)
    return np.asarray(-np.where(y == 1, np.log(clipped), np.log1p(-clipped)))


def _means(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    # The mean of many rows is normal, which is as good as drawing and far quicker.
    spread = values.std() / np.sqrt(len(values))
    return np.asarray(rng.normal(values.mean(), spread, DRAWS))
