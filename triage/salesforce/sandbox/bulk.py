"""Bulk API 2.0, the half that reads: a query becomes a job, and its answer CSV in pages."""

from __future__ import annotations

import csv
import io
import threading
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from triage.salesforce.sandbox.answer import answer, flat
from triage.salesforce.sandbox.organisation import Organisation
from triage.salesforce.sandbox.rest import Answer, Call
from triage.salesforce.sandbox.soql import Query, SoqlError, parse_soql
from triage.salesforce.sandbox.values import Refused, say_csv, say_instant

LOOKS = 1
"""How often a job is looked at before it is complete."""


class Job(Struct, kw_only=True):
    """One query job."""

    id: str
    object: str
    operation: str
    at: int
    header: list[str] = []
    lines: list[list[str]] = []
    found: Any = field(default_factory=threading.Event)
    looks: int = 0
    aborted: bool = False

    @property
    def state(self) -> str:
        """Return how far it is."""
        if self.aborted:
            return "Aborted"
        complete = self.looks > LOOKS and self.found.is_set()
        return "JobComplete" if complete else "InProgress" if self.looks else "UploadComplete"


class Bulk:
    """Query jobs of one organisation."""

    def __init__(self, org: Organisation) -> None:
        self._org = org
        self._jobs: dict[str, Job] = {}

    def answer(self, call: Call) -> Answer:
        """Return what `jobs/query/..` answers."""
        if call.parts[1:2] != ("query",):
            raise Refused("NOT_FOUND", "the sandbox has query jobs only", status=404)
        rest = call.parts[2:]
        if not rest and call.method == "POST":
            return self._create(call)
        if not rest or rest[0] not in self._jobs:
            raise Refused("NOT_FOUND", "no such job", status=404)
        job = self._jobs[rest[0]]
        if rest[1:] == ("results",):
            return _results(job, call)
        if call.method == "DELETE":
            del self._jobs[job.id]
            return Answer(status=204)
        if call.method == "PATCH":
            job.aborted = True
        job.looks += 1
        return Answer(body=_info(job))

    def _create(self, call: Call) -> Answer:
        body = call.json()
        try:
            query = parse_soql(str(body.get("query", "")))
            if query.group_by or query.offset or query.everything or any(one.function for one in query.fields):
                raise SoqlError("Aggregate queries, OFFSET and FIELDS() are not supported in bulk", "API_ERROR")
            found = answer(replace(query, limit=0), self._org)
        except SoqlError as cause:
            raise Refused(cause.code, str(cause)) from cause
        job = Job(
            id=f"7505e{len(self._jobs):010d}AAA",
            object=found.table.name,
            operation=str(body["operation"]),
            at=self._org.now(),
        )
        self._jobs[job.id] = job
        threading.Thread(target=self._run, args=(job, query), daemon=True, name="bulk").start()
        return Answer(body=_info(job))

    def _run(self, job: Job, query: Query) -> None:
        """Find what the job asks for; as in the real one, nobody waits for it."""
        header, rows = flat(answer(query, self._org, deleted=job.operation == "queryAll"), self._org)
        job.lines = [[say_csv(value, column) for value, column in row] for row in rows]
        job.header = header
        job.found.set()


def _info(job: Job) -> dict[str, Any]:
    return {
        "id": job.id, "object": job.object, "operation": job.operation, "state": job.state,
        "createdDate": say_instant(job.at), "numberRecordsProcessed": len(job.lines),
        "contentType": "CSV", "columnDelimiter": "COMMA", "lineEnding": "LF", "apiVersion": 59.0,
    }  # fmt: skip


def _results(job: Job, call: Call) -> Answer:
    if job.state != "JobComplete":
        raise Refused("INVALIDJOBSTATE", f"the job is {job.state}")
    start = int(call.params.get("locator", "0"))
    most = int(call.params.get("maxRecords", "50000"))
    page = job.lines[start : start + most]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows([job.header, *page])
    end = start + len(page)
    headers = {
        "Sforce-NumberOfRecords": str(len(page)),
        "Sforce-Locator": str(end) if end < len(job.lines) else "null",
        "Content-Type": "text/csv",
    }
    return Answer(raw=text.getvalue().encode(), headers=headers)
