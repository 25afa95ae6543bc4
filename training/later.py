"""Rows that a model has not seen, read as those it was fitted on: the same id, time and zone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from training.tables import Table, read_table
from triage.features import FeatureSpec
from triage.scoring.folder import read_manifest


def read_later(
    folder: Path, spec: FeatureSpec, data: Sequence[str], *, id: str = "", time: str | None = None, tz: str = ""
) -> Table:
    """
    Return *data* for the model of *folder*; id, time and zone are those of training where they are not given.

    The time may be absent where nobody named it and the model reads nothing of it.

    Raises:
        IntakeError: as `read_table` does.
    """
    asked = read_manifest(folder).get("columns", {})
    timed = time is not None or spec.clock or spec.age or bool(spec.instants)
    when = time or asked.get("time")
    return read_table(data, id=id or asked.get("id", ""), time=when, tz=tz or asked.get("tz", "UTC"), timed=timed)
