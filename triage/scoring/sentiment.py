"""
What a customer's text feels like: negative, neutral or positive, calibrated, with the right to abstain.

A model folder of kind `sentiment` holds an encoder, a linear head over its vector and the words, and the numbers that
calibrate it; `SentimentModel.load` opens one, or refuses it in words. Nothing of torch or scikit-learn is needed.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from triage.errors import ModelRefused
from triage.scoring.customer_text import customer_text
from triage.scoring.encoder import Encoder
from triage.scoring.language import NOBODY_KNOWS, Language, LanguageModel
from triage.scoring.plain import plain
from triage.scoring.sealed import read_sealed

Floats = npt.NDArray[np.float64]

CLASSES = ("negative", "neutral", "positive")
TOLERANCE = 0.02
"""How far a probability may lie from the golden one: int8 kernels of other processors round otherwise."""
SURE_OF_LANGUAGE = 0.4
"""Confidence from which a foreign language makes the score abstain: one English message in 2,000 is taken for one."""
_LOOKED_AT = 12
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[!?]+|[:;=8][-o]?[()DPp/\\|]|<3")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """
    The numbers of a model beside its arrays.

    Attributes:
        classes: Names in the order of the outputs.
        languages: Codes that it was trained for; a text surely in another one makes it abstain.
        temperature, shift: Calibration: probabilities are softmax(logits / temperature + shift).
        lean: Added to log probabilities before the label is chosen, so that rare classes are not missed.
        thresholds: Conformal: class k stays possible where 1 - p is at most thresholds[k].
        coverage: The share of texts whose true class is among the possible ones.
        share: Weight of the words beside the encoder, 0-1.
    """

    classes: tuple[str, ...] = CLASSES
    languages: tuple[str, ...] = ()
    temperature: float = 1.0
    shift: tuple[float, ...] = (0.0, 0.0, 0.0)
    lean: tuple[float, ...] = (0.0, 0.0, 0.0)
    thresholds: tuple[float, ...] = ()
    coverage: float = 0.9
    share: float = 0.0


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """
    One text as read: the label, calibrated probabilities by class, and their balance from -1 to 1.

    `abstained` with `why`: the label is the best guess and no more. `language` is what the text seems to be in.
    """

    label: str
    probabilities: tuple[float, ...]
    score: float
    abstained: bool
    why: str = ""
    language: Language = NOBODY_KNOWS


NOTHING = Reading(
    label="neutral", probabilities=(1 / 3, 1 / 3, 1 / 3), score=0.0, abstained=True,
    why="nothing is written by the customer",
)  # fmt: skip
"""The reading of a text of which nothing is the customer's."""


class Words:
    """Words and pairs of words as a TF-IDF row times weights: the part of a model that needs no encoder."""

    def __init__(self, terms: Sequence[str], idf: Floats, weights: Floats, intercept: Floats) -> None:
        self._places = {term: at for at, term in enumerate(terms)}
        self._idf, self._weights, self._intercept = idf, weights, intercept

    def logits(self, text: str) -> Floats:
        """Return the logits, shape (n_classes,), of a text that `plain` has been over."""
        counts: dict[int, int] = {}
        for gram in grams(text):
            place = self._places.get(gram)
            if place is not None:
                counts[place] = counts.get(place, 0) + 1
        if not counts:
            return self._intercept
        places = sorted(counts)
        values = np.array([1.0 + math.log(counts[at]) for at in places]) * self._idf[places]
        found: Floats = self._weights[:, places] @ (values / math.sqrt(float(values @ values))) + self._intercept
        return found


def grams(text: str) -> list[str]:
    """Return the words of *text* in lower case, marks of feeling among them, then each pair of neighbours."""
    words = _WORD.findall(text.lower())
    return words + [f"{first} {second}" for first, second in itertools.pairwise(words)]


