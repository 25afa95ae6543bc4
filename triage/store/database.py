"""The database behind the store: connections, transactions, the lock of the one worker, backups and start-up checks."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError

from triage.errors import StoreBusy, StoreError, StoreFull
from triage.ports import Access, Audit, Control, Intake, LlmLedger, Outbox, Policies, Records, Related, Rescores, Upkeep
from triage.store.access import SqlAccess
from triage.store.audit import SqlAudit
from triage.store.control import SqlControl
from triage.store.ending import EndingPool, end
from triage.store.intake import SqlIntake
from triage.store.llm_ledger import SqlLlmLedger
from triage.store.lock import file_lock
from triage.store.migrate import upgrade
from triage.store.outbox import SqlOutbox
from triage.store.policies import SqlPolicies
from triage.store.records import SqlRecords
from triage.store.related import SqlRelated
from triage.store.rescores import SqlRescores
from triage.store.upkeep import SqlUpkeep

# The pool logs what interrupts the closing of a connection, and raises it again: once is enough.
logging.getLogger("sqlalchemy.pool").addHandler(logging.NullHandler())

BUSY_TIMEOUT = 10_000
"""How long a write waits for another process's write, in ms."""

CHECKPOINT_EVERY = 10_000
"""How often a running worker moves the write-ahead log into the file, in ms."""

CHECKPOINT_PAGES = 32_000
"""The length of the log at which a commit does it by itself, where no worker runs."""

CACHE_KIB = 64 * 1024
"""The page cache of one connection."""


class SqlUnit:
    """One transaction on one connection, and the parts of the store inside it."""

    def __init__(self, connection: Connection, org: str) -> None:
        self.org = org
        self.records: Records = SqlRecords(connection, org)
        self.related: Related = SqlRelated(connection, org)
        self.intake: Intake = SqlIntake(connection, org)
        self.outbox: Outbox = SqlOutbox(connection, org)
        self.audit: Audit = SqlAudit(connection, org)
        self.policies: Policies = SqlPolicies(connection, org)
        self.control: Control = SqlControl(connection, org)
        self.upkeep: Upkeep = SqlUpkeep(connection, org)
        self.rescores: Rescores = SqlRescores(connection, org)
        self.access: Access = SqlAccess(connection, org)
        self.llm: LlmLedger = SqlLlmLedger(connection, org)


