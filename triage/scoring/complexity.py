"""
How much work a record will take, 0 (little) to 1 (as much as any): a linear model over its text and counts.

The score is a rank among the records that it was fitted on, so 0.9 means more work than nine in ten of them. It
abstains where its own error, measured on such records, is too wide to say more than "average".
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from triage.domain.work import Event, WorkItem
from triage.errors import ModelRefused
from triage.scoring.sealed import read_sealed

FEATURES = (
    "words", "sentences", "questions", "listed points", "signs of an error", "numbers and codes", "messages so far",
    "changes of owner", "reopenings", "people who wrote",
)  # fmt: skip
_TELLING = 0.02
_ERROR = re.compile(
    r"\b(?:error|exception|fail\w*|crash\w*|timeout|timed out|stack ?trace|fehler\w*|ausfall|absturz|erreur|panne|fallo"
    r"|outage|down|unreachable|0x[0-9a-f]+|[45]\d\d)\b",
    re.IGNORECASE,
)
_POINT = re.compile(r"^\s{0,8}(?:[-*•]|\d{1,2}[.)])\s", re.MULTILINE)
_CODE = re.compile(r"\b(?=\w*\d)\w{3,40}\b")
_WORD = re.compile(r"\w+")
_SENTENCE = re.compile(r"[.!?]+(?:\s|$)")


class Effort(Struct, frozen=True):
    """The expected effort as a rank, 0-1, whether the model would rather not say, and why it is what it is."""

    score: float
    abstained: bool
    reasons: tuple[str, ...] = ()


class Coefficients(Struct, frozen=True, kw_only=True):
    """
    A linear model: each feature less its mean, over its scale, times its weight.

    `half_widths` are the half widths of an 80 % interval in each third of the scores, on rows that it did not fit;
    `widest` is the half width above which it abstains.
    """

    means: tuple[float, ...]
    scales: tuple[float, ...]
    weights: tuple[float, ...]
    intercept: float
    half_widths: tuple[float, float, float]
    widest: float = 0.35


class ComplexityModel:
    """Says how much work to expect. Pure arithmetic."""

    def __init__(self, coefficients: Coefficients, version: str = "") -> None:
        self.coefficients, self.version = coefficients, version

    @classmethod
    def load(cls, folder: Path) -> ComplexityModel:
        """Return the model in *folder*; raise ModelRefused where it was changed or does not fit."""
        sealed = read_sealed(folder, "complexity")
        try:
            found = msgspec.json.decode(sealed.data("model.json"), type=Coefficients)
        except msgspec.MsgspecError as fault:
            raise ModelRefused(f"{folder}: model.json cannot be read ({fault}): fit it again") from fault
        if not len(found.means) == len(found.scales) == len(found.weights) == len(FEATURES) or 0 in found.scales:
            raise ModelRefused(f"{folder}: made for other features than this version has: fit it again")
        return cls(found, str(sealed.manifest.get("version", "")))

    def expect(self, item: WorkItem, past: Sequence[Event], text: str) -> Effort:
        """Return the effort to expect of *item*, whose customer last wrote *text*."""
        return self.from_features(features(item, past, text), written=bool(text))

    def from_features(self, row: Sequence[float], *, written: bool = True) -> Effort:
        """Return the effort that the numbers *row*, in the order of `FEATURES`, speak for."""
        held = self.coefficients
        parts = [
            weight * (min(max((value - mean) / scale, -4.0), 4.0))
            for value, mean, scale, weight in zip(row, held.means, held.scales, held.weights, strict=True)
        ]
        score = min(1.0, max(0.0, held.intercept + sum(parts)))
        wide = held.half_widths[min(2, int(score * 3))] > held.widest
        reasons = _reasons(row, parts)
        if not written:
            reasons = ("nothing is written by the customer", *reasons)
        elif wide:
            reasons = ("records like this one took anything from little to much work", *reasons)
        return Effort(score, wide or not written, reasons[:3])


def features(item: WorkItem, past: Sequence[Event], text: str) -> list[float]:
    """Return the numbers of *item* in the order of `FEATURES`; *past* holds nothing later than now."""
    read = text[:20_000]
    inbound = [event for event in past if event.type == "message" and event.direction == "in" and not event.auto]
    writers = {event.sender for event in inbound if event.sender}
    return [
        math.log1p(len(_WORD.findall(read))),
        math.log1p(len(_SENTENCE.findall(read))),
        math.log1p(read.count("?")),
        math.log1p(len(_POINT.findall(read))),
        math.log1p(len(_ERROR.findall(read))),
        math.log1p(len(_CODE.findall(read))),
        math.log1p(len(inbound)),
        math.log1p(_count(item, "reassignment_count")),
        math.log1p(_count(item, "reopen_count")),
        math.log1p(len(writers)),
    ]


def _count(item: WorkItem, name: str) -> float:
    value = item.fields.get(name, 0)
    return float(value) if isinstance(value, int | float) and value > 0 else 0.0


def _reasons(row: Sequence[float], parts: Sequence[float]) -> tuple[str, ...]:
    order = sorted(range(len(parts)), key=lambda at: (-abs(parts[at]), at))
    told = []
    for at in order[:3]:
        if abs(parts[at]) >= _TELLING:
            way = "more" if parts[at] > 0 else "less"
            told.append(f"{FEATURES[at]} ({round(math.expm1(row[at]))}) speaks for {way} work")
    return tuple(told)
