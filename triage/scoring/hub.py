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
from triage.scoring.sentiment import CLASSES, NOTHING, Reading

_STAR = re.compile(r"([1-5])\s*stars?", re.IGNORECASE)
_PLACES = {"negative": 0, "neg": 0, "neutral": 1, "neu": 1, "mixed": 1, "positive": 2, "pos": 2}
_SURE = 0.5
_WINDOW = 254
PROVIDER = "transformers"


class HubModel:
    """Reads texts with a sequence classifier. Its probabilities are as the model says them: not calibrated here."""

    def __init__(
        self, model: Any, tokenizer: Any, places: Sequence[int], name: str, language: LanguageModel | None
    ) -> None:
        self._model, self._tokenizer, self._places = model, tokenizer, tuple(places)
        self.version, self.language = name, language

    @classmethod
    def named(cls, provider: str, *, language: LanguageModel | None = None) -> HubModel:
        """
        Return the classifier that *provider* names: `transformers:ID`, an id of the hub or a folder.

        Labels whose names say no mood are told behind it: `transformers:ID?LABEL_0=negative,LABEL_1=positive`. An id
        that is not on this machine is fetched from the hub.

        Raises:
            ModelRefused: no such provider, or no such model, in words.
        """
        kind, _, rest = provider.partition(":")
        name, _, told = rest.partition("?")
        if kind != PROVIDER or not name:
            raise ModelRefused(
                f"there is no sentiment provider {provider[:80]!r}: name `local`, or `{PROVIDER}:` and a model"
            )
        pairs = [pair.partition("=") for pair in told.split(",") if pair]
        return cls.load(
            name, labels={label.strip(): mood for label, _, mood in pairs}, language=language, offline=False
        )

    @classmethod
    def load(
        cls, name: str | Path, *, labels: Mapping[str, str] | None = None, language: LanguageModel | None = None,
        offline: bool = True,
    ) -> HubModel:  # fmt: skip
        """
        Return the classifier *name*: an id on the hub, or a folder.

        Args:
            labels: Its labels by ours (`{"LABEL_0": "negative", ..}`), where their names do not tell.
            offline: Only look at what is on this machine; else the hub is asked for what is not.

        Raises:
            ModelRefused: the extra is not installed, there is no such model, or its labels cannot be told apart.
        """
        try:
            import transformers  # noqa: F401
        except ImportError as fault:
            raise ModelRefused(
                "the provider `transformers` needs the extra: pip install 'triage[sentiment]'"
            ) from fault
        opened = _opened(str(name))
        if isinstance(opened, Exception) and not offline and not Path(name).exists():
            _ask_hub(str(name))
            opened = _opened(str(name), here=False)
        if isinstance(opened, Exception):
            raise ModelRefused(
                f"{name}: no classifier on this machine that can be opened: {_first_line(opened)}"
            ) from opened
        tokenizer, model = opened
        names = [str(model.config.id2label[at]) for at in range(model.config.num_labels)]
        model.eval()
        return cls(model, tokenizer, places(names, labels or {}), str(name), language)

    def read(self, text: str) -> Reading:
        """Return the reading of *text*; it abstains where nothing is written and where no class has half."""
        said = customer_text(text).strip()
        if not said:
            return NOTHING
        shares = self.probabilities([text])[0]
        best = int(shares.argmax())
        why = "" if shares[best] >= _SURE else f"could as well be {CLASSES[int(np.argsort(-shares)[1])]}"
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


def _opened(name: str, *, here: bool = True) -> tuple[Any, Any] | Exception:
    """Return (tokenizer, model), or why they do not open; *here*: without asking the network."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    options: dict[str, Any] = {"local_files_only": here, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, **options)
        return tokenizer, AutoModelForSequenceClassification.from_pretrained(name, use_safetensors=True, **options)
    except (OSError, ValueError, KeyError) as fault:
        return fault


def _ask_hub(name: str) -> None:
    """Raise ModelRefused, within seconds, where the hub cannot be reached or has no such model."""
    from huggingface_hub import HfApi

    try:
        HfApi().model_info(name, timeout=10)
    except Exception as fault:  # each version of the library has kinds of its own
        raise ModelRefused(
            f"{name}: not on this machine, and the hub gives none ({type(fault).__name__}: {_first_line(fault)}): "
            "check the name and the network, or name a folder"
        ) from fault


def _first_line(fault: Exception) -> str:
    return (str(fault).splitlines() or [""])[0][:200]


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
