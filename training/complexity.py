"""
Fits the complexity score: ridge regression on the rank of the work that records took, told by touches or by hours.

`python -m training.complexity OUT` makes the default model on the invented organisation, and its card says so.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from triage.domain.work import Event, WorkItem
from triage.sample.organisation import invent
from triage.scoring.complexity import FEATURES, Coefficients, ComplexityModel, features
from triage.scoring.customer_scores import thread_of
from triage.scoring.sealed import write_sealed

_RIDGE = 10.0


def main(out: Path) -> None:
    """Write the default model into *out*."""
    rows, effort = sample_rows(range(1, 9))
    fitted, found = fit_complexity(rows, effort)
    files = {"model.json": msgspec.json.encode(fitted), "card.md": _card(found, len(rows)).encode()}
    write_sealed(out, "complexity", files, {"features": FEATURES, "held_out": found, "rows": len(rows)})
    ComplexityModel.load(out)


def fit_complexity(rows: np.ndarray, effort: np.ndarray, *, seed: int = 7) -> tuple[Coefficients, dict[str, float]]:
    """
    Return (coefficients, {"r2", "rank_correlation"} on a fifth of the rows held out).

    Args:
        rows: ndarray of shape (n_rows, n_features), as `features` gives them.
        effort: ndarray of shape (n_rows,), the work done in any unit (hours, touches); its rank is learnt.
    """
    rank = np.argsort(np.argsort(effort, kind="stable"), kind="stable")
    ties = {value: rank[effort == value].mean() for value in np.unique(effort)} if len(np.unique(effort)) < 500 else {}
    wanted = (np.array([ties[value] for value in effort]) if ties else rank) / max(1, len(effort) - 1)
    held = np.random.default_rng(seed).random(len(rows)) < 0.2
    means, scales = rows[~held].mean(axis=0), rows[~held].std(axis=0)
    scales = np.where(scales < 1e-9, 1.0, scales)
    near = np.clip((rows - means) / scales, -4, 4)
    middle = float(wanted[~held].mean())
    inner = near[~held]
    weights = np.linalg.solve(inner.T @ inner + _RIDGE * np.eye(rows.shape[1]), inner.T @ (wanted[~held] - middle))
    said = np.clip(near[held] @ weights + middle, 0, 1)
    off = np.abs(said - wanted[held])
    thirds = np.minimum(2, (said * 3).astype(int))
    widths = [
        float(np.quantile(off[thirds == third], 0.8)) if (thirds == third).sum() >= 20 else 1.0 for third in range(3)
    ]
    spread = float(((wanted[held] - wanted[held].mean()) ** 2).sum())
    found = {
        "r2": round(1 - float((off**2).sum()) / max(1e-9, spread), 4),
        "rank_correlation": round(float(np.corrcoef(said, wanted[held])[0, 1]), 4) if said.std() > 0 else 0.0,
    }
    numbers = (tuple(round(float(value), 6) for value in part) for part in (means, scales, weights))
    first, second, third = (round(width, 4) for width in widths)
    return (
        Coefficients(*[], **dict(zip(("means", "scales", "weights"), numbers, strict=True)), intercept=round(middle, 6),
                     half_widths=(first, second, third)),
        found,
    )  # fmt: skip


def sample_rows(seeds: Sequence[int] | range) -> tuple[np.ndarray, np.ndarray]:
    """Return (features at opening and at each inbound message, touches still to come) of invented cases."""
    rows, effort = [], []
    for seed in seeds:
        tales: dict[str, list[Event]] = {}
        for event in invent(seed).events:
            if event.object == "Case":
                tales.setdefault(event.id, []).append(event)
        for tale in tales.values():
            for at, event in enumerate(tale):
                if event.type == "created" or (event.type == "message" and event.direction == "in" and not event.auto):
                    past = tale[: at + 1]
                    item = _item(past)
                    rows.append(features(item, past, thread_of(item, past).latest))
                    effort.append(sum(_touch(later) for later in tale[at + 1 :]))
    return np.array(rows), np.array(effort, dtype=float)


def _touch(event: Event) -> bool:
    return (event.type == "message" and event.direction == "out") or event.type in ("comment", "activity", "updated")


def _item(past: Sequence[Event]) -> WorkItem:
    """Return the record as far as the features look at it."""
    first = past[0]
    owners = [event.changes["OwnerId"] for event in past if "OwnerId" in event.changes]
    closed = sum(event.changes.get("Status") == "Closed" for event in past)
    fields = {
        "subject": str(first.changes.get("Subject", "")), "description": str(first.changes.get("Description", "")),
        "reassignment_count": max(0, len(owners) - 1), "reopen_count": max(0, closed - 1),
    }  # fmt: skip
    return WorkItem(object="Case", id=first.id, created_at=first.at, fields=fields)


def _card(found: dict[str, float], count: int) -> str:
    return f"""# complexity: how much work a case will take, as a rank among invented cases

A default to start with, and no more: it was fitted on {count:,} moments of cases of the **invented** sample
organisation, where work follows a script. On your own history fit your own (`training.complexity.fit_complexity`).

* What it learns: the number of touches (answers, comments, changes) still to come, as a rank from 0 to 1.
* From: {", ".join(FEATURES[:5])},
  {", ".join(FEATURES[5:])}.
* On a fifth held out: r2 {found["r2"]}, correlation {found["rank_correlation"]}.
* It abstains where its 80 % interval is wider than 0.35 either way, and where the customer wrote nothing.
* Made by `python -m training.complexity models/complexity`; no text of anybody's is in it.
"""


if __name__ == "__main__":
    main(Path(sys.argv[1]))
