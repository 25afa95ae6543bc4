"""
Sentiment by any Hugging Face model, through transformers and torch: the extra `sentiment`, never needed otherwise.

Weights come from safetensors only and no code of the model's own is ever run. Both libraries are imported when a
model is opened, not before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from triage.errors import ModelRefused
from triage.scoring.customer_text import customer_text
from triage.scoring.language import NOBODY_KNOWS, LanguageModel
from triage.scoring.sentiment import CLASSES, Reading

_STAR = re.compile(r"([1-5])\s*stars?", re.IGNORECASE)
_PLACES = {"negative": 0, "neg": 0, "neutral": 1, "neu": 1, "mixed": 1, "positive": 2, "pos": 2}
_SURE = 0.5
_WINDOW = 254


class HubModel:
    """Reads texts with a sequence classifier. Its probabilities are as the model says them: not calibrated here."""

    def __init__(
        self, model: Any, tokenizer: Any, places: Sequence[int], name: str, language: LanguageModel | None
    ) -> None:
        self._model, self._tokenizer, self._places = model, tokenizer, tuple(places)
        self.version, self.language = name, language

    @classmethod
    def load(
        cls, name: str | Path, *, labels: Mapping[str, str] | None = None, language: LanguageModel | None = None,
        offline: bool = True,
    ) -> HubModel:  # fmt: skip
        """
        Return the classifier *name*: an id on the hub, or a folder.

        Args:
            labels: Its labels by ours (`{"LABEL_0": "negative", ..}`), where their names do not tell.
            offline: Only look at what is on this machine.

        Raises:
            ModelRefused: the extra is not installed, there is no such model, or its labels cannot be told apart.
        """
        try:
            from transformers import AutoModelForSequenceClassification, AutoTokenizer
        except ImportError as fault:
            raise ModelRefused(
                "the provider `transformers` needs the extra: pip install 'triage[sentiment]'"
            ) from fault
        options: dict[str, Any] = {"local_files_only": offline, "trust_remote_code": False}
        try:
            tokenizer = AutoTokenizer.from_pretrained(str(name), **options)
            model = AutoModelForSequenceClassification.from_pretrained(str(name), use_safetensors=True, **options)
        except (OSError, ValueError, KeyError) as fault:
            raise ModelRefused(
                f"{name}: no classifier that can be opened: {str(fault).splitlines()[0][:200]}"
            ) from fault
        names = [str(model.config.id2label[at]) for at in range(model.config.num_labels)]
        model.eval()
        return cls(model, tokenizer, places(names, labels or {}), str(name), language)

    def read(self, text: str) -> Reading:
        """Return the reading of *text*; it abstains where nothing is written and where no class has half."""
        said = customer_text(text).strip()
        shares = self.probabilities([text])[0]
        best = int(shares.argmax())
        why = "nothing is written by the customer" if not said else ""
        if not why and shares[best] < _SURE:
            why = f"could as well be {CLASSES[int(np.argsort(-shares)[1])]}"
        return Reading(
            label=CLASSES[best], probabilities=tuple(shares.tolist()), score=float(shares[2] - shares[0]),
            abstained=bool(why), why=why,
            language=NOBODY_KNOWS if self.language is None else self.language.identify(said),
        )  # fmt: skip

    def probabilities(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """Return ndarray of shape (n_texts, 3); windows of a long text count by their lengths."""
        return np.stack([self._one(customer_text(text)) for text in texts])

    def _one(self, said: str) -> npt.NDArray[np.float64]:
        import torch

        held = self._tokenizer(
            said, truncation=True, max_length=min(_WINDOW + 2, int(self._tokenizer.model_max_length)), stride=16,
            return_overflowing_tokens=True, padding=True, return_tensors="pt",
        )  # fmt: skip
        inputs = {name: held[name][:8] for name in ("input_ids", "attention_mask")}
        with torch.inference_mode():
            logits = self._model(**inputs).logits.double().numpy()
        lengths = inputs["attention_mask"].sum(dim=1).double().numpy()
        marks = (lengths / lengths.sum()) @ logits
        shares = np.exp(marks - marks.max())
        summed = np.zeros(len(CLASSES))
        np.add.at(summed, list(self._places), shares / shares.sum())
        return summed


def places(names: Sequence[str], labels: Mapping[str, str]) -> list[int]:
    """
    Return for each label of a model which class of ours it is: by name, by stars, or as *labels* says.

    Raises:
        ModelRefused: a name tells nothing.
    """
    found = []
    for name in names:
        told = labels.get(name, name).strip().casefold()
        star = _STAR.fullmatch(told)
        if star is not None:
            found.append((0, 0, 1, 2, 2)[int(star.group(1)) - 1])
        elif told in _PLACES:
            found.append(_PLACES[told])
        else:
            raise ModelRefused(
                f"the model's label {name!r} says no mood: name it in `labels` (negative, neutral, positive)"
            )
    return found
