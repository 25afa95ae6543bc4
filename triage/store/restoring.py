"""A backup put in the place of a store's file: whole or not at all, and never under a process that has it open."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from triage.errors import StoreBusy, StoreError
from triage.store.database import SqlUnit, named_errors, sqlite_engine
from triage.store.ending import end
from triage.store.lock import file_lock
from triage.store.migrate import check_version, upgrade_copy
from triage.store.tables import policy

KEPT = ".before-restore"
"""What the replaced file's name ends in."""


def restore_file(
    backup: Path, target: Path, note: Callable[[SqlUnit], None] = lambda unit: None, *, org: str = "main"
) -> Path | None:
    """
    Put a copy of *backup* in the place of *target*; return where the file that stood there is kept, None for none.

    Args:
        note: What to store in the copy before it takes the place, for *org* and for every organisation that has a
            policy in force: a worker that begins the moment after sees it.

    Raises:
        StoreBusy: a worker runs on *target*, or another process has it open; nothing was changed.
        StoreError: *backup* is no intact store of this or an older version; nothing was changed.
    """
    if target.exists() and backup.exists() and target.samefile(backup):
        raise StoreError(f"{backup} is the store itself: name a backup")
    target.parent.mkdir(parents=True, exist_ok=True)
    with file_lock(target.with_name(target.name + ".lock"), target):
        fresh = target.with_name(f"{target.name}.restoring")
        fresh.unlink(missing_ok=True)
        try:
            _copy(backup, fresh)
            _noted(fresh, note, org)
            kept = _set_aside(target)
            os.replace(fresh, target)
        finally:
            for ending in ("", "-wal", "-shm"):
                Path(f"{fresh}{ending}").unlink(missing_ok=True)
        _sync(target.parent)
    return kept


def _copy(backup: Path, fresh: Path) -> None:
    """Copy *backup*, checked, to the new file *fresh*, and see it on disk."""
    if not backup.is_file():
        raise StoreError(f"{backup} is no file: name a backup that `triage db backup` wrote")
    try:
        with closing(sqlite3.connect(f"{backup.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            (version,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            check_version(version)
            found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
            if found != ["ok"]:
                raise StoreError(f"{backup} is damaged ({found[0]}): take an older one")
            connection.execute("VACUUM INTO ?", (str(fresh),))
    except (sqlite3.Error, TypeError) as cause:
        raise StoreError(f"{backup} cannot be read as a store: {cause}") from cause


def _noted(fresh: Path, note: Callable[[SqlUnit], None], org: str) -> None:
    """Store *note* in the file *fresh*, brought up to this version, leave nothing in its log, and see it on disk."""
    engine = sqlite_engine(fresh)
    try:
        with named_errors(fresh):
            upgrade_copy(engine)
            with engine.connect() as connection:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                live = policy.select().with_only_columns(policy.c.org_id).where(policy.c.live == 1)
                for each in sorted({org, *connection.execute(live).scalars()}):
                    note(SqlUnit(connection, each))
                connection.commit()
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        end(engine)
    _sync(fresh)


def _set_aside(target: Path) -> Path | None:
    """Give the file at *target*, with all that its log holds, a second name; raise StoreBusy where it is in use."""
    if not target.exists():
        return None
    try:
        with closing(sqlite3.connect(target, timeout=2, isolation_level=None)) as connection:
            # Only a connection that has the file for itself may leave write-ahead logging: nobody else has it open.
            (mode,) = connection.execute("PRAGMA journal_mode=DELETE").fetchone()
            busy = mode != "delete"
    except sqlite3.OperationalError as fault:
        busy = fault.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    except sqlite3.DatabaseError:
        busy = False
    if busy:
        raise StoreBusy(f"{target}: another process has it open; end it first, then restore")
    kept = target.with_name(target.name + KEPT)
    kept.unlink(missing_ok=True)
    os.link(target, kept)
    for ending in ("-wal", "-shm"):
        # What is left of a damaged file's log belongs to that file, and would spoil the new one.
        with suppress(FileNotFoundError):
            os.replace(f"{target}{ending}", f"{kept}{ending}")
    return kept


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
