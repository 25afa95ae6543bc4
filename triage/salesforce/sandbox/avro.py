"""Change events as Avro: the schema of an object's events, their header, and bitmaps of what changed."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable
from typing import Any

import fastavro

from triage.salesforce.sandbox.organisation import Change
from triage.salesforce.sandbox.schema import Column, Table

KINDS = (
    "CREATE", "UPDATE", "DELETE", "UNDELETE", "GAP_CREATE", "GAP_UPDATE", "GAP_DELETE", "GAP_UNDELETE", "GAP_OVERFLOW",
    "SNAPSHOT",
)  # fmt: skip
_PLAIN = {"boolean": "boolean", "double": "double", "currency": "double", "percent": "double", "datetime": "long"}
_LISTS = ("nulledFields", "diffFields", "changedFields")
_HEADER: dict[str, Any] = {
    "type": "record",
    "name": "ChangeEventHeader",
    "fields": [
        {"name": "entityName", "type": "string"},
        {"name": "recordIds", "type": {"type": "array", "items": "string"}},
        {"name": "changeType", "type": {"type": "enum", "name": "ChangeType", "symbols": list(KINDS)}},
        {"name": "changeOrigin", "type": "string"},
        {"name": "transactionKey", "type": "string"},
        {"name": "sequenceNumber", "type": "int"},
        {"name": "commitTimestamp", "type": "long"},
        {"name": "commitNumber", "type": "long"},
        {"name": "commitUser", "type": "string"},
        *({"name": name, "type": {"type": "array", "items": "string"}} for name in _LISTS),
    ],
}


class Codec:
    """How change events of one object are written."""

    def __init__(self, table: Table) -> None:
        self._columns = [one for one in table.columns.values() if one.name not in ("Id", "IsDeleted", "SystemModstamp")]
        inside = {part for one in self._columns for part in one.parts}
        self._columns = [one for one in self._columns if one.name not in inside]
        fields: list[dict[str, Any]] = [{"name": "ChangeEventHeader", "type": _HEADER}]
        fields += [{"name": one.name, "type": ["null", _type(one, table)], "default": None} for one in self._columns]
        self.name = f"{table.name.removesuffix('__c')}{'__' if table.name.endswith('__c') else ''}ChangeEvent"
        self.schema: dict[str, Any] = {
            "type": "record", "name": self.name, "namespace": "com.sforce.eventbus", "fields": fields,
        }  # fmt: skip
        self.text = json.dumps(self.schema)
        self.id = hashlib.sha256(self.text.encode()).hexdigest()[:22]
        self._parsed = fastavro.parse_schema(json.loads(self.text))

    def encode(self, change: Change) -> bytes:
        """Return the payload of one event."""
        full = change.kind in ("CREATE", "UNDELETE")
        header = {
            "entityName": change.table,
            "recordIds": list(change.ids),
            "changeType": change.kind,
            "changeOrigin": change.origin,
            "transactionKey": change.key,
            "sequenceNumber": change.number,
            "commitTimestamp": change.at,
            "commitNumber": change.replay,
            "commitUser": change.user,
            "nulledFields": [] if full else self._map(name for name in change.changed if change.fields[name] is None),
            "diffFields": [],
            "changedFields": [] if full else self._map(change.changed),
        }
        values: dict[str, Any] = {"ChangeEventHeader": header}
        for column in self._columns:
            if column.parts:
                given = {part: change.fields.get(part) for part in column.parts}
                if any(given.values()):
                    values[column.name] = given
            elif change.fields.get(column.name) is not None:
                values[column.name] = change.fields[column.name]
        out = io.BytesIO()
        fastavro.schemaless_writer(out, self._parsed, values)
        return out.getvalue()

    def _map(self, names: Iterable[str]) -> list[str]:
        """Return the bitmaps of *names*: one of the record's own fields, and one more for each compound field."""
        wanted = set(names)
        top, found = 0, []
        for place, column in enumerate(self._columns, start=1):
            inner = sum(1 << at for at, part in enumerate(column.parts) if part in wanted)
            if inner:
                found.append(f"{place}-0x{inner:02X}")
            elif column.name in wanted and not column.parts:
                top |= 1 << place
        return ([f"0x{top:02X}"] if top else []) + found


def _type(column: Column, table: Table) -> Any:
    if column.parts:
        inner = [{"name": part, "type": ["null", "string"], "default": None} for part in column.parts]
        return {"type": "record", "name": "Switchable_PersonName", "fields": inner}
    return _PLAIN.get(column.type, "string")
