"""From a request to a sealed model folder: prepare, choose, calibrate, set abstention, fit on all rows, export."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import sklearn

from training.amounts import fit_amount, set_interval
from training.calibrate import choose_calibrator
from training.candidates import LinearFit, TreesFit, fit_linear
from training.carding import card_of
from training.choose import Choice, blended, choose, fit_choice, judged, recency, span_of
from training.conformal import fit_conformal
from training.curve import learning_curve
from training.export import Arrays, gram_arrays, linear_arrays, seal, trees_arrays, write_model
from training.level import carried, kept_share
from training.metrics import Metrics, auc, binary_metrics, class_metrics, value_metrics
from training.prepare import POSITIVES, Loaded, Prepared, Request, prepare
from training.typical import cuts_of, typical_parts
from triage.domain.instant import format_instant
from triage.scoring.tabular import ModelSpec, TabularModel, table_rows

Tell = Callable[[str], None]
_PARTS, _PARTS_OF_MANY, _MANY = 3, 2, 20_000
"""Parts of the calibration slice, each told by the others; fewer where rows are so many that a fit takes its time."""
_GOOD = 0.7
"""AUC that a model too few rows speak of may still have."""


@dataclass
class Fitted:
    """
    What a fit ended with.

    Attributes:
        folder: Where the model was written.
        model: The model as it opens from there.
        prepared: The rows it was fitted on.
        choice: The recipe.
        metrics: Figures on the calibration slice, of a model that did not fit it.
        held: That model's probabilities of the slice, of shape (n_rows, n_classes): what the card shows.
        linear, trees: The scikit-learn parts, for whoever wants to compare.
        with_leaks: AUC on the choosing slice (with the dropped columns, without them); None where none was dropped.
        curve: Rows fitted on, and what the linear part reached with them.
    """

    folder: Path
    model: TabularModel
    prepared: Prepared
    choice: Choice
    metrics: Metrics
    held: np.ndarray
    linear: LinearFit | None
    trees: TreesFit | None
    manifest: dict[str, Any]
    with_leaks: tuple[float, float] | None = None
    curve: list[tuple[int, float]] = field(default_factory=list)


def fit(request: Request, tell: Tell = lambda line: None, loaded: Loaded | None = None) -> Fitted:
    """
    Fit what *request* asks for (from *loaded* rows, where given), write its folder, and return it.

    *tell* hears of each step.

    Raises:
        IntakeError: the table, a column or the target does not do; said in words.
    """
    tell("reading")
    prepared = prepare(request, loaded)
    rows, cut, at, base = prepared.rows, prepared.split, prepared.at, prepared.weights
    tell(f"choosing among candidates on {len(cut.choose):,} rows")
    choice = choose(rows, cut.fit, cut.choose, at, base, request.seed, tell)
    tell("calibrating on the latest slice")
    curve = learning_curve(rows, cut.fit, cut.choose, at, base, choice)
    earlier = np.concatenate([cut.fit, cut.choose])
    linear, trees = fit_choice(rows, earlier, choice, at, base, request.seed)
    margins = blended(rows, cut.calibrate, linear, trees, choice.share)
    if cut.by_time:
        choice = replace(choice, kept=_kept(prepared, choice))
        tell(f"of the latest level's shift {choice.kept:.0%} is expected to last")
    spec, chances = _judged_spec(prepared, choice, margins, _crossed(prepared, choice) if cut.by_time else margins)
    amount_arrays: Arrays = {}
    if prepared.amounts is not None:
        spec, amount_arrays = fit_amount(prepared, spec, earlier)
        spec = set_interval(prepared, spec, chances, amount_arrays)
    metrics = _metrics(prepared, spec, chances, amount_arrays)
    tell("fitting on all rows")
    everyone = np.sort(np.concatenate([earlier, cut.calibrate]))
    linear, trees = fit_choice(rows, everyone, choice, at, base, request.seed)
    choice = replace(choice, half_life=choice.life_on(at, everyone), span=span_of(at, everyone))
    if prepared.amounts is not None:
        spec, amount_arrays = fit_amount(prepared, spec, everyone, keep=spec.amount)
    spec = _with_parts(prepared, spec, linear, trees)
    arrays = _arrays(prepared, linear, trees) | amount_arrays
    tell("exporting")
    with_leaks = _with_leaks(prepared)
    return _write(prepared, spec, arrays, choice, metrics, chances, (linear, trees), with_leaks, curve)


def _kept(prepared: Prepared, choice: Choice) -> float:
    """Return the share of the latest level's shift that later rows will keep."""
    cut, at = prepared.split, prepared.at
    known = np.concatenate([cut.fit, cut.choose, cut.calibrate])
    memory = choice.span / choice.half_life if choice.half_life else 0.0
    return kept_share(prepared.rows, known, at, prepared.weights, choice.strength, memory)


