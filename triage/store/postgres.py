"""
The store on a PostgreSQL server: many workers on many machines, each transaction with locks on its own rows.

Writers run at READ COMMITTED and lock what they decide on; readers see one snapshot. What two writers cannot both have
(a record's next version, an agent's last place, a line of the audit) the second one decides again: StaleRecord.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from triage.errors import ConfigError, StaleRecord, StoreBusy, StoreError, StoreFull, StoreLost
from triage.store.backup import write_backup
from triage.store.columns import ColumnDumper
from triage.store.database import SqlUnit
from triage.store.dialect import CHANNEL, NEWS, WRITING
from triage.store.ending import EndingPool, end
from triage.store.listen import Listener
from triage.store.migrate import require_newest, upgrade_server
from triage.store.tables import policy
from triage.store.tuning import WORDS, faults_of

SETTINGS = (
    # A worker that has lost its network must not keep rows locked, and a wait for a lock must end in a message.
    "SET idle_in_transaction_session_timeout = '60s'",
    "SET lock_timeout = '10s'",
    "SET jit = off",
    # Every statement of ours finds its rows by an index. New tables have no statistics yet, and a plan that reads a
    # queue through because it was empty when the server last looked is slow for a minute just when there is work.
    "SET enable_hashjoin = off",
    "SET enable_mergejoin = off",
    "SET enable_bitmapscan = off",
)
REACHING: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
    "application_name": "triage",
    "client_encoding": "UTF8",
}
"""How soon a server that does not answer counts as lost."""

CONFLICT = ("40001", "40P01", "55P03", "23505")
"""Serialisation, deadlock, a lock not had in time, a unique key: somebody else was first."""

GONE = ("08", "57P", "53300", "25006", "XX")
"""How the codes begin of a server that stops, starts, is full of connections, or is a standby now."""


class PostgresStore:
    """See `triage.ports.Store`. Opening one whose schema is not the newest raises StoreError: `triage db upgrade`."""

    def __init__(self, url: str, org: str = "main", *, connections: int = 16) -> None:
        """
        Open the database at *url* (`postgresql://user@host/name`) for one organisation.

        Args:
            connections: The most this process opens, all organisations together.
        """
        self.org = org
        self.tells = True
        self.url = parsed_url(url)
        self.name = self.url.render_as_string(hide_password=True)
        self.engine = postgres_engine(self.url, connections)
        self._listener = Listener(self._raw)
        try:
            with named_errors(self.name):
                require_newest(self.engine)
        except BaseException:
            self.close()
            raise

    def for_org(self, org: str) -> PostgresStore:
        """Return the same database for another organisation; the connections are shared, and closed with this one."""
        other = object.__new__(PostgresStore)
        other.__dict__.update(self.__dict__, org=org)
        return other

    def orgs(self) -> list[str]:
        """Return the organisations that have a policy in force, in order."""
        with named_errors(self.name), self.engine.connect() as connection:
            connection.exec_driver_sql("BEGIN READ ONLY")
            query = policy.select().with_only_columns(policy.c.org_id).where(policy.c.live == 1)
            return list(connection.execute(query.order_by(policy.c.org_id)).scalars())

    @contextmanager
    def write(self, *, lasting: bool = True) -> Iterator[SqlUnit]:
        """
        Begin a write transaction; others may run beside it. Raise StaleRecord where one of them was first.

        Args:
            lasting: See `ports.Store`.
        """
        with named_errors(self.name), self.engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            if not lasting:
                connection.exec_driver_sql("SET LOCAL synchronous_commit TO off")
            connection.info.update({WRITING: True, NEWS: False})
            try:
                yield SqlUnit(connection, self.org)
                if connection.info[NEWS]:
                    connection.execute(text("SELECT pg_notify(:channel, :org)"), {"channel": CHANNEL, "org": self.org})
                connection.commit()
            finally:
                if not connection.invalidated:
                    connection.info[WRITING] = False

    @contextmanager
    def read(self) -> Iterator[SqlUnit]:
        """Begin a snapshot."""
        with named_errors(self.name), self.engine.connect() as connection:
            connection.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield SqlUnit(connection, self.org)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Be one of the workers: there may be many."""
        yield

    @contextmanager
    def watch(self, wake: Callable[[], None]) -> Iterator[None]:
        """Call *wake*, from another thread, whenever somebody stored what a worker of this organisation waits for."""
        with self._listener.hearing(self.org, wake):
            yield

    def backup(self, path: Path) -> None:
        """Write a complete copy, of every organisation, to the new file *path*, while workers go on."""
        try:
            with closing(self._raw()) as connection:
                write_backup(connection, path)
        except psycopg.Error as cause:
            raise StoreError(f"{self.name}: no copy could be made: {cause}".strip()) from cause

    def compact(self) -> None:
        """
        Write the tables that hold words anew without what was deleted; each is locked meanwhile.

        What the server's write-ahead log and its archive hold goes when the server drops them.
        """
        with named_errors(self.name), self.engine.connect() as connection:
            connection.exec_driver_sql("SET lock_timeout = 0")
            for table in WORDS:
                connection.exec_driver_sql(f"VACUUM (FULL, ANALYZE) {table}")
            connection.invalidate()

    def check(self) -> list[str]:
        """Return what is wrong with the schema, its guards and the settings that keep work safe."""
        with named_errors(self.name), self.engine.connect() as connection:
            connection.exec_driver_sql("BEGIN READ ONLY")
            return faults_of(connection)

    def close(self) -> None:
        """Close every connection; one that a thread still uses is closed when it gives it back."""
        end(self.engine)

    def _raw(self) -> psycopg.Connection[tuple[object, ...]]:
        plain = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        return psycopg.connect(plain, autocommit=True, **REACHING)


