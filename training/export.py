"""A fitted model into a folder of plain data: `model.json`, `weights.npz`, golden rows, metrics, schema, manifest."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from training.candidates import LinearFit, TreesFit
from training.encoders import Bins, GramMatrix
from triage.domain.work import Event
from triage.features import FeatureSpec
from triage.scoring.folder import FORMAT, GOLDEN_ROWS, Golden, expected, open_model
from triage.scoring.linear import RARE, NumberScale
from triage.scoring.tabular import ModelSpec, TabularModel

Arrays = dict[str, np.ndarray]
_UNSEEN = "never seen before"
_TEXTS = (
    "Größere Störung: Rechnung läßt sich nicht öffnen, bitte dringend prüfen!",
    "请尽快处理，系统无法登录，所有人都在等。",
    "ログインできません。急いでいます。",
    "It’s down again – we can't work; that's the third time",
    "l'export s'arrête au bout d'une minute, c'est gênant",
    "La factura nº 42 está equivocada… ¿quién la corrige?",
    "crash on startup after update, data loss",
    "Question about the plan",
    "Счёт не открывается",
    "🙂🙂 thanks!!! works now",
    "a",
    "   ",
    "",
    "x" * 300,
    "ab\tcd\nef 12345 67.89 <b>bold</b>",
)


def gram_arrays(grams: GramMatrix) -> Arrays:
    """Return terms (UTF-8, one a line, as bytes) and inverse document frequencies of both vectorizers."""
    found: Arrays = {}
    for name, vectorizer in (("words", grams.words), ("characters", grams.characters)):
        if vectorizer is None:
            continue
        terms = sorted(vectorizer.vocabulary_, key=vectorizer.vocabulary_.__getitem__)
        found[f"{name}.terms"] = np.frombuffer("\n".join(terms).encode(), dtype=np.uint8)
        found[f"{name}.idf"] = vectorizer.idf_
    return found


def linear_arrays(fit: LinearFit) -> Arrays:
    """Return the linear part's weights and intercept."""
    return {"linear.weights": fit.weights, "linear.intercept": fit.intercept}


def trees_arrays(fit: TreesFit) -> Arrays:
    """Return the forest's arrays, and the weights of the text margins that it sees."""
    found = forest_arrays(fit.forests, fit.bins, "trees", fit.columns)
    if fit.text is not None:
        found |= {"text.weights": fit.text.weights, "text.intercept": fit.text.intercept}
    return found


def forest_arrays(
    forests: Sequence[HistGradientBoostingClassifier | HistGradientBoostingRegressor],
    bins: Bins,
    name: str,
    seen: Sequence[np.ndarray] = (),
) -> Arrays:
    """
    Return the mean of *forests* as the arrays of `scoring.trees.ARRAYS`, called `name.array`; thresholds are edges.

    *seen* holds the columns of *bins* that each forest sees, in order; without it each sees all.
    """
    columns: dict[str, list[np.ndarray]] = {
        part: [] for part in ("feature", "threshold", "left", "right", "missing_left", "value")
    }
    roots: list[int] = []
    outputs: list[int] = []
    start = 0
    whole = np.arange(len(bins.edges))
    places = list(seen) or [whole] * len(forests)
    trees = [
        (own, output, tree.nodes)
        for one, own in zip(forests, places, strict=True)
        for stage in one._predictors
        for output, tree in enumerate(stage)
    ]
    for own, output, nodes in trees:
        leaf = nodes["is_leaf"].astype(bool)
        feature = own[np.where(leaf, 0, nodes["feature_idx"])]
        columns["feature"].append(np.where(leaf, -1, feature).astype(np.int32))
        columns["threshold"].append(_thresholds(nodes, leaf, [bins.edges[place] for place in own]))
        columns["left"].append(np.where(leaf, 0, nodes["left"] + start).astype(np.int32))
        columns["right"].append(np.where(leaf, 0, nodes["right"] + start).astype(np.int32))
        columns["missing_left"].append(nodes["missing_go_to_left"].astype(bool))
        columns["value"].append(nodes["value"].astype(np.float64) / len(forests))
        roots.append(start)
        outputs.append(output)
        start += len(nodes)
    found = {f"{name}.{part}": np.concatenate(parts) for part, parts in columns.items()}
    baseline = np.mean([np.asarray(one._baseline_prediction, dtype=np.float64).ravel() for one in forests], axis=0)
    return found | {
        f"{name}.roots": np.array(roots, dtype=np.int32),
        f"{name}.outputs": np.array(outputs, dtype=np.int32),
        f"{name}.baseline": baseline,
    }


def _thresholds(nodes: np.ndarray, leaf: np.ndarray, all_edges: Sequence[np.ndarray]) -> np.ndarray:
    """Return each inner node's threshold in the feature's own unit: its code k stands for the edge k."""
    found = np.zeros(len(nodes))
    for at in np.flatnonzero(~leaf):
        edges = all_edges[int(nodes["feature_idx"][at])]
        code = float(nodes["num_threshold"][at])
        # Beyond the last edge: only missing values part there.
        found[at] = edges[math.floor(code)] if code < len(edges) else np.inf
    return found


