"""Live scores counted against a model's reference, by the scorer that gives them and as a metric."""

from __future__ import annotations

from pathlib import Path

import pytest

from triage.domain.instant import HOUR, parse_instant
from triage.domain.work import Event, WorkItem
from triage.metrics import score_drift
from triage.scoring.drift import FEWEST, Reference, Watch, psi
from triage.scoring.local import LocalScorer
from triage.scoring.opening import OpeningScorer
from triage.scoring.registry import challenge, promote, read_registry, write_registry
from triage.scoring.together import Scorers

BORN = parse_instant("2026-09-03T09:00:00Z")
SAMPLE = Path(__file__).parents[3] / "models"
EVEN = Reference(rows=400, edges=(0.25, 0.5, 0.75), shares=(0.25,) * 4, rates=(0.1, 0.2, 0.4, 0.6))


def test_scores_as_in_calibration_have_not_moved_and_others_have() -> None:
    """Even scores give an index near 0; scores all in one bin a reason to fit again."""
    same, other = Watch(EVEN), Watch(EVEN)
    for number in range(400):
        same.count((number % 100) / 100)
        other.count(0.9)
    assert same.moved.psi < 0.01 and not same.moved.retrain
    assert other.moved.psi > 1 and other.moved.retrain


def test_few_scores_are_no_reason() -> None:
    """Below 100 scores nothing is said, however odd they are."""
    watch = Watch(EVEN)
    for _ in range(FEWEST - 1):
        watch.count(0.9)
    assert watch.moved.rows == FEWEST - 1 and not watch.moved.retrain


def test_what_was_long_ago_fades() -> None:
    """After many scores of one kind a change still shows, and a model that is right again is told to be so."""
    watch = Watch(EVEN)
    for _ in range(30_000):
        watch.count(0.9)
    for number in range(60_000):
        watch.count((number % 100) / 100)
    assert watch.moved.psi < 0.1


@pytest.mark.parametrize("shares", [(0.25,) * 4, (1.0, 0.0, 0.0, 0.0)])
def test_equal_shares_have_an_index_of_zero(shares: tuple[float, ...]) -> None:
    """Empty bins too."""
    assert psi(shares, shares) == 0


def case(number: int) -> tuple[WorkItem, tuple[Event, ...]]:
    created = Event(
        at=BORN, type="created", event_id="1", object="Case", id=str(number),
        changes={"Subject": f"Invoice {number} is wrong", "Priority": "Low", "Origin": "Email"},
    )  # fmt: skip
    return WorkItem(object="Case", id=str(number), created_at=BORN), (created,)


def test_the_scorer_counts_what_it_gives_and_prometheus_gets_it() -> None:
    """All of many like cases lie in one bin: the index is high, and the metric says so by score."""
    opening = OpeningScorer(lambda: Scorers({LocalScorer.open(SAMPLE): ("urgency", "lead")}))
    assert list(score_drift(opening)) == []
    opening.score([case(number) for number in range(120)], BORN + HOUR)
    assert opening.drifts()["urgency"].retrain
    drift, rows = score_drift(opening)
    told = {sample.labels["score"]: sample.value for sample in drift.samples}
    assert told["urgency"] > 0.25 and told["lead"] == 0
    assert {sample.labels["score"]: sample.value for sample in rows.samples} == {"urgency": 120, "lead": 0}


def test_a_challenger_is_written_down_and_read_by_no_rule(tmp_path: Path) -> None:
    """Its score stands among the reasons, with its version; the values are those of the model in charge."""
    for name in ("one", "two"):
        folder = tmp_path / "urgency" / name
        folder.mkdir(parents=True)
        for path in (SAMPLE / "urgency" / "sample-1").iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
    registry, _ = promote(read_registry(tmp_path), tmp_path, tmp_path / "urgency" / "one", 5, actor="ann")
    write_registry(tmp_path, challenge(registry, tmp_path, tmp_path / "urgency" / "two"))
    scores = LocalScorer.open(tmp_path).score([case(1)], BORN + HOUR)[0]
    assert set(scores.values) == {"urgency.score", "urgency.abstained"}
    assert set(scores.model_versions) == {"urgency", "urgency.shadow"}
    assert float(scores.reasons["urgency.shadow"][0]) == scores.values["urgency.score"]
