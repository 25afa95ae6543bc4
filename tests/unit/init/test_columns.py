"""look_at: what a column holds, and what about it stays open."""

from __future__ import annotations

from pathlib import Path

import pytest

from triage.init.columns import Column, look_at, with_past_values
from triage.replay.table import read_table


def _column(folder: Path, header: str, *values: str) -> Column:
    path = folder / "t.csv"
    path.write_text("\n".join([f'"{header}"|x', *(f'"{value}"|' for value in values), ""]), encoding="utf-8")
    return look_at(read_table(path))[0]


@pytest.mark.parametrize(
    ("header", "values", "kind"),
    [
        ("a", ("2026-01-31T09:00:00Z", "2026-01-31 09:00+01:00"), "datetime"),
        ("a", ("2026-01-31 09:00",), "datetime"),
        ("a", ("2026-01-31",), "date"),
        ("a", ("31.12.2025 14:05",), "datetime"),
        ("a", ("12/31/2025",), "date"),
        ("a", ("true", "FALSE"), "boolean"),
        ("IsVip", ("1", "0"), "boolean"),
        ("Seats", ("1", "0"), "integer"),
        ("OwnerId", ("0055g0B2EDIRMsBA0X", "0055g0JkgTtla36ASA"), "reference"),
        ("Used", ("80%", "12.5 %"), "percent"),
        ("Probability", ("80", "10"), "percent"),
        ("Price", ("$12.50", "$3"), "money"),
        ("Amount (EUR)", ("12.50", "3"), "money"),
        ("Seats", ("12", "3"), "integer"),
        ("Score", ("1.5", "3"), "number"),
        ("Number", ("00012", "00013"), "text"),
        ("Age (Hours)", ("12", "3"), "duration"),
        ("Handling time", ("12", "3"), "duration"),
        ("Took", ("1h 30m", "2d"), "duration"),
        ("Status", ("New", "Closed", "New", "closed"), "picklist"),
        ("Tags", ("a;b", "b", "a"), "multipicklist"),
        ("Subject", ("Printer", "Screen", "Mouse"), "text"),
        ("When", ("31.12.25", "30.12.25"), "text"),
        ("When", ("31.12.2025", "12.31.2025"), "text"),
    ],
)
def test_the_type_of_a_column_is_what_its_values_are(
    tmp_path: Path, header: str, values: tuple[str, ...], kind: str
) -> None:
    """Helped by the header where numbers alone do not say."""
    assert _column(tmp_path, header, *values).type == kind


def test_instants_without_a_zone_are_naive(tmp_path: Path) -> None:
    """Also where only some name one."""
    assert not _column(tmp_path, "a", "2026-01-31T09:00:00Z").naive
    assert _column(tmp_path, "a", "2026-01-31 09:00").naive
    mixed = _column(tmp_path, "a", "2026-01-31 09:00", "2026-01-31T09:00:00Z")
    assert mixed.naive
    assert mixed.notes == ("some instants name a zone, others do not",)


@pytest.mark.parametrize(
    ("values", "orders"),
    [
        (("31.12.2025",), ("DMY",)), (("12/31/2025",), ("MDY",)), (("2025/12/31",), ("YMD",)),
        (("05.12.2025", "06.12.2025"), ("DMY", "MDY")), (("05.12.2025", "13.12.2025"), ("DMY",)),
    ],
)  # fmt: skip
def test_the_date_orders_are_those_that_fit_every_value(
    tmp_path: Path, values: tuple[str, ...], orders: tuple[str, ...]
) -> None:
    """One day above twelve decides."""
    assert _column(tmp_path, "a", *values).orders == orders


def test_a_unit_is_read_from_the_header_or_left_open(tmp_path: Path) -> None:
    """Numbers that last have one; nobody may guess it."""
    assert _column(tmp_path, "Age (Minutes)", "12").unit == "m"
    assert _column(tmp_path, "Age", "12").unit_open
    assert _column(tmp_path, "Probability", "0.2").unit_open
    assert _column(tmp_path, "Probability", "20").unit == "percent"


def test_numbers_with_a_lone_comma_are_noted(tmp_path: Path) -> None:
    """They would be dropped one by one."""
    assert "ambiguous" in _column(tmp_path, "Score", "1,5", "2,5").notes[0]


def test_an_odd_value_among_many_is_noted(tmp_path: Path) -> None:
    """It will be missing, with a warning."""
    column = _column(tmp_path, "a", *["2026-01-31"] * 40, "soon")
    assert (column.type, column.notes) == ("date", ("1 of 41 values cannot be read as such",))


def test_empty_cells_and_words_for_nothing_do_not_count(tmp_path: Path) -> None:
    """`NULL` is no value."""
    column = _column(tmp_path, "a", "1", "", "NULL", "n/a")
    assert (column.type, column.filled, column.rows) == ("integer", 1, 4)
    assert _column(tmp_path, "a", "", "NULL").notes == ("always empty",)


def test_spellings_that_differ_by_case_are_one_value(tmp_path: Path) -> None:
    """The field map refuses both."""
    assert _column(tmp_path, "a", "New", "new", "NEW", "Old").values == ("NEW", "Old")


def test_values_that_only_history_knows_are_added(tmp_path: Path) -> None:
    """Too many of them, and the column is text."""
    column = _column(tmp_path, "Status", "Closed", "Closed")
    for count, kind in ((2, "picklist"), (60, "text")):
        path = tmp_path / "h.csv"
        rows = "".join(f"Status,v{number},closed\n" for number in range(count))
        path.write_text(f"Field,OldValue,NewValue\n{rows}", encoding="utf-8")
        (after,) = with_past_values([column], read_table(path))
        assert after.type == kind
        assert after.values == (("Closed", "v0", "v1") if kind == "picklist" else ())


def test_a_history_without_its_columns_changes_nothing(tmp_path: Path) -> None:
    """It is no history."""
    column = _column(tmp_path, "Status", "Closed", "Closed")
    assert with_past_values([column], read_table(tmp_path / "t.csv")) == (column,)
