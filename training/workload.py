"""What a score means for the people who work its alerts: how many a day, how many right, and in one sentence."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

ALERTS = 20
"""Alerts a day that the first line of a card speaks of."""
_THRESHOLDS = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)


class Workload(NamedTuple):
    """What one threshold asks of people: alerts (a day where *per_day*), the share right, the share of all found."""

    threshold: float
    alerts: float
    precision: float
    recall: float
    per_day: bool


def workloads(positive: np.ndarray, chance: np.ndarray, days: float) -> list[Workload]:
    """Return the workload of thresholds 0.9 to 0.1 on rows that span *days* (0: not known, alerts are of all rows)."""
    found = []
    for threshold in _THRESHOLDS:
        flagged = chance >= threshold
        right = float(positive[flagged].sum())
        count = int(flagged.sum())
        found.append(
            Workload(
                threshold,
                count / days if days >= 1 else float(count),
                right / count if count else 0.0,
                right / max(1.0, float(positive.sum())),
                days >= 1,
            )
        )
    return found


def first_line(
    target: str,
    positive: np.ndarray,
    chance: np.ndarray,
    days: float,
    baseline: np.ndarray | None = None,
    baseline_name: str = "",
) -> str:
    """
    Return the sentence for anyone: of 20 alerts a day so many come true; the order of today finds so many.

    Ties of the baseline are broken evenly: a priority of three levels finds what its topmost rows hold on average.
    Without days it speaks of the top tenth of all rows.
    """
    n = len(positive)
    top = min(n, max(1, round(ALERTS * days))) if days >= 1 else max(1, n // 10)
    if days >= 1 and top > n // 2:
        # With fewer records than alerts a sentence about alerts would say nothing of the order.
        top, days = max(1, n // 10), 0.0
    hits = _expected_hits(positive, chance, top)
    share = 1.0 if not days else ALERTS / top
    shown = f"{ALERTS} alerts a day" if days else f"the top {top:,} of {n:,}"
    line = f"Of {shown} {hits * share:.0f} {_came_true(target)}"
    if baseline is not None:
        found = _expected_hits(positive, baseline, top) * share
        return f"{line}; {baseline_name or 'the order of today'} alone finds {found:.0f}"
    return f"{line}; drawn at random it would be {float(positive.mean()) * top * share:.0f}"


def _expected_hits(positive: np.ndarray, order: np.ndarray, top: int) -> float:
    order = np.nan_to_num(np.asarray(order, dtype=np.float64), nan=-np.inf)
    cut = np.sort(order)[-top]
    above, level = order > cut, order == cut
    return float(positive[above].sum() + positive[level].mean() * (top - above.sum()))


def _came_true(target: str) -> str:
    known = {"sla": "breach", "breach": "breach", "violated": "breach", "convert": "convert", "won": "are won"}
    known |= {"escalat": "are escalated", "slow": "take long", "priority_raised": "are raised in priority"}
    return next((verb for part, verb in known.items() if part in target.casefold()), f"have {target}")
