"""Rows read from one organisation and told as events: by SystemModstamp with overlap, and in bulk the first time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from triage.domain.instant import MINUTE
from triage.domain.schema import ObjectSpec
from triage.domain.work import Event
from triage.errors import ConfigError, QueryRefused
from triage.rules.document import PolicyDocument
from triage.salesforce import package, translate
from triage.salesforce.client import Client
from triage.salesforce.describe import (
    MILESTONES,
    Shape,
    milestone_of,
    missing_fields,
    parent_paths,
    shape,
    shapes,
)
from triage.salesforce.soql import instant, listed
from triage.salesforce.translate import Known, Own

OVERLAP = 2 * MINUTE
"""How far before the last row read a poll begins, in ms: rows become visible when their transaction ends."""

AT_ONCE = 200
"""How many ids stand in one query."""

BULK_FROM = 2_000
"""From so many records on, the first sync of an object goes through the bulk API: a job takes its time to begin."""

CHILDREN: dict[str, tuple[str, ...]] = {
    "EmailMessage": ("ParentId", "Incoming", "TextBody", "FromAddress", "Headers"),
    "CaseComment": ("ParentId", "CommentBody"),
    MILESTONES: ("CaseId", "MilestoneType.Name", "CompletionDate"),
    "Task": ("Status", "TaskSubtype", "WhoId", "WhatId", "OwnerId"),
}
"""Objects whose rows are messages, comments and activities of others, with what is read of them."""


class Page(Struct, frozen=True):
    """Events of some rows, and how far they reach: the highest SystemModstamp among them, ms UTC."""

    events: list[Event]
    upto: int


class Reader:
    """Reads the objects of one policy in one organisation."""

    def __init__(self, client: Client, document: PolicyDocument) -> None:
        """
        Ask the organisation for its fields.

        Raises:
            ConfigError: the policy reads fields that are not there; all of them, each with its fix.
        """
        self._client = client
        self.specs: dict[str, ObjectSpec] = {name: config.spec for name, config in document.objects.items()}
        found = shapes(client, document.objects)
        faults = missing_fields(document.objects, found)
        if faults:
            raise ConfigError("\n".join(faults))
        self._shapes: dict[str, Shape] = {name: one for name, one in found.items() if one is not None}
        case = self.specs.get("Case")
        names = {milestone_of(path).casefold(): path for path in (case.labels if case is not None else ())}
        self._completions = {name: path for name, path in names.items() if name}
        for name in CHILDREN:
            one = shape(client, name) if name != MILESTONES or self._completions else None
            if one is not None:
                self._shapes[name] = one
        self._pointers = {name: self._pointing(name) for name in self.specs}
        self._related = _related_columns(self.specs.values())
        self.known = Known(us=client.identity().user_id, robots=_robots(client), queues=_queues(client, document))

    @property
    def objects(self) -> tuple[str, ...]:
        """Return every object that is read: related ones first, as records refer to them, then ours, then children."""
        own = [name for name in self._related if name not in self.specs]
        children = [name for name in CHILDREN if name in self._shapes]
        return (*own, *self.specs, *children)

    def poll(self, name: str, since: int, *, fresh_after: int) -> Iterator[Page]:
        """
        Yield what has changed in *name* since *since* (ms UTC), the deleted with it.

        Args:
            fresh_after: Records created after this instant may not be known yet.
        """
        where = f" WHERE SystemModstamp >= {instant(since)} ORDER BY SystemModstamp, Id"
        rows = self._client.query_each(f"SELECT {', '.join(self.columns(name))} FROM {name}{where}", deleted=True)  # noqa: S608
        for batch in batches(rows, AT_ONCE):
            yield self._page(name, batch, fresh_after)

    def sync(self, name: str, progress: Callable[[int], None] | None = None) -> Iterator[Page]:
        """
        Yield all of *name*, through the bulk API where it is much; *progress* hears how many rows came with each page.
        """
        soql = f"SELECT {', '.join(self.columns(name))} FROM {name}"  # noqa: S608
        few = self._client.count(f"SELECT COUNT() FROM {name}") <= BULK_FROM  # noqa: S608
        for rows in batches(self._client.query_each(soql), BULK_FROM) if few else self._client.bulk(soql):
            yield self._page(name, rows, 0)
            if progress is not None:
                progress(len(rows))

    def reread(self, name: str, identities: Collection[str]) -> list[Event]:
        """Return how the records *identities* stand now: a change event said only that something happened."""
        found: list[Event] = []
        for ids in batches(iter(sorted(identities)), AT_ONCE):
            soql = f"SELECT {', '.join(self.columns(name))} FROM {name} WHERE Id IN {listed(ids)}"  # noqa: S608
            found += self._page(name, self._client.query(soql, deleted=True), 0).events
        return found

    def columns(self, name: str) -> list[str]:
        """Return the fields that are read of *name*."""
        if name in self.specs:
            return translate.columns(self.specs[name], self._shapes[name])
        wanted = [*self._related.get(name, ()), *CHILDREN.get(name, ()), *translate.SYSTEM_COLUMNS]
        return [one for one in dict.fromkeys(wanted) if "." in one or self._shapes[name].has(one)]

    def points(self, name: str, values: Mapping[str, Any]) -> bool:
        """Return whether *values*, which a change event told of an object, hold a reference whose label is read."""
        return not self._pointers.get(name, {}).keys().isdisjoint(values)

    def labels(self, name: str, identities: Collection[str]) -> dict[str, dict[str, Any]]:
        """Return the references of *identities* and the labels behind them, by record: change events tell ids only."""
        pointers = self._pointers[name]
        paths = [path for found in pointers.values() for path in found]
        found: dict[str, dict[str, Any]] = {}
        for ids in batches(iter(sorted(identities)), AT_ONCE):
            soql = f"SELECT {', '.join(['Id', *pointers, *paths])} FROM {name} WHERE Id IN {listed(ids)}"  # noqa: S608
            found |= {row["Id"]: translate.flat(row, self.specs[name]) for row in self._client.query(soql)}
        return found

    def labelled(self, name: str, values: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
        """
        Return *values* with the label of each reference in them, as *row* (one of `labels`) has it now.

        A reference that has changed again since has no label here: its own change event brings it.
        """
        found = dict(values)
        for column, paths in self._pointers[name].items():
            if column in values:
                same = row.get(column) == values[column]
                found |= {path: row.get(path) if same else None for path in paths}
        return found

    def _pointing(self, name: str) -> dict[str, list[str]]:
        """Return the references of an object through which labels are read, each with the paths of these."""
        found: dict[str, list[str]] = {}
        for path in parent_paths(self.specs[name].labels):
            parent = self._shapes[name].parents[path.partition(".")[0].casefold()]
            found.setdefault(parent.field, []).append(path)
        return found

    def own_writes(self, identities: Collection[str]) -> dict[str, Own]:
        """Return the last action of ours on each of *identities*, as the log has it."""
        found: dict[str, Own] = {}
        names = (package.LOG_RECORD, package.LOG_RULE, package.LOG_KEY, package.LOG_TARGET)
        for ids in batches(iter(sorted(identities)), AT_ONCE):
            where = f"WHERE {package.LOG_RECORD} IN {listed(ids)} ORDER BY CreatedDate, Id"
            for row in self._client.query(f"SELECT {', '.join(names)} FROM {package.LOG} {where}"):  # noqa: S608
                found[row[names[0]]] = Own(row[names[1]] or "", row[names[2]], row[names[3]] or "")
        return found

    def related_values(self, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return those of *values* that records read through a reference to *name*."""
        wanted = {column.casefold() for column in self._related.get(name, ())}
        return {key: value for key, value in values.items() if key.casefold() in wanted}

    def _page(self, name: str, rows: Sequence[Mapping[str, Any]], fresh_after: int) -> Page:
        upto = max((translate._at(row["SystemModstamp"]) for row in rows), default=0)
        if name in self.specs:
            ours = [row["Id"] for row in rows if row["LastModifiedById"] == self.known.us != row["CreatedById"]]
            return Page(list(self._records(name, rows, self.own_writes(ours) if ours else {}, fresh_after)), upto)
        found = [event for row in rows for event in self._other(name, row)]
        return Page(found, upto)

    def _records(
        self, name: str, rows: Sequence[Mapping[str, Any]], own: Mapping[str, Own], fresh_after: int
    ) -> Iterator[Event]:
        for row in rows:
            fresh = translate._at(row["CreatedDate"]) >= fresh_after
            if name in self._related:
                yield from self._other(name, row)
            last = own.get(row["Id"]) if row["LastModifiedById"] == self.known.us else None
            yield from translate.snapshot(row, self.specs[name], self.known, fresh=fresh, own=last)

    def _other(self, name: str, row: Mapping[str, Any]) -> Iterator[Event]:
        """Yield what a row of another object tells: a related record, a mail, a comment, an activity."""
        if translate._yes(row.get("IsDeleted")):
            return
        if name in self._related:
            at = translate._at(row["SystemModstamp"])
            values = self.related_values(name, row)
            yield translate.related(name, row["Id"], values, at, f"{row['Id']}/{at}")
        event = self.child(name, row)
        if event is not None:
            yield event

    def child(self, name: str, row: Mapping[str, Any]) -> Event | None:
        """Return the message, comment or activity that *row* is, None for none."""
        if name == "EmailMessage":
            found = translate.message(row)
        elif name == "Task":
            found = translate.activity(row)
        elif name == MILESTONES:
            found = translate.completion(row, self._completions)
        else:
            found = translate.comment(row) if name == "CaseComment" else None
        return found if found is not None and found.object in self.specs else None


def batches(rows: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Yield *rows* in lists of *size*, the last one shorter."""
    batch: list[Any] = []
    for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _related_columns(specs: Iterable[ObjectSpec]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for spec in specs:
        for relation in spec.related:
            found.setdefault(relation.object, []).extend(one.source for one in relation.fields if one.source)
    return {name: list(dict.fromkeys(columns)) for name, columns in found.items()}


def _robots(client: Client) -> frozenset[str]:
    try:
        rows = client.query("SELECT Id FROM User WHERE UserType = 'AutomatedProcess'")
    except QueryRefused:
        return frozenset()
    return frozenset(row["Id"] for row in rows)


def _queues(client: Client, document: PolicyDocument) -> dict[str, str]:
    """Return what rules call each queue, by its id; one that no rule names goes by its id."""
    named = {name.casefold(): f"pool:{name}" for name in document.directory.pools}
    named = {name.casefold(): f"queue:{name}" for name in document.directory.queues} | named
    found = {}
    for row in client.query("SELECT Id, Name, DeveloperName FROM Group WHERE Type = 'Queue'"):
        ours = named.get((row["Name"] or "").casefold()) or named.get((row["DeveloperName"] or "").casefold())
        if ours is not None:
            found[row["Id"]] = ours
    return found
