"""
A backup of a server's store: one packed file, read in one snapshot while workers go on, by this program alone.

The file holds the rows of every table as COPY writes them, each part named with its columns, and says at its end how
many there were: one that was cut off is no backup. A file of SQLite holds the same tables, and is read here too.
"""

from __future__ import annotations

import gzip
import os
import sqlite3
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

import msgspec
import psycopg
from msgspec import Struct
from psycopg import sql

from triage.errors import StoreError
from triage.store.migrate import check_version
from triage.store.tables import metadata

FORMAT = "triage backup 1"
LEVEL = 3
"""How hard the file is packed: harder saves little and takes much longer."""

END_OF_TABLE = b"\\.\n"
"""What COPY's own text never holds as a line."""

SQLITE_MAGIC = b"SQLite format 3\0"

Cursor = psycopg.Cursor[tuple[Any, ...]]


class Head(Struct, frozen=True, kw_only=True):
    """The first line of a backup: which schema its rows are of, and when they were read, ms UTC."""

    kind: str
    schema: str
    at: int


class Part(Struct, frozen=True, kw_only=True):
    """The line before a table's rows."""

    table: str
    columns: list[str]


class Tail(Struct, frozen=True, kw_only=True):
    """The last line: how many rows each table has."""

    rows: dict[str, int]


class Backup(Protocol):
    """A backup that was read through once and found whole."""

    def pour(self, cursor: Cursor, present: Callable[[str], bool]) -> Mapping[str, int]:
        """Copy all rows of the tables that are *present* into them; return how many rows of each."""


def write_backup(connection: psycopg.Connection[Any], path: Path) -> None:
    """
    Write all rows of every table to the new file *path*, readable by its owner only, and see it on disk.

    *connection* is in no transaction. Until it is whole the file has another name.

    Raises:
        StoreError: *path* exists, or cannot be written.
    """
    if path.exists():
        raise StoreError(f"{path} exists already: give the backup a new name")
    fresh = path.with_name(f".{path.name}.part")
    fresh.unlink(missing_ok=True)
    try:
        with _opened(fresh) as (packed, handle):
            with connection.transaction(), connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                _write_all(cursor, packed)
            packed.close()
            handle.flush()
            os.fsync(handle.fileno())
        os.link(fresh, path)
    except OSError as cause:
        raise StoreError(f"{path}: the backup cannot be written: {cause.strerror or cause}") from cause
    finally:
        fresh.unlink(missing_ok=True)


def read_backup(path: Path) -> Backup:
    """
    Return the backup at *path*, read through to its end: of a server, or a file of SQLite.

    Raises:
        StoreError: it is neither, or not whole.
        SchemaTooNew: it is of a newer version of this package.
    """
    if not path.is_file():
        raise StoreError(f"{path} is no file: name a backup that `triage db backup` wrote")
    with path.open("rb") as start:
        found: CopiedFile | SqliteFile = SqliteFile(path) if start.read(16) == SQLITE_MAGIC else CopiedFile(path)
    check_version(found.check())
    return found