class SentimentModel:
    """A sentiment model at work. The same text gives the same reading, whatever was read before or beside it."""

    def __init__(
        self, encoder: Encoder, head: tuple[Floats, Floats], settings: Settings, words: Words | None = None,
        language: LanguageModel | None = None, version: str = "",
    ) -> None:  # fmt: skip
        """Join the parts; *head* is weights (n_classes, hidden) and intercept (n_classes,)."""
        self.settings, self.version, self.language = settings, version, language
        self._encoder, self._words = encoder, words
        self._weights, self._intercept = head
        self._shift, self._lean = np.array(settings.shift), np.array(settings.lean)
        self._balance = np.linspace(-1.0, 1.0, len(settings.classes))

    @classmethod
    def load(cls, folder: Path, *, language: LanguageModel | None = None, threads: int = 1) -> SentimentModel:
        """
        Return the model in *folder*, once a dozen of its golden rows came out as they were.

        Raises:
            ModelRefused: a file is missing or changed, does not fit, or a golden row came out differently.
        """
        sealed = read_sealed(folder, "sentiment")
        arrays = sealed.arrays("head.npz")
        try:
            settings = msgspec.convert(sealed.manifest["settings"], Settings)
            golden = [msgspec.json.decode(line, type=Golden) for line in sealed.data("golden.jsonl").splitlines()]
        except (KeyError, ValueError, msgspec.MsgspecError) as fault:
            raise ModelRefused(f"{folder}: the model cannot be read ({fault}): fit it again") from fault
        encoder = Encoder(sealed.data("encoder.onnx"), sealed.data("tokenizer.json"), threads=threads)
        version = str(sealed.manifest.get("version", ""))
        model = cls(encoder, _head(folder, arrays, settings), settings, _words(arrays), language, version)
        model.check(folder, golden[:: max(1, len(golden) // _LOOKED_AT)])
        return model

    def check(self, folder: Path, golden: Sequence[Golden]) -> None:
        """Raise ModelRefused where a golden row comes out more than `TOLERANCE` from what it was."""
        for row in golden:
            gap = float(np.abs(self.probabilities([row.text])[0] - np.array(row.probabilities)).max())
            if not gap <= TOLERANCE:
                raise ModelRefused(
                    f"{folder}: golden.jsonl: {row.text[:40]!r} comes out {gap:.3f} from what it was when it was "
                    f"exported (allowed {TOLERANCE}): this machine computes it differently; fit it again here"
                )

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """Return ndarray of shape (n_texts, n_classes), calibrated, of texts as customers sent them."""
        return softmax(np.stack([self.logits(text) for text in texts]) / self.settings.temperature + self._shift)

    def logits(self, text: str) -> Floats:
        """Return the logits, shape (n_classes,), before calibration."""
        return self._logits(plain(customer_text(text)))

    def read(self, text: str) -> Reading:
        """Return the reading of *text*; it abstains where nothing is written, on foreign languages, and in doubt."""
        theirs = customer_text(text)
        said = plain(theirs)
        if not said:
            return NOTHING
        # Not of what the encoder reads: it names emoji in English.
        tongue = NOBODY_KNOWS if self.language is None else self.language.identify(theirs)
        shares = softmax(self._logits(said)[None] / self.settings.temperature + self._shift)[0]
        label = self.settings.classes[int(self.decide(shares[None])[0])]
        why = self._foreign(tongue) or self._doubt(shares)
        return Reading(
            label=label, probabilities=tuple(shares.tolist()), score=float(shares @ self._balance),
            abstained=bool(why), why=why, language=tongue,
        )  # fmt: skip

    def decide(self, probabilities: Floats) -> npt.NDArray[np.intp]:
        """Return the class chosen for each row of *probabilities*."""
        chosen: npt.NDArray[np.intp] = np.argmax(np.log(np.maximum(probabilities, 1e-12)) + self._lean, axis=1)
        return chosen

    def possible(self, probabilities: Floats) -> npt.NDArray[np.bool_]:
        """Return, of shape (n, n_classes), the classes that stay possible at the promised coverage."""
        if not self.settings.thresholds:
            return np.ones_like(probabilities, dtype=bool)
        kept: npt.NDArray[np.bool_] = 1.0 - probabilities <= np.array(self.settings.thresholds)
        return kept

    def _logits(self, said: str) -> Floats:
        found: Floats = self._weights @ self._encoder.pooled(said).astype(np.float64) + self._intercept
        if self._words is not None and self.settings.share > 0:
            found = (1 - self.settings.share) * found + self.settings.share * self._words.logits(said)
        return found

    def _foreign(self, tongue: Language) -> str:
        if tongue.confidence < SURE_OF_LANGUAGE or not self.settings.languages:
            return ""
        if tongue.likeliest in self.settings.languages:
            return ""
        return f"written in {tongue.likeliest}, a language that the model was not trained for"

    def _doubt(self, shares: Floats) -> str:
        left = [name for name, kept in zip(self.settings.classes, self.possible(shares[None])[0], strict=True) if kept]
        if len(left) == 1:
            return ""
        return f"could as well be {' or '.join(left)}" if left else "like nothing that the model has seen"


class Golden(msgspec.Struct, frozen=True):
    """A text of ours and the probabilities that the model gave it when it was exported."""

    text: str
    probabilities: tuple[float, ...]


def softmax(logits: Floats) -> Floats:
    """Return the shares, summing to 1 in each row, of *logits*."""
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Floats = raised / raised.sum(axis=1, keepdims=True)
    return shares


def _head(folder: Path, arrays: Mapping[str, Any], settings: Settings) -> tuple[Floats, Floats]:
    weights, intercept = arrays.get("weights"), arrays.get("intercept")
    count = len(settings.classes)
    if weights is None or intercept is None or weights.shape[0] != count or intercept.shape != (count,):
        raise ModelRefused(f"{folder}: head.npz does not fit the classes in its manifest: fit it again")
    return weights.astype(np.float64), intercept.astype(np.float64)


def _words(arrays: Mapping[str, Any]) -> Words | None:
    if "words.terms" not in arrays:
        return None
    terms = arrays["words.terms"].tobytes().decode().split("\n")
    numbers = [arrays[f"words.{name}"].astype(np.float64) for name in ("idf", "weights", "intercept")]
    return Words(terms, *numbers)
