"""Made tables to fit on: what matters in them is known, so tests know what a model has to find."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

WORDS = ("invoice", "export", "login", "report", "plan", "screen", "colleague", "limit", "file", "page")


def cases(rows: int = 900, seed: int = 0) -> pd.DataFrame:
    """Return cases in time order: late where the queue is slow, the text says `outage`, or many seats wait."""
    rng = np.random.RandomState(seed)
    queue = rng.choice(["north", "south", "east", "west"], rows)
    seats = np.round(rng.lognormal(2, 1, rows), 1)
    outage = rng.random_sample(rows) < 0.2
    margin = (queue == "south") * 1.6 + outage * 2.0 + (seats > 12) * 1.2 - 2.2
    late = (rng.random_sample(rows) < 1 / (1 + np.exp(-margin))).astype(int)
    text = [
        " ".join(rng.choice(WORDS, 7)) + f" {number % 97}" + (" outage" if bad else "")
        for number, bad in enumerate(outage)
    ]
    seats[rng.random_sample(rows) < 0.1] = np.nan
    times = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.sort(rng.randint(0, 90 * 24 * 60, rows)), unit="min")
    return pd.DataFrame({
        "CaseId": [f"C{number:05d}" for number in range(rows)], "CreatedDate": times, "Queue": queue, "Seats": seats,
        "Subject": text, "Same": "x", "y_late": late,
    })  # fmt: skip


def changes(frame: pd.DataFrame, seed: int = 2) -> pd.DataFrame:
    """Return the history of *frame*'s cases: late ones are handed on and close after days, the others within one."""
    rng = np.random.RandomState(seed)
    hours = np.where(frame.y_late == 1, rng.uniform(30, 200, len(frame)), rng.uniform(1, 30, len(frame)))
    handed = rng.random_sample(len(frame)) < np.where(frame.y_late == 1, 0.6, 0.2)
    closed = pd.DataFrame({
        "CaseId": frame.CaseId, "Field": "Status", "OldValue": "New", "NewValue": "Closed",
        "CreatedDate": frame.CreatedDate + pd.to_timedelta((hours * 60).astype(int), unit="min"), "CreatedById": "u1",
    })  # fmt: skip
    moved = closed[handed].assign(
        Field="Queue",
        OldValue=frame.Queue,
        NewValue="second line",
        CreatedDate=frame.CreatedDate + pd.Timedelta("30min"),
    )
    return pd.concat([moved, closed])


def deals(rows: int = 900, seed: int = 1) -> pd.DataFrame:
    """Return deals whose winning is noise and whose amount follows the list price."""
    rng = np.random.RandomState(seed)
    price = rng.choice([55.0, 550.0, 4800.0], rows)
    won = (rng.random_sample(rows) < 0.6).astype(int)
    return pd.DataFrame({
        "DealId": [f"D{number:05d}" for number in range(rows)], "Price": price,
        "Region": rng.choice(["a", "b"], rows), "Team": rng.choice(["x", "y", "z"], rows), "y_won": won,
        "y_amount": np.round(won * price * rng.lognormal(0, 0.1, rows), 2),
    })  # fmt: skip


def saved(frame: pd.DataFrame, folder: Path, name: str = "table.csv") -> str:
    """Write *frame* to *folder* and return the path as text."""
    path = folder / name
    if name.endswith(".parquet"):
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False)
    return str(path)