def _crossed(prepared: Prepared, choice: Choice) -> np.ndarray:
    """
    Return margins of the calibration slice, each third (or half) by a model of all other rows, those of the slice too.

    The model that serves knows the latest rows. Where outcomes drift, one that ends before them is off in level by
    as much as they drifted; its calibrator would take that off the serving model a second time.
    """
    cut = prepared.split
    earlier = np.concatenate([cut.fit, cut.choose])
    draws = np.random.RandomState(prepared.request.seed).permutation(int(cut.codes.max()) + 1)
    parts = _PARTS if len(earlier) + len(cut.calibrate) < _MANY else _PARTS_OF_MANY
    fold = draws[cut.codes[cut.calibrate]] % parts
    found = np.zeros((len(fold), 1 if prepared.rows.n_classes == 2 else prepared.rows.n_classes))
    for part in range(parts):
        here = fold == part
        known = np.sort(np.concatenate([earlier, cut.calibrate[~here]]))
        fitted = fit_choice(prepared.rows, known, choice, prepared.at, prepared.weights, prepared.request.seed)
        found[here] = blended(prepared.rows, cut.calibrate[here], *fitted, choice.share)
    return found


def _judged_spec(
    prepared: Prepared, choice: Choice, forward: np.ndarray, margins: np.ndarray
) -> tuple[ModelSpec, np.ndarray]:
    """
    Return the model's spec as far as the calibration slice tells it, and held-out probabilities of that slice.

    Args:
        forward: Margins of the slice by a model that ends before it: figures and the signal are judged by them.
        margins: Margins by models like the one that serves: the calibrator and abstention are learnt from them.
    """
    request, cut, rows = prepared.request, prepared.split, prepared.rows
    y = rows.y[cut.calibrate]
    weights = recency(prepared.at, cut.calibrate, choice.half_life)
    calibrator, chances = choose_calibrator(margins, y, np.ones(len(y)), request.seed)
    if cut.by_time and rows.n_classes == 2:
        # The next rows are not these: abstention and the threshold are learnt here, where the level is known.
        calibrator = carried(margins, y, choice.kept)
    judged_by = chances if margins is forward else choose_calibrator(forward, y, np.ones(len(y)), request.seed)[1]
    signal = rows.n_classes > 2 or has_signal(y, forward, request.seed) or _told(choice, rows.y[cut.choose])
    known = np.concatenate([cut.fit, cut.choose, cut.calibrate])
    base_rate = float(np.average(y > 0, weights=weights)) if signal else float((rows.y[known] > 0).mean())
    if not signal:
        chances = judged_by = np.tile([1 - base_rate, base_rate], (len(y), 1))
    categories = [rows.features.categories[row] for row in cut.calibrate]
    spec = ModelSpec(
        task=request.task,
        classes=prepared.classes.names,
        features=prepared.spec,
        ordinal=prepared.classes.ordinal,
        high_first=request.high_first,
        share=choice.share,
        calibrator=calibrator,
        conformal=fit_conformal(
            chances, y, categories, names=prepared.spec.category_names, column=request.segment,
            coverage=request.coverage,
        ),
        threshold=_threshold(y, chances[:, 1]) if rows.n_classes == 2 else 0.5,
        cuts=cuts_of(y, chances) if prepared.classes.ordinal else (),
        signal=signal,
        base_rate=base_rate,
        target=prepared.target,
        amount_column=request.amount,
        excluded=tuple(prepared.excluded),
    )  # fmt: skip
    return spec, judged_by


