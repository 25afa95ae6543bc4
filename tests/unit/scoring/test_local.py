"""The scorer of models at hand: field names, families, reasons, and the past that it may see."""

from __future__ import annotations

from pathlib import Path

import pytest

from triage.domain.instant import HOUR, parse_instant
from triage.domain.work import Event, WorkItem
from triage.errors import ModelRefused
from triage.ports import Scorer
from triage.scoring.local import LocalScorer, find_folders

MODELS = Path(__file__).parents[3] / "models"
BORN = parse_instant("2026-09-03T09:00:00Z")


@pytest.fixture(scope="module")
def scorer() -> LocalScorer:
    return LocalScorer.open(MODELS)


def case(body: str = "", *, number: str = "1") -> tuple[WorkItem, tuple[Event, ...]]:
    created = Event(
        at=BORN, type="created", event_id="1", object="Case", id=number,
        changes={"Subject": "Invoice 12 shows a wrong amount", "Priority": "Low", "Origin": "Email"},
    )  # fmt: skip
    wrote = Event(at=BORN + HOUR, type="message", event_id="2", object="Case", id=number, direction="in", body=body)
    return WorkItem(object="Case", id=number, created_at=BORN), (created, wrote)


ANGRY = "This is urgent. Our own customers are complaining and nobody here answers! This is unacceptable."
CALM = "Just to add: it happens with two other files as well."


def test_it_is_a_scorer(scorer: LocalScorer) -> None:
    spoken: Scorer = scorer
    assert spoken.score([], 0) == []


def test_a_case_gets_urgency_with_reasons_and_a_version(scorer: LocalScorer) -> None:
    scores = scorer.score([case(ANGRY)], BORN + 2 * HOUR)[0]
    assert set(scores.values) == {"urgency.score", "urgency.abstained"}
    assert 0 <= scores.values["urgency.score"] <= 1
    assert scores.model_versions == {"urgency": scorer.versions["urgency"]}
    assert 1 <= len(scores.reasons["urgency"]) <= 3


def test_an_upset_customer_is_more_urgent_than_a_calm_one(scorer: LocalScorer) -> None:
    upset, calm = scorer.score([case(ANGRY), case(CALM)], BORN + 2 * HOUR)
    assert upset.values["urgency.score"] > calm.values["urgency.score"] + 0.3


def test_a_message_to_come_changes_nothing(scorer: LocalScorer) -> None:
    assert scorer.score([case(ANGRY)], BORN + HOUR - 1) == scorer.score([case(CALM)], BORN + HOUR - 1)


def test_a_lead_gets_its_value_and_the_admission_that_winning_is_noise(scorer: LocalScorer) -> None:
    lead = WorkItem(object="Opportunity", id="006", created_at=BORN, fields={"Object": "Opportunity", "Amount": 40_000})
    values = scorer.score([(lead, ())], BORN)[0].values
    assert values["lead.signal"] is False
    assert values["lead.abstained"] is True
    assert values["lead.value_low"] <= values["lead.value"] <= values["lead.value_high"]


def test_a_larger_deal_is_worth_more(scorer: LocalScorer) -> None:
    deals = [
        (
            WorkItem(object="Opportunity", id="1", created_at=BORN, fields={"Object": "Opportunity", "Amount": amount}),
            (),
        )
        for amount in (5_000, 90_000)
    ]
    small, large = scorer.score(deals, BORN)
    assert large.values["lead.value"] > small.values["lead.value"]


def test_only_what_is_wanted_is_scored(scorer: LocalScorer) -> None:
    assert scorer.score([case()], BORN, wanted=("sentiment",))[0].values == {}
    assert "lead.probability" in scorer.score([case()], BORN, wanted=("lead",))[0].values


def test_a_deleted_record_gets_nothing(scorer: LocalScorer) -> None:
    gone = WorkItem(object="Case", id="1", created_at=BORN, deleted=True)
    assert scorer.score([(gone, ())], BORN)[0].values == {}


def test_neighbours_do_not_matter(scorer: LocalScorer) -> None:
    items = [case(ANGRY, number="1"), case(CALM, number="2"), case("", number="3")]
    together = scorer.score(items, BORN + 2 * HOUR)
    alone = [scorer.score([item], BORN + 2 * HOUR)[0] for item in reversed(items)][::-1]
    assert together == alone


def test_a_folder_without_models_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="TRIAGE_MODELS"):
        LocalScorer.open(tmp_path)


def test_shipped_models_are_small_and_say_what_they_are() -> None:
    for folder in find_folders(MODELS).values():
        assert max(path.stat().st_size for path in folder.iterdir()) < 1_000_000
        assert "sample organisations" in (folder / "manifest.json").read_text()
