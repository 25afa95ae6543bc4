"""
What the two databases spell apart: numbers in order, locks by name, and news for other processes.

SQLite has one writer at a time, so there the next number is one more than the last, and no lock or news is needed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, cast, func, select, text
from sqlalchemy.dialects.postgresql import REGCLASS

CHANNEL = "triage"
"""What PostgreSQL's LISTEN and NOTIFY call our news; the payload is the organisation."""

WRITING = "triage_writing"
NEWS = "triage_news"


def is_postgres(connection: Connection) -> bool:
    """Tell whether many may write at once."""
    return connection.dialect.name == "postgresql"


def next_number(table: Table) -> ColumnElement[int]:
    """Return the expression that is the next value for the `seq` of *table* on PostgreSQL, another one for each row."""
    return func.nextval(cast(f"{table.name}_number", REGCLASS))


def provisional(connection: Connection, table: Table, org: str, count: int) -> Sequence[int]:
    """Return *count* values as `numbers` does, or on PostgreSQL, where the INSERT itself takes them, only zeros."""
    return [0] * count if is_postgres(connection) else numbers(connection, table, org, count)


def numbers(connection: Connection, table: Table, org: str, count: int) -> Sequence[int]:
    """
    Return *count* new values for the `seq` of *table*, rising.

    On PostgreSQL they come from a sequence, so they may have gaps, and two transactions' values may interleave; who
    holds the lock of a record gets higher ones for it than all before.
    """
    if is_postgres(connection):
        each = text("SELECT nextval(CAST(:name AS regclass)) FROM generate_series(1, :count)")
        return connection.execute(each, {"name": f"{table.name}_number", "count": count}).scalars().all()
    last = select(func.coalesce(func.max(table.c.seq), 0)).where(table.c.org_id == org)
    first = connection.execute(last).scalar_one() + 1
    return range(first, first + count)


def lock_name(connection: Connection, *name: str, shared: bool = False) -> None:
    """Wait until no other writer holds *name*, and hold it to the end of this transaction; readers hold nothing."""
    if not is_postgres(connection) or not connection.info.get(WRITING):
        return
    number = int.from_bytes(hashlib.sha256("\0".join(name).encode()).digest()[:8], "big", signed=True)
    function = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
    connection.execute(text(f"SELECT {function}(:number)"), {"number": number})


def tell(connection: Connection) -> None:
    """Let the other processes look again as soon as this transaction is stored."""
    connection.info[NEWS] = True


def holding(connection: Connection, column: ColumnElement[Any], wanted: str) -> ColumnElement[bool]:
    """Return whether *column* holds *wanted*, to the letter but for an e-mail address: LIKE is not the same on both."""
    place = func.strpos if is_postgres(connection) else func.instr
    if "@" in wanted:
        return place(func.lower(column), wanted.lower()) > 0
    return place(column, wanted) > 0


def holds(text: str, wanted: str) -> bool:
    """Tell the same of a text."""
    return wanted.lower() in text.lower() if "@" in wanted else wanted in text