class SqlStore:
    """
    A store on one SQLite file (local disk only): one writer at a time, readers never wait for it.

    Opening brings an older schema up to date after a copy of the file; a newer one raises SchemaTooNew.
    """

    def __init__(self, path: Path, org: str = "main", *, max_pages: int = 0, durable: bool = True) -> None:
        """
        Open *path*, made where it is missing.

        Args:
            max_pages: The most pages the file may have, 0 for no bound; a fuller one raises StoreFull.
            durable: Whether a commit waits for the disk. False only where nobody misses the file after a power cut.
        """
        self.org = org
        self.tells = False
        self.path = path
        self._turn = threading.RLock()
        self._durable = durable
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as cause:
            raise StoreError(f"{path}: its folder cannot be made: {cause.strerror}") from cause
        self.engine = sqlite_engine(path, max_pages, durable=durable)
        try:
            with named_errors(path):
                upgrade(self.engine, path)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def write(self, *, lasting: bool = True) -> Iterator[SqlUnit]:
        """Begin the write transaction; nothing of it stays where an error leaves it. *lasting*: see `ports.Store`."""
        with (
            self._turn,
            named_errors(self.path),
            self.engine.connect() as connection,
            self._forced(connection, lasting),
        ):
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield SqlUnit(connection, self.org)
            connection.commit()

    @contextmanager
    def read(self) -> Iterator[SqlUnit]:
        """Begin a snapshot. A plain BEGIN: it takes no lock until it reads, and never the write lock."""
        with named_errors(self.path), self.engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            yield SqlUnit(connection, self.org)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Be the one worker of this file until the end, or until this process dies however it dies."""
        with file_lock(self.path.with_name(self.path.name + ".lock"), self.path), self._checkpoints():
            yield

    @contextmanager
    def watch(self, wake: Callable[[], None]) -> Iterator[None]:
        """Hear nothing: a worker on a file looks often, which costs little there."""
        yield

    @contextmanager
    def _forced(self, connection: Connection, lasting: bool) -> Iterator[None]:
        """Let what is stored meanwhile wait for the disk, or not."""
        if lasting or not self._durable:
            yield
            return
        connection.exec_driver_sql("PRAGMA synchronous=NORMAL")
        try:
            yield
        finally:
            # Also where the transaction failed; a pragma inside one would be passed over.
            connection.rollback()
            connection.exec_driver_sql("PRAGMA synchronous=FULL")

    @contextmanager
    def _checkpoints(self) -> Iterator[None]:
        """Move the write-ahead log into the file from a thread of its own, so that no commit has to wait for that."""
        stop = threading.Event()

        def keep_moving() -> None:
            while not stop.wait(CHECKPOINT_EVERY / 1000):
                with contextlib.suppress(DBAPIError), self.engine.connect() as connection:
                    connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")

        thread = threading.Thread(target=keep_moving, name="checkpoint", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def backup(self, path: Path) -> None:
        """Write a complete copy to the new file *path*, while others read and write."""
        vacuum_into(self.engine, path)

    def compact(self) -> None:
        """Write the file anew without what was deleted, and empty the write-ahead log; writers wait meanwhile."""
        with self._turn, named_errors(self.path), self.engine.connect() as connection:
            connection.exec_driver_sql("VACUUM")
            left = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
        if left[0]:
            raise StoreBusy(f"{self.path}: somebody is reading; its log keeps what was deleted until they have ended")

    def check(self) -> list[str]:
        """Return what is wrong with the file itself, as SQLite finds it; nothing where it is intact."""
        with named_errors(self.path), self.engine.connect() as connection:
            found = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
        return [str(line) for line in found if line != "ok"]

    def close(self) -> None:
        """Close every connection; one that a thread still uses is closed when it gives it back."""
        end(self.engine)


def sqlite_engine(path: Path, max_pages: int = 0, *, durable: bool = True) -> Engine:
    """Return the engine of one file. Transactions are begun by hand: the driver's own would begin in the wrong mode."""
    engine = create_engine(
        f"sqlite:///{path}",
        poolclass=EndingPool,
        pool_size=4,
        max_overflow=16,
        connect_args={"isolation_level": None, "check_same_thread": False, "timeout": BUSY_TIMEOUT / 1000},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in _pragmas(max_pages, durable):
            connection.execute(f"PRAGMA {pragma}")

    return engine


def vacuum_into(engine: Engine, path: Path) -> None:
    """Copy the whole database into the new file *path*; raise StoreError where that exists."""
    if path.exists():
        raise StoreError(f"{path} exists already: give the backup a new name")
    with named_errors(path), engine.connect() as connection:
        connection.exec_driver_sql("VACUUM INTO ?", (str(path),))


@contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Turn the driver's errors into ours, told apart by SQLite's own code."""
    try:
        yield
    except DBAPIError as cause:
        # The low byte is the kind of error, what lies above says which of that kind.
        code = getattr(cause.orig, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise StoreFull(f"{path}: the disk is full; nothing was half written, free some space") from cause
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise StoreBusy(f"{path}: another process kept it locked for {BUSY_TIMEOUT // 1000} s") from cause
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise StoreError(f"{path} is no intact store: restore a backup") from cause
        if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise StoreError(f"{path} cannot be opened for writing") from cause
        if code == sqlite3.SQLITE_IOERR:
            raise StoreError(f"{path}: the disk failed: {cause.orig}; nothing was half written") from cause
        raise


def _pragmas(max_pages: int, durable: bool) -> tuple[str, ...]:
    fixed = (
        "journal_mode=WAL",
        f"synchronous={'FULL' if durable else 'OFF'}",
        f"busy_timeout={BUSY_TIMEOUT}",
        f"cache_size=-{CACHE_KIB}",
        f"wal_autocheckpoint={CHECKPOINT_PAGES}",
        "foreign_keys=ON",
    )
    return (*fixed, f"max_page_count={max_pages}") if max_pages else fixed
