"""A tabular model at work: features in, calibrated probability, value, reasons and abstention out. No model kit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from triage.domain.work import Event, WorkItem
from triage.features.extract import Extractor, FeatureTable, Row
from triage.features.spec import FeatureSpec
from triage.scoring.calibrators import EDGE, Calibrator
from triage.scoring.conformal import Conformal
from triage.scoring.encode import TargetCodes, tree_row
from triage.scoring.linear import Active, Grams, LinearPart, LinearShape, Weights
from triage.scoring.reasons import strongest
from triage.scoring.trees import Forest

Floats = npt.NDArray[np.float64]


class AmountShape(Struct, frozen=True, kw_only=True):
    """
    How an amount is expected, and how far a value may be off.

    Attributes:
        form: `trees`: e to the forest's margin. `rate`: the mean amount of the levels of one category, else the mean.
            `column`: a number of the record times a factor.
        mean: The mean amount of what was won.
        column: The category, or the number, that `rate` and `column` read.
        place: Where it stands in a row.
        factor: What the number is multiplied by.
        rates: Level -> mean amount.
        low: Share of (value + scale) that the lower end lies off, zero or below.
        high: The same for the upper end.
        scale: Money; makes the share meaningful where values are near 0.
    """

    form: str = "rate"
    mean: float = 0.0
    column: str = ""
    place: int = -1
    factor: float = 1.0
    rates: dict[str, float] = {}
    low: float = -1.0
    high: float = 1.0
    scale: float = 1.0


class ModelSpec(Struct, frozen=True, kw_only=True):
    """
    What `model.json` holds: all of a model but its large arrays.

    Attributes:
        task: `urgency` or `lead-value`.
        classes: The outcomes as spelled in training, in order; with two, the second is the one to find.
        ordinal: Whether the classes are steps of one scale.
        high_first: Whether the first class is the urgent end of the scale.
        features: Which columns become which features.
        linear: The linear part's layout.
        share: The linear part's share in the blended margin; the rest is the trees'.
        text_from: How many text margins the trees see.
        codes: Per category, level -> outcome rates and log count; and those of an unseen level.
        calibrator: Margin to probability.
        conformal: When to abstain.
        threshold: The probability from which a record counts as flagged.
        cuts: For a scale: where the expected step is cut into steps.
        signal: False where validation could not tell the ranking from chance: then the value is mean rate x amount.
        base_rate: Share of the second class (or mean step) in the latest training rows.
        amount: How amounts are expected, for lead value.
        high_amount: Whether amounts belong to this model at all.
        typical: Mean of each linear group's and each tree feature's part in the margin: what reasons are measured from.
        words: Names of the columns for people, where they differ.
    """

    task: str
    classes: tuple[str, ...]
    features: FeatureSpec
    ordinal: bool = False
    high_first: bool = False
    linear: LinearShape = LinearShape()
    share: float = 1.0
    text_form: str = ""
    codes: tuple[dict[str, list[float]], ...] = ()
    unseen: tuple[list[float], ...] = ()
    amount_codes: tuple[dict[str, list[float]], ...] = ()
    amount_unseen: tuple[list[float], ...] = ()
    calibrator: Calibrator = Calibrator()
    conformal: Conformal = Conformal()
    threshold: float = 0.5
    cuts: tuple[float, ...] = ()
    signal: bool = True
    base_rate: float = 0.0
    amount: AmountShape | None = None
    typical_linear: tuple[tuple[float, ...], ...] = ()
    typical_trees: tuple[tuple[float, ...], ...] = ()
    target: str = ""
    amount_column: str = ""
    excluded: tuple[str, ...] = ()


class Answer(Struct, frozen=True, kw_only=True):
    """
    What a model says about one record.

    Attributes:
        probabilities: One for each class.
        score: 0 to 1: the probability of the second of two classes, or how far up the scale the record is expected.
        abstained: The model cannot tell with the promised coverage.
        value, low, high: Money: probability times amount, and the interval; NaN where the model knows no amounts.
        reasons: The strongest three in words, the strongest first.
    """

    probabilities: tuple[float, ...]
    score: float
    abstained: bool
    value: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    reasons: tuple[str, ...] = ()


class TabularModel:
    """A fitted model as it serves. One record is scored in about 0.1 ms; records never depend on one another."""

    def __init__(
        self,
        spec: ModelSpec,
        *,
        grams: Grams,
        linear: LinearPart | None = None,
        forest: Forest | None = None,
        text: Weights | None = None,
        amounts: Forest | None = None,
        version: str = "",
    ) -> None:
        self.spec, self.grams, self.version = spec, grams, version
        self.linear, self.forest, self.text, self.amounts = linear, forest, text, amounts
        self._seen: tuple[Row, list[float]] | None = None
        self.fixed: Any = None
        """What reasons keep of this model."""
        self.extractor = Extractor(spec.features)
        self.codes = TargetCodes(spec.codes, spec.unseen)
        self.amount_codes = TargetCodes(spec.amount_codes, spec.amount_unseen)

    def score(
        self, items: Iterable[tuple[WorkItem, Sequence[Event]]], now: int, *, explain: bool = True
    ) -> list[Answer]:
        """Return the answer for each of *items*, each with its own past, as of *now* (ms UTC)."""
        row = self.extractor.row
        return [self.answer(row(item, past, now), explain=explain) for item, past in items]

    def score_table(self, table: FeatureTable) -> list[Answer]:
        """Return the answer for each row of *table*, without reasons."""
        rows = table_rows(table)
        answers = self.probabilities(rows)
        return [self._answer(row, chances, ()) for row, chances in zip(rows, answers, strict=True)]

    def answer(self, row: Row, *, explain: bool = True) -> Answer:
        """Return the answer for one row of features."""
        # Reasons first: they walk the same trees, and leave what a score needs of it.
        reasons = strongest(self, row) if explain else ()
        return self._answer(row, self.chances(row), reasons)

    def chances(self, row: Row) -> list[float]:
        """Return the probability of each class for one row: the quick way, without abstention or reasons."""
        if len(self.spec.classes) == 2:
            second = self._calibrated(self._margin(row))
            return [1.0 - second, second]
        found: list[float] = self.spec.calibrator.probabilities(self._margins(row)).tolist()
        return found

    def probabilities(self, rows: Sequence[Row]) -> list[list[float]]:
        """Return the probability of each class for each of *rows*; the trees are walked for all rows at once."""
        margins = self.margins(rows)
        if len(self.spec.classes) == 2:
            seconds = [self._calibrated(margin) for margin in margins[:, 0].tolist()]
            return [[1.0 - second, second] for second in seconds]
        found: list[list[float]] = [self.spec.calibrator.probabilities(row).tolist() for row in margins]
        return found

    def margins(self, rows: Sequence[Row]) -> Floats:
        """Return the blended margins of *rows* before calibration, of shape (n_rows, 1 or n_classes)."""
        width = 1 if len(self.spec.classes) == 2 else len(self.spec.classes)
        total = np.zeros((len(rows), width))
        if not rows:
            return total
        share = self.spec.share
        texts = [self.grams.active(row.text) for row in rows]
        if self.linear is not None and share > 0:
            pairs = zip(rows, texts, strict=True)
            total += share * np.array([self._linear_margins(self.linear, row, grams) for row, grams in pairs])
        if self.forest is not None and share < 1:
            pairs = zip(rows, texts, strict=True)
            raw = self.forest.many(np.array([self.tree_row(row, grams) for row, grams in pairs]))
            total += (1 - share) * (raw if width == 1 else log_softmax(raw))
        return total

    def tree_row(self, row: Row, grams: Active) -> list[float]:
        """Return what the trees see of *row*; *grams* are those of its text."""
        last = self._seen
        if last is not None and last[0] is row:
            return last[1]
        seen = tree_row(row, self.codes, self.text.outputs(grams) if self.text is not None else [])
        self._seen = (row, seen)
        return seen

    def level(self, chances: Sequence[float]) -> int:
        """Return the class that stands for *chances*: over the threshold, the likeliest, or the expected step cut."""
        if len(chances) == 2:
            return int(chances[1] >= self.spec.threshold)
        if self.spec.cuts:
            expected = sum(step * chance for step, chance in enumerate(chances))
            return sum(expected > cut for cut in self.spec.cuts)
        return max(range(len(chances)), key=chances.__getitem__)

    def amount(self, row: Row) -> float:
        """Return the amount expected of *row* where it is won, in the unit of the training column."""
        shape = self.spec.amount
        if shape is None:
            return float("nan")
        if shape.form == "trees" and self.amounts is not None:
            seen = tree_row(row, self.amount_codes, [])
            return float(np.exp(min(50.0, self.amounts.single(seen)[0])))
        if shape.form == "column":
            value = row.numbers[shape.place]
            return shape.mean if value != value else max(0.0, value * shape.factor)
        if shape.form == "rate" and shape.place >= 0:
            return shape.rates.get(row.categories[shape.place], shape.mean)
        return shape.mean

    def _answer(self, row: Row, chances: list[float], reasons: tuple[str, ...]) -> Answer:
        spec = self.spec
        silent = not spec.signal or spec.conformal.abstains(chances, row.categories)
        score = self._score(chances)
        if spec.amount is None:
            return Answer(probabilities=tuple(chances), score=score, abstained=silent, reasons=reasons)
        value = score * self.amount(row)
        room = value + spec.amount.scale
        return Answer(
            probabilities=tuple(chances),
            score=score,
            abstained=silent,
            value=value,
            low=max(0.0, value + spec.amount.low * room),
            high=max(value, value + spec.amount.high * room),
            reasons=reasons,
        )

    def _score(self, chances: list[float]) -> float:
        if len(chances) == 2:
            return chances[1]
        expected = sum(step * chance for step, chance in enumerate(chances)) / (len(chances) - 1)
        return 1.0 - expected if self.spec.high_first else expected

    def _calibrated(self, margin: float) -> float:
        return self.spec.calibrator.probability(margin) if self.spec.signal else self.spec.base_rate

    def _margin(self, row: Row) -> float:
        share, total = self.spec.share, 0.0
        grams = self.grams.active(row.text)
        if self.linear is not None and share > 0:
            total += share * self.linear.margin(self.linear.active(row, grams))
        if self.forest is not None and share < 1:
            total += (1 - share) * self.forest.single(self.tree_row(row, grams))[0]
        return total

    def _margins(self, row: Row) -> Floats:
        share, total = self.spec.share, np.zeros(len(self.spec.classes))
        grams = self.grams.active(row.text)
        if self.linear is not None and share > 0:
            total += share * self._linear_margins(self.linear, row, grams)
        if self.forest is not None and share < 1:
            total += (1 - share) * log_softmax(np.array([self.forest.single(self.tree_row(row, grams))]))[0]
        return total

    def _linear_margins(self, linear: LinearPart, row: Row, grams: Active) -> Floats:
        outputs = np.array(linear.outputs(linear.active(row, grams)))
        return outputs if len(self.spec.classes) == 2 else class_margins(outputs, self.spec.linear.form)


def table_rows(table: FeatureTable) -> list[Row]:
    """Return *table* row by row."""
    return [
        Row(text, levels, numbers)
        for text, levels, numbers in zip(table.texts, table.categories, table.numbers.tolist(), strict=True)
    ]


def class_margins(outputs: Floats, form: str) -> Floats:
    """Return log probabilities of shape (n_classes,) from *outputs*: one a class, or one for each step up."""
    chances = 1.0 / (1.0 + np.exp(-np.clip(outputs, -40, 40)))
    if form == "cumulative":
        # Each step up has a model of its own: sorted, so that no step is likelier than the one below it.
        above = np.concatenate([[1.0], -np.sort(-chances), [0.0]])
        chances = above[:-1] - above[1:]
    kept = np.clip(chances, EDGE, None)
    answer: Floats = np.log(kept / kept.sum())
    return answer


def log_softmax(raw: Floats) -> Floats:
    """Return log probabilities of shape (n_rows, n_classes) from margins of the same shape, kept above `EDGE`."""
    powers = np.exp(raw - raw.max(axis=1, keepdims=True))
    kept = np.clip(powers / powers.sum(axis=1, keepdims=True), EDGE, None)
    answer: Floats = np.log(kept / kept.sum(axis=1, keepdims=True))
    return answer