def has_signal(y: np.ndarray, margins: np.ndarray, seed: int) -> bool:
    """
    Return whether *margins* may rank rows that the model has not seen, by the 95 % interval of their AUC.

    They may where it lies above chance, and where the rows are too few to deny even a good model (it reaches 0.7).
    """
    if not 0 < y.sum() < len(y):
        return False
    rng = np.random.RandomState(seed)
    draws = [rng.randint(0, len(y), len(y)) for _ in range(300)]
    found = np.array([auc(y[rows], margins[rows, 0]) for rows in draws])
    low, high = np.nanquantile(found, [0.025, 0.975])
    return bool(low > 0.5 or high >= _GOOD)


def _told(choice: Choice, y: np.ndarray) -> bool:
    """Return whether the choosing slice told the classes apart by three standard errors of chance and more."""
    ones, zeros = float((y == 1).sum()), float((y == 0).sum())
    return (choice.reached - 0.5) > 3 * ((ones + zeros + 1) / (12 * ones * zeros)) ** 0.5


def _threshold(y: np.ndarray, p: np.ndarray) -> float:
    """Return the probability from which on the macro F1 is best on the calibration slice, between 0.05 and 0.95."""
    order = np.argsort(-p, kind="stable")
    hits = np.cumsum(y[order])
    flagged = np.arange(1, len(y) + 1)
    positives = y.sum()
    quiet_hits = (len(y) - positives) - (flagged - hits)
    one = 2 * hits / (flagged + positives)
    other = 2 * quiet_hits / np.maximum(1, (len(y) - flagged) + (len(y) - positives))
    return float(np.clip(p[order][int(np.argmax(one + other))], 0.05, 0.95))


def _with_parts(prepared: Prepared, spec: ModelSpec, linear: LinearFit | None, trees: TreesFit | None) -> ModelSpec:
    if linear is not None:
        spec = msgspec.structs.replace(spec, linear=linear.shape)
    if trees is not None:
        known, unseen = tuple(trees.codes.known), tuple(trees.codes.unseen)
        spec = msgspec.structs.replace(spec, codes=known, unseen=unseen)
    return spec


def _arrays(prepared: Prepared, linear: LinearFit | None, trees: TreesFit | None) -> Arrays:
    arrays = gram_arrays(prepared.rows.grams)
    if linear is not None:
        arrays |= linear_arrays(linear)
    if trees is not None:
        arrays |= trees_arrays(trees)
    return arrays


def _metrics(prepared: Prepared, spec: ModelSpec, chances: np.ndarray, amount_arrays: Arrays) -> Metrics:
    """Return the figures of the calibration slice; probabilities are those of calibrators that left the row out."""
    at = prepared.split.calibrate
    y = prepared.rows.y[at]
    if len(spec.classes) == 2:
        found = binary_metrics(y, chances[:, 1], (chances[:, 1] >= spec.threshold).astype(int))
    else:
        expected = chances @ np.arange(chances.shape[1])
        found = class_metrics(y, chances, np.searchsorted(spec.cuts, expected), ordinal=spec.ordinal)
    if prepared.amounts is not None:
        from training.amounts import amounts_of

        value = chances[:, 1] * amounts_of(prepared, spec, at, amount_arrays)
        found |= value_metrics(prepared.amounts[at], value)
    return found


def _with_leaks(prepared: Prepared) -> tuple[float, float] | None:
    """Return the choosing slice's AUC (or negative log loss) with the dropped columns, and without them."""
    dropped = [found.column for found in prepared.findings if found.drop and found.column in prepared.excluded]
    dropped = [name for name in dropped if not any(fnmatchcase(name, pattern) for pattern in prepared.request.exclude)]
    if not dropped:
        return None
    from training.columns import features_of, sort_columns

    columns = sort_columns(prepared.table, dropped)
    extra = msgspec.structs.replace(
        prepared.spec,
        categories=(*prepared.spec.categories, *columns.categories),
        numbers=(*prepared.spec.numbers, *columns.numbers),
    )
    cut, rows = prepared.split, prepared.rows
    features = features_of(prepared.table, extra, prepared.pasts)
    more = replace(rows, features=features)
    even = np.ones(len(cut.fit))
    return tuple(_score(one, fit_linear(one, cut.fit, even, 0.3), cut.choose) for one in (more, rows))  # type: ignore[return-value]


