"""Quantiles that are never too good."""

from __future__ import annotations

import random

import pytest

from triage.lateness import EDGES, Lateness


def counted(*values: int) -> Lateness:
    lateness = Lateness()
    for value in values:
        lateness.add(value)
    return lateness


def test_nothing_counted_is_zero() -> None:
    assert Lateness().report() == {"count": 0, "p50": 0, "p99": 0, "worst": 0}


def test_early_counts_as_punctual() -> None:
    assert counted(-5).report() == {"count": 1, "p50": 0, "p99": 0, "worst": 0}


def test_a_quantile_is_the_upper_edge_of_its_bucket_and_never_above_the_worst() -> None:
    assert counted(3, 3, 3, 70).quantile(0.5) == 5
    assert counted(3, 3, 3, 70).quantile(0.99) == 70


def test_what_lies_beyond_the_last_edge_is_kept() -> None:
    assert counted(EDGES[-1] * 2).quantile(0.5) == EDGES[-1] * 2


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99, 1.0])
def test_a_quantile_never_understates(share: float) -> None:
    chance = random.Random(share)
    values = sorted(int(chance.expovariate(0.01)) for _ in range(1_000))
    assert counted(*values).quantile(share) >= values[int(share * 1_000) - 1]
