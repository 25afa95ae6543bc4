"""The promotion gate: a worse challenger never passes, a better one does, segments and volumes are judged."""

from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest

from training.gate import Threshold, auc_of, judge, thresholds_of
from triage.config import load_policy, read_folder

ROWS = 2000
"""Judged rows of each trial; three in ten are positives."""
TRIALS = 100


def distance(auc):
    return 2**0.5 * NormalDist().inv_cdf(auc)


def scored(seed, auc, n=ROWS):
    """Return targets, the calibrated scores of a champion of AUC 0.8 and a challenger of *auc*, and a segment."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.3).astype(float)
    noise = rng.normal(size=n)
    scores = []
    for number, value in enumerate((0.8, auc)):
        own = 0.8 * noise + 0.6 * rng.normal(size=n) if number else noise
        d = distance(value)
        scores.append(1 / (1 + np.exp(-(d * (own + d * y) - d * d / 2 + np.log(0.3 / 0.7)))))
    return y, *scores, rng.integers(0, 3, n)


def passed(seed, auc):
    y, champion, challenger, segment = scored(seed, auc)
    return judge(y, champion, challenger, segments={"Origin": segment}, seed=seed).passed


def test_a_challenger_worse_by_three_points_is_never_promoted_in_100_trials():
    assert sum(passed(seed, 0.77) for seed in range(TRIALS)) == 0


def test_a_challenger_better_by_three_points_is_promoted_in_95_of_100_trials():
    assert sum(passed(seed, 0.83) for seed in range(TRIALS)) >= 95


def test_the_same_model_passes():
    y, champion, _, segment = scored(0, 0.8)
    found = judge(y, champion, champion, segments={"Origin": segment})
    assert found.passed and found.difference == 0 and len(found.segments) == 3


def test_one_bad_segment_bars_a_model_that_is_better_elsewhere():
    y, champion, challenger, _ = scored(1, 0.84, 6000)
    part = np.arange(6000) % 4 == 0
    broken = np.where(part, np.random.default_rng(0).permutation(champion), challenger)
    found = judge(y, champion, broken, segments={"Origin": np.where(part, "Fax", "Web")}, margin=0.5)
    assert not found.passed
    assert any(line.startswith("in Origin Fax its AUC is worse") for line in found.because)


def test_a_well_ordered_score_that_is_not_calibrated_fails():
    y, champion, challenger, _ = scored(2, 0.83)
    found = judge(y, champion, challenger**6)
    assert not found.passed
    assert "log loss" in found.because[0]


@pytest.mark.parametrize("positives", [5, 99])
def test_below_100_positives_it_says_how_many_more_are_needed(positives):
    y = np.arange(1000) < positives
    found = judge(y.astype(float), np.zeros(1000), np.ones(1000))
    assert not found.passed
    assert f"{100 - positives} more are needed" in found.because[0]


def test_the_volume_of_each_live_threshold_is_counted():
    y, champion, _, _ = scored(3, 0.8)
    rules = (Threshold("alarm", 0.5), Threshold("calm", 0.2, below=True))
    alarm, calm = judge(y, champion, champion / 2, thresholds=rules).volumes
    assert (alarm.champion, alarm.challenger) == ((champion >= 0.5).sum(), 0)
    assert alarm.change == 1
    assert calm.champion == (champion < 0.2).sum() < calm.challenger


def test_auc_is_the_share_of_pairs_in_order():
    rng = np.random.default_rng(0)
    y, score = (rng.random(200) < 0.4).astype(float), rng.integers(0, 20, 200) / 20
    pairs = [(a > b) + 0.5 * (a == b) for a in score[y == 1] for b in score[y == 0]]
    assert abs(auc_of(y, score) - np.mean(pairs)) < 1e-12


def test_thresholds_are_read_from_the_live_policy():
    document = load_policy(read_folder(str(Path(__file__).parents[3] / "configs" / "example")))
    assert Threshold("urgent-by-score", 0.85) in thresholds_of(document, "urgency.score")
    assert thresholds_of(document, "lead.nothing") == []
