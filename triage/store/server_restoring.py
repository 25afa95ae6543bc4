"""
A backup put in the place of what a server holds: in one transaction, so that workers see all of it or nothing.

Workers may run on. What they store while the backup comes back is lost with the rest, and is done again under the same
keys; a lease that they still hold is no longer known, so their answers are not stored.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, text

from triage.again import again
from triage.errors import StaleRecord, StoreBusy, StoreError
from triage.store.backup import Backup, read_backup
from triage.store.database import SqlUnit
from triage.store.dialect import CHANNEL, WRITING
from triage.store.ending import end
from triage.store.migrate import UPGRADING, schema_version, upgrade_within
from triage.store.postgres import named_errors, parsed_url, postgres_engine
from triage.store.tables import SEQUENCES, metadata, policy

KEPT = "triage_before_restore"
"""The schema in which what was replaced is kept, until the next time."""

TRIES = 4
"""How often the tables are asked for while others use them: each time those who come after us have to wait."""


def restore_postgres(
    url: str,
    backup: Path,
    note: Callable[[SqlUnit], None],
    *,
    org: str = "main",
    replace: bool = False,
    patience: int = 20_000,
) -> str:
    """
    Put *backup* in the place of what the database at *url* holds; a schema is made where there is none.

    Args:
        note: What to store with it, for *org* and for every organisation that has a policy in force.
        replace: The database may hold something; it is kept in the schema `triage_before_restore`.
        patience: For how many ms others may keep the tables locked.

    Returns:
        That schema's name where something was kept, else "".

    Raises:
        StoreError: *backup* is not whole, or the database holds something and *replace* was not said.
        StoreBusy: others keep its tables locked.
    """
    parsed = parsed_url(url)
    name, found = parsed.render_as_string(hide_password=True), read_backup(backup)
    engine = postgres_engine(parsed, 1)
    try:
        kept = again(lambda _: _restored(engine, name, found, note, org, replace, patience // TRIES), TRIES - 1)
        with named_errors(name), engine.connect() as connection:
            connection.exec_driver_sql(f"ANALYZE {', '.join(sorted(metadata.tables))}")
    except StaleRecord as cause:
        raise StoreBusy(f"{name}: others keep its tables locked; nothing was changed, try again") from cause
    finally:
        end(engine)
    return kept


def _restored(
    engine: Engine, name: str, backup: Backup, note: Callable[[SqlUnit], None], org: str, replace: bool, patience: int
) -> str:
    with named_errors(name), engine.connect() as connection:
        connection.exec_driver_sql(f"BEGIN; SET LOCAL lock_timeout = {patience}")
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": UPGRADING})
        connection.info[WRITING] = True
        kept = _set_aside(connection, name, replace) if schema_version(connection) else ""
        upgrade_within(connection)
        _pour(connection, name, backup)
        for one in SEQUENCES:
            table = one.name.removesuffix("_number")
            last = f"(SELECT coalesce(max(seq), 0) + 1 FROM {table})"  # noqa: S608 - a name of our own
            connection.exec_driver_sql(f"SELECT setval('{one.name}', {last}, false)")
        live = policy.select().with_only_columns(policy.c.org_id).where(policy.c.live == 1)
        for each in sorted({org, *connection.execute(live).scalars()}):
            note(SqlUnit(connection, each))
            connection.execute(text("SELECT pg_notify(:channel, :org)"), {"channel": CHANNEL, "org": each})
        connection.commit()
        connection.info[WRITING] = False
    return kept


def _pour(connection: Connection, name: str, backup: Backup) -> None:
    raw: psycopg.Connection[tuple[Any, ...]] = connection.connection.driver_connection  # type: ignore[assignment]
    try:
        with raw.cursor() as cursor:
            backup.pour(cursor, lambda table: table in metadata.tables)
    except psycopg.Error as cause:
        raise StoreError(
            f"{name}: the backup could not be put back, and nothing was changed: {cause}".strip()
        ) from cause


def _set_aside(connection: Connection, name: str, replace: bool) -> str:
    """Move everything that is there into another schema, in a moment, once nobody uses it."""
    names = [*sorted(metadata.tables), "alembic_version"]
    connection.exec_driver_sql(f"LOCK TABLE {', '.join(names)} IN ACCESS EXCLUSIVE MODE")
    full = [table for table in metadata.tables if connection.exec_driver_sql(f"SELECT 1 FROM {table} LIMIT 1").scalar()]  # noqa: S608
    if full and not replace:
        raise StoreError(
            f"{name} is not empty: restore into a new database, or say --replace; "
            f"what stands there is then kept in the schema {KEPT}"
        )
    if connection.exec_driver_sql("SELECT current_schema()").scalar() == KEPT:
        raise StoreError(f"{name}: {KEPT} is where replaced tables are kept: name another schema")
    connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {KEPT} CASCADE")
    connection.exec_driver_sql(f"CREATE SCHEMA {KEPT}")
    for one in names:
        connection.exec_driver_sql(f"ALTER TABLE {one} SET SCHEMA {KEPT}")
    for sequence in SEQUENCES:
        connection.exec_driver_sql(f"ALTER SEQUENCE {sequence.name} SET SCHEMA {KEPT}")
    if not full:
        connection.exec_driver_sql(f"DROP SCHEMA {KEPT} CASCADE")
    return KEPT if full else ""
