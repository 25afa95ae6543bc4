"""INSERT .. ON CONFLICT in the one spelling that SQLite and PostgreSQL share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

PART = 500
"""How many keys one statement names."""


def insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT into *table* that can end in ON CONFLICT."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def upsert(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert *rows*; where the primary key is there already, the given columns are overwritten."""
    if not rows:
        return
    statement = insert(connection, table)
    keys = {column.name for column in table.primary_key}
    overwritten = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=sorted(keys), set_=overwritten), list(rows))


def insert_new(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert *rows*; those whose primary key is there already are left as they are."""
    if rows:
        keys = sorted(column.name for column in table.primary_key)
        connection.execute(insert(connection, table).on_conflict_do_nothing(index_elements=keys), list(rows))


def parts(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield *keys* in pieces that one statement can name."""
    for start in range(0, len(keys), PART):
        yield keys[start : start + PART]
