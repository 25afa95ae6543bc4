"""The REST resources: query, records, describe, updated and deleted, limits, actions. `composite.py` has the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

import msgspec
from msgspec import Struct, field

from triage.domain.instant import DAY, parse_instant
from triage.errors import IntakeError
from triage.salesforce.sandbox.answer import answer, records
from triage.salesforce.sandbox.organisation import Organisation, Row
from triage.salesforce.sandbox.schema import TABLES, Table, brief, describe
from triage.salesforce.sandbox.soql import SoqlError, parse_soql
from triage.salesforce.sandbox.values import Caller, Refused, long_id, say, say_instant

PAGE = 2_000
ROOT = "/services/data"


class Call(Struct, frozen=True, kw_only=True):
    """One request as the resources see it: *parts* is the path below the version, header names are in small letters."""

    method: str
    parts: tuple[str, ...]
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    user: str = ""

    @property
    def caller(self) -> Caller:
        """Return who writes; assignment rules run unless the header forbids it."""
        options = dict(
            part.strip().partition("=")[::2] for part in self.headers.get("sforce-call-options", "").split(",") if part
        )
        assigns = self.headers.get("sforce-auto-assign", "TRUE").upper() != "FALSE"
        return Caller(self.user, options.get("client", ""), assigns)

    def json(self) -> Any:
        """Return the body; refuse what is no JSON."""
        try:
            return msgspec.json.decode(self.body)
        except msgspec.DecodeError as cause:
            raise Refused("JSON_PARSER_ERROR", f"Unexpected character: {cause}") from cause


class Answer(Struct, frozen=True, kw_only=True):
    """What is answered: *body* as JSON (None: nothing), or *raw* as it is."""

    status: int = 200
    body: Any = None
    raw: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


Invocable = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class Resources:
    """The resources of one organisation."""

    def __init__(self, org: Organisation) -> None:
        self.org = org
        self.actions: dict[str, Invocable] = {}
        self.invoked: list[tuple[str, dict[str, Any]]] = []
        self.used = 0
        self.allowed = 100_000
        self._cursors: dict[str, list[dict[str, Any]]] = {}
        self._first: dict[str, Callable[[Call], Answer]] = {
            "query": self._query, "queryAll": self._query, "sobjects": self._sobjects, "limits": self._limits,
            "actions": self._action,
        }  # fmt: skip

    def answer(self, call: Call) -> Answer:
        """Return what the resource answers; refuse what there is not."""
        found = self._first.get(call.parts[0]) if call.parts else None
        if found is None:
            raise Refused("NOT_FOUND", "The requested resource does not exist", status=404)
        return found(call)

    def _query(self, call: Call) -> Answer:
        if len(call.parts) > 1:
            return self._more(call.parts[1])
        try:
            query = parse_soql(call.params.get("q", ""))
            found = answer(query, self.org, deleted=call.parts[0] == "queryAll")
            if query.count_only:
                return Answer(body={"totalSize": len(found.rows), "done": True, "records": []})
            rows = records(found, self.org)
        except SoqlError as cause:
            raise Refused(cause.code, str(cause)) from cause
        name = f"01g5e{len(self._cursors):010d}"
        self._cursors[name] = rows
        return self._page(name, 0)

    def _more(self, locator: str) -> Answer:
        name, _, start = locator.rpartition("-")
        if name not in self._cursors or not start.isdigit():
            raise Refused("INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(name, int(start))

    def _page(self, name: str, start: int) -> Answer:
        rows = self._cursors[name]
        end = start + PAGE
        body: dict[str, Any] = {"totalSize": len(rows), "done": end >= len(rows), "records": rows[start:end]}
        if end < len(rows):
            body["nextRecordsUrl"] = f"{ROOT}/v59.0/query/{name}-{end}"
        else:
            del self._cursors[name]
        return Answer(body=body)

    def _sobjects(self, call: Call) -> Answer:
        rest = call.parts[1:]
        if not rest:
            return Answer(
                body={"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": [brief(one) for one in TABLES.values()]}
            )
        table = self.org.table(rest[0])
        if len(rest) == 1:
            return (
                self._created(call, table) if call.method == "POST" else Answer(body={"objectDescribe": brief(table)})
            )
        if rest[1] == "describe":
            return Answer(body=describe(table))
        if rest[1] in ("updated", "deleted"):
            return self._span(call, table, deleted=rest[1] == "deleted")
        if len(rest) == 3:
            return self._by_external(call, table, rest[1], unquote(rest[2]))
        return self._one(call, table, rest[1])

    def _created(self, call: Call, table: Table) -> Answer:
        identity = self.org.create(table.name, call.json(), call.caller)
        return Answer(status=201, body={"id": identity, "success": True, "errors": []})

    def _one(self, call: Call, table: Table, identity: str) -> Answer:
        if call.method == "GET":
            wanted = [name for name in call.params.get("fields", "").split(",") if name]
            return Answer(body=shown(self.org.row(table.name, identity), table, wanted))
        if call.method == "PATCH":
            self.org.update(table.name, identity, call.json(), call.caller)
        elif call.method == "DELETE":
            self.org.delete(table.name, identity, call.caller)
        else:
            raise Refused("METHOD_NOT_ALLOWED", f"HTTP Method '{call.method}' not allowed", status=405)
        return Answer(status=204)

    def _by_external(self, call: Call, table: Table, name: str, value: str) -> Answer:
        column = table.column(name)
        if column is None or not (column.external or column.name == "Id"):
            raise Refused(
                "NOT_FOUND", "Provided external ID field does not exist or is not accessible: " + name, status=404
            )
        row = self.org.by_unique(table.name, column.name, value)
        if row is not None and row["IsDeleted"]:
            row = None
        if call.method == "GET" or (call.method == "DELETE" and row is None):
            if row is None:
                raise Refused("NOT_FOUND", "The requested resource does not exist", status=404)
            return Answer(body=shown(row, table, []))
        if call.method == "DELETE" and row is not None:
            self.org.delete(table.name, row["Id"], call.caller)
            return Answer(status=204)
        body = call.json()
        if column.name in body:
            raise Refused(
                "INVALID_FIELD", f"The {column.name} field should not be specified in the sobject data.", (column.name,)
            )
        if row is not None:
            self.org.update(table.name, row["Id"], body, call.caller)
            return Answer(status=204)
        identity = self.org.create(table.name, body | {column.name: value}, call.caller)
        return Answer(status=201, body={"id": identity, "success": True, "errors": [], "created": True})

    def _span(self, call: Call, table: Table, *, deleted: bool) -> Answer:
        now = self.org.now()
        try:
            start, end = (parse_instant(call.params[name].replace(" ", "+")) for name in ("start", "end"))
        except (KeyError, IntakeError) as cause:
            raise Refused("INVALID_REPLICATION_DATE", "start and end are needed, as instants with a zone") from cause
        oldest = now - (15 if deleted else 30) * DAY
        if start >= end or start < oldest:
            raise Refused(
                "INVALID_REPLICATION_DATE", f"startDate must be before endDate and after {say_instant(oldest)}"
            )
        rows = [row for row in self.org.rows[table.name].values() if start <= row["SystemModstamp"] < end]
        covered = {"latestDateCovered": say_instant(min(end, now))}
        if not deleted:
            return Answer(body={"ids": [row["Id"] for row in rows if not row["IsDeleted"]], **covered})
        gone = [
            {"id": row["Id"], "deletedDate": say_instant(row["SystemModstamp"])} for row in rows if row["IsDeleted"]
        ]
        return Answer(body={"deletedRecords": gone, "earliestDateAvailable": say_instant(oldest), **covered})

    def _limits(self, call: Call) -> Answer:
        return Answer(body={"DailyApiRequests": {"Max": self.allowed, "Remaining": max(0, self.allowed - self.used)}})

    def _action(self, call: Call) -> Answer:
        """Run an autolaunched flow, Apex, or a custom notification."""
        name = "/".join(call.parts[1:])
        if name not in self.actions or call.method != "POST":
            raise Refused("NOT_FOUND", "The requested resource does not exist", status=404)
        found: list[dict[str, Any]] = []
        for inputs in call.json().get("inputs", []):
            self.invoked.append((name, inputs))
            try:
                outputs = self.actions[name](inputs)
                found.append({"actionName": call.parts[-1], "errors": None, "isSuccess": True, "outputValues": outputs})
            except Refused as cause:
                errors: list[dict[str, Any]] = [
                    {"statusCode": cause.code, "message": cause.text, "fields": list(cause.fields)}
                ]
                found.append({"actionName": call.parts[-1], "errors": errors, "isSuccess": False, "outputValues": None})
        return Answer(status=200 if all(one["isSuccess"] for one in found) else 400, body=found)


def shown(row: Row, table: Table, wanted: list[str]) -> dict[str, Any]:
    """Return a record as the REST API says it, with the fields *wanted* (none: all)."""
    for name in wanted:
        if table.column(name) is None:
            raise Refused("INVALID_FIELD", f"No such column '{name}' on sobject of type {table.name}")
    names = [column.name for name in wanted if (column := table.column(name))] or list(table.columns)
    head = {"type": table.name, "url": f"{ROOT}/v59.0/sobjects/{table.name}/{row['Id']}"}
    return {
        "attributes": head,
        **{name: say(row[name], table.columns[name]) for name in names},
        "Id": long_id(row["Id"]),
    }
