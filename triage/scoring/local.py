"""The scorer of the model folders at hand: urgency of cases, value of leads and deals. Offline, in this process."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from triage.domain.work import Event, Scores, Value, WorkItem
from triage.errors import ModelRefused
from triage.ports import Journal
from triage.scoring.drift import REFERENCE, Moved, Watch, read_reference
from triage.scoring.folder import open_model, read_manifest
from triage.scoring.registry import champions, shadows
from triage.scoring.tabular import Answer, TabularModel

FAMILIES = {"urgency": "urgency", "lead-value": "lead"}
"""What a model was fitted for -> the family of scores that it gives."""
_SALES = ("Lead", "Opportunity")
SHADOW = ".shadow"
"""What follows a family's name where the scores tell of the model that scores beside the one in charge."""


class LocalScorer:
    """
    Scores records with tabular models, one for each family. It is a `ports.Scorer`.

    Without *wanted*, leads and opportunities get `lead`, every other object `urgency`. A deleted record gets nothing.
    """

    def __init__(
        self,
        models: Mapping[str, TabularModel],
        *,
        shadows: Mapping[str, TabularModel] | None = None,
        watches: Mapping[str, Watch] | None = None,
        journal: Journal | None = None,
    ) -> None:
        """
        Take *models* by family (`urgency`, `lead`).

        Args:
            shadows: Challengers: what they say is told among the reasons, where no rule reads it.
            watches: What counts the scores of a family, to tell whether they move away from its calibration.
            journal: Told once of each challenger that fails.
        """
        self._models = dict(models)
        self._shadows = dict(shadows or {})
        self._watches = dict(watches or {})
        self._journal = journal
        self._failed: set[str] = set()

    @classmethod
    def open(cls, root: Path, journal: Journal | None = None) -> LocalScorer:
        """
        Return the scorer of the models in charge below *root*: the registry's champions, else each model's newest.

        A challenger that cannot be opened is told in *journal* and left out: no rule reads it.

        Raises:
            ModelRefused: there is none, or one of them is changed, of another format, or says other than it said.
        """
        folders = find_folders(root)
        if not folders:
            raise ModelRefused(f"{root}: no model of {' or '.join(FAMILIES)} in it: fit one, or set TRIAGE_MODELS")
        return cls(
            {family: open_model(folder) for family, folder in folders.items()},
            shadows=_challengers(root, journal),
            watches={
                family: Watch(read_reference(folder))
                for family, folder in folders.items()
                if (folder / REFERENCE).is_file()
            },
            journal=journal,
        )

    def drifts(self) -> dict[str, Moved]:
        """Return how far the scores given so far lie from what each family's model was calibrated on."""
        return {family: watch.moved for family, watch in self._watches.items()}

    @property
    def versions(self) -> dict[str, str]:
        """The version of the model of each family."""
        return {family: model.version for family, model in self._models.items()}

    def score(
        self, items: Sequence[tuple[WorkItem, Sequence[Event]]], now: int, wanted: Collection[str] = ()
    ) -> list[Scores]:
        """Return one Scores per item, in order, as of *now* (ms UTC); events after it never count."""
        return [self._one(item, past, now, wanted) for item, past in items]

    def _one(self, item: WorkItem, past: Sequence[Event], now: int, wanted: Collection[str]) -> Scores:
        values: dict[str, Value] = {}
        versions: dict[str, str] = {}
        reasons: dict[str, tuple[str, ...]] = {}
        for family in () if item.deleted else wanted or ("lead" if item.object in _SALES else "urgency",):
            model = self._models.get(family)
            if model is None:
                continue
            answer = model.answer(model.extractor.row(item, past, now))
            values |= score_values(family, answer, signal=model.spec.signal)
            versions[family] = model.version
            reasons[family] = answer.reasons
            if family in self._watches:
                self._watches[family].count(answer.probabilities[-1])
            if (beside := self._shadows.get(family)) is not None:
                other = self._beside(family, beside, item, past, now)
                if other is not None:
                    versions[family + SHADOW], reasons[family + SHADOW] = beside.version, (f"{other.score:.6f}",)
        return Scores(values=values, model_versions=versions, reasons=reasons)

    def _beside(
        self, family: str, model: TabularModel, item: WorkItem, past: Sequence[Event], now: int
    ) -> Answer | None:
        """Return what the challenger of *family* says, None where it fails."""
        try:
            return model.answer(model.extractor.row(item, past, now), explain=False)
        except Exception as fault:  # whatever is wrong with a challenger, the model in charge has given its scores
            if family not in self._failed:
                self._failed.add(family)
                _tell(self._journal, family, type(fault).__name__)
            return None


def _challengers(root: Path, journal: Journal | None) -> dict[str, TabularModel]:
    found: dict[str, TabularModel] = {}
    for task, folder in shadows(root).items():
        if task in FAMILIES:
            try:
                found[FAMILIES[task]] = open_model(folder)
            except ModelRefused as cause:
                _tell(journal, FAMILIES[task], str(cause))
    return found


def _tell(journal: Journal | None, family: str, why: str) -> None:
    if journal is not None:
        journal.tell("no_challenger", "warning", score=family, why=why)


def score_values(family: str, answer: Answer, *, signal: bool) -> dict[str, Value]:
    """Return *answer* under the field names that rules read, numbers rounded to 6 decimals."""
    if family != "lead":
        return {f"{family}.score": round(answer.score, 6), f"{family}.abstained": answer.abstained}
    values: dict[str, Value] = {
        "lead.probability": round(answer.score, 6), "lead.abstained": answer.abstained, "lead.signal": signal,
    }  # fmt: skip
    money = {"lead.value": answer.value, "lead.value_low": answer.low, "lead.value_high": answer.high}
    return values | {name: round(amount, 6) for name, amount in money.items() if not math.isnan(amount)}


def find_folders(root: Path) -> dict[str, Path]:
    """Return the folder of the model in charge of each family below *root*; a family without a model is left out."""
    chosen = champions(root)
    found: dict[str, Path] = {}
    for task, family in FAMILIES.items():
        folder = chosen.get(task) or newest(root / task)
        if folder is not None:
            found[family] = folder
    return found


def newest(parent: Path) -> Path | None:
    """Return the folder below *parent* whose model has seen the latest rows, the last by name of equals; or None."""
    folders = sorted(manifest.parent for manifest in parent.glob("*/manifest.json"))
    if not folders:
        return None
    return max(folders, key=lambda folder: (str(read_manifest(folder).get("window", ["", ""])[-1]), folder.name))