def write_model(
    folder: Path, spec: ModelSpec, arrays: Arrays, *, version: str, about: dict[str, Any], seed: int = 0
) -> TabularModel:
    """
    Write *folder* but its seal, and return the model as it opens from there; golden rows are scored by that one.

    *about* is what the manifest says beside the files: training window, rows, library versions, labels.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.json").write_bytes(_json(spec))
    with (folder / "weights.npz").open("wb") as file:
        np.savez_compressed(file, **arrays)
    (folder / "schema.json").write_bytes(_json(schema_of(spec)))
    model = open_model(folder, unsealed={"version": version, **about})
    lines = [_json(_scored(model, row), indent=False) for row in golden_rows(spec, seed)]
    (folder / "golden.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    return model


def seal(folder: Path, manifest: dict[str, Any]) -> None:
    """Write `manifest.json` with the sha256 of every other file in *folder*; from then on a change is noticed."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file() and path.name != "manifest.json")
    files = {name: sha256((folder / name).read_bytes()).hexdigest() for name in names}
    (folder / "manifest.json").write_bytes(_json({**manifest, "files": files}))


def schema_of(spec: ModelSpec) -> dict[str, Any]:
    """Return what a record may hold for this model: column -> kind; every column may be absent."""
    features = spec.features
    kinds = dict.fromkeys(features.texts, "text")
    kinds |= dict.fromkeys(features.instants, "instant")
    kinds |= dict.fromkeys(features.categories, "level")
    kinds |= {name: "number" if name not in kinds else "number and level" for name in features.numbers}
    return {
        "format": FORMAT,
        "task": spec.task,
        "classes": list(spec.classes),
        "columns": kinds,
        "excluded": list(spec.excluded),
    }


def golden_rows(spec: ModelSpec, seed: int) -> list[Golden]:
    """
    Return the records that an opened model is checked by, none of them from training data.

    Texts are ours (umlauts, CJK, apostrophes, empty); levels are drawn from those the model knows or are unseen;
    numbers are of the magnitudes it knows, missing, zero or extreme. Records with a past change as they age.
    """
    rng = random.Random(seed)
    return [_golden_row(spec.features, spec, rng, number) for number in range(GOLDEN_ROWS + 20)]


def _golden_row(features: FeatureSpec, spec: ModelSpec, rng: random.Random, number: int) -> Golden:
    born = 1_750_000_000_000 + rng.randrange(400 * 24) * 3_600_000 + rng.randrange(60) * 60_000
    fields: dict[str, Any] = {name: rng.choice(_TEXTS) for name in features.texts}
    levels = dict(zip(features.category_names, spec.linear.levels, strict=False))
    scales = dict(zip(features.number_names, spec.linear.numbers, strict=False))
    fields |= {name: _golden_number(rng, scales.get(name)) for name in features.numbers}
    fields |= {name: born - rng.randrange(10_000) * 3_600_000 for name in features.instants}
    for name in features.categories:
        known = [level for level in levels.get(name, ()) if level and level != RARE]
        if features.ages:
            known = [level.partition("|")[2] for level in known]
        if name not in features.numbers or number % 2:
            fields[name] = rng.choice([*known[:400], _UNSEEN, _UNSEEN, ""]) if known else _UNSEEN
    if number == 0:
        fields = {}
    kept = {name: value for name, value in fields.items() if value is not None and rng.random() < 0.93}
    now = born + rng.choice((0, 1, 4, 24, 72, 500)) * 3_600_000
    return Golden(fields=kept, born=born, now=now, past=_golden_past(features, rng, born))


def _golden_number(rng: random.Random, scale: NumberScale | None) -> float | str | None:
    drawn = rng.random()
    if drawn < 0.15:
        return None
    if drawn < 0.25:
        return rng.choice((0.0, -1.0, 1e9, "n/a", "1,234.5"))
    if scale is None:
        return round(rng.lognormvariate(2, 2), 3)
    middle = rng.gauss(scale.center, scale.scale)
    return round(math.copysign(math.expm1(min(30.0, abs(middle))), middle), 6)


def _golden_past(features: FeatureSpec, rng: random.Random, born: int) -> tuple[Event, ...]:
    if not features.past and not features.contacts:
        return ()
    events: list[Event] = []
    for step in range(rng.randrange(6)):
        at = born + rng.randrange(100 * 60) * 60_000
        actor = f"005{rng.randrange(3)}"
        if features.past and rng.random() < 0.7:
            changes = {rng.choice(features.past): rng.choice(("one", "two", _UNSEEN))}
            events.append(Event(at=at, type="updated", event_id=str(step), changes=changes, actor=actor))
        else:
            way: Literal["in", "out"] = rng.choice(("in", "out"))
            events.append(Event(at=at, type="message", event_id=str(step), direction=way, actor=actor))
    return tuple(sorted(events, key=lambda event: event.at))


def _scored(model: TabularModel, row: Golden) -> Golden:
    answer = expected(model, row)
    return msgspec.structs.replace(
        row,
        probabilities=answer.probabilities,
        value=None if answer.value != answer.value else answer.value,
        abstained=answer.abstained,
    )


def _json(value: Any, *, indent: bool = True) -> bytes:
    text = msgspec.json.encode(value, order="deterministic", enc_hook=_number)
    return msgspec.json.format(text, indent=1) if indent else text


def _number(value: Any) -> Any:
    """Return a number of numpy's as Python's own."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value)} is no plain data")