class CopiedFile:
    """See `Backup`: a file that `write_backup` wrote."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def check(self) -> str:
        """Return the schema of its rows; raise StoreError where it is not whole."""
        try:
            with gzip.open(self._path, "rb") as packed:
                head = self._head(packed)
                rows = {part.table: sum(1 for _ in lines) for part, lines in self._parts(packed)}
        except (OSError, EOFError, zlib.error, msgspec.DecodeError) as cause:
            raise StoreError(f"{self._path} is no whole backup of triage ({cause}): take another one") from cause
        if self._rows != rows:
            raise StoreError(f"{self._path} is no whole backup of triage (rows are missing): take another one")
        return head.schema

    def pour(self, cursor: Cursor, present: Callable[[str], bool]) -> Mapping[str, int]:
        """Copy all rows into the tables of the same names."""
        with gzip.open(self._path, "rb") as packed:
            self._head(packed)
            for part, lines in self._parts(packed):
                if not present(part.table):
                    continue
                with cursor.copy(_copy("FROM STDIN", part.table, part.columns)) as copy:
                    for line in lines:
                        copy.write(line)
            return self._rows

    def _head(self, packed: gzip.GzipFile) -> Head:
        head = msgspec.json.decode(packed.readline(1_000), type=Head)
        if head.kind != FORMAT:
            raise StoreError(f"{self._path} is a backup of another kind ({head.kind}): upgrade triage")
        return head

    def _parts(self, packed: gzip.GzipFile) -> Iterator[tuple[Part, Iterator[bytes]]]:
        """Yield each table's part with its rows; what was left unread of one is read over."""
        self._rows: dict[str, int] = {}
        while True:
            line = packed.readline()
            named = msgspec.json.decode(line, type=dict[str, Any])
            if "rows" in named:
                self._rows = msgspec.convert(named, Tail).rows
                return
            rows = _rows(packed)
            yield msgspec.convert(named, Part), rows
            for _ in rows:
                pass


class SqliteFile:
    """See `Backup`: a store that was begun on SQLite and moves to a server."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def check(self) -> str:
        """Return the schema of its rows; raise StoreError where the file is damaged."""
        with self._connected() as connection:
            found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
            if found != ["ok"]:
                raise StoreError(f"{self._path} is damaged ({found[0]}): take an older one")
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return str(row[0]) if row else ""

    def pour(self, cursor: Cursor, present: Callable[[str], bool]) -> Mapping[str, int]:
        """Copy all rows into the tables of the same names."""
        poured: dict[str, int] = {}
        with self._connected() as connection:
            names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            for table in metadata.sorted_tables:
                if table.name not in names or not present(table.name):
                    continue
                rows = connection.execute(f"SELECT * FROM {table.name}")  # noqa: S608 - a name of our own
                columns = [column[0] for column in rows.description]
                poured[table.name] = 0
                with cursor.copy(_copy("FROM STDIN", table.name, columns)) as copy:
                    for row in rows:
                        copy.write_row(row)
                        poured[table.name] += 1
        return poured

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(f"{self._path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
                yield connection
        except sqlite3.Error as cause:
            raise StoreError(f"{self._path} cannot be read as a store: {cause}") from cause


def _write_all(cursor: Cursor, packed: gzip.GzipFile) -> None:
    version, at = cursor.execute(
        "SELECT version_num, (extract(epoch FROM now()) * 1000)::bigint FROM alembic_version"
    ).fetchall()[0]
    _write_line(packed, Head(kind=FORMAT, schema=version, at=at))
    rows: dict[str, int] = {}
    for table in metadata.sorted_tables:
        columns = [str(column.name) for column in table.columns]
        _write_line(packed, Part(table=str(table.name), columns=columns))
        with cursor.copy(_copy("TO STDOUT", table.name, columns)) as copy:
            for data in copy:
                packed.write(data)
        rows[str(table.name)] = cursor.rowcount
        packed.write(END_OF_TABLE)
    _write_line(packed, Tail(rows=rows))


def _write_line(packed: gzip.GzipFile, line: Struct) -> None:
    packed.write(msgspec.json.encode(line) + b"\n")


def _copy(direction: str, table: str, columns: list[str]) -> sql.Composed:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    return sql.SQL("COPY {} ({}) {}").format(sql.Identifier(table), names, sql.SQL(direction))


def _rows(packed: gzip.GzipFile) -> Iterator[bytes]:
    while (line := packed.readline()) != END_OF_TABLE:
        if not line:
            raise EOFError("it ends too early")
        yield line


@contextmanager
def _opened(path: Path) -> Iterator[tuple[gzip.GzipFile, IO[bytes]]]:
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(number, "wb") as handle, gzip.GzipFile("", "wb", LEVEL, handle, mtime=0) as packed:
        yield packed, handle
