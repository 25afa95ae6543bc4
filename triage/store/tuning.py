"""What PostgreSQL needs beside the tables: room for rows that change often, and two uniqueness laws of many writers."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from triage.store.dialect import is_postgres
from triage.store.tables import BRISK
from triage.store.triggers import TRIGGERS

BUSY = ("timer", "action", "agent", "rate_bucket", "record")
"""The tables whose rows change again and again."""

WORDS: Mapping[str, tuple[str, ...]] = {
    "record": ("state", "refs"),
    "action": ("payload", "last_error", "before", "target"),
    "audit": ("body",),
    "event": ("body",),
    "refusal": ("record_id", "body", "reason"),
    "decision": ("facts",),
    "related": ("changes",),
}
"""The columns that may hold a customer's words. Samples of them in statistics would outlive an erasure."""

INDEXES = (
    # Of two writers that append after the same line of a record, the second fails and decides again.
    "CREATE UNIQUE INDEX audit_chain ON audit (org_id, record_id, prev_hash)",
    "CREATE UNIQUE INDEX policy_live ON policy (org_id) WHERE live = 1",
)


def tune(connection: Connection) -> None:
    """Set it up on PostgreSQL; SQLite, with one writer, needs none of it."""
    if not is_postgres(connection):
        return
    settings = ", ".join(f"{name} = {value}" for name, value in BRISK.items())
    for table in BUSY:
        connection.exec_driver_sql(f"ALTER TABLE {table} SET ({settings})")
    for statement in INDEXES:
        connection.exec_driver_sql(statement)
    keep_no_samples(connection)


def keep_no_samples(connection: Connection) -> None:
    """Let PostgreSQL keep no sample of any words; no query looks for them by an index."""
    if not is_postgres(connection):
        return
    for table, columns in WORDS.items():
        each = ", ".join(f"ALTER COLUMN {column} SET STATISTICS 0" for column in columns)
        connection.exec_driver_sql(f"ALTER TABLE {table} {each}")


def faults_of(connection: Connection) -> list[str]:
    """Return what is wrong with a server's schema and settings, each with what to do."""
    found: list[str] = []
    invalid = "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE NOT i.indisvalid"
    found += [f"index {name} is not valid: REINDEX it" for name in connection.exec_driver_sql(invalid).scalars()]
    guards = "SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid IN ('audit'::regclass, 'event'::regclass)"
    awake = {row.tgname: row.tgenabled != "D" for row in connection.exec_driver_sql(guards)}
    for name in TRIGGERS:
        if name not in awake:
            found.append(f"trigger {name} is gone, so the log can be changed: restore a backup into a new database")
        elif not awake[name]:
            found.append(f"trigger {name} is disabled, so the log can be changed: ALTER TABLE .. ENABLE TRIGGER {name}")
    for name, value in (("fsync", "on"), ("full_page_writes", "on"), ("autovacuum", "on")):
        set_to = connection.exec_driver_sql(f"SHOW {name}").scalar()
        if set_to != value:
            found.append(f"{name} is {set_to}, a crash or time may lose work: set it to {value}")
    dead = "SELECT n_dead_tup, n_live_tup FROM pg_stat_user_tables WHERE relid = 'timer'::regclass"
    row = connection.exec_driver_sql(dead).one_or_none()
    if row is not None and row.n_dead_tup > 100_000 and row.n_dead_tup > row.n_live_tup:
        found.append(f"timer has {row.n_dead_tup} dead rows to {row.n_live_tup} live: look for a long transaction")
    return found
