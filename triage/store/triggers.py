"""The triggers that make the audit and the events append-only, whatever program writes to the database."""

from __future__ import annotations

from sqlalchemy import Connection

_KEPT = ("org_id", "seq", "at_ms", "record_id", "idem_key", "event", "actor", "rule", "digest", "prev_hash", "hash")


def create_triggers(connection: Connection) -> None:
    """Create them on SQLite. An audit body may be lost (erasure), and nothing else may change."""
    changed = " OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in _KEPT)
    statements = (
        _refuse("audit", "DELETE", ""),
        _refuse("audit", "UPDATE", f"WHEN NEW.body IS NOT NULL OR {changed}"),
        _refuse("event", "DELETE", ""),
        _refuse("event", "UPDATE", ""),
    )
    for statement in statements:
        connection.exec_driver_sql(statement)


def _refuse(table: str, change: str, when: str) -> str:
    name = f"{table}_no_{change.lower()}"
    refusal = f"SELECT RAISE(ABORT, '{table} is append-only')"
    return f"CREATE TRIGGER {name} BEFORE {change} ON {table} {when} BEGIN {refusal}; END"
