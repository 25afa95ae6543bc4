"""Opens a model folder: data only, every file as it was sealed, and the golden rows scored as they were. Or refuses."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import msgspec
import numpy as np

from triage.domain.work import Event, WorkItem
from triage.errors import ModelRefused
from triage.scoring.linear import Grams, LinearPart, Vocabulary, Weights
from triage.scoring.tabular import Answer, ModelSpec, TabularModel
from triage.scoring.trees import ARRAYS, Forest

FORMAT = 1
"""The format of model folders that this version writes and reads."""
GOLDEN_ROWS = 200
TOLERANCE = 1e-9


class Golden(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One golden row: a record, its past, and what the model said when it was exported."""

    fields: dict[str, Any]
    born: int
    now: int
    past: tuple[Event, ...] = ()
    probabilities: tuple[float, ...] = ()
    value: float | None = None
    abstained: bool = False


def open_model(folder: Path, *, unsealed: Mapping[str, Any] | None = None) -> TabularModel:
    """
    Return the model in *folder*, ready to score.

    Args:
        unsealed: The manifest of a folder that is still being written: nothing is compared then.

    Raises:
        ModelRefused: no model, another format or kind, a changed or missing file, or a golden row scored differently.
    """
    manifest = dict(unsealed) if unsealed is not None else read_manifest(folder)
    if unsealed is None:
        check_manifest(folder, manifest, kind="tabular")
    try:
        spec = msgspec.json.decode((folder / "model.json").read_bytes(), type=ModelSpec)
        with np.load(folder / "weights.npz", allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        model = assemble(spec, arrays, str(manifest.get("version", "")))
    except (OSError, ValueError, KeyError, IndexError, BadZipFile, msgspec.MsgspecError) as cause:
        raise ModelRefused(
            f"{folder}: the model cannot be read ({cause}); fit it again or restore the folder"
        ) from cause
    if unsealed is None:
        check_golden(folder, model)
    return model


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest in *folder*; raise ModelRefused where there is none or it is no JSON object."""
    path = folder / "manifest.json"
    try:
        found: dict[str, Any] = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except OSError as cause:
        raise ModelRefused(f"{folder}: no model folder: there is no readable manifest.json in it") from cause
    except msgspec.MsgspecError as cause:
        raise ModelRefused(f"{path}: not a manifest: {cause}") from cause
    return found


def check_manifest(folder: Path, manifest: Mapping[str, Any], *, kind: str) -> None:
    """Raise ModelRefused unless *manifest* is of this format and *kind* and every file is as it was sealed."""
    if manifest.get("format") != FORMAT:
        raise ModelRefused(
            f"{folder}: written in model format {manifest.get('format')!r}, this version reads format {FORMAT}: "
            "fit it again with this version"
        )
    if manifest.get("kind") != kind:
        raise ModelRefused(f"{folder}: a model of kind {manifest.get('kind')!r}, not {kind!r}")
    sealed = manifest.get("files")
    if not isinstance(sealed, dict) or not sealed:
        raise ModelRefused(f"{folder}: its manifest seals no files: fit it again")
    for name, digest in sorted(sealed.items()):
        if Path(name).name != name:
            raise ModelRefused(f"{folder}: its manifest names {name!r}, which is no file of the folder")
        try:
            found = sha256((folder / name).read_bytes()).hexdigest()
        except OSError as cause:
            raise ModelRefused(f"{folder / name}: missing, though the manifest names it: restore the folder") from cause
        if found != digest:
            raise ModelRefused(f"{folder / name}: changed since the model was sealed: restore the file or fit again")


def check_golden(folder: Path, model: TabularModel) -> None:
    """Raise ModelRefused where *model* scores any golden row other than it did when it was exported."""
    path = folder / "golden.jsonl"
    decoder = msgspec.json.Decoder(Golden)
    try:
        rows = [decoder.decode(line) for line in path.read_bytes().splitlines() if line.strip()]
    except (OSError, msgspec.MsgspecError) as cause:
        raise ModelRefused(f"{path}: cannot be read ({cause}): restore the file") from cause
    if len(rows) < GOLDEN_ROWS:
        raise ModelRefused(f"{path}: {len(rows)} golden rows, {GOLDEN_ROWS} are the least: fit the model again")
    for number, row in enumerate(rows, 1):
        answer = expected(model, row)
        gap = max(
            [abs(one - other) for one, other in zip(answer.probabilities, row.probabilities, strict=False)]
            + [abs(answer.value - row.value) / max(1.0, abs(row.value)) if row.value is not None else 0.0]
        )
        if (
            len(answer.probabilities) != len(row.probabilities)
            or not gap <= TOLERANCE
            or answer.abstained != row.abstained
        ):
            raise ModelRefused(
                f"{path}, line {number}: the model says other than when it was exported (off by {gap:.3g}, "
                f"allowed {TOLERANCE:g}): this machine or version computes it differently; fit it again here"
            )


def expected(model: TabularModel, row: Golden) -> Answer:
    """Return what *model* says about a golden *row*."""
    item = WorkItem(object="Golden", id="golden", created_at=row.born, fields=row.fields)
    return model.answer(model.extractor.row(item, row.past, row.now), explain=False)


def assemble(spec: ModelSpec, arrays: Mapping[str, Any], version: str) -> TabularModel:
    """Return the model that *spec* and the *arrays* of `weights.npz` make; ValueError where they do not fit."""
    words = _vocabulary(arrays, "words", 0)
    grams = Grams(words, _vocabulary(arrays, "characters", len(words.places)))
    linear = None
    if "linear.weights" in arrays:
        linear = LinearPart(spec.linear, arrays["linear.weights"], arrays["linear.intercept"])
        if linear.size != arrays["linear.weights"].shape[1]:
            raise ValueError("model.json lays out other weights than weights.npz holds")
    text = Weights(arrays["text.weights"], arrays["text.intercept"]) if "text.weights" in arrays else None
    return TabularModel(
        spec,
        grams=grams,
        linear=linear,
        forest=_forest(arrays, "trees"),
        text=text,
        amounts=_forest(arrays, "amounts"),
        version=version,
    )


def _vocabulary(arrays: Mapping[str, Any], name: str, start: int) -> Vocabulary:
    if f"{name}.terms" not in arrays:
        return Vocabulary((), (), start)
    terms = bytes(arrays[f"{name}.terms"]).decode().split("\n")
    return Vocabulary(terms, arrays[f"{name}.idf"].tolist(), start)


def _forest(arrays: Mapping[str, Any], name: str) -> Forest | None:
    if f"{name}.roots" not in arrays:
        return None
    return Forest({part: arrays[f"{name}.{part}"] for part in ARRAYS})
