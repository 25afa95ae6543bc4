"""The triggers that make the audit and the events append-only, whatever program writes to the database."""

from __future__ import annotations

from sqlalchemy import Connection

from triage.store.dialect import is_postgres

_KEPT = ("org_id", "seq", "at_ms", "record_id", "idem_key", "event", "actor", "rule", "digest", "prev_hash", "hash")

_FUNCTION = """
CREATE FUNCTION triage_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION '%% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation'; END $$
"""


def create_triggers(connection: Connection) -> None:
    """Create them. An audit body may be lost (erasure), and nothing else may change."""
    different = "IS DISTINCT FROM" if is_postgres(connection) else "IS NOT"
    changed = " OR ".join(f"NEW.{name} {different} OLD.{name}" for name in _KEPT)
    changes = [
        ("audit", "DELETE", ""),
        ("audit", "UPDATE", f"WHEN (NEW.body IS NOT NULL OR {changed})"),
        ("event", "DELETE", ""),
        ("event", "UPDATE", ""),
    ]
    if not is_postgres(connection):
        statements = [_refuse(*change) for change in changes]
    else:
        emptied = [("audit", "TRUNCATE", ""), ("event", "TRUNCATE", "")]
        statements = [_FUNCTION, *(_refuse_on_postgres(*change) for change in changes + emptied)]
    for statement in statements:
        connection.exec_driver_sql(statement)


def _refuse(table: str, change: str, when: str) -> str:
    name = f"{table}_no_{change.lower()}"
    refusal = f"SELECT RAISE(ABORT, '{table} is append-only')"
    return f"CREATE TRIGGER {name} BEFORE {change} ON {table} {when} BEGIN {refusal}; END"


def _refuse_on_postgres(table: str, change: str, when: str) -> str:
    each = "STATEMENT" if change == "TRUNCATE" else "ROW"
    name = f"{table}_no_{change.lower()}"
    return (
        f"CREATE TRIGGER {name} BEFORE {change} ON {table} FOR EACH {each} {when} EXECUTE FUNCTION triage_append_only()"
    )
