"""The rows of an export folder, table by table, into events: each row is checked, then used or refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from triage.domain.schema import ObjectSpec
from triage.domain.work import Event
from triage.errors import IntakeError
from triage.intake.text import bad_id, clean_text, show
from triage.replay.folder import Source
from triage.replay.rollback import (
    AUDIT,
    Change,
    Inconsistency,
    Life,
    Outcome,
    drop_name_twins,
    find_outcome,
    live_through,
)
from triage.replay.stamps import Stamp
from triage.replay.table import Account, Table
from triage.replay.touches import parent_of, read_touch

_AGENT_COLUMNS = {"name": ("Name",), "email": ("Email",), "manager": ("ManagerId", "ManagerName__c", "Manager")}
_MILESTONE_NAMES = ("MilestoneType", "MilestoneTypeName", "MilestoneTypeId", "Name")


class MilestoneRow(Struct, frozen=True, kw_only=True):
    """What the CRM itself says of one milestone: nothing that happens in a replay, but something to compare with."""

    object: str
    id: str
    name: str
    start: int | None
    target: int | None
    completed: int | None
    violated: bool


class _Record(NamedTuple):
    created_at: int
    row: dict[str, str]


class _Aside(NamedTuple):
    """A user or related record, whose event waits for the first instant of the records."""

    event_id: str
    type: str
    object: str
    id: str
    changes: dict[str, Any]


class Reading:
    """What is known while an export is read: records first, so that all else can be checked against them."""

    def __init__(self, specs: Mapping[str, ObjectSpec], presence: str) -> None:
        self.account = Account()
        self.milestones: list[MilestoneRow] = []
        self.notes: list[str] = []
        self._specs = specs
        self._stamps: dict[str, Stamp] = {}
        self._lent: dict[str, Stamp] = {}
        self._presence = presence
        self._records: dict[str, dict[str, _Record]] = {}
        self._objects: dict[str, str] = {}
        self._columns: dict[str, tuple[str, ...]] = {}
        self._changes: dict[str, list[Change]] = {}
        self._touches: list[Event] = []
        self._aside: list[_Aside] = []
        self._backwards: dict[str, int] = {}

    def take(self, source: Source, table: Table) -> None:
        """Read one file: each row is used, or refused with the reason."""
        self._lent = {}
        if source.kind == "records":
            self._records[source.object] = {}
            self._columns[source.object] = table.columns
        handle = {
            "records": self._take_record,
            "history": self._take_change,
            "milestones": self._take_milestone,
            "touches": self._take_touch,
            "agents": self._take_agent,
            "related": self._take_related,
        }[source.kind]
        id_column, twice = self._id_column(source), table.name_twice()
        seen: dict[str, int] = {}
        for line, cells in table.rows(self.account):
            row = dict(zip(table.columns, cells, strict=True))
            row.pop("", None)
            row_id = row.setdefault("Id", row.get(id_column, ""))
            try:
                _check_identity(row_id, id_column, table, twice, seen)
                handle(source.object, row)
            except IntakeError as fault:
                record_id = fault.record_id or row_id
                self.account.refuse(table.file, line, "" if bad_id(record_id) else record_id, fault.reason)
            else:
                seen[row_id] = line
                self.account.use(table.file)
        self._note(table)

    def roll_back(self) -> tuple[list[Event], tuple[Inconsistency, ...]]:
        """Return the events of everything read, users and related records first, and what contradicts itself."""
        events: list[Event] = []
        inconsistencies: list[Inconsistency] = []
        for object_name, records in self._records.items():
            outcome = find_outcome(self._columns[object_name], [record.row for record in records.values()])
            outcome = None if outcome is None else self._dated(object_name, outcome)
            for record_id, record in records.items():
                changes = self._history_of(record_id)
                life = live_through(object_name, record_id, record.created_at, record.row, changes, outcome)
                events += _life_events(object_name, record_id, record, life)
                inconsistencies += life.inconsistencies
        events += self._touches
        first = min((event.at for event in events), default=0)
        return [*(_aside_event(aside, first) for aside in self._aside), *events], tuple(inconsistencies)

    def _note(self, table: Table) -> None:
        """Say what nobody declared for the file: its encoding, and whose zone and date order its instants go by."""
        if table.encoding:
            self.notes.append(f"{table.file} is not UTF-8: read as {table.encoding}")
        for object_name, stamp in self._lent.items():
            how = " ".join(part for part in (stamp.date_order, stamp.zone) if part)
            self.notes.append(f"instants of {table.file} are read as {how}, like {stamp.column} of {object_name}")

    def _dated(self, object_name: str, outcome: Outcome) -> Outcome:
        """Return *outcome* with how its closing date reads: as the field map says, else like the creation."""
        spec = self._specs.get(object_name)
        own = spec.by_source.get(outcome.end.casefold()) if spec else None
        stamp = self._stamp(object_name)
        return replace(
            outcome,
            zone=(own.zone if own else "") or stamp.zone,
            date_order=(own.date_order if own else "") or stamp.date_order,
        )

    def _stamp(self, object_name: str) -> Stamp:
        if object_name not in self._stamps:
            self._stamps[object_name] = Stamp.of(object_name, self._specs)
        return self._stamps[object_name]

    def _instant(self, row: Mapping[str, str], column: str, object_name: str) -> int:
        """Return the instant in *column* of a row that belongs to a record of *object_name*."""
        stamp = self._stamp(object_name)
        at, borrowed = stamp.read(row, column)
        if borrowed:
            self._lent[object_name] = stamp
        return at

    def _history_of(self, record_id: str) -> list[Change]:
        changes = self._changes.get(record_id, [])
        object_name = self._objects[record_id]
        if self._backwards.get(object_name, 0) > 0:
            # An export sorted newest first holds changes of one instant in reverse, too.
            changes = changes[::-1]
        return drop_name_twins(sorted(changes, key=lambda change: change.at))

    def _id_column(self, source: Source) -> str:
        """Return the column of a record's id: `Id`, unless the field map names another as its field `id`."""
        spec = self._specs.get(source.object) if source.kind == "records" else None
        named = spec.by_name.get("id") if spec else None
        return named.source if named and named.source else "Id"

    def _take_record(self, object_name: str, row: dict[str, str]) -> None:
        spec = self._specs.get(object_name)
        column = spec.created_field if spec else "CreatedDate"
        if column not in row:
            raise IntakeError(
                f"no column {column} says when it came into being: declare the created column of {object_name}"
            )
        if row["Id"] in self._objects:
            raise IntakeError(f"its id is also the id of a {self._objects[row['Id']]}")
        at, _ = self._stamp(object_name).read(row, column)
        self._records[object_name][row["Id"]] = _Record(at, row)
        self._objects[row["Id"]] = object_name

    def _take_change(self, object_name: str, row: dict[str, str]) -> None:
        _need(row, "CreatedDate", "Field", "OldValue", "NewValue")
        record_id = row.get(f"{object_name.removesuffix('__c')}Id") or row.get("ParentId", "")
        record = self._known(object_name, record_id)
        at = self._instant(row, "CreatedDate", object_name)
        if at < record.created_at:
            raise IntakeError(f"history of {record_id} from before it was created", row.get("Id", ""))
        own = self._changes.setdefault(record_id, [])
        if not row["Field"]:
            raise IntakeError("names no field")
        if row["Field"] == "created":
            return
        if own and own[-1].at != at:
            self._backwards[object_name] = self._backwards.get(object_name, 0) + (1 if own[-1].at > at else -1)
        name = row["Field"]
        if name not in record.row and f"{name}Id" in record.row:
            name += "Id"
        own.append(Change(at, row.get("CreatedById", ""), name, row["OldValue"], row["NewValue"], row.get("Id", "")))

    def _take_milestone(self, object_name: str, row: dict[str, str]) -> None:
        record_id = row.get(f"{object_name}Id") or row.get("ParentId", "")
        self._known(object_name, record_id)
        self.milestones.append(
            MilestoneRow(
                object=object_name,
                id=record_id,
                name=next((row[name] for name in _MILESTONE_NAMES if row.get(name)), ""),
                start=self._instant(row, "StartDate", object_name) if row.get("StartDate") else None,
                target=self._instant(row, "TargetDate", object_name) if row.get("TargetDate") else None,
                completed=self._instant(row, "CompletionDate", object_name) if row.get("CompletionDate") else None,
                violated=row.get("IsViolated", "").strip().casefold() in ("true", "1"),
            )
        )

    def _take_touch(self, kind: str, row: dict[str, str]) -> None:
        object_name = self._objects.get(parent_of(row), "")
        stamp = self._stamp(object_name)
        touch = read_touch(kind, row, stamp)
        if touch.borrowed:
            self._lent[object_name] = stamp
        if not object_name:
            raise IntakeError(f"belongs to the unknown record {show(touch.parent)}")
        if touch.at < self._records[object_name][touch.parent].created_at:
            raise IntakeError(f"from before its record {touch.parent} was created")
        event_id = f"{kind}:{row['Id']}"
        self._touches.append(Event(at=touch.at, event_id=event_id, object=object_name, id=touch.parent, **touch.values))

    def _take_agent(self, kind: str, row: dict[str, str]) -> None:
        changes: dict[str, Any] = {"presence": self._presence}
        for name, columns in _AGENT_COLUMNS.items():
            value = next((row[column] for column in columns if row.get(column)), "")
            if value:
                changes[name] = clean_text(value)
        self._aside.append(_Aside(f"{kind}:{row['Id']}", "agent", "", row["Id"], changes))

    def _take_related(self, object_name: str, row: dict[str, str]) -> None:
        changes = {name: clean_text(value) for name, value in row.items() if value and name not in AUDIT}
        self._aside.append(_Aside(f"{object_name}:{row['Id']}", "related", object_name, row["Id"], changes))

    def _known(self, object_name: str, record_id: str) -> _Record:
        record = self._records.get(object_name, {}).get(record_id)
        if record is None:
            raise IntakeError(f"belongs to the unknown {object_name} {show(record_id)}")
        return record


