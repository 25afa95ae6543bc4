"""Figures against values worked out by hand or by scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, f1_score, recall_score, roc_auc_score

from training.metrics import auc, binary_metrics, brier, class_metrics, ece, gini, kappa, lift, value_metrics


def test_lift_of_a_perfect_order_is_the_most_there_can_be() -> None:
    y = np.array([1] * 10 + [0] * 90)
    assert lift(y, np.linspace(1, 0, 100), 0.1) == 10


def test_ece_of_fixed_bins_is_the_gap_between_share_and_probability() -> None:
    assert ece(np.array([1, 1, 0, 0]), np.array([0.9, 0.9, 0.9, 0.9])) == pytest.approx(0.4)


def test_gini_is_one_for_the_right_order_and_minus_one_for_the_wrong() -> None:
    money = np.array([1.0, 5.0, 9.0])
    assert gini(money, money) == pytest.approx(1)
    assert gini(money, -money) == pytest.approx(-1)


def test_brier_of_two_classes_counts_once() -> None:
    assert brier(np.array([1]), np.array([[0.2, 0.8]])) == pytest.approx(0.04)


def test_macro_figures_are_those_of_scikit_learn() -> None:
    rng = np.random.RandomState(0)
    y, p = rng.randint(0, 4, 300), rng.dirichlet(np.ones(4), 300)
    said = p.argmax(axis=1)
    found = class_metrics(y, p, said, ordinal=True)
    assert found["macro_f1"]["value"] == pytest.approx(f1_score(y, said, average="macro"), abs=1e-6)
    assert found["macro_recall"]["value"] == pytest.approx(recall_score(y, said, average="macro"), abs=1e-6)
    assert kappa(y, said) == pytest.approx(cohen_kappa_score(y, said, weights="quadratic"))


def test_intervals_hold_the_value_and_floors_are_chance() -> None:
    rng = np.random.RandomState(0)
    p = rng.random_sample(800)
    y = (rng.random_sample(800) < p).astype(int)
    found = binary_metrics(y, p, (p > 0.5).astype(int))
    assert all(row["low"] <= row["value"] <= row["high"] for name, row in found.items() if name != "ece")
    assert found["auc"]["floor"] == 0.5
    assert found["average_precision"]["floor"] == pytest.approx(y.mean(), abs=1e-6)
    assert 0 < found["ece"]["floor"] < 0.06


def test_one_class_alone_has_no_auc() -> None:
    found = binary_metrics(np.zeros(50, int), np.full(50, 0.2), np.zeros(50, int))
    assert found["auc"]["value"] is None


def test_money_is_compared_in_its_own_unit() -> None:
    found = value_metrics(np.array([0.0, 100.0, 50.0]), np.array([10.0, 90.0, 50.0]))
    assert found["mae"]["value"] == pytest.approx(20 / 3, abs=1e-5)


def test_auc_is_that_of_scikit_learn_ties_too() -> None:
    rng = np.random.RandomState(1)
    y, p = rng.randint(0, 2, 300), np.round(rng.random_sample(300), 1)
    assert auc(y, p) == pytest.approx(roc_auc_score(y, p), abs=1e-12)
    assert np.isnan(auc(np.ones(3), p[:3]))


def test_the_interval_of_an_ece_lies_about_it() -> None:
    """Rows drawn twice make gaps that are not there, so the draws as they are lie above it."""
    rng = np.random.RandomState(2)
    p = rng.random_sample(300)
    row = binary_metrics((rng.random_sample(300) < p).astype(int), p, (p > 0.5).astype(int))["ece"]
    assert row["low"] <= row["value"] <= row["high"]
