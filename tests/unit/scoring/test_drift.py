"""Live scores counted against a model's reference, by the scorer that gives them and as a metric."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from triage.domain.instant import HOUR, parse_instant
from triage.domain.work import Event, WorkItem
from triage.metrics import score_drift
from triage.scoring.drift import FEWEST, Reference, Watch, psi
from triage.scoring.folder import open_model
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


def challenged(root: Path) -> Path:
    """Put two models below *root*, the second as challenger; return its folder."""
    for name in ("one", "two"):
        folder = root / "urgency" / name
        folder.mkdir(parents=True)
        for path in (SAMPLE / "urgency" / "sample-1").iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
    registry, _ = promote(read_registry(root), root, root / "urgency" / "one", 5, actor="ann")
    write_registry(root, challenge(registry, root, root / "urgency" / "two"))
    return root / "urgency" / "two"


class Told:
    """A journal that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, object]] = []

    def tell(self, what: str, level: str = "info", **said: object) -> None:
        """Keep it."""
        self.lines.append((what, level, said["why"]))


def test_a_challenger_is_written_down_and_read_by_no_rule(tmp_path: Path) -> None:
    """Its score stands among the reasons, with its version; the values are those of the model in charge."""
    challenged(tmp_path)
    scores = LocalScorer.open(tmp_path).score([case(1)], BORN + HOUR)[0]
    assert set(scores.values) == {"urgency.score", "urgency.abstained"}
    assert set(scores.model_versions) == {"urgency", "urgency.shadow"}
    assert float(scores.reasons["urgency.shadow"][0]) == scores.values["urgency.score"]


@pytest.mark.parametrize("gone", [True, False])
def test_a_challenger_that_does_not_open_is_told_and_the_model_in_charge_scores(tmp_path: Path, gone: bool) -> None:
    """Deleted or altered, it takes nothing down."""
    folder, told = challenged(tmp_path), Told()
    if gone:
        shutil.rmtree(folder)
    else:
        (folder / "model.json").write_text("{}")
    scores = LocalScorer.open(tmp_path, told).score([case(1)], BORN + HOUR)[0]
    assert set(scores.values) == {"urgency.score", "urgency.abstained"}
    assert set(scores.model_versions) == {"urgency"}
    assert [(event, level) for event, level, _ in told.lines] == [("no_challenger", "warning")]
    assert str(folder) in str(told.lines[0][2])


def test_a_challenger_that_fails_as_it_scores_is_told_once_and_costs_no_score(tmp_path: Path) -> None:
    """Its extractor is cut away: its answer raises, and the other's stands."""
    folder, told = challenged(tmp_path), Told()
    broken = open_model(folder)
    broken.extractor = None  # type: ignore[assignment]
    found = LocalScorer({"urgency": open_model(folder)}, shadows={"urgency": broken}, journal=told)
    scores = found.score([case(1), case(2)], BORN + HOUR)
    assert all(set(one.model_versions) == {"urgency"} and "urgency.score" in one.values for one in scores)
    assert told.lines == [("no_challenger", "warning", "AttributeError")]
