"""
Made lead tables whose outcomes drift, each kind of drift several times: our fit beside a plain logistic model.

    python -m tests.benchmarks.drift_figures              # every kind, two tables each: some 10 minutes
    python -m tests.benchmarks.drift_figures --only rising,jump --seeds 4 --first 10

The first four fifths in time are fitted on, the last fifth judges. Not a test.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from tests.benchmarks.score_figures import Job, logistic
from training.evaluate import evaluate
from training.fit import fit
from training.prepare import Request

SIZES = (5_000, 9_000, 16_000, 40_000)
FIGURES = ("auc", "ece", "log_loss")
Course = Callable[[np.ndarray, np.random.RandomState], np.ndarray]


def _line(start: float, end: float) -> Course:
    return lambda t, rng: start + (end - start) * t


def _seasons(t: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    period, phase = rng.uniform(0.2, 0.6), rng.uniform(0, 2 * np.pi)
    return np.asarray(0.2 + 0.13 * np.sin(2 * np.pi * t / period + phase))


def _jump(t: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    low, high = rng.uniform(0.08, 0.15), rng.uniform(0.25, 0.4)
    before, after = (low, high) if rng.random_sample() < 0.5 else (high, low)
    return np.where(t < rng.uniform(0.4, 0.75), before, after)


def _reverting(t: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """A level that wanders about a mean it returns to: weeks that are good or bad for no reason a column tells."""
    return _noise(t, rng, blocks=40, keep=0.6, size=0.6)


def _walk(t: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    return _noise(t, rng, blocks=40, keep=1.0, size=0.16)


def _noise(t: np.ndarray, rng: np.random.RandomState, *, blocks: int, keep: float, size: float) -> np.ndarray:
    level, levels = 0.0, []
    for step in rng.normal(0, size, blocks):
        level = keep * level + step
        levels.append(level)
    return np.asarray(1 / (1 + np.exp(1.4 - np.interp(t * (blocks - 1), np.arange(blocks), levels))))


LEVELS: dict[str, Course] = {
    "stationary": _line(0.2, 0.2),
    "rising": _line(0.05, 0.4),
    "falling": _line(0.4, 0.05),
    "seasons": _seasons,
    "reverting": _reverting,
    "walk": _walk,
    "jump": _jump,
    "concept": _line(0.2, 0.2),
    "concept rising": _line(0.1, 0.35),
}
"""Kind of drift -> share of rows that convert at a time from 0 to 1; in a concept's drift weights turn as well."""


def table(kind: str, rows: int, seed: int) -> pd.DataFrame:
    """Return *rows* leads in time order: levels, skewed numbers with gaps, a step, a product, and noise."""
    rng = np.random.RandomState(seed)
    t = np.sort(rng.random_sample(rows))
    source = rng.randint(0, 8, rows)
    country = np.minimum(rng.geometric(0.15, rows), 25)
    campaign = (t * 12).astype(int) + rng.randint(0, 3, rows)
    role = rng.randint(0, 5, rows)
    visits = rng.poisson(3, rows) + (source == 2)
    minutes = np.round(rng.lognormal(1.5, 1, rows), 2)
    size = np.round(rng.lognormal(3 + 0.4 * t, 1.2, rows))
    age = rng.uniform(0, 1, rows)
    noise = rng.normal(size=(rows, 3))
    weight = rng.normal(0, 0.7, 8)[source] + rng.normal(0, 0.5, 26)[country] + rng.normal(0, 0.3, 5)[role]
    other = rng.normal(0, 0.7, 8)[source] + rng.normal(0, 0.5, 26)[country] - 0.5 * np.log1p(minutes)
    margin = weight + 0.5 * np.log1p(minutes) + 0.8 * (visits > 3) + 0.9 * ((size > 40) & (role < 2))
    margin += 0.8 * np.abs(age - 0.5) * (source % 2 == 0) * 2 + rng.normal(0, 0.3, rows)
    if kind.startswith("concept"):
        margin = (1 - t) * margin + t * (0.5 * margin + other)
    wanted = LEVELS[kind](t, np.random.RandomState(seed + 1000))
    constants = np.linspace(-8, 6, 113)
    sample = margin[:: max(1, rows // 2000)] - margin.mean()
    shares = [float((1 / (1 + np.exp(-sample - constant))).mean()) for constant in constants]
    chance = 1 / (1 + np.exp(-(margin - margin.mean() + np.interp(wanted, shares, constants))))
    minutes[rng.random_sample(rows) < 0.1] = np.nan
    days = 60 + 300 * np.random.RandomState(seed + 2000).random_sample()
    return pd.DataFrame({
        "LeadId": [f"L{number:06d}" for number in range(rows)],
        "CreatedDate": pd.Timestamp("2025-01-06") + pd.to_timedelta((t * days * 1440).astype(int), unit="min"),
        "Source": [f"source {one}" for one in source], "Country": [f"C{one}" for one in country],
        "Campaign": [f"campaign {one}" for one in campaign], "Role": [f"role {one}" for one in role],
        "Visits": visits, "Minutes": minutes, "Employees": size, "Share": np.round(age, 4),
        **{f"Signal{place}": np.round(noise[:, place], 3) for place in range(3)},
        "y_converted": (rng.random_sample(rows) < chance).astype(int),
    })  # fmt: skip


def measure(frame: pd.DataFrame, folder: Path) -> tuple[list[float], list[float], float]:
    """Return the figures of our fit and of a plain logistic model on the last fifth, and the share of shift kept."""
    cut = int(len(frame) * 0.8)
    early, late = frame.iloc[:cut].reset_index(drop=True), frame.iloc[cut:].reset_index(drop=True)
    early.to_parquet(folder / "early.parquet")
    late.to_parquet(folder / "late.parquet")
    fitted = fit(
        Request(
            task="lead-value", data=(str(folder / "early.parquet"),), id="LeadId", target="y_converted",
            time="CreatedDate", out=str(folder / "model"),
        )
    )  # fmt: skip
    found = evaluate(fitted.folder, [str(folder / "late.parquet")], "y_converted")["metrics"]
    job = Job("", "lead-value", "y_converted", (), (), {})
    plain = dict(logistic(early, late, job))
    return [found[name]["value"] for name in FIGURES], [plain[name] for name in FIGURES], fitted.choice.kept


def main() -> None:
    """Print a line for each kind of drift: the mean of each figure, ours / plain."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("--only", default="", help="Kinds, parted by commas.")
    parser.add_argument("--seeds", type=int, default=2, help="Tables of each kind.")
    parser.add_argument("--first", type=int, default=0, help="The first seed.")
    asked = parser.parse_args()
    for place, kind in enumerate(LEVELS):
        if asked.only and kind not in asked.only.split(","):
            continue
        found = []
        for seed in range(asked.first, asked.first + asked.seeds):
            with tempfile.TemporaryDirectory() as folder:
                found.append(measure(table(kind, SIZES[seed % len(SIZES)], 100 * place + seed), Path(folder)))
        ours, plain = (np.mean([row[side] for row in found], axis=0) for side in (0, 1))
        figures = ", ".join(f"{name} {a:.4f} / {b:.4f}" for name, a, b in zip(FIGURES, ours, plain, strict=True))
        print(f"{kind}: {figures}; shift kept {', '.join(f'{row[2]:.2f}' for row in found)}", flush=True)


if __name__ == "__main__":
    main()
