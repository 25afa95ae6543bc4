"""One file of any of the usual kinds as a frame whose columns are numbers, text or instants. Never guesses an order."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as parquet

from training.spelled import is_dressed, read_spelled
from triage.errors import IntakeError
from triage.intake.text import show

_MISSING = ["", "NaN", "nan", "null", "NULL", "N/A", "n/a", "#N/A", "<NA>", "NaT"]
_SAMPLE = 200
_TOLD = re.compile(r"sep=.\r?\n", re.IGNORECASE)


@dataclass
class RawFile:
    """One file as read: its frame, what was assumed, and how to name the place of a row to a person."""

    path: Path
    frame: pd.DataFrame
    notes: list[str] = field(default_factory=list)
    lines: Sequence[int] | None = None
    delimiter: str = ""
    encoding: str = "utf-8"

    def place(self, row: int) -> str:
        """Return where *row* (from 0) stands: file and line, or file and row where a file has no lines."""
        if self.lines is not None:
            return f"{self.path.name}, line {self.lines[row]}"
        if not self.delimiter:
            return f"{self.path.name}, row {row + 1}"
        return f"{self.path.name}, line {_line_of(self.path, row, self.delimiter, self.encoding)}"


def read_file(path: Path) -> RawFile:
    """
    Return the table in *path*, told apart by its bytes: parquet, JSON lines, else delimited text; gzip is unpacked.

    Raises:
        IntakeError: it cannot be read, is no table, or has no row; a broken line is named.
    """
    data = _bytes(path)
    if data[:4] == b"PAR1":
        raw = _read_parquet(path, data)
    else:
        text, encoding = _decode(path, data)
        raw = _read_any(path, text, encoding)
        if encoding not in ("utf-8", "utf-8-sig"):
            raw.notes.append(f"{path.name} is not UTF-8: read as {encoding}")
    if not len(raw.frame):
        raise IntakeError(f"{path.name}: the table has no rows")
    twice = raw.frame.columns[raw.frame.columns.duplicated()]
    if len(twice):
        raise IntakeError(f"{path.name}: the header names column {show(str(twice[0]))} twice")
    raw.frame = pd.DataFrame(
        {str(name): _typed(raw.frame[name], written=bool(raw.delimiter)) for name in raw.frame.columns}
    )
    return raw


def read_columns(columns: dict[str, list[Any]]) -> pd.DataFrame:
    """Return cells of text (None is missing) as a frame of columns typed as those of a delimited file are."""
    return pd.DataFrame(
        {name: _typed(pd.Series(cells, dtype="object"), written=True) for name, cells in columns.items()}
    )


def _bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as fault:
        raise IntakeError(f"{path}: cannot be read: {fault.strerror or 'no access'}") from fault
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (EOFError, OSError, zlib.error) as fault:
            raise IntakeError(f"{path.name}: the gzip file is damaged or cut off") from fault
    if not data.strip():
        raise IntakeError(f"{path.name}: the file is empty")
    return data


def _decode(path: Path, data: bytes) -> tuple[str, str]:
    marks = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb": "utf-8-sig"}
    for encoding in (marks.get(data[:2], "utf-8"), "cp1252", "latin-1"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" in text[:10_000]:
            raise IntakeError(f"{path.name}: no table: neither text nor parquet (save it as csv in UTF-8)")
        return text, encoding
    raise IntakeError(f"{path.name}: cannot be read as text")


def _read_parquet(path: Path, data: bytes) -> RawFile:
    try:
        table = parquet.read_table(io.BytesIO(data))
    except (pa.ArrowException, OSError) as fault:
        raise IntakeError(f"{path.name}: the parquet file is damaged: {str(fault).splitlines()[0]}") from fault
    frame = table.to_pandas()
    # A slice of a frame keeps the row numbers it had there; only an index with a name is a column of the table.
    return RawFile(path, frame.reset_index(drop=frame.index.name is None))


def _read_any(path: Path, text: str, encoding: str) -> RawFile:
    start = text.lstrip()[:1]
    if start == "[":
        return _read_array(path, text)
    return _read_lines(path, text) if start == "{" else _read_delimited(path, text, encoding)


def _read_array(path: Path, text: str) -> RawFile:
    try:
        rows = msgspec.json.decode(text, type=list[dict[str, Any]])
    except msgspec.DecodeError as fault:
        raise IntakeError(f"{path.name}: no JSON array of objects: {fault}") from fault
    return _of_objects(path, rows, None)


def _read_lines(path: Path, text: str) -> RawFile:
    rows: list[dict[str, Any]] = []
    lines: list[int] = []
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            rows.append(decode(line))
        except msgspec.DecodeError as fault:
            raise IntakeError(f"{path.name}, line {number}: no JSON object: {fault}") from fault
        lines.append(number)
    return _of_objects(path, rows, lines)


def _of_objects(path: Path, rows: list[dict[str, Any]], lines: list[int] | None) -> RawFile:
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: [_flat(row.get(name)) for row in rows] for name in names}
    return RawFile(
        path, pd.DataFrame({name: pd.Series(cells, dtype="object") for name, cells in columns.items()}), lines=lines
    )


def _flat(cell: Any) -> Any:
    return msgspec.json.encode(cell).decode() if isinstance(cell, (dict, list)) else cell


def _read_delimited(path: Path, text: str, encoding: str) -> RawFile:
    text = _rows_of(text)
    delimiter, names = _header(text)
    bad: list[str] = []

    def refuse(row: arrow_csv.InvalidRow) -> str:
        bad.append(f"{row.actual_columns} cells where the header has {row.expected_columns}: {show(row.text)}")
        return "skip"

    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise IntakeError(f"{path.name}: the header names column {show(twice[0])} twice")
    try:
        table = arrow_csv.read_csv(
            io.BytesIO(text.encode("utf-8", "surrogatepass")),
            read_options=arrow_csv.ReadOptions(column_names=names, skip_rows_after_names=1, block_size=1 << 24),
            parse_options=arrow_csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=refuse
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types={name: pa.string() for name in names},
                null_values=_MISSING,
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
                check_utf8=False,
            ),
        )
    except pa.ArrowInvalid as fault:
        raise IntakeError(f"{path.name}: no table: {str(fault).splitlines()[0]}") from fault
    if bad:
        raise IntakeError(f"{path.name}: {len(bad)} broken line{'s' * (len(bad) > 1)}; the first has {bad[0]}")
    return RawFile(path, table.to_pandas(), delimiter=delimiter, encoding=encoding)


def _rows_of(text: str) -> str:
    """Return *text* from its header on: without a mark of order, and the line by which Excel is told the separator."""
    text = text.lstrip("\ufeff")
    if "\n" not in text:
        text = text.replace("\r", "\n")
    told = _TOLD.match(text)
    return text[told.end() :] if told else text


def _header(text: str) -> tuple[str, list[str]]:
    """Return the separator and the names of the columns; a name may hold line breaks."""
    header, _, rest = text.partition("\n")
    while header.count('"') % 2 and rest:
        more, _, rest = rest.partition("\n")
        header = f"{header}\n{more}"
    delimiter = max(",;\t|", key=lambda mark: (header.count(mark), mark == ","))
    cells = next(csv.reader(io.StringIO(header.rstrip("\r"), newline=""), delimiter=delimiter), [])
    return delimiter, [cell.strip() or f"column_{at}" for at, cell in enumerate(cells, 1)]


def _line_of(path: Path, row: int, delimiter: str, encoding: str) -> int:
    """Return the line on which data row *row* begins; cells may hold line breaks, so lines are counted anew."""
    text = _bytes(path).decode(encoding)
    told = len(text.lstrip("\ufeff")) - len(_rows_of(text))
    reader = csv.reader(io.StringIO(_rows_of(text), newline=""), delimiter=delimiter)
    begin = 1
    for number, _ in enumerate(reader):
        if number == row + 1:
            return begin + bool(told)
        begin = reader.line_num + 1
    return begin


def _typed(column: pd.Series, *, written: bool) -> pd.Series:
    """Return *column* as numbers, text or instants; text is read for what it says only where a file knows no types."""
    kind = column.dtype.kind
    if kind == "M":
        return column.astype("datetime64[ms]" if column.dt.tz is None else "datetime64[ms, UTC]")
    if kind == "m":
        return column.dt.total_seconds()
    if kind == "b":
        words = column.astype("object").map({True: "true", False: "false"}, na_action="ignore")
        return words.astype("str").where(column.notna())
    if kind in "iuf":
        # Columns that may lack values, and whole numbers beyond 64 bits, are floats; all others keep every digit.
        whole = kind != "f" and bool(column.notna().all()) and not (kind == "u" and bool((column > 2**62).any()))
        return column.astype("int64") if whole else column.astype("float64")
    return _typed_text(column, written)


def _typed_text(column: pd.Series, written: bool) -> pd.Series:
    present = column.dropna()
    if not len(present):
        return _empty(column)
    kinds = {type(cell) for cell in present.iloc[:1000]}
    if kinds <= {bool}:
        return column.map({True: "true", False: "false"}, na_action="ignore").astype("str").where(column.notna())
    if kinds <= {int, float}:
        return pd.to_numeric(column, errors="coerce")
    if kinds <= {int, float, Decimal}:
        return column.map(float, na_action="ignore").astype("float64")
    text = column.map(_plain, na_action="ignore").astype("str").where(column.notna())
    text = text.where(text.str.strip() != "")
    if text.isna().all():
        return _empty(column)
    sample = text.dropna().iloc[:: max(1, len(present) // _SAMPLE)].str.strip()
    if written and _numeric(sample):
        numbers = pd.to_numeric(text, errors="coerce")
        if bool((numbers.notna() == text.notna()).all()):
            return numbers
    if set(sample.str.casefold()) <= {"true", "false"}:
        lower = text.str.strip().str.casefold()
        return lower if bool(lower.dropna().isin(["true", "false"]).all()) else text
    spelled = read_spelled(text) if written or is_dressed(text) else None
    return text if spelled is None else spelled


def _empty(column: pd.Series) -> pd.Series:
    return pd.Series(np.full(len(column), np.nan), index=column.index)


def _numeric(sample: pd.Series) -> bool:
    """Return whether *sample* reads as numbers that keep their spelling: `007` and 20 digits are codes, no numbers."""
    codes = sample.str.match(r"[+-]?(?:0\d|\d{20})")
    return not bool(codes.any()) and bool(pd.to_numeric(sample, errors="coerce").notna().all())


def _plain(cell: Any) -> str:
    """Return *cell* as text that can be written again: nested values as JSON, bytes with their odd ones marked."""
    if isinstance(cell, str):
        return cell if cell.isascii() else cell.encode("utf-8", "replace").decode("utf-8")
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "backslashreplace")
    if isinstance(cell, (dict, list, tuple, np.ndarray)):
        return msgspec.json.encode(cell.tolist() if isinstance(cell, np.ndarray) else cell, enc_hook=str).decode()
    return str(cell)
