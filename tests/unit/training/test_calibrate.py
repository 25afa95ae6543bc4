"""Calibrators: the right kind is chosen, and what is fitted here serves there."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from training.calibrate import apply, choose_calibrator
from training.metrics import ece, log_loss
from triage.scoring.calibrators import Calibrator


def margins(n: int, seed: int, stretch: float, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """Return margins that are *stretch* times too bold and *shift* too high, and outcomes."""
    rng = np.random.RandomState(seed)
    true = rng.normal(0, 1.5, n)
    y = (rng.random_sample(n) < 1 / (1 + np.exp(-true))).astype(int)
    return (true * stretch + shift)[:, None], y


@pytest.mark.parametrize(("stretch", "shift"), [(2.5, 0.0), (1.0, 1.5), (0.4, -1.0)])
def test_bold_and_shifted_margins_are_mended(stretch: float, shift: float) -> None:
    fitted, _ = choose_calibrator(*margins(3000, 0, stretch, shift), np.ones(3000), 0)
    later, y = margins(6000, 1, stretch, shift)
    before, after = apply(Calibrator(), later), apply(fitted, later)
    assert fitted.kind != "none"
    assert log_loss(y, after) < log_loss(y, before)
    assert ece(y, after[:, 1]) < 0.03


def test_margins_that_are_right_stay_as_they_are() -> None:
    assert choose_calibrator(*margins(3000, 0, 1.0, 0.0), np.ones(3000), 0)[0].kind == "none"


def test_several_classes_are_cooled() -> None:
    rng = np.random.RandomState(0)
    true = rng.normal(0, 1, (3000, 3))
    p = np.exp(true) / np.exp(true).sum(axis=1, keepdims=True)
    y = np.array([rng.choice(3, p=row) for row in p])
    fitted, held = choose_calibrator(true * 3, y, np.ones(3000), 0)
    assert fitted.kind == "temperature"
    assert fitted.params[0] == pytest.approx(1 / 3, abs=0.05)
    assert np.allclose(held.sum(axis=1), 1)


@pytest.mark.parametrize(
    "calibrator",
    [
        Calibrator(), Calibrator(kind="platt", params=(2.0, -1.0)), Calibrator(kind="beta", params=(1.2, 0.7, 0.1)),
        Calibrator(kind="isotonic", knots=((-1.0, 0.0, 2.0), (0.0, 0.3, 1.0))),
    ],
)  # fmt: skip
def test_probabilities_rise_with_the_margin_and_stay_inside(calibrator: Calibrator) -> None:
    found = [calibrator.probability(margin) for margin in np.linspace(-800, 800, 401)]
    assert all(one <= other for one, other in pairwise(found))
    assert found[0] > 0
    assert found[-1] < 1


@pytest.mark.parametrize("classes", [2, 3])
def test_a_slice_told_without_an_error_makes_nobody_sure(classes: int) -> None:
    """Of 20 rows that a model tells apart, nobody knows that it errs once in 100,000."""
    y = np.arange(20) % classes
    wide = np.log(np.full((20, 3), 0.05) + 0.9 * np.eye(3)[y % 3])
    told = (4.0 * y - 2.0)[:, None] if classes == 2 else wide
    fitted, _ = choose_calibrator(told, y, np.ones(20), 0)
    assert apply(fitted, told).max() < 0.999
