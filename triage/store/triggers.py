"""
The triggers that make the audit and the events append-only, whatever program writes to the database.

Retention and erasure change events all the same. On PostgreSQL their transaction says so by its own number, which the
trigger compares: no table is locked for it, and what one session has said lets nobody else through.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

from triage.store.dialect import is_postgres

_KEPT = ("org_id", "seq", "at_ms", "record_id", "idem_key", "event", "actor", "rule", "digest", "prev_hash", "hash")

TRIGGERS = (
    *("audit_no_delete", "audit_no_update", "audit_no_truncate"),
    *("event_no_delete", "event_no_update", "event_no_truncate"),
)
"""What the triggers are called on PostgreSQL."""

UPKEEP = "triage.upkeep"
"""The setting of a transaction that may change events: its own number."""

_FUNCTION = f"""
CREATE OR REPLACE FUNCTION triage_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'event' AND TG_OP <> 'TRUNCATE'
        AND current_setting('{UPKEEP}', true) = pg_current_xact_id()::text THEN
        IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '%% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$
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


def let_upkeep_through(connection: Connection) -> None:
    """Bring the function of the triggers up to date; SQLite takes its triggers off and puts them back instead."""
    if is_postgres(connection):
        connection.exec_driver_sql(_FUNCTION)


def begin_upkeep(connection: Connection) -> None:
    """Let this transaction on PostgreSQL change events, to its end."""
    connection.execute(text("SELECT set_config(:name, pg_current_xact_id()::text, true)"), {"name": UPKEEP})


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
