"""The `calendars:` section: texts such as `mon-fri: ["09:00-17:30"]` into definitions, checked by the calendars."""

from __future__ import annotations

from typing import Any

import msgspec

from triage.calendars.check import check_definition
from triage.calendars.definition import CalendarDefinition, Holiday, Interval, PublicHolidays, Recurrence
from triage.rules.grammar import DAYS, DEFINITIONS
from triage.rules.positions import Node, Page, Scalar, Sequence
from triage.rules.shapes import Entry, read


def read_calendar(name: str, entry: Entry, page: Page) -> CalendarDefinition | None:
    """Return the calendar of one entry under `calendars:`; None after faults, each where it stands."""
    before = len(page.faults)
    holidays = tuple(_holiday(node, page) for node in entry.get("holidays", ()))
    public: Entry | None = entry.get("public_holidays")
    if "tz" not in entry.values:
        return None
    definition = CalendarDefinition(
        tz=entry.values["tz"],
        name=name,
        weekly=_by_day(entry, "weekly", page),
        holidays=tuple(holiday for holiday in holidays if holiday),
        public=_public(public) if public and public.get("country") else None,
        overrides=_by_day(entry, "overrides", page),
        breaks=_by_day(entry, "breaks", page),
    )
    # The calendars check their own meaning; places inside faulty lists would be off by what is missing.
    if len(page.faults) == before:
        for path, text in check_definition(definition):
            page.fault(_place(entry, path), f"calendar {name!r}: {text}")
    return definition if len(page.faults) == before else None


def _public(entry: Entry) -> PublicHolidays:
    """Return the public holidays of a country and of the parts that are named."""
    return PublicHolidays(country=entry.values["country"], subdivisions=entry.get("subdivision", ()))


def _by_day(entry: Entry, section: str, page: Page) -> dict[str, tuple[Interval, ...]]:
    """Return the windows by day, ranges such as `mon-fri` spread out; a day written twice is a fault."""
    found: dict[str, tuple[Interval, ...]] = {}
    windows: Entry | None = entry.get(section)
    if windows is None:
        return found
    for key, texts in windows.values.items():
        intervals = tuple(_interval(text) for text in texts)
        for day in days_of(key):
            if day in found and section != "breaks":
                page.fault(windows.keys[key], f"{day!r} is covered twice in {section!r}", len(key))
            found[day] = (*found.get(day, ()), *intervals)
    return found


def days_of(key: str) -> tuple[str, ...]:
    """Return the days that *key* covers: `fri-mon` wraps round the week; dates and `daily` cover themselves."""
    if key == "daily" or key[:1].isdigit():
        return (key,)
    days: list[str] = []
    for part in key.split(","):
        first, _, last = part.strip().partition("-")
        start, end = DAYS.index(first), DAYS.index(last or first)
        days += [DAYS[(start + step) % 7] for step in range((end - start) % 7 + 1)]
    return tuple(days)


def _interval(text: str) -> Interval:
    """Return opening and closing time of a window that has been read by its shape."""
    opens, _, closes = text.partition("-")
    return _padded(opens.strip()), _padded(closes.strip())


def _padded(time: str) -> str:
    """Return *time* with two digits for the hour."""
    return time if time[1:2] != ":" else f"0{time}"


def _holiday(node: Node, page: Page) -> Holiday | None:
    """Return a date or a recurrence, for the whole day or from one time to another."""
    value: Any = read(DEFINITIONS["holiday"], node, page)
    if value is None or isinstance(node, Scalar):
        return Holiday(date=value) if value else None
    start, end = value.get("from"), value.get("to")
    return Holiday(
        name=value.get("name", ""),
        date=value.get("date"),
        recurrence=_recurrence(value.get("recurrence"), page),
        start=_padded(start) if start else None,
        end=_padded(end) if end else None,
    )


def _recurrence(entry: Entry | None, page: Page) -> Recurrence | None:
    """Return the days that come back; None without them or after their fault."""
    if entry is None:
        return None
    try:
        return msgspec.convert(entry.values, Recurrence)
    except msgspec.ValidationError as cause:
        page.fault(entry.node, f"this recurrence cannot be read: {cause}")
        return None


def _place(entry: Entry, path: str) -> Node:
    """Return the node that the calendars' own *path* (`weekly.mon`, `holidays[1]`) speaks of."""
    section, _, key = path.partition(".")
    section, _, index = section.partition("[")
    node = entry.nodes.get("public_holidays" if section == "public" else section, entry.node)
    windows = entry.get(section)
    if key and isinstance(windows, Entry):
        return next((windows.keys[name] for name in windows.keys if key in days_of(name)), node)
    if index and isinstance(node, Sequence):
        return node.items[int(index.rstrip("]"))]
    return node
