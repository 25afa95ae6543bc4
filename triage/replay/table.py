"""Delimited files (csv, tsv, gzipped or not) as rows with line numbers; damage is a refusal, never an exception."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from triage.errors import IntakeError
from triage.intake.text import show

Row = tuple[int, list[str]]
"""The line a row begins on (from 1, the header is 1) and its cells."""

EMPTY_LINE = "an empty line"
"""Why a line without a cell is refused; whoever reads a file once may pass over it."""

_CELL_LIMIT = 16 * 1024 * 1024
_CHUNK = 16 * 1024


class Refusal(Struct, frozen=True):
    """One input row or line that was not used, with the reason and, where it could be read, the record's id."""

    file: str
    line: int
    record_id: str
    reason: str


class FileCount(Struct, frozen=True):
    """Rows of one file: *rows* read (header apart) = *used* + *refused*."""

    rows: int
    used: int
    refused: int


class Account:
    """What became of every row: the reader counts rows, whoever handles a row counts it used or refused, once."""

    def __init__(self) -> None:
        self.refused: list[Refusal] = []
        self._rows: dict[str, int] = {}
        self._used: dict[str, int] = {}

    def begin(self, file: str) -> None:
        """Open the account of *file*, so that it is counted even where it has no rows."""
        self._rows.setdefault(file, 0)

    def read(self, file: str) -> None:
        """Count one row of *file* as read."""
        self._rows[file] = self._rows.get(file, 0) + 1

    def use(self, file: str) -> None:
        """Count one row of *file* as used."""
        self._used[file] = self._used.get(file, 0) + 1

    def refuse(self, file: str, line: int, record_id: str, reason: str) -> None:
        """Keep the refusal of one row of *file*."""
        self.refused.append(Refusal(file, line, record_id, reason))

    def counts(self) -> dict[str, FileCount]:
        """Return the rows, used and refused of each file, in the order in which they were opened."""
        refused = dict.fromkeys(self._rows, 0)
        for refusal in self.refused:
            refused[refusal.file] = refused.get(refusal.file, 0) + 1
        return {file: FileCount(rows, self._used.get(file, 0), refused[file]) for file, rows in self._rows.items()}


class Table(Struct, frozen=True):
    """
    One file's text with its header read. `damage` says why the file ends early, "" where it is whole.

    `encoding` names what the file is read as where nothing in it says so, "" where it was told or is UTF-8.
    """

    file: str
    columns: tuple[str, ...]
    lines: tuple[str, ...]
    first: int
    delimiter: str
    damage: str = ""
    escaped: bool = False
    encoding: str = ""

    def rows(self, account: Account) -> Iterator[Row]:
        """
        Yield the rows that are whole; refuse in *account* the others: wrong number of cells, broken quotes, bytes that
        are no text, empty lines, a last line cut off. Every row is counted as read either way.
        """
        account.begin(self.file)
        for line, cells, fault in self._parse():
            account.read(self.file)
            fault = fault or self._fault(line, cells)
            if fault:
                account.refuse(self.file, line, "", fault)
            else:
                yield line, cells
        if self.damage:
            account.read(self.file)
            account.refuse(self.file, len(self.lines) + 1, "", self.damage)

    def name_twice(self) -> str:
        """Return a column name that the header holds twice (in any capitals; blanks may repeat), "" for none."""
        folded = [name.casefold() for name in self.columns]
        return next((name for name in self.columns if name and folded.count(name.casefold()) > 1), "")

    def _fault(self, line: int, cells: list[str]) -> str:
        if not cells:
            return EMPTY_LINE
        if len(cells) != len(self.columns):
            cut = line >= len(self.lines) and not self.lines[-1].endswith(("\n", "\r"))
            return (
                f"{len(self.columns)} cells expected, {len(cells)} found{': the last line is cut off' if cut else ''}"
            )
        if self.damage and line >= len(self.lines) and not self.lines[-1].endswith(("\n", "\r")):
            return "the last line is cut off"
        if self.escaped and any(_is_escaped(cell) for cell in cells):
            return "not text in the file's encoding: save the file as UTF-8"
        return ""

    def _parse(self) -> Iterator[tuple[int, list[str], str]]:
        start = self.first
        while start < len(self.lines):
            reader = csv.reader(self.lines[start:], delimiter=self.delimiter, strict=True)
            done = 0
            try:
                for cells in reader:
                    yield start + done + 1, cells, ""
                    done = reader.line_num
                return
            except csv.Error as fault:
                # A stray quote may have swallowed good lines: give up the first line only and read on after it.
                yield start + done + 1, [], f"broken quotes or cells: {fault}"
                start += done + 1


