"""Labels from an administrator's export: what came of each record, as far as it was known at the cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from training.files import read_columns
from training.history import Life, Past, read_past
from training.instants import NO_TIME, looks_like_instants, read_times
from training.maturity import censor_weights, overdue_after
from training.outcomes import LABELS, Outcome, outcome_of
from training.tables import Table, read_table
from triage.domain.instant import UNITS, format_instant
from triage.domain.schema import ObjectSpec
from triage.domain.work import Event
from triage.errors import IntakeError
from triage.replay.folder import find_sources
from triage.replay.source import is_log

__all__ = ["LABELS", "TARGET", "Labelled", "labelled", "read_ages"]

TARGET = "y_label"
"""The column of the label in a labelled table."""
CORRECTED = 2.0
"""What a record weighs that a person corrected by an override."""

_OBJECTS = {"converted": "Lead", "won": "Opportunity"}
_FLAGS = {"converted": "IsConverted", "won": "IsWon"}
_MOST_FIELDS = 12


@dataclass(frozen=True)
class Labelled:
    """
    Rows to learn from: each a record seen at one age, with what came of it.

    Attributes:
        table: One row per record and age. Its columns are the fields at opening that can be known, as `read_table`
            types them, and `y_label` (1, 0, NaN where not known at the cut); `table.at` is the creation.
        target: Name of the target column.
        nows: int64 array of shape (n_rows,), ms UTC, the instant the row is seen at: creation plus age.
        weights: float64 array of shape (n_rows,): 0 where the label is unknown or triage acted on the record; else
            what undoes the censoring by the cut (see `censor_weights`), twice that where a person corrected us.
        mature: bool array of shape (n_rows,): the outcome was known at the cut.
        groups: array of shape (n_rows,): record ids, for `split`.
        events: Record id -> its events in time order, none of ours, only fields whose past is known.
        fields: Fields that change in those events, the most frequent first, at most 12.
        cut: ms UTC of the last thing known.
        excluded: Why records or rows are missing or weigh nothing -> how many.
        notes: Sentences for the card and the terminal.
    """

    table: Table
    target: str
    nows: np.ndarray
    weights: np.ndarray
    mature: np.ndarray
    groups: np.ndarray
    events: Mapping[str, list[Event]] = field(default_factory=dict)
    fields: tuple[str, ...] = ()
    cut: int = 0
    excluded: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def labelled(
    source: Path | str,
    label: str,
    as_of: Sequence[str] = ("0h",),
    *,
    object: str = "",
    specs: Mapping[str, ObjectSpec] | None = None,
    immutable: Collection[str] = (),
    own: Collection[str] = (),
    tz: str = "UTC",
    cut: int | None = None,
) -> Labelled:
    """
    Return the records of the export folder (or event log) *source*, seen at the ages *as_of*, with their *label*.

    Labels: `sla_violated` (`:NAME` for one milestone), `escalated` by a person, `slow:p90` (time to resolve above that
    quantile), `priority_raised` by a person, `converted`, `won`. A row is there only if the record was still open and
    its label not yet known at that age. Where the object's table has no history at all, its columns stand as they
    ended (said in `notes`): the guard has to part them.

    Args:
        object: Record object; Lead for converted, Opportunity for won, else Case.
        immutable: Fields that nobody edits, kept without history.
        own: Ids of the users that triage writes as.
        cut: ms UTC to look from; what came later is unknown. Default: the last thing in the export.

    Raises:
        IntakeError: no such label, or nothing to tell it by (which table is missing is said).
    """
    name = label.partition(":")[0]
    if name not in LABELS:
        raise IntakeError(f"no label {label!r}: write one of {', '.join(LABELS)} (slow:p90 for the slowest tenth)")
    object = object or _OBJECTS.get(name, "Case")
    ages = read_ages(as_of)
    if name in _FLAGS and not is_log(Path(source)) and not _has_history(Path(source), object):
        return _as_it_ended(Path(source), object, _FLAGS[name], tz)
    past = read_past(source, object, specs=specs, immutable=immutable, own=own)
    if name == "priority_raised" and not any("Priority" in life.opening for life in past.lives):
        raise IntakeError("priority_raised needs the history of Priority: it is not in the export's field history")
    cut = past.cut if cut is None else cut
    return _labelled(past, label, ages, cut)


def read_ages(as_of: Sequence[str]) -> dict[str, int]:
    """Return ages as written (`0h`, `4h`, `3d`) -> ms; raise IntakeError for anything else."""
    found = {}
    for text in as_of:
        number, unit = text[:-1], text[-1:]
        if unit not in UNITS or not number.replace(".", "", 1).isdecimal():
            raise IntakeError(f"{text!r} is no age: write ages like 0h,4h,24h,72h")
        found[text] = int(float(number) * UNITS[unit])
    if not found:
        raise IntakeError("no age given: write 0h for the opening")
    return found


def _labelled(past: Past, label: str, ages: Mapping[str, int], cut: int) -> Labelled:
    known_outcomes, overdue = _outcomes(past, label, cut)
    notes, excluded = list(past.notes), Counter(past.excluded)
    rows: list[tuple[Life, int, Outcome, float]] = []
    corrected = 0
    for life in past.lives:
        if life.created_at > cut:
            excluded["created after the cut"] += 1
            continue
        outcome, factor = _corrected(life, known_outcomes[life.id], cut)
        corrected += factor != 1.0
        if life.acted:
            excluded["records that triage itself acted on: weight 0"] += 1
            factor = 0.0
        for age in ages.values():
            seen = life.created_at + age
            ended = min(outcome.known_at or cut, life.closed_at or cut)
            if age == 0 or (seen <= cut and ended > seen):
                rows.append((life, seen, outcome, factor))
    notes += overdue
    if not rows:
        raise IntakeError(f"no {past.object} was still open at {', '.join(ages)} after its creation")
    if corrected:
        notes.append(f"{corrected:,} records were corrected by a person's override: their label follows the person")
    table = _table(past, [life for life, *_ in rows], [outcome for _, _, outcome, _ in rows])
    nows = np.array([seen for _, seen, _, _ in rows], dtype=np.int64)
    known_at = np.array([outcome.known_at or 0 for _, _, outcome, _ in rows], dtype=np.int64)
    mature = np.array([outcome.y is not None for _, _, outcome, _ in rows], dtype=bool)
    if not mature.any():
        raise IntakeError(f"--label {label}: no outcome is known yet at {format_instant(cut)}")
    known = {outcome.y for _, _, outcome, _ in rows if outcome.y is not None}
    if len(known) < 2:
        what = "bears it" if known == {0} else "lacks it"
        raise IntakeError(
            f"--label {label}: not one of {int(mature.sum()):,} rows {what}: there is nothing to tell apart"
        )
    factors = np.array([factor for *_, factor in rows])
    weights = censor_weights(known_at - nows, cut - nows, mature) * factors
    _tell_maturity(mature, excluded, notes, cut)
    changes = Counter(name for life in past.lives for event in life.events for name in event.changes)
    fields = sorted(changes, key=lambda one: (-changes[one], one))[:_MOST_FIELDS]
    notes += [f"{count:,} {why}" for why, count in excluded.items()]
    return Labelled(
        table=table,
        target=TARGET,
        nows=nows,
        weights=weights,
        mature=mature,
        groups=table.frame[table.id].to_numpy(),
        events={life.id: list(life.events) for life in past.lives},
        fields=tuple(fields),
        cut=cut,
        excluded=dict(excluded),
        notes=tuple(notes),
    )


def _outcomes(past: Past, label: str, cut: int) -> tuple[dict[str, Outcome], list[str]]:
    """Return each record's outcome, what is overdue already counted as breached even where no target is told."""
    tell = outcome_of(label, past, cut)
    found = {life.id: tell(life) for life in past.lives if life.created_at <= cut}
    told = any(row.target is not None for rows in past.milestones.values() for row in rows)
    if told or label.partition(":")[0] != "sla_violated":
        return found, []
    born = {life.id: life.created_at for life in past.lives}
    known = [(at - born[record], y) for record, (y, at) in found.items() if at is not None and y is not None]
    spans, outcomes = np.array([span for span, _ in known]), np.array([float(y) for _, y in known])
    limit = overdue_after(spans, outcomes, np.ones(len(known), dtype=bool)) if known else None
    if limit is None:
        return found, []
    overdue = {record for record, (y, _) in found.items() if y is None and cut - born[record] > limit}
    for record, (y, at) in list(found.items()):
        if record in overdue or (y == 1 and at is not None and at - born[record] > limit):
            found[record] = Outcome(1, born[record] + limit)
    hours = limit / 3_600_000
    note = f"the export tells no targets; of outcomes later than {hours:,.0f} h nine in ten and more are breaches, so "
    return found, [f"{note}{len(overdue):,} records open for longer count as breached"]


