"""
The schema brought up to date by Alembic from inside the package.

A file is brought up to date when it is opened, after a copy of it. A server that others work on is only looked at then:
`triage db upgrade` changes it, one at a time under an advisory lock.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from triage.errors import SchemaTooNew, StoreError
from triage.store.dialect import is_postgres

REVISIONS = ("0001", "0002", "0003", "0004")
"""Every schema this package knows, oldest first. The files are in `migrations/versions/`."""

UPGRADING = 0x7472_6961_6765
"""The number of the advisory lock under which a server's schema changes."""


def schema_version(connection: Connection) -> str:
    """Return the schema's revision, "" for an empty database; raise StoreError where it is somebody else's."""
    names = inspect(connection).get_table_names()
    if "alembic_version" in names:
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() or ""
    if names:
        raise StoreError(
            f"the database holds other tables ({', '.join(sorted(names)[:3])}): give triage one of its own"
        )
    return ""


def check_version(version: str) -> bool:
    """Tell whether *version* is the newest one; raise SchemaTooNew where this package does not know it."""
    if version and version not in REVISIONS:
        raise SchemaTooNew(
            f"the store has schema {version}, this version of triage knows up to {REVISIONS[-1]}: upgrade triage"
        )
    return version == REVISIONS[-1]


def upgrade(engine: Engine, path: Path) -> None:
    """Bring the schema up to date. An existing store is copied first, to `<name>.before-<revision>`."""
    with engine.connect() as connection:
        version = schema_version(connection)
    if check_version(version):
        return
    if version:
        copy = path.with_name(f"{path.name}.before-{REVISIONS[-1]}")
        copy.unlink(missing_ok=True)
        with engine.connect() as connection:
            connection.exec_driver_sql("VACUUM INTO ?", (str(copy),))
    _run(engine)


def require_newest(engine: Engine) -> None:
    """Raise StoreError, naming the command that helps, where the schema of a server is not the newest one."""
    with engine.connect() as connection:
        version = schema_version(connection)
    if not check_version(version):
        have = f"has schema {version}, this version of triage needs {REVISIONS[-1]}" if version else "is empty"
        raise StoreError(f"the database {have}: run `triage db upgrade`")


def upgrade_server(engine: Engine) -> None:
    """Bring the schema of a server up to date; of several who try at once, one does it and the others wait."""
    _run(engine)


def _run(engine: Engine) -> None:
    # Alembic takes a while to import, and an up-to-date store does not need it.
    from alembic import command
    from alembic.config import Config

    with engine.connect() as connection:
        if is_postgres(connection):
            connection.exec_driver_sql("BEGIN")
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": UPGRADING})
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        if check_version(schema_version(connection)):
            return
        config = Config()
        config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
