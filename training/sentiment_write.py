"""The model folder of a sentiment fit: encoder, head, golden rows, metrics, schema, card and plots, all sealed."""

from __future__ import annotations

import io
import platform
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from training.sentiment import Choice, Wish
from training.sentiment_card import card, plots
from training.sentiment_rows import Cut, Rows
from training.sentiment_texts import golden_texts
from training.sentiment_words import WordsFit
from triage.scoring.encoder import Encoder
from triage.scoring.plain import plain
from triage.scoring.sealed import write_sealed
from triage.scoring.sentiment import CLASSES, Golden, SentimentModel, Settings, softmax

_LIBRARIES = ("numpy", "onnxruntime", "scikit-learn", "tokenizers", "torch")


def write(
    out: Path,
    rows: Rows,
    cut: Cut,
    held: np.ndarray,
    choice: Choice,
    settings: Settings,
    judged: dict[str, Any],
    wish: Wish,
    tell: Callable[[str], None],
) -> dict[str, Any]:
    """Write the folder and return {"folder", "version", "metrics", "languages", ..}."""
    found = choice.candidate
    parts = {"weights": found.weights.astype(np.float32), "intercept": found.intercept.astype(np.float32)}
    if choice.words is not None:
        parts |= choice.words.arrays()
    counts = {name: int((rows.labels[cut.fit] == at).sum()) for at, name in enumerate(CLASSES)}
    facts = {
        "recipe": found.facts,
        "tried": choice.tried,
        "rows": {"fit": len(cut.fit), "held_out": len(held), **counts},
        "notes": [*rows.notes, *wish.notes],
        "seed": wish.seed,
    }
    shares = softmax(choice.logits / settings.temperature + np.array(settings.shift))
    files = {
        "encoder.onnx": found.graph,
        "tokenizer.json": found.tokenizer,
        "head.npz": _npz(parts),
        "golden.jsonl": _golden(found.graph, found.tokenizer, parts, settings, choice.words),
        "metrics.json": _json({"held_out": judged, "rows": len(held)}),
        "schema.json": _json(_SCHEMA),
        "card.md": card(wish.name, settings, judged, facts).encode(),
        **plots(rows.labels[held], shares),
    }
    manifest = {
        "settings": settings,
        "heads": found.heads,
        "model": wish.name,
        "columns": wish.columns,
        "family": "sentiment",
        "metrics": judged,
        **facts,
        "python": platform.python_version(),
        "libraries": _versions(),
    }
    version = write_sealed(out, "sentiment", files, manifest)
    SentimentModel.load(out)
    size = sum(map(len, files.values()))
    tell(f"{out}: version {version}, {size / 1e6:.1f} MB, languages {', '.join(settings.languages) or 'not looked at'}")
    return {
        "folder": str(out),
        "version": version,
        "bytes": size,
        "metrics": judged,
        "languages": settings.languages,
        **facts,
    }


def _npz(arrays: dict[str, np.ndarray]) -> bytes:
    held = io.BytesIO()
    np.savez_compressed(held, **{name: arrays[name] for name in sorted(arrays)})
    return held.getvalue()


def _golden(
    graph: bytes, tokenizer: bytes, parts: dict[str, np.ndarray], settings: Settings, words: WordsFit | None
) -> bytes:
    head = parts["weights"].astype(np.float64), parts["intercept"].astype(np.float64)
    served = None if words is None else words.words()
    model = SentimentModel(Encoder(graph, tokenizer), head, settings, served)
    lines = []
    for text in golden_texts():
        shares = tuple(round(float(share), 9) for share in model.probabilities([text])[0])
        lines.append(msgspec.json.encode(Golden(text, shares)))
    return b"\n".join(lines) + b"\n"


def _versions() -> dict[str, str]:
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _json(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value, order="sorted"), indent=1) + b"\n"


_SCHEMA = {
    "in": {"text": "what a customer wrote: mail body (plain or HTML) or message, read up to 100,000 characters"},
    "out": {
        "sentiment.label": "negative | neutral | positive",
        "sentiment.score": "-1 to 1: probability of positive less that of negative",
        "sentiment.abstained": "true where the label is a guess: doubt, a language not trained for, nothing written",
        "sentiment.shift": "-2 to 2: the latest score less the mean of earlier ones, only where there are earlier ones",
    },
    "reads": plain.__module__,
}
