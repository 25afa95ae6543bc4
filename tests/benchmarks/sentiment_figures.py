"""
Figures of sentiment on the shared messages, by the commands that a user has: fit on some rows, judged once on others.

`python tests/benchmarks/sentiment_figures.py ../shared/data [airline|brand|general|shipped ..] [--base FOLDER]`. Run it
alone: a fit takes up to a quarter of an hour. The base must not have seen the rows judged on: for `brand` and `general`
name the checkpoint of `training.sentiment_recipe`, or an untouched encoder. `shipped` fits nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pandas as pd

from training.cli import run

MODELS = Path(__file__).resolve().parents[2] / "models"
Split = tuple[str, pd.DataFrame, pd.DataFrame, Path | None]


def splits(data: Path, brand: str) -> dict[str, Split]:
    """Return by task: what it shows, the rows to fit on, the rows to judge on, a file to stack below."""
    airline = pd.read_parquet(data / "airline_message.parquet").sort_values("CreatedDate", kind="stable")
    general = pd.read_parquet(data / "semeval_message.parquet")
    cut, late = int(len(airline) * 0.8), general["split"] == "2016test"
    mine = airline["AccountName"] == brand
    test = general[late].sample(6000, random_state=1)
    return {
        "airline": ("last 20 % in time, reach macro-F1 0.80", airline[:cut], airline[cut:], None),
        "brand": (f"{brand} never seen, reach macro-F1 0.72", airline[~mine], airline[mine], None),
        "general": (
            "2016test after all before it, reach macro recall 0.715", general[~late], test,
            data / "airline_message.parquet",
        ),
    }  # fmt: skip


def measure(task: str, split: Split, base: str) -> None:
    """Fit and judge *split* as the command line does, and print what came of it."""
    what, fitted, judged, also = split
    with tempfile.TemporaryDirectory() as room:
        early, out = (str(Path(room) / name) for name in ("early.parquet", "model"))
        fitted.to_parquet(early)
        asked = ["--target", "y_sentiment", "--id", "MessageId"]
        more = [*(["--also", str(also)] if also else []), *(["--base", base] if base else [])]
        started = time.perf_counter()
        code = run(["fit", "sentiment", "--data", early, *asked, "--text", "TextBody", *more, "--out", out])
        took = time.perf_counter() - started
        if code:
            raise SystemExit(code)
        judge(task, what, Path(out), judged, f", fitted in {took:.0f} s")


def judge(task: str, what: str, model: Path, judged: pd.DataFrame, more: str = "") -> None:
    """Print how *model* does on the rows *judged*."""
    with tempfile.TemporaryDirectory() as room, redirect_stdout(StringIO()) as said:
        later = str(Path(room) / "later.parquet")
        judged.to_parquet(later)
        run(["evaluate", str(model), "--data", later, "--target", "y_sentiment", "--id", "MessageId", "--json"])
    found = json.loads(said.getvalue().splitlines()[-1])
    figures = ", ".join(f"{name} {found['metrics'][name]['value']:.3f}" for name in ("macro_f1", "macro_recall", "ece"))
    sys.stdout.write(
        f"{task}: {what}: {figures}, abstained {found['abstained']:.2f}, coverage {found['coverage']:.3f}, "
        f"{found['rows']:,} rows{more}\n"
    )


def main() -> None:
    """Measure the tasks named, all of them where none is."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("data", type=Path)
    asked.add_argument("tasks", nargs="*", default=[])
    asked.add_argument("--brand", default="Southwest")
    asked.add_argument("--base", default="")
    options = asked.parse_args()
    every = splits(options.data, options.brand)
    for task in [name for name in options.tasks if name in every] if options.tasks else every:
        measure(task, every[task], options.base)
    if "shipped" in options.tasks:
        judge("shipped", every["airline"][0], MODELS / "sentiment", every["airline"][2])


if __name__ == "__main__":
    main()