def _check_identity(row_id: str, id_column: str, table: Table, twice: str, seen: Mapping[str, int]) -> None:
    if twice:
        raise IntakeError(f"the header names column {show(twice)} twice")
    if "Id" not in table.columns and id_column not in table.columns:
        raise IntakeError(f"the file has no column {id_column}")
    fault = bad_id(row_id)
    if fault:
        raise IntakeError(f"Id {fault}: {show(row_id)}")
    if row_id in seen:
        raise IntakeError(f"Id stands already on line {seen[row_id]}")


def _need(row: Mapping[str, str], *columns: str) -> None:
    lacking = [name for name in columns if name not in row]
    if lacking:
        raise IntakeError(f"the file has no column {', '.join(lacking)}")


def _life_events(object_name: str, record_id: str, record: _Record, life: Life) -> list[Event]:
    opening: dict[str, Any] = {name: clean_text(value) for name, value in life.opening.items()}
    created = Event(
        at=record.created_at,
        type="created",
        event_id=f"{object_name}:{record_id}",
        object=object_name,
        id=record_id,
        changes=opening,
        actor=record.row.get("CreatedById", ""),
    )
    events = [created]
    for step in life.steps:
        source = f"{object_name}:{record_id}" if step.origin == "system" else f"{object_name}History"
        events.append(
            Event(
                at=step.at,
                type="updated",
                event_id=f"{source}:{step.row}",
                object=object_name,
                id=record_id,
                changes={name: None if value is None else clean_text(value) for name, value in step.changes.items()},
                actor=step.actor,
                origin="system" if step.origin == "system" else "user",
            )
        )
    return events


def _aside_event(aside: _Aside, at: int) -> Event:
    kind: Any = aside.type
    return Event(at=at, type=kind, event_id=aside.event_id, object=aside.object, id=aside.id, changes=aside.changes)
