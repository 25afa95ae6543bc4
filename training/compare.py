"""Two model folders on the same unseen rows: the gate's verdict, and how far a model has drifted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from training.columns import features_of
from training.drift import Drift, measure, read_reference
from training.gate import Threshold, judge
from training.later import read_later
from training.tables import Table
from training.target import codes_of
from triage.errors import IntakeError
from triage.scoring.folder import open_model
from triage.scoring.registry import GATE, Verdict, manifest_digest
from triage.scoring.tabular import TabularModel, table_rows


def compare(
    champion: Path,
    challenger: Path,
    data: Sequence[str],
    target: str,
    *,
    id: str = "",
    time: str | None = None,
    tz: str = "",
    segments: Sequence[str] = (),
    thresholds: Sequence[Threshold] = (),
    seed: int = 0,
    write: bool = True,
) -> Verdict:
    """
    Return whether *challenger* may take the place of *champion*, judged on *data*, and leave `gate.json` in its folder.

    Rows must be such that neither was fitted on: later ones than either's training window. Of more than two classes
    the topmost is judged against the rest. Thresholds are those of the live rules (`gate.thresholds_of`).

    Raises:
        ModelRefused: a folder. IntakeError: the table, the target or a segment column.
    """
    old, new = open_model(champion), open_model(challenger)
    if old.spec.classes != new.spec.classes:
        raise IntakeError(f"the models tell other classes apart: {old.spec.classes} and {new.spec.classes}")
    table = read_later(challenger, new.spec.features, data, id=id, time=time, tz=tz)
    y, table = _judged(table, target, new)
    for column in segments:
        if column not in table.frame.columns:
            raise IntakeError(f"--segment {column}: no such column")
    verdict = judge(
        y,
        top_chances(old, table),
        top_chances(new, table),
        segments={column: table.frame[column].fillna("").astype("str").to_numpy() for column in segments},
        thresholds=thresholds,
        digests=(manifest_digest(champion), manifest_digest(challenger)),
        seed=seed,
    )
    if write:
        (challenger / GATE).write_bytes(msgspec.json.format(msgspec.json.encode(verdict), indent=1) + b"\n")
    return verdict


def drift(
    folder: Path, data: Sequence[str], target: str = "", *, id: str = "", time: str | None = None, tz: str = ""
) -> Drift:
    """
    Return how far *data* has moved from what the model in *folder* was calibrated on; with *target* calibration too.

    Raises:
        ModelRefused: the folder, or it holds no reference. IntakeError: the table or the target.
    """
    model, reference = open_model(folder), read_reference(folder)
    table = read_later(folder, model.spec.features, data, id=id, time=time, tz=tz)
    y = None
    if target:
        _need(table, target)
        codes = codes_of(table.frame[target], model.spec.classes)
        y = np.where(codes < 0, np.nan, (codes == len(model.spec.classes) - 1).astype("float64"))
    segments = {
        column: table.frame[column].fillna("").astype("str").to_numpy()
        for column in reference.segments
        if column in table.frame.columns
    }
    return measure(reference, top_chances(model, table), y, segments)


def top_chances(model: TabularModel, table: Table) -> np.ndarray:
    """Return array of shape (n_rows,): the probability of the topmost class (of two, the one to find) at opening."""
    rows = table_rows(features_of(table, model.spec.features))
    return np.array(model.probabilities(rows))[:, -1]


def verdict_text(verdict: Verdict) -> str:
    """Return *verdict* for a person: the answer, the figures, each reason, each rule's volume."""
    head = "the challenger may take the champion's place" if verdict.passed else "the champion stays"
    figures = f"AUC {verdict.difference:+.4f} (90 % from {verdict.low:+.4f} to {verdict.high:+.4f})"
    lines = [f"{head}: {verdict.rows:,} rows, {verdict.positives:,} positives, {figures}", *verdict.because]
    for one in verdict.volumes:
        mark = " - to be acknowledged" if one.change > 0.2 else ""
        lines.append(f"{one.rule} ({one.threshold}) flags {one.champion:,} -> {one.challenger:,}{mark}")
    return "\n".join(lines)


def _need(table: Table, target: str) -> None:
    if target not in table.frame.columns:
        raise IntakeError(f"--target {target}: no such column; there are {', '.join(map(str, table.frame.columns))}")


def _judged(table: Table, target: str, model: TabularModel) -> tuple[np.ndarray, Table]:
    _need(table, target)
    codes = codes_of(table.frame[target], model.spec.classes)
    kept = np.flatnonzero(codes >= 0)
    if not len(kept):
        raise IntakeError(f"{target}: no row holds a class that the models know ({', '.join(model.spec.classes)})")
    return (codes[kept] == len(model.spec.classes) - 1).astype("float64"), table.take(kept)
