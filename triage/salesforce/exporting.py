"""
The last days of an organisation as export files, read and never written: what `triage tryout` plays from a login.

Records that changed in these days come whole, with their field history, mail, comments and activities, so that
`triage.replay` rolls them back to how they stood at the beginning. The names and columns are those of a CRM export.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from triage.errors import QueryRefused
from triage.salesforce.client import Client
from triage.salesforce.reading import BULK_FROM, CHILDREN, Reader, batches
from triage.salesforce.soql import instant, listed
from triage.salesforce.translate import flat

_HISTORIES = {"Opportunity": ("OpportunityFieldHistory", "OpportunityId")}
_PARENTS = {"EmailMessage": "ParentId", "CaseComment": "ParentId"}
_AT_ONCE = 200

Progress = Callable[[str, int], None]


def export(client: Client, reader: Reader, folder: Path, since: int, progress: Progress | None = None) -> list[str]:
    """
    Write what has changed since *since* (ms UTC) into *folder*, one file an object; return what could not be read.

    Args:
        progress: Hears of each file and how many rows it has.
    """
    return _Export(client, reader, folder, since, progress).run()


class _Export:
    def __init__(self, client: Client, reader: Reader, folder: Path, since: int, progress: Progress | None) -> None:
        self.client, self.reader, self.folder, self.since, self.progress = client, reader, folder, since, progress
        self.unread: list[str] = []

    def run(self) -> list[str]:
        """Write every file."""
        for name in self.reader.objects:
            if name in self.reader.specs:
                self._records(name)
            elif name not in CHILDREN:
                self._write(name, self.reader.columns(name), self._rows(name, self.reader.columns(name), ""))
        self._write("User", ["Id", "Name"], self._rows("User", ["Id", "Name"], " WHERE IsActive = true"))
        return self.unread

    def _records(self, name: str) -> None:
        columns = self.reader.columns(name)
        where = f" WHERE SystemModstamp >= {instant(self.since)}"
        rows = [flat(row, self.reader.specs[name]) for row in self._rows(name, columns, where)]
        self._write(name, columns, rows)
        ids = [str(row["Id"]) for row in rows]
        history, parent = _HISTORIES.get(name, (_history_of(name), f"{name}Id"))
        parent = "ParentId" if name.endswith("__c") else parent
        self._children(history, [parent, "Field", "OldValue", "NewValue", "CreatedDate", "CreatedById"], parent, ids)
        if name == "Case":
            for child, reference in _PARENTS.items():
                if child in self.reader.objects:
                    self._children(child, self.reader.columns(child), reference, ids)

    def _children(self, name: str, columns: Sequence[str], parent: str, ids: Sequence[str]) -> None:
        """Write the rows of *name* that belong to *ids*; an object that cannot be read is told."""
        rows: list[dict[str, object]] = []
        try:
            for some in batches(iter(ids), _AT_ONCE):
                soql = f"SELECT {', '.join(['Id', *_others(columns)])} FROM {name} WHERE {parent} IN {listed(some)}"  # noqa: S608
                rows += self.client.query(soql)
        except QueryRefused as refused:
            self.unread.append(f"{name} cannot be read ({refused}): records are played as they stand now")
            return
        self._write(name, ["Id", *_others(columns)], rows)

    def _rows(self, name: str, columns: Sequence[str], where: str) -> Iterable[dict[str, object]]:
        soql = f"SELECT {', '.join(columns)} FROM {name}{where}"  # noqa: S608
        if self.client.count(f"SELECT COUNT() FROM {name}{where}") <= BULK_FROM:  # noqa: S608
            return self.client.query_each(soql)
        return (dict(row) for page in self.client.bulk(soql) for row in page)

    def _write(self, name: str, columns: Sequence[str], rows: Iterable[dict[str, object]]) -> None:
        count = 0
        with (self.folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(columns), extrasaction="ignore", restval="")
            writer.writeheader()
            for row in rows:
                writer.writerow({key: _text(value) for key, value in row.items()})
                count += 1
        if self.progress is not None:
            self.progress(name, count)


def _others(columns: Sequence[str]) -> list[str]:
    return [column for column in columns if column != "Id"]


def _history_of(name: str) -> str:
    return f"{name.removesuffix('__c')}__History" if name.endswith("__c") else f"{name}History"


def _text(value: object) -> object:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else value
