"""What the latest level says about the next: judged on how levels went on before."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sparse

from training.calibrate import apply
from training.candidates import Rows
from training.encoders import GramMatrix
from training.level import carried, kept_share, level
from triage.features import FeatureTable

ROWS = 6000


def rows_of(levels: np.ndarray, seed: int = 0) -> Rows:
    """Return rows in time order with one number that tells, and log odds that follow *levels*."""
    rng = np.random.RandomState(seed)
    number = rng.normal(size=(len(levels), 1))
    y = (rng.random_sample(len(levels)) < 1 / (1 + np.exp(-(number[:, 0] + levels)))).astype(int)
    features = FeatureTable([""] * len(y), [[] for _ in y], number)
    return Rows(features, GramMatrix(None, None, sparse.csr_matrix((len(y), 0))), y, 2, False)


def share_of(levels: np.ndarray) -> float:
    every = np.arange(len(levels))
    return kept_share(rows_of(levels), every, every * 60_000, np.ones(len(every)), 0.1, 0.0)


def test_a_level_that_rises_is_carried_on() -> None:
    """It was above the latest at every earlier place."""
    assert share_of(np.linspace(-3, 0, ROWS)) > 0.9


def test_a_level_that_comes_and_goes_is_not() -> None:
    """Half a period after a peak is a trough."""
    assert share_of(-1 + np.sin(np.linspace(0, 8 * np.pi, ROWS))) < 0.3


def test_a_level_that_jumped_long_ago_stays() -> None:
    """What came with a jump did not go again."""
    assert share_of(np.where(np.arange(ROWS) < ROWS // 2, -2.0, -0.5)) > 0.6


def test_few_rows_tell_nothing() -> None:
    """Then a half is kept, as before any evidence; as without time."""
    assert share_of(np.linspace(-3, 0, 500)) == 0.5
    assert kept_share(rows_of(np.zeros(ROWS)), np.arange(ROWS), None, np.ones(ROWS), 0.1, 0.0) == 0.5


@pytest.mark.parametrize(("share", "told"), [(0.0, 0.0), (1.0, 1.2), (2.0, 2.4)])
def test_the_share_of_the_shift_is_what_moves(share: float, told: float) -> None:
    """Where log odds are 1.2 higher than the model says, the calibrator adds that share of it on average."""
    rng = np.random.RandomState(0)
    margins = rng.normal(-1, 1, 4000)
    y = (rng.random_sample(4000) < 1 / (1 + np.exp(-(margins + 1.2)))).astype(int)
    moved = apply(carried(margins[:, None], y, share), margins[:, None])[:, 1]
    assert level(margins, (rng.random_sample(4000) < moved).astype(int)) == pytest.approx(told, abs=0.15)
