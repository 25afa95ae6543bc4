"""Instants and dates as text of any declared order and zone, in milliseconds UTC. Zones come from `tzdata` only."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from functools import lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

from triage.domain.instant import format_instant, from_datetime, parse_instant, to_datetime
from triage.errors import IntakeError, NaiveTimeError
from triage.intake.text import show

EARLIEST = -2_208_988_800_000
LATEST = 7_258_118_400_000
"""1900-01-01 and 2200-01-01: what lies outside is a typing error or a placeholder, never an instant of work."""
EPOCH_SECONDS = (3e8, 5e9)
"""Plain numbers between are seconds of the epoch (1979 to 2128), not milliseconds."""

_ZONE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){0,2}")
_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_ISO = re.compile(
    r"\d{4}-?\d{2}-?\d{2}(?:[T ]\d{2}(?::?\d{2}(?::?\d{2}(?:[.,]\d{1,12})?)?)?\s*(?:[Zz]|[+-]\d{2}(?::?\d{2})?)?)?",
    re.ASCII,
)
_SPACE_BEFORE_ZONE = re.compile(r"\s+(?=(?:[Zz]|[+-]\d{2}:?\d{2})$)")
_PLAIN = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?Z", re.ASCII)
_ORDERED = re.compile(
    r"(\d{1,4})[./-](\d{1,2})[./-](\d{1,4})"
    r"(?:(?:,?\s+|T)(\d{1,2})[:.](\d{2})(?:[:.](\d{2})(?:\.\d+)?)?(?:\s*([AaPp])\.?[Mm]\.?)?)?",
    re.ASCII,
)
_YEAR_LAST = re.compile(r"\s*(\d{1,2})([./-])(\d{1,2})\2\d{4}\b", re.ASCII)


@lru_cache(maxsize=1024)
def load_zone(name: str) -> ZoneInfo:
    """Return the zone *name* from the pinned `tzdata` package; raise IntakeError where it has none of that name."""
    if not _ZONE_NAME.fullmatch(name):
        raise IntakeError(f"{show(name)} is not a time zone: write Europe/Berlin")
    source = resources.files("tzdata").joinpath("zoneinfo", *name.split("/"))
    try:
        with source.open("rb") as file:
            return ZoneInfo.from_file(file, key=name)
    except (OSError, ValueError) as cause:
        raise IntakeError(f"{show(name)} is not a time zone: write Europe/Berlin") from cause


def read_instant(text: str, *, zone: str = "", date_order: str = "") -> int:
    """
    Return the instant that *text* names, in ms UTC.

    Text with a zone of its own is ISO 8601. Text without one is local time of *zone*; `31.12.2025 14:05` also needs
    *date_order* (DMY, MDY or YMD). A day alone is its local midnight. Of a local time that happens twice (clocks put
    back) the earlier instant is taken; one that never happens (clocks put forward) is refused.

    Raises:
        NaiveTimeError: neither *text* nor the column names a zone.
        IntakeError: no instant of the years 1900 to 2199, or one that never happened.
    """
    if _PLAIN.fullmatch(text):
        return within_years(parse_instant(text), text)
    stripped = text.strip()
    ordered = _ORDERED.fullmatch(stripped)
    if ordered and not _ISO_DAY.match(stripped):
        local = _read_ordered(ordered, stripped, date_order)
    else:
        local = _read_iso(stripped)
    if local.tzinfo is not None:
        return within_years(from_datetime(local), stripped)
    if not zone:
        raise NaiveTimeError(f"{show(text)} has no zone: write it with Z or +01:00, or declare the column's zone")
    instant = _at_zone(local, load_zone(zone))
    if to_datetime(instant).astimezone(load_zone(zone)).replace(tzinfo=None, fold=0) != _whole_millis(local):
        raise IntakeError(f"{show(text)} never happened in {zone}: clocks were put forward over it")
    return within_years(instant, stripped)


def read_date(text: str, *, zone: str = "", date_order: str = "") -> int:
    """
    Return the first instant of the day that *text* names, in *zone* (default UTC), in ms UTC.

    Text with a time and a zone of its own stands for the day it falls on in *zone*.

    Raises:
        IntakeError: no day of the years 1900 to 2199, or one that *zone* skipped.
    """
    stripped = text.strip()
    within = load_zone(zone or "UTC")
    ordered = _ORDERED.fullmatch(stripped)
    moment = _read_ordered(ordered, stripped, date_order) if ordered and not _ISO_DAY.match(stripped) else None
    moment = moment or _read_iso(stripped)
    if moment.tzinfo is not None:
        moment = moment.astimezone(within)
    day = moment.date()
    instant = within_years(_at_zone(datetime.combine(day, time()), within), stripped)
    if to_datetime(instant).astimezone(within).date() != day:
        raise IntakeError(f"{show(text)} never happened in {zone}: its clocks skipped that day")
    return instant


def date_order_of(values: Iterable[object]) -> str:
    """Return the order that dates such as `31.12.2025` among *values* prove, or dots tell; "" where nothing does."""
    dates = [found for value in values if isinstance(value, str) and (found := _YEAR_LAST.match(value))]
    day_first = any(int(found[1]) > 12 for found in dates)
    month_first = any(int(found[3]) > 12 for found in dates)
    if day_first != month_first:
        return "DMY" if day_first else "MDY"
    return "DMY" if dates and not day_first and all(found[2] == "." for found in dates) else ""


def within_years(instant: int, text: str) -> int:
    """Return *instant* unchanged; raise IntakeError, quoting *text*, where it lies outside 1900 to 2199."""
    if not EARLIEST <= instant < LATEST:
        raise IntakeError(f"{show(text)} lies outside the years 1900 to 2199")
    return instant


def day_text(instant: int, zone: str = "") -> str:
    """Return the ISO date of *instant* in *zone* (default UTC): the inverse of `read_date`."""
    return (
        format_instant(instant)[:10]
        if not zone
        else to_datetime(instant).astimezone(load_zone(zone)).date().isoformat()
    )


def _read_iso(text: str) -> datetime:
    # Python's own reader passes over what it does not understand after the minutes, so the shape is checked first.
    if not _ISO.fullmatch(text):
        raise IntakeError(f"{show(text)} is not an instant: write 2026-01-31T09:00:00Z")
    try:
        moment = datetime.fromisoformat(_SPACE_BEFORE_ZONE.sub("", text))
    except ValueError as cause:
        raise IntakeError(f"{show(text)} is not an instant: write 2026-01-31T09:00:00Z") from cause
    if not 1900 <= moment.year < 2200:
        raise IntakeError(f"{show(text)} lies outside the years 1900 to 2199")
    return moment


def _read_ordered(match: re.Match[str], text: str, date_order: str) -> datetime:
    if date_order not in ("DMY", "MDY", "YMD"):
        raise IntakeError(f"{show(text)} could be read in several ways: declare date_order DMY, MDY or YMD")
    parts = dict(zip(date_order, match.groups()[:3], strict=True))
    if len(parts["Y"]) != 4 or len(parts["D"]) > 2 or len(parts["M"]) > 2:
        raise IntakeError(f"{show(text)} is not a date in the order {date_order} with a year of four digits")
    hour, minute, second = (int(part or 0) for part in match.group(4, 5, 6))
    half = (match.group(7) or "").upper()
    if half and not 1 <= hour <= 12:
        raise IntakeError(f"{show(text)} has no such hour")
    try:
        day = date(int(parts["Y"]), int(parts["M"]), int(parts["D"]))
        at = time(hour % 12 + (12 if half == "P" else 0) if half else hour, minute, second)
    except ValueError as cause:
        raise IntakeError(f"{show(text)} is not a date in the order {date_order}: {cause}") from cause
    if not 1900 <= day.year < 2200:
        raise IntakeError(f"{show(text)} lies outside the years 1900 to 2199")
    return datetime.combine(day, at)


def _at_zone(local: datetime, zone: ZoneInfo) -> int:
    return from_datetime(local.replace(tzinfo=zone, fold=0).astimezone(UTC))


def _whole_millis(local: datetime) -> datetime:
    return local.replace(microsecond=local.microsecond // 1000 * 1000)
