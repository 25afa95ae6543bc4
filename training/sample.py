"""The models that ship: fitted on the sample organisation, whose stories say what came of each record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from training.fit import Fitted, Tell, fit
from training.pasts import Pasts
from training.prepare import Loaded, Request
from training.tables import Table
from triage.domain.work import Event
from triage.sample import Organisation, invent
from triage.sample.tale import Mood

SEEDS = tuple(range(101, 113))
"""Other organisations than the one that `make run` shows (seed 7), so that it is new to the models."""
_URGENT = ("angry", "urgent")
_NOTE = (
    "Fitted on sample organisations invented from seeds 101 to 112 (`triage/sample`), not on anybody's data: a model "
    "to see triage work with. Fit your own history before you rely on it."
)
_TARGETS = {"urgency": "urgent", "lead-value": "won"}


def fit_sample(task: str, out: Path, tell: Tell, seeds: Sequence[int] = SEEDS) -> Fitted:
    """Return the model of *task* fitted on the organisations of *seeds*, written below *out* as `<task>/sample-1`."""
    loaded = case_rows(seeds) if task == "urgency" else sales_rows(seeds)
    request = Request(
        task=task, data=("sample organisations",), id="Id", target=_TARGETS[task], time="CreatedDate",
        out=str(out / task / "sample-1"), amount="" if task == "urgency" else "won_amount",
        text=("Subject", "Description") if task == "urgency" else ("Description",),
        exclude=("won_amount",), name=task, note=_NOTE,
    )  # fmt: skip
    return fit(request, tell, loaded)


def case_rows(seeds: Sequence[int]) -> Loaded:
    """Return one row for each time that a customer wrote: urgent where the story chose an angry or urgent mood."""
    rows: list[tuple[str, dict[str, object], int, int, int, float]] = []
    events: dict[str, list[Event]] = {}
    for seed in seeds:
        told = invent(seed)
        moods: dict[str, list[Mood]] = {}
        for one in told.moods:
            moods.setdefault(one.record, []).append(one)
        for record, past in _tales(told, ("Case",)).items():
            name = f"{seed}/{record}"
            events[name] = past
            for felt in moods.get(record, ()):
                rows.append((name, past[0].changes, past[0].at, felt.at, int(felt.mood in _URGENT), 0.0))
    return _loaded(rows, events, ("OwnerId", "Priority", "Status"), "urgent")


def sales_rows(seeds: Sequence[int]) -> Loaded:
    """Return one row for each lead and deal that ended: won where it was qualified or closed won, with its amount."""
    rows: list[tuple[str, dict[str, object], int, int, int, float]] = []
    events: dict[str, list[Event]] = {}
    for seed in seeds:
        told = invent(seed)
        for record, past in _tales(told, ("Lead", "Opportunity")).items():
            ends = [
                str(value) for event in past for key, value in event.changes.items() if key in ("Status", "StageName")
            ]
            won = ends[-1] in ("Qualified", "Closed Won")
            if not won and ends[-1] not in ("Unqualified", "Closed Lost"):
                continue
            value = told.worths.get(record, 0.0)
            name = f"{seed}/{record}"
            events[name] = past
            fields = {"Object": past[0].object, **past[0].changes}
            amount = float(past[0].changes.get("Amount", value)) if won else 0.0
            rows.append((name, fields, past[0].at, past[0].at, int(won), amount))
    return _loaded(rows, events, (), "won")


def _tales(told: Organisation, objects: tuple[str, ...]) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = {}
    for event in told.events:
        if event.object in objects:
            found.setdefault(event.id, []).append(event)
    return {record: past for record, past in found.items() if past[0].type == "created"}


def _loaded(
    rows: list[tuple[str, dict[str, object], int, int, int, float]],
    events: dict[str, list[Event]],
    fields: tuple[str, ...],
    target: str,
) -> Loaded:
    frame = pd.DataFrame([{"Id": row[0], **row[1]} for row in rows])
    frame = frame.drop(
        columns=["CaseNumber", "Company", "Name", "AccountId", "ContactId", "CloseDate"], errors="ignore"
    )
    frame = frame.assign(**{target: [row[4] for row in rows], "won_amount": [row[5] for row in rows]})
    frame = frame.assign(CreatedDate=pd.to_datetime([row[2] for row in rows], unit="ms", utc=True))
    at = np.array([row[2] for row in rows], dtype=np.int64)
    table = Table(
        frame, "Id", "CreatedDate", at, tuple(name for name in ("Subject", "Description") if name in frame), ()
    )
    nows = np.array([row[3] for row in rows], dtype=np.int64)
    groups = np.array([row[0] for row in rows])
    # Stories are told from a few templates: texts repeat across organisations, and would all be duplicates. All
    # organisations live through one week with an outage at its end, so slices go by record, not by time.
    pasts = Pasts(events, fields, nows)
    return Loaded(table, target, np.ones(len(rows)), [], pasts, groups, duplicates=False, in_time=False)
