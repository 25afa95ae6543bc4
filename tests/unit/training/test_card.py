"""The card: a first line for anyone, the same bytes for the same facts, plots that are small; and drift from it."""

import numpy as np
import pytest

from training.card import CardFacts, write_card
from training.drift import Reference, measure, psi, read_reference, reference_of, sentences
from training.workload import first_line, workloads
from triage.errors import ModelRefused


def facts(**changes):
    rng = np.random.default_rng(0)
    chance = rng.beta(1, 3, 1500)
    known = {
        "family": "urgency", "name": "urgency/1", "task": "binary", "target": "y_sla_breach", "score": chance,
        "y": (rng.random(1500) < chance).astype(int), "baseline": rng.integers(0, 3, 1500), "baseline_name": "priority",
        "segments": {"Origin": rng.choice(["Web|Mail", ""], 1500)}, "days": 20.0, "curve": [(100, 0.6), (1000, 0.7)],
        "curve_name": "AUC", "metrics": {"auc": {"value": 0.8, "low": 0.78, "high": 0.82, "floor": 0.5}},
        "window": ("2026-01-01", "2026-02-01"), "sources": {"Case.csv": 1500}, "kept": {"Tags": "set at opening"},
        "dropped": {"ClosedDate": "after the row"}, "notes": ["10 rows dropped"],
    }  # fmt: skip
    return CardFacts(**(known | changes))


class TestCard:
    def test_everything_a_reviewer_asks_for_is_in_it(self, tmp_path):
        files = write_card(tmp_path, facts())
        text = (tmp_path / "card.md").read_text()
        first = text.splitlines()[0]
        assert first.startswith("# Of 20 alerts a day ") and "breach; priority alone finds " in first
        for part in (
            "Tags: set at opening",
            "2026-01-01 to 2026-02-01",
            "Case.csv, 1,500 rows",
            "ClosedDate",
            "Web/Mail",
        ):
            assert part in text
        assert set(files) == {path.name for path in tmp_path.iterdir()}
        assert {"reliability.png", "lift.png", "segments.png", "learning_curve.png"} <= set(files)
        assert sum((tmp_path / name).stat().st_size for name in files) < 120_000

    def test_the_same_facts_give_the_same_bytes(self, tmp_path):
        one, other = tmp_path / "one", tmp_path / "other"
        for folder in (one, other):
            folder.mkdir()
            write_card(folder, facts())
        assert all((other / path.name).read_bytes() == path.read_bytes() for path in one.iterdir())

    @pytest.mark.parametrize("task", ["classes", "number"])
    def test_classes_and_amounts_have_a_card_too(self, tmp_path, task):
        rng = np.random.default_rng(0)
        score = rng.dirichlet([1, 1, 1], 300) if task == "classes" else rng.lognormal(size=300)
        y = rng.integers(0, 3, 300) if task == "classes" else score * rng.lognormal(size=300)
        made = facts(task=task, y=y, score=score, baseline=None, segments={}, curve=(), days=0.0, kept={})
        assert "card.md" in write_card(tmp_path, made)
        assert "Of the top 30 of 300" in (tmp_path / "card.md").read_text()


class TestWorkload:
    def test_alerts_a_day_and_what_they_find(self):
        positive = np.array([1.0] * 30 + [0.0] * 70)
        chance = np.concatenate([np.full(30, 0.95), np.full(10, 0.85), np.full(60, 0.05)])
        rows = workloads(positive, chance, days=10)
        assert (rows[0].alerts, rows[0].precision, rows[0].recall) == (3.0, 1.0, 1.0)
        assert (rows[1].alerts, rows[1].precision) == (4.0, 0.75)

    def test_ties_of_the_order_of_today_are_broken_evenly(self):
        positive = np.array([1.0, 0.0] * 100)
        line = first_line("won", positive, positive, 2.0, np.zeros(200), "amount")
        assert line == "Of 20 alerts a day 20 are won; amount alone finds 10"


class TestDrift:
    def reference(self):
        rng = np.random.default_rng(0)
        chance = rng.beta(2, 5, 4000)
        y = (rng.random(4000) < chance).astype(float)
        return chance, y, rng.choice(["a", "b"], 4000)

    def stored(self, tmp_path):
        chance, y, segment = self.reference()
        (tmp_path / "reference.json").write_bytes(reference_of(y, chance, {"Origin": segment}))
        return read_reference(tmp_path), chance, y, segment

    def test_rows_of_the_same_kind_are_no_reason(self, tmp_path):
        reference, chance, y, segment = self.stored(tmp_path)
        found = measure(reference, chance[:2000], y[:2000], {"Origin": segment[:2000]})
        assert not found.retrain and found.psi < 0.02 and found.gap < 0.05
        assert sentences(found)[0].startswith("no reason")

    def test_moved_scores_a_moved_segment_and_wrong_rates_are_reasons(self, tmp_path):
        reference, chance, _, _ = self.stored(tmp_path)
        assert "the scores" in " ".join(measure(reference, chance**0.4).because)
        assert "Origin" in " ".join(measure(reference, chance, None, {"Origin": np.full(4000, "c")}).because)
        found = measure(reference, chance, np.zeros(4000))
        assert found.retrain and "calibration" in found.because[-1]

    def test_few_rows_and_unknown_outcomes_are_no_reason(self, tmp_path):
        reference, chance, _, _ = self.stored(tmp_path)
        assert not measure(reference, np.full(50, 0.99)).retrain
        found = measure(reference, chance, np.full(4000, np.nan))
        assert found.came_true is None and not found.retrain

    def test_a_score_of_one_value_has_a_reference(self):
        found = reference_of(np.zeros(100), np.full(100, 0.3), {})
        assert b'"shares":[' in found
        assert measure(Reference(rows=1, edges=(0.3,), shares=(0.0, 1.0), rates=(0.0, 0.0)), np.full(200, 0.3)).psi == 0

    def test_psi_is_zero_only_without_change(self):
        assert psi(np.array([0.5, 0.5]), np.array([0.5, 0.5])) == 0
        assert psi(np.array([0.5, 0.5]), np.array([0.9, 0.1])) > 0.25

    def test_a_folder_without_a_reference_is_refused(self, tmp_path):
        with pytest.raises(ModelRefused, match="fit the model again"):
            read_reference(tmp_path)
