"""Instants and dates as people write them, in the zones of the tzdata package."""

from __future__ import annotations

import pytest

from triage.domain.instant import parse_instant
from triage.errors import IntakeError, NaiveTimeError
from triage.intake.instants import date_order_of, day_text, load_zone, read_date, read_instant


def test_zones_come_from_the_package_and_are_kept() -> None:
    """The system's zones may be older, or absent."""
    assert load_zone("Europe/Berlin") is load_zone("Europe/Berlin")
    assert load_zone("America/Argentina/Buenos_Aires").key == "America/Argentina/Buenos_Aires"


@pytest.mark.parametrize(
    "name", ["", "Berlin", "europe", "/etc/passwd", "Europe/../UTC", "__init__.py", "Europe", "a" * 5000]
)
def test_a_name_that_is_no_zone_is_refused(name: str) -> None:
    """Nor is a path out of the package."""
    with pytest.raises(IntakeError, match="not a time zone"):
        load_zone(name)


@pytest.mark.parametrize(
    ("text", "zone", "instant"),
    [
        ("2026-03-29 01:59:59", "Europe/Berlin", "2026-03-29T00:59:59Z"),
        ("2026-03-29 03:00", "Europe/Berlin", "2026-03-29T01:00:00Z"),
        ("2026-10-25 02:30", "Europe/Berlin", "2026-10-25T00:30:00Z"),
        ("2026-10-25 03:00", "Europe/Berlin", "2026-10-25T02:00:00Z"),
        ("2026-04-05 01:45", "Australia/Lord_Howe", "2026-04-04T14:45:00Z"),
        ("2026-01-31", "Asia/Kathmandu", "2026-01-30T18:15:00Z"),
        ("2026-01-31T09:00:00.123456+05:45", "Europe/Berlin", "2026-01-31T03:15:00.123Z"),
    ],
)
def test_local_times_around_transitions(text: str, zone: str, instant: str) -> None:
    """The earlier of two; a zone in the text beats the column's."""
    assert read_instant(text, zone=zone) == parse_instant(instant)


@pytest.mark.parametrize("text", ["2026-03-29 02:00", "2026-03-29 02:59:59.999"])
def test_a_local_time_in_the_gap_is_refused(text: str) -> None:
    """Clocks showed no such time."""
    with pytest.raises(IntakeError, match="never happened in Europe/Berlin"):
        read_instant(text, zone="Europe/Berlin")


@pytest.mark.parametrize(
    "text", ["2026-01-31T0000000Z", "2026-W05-6T00:00Z", "2026-01-31x00:00Z", "26-01-31", "now", ""]
)
def test_odd_shapes_are_no_instants(text: str) -> None:
    """Python's reader would take some of them."""
    with pytest.raises(IntakeError) as caught:
        read_instant(text, zone="UTC")
    assert not isinstance(caught.value, NaiveTimeError)


def test_a_day_begins_when_its_clocks_do() -> None:
    """Where midnight was skipped, the first instant that there was."""
    assert read_date("2026-04-24", zone="Africa/Cairo") == parse_instant("2026-04-23T22:00:00Z")
    assert day_text(read_date("2026-04-24", zone="Africa/Cairo"), "Africa/Cairo") == "2026-04-24"
    assert day_text(read_date("2026-04-24")) == "2026-04-24"


@pytest.mark.parametrize(
    ("values", "order"),
    [
        (["31/12/2025", "01/02/2025"], "DMY"),
        (["12/31/2025 9:00 PM", None], "MDY"),
        (["01.02.2025", ""], "DMY"),
        (["01/02/2025"], ""),
        (["31/12/2025", "12/31/2025"], ""),
        (["2025-12-31", 7], ""),
        ([], ""),
    ],
)
def test_the_order_of_dates_is_what_a_column_proves(values: list[object], order: str) -> None:
    """Dots stand in dates that begin with the day; slashes prove nothing of themselves."""
    assert date_order_of(values) == order
