"""How much a won record is worth: three ways compete by squared error, and an interval is put around the value."""

from __future__ import annotations

import msgspec
import numpy as np

from training.candidates import fit_amounts
from training.encoders import TargetEncoder
from training.export import Arrays, forest_arrays
from training.prepare import Prepared
from triage.features import FeatureTable
from triage.scoring.folder import assemble
from triage.scoring.tabular import AmountShape, ModelSpec, table_rows

_FEWEST_FOR_TREES = 200
_ITERATIONS = 80
_SMOOTH = 10.0


def fit_amount(
    prepared: Prepared, spec: ModelSpec, at: np.ndarray, keep: AmountShape | None = None
) -> tuple[ModelSpec, Arrays]:
    """
    Return *spec* with the expected amount fitted on the won rows of *at*, and the arrays it needs.

    Without *keep* the form is chosen first, by squared error on won rows that it was not fitted on, before the
    calibration slice. With it the form and the interval stay as they are.
    """
    if keep is None:
        form = _choose(prepared, spec)
    else:
        form = (keep.form, keep.column)
    spec, arrays = _fit(prepared, spec, _won(prepared, at), form)
    if keep is not None and spec.amount is not None:
        amount = msgspec.structs.replace(spec.amount, low=keep.low, high=keep.high, scale=keep.scale)
        spec = msgspec.structs.replace(spec, amount=amount)
    return spec, arrays


def amounts_of(prepared: Prepared, spec: ModelSpec, at: np.ndarray, arrays: Arrays) -> np.ndarray:
    """Return the amount expected of each of the rows *at* if it is won."""
    model = assemble(spec, arrays, "")
    return np.array([model.amount(row) for row in table_rows(prepared.rows.features.take(at))])


def set_interval(prepared: Prepared, spec: ModelSpec, chances: np.ndarray, arrays: Arrays) -> ModelSpec:
    """Return *spec* with the interval that held the outcome of the promised share of the calibration slice."""
    at = prepared.split.calibrate
    assert prepared.amounts is not None and spec.amount is not None
    value = chances[:, 1] * amounts_of(prepared, spec, at, arrays)
    scale = max(1e-9, 0.1 * float(value.mean()))
    shares = (prepared.amounts[at] - value) / (value + scale)
    rest = (1 - spec.conformal.coverage) / 2
    low = float(np.quantile(shares, rest, method="lower"))
    high = float(np.quantile(shares, 1 - rest, method="higher"))
    amount = msgspec.structs.replace(spec.amount, low=low, high=high, scale=scale)
    return msgspec.structs.replace(spec, amount=amount)


def _won(prepared: Prepared, at: np.ndarray) -> np.ndarray:
    assert prepared.amounts is not None
    return at[(prepared.rows.y[at] == 1) & (prepared.amounts[at] > 0)]


def _choose(prepared: Prepared, spec: ModelSpec) -> tuple[str, str]:
    won = _won(prepared, np.concatenate([prepared.split.fit, prepared.split.choose]))
    assert prepared.amounts is not None
    forms = [("rate", "")]
    forms += [("rate", name) for name in prepared.spec.plain_categories]
    forms += [("column", name) for name in prepared.spec.numbers]
    if len(won) >= _FEWEST_FOR_TREES:
        forms.append(("trees", ""))
    if len(won) < 50:
        return forms[0]
    fold = np.random.RandomState(prepared.request.seed).permutation(len(won)) % 3
    errors = dict.fromkeys(forms, 0.0)
    for part in range(3):
        judge = won[fold == part]
        for form in forms:
            tried, arrays = _fit(prepared, spec, won[fold != part], form)
            errors[form] += float(np.sum((amounts_of(prepared, tried, judge, arrays) - prepared.amounts[judge]) ** 2))
    return min(errors, key=errors.__getitem__)


def _fit(prepared: Prepared, spec: ModelSpec, won: np.ndarray, form: tuple[str, str]) -> tuple[ModelSpec, Arrays]:
    assert prepared.amounts is not None
    amounts = prepared.amounts[won]
    mean = float(amounts.mean()) if len(amounts) else 0.0
    features = prepared.rows.features.take(won)
    kind, column = form
    shape = AmountShape(form=kind, mean=mean, column=column)
    if kind == "trees":
        codes, bins, trees = fit_amounts(features, amounts, seed=prepared.request.seed, iterations=_ITERATIONS)
        return _with_codes(msgspec.structs.replace(spec, amount=shape), codes), forest_arrays([trees], bins, "amounts")
    if kind == "column":
        place = prepared.spec.number_names.index(column)
        shape = msgspec.structs.replace(shape, place=place, factor=_factor(features.numbers[:, place], amounts))
    elif column:
        place = prepared.spec.category_names.index(column)
        shape = msgspec.structs.replace(shape, place=place, rates=_rates(features, place, amounts, mean))
    return msgspec.structs.replace(spec, amount=shape), {}


def _with_codes(spec: ModelSpec, codes: TargetEncoder) -> ModelSpec:
    return msgspec.structs.replace(spec, amount_codes=tuple(codes.known), amount_unseen=tuple(codes.unseen))


def _factor(numbers: np.ndarray, amounts: np.ndarray) -> float:
    told = ~np.isnan(numbers)
    below = float(numbers[told].sum())
    return float(amounts[told].sum()) / below if below > 0 else 0.0


def _rates(features: FeatureTable, place: int, amounts: np.ndarray, mean: float) -> dict[str, float]:
    sums: dict[str, list[float]] = {}
    for row, amount in zip(features.categories, amounts.tolist(), strict=True):
        sums.setdefault(row[place], []).append(amount)
    return {level: (sum(found) + _SMOOTH * mean) / (len(found) + _SMOOTH) for level, found in sorted(sums.items())}
