"""Zones come from the pinned package alone, as segments of constant offset."""

from __future__ import annotations

import itertools
import os
import shutil
import struct
import subprocess
import sys
from importlib.resources import as_file, files
from pathlib import Path

import pytest

from triage.calendars.zones import (
    TZDATA_VERSION,
    load_zone,
    offset_at,
    segments_between,
    unknown_zone,
    year_start,
    zone_names,
)
from triage.domain.instant import DAY, HOUR, MINUTE, parse_instant
from triage.errors import ConfigError

_LEAK = """
from datetime import datetime, timezone
from zoneinfo import ZoneInfo
from triage.calendars.zones import load_zone, offset_at
noon = datetime(2026, 7, 1, 12, tzinfo=timezone.utc)
print(noon.astimezone(ZoneInfo("Europe/London")).hour, offset_at(load_zone("Europe/London"), 1782907200000))
"""


def test_the_systems_own_zone_data_cannot_leak_in(tmp_path: Path) -> None:
    """With a system whose London is Tokyo, Python's own zone is wrong and ours is right."""
    (tmp_path / "Europe").mkdir()
    with as_file(files("tzdata").joinpath("zoneinfo", "Asia", "Tokyo")) as tokyo:
        shutil.copy(tokyo, tmp_path / "Europe" / "London")
    root = Path(__file__).resolve().parents[3]
    environment = {**os.environ, "PYTHONTZPATH": str(tmp_path), "TZ": "Asia/Tokyo"}
    done = subprocess.run(
        [sys.executable, "-c", _LEAK], cwd=root, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["21", str(HOUR)]


def test_segments_tile_the_years_without_gap() -> None:
    for name in ("Europe/London", "Pacific/Apia", "Africa/Casablanca", "UTC"):
        at = year_start(2009)
        for begin, finish, _ in segments_between(name, 2009, 2014):
            assert begin == at < finish
            at = finish
        assert at == year_start(2014)


def test_segments_change_at_the_second_of_the_transition() -> None:
    changes = [begin for begin, _, _ in segments_between("Europe/London", 2026, 2027)][1:]
    assert changes == [parse_instant("2026-03-29T01:00:00Z"), parse_instant("2026-10-25T01:00:00Z")]


def test_segments_know_half_hours_and_a_skipped_day() -> None:
    lord_howe = {offset for _, _, offset in segments_between("Australia/Lord_Howe", 2026, 2027)}
    assert lord_howe == {10 * HOUR + 30 * MINUTE, 11 * HOUR}
    apia = [offset for _, _, offset in segments_between("Pacific/Apia", 2011, 2012)]
    assert max(apia) - min(apia) > 23 * HOUR


def test_no_zone_changes_its_offset_twice_within_a_day() -> None:
    """The daily look at each zone rests on this: read every transition of every zone file since 1970."""
    shortest = min(
        later - earlier
        for name in zone_names()
        for times in (_transitions(name),)
        for earlier, later in itertools.pairwise(times)
    )
    assert shortest * 1000 > DAY


def test_an_unknown_zone_is_refused_with_near_names() -> None:
    with pytest.raises(ConfigError, match="unknown time zone 'Europe/Londn': did you mean 'Europe/London'"):
        load_zone("Europe/Londn")


@pytest.mark.parametrize(
    ("written", "meant"),
    [("europe/london", "Europe/London"), ("New York", "America/New_York"), ("tokyo", "Asia/Tokyo")],
)
def test_a_zone_written_loosely_is_suggested_and_never_guessed(written: str, meant: str) -> None:
    assert f"did you mean '{meant}'" in unknown_zone(written)
    with pytest.raises(ConfigError):
        load_zone(written)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "/etc/localtime", "zzzzzz", "Europe", "\0"])
def test_a_name_that_is_no_zone_never_reaches_the_files(name: str) -> None:
    with pytest.raises(ConfigError, match="unknown time zone"):
        load_zone(name)


def test_the_version_is_that_of_the_package() -> None:
    assert TZDATA_VERSION[:2] == "20"
    assert offset_at(load_zone("America/New_York"), 0) == -5 * HOUR


def _transitions(name: str) -> list[int]:
    """Return the transition times since 1970 of a zone file's 64-bit block."""
    data = files("tzdata").joinpath("zoneinfo", *name.split("/")).read_bytes()
    is_utc, is_std, leap, times, types, chars = struct.unpack(">6l", data[20:44])
    second = 44 + times * 5 + types * 6 + chars + leap * 8 + is_std + is_utc
    (count,) = struct.unpack(">l", data[second + 32 : second + 36])
    return [at for at in struct.unpack(f">{count}q", data[second + 44 : second + 44 + count * 8]) if at >= 0]