def read_table(path: Path, *, encoding: str = "", delimiter: str = "") -> Table:
    """
    Return the table in *path*: `.gz` is unpacked as far as it is whole; the encoding is the one that its bytes speak
    for (`sniff_encoding`) unless *encoding* says otherwise; comma, semicolon, tab or bar, whichever splits the header
    into most columns.
    """
    csv.field_size_limit(max(csv.field_size_limit(), _CELL_LIMIT))
    data, damage = _read_bytes(path)
    sniffed = "" if encoding else sniff_encoding(data)
    text, escaped = decode_bytes(data, encoding or sniffed)
    lines = tuple(io.StringIO(text, newline=""))
    chosen = delimiter or sniff_delimiter(lines[0] if lines else "")
    columns, first = _read_header(lines, chosen)
    if not columns and not damage:
        damage = "the file is empty: a header line was expected"
    return Table(path.name, columns, lines, first, chosen, damage, escaped, sniffed)


def sniff_encoding(data: bytes) -> str:
    """
    Return what *data* is in where it is neither UTF-8 nor marked: utf-16-le, utf-16-be or cp1252; "" otherwise.

    UTF-8 with single bytes that are no text stays UTF-8, since another encoding would garble its other letters.
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return ""
    header = data[:_CHUNK].partition(b"\n")[0]
    if header.count(0) > len(header) / 3:
        return "utf-16-be" if header.startswith(b"\x00") else "utf-16-le"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        letters = set(data.decode("utf-8", "surrogateescape")) - {"\ufeff"}
        return "" if any(not letter.isascii() and not _is_escaped(letter) for letter in letters) else "cp1252"
    return ""


def decode_bytes(data: bytes, encoding: str = "") -> tuple[str, bool]:
    """
    Return *data* as text, and whether bytes that are no text had to be kept as lone surrogates.

    Raises:
        IntakeError: there is no such *encoding*.
    """
    if not encoding:
        encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding), False
    except UnicodeDecodeError:
        wide = encoding.startswith("utf-16")
        return data.decode(encoding, "replace" if wide else "surrogateescape"), not wide
    except LookupError as cause:
        raise IntakeError(f"{show(encoding)} is not an encoding: write utf-8, cp1252 or utf-16") from cause


def sniff_delimiter(header: str) -> str:
    """Return which of comma, semicolon, tab and bar splits *header* into most columns; comma where none does."""
    return max(",;\t|", key=lambda mark: (header.count(mark), mark == ","))


def _read_header(lines: tuple[str, ...], delimiter: str) -> tuple[tuple[str, ...], int]:
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        return tuple(cell.strip() for cell in next(reader)), reader.line_num
    except (csv.Error, StopIteration):
        return (), len(lines)


def _read_bytes(path: Path) -> tuple[bytes, str]:
    try:
        data = path.read_bytes()
    except OSError as fault:
        return b"", f"cannot be read: {fault.strerror or 'no access'}"
    if data[:2] != b"\x1f\x8b":
        return data, ""
    try:
        return gzip.decompress(data), ""
    except (EOFError, OSError, zlib.error):
        return _unpack(data), "the gzip file is damaged or cut off: what follows could not be read"


def _unpack(data: bytes) -> bytes:
    """Return all that can be had of damaged gzip *data*: chunk by chunk, and the broken chunk byte by byte."""
    found = bytearray()
    unpacker = zlib.decompressobj(wbits=31)
    for start in range(0, len(data), _CHUNK):
        safe = unpacker.copy()
        try:
            found += unpacker.decompress(data[start : start + _CHUNK])
        except zlib.error:
            found += _unpack_bytes(safe, data[start : start + _CHUNK])
            break
    return bytes(found)


def _unpack_bytes(unpacker: zlib._Decompress, chunk: bytes) -> bytes:
    found = bytearray()
    try:
        for at in range(len(chunk)):
            found += unpacker.decompress(chunk[at : at + 1])
    except zlib.error:
        pass
    return bytes(found)


def _is_escaped(cell: str) -> bool:
    return not cell.isascii() and any("\udc80" <= letter <= "\udcff" for letter in cell)
