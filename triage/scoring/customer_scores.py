"""
Scores of what customers wrote, as a `Scorer`: sentiment and its shift over a thread, language, expected effort.

Only inbound messages count that no machine sent; a record without any is read from its subject and description.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from triage.domain.work import Event, Scores, Value, WorkItem
from triage.scoring.complexity import ComplexityModel
from triage.scoring.customer_text import customer_text
from triage.scoring.hub import HubModel
from triage.scoring.language import NOBODY_KNOWS, Language, LanguageModel
from triage.scoring.plain import plain
from triage.scoring.sentiment import Reading, SentimentModel

FAMILIES = ("sentiment", "language", "complexity")
EARLIER = 5
"""Earlier messages of a thread that the latest is held against."""
_KEPT = 4096
_PIECES = 4
_SENTENCE_SHOWN = 60
_TELLING = 0.3


class Reader(Protocol):
    """Reads one text: a `SentimentModel`, or any other provider."""

    version: str

    def read(self, text: str) -> Reading:
        """Return the reading of *text*."""


class SentimentScorer:
    """Scores records by what their customers wrote. Each item's scores depend on nothing but the item and its past."""

    def __init__(
        self, reader: Reader, language: LanguageModel | None = None, complexity: ComplexityModel | None = None
    ) -> None:
        """Join a *reader* with the models of language and effort; without one its scores are left out."""
        self._reader, self._language, self._complexity = reader, language, complexity
        self._read: dict[str, Reading] = {}

    @classmethod
    def load(cls, models: Path, *, threads: int = 1, provider: str = "local") -> SentimentScorer:
        """
        Return the scorer of the folders `sentiment`, `language` and `complexity` in *models*.

        Args:
            provider: `local` reads by the folder `sentiment`; `transformers:NAME` by a classifier of Hugging Face,
                see `HubModel.named`.

        Raises:
            ModelRefused: one of them is missing, changed, or says other than it said; or there is no such provider.
        """
        language = LanguageModel.load(models / "language")
        reader: Reader
        if provider == "local":
            reader = SentimentModel.load(models / "sentiment", language=language, threads=threads)
        else:
            reader = HubModel.named(provider, language=language)
        return cls(reader, language, ComplexityModel.load(models / "complexity"))

    def score(
        self, items: Sequence[tuple[WorkItem, Sequence[Event]]], now: int, wanted: Collection[str] = ()
    ) -> list[Scores]:
        """Return one Scores per item, in order; *wanted* are families, all three where it is empty."""
        families = [name for name in FAMILIES if not wanted or name in wanted]
        return [self._one(item, [event for event in past if event.at <= now], families) for item, past in items]

    def _one(self, item: WorkItem, past: Sequence[Event], families: Sequence[str]) -> Scores:
        thread = thread_of(item, past)
        values: dict[str, Value] = {}
        versions: dict[str, str] = {}
        reasons: dict[str, tuple[str, ...]] = {}
        if "sentiment" in families:
            found, told = self._sentiment(thread)
            values |= found
            reasons["sentiment"], versions["sentiment"] = told, self._reader.version
        if "language" in families and self._language is not None:
            tongue = self._tongue(thread)
            values |= {"language.code": tongue.code, "language.confidence": round(tongue.confidence, 6)}
        if "complexity" in families and self._complexity is not None:
            effort = self._complexity.expect(item, past, thread.latest)
            values |= {"complexity.score": round(effort.score, 6), "complexity.abstained": effort.abstained}
            reasons["complexity"], versions["complexity"] = effort.reasons, self._complexity.version
        return Scores(values=values, model_versions=versions, reasons=reasons)

    def _sentiment(self, thread: Thread) -> tuple[dict[str, Value], tuple[str, ...]]:
        reading = self._reading(thread.latest)
        values: dict[str, Value] = {
            "sentiment.label": reading.label, "sentiment.score": round(reading.score, 6),
            "sentiment.abstained": reading.abstained,
        }  # fmt: skip
        reasons = [reading.why] if reading.why else []
        earlier = [self._reading(text) for text in thread.earlier[-EARLIER:]]
        usable = [one.score for one in earlier if not one.why.startswith(("nothing", "written in"))]
        if usable and not reading.why.startswith(("nothing", "written in")):
            shift = reading.score - sum(usable) / len(usable)
            values["sentiment.shift"] = round(shift, 6)
            if abs(shift) >= _TELLING:
                way = "worse" if shift < 0 else "better"
                reasons.append(f"{way} than in {_messages(len(usable))} before")
        return values, tuple([*reasons, *self._pieces(thread.latest, reading)][:3])

    def _pieces(self, text: str, whole: Reading) -> list[str]:
        """Return the sentences of *text* that go furthest the way of the *whole*, the strongest first."""
        if whole.label == "neutral" or not text:
            return [f"reads {whole.label}"] if text else []
        pieces = sentences(text)[:_PIECES]
        if len(pieces) < 2:
            return [f"reads {whole.label}"]
        sign = 1.0 if whole.label == "positive" else -1.0
        strengths = sorted(((sign * self._reading(piece).score, at) for at, piece in enumerate(pieces)), reverse=True)
        told = [pieces[at] for strength, at in strengths if strength >= _TELLING]
        return [f"“{_short(piece)}” reads {whole.label}" for piece in told] or [f"reads {whole.label} as a whole"]

    def _reading(self, text: str) -> Reading:
        found = self._read.get(text)
        if found is None:
            if len(self._read) >= _KEPT:
                self._read.clear()
            found = self._read[text] = self._reader.read(text)
        return found

    def _tongue(self, thread: Thread) -> Language:
        assert self._language is not None
        found = NOBODY_KNOWS
        for text in [thread.latest, *reversed(thread.earlier)][:3]:
            found = self._language.identify(text)
            if found.code != "und":
                break
        return found


class Thread(Struct, frozen=True):
    """What the customer wrote of one record: the latest text ("" where there is none) and those before it."""

    latest: str
    earlier: tuple[str, ...] = ()


def _field(item: WorkItem, past: Sequence[Event], name: str) -> str:
    """Return a text of *item* under our name, or under the CRM's where it comes as the CRM has it."""
    theirs = name.capitalize()
    told = next((event.changes[theirs] for event in reversed(past) if theirs in event.changes), "")
    return str(item.fields.get(name) or item.fields.get(theirs) or told or "")


def thread_of(item: WorkItem, past: Sequence[Event]) -> Thread:
    """Return what the customer of *item* wrote: subject and description first, then inbound messages of people."""
    parts = [_field(item, past, name).strip() for name in ("subject", "description")]
    opened = customer_text("\n".join(part for part in parts if part))
    texts = [opened] if opened else []
    for event in past:
        if event.type == "message" and event.direction == "in" and not event.auto and event.body:
            text = customer_text(event.body)
            if text and plain(text) != plain(opened):
                texts.append(text)
    return Thread(texts[-1], tuple(texts[:-1])) if texts else Thread("")


def sentences(text: str) -> list[str]:
    """Return the sentences of *text* in order: lines, cut after full stops, exclamation and question marks."""
    found = [part.strip() for line in text[:4000].split("\n") for part in re.split(r"(?<=[.!?])\s+", line)]
    return [part for part in found if any(character.isalpha() for character in part)]


def _messages(count: int) -> str:
    return "the message" if count == 1 else f"the {count} messages"


def _short(text: str) -> str:
    return text if len(text) <= _SENTENCE_SHOWN else text[:_SENTENCE_SHOWN].rsplit(" ", 1)[0] + " .."
