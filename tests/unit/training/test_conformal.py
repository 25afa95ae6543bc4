"""Abstention: the promised coverage holds in each segment on rows that come like those it was set on."""

from __future__ import annotations

import numpy as np

from training.conformal import fit_conformal
from triage.scoring.conformal import Conformal


def rows(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, list[list[str]]]:
    """Return calibrated probabilities, outcomes and segments; one segment is much harder than the other."""
    rng = np.random.RandomState(seed)
    hard = rng.random_sample(n) < 0.4
    p = np.where(hard, rng.beta(3, 3, n), rng.beta(0.4, 0.8, n))
    y = (rng.random_sample(n) < p).astype(int)
    return np.stack([1 - p, p], axis=1), y, [["hard" if one else "easy"] for one in hard]


def held(conformal: Conformal, p: np.ndarray, y: np.ndarray, categories: list[list[str]], segment: str) -> float:
    here = [at for at, row in enumerate(categories) if row[0] == segment]
    return float(np.mean([y[at] in conformal.possible(p[at].tolist(), categories[at]) for at in here]))


def test_coverage_holds_in_each_segment_within_two_points() -> None:
    conformal = fit_conformal(*rows(4000, 0), names=("Tier",), coverage=0.9)
    later = rows(20000, 1)
    assert conformal.column == "Tier"
    assert abs(held(conformal, *later, "hard") - 0.9) < 0.02
    assert abs(held(conformal, *later, "easy") - 0.9) < 0.02


def test_the_hard_segment_abstains_more() -> None:
    conformal = fit_conformal(*rows(4000, 0), names=("Tier",), coverage=0.9)
    p, _, categories = rows(4000, 2)
    silent = np.array([conformal.abstains(one.tolist(), row) for one, row in zip(p, categories, strict=True)])
    hard = np.array([row[0] == "hard" for row in categories])
    assert silent[hard].mean() > silent[~hard].mean() + 0.2


def test_a_small_segment_shares_the_rest() -> None:
    p, y, _ = rows(1000, 0)
    categories = [["rare" if at < 20 else "common"] for at in range(1000)]
    conformal = fit_conformal(p, y, categories, names=("Tier",), column="Tier")
    assert set(conformal.segments) == {"common"}
    assert conformal.possible([0.5, 0.5], ["rare"]) == conformal.possible([0.5, 0.5], ["never seen"])


def test_few_rows_promise_nothing_and_always_abstain() -> None:
    p, y, categories = rows(5, 0)
    conformal = fit_conformal(p, y, categories, names=("Tier",), coverage=0.95)
    assert conformal.abstains([0.01, 0.99], ["easy"])
