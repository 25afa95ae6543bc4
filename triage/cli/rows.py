"""The records of a file that somebody hands to a command: csv, JSON lines, a JSON array or parquet; gzip too."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as parquet

from triage.errors import IntakeError
from triage.intake.text import show
from triage.replay.table import EMPTY_LINE, Account, read_table

Record = dict[str, Any]

_LINES = frozenset({".jsonl", ".ndjson"})
_JSON = frozenset({".json", *_LINES})


class Rows(NamedTuple):
    """What a file has: the names of its columns, in order, and its records."""

    columns: tuple[str, ...]
    records: list[Record]


def read_rows(file: Path) -> Rows:
    """Return the records of *file*, told apart by its bytes; raise IntakeError, naming file and line."""
    data = file.read_bytes()
    if data[:4] == b"PAR1":
        return _parquet_rows(file, data)
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError) as cause:
            raise IntakeError(f"{file}: a damaged gzip file") from cause
    start = data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if not start:
        raise IntakeError(f"{file}: the file is empty")
    if start in b"{[" or _JSON.intersection(file.suffixes):
        return _named(_json_records(file, data))
    return _csv_rows(file)


def _named(records: list[Record]) -> Rows:
    """Return *records* with the names of all that says something in one of them."""
    names = {name: None for record in records for name, value in record.items() if value is not None}
    return Rows(tuple(names), records)


def _parquet_rows(file: Path, data: bytes) -> Rows:
    try:
        table = parquet.read_table(pa.BufferReader(data))
        return Rows(tuple(table.column_names), table.to_pylist())
    except (pa.ArrowException, OSError) as cause:
        raise IntakeError(f"{file}: the parquet file is damaged: {str(cause).splitlines()[0]}") from cause


def _json_records(file: Path, data: bytes) -> list[Record]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as cause:
        raise IntakeError(f"{file}: JSON that is no UTF-8 text") from cause
    if text.lstrip()[0] == "[" and _LINES.isdisjoint(file.suffixes):
        return _array(file, text)
    # Not at every line end that Unicode knows: some may stand within a JSON string.
    return [_record(f"{file}, line {number}", line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]


def _array(file: Path, text: str) -> list[Record]:
    try:
        found = msgspec.json.decode(text, type=list[msgspec.Raw])
    except msgspec.MsgspecError as cause:
        raise IntakeError(f"{file}: not a JSON array of objects: {cause}") from cause
    return [_record(f"{file}, item {number}", bytes(one)) for number, one in enumerate(found, 1)]


def _record(place: str, text: str | bytes) -> Record:
    try:
        found: Record = msgspec.json.decode(text, type=Record)
    except msgspec.MsgspecError as cause:
        raise IntakeError(f"{place}: not a JSON object: {cause}") from cause
    return found


def _csv_rows(file: Path) -> Rows:
    """Read a table as a replay does, whatever its delimiter and encoding; but a row that it would leave out ends it."""
    table, account = read_table(file), Account()
    if twice := table.name_twice():
        raise IntakeError(f"{file}: the header names {show(twice)} twice")
    found = [
        {name: cell for name, cell in zip(table.columns, cells, strict=True) if name and cell}
        for _, cells in table.rows(account)
    ]
    for refused in account.refused:
        if refused.reason != EMPTY_LINE:
            raise IntakeError(f"{file}, line {refused.line}: {refused.reason}")
    return Rows(tuple(name for name in table.columns if name), found)
