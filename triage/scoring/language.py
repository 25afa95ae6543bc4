"""
Which language a text is in: counts of short byte sequences, weighed for 25 languages, no library and no network.

The weights lie in a folder of `models/` (see its card for where they come from). Pure arithmetic over one array.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from triage.errors import ModelRefused
from triage.scoring.sealed import read_sealed

UNDECIDED = "und"
"""The code of a text too short or too mixed to tell."""
SURE = 0.5
"""Confidence below which the code is `und`."""

_BYTES = 600
_LONGEST, _SHORTEST = 5, 2
_NOISE = re.compile(r"(?:https?://|www\.)\S+|[\w.+-]{1,64}@[\w.-]{1,255}|[@#]\w+|\d+")
_SPACE = re.compile(r"\s+")


class Language(NamedTuple):
    """A code of ISO 639-1 (`und` where nobody can tell) and the confidence in the likeliest one, 0-1."""

    code: str
    confidence: float
    likeliest: str = UNDECIDED


NOBODY_KNOWS = Language(UNDECIDED, 0.0)


class LanguageModel:
    """Tells languages apart. `weights` is an ndarray of shape (n_grams, n_languages), float32."""

    def __init__(self, grams: Mapping[bytes, int], weights: npt.NDArray[np.float32], codes: tuple[str, ...]) -> None:
        self._grams, self._weights, self.codes = grams, weights, codes

    @classmethod
    def load(cls, folder: Path) -> LanguageModel:
        """
        Return the model in *folder*.

        Raises:
            ModelRefused: a file is missing, was changed, or its arrays do not fit together.
        """
        sealed = read_sealed(folder, "language")
        arrays = sealed.arrays("language.npz")
        try:
            text, ends = arrays["grams"].tobytes(), arrays["ends"].tolist()
            weights = arrays["weights"].astype(np.float32) * np.float32(arrays["step"])
            codes = tuple(arrays["codes"].tolist())
        except (KeyError, ValueError) as fault:
            raise ModelRefused(f"{folder}: language.npz cannot be read: {fault}") from fault
        if weights.shape != (len(ends), len(codes)) or (ends and ends[-1] != len(text)):
            raise ModelRefused(f"{folder}: language.npz holds arrays that do not fit together")
        grams = {text[start:end]: at for at, (start, end) in enumerate(zip([0, *ends], ends, strict=False))}
        return cls(grams, weights - weights.mean(axis=1, keepdims=True), codes)

    def identify(self, text: str) -> Language:
        """Return the language of *text*, read up to 600 bytes; links, names, tags and numbers do not count."""
        plain = _SPACE.sub(" ", _NOISE.sub(" ", text[: 4 * _BYTES])).strip()
        if not any(character.isalpha() for character in plain):
            return NOBODY_KNOWS
        data = f"{plain.lower() if plain.isupper() else plain} ".encode("utf-8", "replace")[:_BYTES]
        counts = self._counts(data)
        if not counts:
            return NOBODY_KNOWS
        rows, amounts = np.fromiter(counts.keys(), np.intp), np.log1p(np.fromiter(counts.values(), np.float32))
        marks = amounts @ self._weights[rows] / math.sqrt(len(data))
        shares = np.exp(marks - marks.max())
        best = int(shares.argmax())
        confidence, code = float(shares[best] / shares.sum()), self.codes[best]
        return Language(code if confidence >= SURE else UNDECIDED, confidence, code)

    def _counts(self, data: bytes) -> dict[int, int]:
        """Return how often each gram is the longest that ends at some place of *data*."""
        found: dict[int, int] = {}
        find = self._grams.get
        for end in range(_SHORTEST, len(data) + 1):
            for size in range(min(_LONGEST, end), _SHORTEST - 1, -1):
                gram = find(data[end - size : end])
                if gram is not None:
                    found[gram] = found.get(gram, 0) + 1
                    break
        return found
