"""Time zones from the pinned `tzdata` package only, as segments of constant offset."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import lru_cache
from importlib.metadata import version
from importlib.resources import files
from zoneinfo import ZoneInfo

from triage.domain.instant import DAY, SECOND
from triage.errors import ConfigError

Segment = tuple[int, int, int]
"""From and until in ms UTC, half-open, and the offset of local wall time from UTC in ms."""

TZDATA_VERSION = version("tzdata")


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Return every zone name that the pinned package knows."""
    return frozenset(files("tzdata").joinpath("zones").read_text("utf-8").split())


@lru_cache(maxsize=1024)
def load_zone(name: str) -> ZoneInfo:
    """
    Return the zone *name* as the pinned package has it, whatever the system's own data say.

    Raises:
        ConfigError: no such zone; the text suggests near names.
    """
    if name not in zone_names():
        raise ConfigError(unknown_zone(name))
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as stream:
        return ZoneInfo.from_file(stream, key=name)


def unknown_zone(name: str) -> str:
    """Return the sentence that refuses *name*, with up to three names that may have been meant."""
    folded = name.strip().casefold().replace(" ", "_")
    by_folded = {known.casefold(): known for known in sorted(zone_names())}
    near = [known for key, known in by_folded.items() if folded and (key == folded or key.endswith(f"/{folded}"))]
    near += [by_folded[key] for key in get_close_matches(folded, by_folded, n=3, cutoff=0.6)]
    hint = " or ".join(repr(known) for known in dict.fromkeys(near[:3]))
    return f"unknown time zone {name!r}" + (f": did you mean {hint}?" if hint else ": write one like 'Europe/London'")


@lru_cache(maxsize=4096)
def year_start(year: int) -> int:
    """Return the first instant of *year* in UTC, in ms."""
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * SECOND


def segments_between(name: str, first_year: int, last_year: int) -> Iterator[Segment]:
    """Yield the constant-offset segments of zone *name* that tile the UTC years *first_year* to before *last_year*."""
    for year in range(first_year, last_year):
        yield from _segments_of_year(name, year)


@lru_cache(maxsize=16384)
def _segments_of_year(name: str, year: int) -> tuple[Segment, ...]:
    zone = load_zone(name)
    begin, finish = year_start(year), year_start(year + 1)
    offset = offset_at(zone, begin)
    found: list[Segment] = []
    # One look a day suffices: no zone changes its offset twice within a day (a test reads every zone file for it).
    for probe in range(begin + DAY, finish + 1, DAY):
        later = offset_at(zone, probe)
        if later != offset:
            change = _first_change(zone, probe - DAY, probe, offset)
            found.append((begin, change, offset))
            begin, offset = change, later
    if begin < finish:
        found.append((begin, finish, offset))
    return tuple(found)


def _first_change(zone: ZoneInfo, before: int, after: int, offset: int) -> int:
    while after - before > SECOND:
        middle = (before + after) // (2 * SECOND) * SECOND
        if offset_at(zone, middle) == offset:
            before = middle
        else:
            after = middle
    return after


def offset_at(zone: ZoneInfo, instant: int) -> int:
    """Return how far local wall time is ahead of UTC at *instant*, in ms."""
    offset = datetime.fromtimestamp(instant // SECOND, zone).utcoffset()
    return 0 if offset is None else (offset.days * 86_400 + offset.seconds) * SECOND
