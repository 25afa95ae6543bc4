"""What a calendar is told: zone, weekly hours, holidays, overrides and breaks, as texts that a person wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from triage.errors import ConfigError

Interval = tuple[str, str]
"""Local opening and closing time, `HH:MM` or `HH:MM:SS`; half-open."""

RecurrenceType = Literal[
    "RecursDaily", "RecursEveryWeekday", "RecursWeekly", "RecursMonthly", "RecursMonthlyNth", "RecursYearly",
    "RecursYearlyNth",
]  # fmt: skip
Instance = Literal["First", "Second", "Third", "Fourth", "Last"]


class Recurrence(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    Days that come back, in Salesforce's seven shapes.

    `start` and `end` are dates, both included; without them the days have always come back and always will.
    `interval` counts days, weeks (from Sunday), months or years from `start`. A day of the month that a month
    lacks is skipped in it.
    """

    type: RecurrenceType
    start: str | None = None
    end: str | None = None
    interval: int = 1
    days: tuple[str, ...] = ()
    day: int | None = None
    month: str | None = None
    instance: Instance | None = None


class Holiday(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A closure on one `date`, or on the days of a `recurrence`; the whole day, or from `start` to `end` local."""

    name: str = ""
    date: str | None = None
    recurrence: Recurrence | None = None
    start: str | None = None
    end: str | None = None


class PublicHolidays(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The public holidays of a country (ISO code), and of each of its named subdivisions as well."""

    country: str
    subdivisions: tuple[str, ...] = ()


class CalendarDefinition(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    One calendar as written: everything in local wall time of `tz`.

    Keys of `weekly` are mon to sun; of `overrides`, dates (no interval: no shift starts that day); of `breaks`,
    dates, mon to sun, or daily.
    """

    tz: str
    name: str = ""
    weekly: dict[str, tuple[Interval, ...]] = {}
    holidays: tuple[Holiday, ...] = ()
    public: PublicHolidays | None = None
    overrides: dict[str, tuple[Interval, ...]] = {}
    breaks: dict[str, tuple[Interval, ...]] = {}


def label_of(name: str) -> str:
    """Return how a sentence calls the calendar *name*."""
    return f"calendar {name!r}" if name else "the calendar"


def read_definition(raw: object, name: str = "") -> CalendarDefinition:
    """
    Return the definition that *raw* (decoded JSON or YAML) states; a holiday may be a bare date.

    *name* is taken where *raw* has none.

    Raises:
        ConfigError: an unknown key or a value of the wrong type, with its place.
    """
    label = label_of(name)
    if not isinstance(raw, Mapping):
        raise ConfigError(f"{label}: expected tz, weekly, holidays, overrides, breaks; got {type(raw).__name__}")
    filled: dict[str, Any] = {"name": name, **raw}
    holidays = filled.get("holidays")
    if isinstance(holidays, list | tuple):
        filled["holidays"] = [{"date": day} if isinstance(day, str) else day for day in holidays]
    try:
        return msgspec.convert(filled, CalendarDefinition)
    except msgspec.ValidationError as cause:
        raise ConfigError(f"{label}: {cause}") from cause


def read_salesforce_holiday(raw: Mapping[str, Any]) -> Holiday:
    """
    Return the holiday that Salesforce's metadata states (`activityDate` or `recurrence*`, `startTime`, `endTime`).

    Times lose their `Z`: Salesforce writes local time with it. Raises ConfigError for a recurrence we do not know.
    """
    start, end = (str(raw[key])[:8] if raw.get(key) else None for key in ("startTime", "endTime"))
    name = str(raw.get("name") or "")
    if not raw.get("recurrenceType"):
        return Holiday(name=name, date=raw.get("activityDate"), start=start, end=end)
    days = raw.get("recurrenceDayOfWeek") or ()
    day = raw.get("recurrenceDayOfMonth")
    fields = {
        "type": raw["recurrenceType"],
        "start": raw.get("recurrenceStartDate"),
        "end": raw.get("recurrenceEndDate"),
        "interval": int(raw.get("recurrenceInterval") or 1),
        "days": [days] if isinstance(days, str) else list(days),
        "day": int(day) if day else None,
        "month": raw.get("recurrenceMonthOfYear"),
        "instance": raw.get("recurrenceInstance"),
    }
    try:
        recurrence = msgspec.convert(fields, Recurrence)
    except msgspec.ValidationError as cause:
        raise ConfigError(f"holiday {name!r}: {cause}") from cause
    return Holiday(name=name, recurrence=recurrence, start=start, end=end)
