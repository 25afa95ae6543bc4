"""`python -m training.sentiment_run fit|evaluate ..`: sentiment fits by themselves."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from training.sentiment import Wish, evaluate_sentiment, fit_sentiment

MODELS = Path(__file__).parents[1] / "models"


def main(argv: list[str]) -> None:
    """Do what *argv* asks for and print JSON."""
    parser = argparse.ArgumentParser(prog="python -m training.sentiment_run")
    parser.add_argument("do", choices=["fit", "evaluate"])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--also", type=Path, action="append", default=[])
    parser.add_argument("--target", default="y_sentiment")
    parser.add_argument("--text", default="TextBody")
    parser.add_argument("--time")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--base", type=Path)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--epochs", type=float)
    parser.add_argument("--rate", type=float)
    asked = parser.parse_args(argv)
    found = _fit(asked) if asked.do == "fit" else _evaluate(asked)
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(found, enc_hook=str), indent=1).decode() + "\n")


def _fit(asked: argparse.Namespace) -> dict[str, Any]:
    frames = [pd.read_parquet(path) for path in (asked.data, *asked.also)]
    texts = [text for frame in frames for text in frame[asked.text]]
    labels = [label for frame in frames for label in frame[asked.target]]
    own = np.arange(len(texts)) < len(frames[0])
    at = None
    if asked.time:
        own_times = frames[0][asked.time].astype("datetime64[ms]").astype("int64").to_numpy()
        at = np.concatenate([own_times, np.zeros(len(texts) - len(own_times), dtype=np.int64)])
    shipped = MODELS / "sentiment"
    wish = Wish(
        seconds=asked.seconds, base=asked.base or (shipped if (shipped / "manifest.json").exists() else None),
        languages=MODELS / "language", threads=asked.threads, epochs=asked.epochs, rate=asked.rate,
    )  # fmt: skip
    return fit_sentiment(
        texts,
        labels,
        asked.out,
        own=own,
        at=at,
        wish=wish,
        elapsed=_elapsed,
        tell=lambda line: print(line, file=sys.stderr),
    )


def _evaluate(asked: argparse.Namespace) -> dict[str, Any]:
    frame = pd.read_parquet(asked.data)
    return evaluate_sentiment(
        asked.folder, frame[asked.text].tolist(), frame[asked.target].tolist(), languages=MODELS / "language"
    )


def _elapsed() -> float:
    return time.perf_counter()  # noqa: TID251  the budget of a run; nothing that a model learns from


if __name__ == "__main__":
    main(sys.argv[1:])