def _score(rows: Any, model: LinearFit, at: np.ndarray) -> float:
    margins, y = model.margins(rows, at), rows.y[at]
    return auc(y, margins[:, 0]) if rows.n_classes == 2 else -judged(margins, y)


def _write(
    prepared: Prepared,
    spec: ModelSpec,
    arrays: Arrays,
    choice: Choice,
    metrics: Metrics,
    held: np.ndarray,
    parts: tuple[LinearFit | None, TreesFit | None],
    with_leaks: tuple[float, float] | None,
    curve: list[tuple[int, float]],
) -> Fitted:
    request = prepared.request
    folder = Path(request.out)
    spec = msgspec.structs.replace(spec, **typical_parts(prepared, spec, arrays))
    version = _version(prepared, spec, arrays)
    about = _about(prepared, choice, metrics, with_leaks, version)
    model = write_model(folder, spec, arrays, version=version, about=about, seed=request.seed)
    (folder / "metrics.json").write_bytes(
        _json({"rows": len(prepared.split.calibrate), "task": spec.task, "signal": spec.signal, "metrics": metrics})
    )
    fitted = Fitted(folder, model, prepared, choice, metrics, held, *parts, about, with_leaks, curve)
    card_of(fitted)
    manifest = {"format": 1, "kind": "tabular", "task": spec.task, "version": version, **about}
    seal(folder, manifest)
    return fitted


def _version(prepared: Prepared, spec: ModelSpec, arrays: Arrays) -> str:
    """Return the day of the latest row and a digest of what was fitted: models are one only where they are equal."""
    digest = sha256(msgspec.json.encode(spec, order="deterministic"))
    for name in sorted(arrays):
        digest.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    day = "undated"
    if prepared.dated and prepared.at is not None:
        day = format_instant(int(prepared.at.max()))[:10]
    return f"{day}-{digest.hexdigest()[:8]}"


def _about(
    prepared: Prepared, choice: Choice, metrics: Metrics, with_leaks: tuple[float, float] | None, version: str
) -> dict[str, Any]:
    request, cut = prepared.request, prepared.split
    counts = np.bincount(prepared.rows.y, minlength=prepared.rows.n_classes)
    rarest = int(counts.min())
    why = [f"{rarest} rows of the rarest class: {POSITIVES - rarest} more are needed"] if rarest < POSITIVES else []
    why += [f"{name} was kept by hand ({request.because})" for name in request.keep]
    window = ["", ""]
    if prepared.dated and prepared.at is not None:
        known = prepared.at[prepared.at > -(2**62)]
        window = [format_instant(int(known.min())), format_instant(int(known.max()))]
    return {
        "name": request.name or request.task,
        "target": prepared.target,
        "label": request.label,
        "columns": {"id": request.id, "time": request.time, "tz": request.tz, "text": list(request.text)},
        "rows": len(prepared.table),
        "slices": {"fit": len(cut.fit), "choose": len(cut.choose), "calibrate": len(cut.calibrate)},
        "window": window,
        "seed": request.seed,
        "choice": {
            "half_life_days": choice.half_life,
            "linear_c": choice.strength, "trees": choice.iterations,
            "leaves": choice.leaves, "linear_share": choice.share, "level_kept": round(choice.kept, 4),
        },
        "losses": {name: round(loss, 6) for name, loss in choice.losses.items()},
        "leaks": {found.column: list(found.evidence) for found in prepared.findings},
        "auc_with_and_without_leaks": None if with_leaks is None else [round(value, 4) for value in with_leaks],
        "left_out": prepared.columns.left_out,
        "kept": dict.fromkeys(request.keep, request.because),
        "promotable": not why,
        "not_promotable_because": why,
        "notes": prepared.notes,
        "note": request.note,
        "libraries": {
            "python": platform.python_version(), "numpy": np.__version__, "scikit-learn": sklearn.__version__,
        },
    }  # fmt: skip


def _json(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value, order="deterministic"), indent=1)


__all__ = ["Fitted", "Request", "fit", "has_signal", "table_rows"]
