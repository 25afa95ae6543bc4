"""
The organisation itself: its records, and everything that happens when one is written. No HTTP here.

A write checks fields, runs assignment and validation rules, keeps unique ids unique, stamps, tracks history, and leaves
a change event; a transaction does all of its writes or none. The clock is the caller's. Read `Organisation` first.
"""

from __future__ import annotations

import contextlib
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from triage.salesforce.sandbox.schema import TABLES, Column, Table
from triage.salesforce.sandbox.values import Caller, Refused, long_id, make_id, take

Row = dict[str, Any]
Rule = Callable[[Row | None, Row], str]
"""A validation rule: the record before (None: new) and after to the words that refuse it, "" where it may be."""

ROBOT = "005RB01"
"""The user under whom the organisation's own automation runs."""

_CLOSED_STAGES = ("Closed Won", "Closed Lost")


class Change(Struct, frozen=True, kw_only=True):
    """One change event: `fields` has the new values of those in `changed`; `kind` is CREATE, UPDATE, .. GAP_*."""

    replay: int
    table: str
    ids: tuple[str, ...]
    kind: str
    at: int
    user: str = ""
    origin: str = ""
    key: str = ""
    number: int = 1
    fields: Row = {}
    changed: tuple[str, ...] = ()


class Organisation:
    """One organisation. Threads may share it: every write holds its lock."""

    def __init__(self, now: Callable[[], int], *, sandbox: bool = True) -> None:
        self.now = now
        self.tables: dict[str, Table] = dict(TABLES)
        self.rows: dict[str, dict[str, Row]] = {name: {} for name in TABLES}
        self.log: list[Change] = []
        self.assignment: dict[str, str] = {}
        self.rules: dict[str, list[Rule]] = defaultdict(list)
        self.locked: dict[str, int] = {}
        self.lock = threading.RLock()
        self.news = threading.Condition(self.lock)
        self.id = make_id("00D", 1)
        self._unique: dict[tuple[str, str, Any], str] = {}
        self._numbers: dict[str, int] = defaultdict(int)
        self._undo: list[tuple[str, str, Row | None]] | None = None
        self._pending: list[dict[str, Any]] = []
        self._transactions = 0
        self._replay = 1000
        self.seed(
            "Organization", Id=self.id, Name="Sandbox organisation", IsSandbox=sandbox, OrganizationType="Enterprise"
        )
        self.seed(
            "User", Id=ROBOT, Name="Automated Process", UserType="AutomatedProcess", Username="robot@sandbox.example"
        )

    # Reading

    def table(self, name: str) -> Table:
        """Return the object called *name*, whatever its case; refuse one that there is not."""
        found = self.tables.get(name)
        if found is None:
            found = next((one for key, one in self.tables.items() if key.casefold() == name.casefold()), None)
        if found is None:
            raise Refused("NOT_FOUND", "The requested resource does not exist", status=404)
        return found

    def row(self, name: str, identity: str) -> Row:
        """Return one record; refuse one that is not there, or is deleted."""
        found = self.rows[name].get(identity) or self.rows[name].get(long_id(identity))
        if found is None:
            raise Refused("NOT_FOUND", "The requested resource does not exist", status=404)
        if found.get("IsDeleted"):
            raise Refused("ENTITY_IS_DELETED", "entity is deleted", status=404)
        return found

    def by_unique(self, name: str, column: str, value: Any) -> Row | None:
        """Return the record whose unique field has *value*."""
        identity = self._unique.get((name, column, str(value).casefold()))
        return None if identity is None else self.rows[name][identity]

    def table_of(self, identity: str) -> str | None:
        """Return which object the record *identity* is of."""
        return next((one.name for one in self.tables.values() if identity.startswith(one.prefix)), None)

    # Writing

    def seed(self, name: str, **values: Any) -> str:
        """Put a record there as it is: no rule runs, nothing is announced. Return its id."""
        table = self.tables[name]
        with self.lock:
            identity = str(values.pop("Id", "") or self._new_id(table))
            at = values.pop("CreatedDate", self.now())
            row = self._blank(table, identity, at, str(values.get("OwnerId") or ROBOT))
            row |= {
                key: take(value, table.columns[key]) if isinstance(value, str) else value
                for key, value in values.items()
            }
            self._derive(table, row, at)
            self._put(name, identity, row)
        return identity

    def create(
        self,
        name: str,
        values: Mapping[str, Any],
        by: Caller,
        *,
        identity: str = "",
        system: Mapping[str, Any] | None = None,
    ) -> str:
        """
        Return the id of a new record; raise Refused where the organisation does not take it.

        Args:
            identity, system: Its id, and fields that are the organisation's own: for stories that are told here.
        """
        with self.transaction():
            table = self._writable(self.table(name))
            given = self._taken(table, values, "create")
            at = self.now()
            row = self._blank(table, identity or self._new_id(table), at, by.user) | given | dict(system or {})
            missing = tuple(one.name for one in table.columns.values() if one.required and row.get(one.name) is None)
            if missing:
                raise Refused("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", missing)
            self._assign(table, row, by)
            self._derive(table, row, at)
            self._check(table, None, row)
            self._put(table.name, row["Id"], row)
            self._tracked(table, None, row, by)
            self._announce(
                table, "CREATE", row["Id"], [key for key, value in row.items() if value is not None], row, by
            )
            return str(row["Id"])

    def update(self, name: str, identity: str, values: Mapping[str, Any], by: Caller) -> None:
        """Change a record; raise Refused where the organisation does not let it."""
        with self.transaction():
            table = self._writable(self.table(name))
            before = self.row(table.name, identity)
            self._unlocked(before["Id"])
            at = self.now()
            row = before | self._taken(table, values, "update")
            self._assign(table, row, by)
            stamps = {"LastModifiedDate": at, "LastModifiedById": by.user, "SystemModstamp": at}
            row |= stamps
            self._derive(table, row, at)
            self._check(table, before, row)
            self._put(table.name, row["Id"], row)
            self._tracked(table, before, row, by)
            changed = [key for key in row if row[key] != before.get(key) or key == "LastModifiedDate"]
            self._announce(table, "UPDATE", row["Id"], [key for key in changed if key != "SystemModstamp"], row, by)

    def delete(self, name: str, identity: str, by: Caller, *, merged_into: str = "") -> None:
        """Put a record into the recycle bin."""
        with self.transaction():
            table = self._writable(self.table(name))
            row = dict(self.row(table.name, identity))
            self._unlocked(row["Id"])
            at = self.now()
            row |= {"IsDeleted": True, "SystemModstamp": at, "LastModifiedDate": at, "LastModifiedById": by.user}
            if merged_into:
                row["MasterRecordId"] = merged_into
            self._put(table.name, row["Id"], row)
            self._announce(table, "DELETE", row["Id"], [], row, by)

    def undelete(self, name: str, identity: str, by: Caller) -> None:
        """Take a record out of the recycle bin again."""
        with self.transaction():
            table = self.table(name)
            row = self.rows[table.name][long_id(identity)] | {"IsDeleted": False, "SystemModstamp": self.now()}
            self._put(table.name, row["Id"], row)
            self._announce(
                table, "UNDELETE", row["Id"], [key for key, value in row.items() if value is not None], row, by
            )

    def merge(self, name: str, master: str, loser: str, by: Caller) -> None:
        """Merge *loser* into *master*: it is deleted and names who took its place."""
        with self.transaction():
            self.update(name, master, {}, by)
            self.delete(name, loser, by, merged_into=master)

    def gap(self, table: str, kind: str, *ids: str) -> None:
        """Announce a gap (GAP_UPDATE, .., GAP_OVERFLOW): something changed, and the event does not say what."""
        with self.transaction():
            by = Caller(ROBOT)
            for identity in ids or ("",):
                self._announce(self.tables[table], kind, identity, [], {}, by)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Do all writes inside, or none; change events appear at its end."""
        with self.lock:
            if self._undo is not None:
                yield
                return
            self._undo = []
            try:
                yield
            except BaseException:
                for name, identity, row in reversed(self._undo):
                    self._set(name, identity, row)
                self._pending.clear()
                raise
            finally:
                self._undo = None
            self._commit()

    # Inside

    def _commit(self) -> None:
        if not self._pending:
            return
        self._transactions += 1
        key = f"{self._transactions:08x}-0000-4000-8000-{self._transactions:012x}"
        for number, pending in enumerate(self._pending, start=1):
            self._replay += 1
            self.log.append(Change(replay=self._replay, key=key, number=number, **pending))
        self._pending.clear()
        self.news.notify_all()

    def _announce(self, table: Table, kind: str, identity: str, changed: list[str], row: Row, by: Caller) -> None:
        if not table.changes:
            return
        origin = f"com/salesforce/api/rest/59.0;client={by.client}" if by.client else ""
        names = tuple(key for key in changed if key not in ("Id", "IsDeleted", "SystemModstamp"))
        self._pending.append(
            {
                "table": table.name, "ids": (identity,) if identity else (), "kind": kind, "at": self.now(),
                "user": by.user, "origin": origin, "fields": {key: row.get(key) for key in names}, "changed": names,
            }
        )  # fmt: skip

    def _writable(self, table: Table) -> Table:
        if not table.writable:
            raise Refused("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", f"entity type {table.name} does not support this")
        return table

    def _unlocked(self, identity: str) -> None:
        left = self.locked.get(identity, 0)
        if left:
            self.locked[identity] = left - 1
            raise Refused(
                "UNABLE_TO_LOCK_ROW", f"unable to obtain exclusive access to this record or 1 records: {identity}"
            )

    def _new_id(self, table: Table) -> str:
        self._numbers[table.name] += 1
        return make_id(table.prefix, self._numbers[table.name])

    def _blank(self, table: Table, identity: str, at: int, user: str) -> Row:
        row: Row = {one.name: one.default for one in table.columns.values()}
        row |= {"Id": identity, "CreatedDate": at, "LastModifiedDate": at, "SystemModstamp": at}
        row |= {"CreatedById": user, "LastModifiedById": user}
        if "OwnerId" in table.columns:
            row["OwnerId"] = user
        return row

    def _taken(self, table: Table, values: Mapping[str, Any], how: str) -> Row:
        found: Row = {}
        for name, value in values.items():
            if name == "attributes":
                continue
            column = table.column(name)
            if column is None:
                raise Refused("INVALID_FIELD", f"No such column '{name}' on sobject of type {table.name}")
            if column.system:
                words = (
                    f"Unable to create/update fields: {column.name}. Please check the security settings of this field"
                )
                raise Refused("INVALID_FIELD_FOR_INSERT_UPDATE", words, (column.name,))
            found[column.name] = take(value, column)
            self._refers(column, found[column.name])
        return found

    def _refers(self, column: Column, value: Any) -> None:
        if column.type != "reference" or value is None:
            return
        if not any(value in self.rows.get(name, ()) for name in column.to):
            raise Refused("INVALID_CROSS_REFERENCE_KEY", f"{column.name}: invalid cross reference id", (column.name,))

    def _assign(self, table: Table, row: Row, by: Caller) -> None:
        owner = self.assignment.get(table.name)
        if by.assigns and owner:
            row["OwnerId"] = owner

    def _derive(self, table: Table, row: Row, at: int) -> None:
        """Fill what the organisation works out itself."""
        if table.name == "Case":
            if not row.get("CaseNumber"):
                self._numbers["CaseNumber"] += 1
                row["CaseNumber"] = f"{self._numbers['CaseNumber']:08d}"
            closed = row.get("Status") == "Closed"
            if closed != bool(row.get("IsClosed")):
                row["IsClosed"], row["ClosedDate"] = closed, at if closed else None
        elif table.name == "Opportunity":
            row["IsClosed"] = row.get("StageName") in _CLOSED_STAGES
            row["IsWon"] = row.get("StageName") == "Closed Won"
        elif "LastName" in table.columns:
            row["Name"] = " ".join(str(row[key]) for key in ("FirstName", "LastName") if row.get(key)) or None
        elif "Name" in table.columns and table.columns["Name"].system and not row.get("Name"):
            self._numbers[f"{table.name}.Name"] += 1
            row["Name"] = f"{table.prefix.upper()}-{self._numbers[f'{table.name}.Name']:07d}"

    def _check(self, table: Table, before: Row | None, row: Row) -> None:
        for rule in self.rules.get(table.name, ()):
            words = rule(before, row)
            if words:
                raise Refused("FIELD_CUSTOM_VALIDATION_EXCEPTION", words)
        for column in table.columns.values():
            if column.unique and row.get(column.name) is not None:
                other = self._unique.get((table.name, column.name, str(row[column.name]).casefold()))
                if other is not None and other != row["Id"]:
                    words = f"duplicate value found: {column.name} duplicates value on record with id: {other}"
                    raise Refused("DUPLICATE_VALUE", words, ())

    def _tracked(self, table: Table, before: Row | None, row: Row, by: Caller) -> None:
        if not table.history:
            return
        if before is None:
            self._history(table, row["Id"], by, "created", None, None)
            return
        for name in table.tracked:
            if before.get(name) != row.get(name):
                field = {"OwnerId": "Owner"}.get(name, name)
                self._history(table, row["Id"], by, field, before.get(name), row.get(name))

    def _history(self, table: Table, identity: str, by: Caller, field: str, old: Any, new: Any) -> None:
        history = self.tables[table.history]
        row = self._blank(history, self._new_id(history), self.now(), by.user)
        row |= {f"{table.name}Id": identity, "Field": field, "OldValue": old, "NewValue": new, "DataType": "Text"}
        self._put(history.name, row["Id"], row)

    def _put(self, name: str, identity: str, row: Row) -> None:
        if self._undo is not None:
            self._undo.append((name, identity, self.rows[name].get(identity)))
        self._set(name, identity, row)

    def _set(self, name: str, identity: str, row: Row | None) -> None:
        rows, unique = self.rows[name], [one.name for one in self.tables[name].columns.values() if one.unique]
        old = rows.pop(identity, None) if row is None else rows.get(identity)
        for column in unique:
            if old is not None:
                self._unique.pop((name, column, str(old.get(column)).casefold()), None)
            if row is not None and row.get(column) is not None:
                self._unique[name, column, str(row[column]).casefold()] = identity
        if row is not None:
            rows[identity] = row
