"""Instants (integer milliseconds UTC) and durations (integer milliseconds) to text and back."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from triage.errors import IntakeError, NaiveTimeError

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY
UNITS = {"ms": 1, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d|w))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")


def parse_instant(text: str) -> int:
    """
    Return the instant that ISO 8601 *text* names, in milliseconds UTC; a finer fraction is cut off.

    Raises:
        NaiveTimeError: *text* has no zone.
        IntakeError: *text* is not an instant of the years 1 to 9999.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except (ValueError, AttributeError) as cause:
        raise IntakeError(f"{text!r} is not an instant: write 2026-01-31T09:00:00Z") from cause
    if moment.tzinfo is None:
        raise NaiveTimeError(f"{text!r} has no zone: write 2026-01-31T09:00:00Z or +01:00")
    try:
        return (moment - _EPOCH) // _MILLISECOND
    except OverflowError as cause:
        raise IntakeError(f"{text!r} lies outside the years 1 to 9999") from cause


def format_instant(instant: int) -> str:
    """Return *instant* as ISO 8601 with `Z`; milliseconds are shown only where there are any."""
    moment = _EPOCH + timedelta(milliseconds=instant)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S") if moment.year >= 1000 else moment.isoformat()[:19]
    rest = instant % SECOND
    return f"{text}.{rest:03d}Z" if rest else f"{text}Z"


def to_datetime(instant: int) -> datetime:
    """Return *instant* as a UTC datetime."""
    return _EPOCH + timedelta(milliseconds=instant)


def from_datetime(moment: datetime) -> int:
    """Return *moment* in milliseconds UTC; raise NaiveTimeError where it has no zone."""
    if moment.tzinfo is None:
        raise NaiveTimeError(f"{moment.isoformat()} has no zone")
    return (moment - _EPOCH) // _MILLISECOND


def parse_duration(text: str) -> int:
    """Return *text* such as `15m`, `1h30m`, `2d` in milliseconds; raise ValueError where a unit is missing or wrong."""
    squeezed = text.replace(" ", "")
    if not _DURATION.fullmatch(squeezed):
        raise ValueError(f"{text!r} is not a duration: write 90s, 15m, 6h, 2d or 1h30m")
    total = 0
    for amount, unit in _PART.findall(squeezed):
        whole, _, fraction = amount.partition(".")
        size = UNITS[unit]
        total += int(whole) * size + (int(fraction) * size // 10 ** len(fraction) if fraction else 0)
    return total


def format_duration(millis: int) -> str:
    """Return *millis* in the largest whole units that state it exactly: 5400000 -> `1h30m`."""
    if millis < 0:
        return f"-{format_duration(-millis)}"
    parts = []
    for unit, size in (("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", 1)):
        count, millis = divmod(millis, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