def _tell_maturity(mature: np.ndarray, excluded: Counter[str], notes: list[str], cut: int) -> None:
    open_ = int((~mature).sum())
    if open_:
        excluded["rows whose outcome was not known at the cut: weight 0"] += open_
        notes.append(
            f"at {format_instant(cut)} the outcome of {open_:,} of {len(mature):,} rows was not known; what is overdue "
            "already counts as breached, and slow outcomes weigh more by the inverse chance of having been seen"
        )


def _corrected(life: Life, outcome: Outcome, cut: int) -> tuple[Outcome, float]:
    """Return the outcome as a person's override corrects it: what was pulled back did not need us."""
    for event in reversed(life.steps):
        if event.type == "override" and event.at <= cut and event.action == "pull_back":
            return Outcome(0, event.at), CORRECTED
    return outcome, 1.0


def _table(past: Past, lives: Sequence[Life], outcomes: Sequence[Outcome]) -> Table:
    names = sorted({name for life in past.lives for name in life.opening if name not in ("Id", "CreatedDate")})
    columns: dict[str, list[object]] = {"Id": [life.id for life in lives]}
    columns |= {name: [life.opening.get(name) for life in lives] for name in names}
    frame = read_columns(columns)
    at = np.array([life.created_at for life in lives], dtype=np.int64)
    for name in names:
        sample = frame[name].dropna()
        if frame[name].dtype.kind not in "ifM" and looks_like_instants(sample.iloc[:: max(1, len(sample) // 200)]):
            frame[name] = _instants(frame[name])
    frame["CreatedDate"] = pd.Series(at.astype("datetime64[ms]")).dt.tz_localize("UTC")
    frame[TARGET] = [float("nan") if outcome.y is None else float(outcome.y) for outcome in outcomes]
    return Table(frame, "Id", "CreatedDate", at, stacked=np.zeros(len(at), dtype=bool))


def _instants(column: pd.Series) -> pd.Series:
    try:
        at, _ = read_times(column)
    except IntakeError:
        return column
    known = np.where(at == NO_TIME, np.datetime64("NaT").astype("int64"), at)
    return pd.Series(known.astype("datetime64[ms]")).dt.tz_localize("UTC")


def _has_history(folder: Path, object: str) -> bool:
    sources, _ = find_sources(folder, None)
    return any(source.kind == "history" and source.object == object for source in sources)


def _as_it_ended(folder: Path, object: str, flag: str, tz: str) -> Labelled:
    """Return the object's final rows: no history can roll them back, which the notes say."""
    sources, _ = find_sources(folder, {object})
    path = next((source.path for source in sources if source.object == object and source.kind == "records"), None)
    if path is None:
        raise IntakeError(f"{folder.name}: has no table of {object}")
    table = read_table([path], id="Id", tz=tz)
    if flag not in table.frame.columns:
        raise IntakeError(f"{path.name}: has no column {flag} to tell the label by")
    if "CreatedDate" in table.frame.columns:
        table = read_table([path], id="Id", time="CreatedDate", tz=tz)
    y = (table.frame[flag].astype("str").str.casefold().isin(["true", "1", "1.0", "yes"])).to_numpy(dtype="float64")
    closed = table.frame.get("IsClosed")
    mature = np.ones(len(y), dtype=bool)
    notes = [f"{object} has no field history: its columns stand as they ended, and the guard has to part them"]
    excluded: dict[str, int] = {}
    if closed is not None:
        mature = (closed.astype("str").str.casefold().isin(["true", "1", "1.0", "yes"])).to_numpy()
        excluded = {"records still open: weight 0": int((~mature).sum())}
        notes += [f"{count:,} {why}" for why, count in excluded.items()]
    frame = table.frame.drop(columns=[flag])
    frame[TARGET] = np.where(mature, y, np.nan)
    at = table.at if table.at is not None else np.zeros(len(y), dtype=np.int64)
    return Labelled(
        table=replace(table, frame=frame),
        target=TARGET,
        nows=at,
        weights=mature.astype("float64"),
        mature=mature,
        groups=frame["Id"].to_numpy(),
        cut=int(at.max()),
        excluded=excluded,
        notes=(*notes, *table.warnings),
    )
