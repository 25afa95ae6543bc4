"""A query and an organisation in, the records it finds out: filters, order, aggregates, relationship paths."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from triage.domain.instant import DAY, parse_instant, to_datetime
from triage.salesforce.sandbox.organisation import Organisation, Row
from triage.salesforce.sandbox.schema import Column, Table, children_of
from triage.salesforce.sandbox.soql import (
    Comparison,
    Condition,
    DateWord,
    Instant,
    Joined,
    Negated,
    Order,
    Query,
    Selected,
    SoqlError,
)
from triage.salesforce.sandbox.values import long_id, say

Get = Callable[[Row], Any]
Keep = Callable[[Row], bool]


MOST_GROUPS = 2_000
"""An aggregate is answered in one page or not at all."""


class Found(Struct, frozen=True):
    """
    What a query found: *rows* as kept, the columns it selects, and whether they are aggregates.

    `children` are the queries about each row's children, with the object and the column that refers to the row.
    """

    table: Table
    rows: list[Row]
    selected: tuple[Selected, ...]
    aggregate: bool = False
    children: tuple[tuple[str, Query, str], ...] = ()


def answer(query: Query, org: Organisation, *, deleted: bool = False) -> Found:
    """Return what *query* finds; with *deleted* also what lies in the recycle bin. Raise SoqlError with the reason."""
    table = _table(query.object, org)
    selected = _selected(query, table)
    paths = _Paths(org, table)
    for one in selected:
        if one.path:
            paths.column(one.path)
    with org.lock:
        rows: Iterable[Row] = list(org.rows[table.name].values())
        keep = _Filter(org, paths).of(query.where) if query.where is not None else None
        shown = [
            row for row in rows if (deleted or query.all_rows or not row["IsDeleted"]) and (keep is None or keep(row))
        ]
        if query.group_by or (any(one.function for one in selected) and not query.count_only):
            lines = _cut(_aggregated(query, selected, shown, paths), query)
            if len(lines) > MOST_GROUPS:
                raise SoqlError("Aggregate query does not support queryMore()", "EXCEEDED_ID_LIMIT")
            return Found(table, lines, selected, aggregate=True)
        for order in reversed(query.order_by):
            _sort(shown, order, paths)
    children = tuple(_child(one, table, org) for one in query.children)
    return Found(table, _cut(shown, query), selected, children=children)


def _child(query: Query, table: Table, org: Organisation) -> tuple[str, Query, str]:
    """Return the name of a relationship to children, the query about them by their object, and their column."""
    name = query.object.casefold()
    found = next((one for one in children_of(table.name, org.tables) if one[0].casefold() == name), None)
    if found is None:
        raise SoqlError(f"Didn't understand relationship '{query.object}' in FROM part of query call.", "INVALID_TYPE")
    relationship, child, column = found
    asked = replace(query, object=child)
    answer(replace(asked, limit=0), org)
    return relationship, asked, column


def _children(row: Row, query: Query, column: str, org: Organisation) -> dict[str, Any] | None:
    """Return the children of *row* as the REST API says them; None where there is none."""
    own = Comparison(column, "=", row["Id"])
    where = own if query.where is None else Joined("AND", (own, query.where))
    rows = records(answer(replace(query, where=where), org), org)
    return {"totalSize": len(rows), "done": True, "records": rows} if rows else None


def records(found: Found, org: Organisation) -> list[dict[str, Any]]:
    """Return *found* as the REST API says it."""
    if found.aggregate:
        return [{"attributes": {"type": "AggregateResult"}, **row} for row in found.rows]
    paths = _Paths(org, found.table)
    plan = [(one.path.split("."), paths.column(one.path), paths.get(one.path)) for one in found.selected]
    told = [_record(row, found.table.name, plan, paths) for row in found.rows]
    for name, query, column in found.children:
        for row, record in zip(found.rows, told, strict=True):
            record[name] = _children(row, query, column, org)
    return told


def flat(found: Found, org: Organisation) -> tuple[list[str], list[list[tuple[Any, Column]]]]:
    """Return the header and rows of *found* for a table, each value with its column."""
    if found.children:
        raise SoqlError("Aggregate Relationships not supported in Bulk Query", "FEATURENOTENABLED")
    paths = _Paths(org, found.table)
    plan = [(paths.column(one.path), paths.get(one.path)) for one in found.selected]
    header = [one.path for one in found.selected]
    return header, [[(get(row), column) for column, get in plan] for row in found.rows]


def _table(name: str, org: Organisation) -> Table:
    found = next((one for key, one in org.tables.items() if key.casefold() == name.casefold()), None)
    if found is None:
        words = f"sObject type '{name}' is not supported. A custom object's name ends in '__c'."
        raise SoqlError(words, "INVALID_TYPE")
    return found


def _selected(query: Query, table: Table) -> tuple[Selected, ...]:
    if not query.everything:
        return query.fields
    custom = {"all": (True, False), "standard": (False,), "custom": (True,)}[query.everything]
    names = [name for name in table.columns if name.endswith("__c") in custom]
    return (*(Selected(name) for name in names), *query.fields)


def _record(row: Row, name: str, plan: list[tuple[list[str], Column, Get]], paths: _Paths) -> dict[str, Any]:
    found: dict[str, Any] = {"attributes": _attributes(name, row["Id"])}
    for parts, column, get in plan:
        if len(parts) == 1:
            found[column.name] = say(get(row), column)
            continue
        place: Any = found
        for depth in range(1, len(parts)):
            other = paths.related(row, parts[:depth])
            if other is None:
                place[parts[depth - 1]] = None
                break
            place = place.setdefault(parts[depth - 1], {"attributes": _attributes(*other)})
        else:
            place[column.name] = say(get(row), column)
    return found


def _attributes(name: str, identity: str) -> dict[str, str]:
    return {"type": name, "url": f"/services/data/v59.0/sobjects/{name}/{identity}"}


def _cut(rows: list[Row], query: Query) -> list[Row]:
    end = None if query.limit is None else query.offset + query.limit
    return rows[query.offset : end]


def _sort(rows: list[Row], order: Order, paths: _Paths) -> None:
    get = paths.get(order.path)
    first = order.nulls_last is order.descending

    def key(row: Row) -> tuple[bool, Any]:
        value = get(row)
        if value is None:
            return (not first, "")
        return (first, value.casefold() if isinstance(value, str) else value)

    known = [row for row in rows if get(row) is not None]
    empty = [row for row in rows if get(row) is None]
    known.sort(key=key, reverse=order.descending)
    rows[:] = [*known, *empty] if order.nulls_last else [*empty, *known]


def _aggregated(query: Query, selected: tuple[Selected, ...], rows: list[Row], paths: _Paths) -> list[Row]:
    keys = [(path, paths.get(path)) for path in query.group_by]
    for one in selected:
        if not one.function and one.path not in query.group_by:
            raise SoqlError(f"Field must be grouped or aggregated: {one.path}")
    groups: dict[tuple[Any, ...], list[Row]] = {} if keys else {(): rows}
    for row in rows if keys else ():
        groups.setdefault(tuple(get(row) for _, get in keys), []).append(row)
    found = []
    for members in groups.values():
        if query.having is not None and not _has(query.having, members, query, paths):
            continue
        line: Row = {}
        for number, one in enumerate(selected):
            name = one.alias or (one.path.split(".")[-1] if not one.function else f"expr{number}")
            line[name] = _folded(one, members, paths)
        found.append(line)
    for order in reversed(query.order_by):
        name = order.path.split(".")[-1]
        found.sort(key=lambda line: (line.get(name) is not None, str(line.get(name))), reverse=order.descending)
    return found


def _has(condition: Condition, members: list[Row], query: Query, paths: _Paths) -> bool:
    """Return whether a group meets a HAVING."""
    if isinstance(condition, Negated):
        return not _has(condition.part, members, query, paths)
    if isinstance(condition, Joined):
        held = (_has(part, members, query, paths) for part in condition.parts)
        return all(held) if condition.how == "AND" else any(held)
    if not condition.function and condition.path not in query.group_by:
        raise SoqlError(f"Field must be grouped or aggregated: {condition.path}")
    value = _folded(Selected(condition.path, condition.function), members, paths)
    wanted = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    if condition.operator in ("=", "!=", "IN", "NOT IN"):
        return (value in wanted) == (condition.operator in ("=", "IN"))
    compare = _ORDERED.get(condition.operator)
    if compare is None:
        raise SoqlError(f"{condition.operator} is not read by the sandbox in a HAVING")
    try:
        return value is not None and bool(compare(value, condition.value))
    except TypeError:
        raise SoqlError("a HAVING compares numbers and texts with their like") from None


def _folded(one: Selected, members: list[Row], paths: _Paths) -> Any:
    if not one.path:
        return len(members)
    column, get = paths.column(one.path), paths.get(one.path)
    values = [value for value in map(get, members) if value is not None]
    if not one.function:
        return say(get(members[0]), column)
    if one.function in ("COUNT", "COUNT_DISTINCT"):
        return len(values) if one.function == "COUNT" else len(set(values))
    if not values:
        return None
    if one.function in ("MIN", "MAX"):
        return say(min(values) if one.function == "MIN" else max(values), column)
    total = sum(values)
    return total if one.function == "SUM" else total / len(values)


class _Paths:
    """Relationship paths of one object: `Owner.Name`, `Account.Owner.Email`."""

    def __init__(self, org: Organisation, table: Table) -> None:
        self._org = org
        self._table = table

    def column(self, path: str) -> Column:
        """Return the column at the end of *path*; raise SoqlError where there is none."""
        *steps, last = path.split(".")
        tables = [self._table]
        for step in steps:
            tables = [self._org.tables[name] for one in tables for name in self._targets(one, step)]
            if not tables:
                raise SoqlError(f"Didn't understand relationship '{step}' in field path.", "INVALID_FIELD")
        if last == "Type" and steps and not any(one.column(last) for one in tables):
            return Column(name="Type")
        found = next((column for one in tables if (column := one.column(last)) is not None), None)
        if found is None:
            raise SoqlError(f"No such column '{last}' on entity '{tables[0].name}'.", "INVALID_FIELD")
        return found

    def get(self, path: str) -> Get:
        """Return what reads *path* from a row."""
        *steps, last = path.split(".")
        if not steps:
            name = self.column(path).name
            return lambda row: row.get(name)

        def deep(row: Row) -> Any:
            found = self.related(row, steps)
            if found is None:
                return None
            table = self._org.tables[found[0]]
            column = table.column(last)
            return found[0] if column is None else self._org.rows[found[0]][found[1]].get(column.name)

        return deep

    def related(self, row: Row, steps: list[str]) -> tuple[str, str] | None:
        """Return object and id of the record at the end of *steps*, None where one is missing."""
        table, name = self._table, self._table.name
        for step in steps:
            column = _by(table, step)
            identity = None if column is None else row.get(column.name)
            if identity is None or column is None:
                return None
            found = next((one for one in column.to if identity in self._org.rows.get(one, ())), None)
            if found is None:
                return None
            table, name, row = self._org.tables[found], found, self._org.rows[found][identity]
        return name, str(row["Id"])

    def _targets(self, table: Table, step: str) -> tuple[str, ...]:
        column = _by(table, step)
        return () if column is None else tuple(name for name in column.to if name in self._org.tables)


def _by(table: Table, step: str) -> Column | None:
    folded = step.casefold()
    return next((one for one in table.columns.values() if one.by and one.by.casefold() == folded), None)


class _Filter:
    """Conditions as functions of a row."""

    def __init__(self, org: Organisation, paths: _Paths) -> None:
        self._org = org
        self._paths = paths

    def of(self, condition: Condition) -> Keep:
        """Return what decides about a row."""
        if isinstance(condition, Negated):
            inner = self.of(condition.part)
            return lambda row: not inner(row)
        if isinstance(condition, Joined):
            parts = [self.of(part) for part in condition.parts]
            if condition.how == "AND":
                return lambda row: all(part(row) for part in parts)
            return lambda row: any(part(row) for part in parts)
        return self._test(condition)

    def _test(self, test: Comparison) -> Keep:
        column, get = self._paths.column(test.path), self._paths.get(test.path)
        if column.type == "textarea" and column.length > 4_000:
            raise SoqlError(f"field '{test.path}' can not be filtered in a query call", "INVALID_FIELD")
        if test.operator in ("IN", "NOT IN"):
            wanted = self._set(test.value, column)
            inside = test.operator == "IN"
            return lambda row: (_folded_text(get(row), column) in wanted) is inside
        if test.operator in ("INCLUDES", "EXCLUDES"):
            raise SoqlError(f"{test.operator} is for multipicklists only; {test.path} is {column.type}")
        if isinstance(test.value, DateWord):
            return self._span(test, column, get)
        return self._compared(test.operator, get, _literal(test.value, column, test.path), column)

    def _set(self, value: Any, column: Column) -> set[Any]:
        if isinstance(value, Query):
            inner = answer(value, self._org)
            get = _Paths(self._org, inner.table).get(value.fields[0].path)
            return {_folded_text(get(row), column) for row in inner.rows}
        return {_literal(one, column, column.name) for one in value}

    def _compared(self, operator: str, get: Get, wanted: Any, column: Column) -> Keep:
        if operator == "LIKE":
            if not isinstance(wanted, str) or column.type in ("id", "reference"):
                raise SoqlError(
                    "invalid operator on id field" if column.type in ("id", "reference") else "LIKE needs text"
                )
            pattern = re.compile(re.escape(wanted).replace("%", ".*").replace("_", "."), re.IGNORECASE | re.DOTALL)
            return lambda row: bool(pattern.fullmatch(str(get(row) or "")))
        if operator == "=":
            return lambda row: bool(_folded_text(get(row), column) == wanted)
        if operator == "!=":
            return lambda row: bool(_folded_text(get(row), column) != wanted)
        compare = _ORDERED[operator]

        def ordered(row: Row) -> bool:
            value = _folded_text(get(row), column)
            return value is not None and wanted is not None and bool(compare(value, wanted))

        return ordered

    def _span(self, test: Comparison, column: Column, get: Get) -> Keep:
        """Compare with a date literal, which is a span of days (UTC)."""
        if column.type not in ("date", "datetime"):
            raise SoqlError(
                f"value of filter criterion for field '{test.path}' must be of type {column.type}", "INVALID_FIELD"
            )
        start, end = _days(test.value, self._org.now())
        dates = column.type == "date"

        def inside(row: Row) -> bool:
            value = get(row)
            if value is None:
                return False
            at = parse_instant(f"{value}T00:00:00Z") if dates else value
            return {
                "=": start <= at < end, "!=": not start <= at < end, "<": at < start, ">": at >= end, "<=": at < end,
                ">=": at >= start,
            }[test.operator]  # fmt: skip

        return inside


_ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
}  # fmt: skip


def _folded_text(value: Any, column: Column) -> Any:
    return value.casefold() if isinstance(value, str) and column.type not in ("id", "reference") else value


def _literal(value: Any, column: Column, path: str) -> Any:
    """Return a literal as kept values compare with it; refuse one of another type, as the real parser does."""
    wrong = SoqlError(f"value of filter criterion for field '{path}' must be of type {column.type}", "INVALID_FIELD")
    if value is None:
        return None
    if column.type in ("datetime", "date"):
        if not isinstance(value, Instant) or (column.type == "datetime") != ("T" in value.text):
            raise wrong
        return parse_instant(value.text) if column.type == "datetime" else value.text
    if isinstance(value, Instant) or (column.type == "boolean") != isinstance(value, bool):
        raise wrong
    if column.type in ("double", "currency", "percent", "int"):
        if isinstance(value, str):
            raise wrong
        return value
    if column.type == "boolean":
        return value
    if not isinstance(value, str):
        raise wrong
    return long_id(value) if column.type in ("id", "reference") else value.casefold()


def _days(word: DateWord, now: int) -> tuple[int, int]:
    """Return the span of a date literal, as instants."""
    today = now // DAY * DAY
    if word.word in ("TODAY", "YESTERDAY", "TOMORROW"):
        start = today + {"TODAY": 0, "YESTERDAY": -DAY, "TOMORROW": DAY}[word.word]
        return start, start + DAY
    if word.word == "LAST_90_DAYS":
        return today - 90 * DAY, today + DAY
    if word.word in ("LAST_N_DAYS", "NEXT_N_DAYS"):
        span = word.count * DAY
        return (today - span, today + DAY) if word.word == "LAST_N_DAYS" else (today + DAY, today + DAY + span)
    day = to_datetime(today)
    if word.word.endswith("WEEK"):
        sunday = today - (day.isoweekday() % 7) * DAY
        start = sunday + {"LAST": -7, "THIS": 0, "NEXT": 7}[word.word[:4]] * DAY
        return start, start + 7 * DAY
    if word.word.endswith("YEAR"):
        year = day.year - (word.word[:4] == "LAST")
        return parse_instant(f"{year:04d}-01-01T00:00:00Z"), parse_instant(f"{year + 1:04d}-01-01T00:00:00Z")
    month = day.year * 12 + day.month - 1 + {"LAST": -1, "THIS": 0, "NEXT": 1}[word.word[:4]]
    first = [parse_instant(f"{at // 12:04d}-{at % 12 + 1:02d}-01T00:00:00Z") for at in (month, month + 1)]
    return first[0], first[1]