def parsed_url(url: str) -> URL:
    """Return *url* for psycopg; raise ConfigError, without the password, where it cannot be read."""
    try:
        return make_url(url).set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError):
        raise ConfigError("the database URL cannot be read: write postgresql://user:password@host:5432/name") from None


def upgrade_postgres(url: str) -> None:
    """Bring the schema of the database at *url* up to date, or make it."""
    parsed = parsed_url(url)
    engine = postgres_engine(parsed, 1)
    try:
        with named_errors(parsed.render_as_string(hide_password=True)):
            upgrade_server(engine)
    finally:
        end(engine)


def postgres_engine(url: URL, connections: int) -> Engine:
    """Return an engine whose transactions are begun by hand, as on SQLite."""
    engine = create_engine(
        url,
        poolclass=EndingPool,
        pool_size=min(4, connections),
        max_overflow=max(0, connections - 4),
        pool_timeout=10,
        isolation_level="AUTOCOMMIT",
        connect_args=REACHING,
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: psycopg.Connection[Any], _record: object) -> None:
        before = connection.autocommit
        connection.autocommit = True
        for setting in SETTINGS:
            connection.execute(setting)
        connection.autocommit = before
        # As text every quote in an array of JSON is escaped on one side and read on the other: ten times as slow.
        connection.adapters.register_dumper(list, ColumnDumper)

    return engine


@contextmanager
def named_errors(name: str) -> Iterator[None]:
    """Turn the driver's errors into ours, told apart by the server's own code."""
    try:
        yield
    except PoolTimeout as cause:
        raise StoreBusy(f"{name}: every connection of this process is in use") from cause
    except DBAPIError as cause:
        raised = _named(name, cause)
        if raised is None:
            raise
        raise raised from cause


def _named(name: str, cause: DBAPIError) -> StoreError | None:
    code = getattr(cause.orig, "sqlstate", None) or ""
    if code in CONFLICT:
        return StaleRecord("somebody else stored the same in between: try again")
    if code in ("53100", "53200"):
        return StoreFull(f"{name}: the server is out of disk or memory; nothing was half written")
    if code in ("28P01", "28000", "3D000", "42501"):
        return StoreError(f"{name}: the server refuses this user or database ({cause.orig})".strip())
    if code in ("42P01", "42703"):
        return StoreError(f"{name}: the schema is not what this version of triage needs: run `triage db upgrade`")
    lost = cause.connection_invalidated or code.startswith(GONE)
    if lost or (not code and isinstance(cause.orig, psycopg.OperationalError)):
        return StoreLost(f"{name}: the server cannot be reached; it is tried again, and nothing is lost")
    return None
