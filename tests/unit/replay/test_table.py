"""read_table: rows with the line they begin on, damage refused row by row."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from triage.errors import IntakeError
from triage.replay.table import Account, Table, decode_bytes, read_table, sniff_delimiter, sniff_encoding


def _table(folder: Path, data: bytes, name: str = "t.csv") -> Table:
    (folder / name).write_bytes(data)
    return read_table(folder / name)


def _read(table: Table) -> tuple[list[tuple[int, list[str]]], list[str]]:
    account = Account()
    rows = list(table.rows(account))
    count = account.counts()[table.file]
    assert count.rows == len(rows) + count.refused
    return rows, [f"{refusal.line}: {refusal.reason}" for refusal in account.refused]


def test_rows_carry_the_line_they_begin_on(tmp_path: Path) -> None:
    """Also after a cell that spans lines."""
    rows, refused = _read(_table(tmp_path, b'a,b\n1,"x\ny"\n2,z\n'))
    assert rows == [(2, ["1", "x\ny"]), (4, ["2", "z"])]
    assert refused == []


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_line_end_will_do_and_the_last_may_lack(tmp_path: Path, end: str) -> None:
    """Windows, Unix, old Macs."""
    rows, refused = _read(_table(tmp_path, f"a,b{end}1,2".encode()))
    assert (rows, refused) == ([(2, ["1", "2"])], [])


def test_a_stray_quote_costs_one_line_only(tmp_path: Path) -> None:
    """It may not swallow the rest of the file."""
    rows, refused = _read(_table(tmp_path, b'a,b\n1,"x\n2,y\n3,z\n'))
    assert [line for line, _ in rows] == [3, 4]
    assert len(refused) == 1
    assert refused[0].startswith("2: broken quotes")


def test_null_bytes_and_very_long_cells_are_read(tmp_path: Path) -> None:
    """Whoever takes the value decides."""
    rows, _ = _read(_table(tmp_path, b"a,b\n1,\x00" + b"x" * 1_000_000 + b"\n"))
    assert len(rows[0][1][1]) == 1_000_001


def test_a_gzip_with_a_flipped_byte_gives_its_beginning(tmp_path: Path) -> None:
    """And refuses the rest as one."""
    body = "".join(f"{number},{number * 7919 % 1009}\n" for number in range(20_000)).encode()
    packed = bytearray(gzip.compress(b"a,b\n" + body, mtime=0))
    packed[len(packed) // 2] ^= 0x55
    rows, refused = _read(_table(tmp_path, bytes(packed), "t.csv.gz"))
    assert rows[0] == (2, ["0", "0"])
    assert "the gzip file is damaged or cut off" in refused[-1]


def test_a_file_that_is_not_there_is_a_refusal(tmp_path: Path) -> None:
    """It may have gone since the folder was listed."""
    _, refused = _read(read_table(tmp_path / "gone.csv"))
    assert refused == ["1: cannot be read: No such file or directory"]


def test_bytes_are_utf_8_unless_marked_or_told_otherwise() -> None:
    """What cannot be decoded stays recognisable."""
    assert decode_bytes("\u00fc".encode("utf-16")) == ("\u00fc", False)
    assert decode_bytes(b"\xef\xbb\xbf\xc3\xbc") == ("\u00fc", False)
    assert decode_bytes(b"\xfc", "cp1252") == ("\u00fc", False)
    assert decode_bytes(b"\xfc") == ("\udcfc", True)


def test_an_odd_byte_too_few_for_utf_16_is_replaced() -> None:
    """A file cut within a letter."""
    assert decode_bytes(b"\xff\xfea\x00b") == ("a\ufffd", False)


def test_an_encoding_that_does_not_exist_is_refused() -> None:
    """It came from somebody's command line."""
    with pytest.raises(IntakeError, match="'utf-9' is not an encoding"):
        decode_bytes(b"a", "utf-9")


@pytest.mark.parametrize(("header", "mark"), [("a,b", ","), ("a;b,c;d", ";"), ("a\tb", "\t"), ("a|b", "|"), ("a", ",")])
def test_the_delimiter_is_what_splits_the_header_most(header: str, mark: str) -> None:
    """A comma where nothing does."""
    assert sniff_delimiter(header) == mark


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b"", ""),
        ("a,ö\n".encode(), ""),
        ("a,ö\n".encode("utf-8-sig"), ""),
        ("a,ö\n".encode("utf-16"), ""),
        ("a,ö\n".encode("utf-16-le"), "utf-16-le"),
        ("a,ö\n".encode("utf-16-be"), "utf-16-be"),
        ("a,ö\n".encode("cp1252"), "cp1252"),
        ("ä\n".encode() + b"\xf6\n", ""),
    ],
)
def test_the_encoding_is_the_one_that_the_bytes_speak_for(data: bytes, encoding: str) -> None:
    """Damage within UTF-8 does not make it another encoding."""
    assert sniff_encoding(data) == encoding
