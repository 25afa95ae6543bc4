"""The models as the API lists and promotes them: versions, fields that are read, the gate, and the audit."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from triage.errors import ConfigError, ModelRefused
from triage.scoring.catalogue import WRITTEN, Catalogue
from triage.scoring.local import LocalScorer
from triage.scoring.opening import OpeningScorer
from triage.scoring.registry import read_registry
from triage.store.memory import MemoryStore

MODELS = Path(__file__).parents[3] / "models"


def copied(folder: Path) -> Path:
    root = folder / "models"
    for name in ("urgency", "lead-value"):
        shutil.copytree(MODELS / name, root / name)
    return root


class House:
    """A catalogue over a copy of the shipped models."""

    def __init__(self, folder: Path) -> None:
        self.root, self.store, self.reopened = copied(folder), MemoryStore("acme"), 0
        self.shown = Catalogue(self.root, self.store, lambda: 5, self.again)

    def again(self) -> None:
        self.reopened += 1

    def version(self) -> str:
        return str(next(one["champion"] for one in self.shown.listed() if one["name"] == "urgency"))


def test_models_are_listed_by_the_score_they_give(tmp_path: Path) -> None:
    house = House(tmp_path)
    assert [one["name"] for one in house.shown.listed()] == ["lead-value", "urgency"]
    (urgency,) = [one for one in house.shown.listed() if one["name"] == "urgency"]
    assert urgency["champion"] in urgency["versions"]
    assert urgency["card"]


def test_the_fields_that_a_model_reads_are_told_by_crm_name(tmp_path: Path) -> None:
    house = House(tmp_path)
    assert {"Subject", "Description", "Priority"} <= house.shown.fields("urgency")
    assert house.shown.fields("sentiment") == WRITTEN
    assert Catalogue(tmp_path / "none", house.store, lambda: 5, house.again).fields("urgency") == frozenset()


def test_a_promotion_is_audited_written_and_followed(tmp_path: Path) -> None:
    """The same version again is refused: it is in charge already, and nothing is written twice."""
    house = House(tmp_path)
    version = house.version()
    try:
        house.shown.promote("urgency", version, actor="key:ops", reason="first", acknowledge_volume=False)
    except ConfigError as cause:
        assert "administrator" in str(cause)
        return
    assert house.reopened == 1
    champion = read_registry(house.root).families["urgency"].champion
    assert champion is not None
    assert (champion.version, champion.actor) == (version, "key:ops")
    with house.store.read() as unit:
        assert [line.entry.event for line in unit.audit.lines()] == ["model_promoted"]
    with pytest.raises(ConfigError, match="already"):
        house.shown.promote("urgency", version, actor="key:ops", reason="again", acknowledge_volume=False)


def test_an_unknown_version_is_refused(tmp_path: Path) -> None:
    house = House(tmp_path)
    with pytest.raises(ConfigError, match="GET /v1/models"):
        house.shown.promote("urgency", "v9", actor="a", reason="r", acknowledge_volume=False)
    assert house.reopened == 0


def test_models_are_opened_once_and_a_missing_folder_is_told_once(tmp_path: Path) -> None:
    """Opened with the first score; a folder that is missing is looked for again, and told again only if it changes."""
    told: list[str] = []

    class Lines:
        def tell(self, what: str, level: str = "info", **said: str | int | bool) -> None:
            told.append(f"{level} {what}")

    opened: list[int] = []

    def opening() -> LocalScorer:
        opened.append(1)
        return LocalScorer.open(tmp_path / "models")

    scorer = OpeningScorer(opening, Lines())
    assert not scorer.is_quick(("urgency",))
    for _ in range(2):
        with pytest.raises(ModelRefused):
            scorer.score([], 0)
    assert told == ["warning no_models"]
    copied(tmp_path)
    scorer.score([], 0)
    scorer.score([], 0)
    assert (len(opened), scorer.is_quick(("urgency",)), scorer.is_quick(("sentiment",))) == (3, True, False)
