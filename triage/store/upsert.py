"""Many rows in one call: INSERT .. ON CONFLICT and UPDATE in the spelling that each database is quick with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Integer,
    Table,
    Text,
    any_,
    bindparam,
    cast,
    column,
    func,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.selectable import TableValuedAlias

from triage.store.dialect import is_postgres, next_number

PART = 500
"""How many keys one statement names."""

Insert = sqlite.Insert | postgresql.Insert


def insert_all(
    connection: Connection,
    table: Table,
    rows: Sequence[dict[str, Any]],
    ending: Callable[[Any], Insert] = lambda statement: statement,
    *,
    numbered: bool = False,
) -> int:
    """
    Insert *rows*, which name the same columns, and return how many were stored; *ending* adds an ON CONFLICT.

    Args:
        numbered: PostgreSQL gives each row its `seq`, in their order, and those in the rows do not count.
    """
    if not rows:
        return 0
    if is_postgres(connection):
        names = [name for name in rows[0] if name != "seq" or not numbered]
        new = unnested(rows, {name: table.c[name] for name in names})
        given: list[Any] = list(new.c)
        if numbered:
            names.append("seq")
            given.append(next_number(table))
        statement = postgresql.insert(table).from_select(names, select(*given))
        return connection.execute(ending(statement).execution_options(preserve_rowcount=True)).rowcount
    counted = ending(sqlite.insert(table)).execution_options(preserve_rowcount=True)
    return connection.execute(counted, list(rows)).rowcount


def update_all(
    connection: Connection, table: Table, org: str, rows: Sequence[dict[str, Any]], match: Mapping[str, str]
) -> int:
    """
    Overwrite columns of the rows of *org*, and return how many were found.

    Args:
        rows: What to store, by column, and what to match, by the names in *match*; all name the same.
        match: Column to name, which is no column's: the row is the one where they are equal.
    """
    if not rows:
        return 0
    set_names = [name for name in rows[0] if name not in match.values()]
    if is_postgres(connection):
        columns = {name: table.c[name] for name in set_names} | {name: table.c[key] for key, name in match.items()}
        # The organisation is given with each row: as a constant it would tempt into reading all that belongs to it.
        new = unnested([row | {"given_org": org} for row in rows], columns | {"given_org": table.c.org_id})
        mine = update(table).where(table.c.org_id == new.c.given_org)
        for key, name in match.items():
            mine = mine.where(table.c[key] == new.c[name])
        return connection.execute(mine.values({name: new.c[name] for name in set_names})).rowcount
    mine = update(table).where(table.c.org_id == org)
    for key, name in match.items():
        mine = mine.where(table.c[key] == bindparam(name))
    statement = mine.values({name: bindparam(f"new_{name}") for name in set_names})
    keys = set(match.values())
    renamed = [{name if name in keys else f"new_{name}": value for name, value in row.items()} for row in rows]
    return connection.execute(statement, renamed).rowcount


def upsert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert *rows*; where the primary key is there already, the given columns are overwritten."""
    keys = {column.name for column in table.primary_key}

    def overwriting(statement: Any) -> Insert:
        given = {name: statement.excluded[name] for name in rows[0] if name not in keys}
        return statement.on_conflict_do_update(index_elements=sorted(keys), set_=given)  # type: ignore[no-any-return]

    insert_all(connection, table, rows, overwriting)


def insert_new(connection: Connection, table: Table, rows: Sequence[dict[str, Any]], *, numbered: bool = False) -> int:
    """Insert *rows*; those whose primary key is there already are left as they are. Return how many were new."""
    keys = sorted(column.name for column in table.primary_key)

    def leaving(statement: Any) -> Insert:
        return statement.on_conflict_do_nothing(index_elements=keys)  # type: ignore[no-any-return]

    return insert_all(connection, table, rows, leaving, numbered=numbered)


def among(connection: Connection, column: Any, values: Sequence[Any]) -> ColumnElement[bool]:
    """Return whether *column* is one of *values*; on PostgreSQL one array, so that the statement's text is the same."""
    if not is_postgres(connection):
        return column.in_(values)  # type: ignore[no-any-return]
    kind = postgresql.ARRAY(_plain(column.type))
    return column == any_(cast(bindparam(None, list(values), type_=kind), kind))  # type: ignore[no-any-return]


def parts(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield *keys* in pieces that one statement can name."""
    for start in range(0, len(keys), PART):
        yield keys[start : start + PART]


def unnested(rows: Sequence[dict[str, Any]], columns: Mapping[str, Any]) -> TableValuedAlias:
    """Return *rows* as a table: one array a column, so that the statement's text is the same for any number of rows."""
    kinds: dict[str, Any] = {name: _plain(of.type) for name, of in columns.items()}
    arrays = [
        cast(bindparam(None, [row[name] for row in rows], type_=postgresql.ARRAY(kind)), postgresql.ARRAY(kind))
        for name, kind in kinds.items()
    ]
    given = (column(name, kind) for name, kind in kinds.items())
    return func.unnest(*arrays).table_valued(*given).render_derived(name="given")


def _plain(kind: Any) -> Any:
    """Return the type without its collation, which a cast cannot name."""
    if isinstance(kind, BigInteger):
        return BigInteger()
    return Integer() if isinstance(kind, Integer) else Text()
