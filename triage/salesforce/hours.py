"""
Business hours and holidays into calendars: local times whatever their Z says, every kind of holiday.

An end of 00:00 is midnight, both ends 00:00 are 24 hours, an absent day is closed. A holiday closes the business hours
that it names, and none where it names none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import get_args

import msgspec
from msgspec import Struct

from triage.calendars import CalendarDefinition, check_definition, compile_calendar, read_salesforce_holiday
from triage.calendars.definition import Instance, RecurrenceType
from triage.domain.instant import parse_instant
from triage.errors import CalendarError, ConfigError
from triage.intake.text import show
from triage.salesforce.labels import label
from triage.salesforce.metadata_model import NativeHoliday, NativeHours, Note, Spot

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FAR = parse_instant("2150-01-01T00:00:00Z")
"""Hours that do not open after this were closed for good by a holiday that recurs without an end."""
_UNNAMED = "business hours"
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?(?:\.\d+)?Z?")


class Hours(Struct, frozen=True, kw_only=True):
    """One calendar: its definition, the name it goes by, where it came from; `stand_in`: nothing told its hours."""

    name: str
    definition: CalendarDefinition
    spot: Spot
    active: bool = True
    default: bool = False
    stand_in: bool = False
    spots: tuple[Spot, ...] = ()


class HoursFound(Struct, frozen=True):
    """Every calendar by its name, the default one's name, what was noted, and how many holidays were translated."""

    calendars: dict[str, Hours]
    default: str
    notes: tuple[Note, ...]
    holidays: int
    translated: int
    kinds: dict[str, int]


def read_hours(hours: Iterable[NativeHours], holidays: Iterable[NativeHoliday]) -> HoursFound:
    """Return *hours* as calendars with their *holidays*; what cannot be translated is noted with its line."""
    notes: list[Note] = []
    found: dict[str, Hours] = {}
    by_file: dict[tuple[str, str], str] = {}
    for one in hours:
        made = _calendar(one, notes)
        if made is not None:
            name = _free(made, found, notes)
            found[name] = msgspec.structs.replace(made, name=name)
            by_file[one.spot.file, one.name] = name
    total = translated = 0
    kinds: dict[str, int] = {}
    for holiday in holidays:
        total += 1
        if _close(holiday, found, by_file, notes):
            translated += 1
            kind = str(holiday.raw.get("recurrenceType", "")) or "OneOff"
            kinds[kind] = kinds.get(kind, 0) + 1
            if holiday.raw.get("startTime") or holiday.raw.get("endTime"):
                kinds["Partial"] = kinds.get("Partial", 0) + 1
    opened = _opening(found, notes)
    default = next((name for name, one in opened.items() if one.default and one.active), "")
    return HoursFound(opened, default, tuple(notes), total, translated, kinds)


def stand_in(name: str, spot: Spot) -> Hours:
    """Return the calendar for hours that were not imported: round the clock, and said so."""
    weekly: dict[str, tuple[tuple[str, str], ...]] = dict.fromkeys(DAYS, (("00:00", "24:00"),))
    return Hours(name=name, definition=CalendarDefinition(tz="UTC", name=name, weekly=weekly), spot=spot, stand_in=True)


def _calendar(one: NativeHours, notes: list[Note]) -> Hours | None:
    """Return one set of business hours without holidays; None after a note of a time or zone that cannot be read."""
    weekly: dict[str, tuple[tuple[str, str], ...]] = {}
    for day, times in one.days.items():
        opens, closes = (local_time(text) for text in times)
        if opens is None or closes is None:
            odd = show(times[0] if opens is None else times[1])
            text = f"{day} of {show(one.name)} has a time that cannot be read: {odd}"
            notes.append(
                Note("untranslated", one.spot, text, "write 09:00:00.000Z, or leave both out for a closed day")
            )
            return None
        if opens == closes and opens != "00:00":
            text = f"{day} of {show(one.name)} opens and closes at {opens}: read as 24 hours from then"
            notes.append(Note("check", one.spot, text))
        elif closes != "00:00" and closes < opens:
            notes.append(
                Note("check", one.spot, f"{day} of {show(one.name)} closes before it opens: read as overnight")
            )
        weekly[day] = ((opens, "24:00" if closes == "00:00" else closes),)
    definition = CalendarDefinition(tz=one.zone, name=one.name, weekly=weekly)
    problems = check_definition(definition)
    if problems or not one.name:
        why = problems[0].text if problems else "they have no name"
        notes.append(Note("untranslated", one.spot, f"the business hours {show(one.name)}: {why}", "mend them"))
        return None
    return Hours(name=one.name, definition=definition, spot=one.spot, active=one.active, default=one.default)


def local_time(text: str) -> str | None:
    """Return `09:00:00.000Z` as the local time 09:00, with seconds only where there are any; None for no time."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    return f"{found[1]}:{found[2]}" + (f":{found[3]}" if found[3] not in (None, "00") else "")


def _free(made: Hours, found: dict[str, Hours], notes: list[Note]) -> str:
    """Return a name of its own for *made*: another file may have hours of the same name."""
    plain = calendar_name(made.name)
    name = label(plain, _UNNAMED, found)
    if plain in found:
        first = found[plain].spot
        text = f"business hours called {show(made.name)} stand at {first} too: these are imported as {show(name)}"
        notes.append(Note("check", made.spot, text, "import one organisation at a time"))
    elif plain != made.name:
        text = f"the business hours {show(made.name)} are called {show(name)} here"
        notes.append(Note("check", made.spot, text, "rename them in Salesforce if records refer to them by label"))
    return name


def calendar_name(text: str) -> str:
    """Return the name of *text*'s calendar with us: its own wherever a policy file takes it, `none` being a word."""
    name = label(text, _UNNAMED)
    return f"{name} (hours)" if name in ("none", "record") else name


def _close(
    holiday: NativeHoliday, found: dict[str, Hours], by_file: dict[tuple[str, str], str], notes: list[Note]
) -> bool:
    """Add *holiday* to each calendar that it names; return whether it could be translated."""
    raw = dict(holiday.raw)
    for key in ("startTime", "endTime"):
        text = str(raw.get(key) or "")
        time = local_time(text) if text else ""
        if time is None:
            return _untranslated(holiday, f"{key} {show(text)} is not a time", notes)
        if time:
            raw[key] = f"{time}:00" if len(time) == 5 else time
    if raw.get("startTime") and not raw.get("endTime"):
        raw["endTime"] = "00:00:00"
    if raw.get("endTime") and not raw.get("startTime"):
        raw["startTime"] = "00:00:00"
    try:
        made = read_salesforce_holiday(raw)
    except (ConfigError, ValueError):
        return _untranslated(holiday, _odd_part(raw), notes)
    problems = check_definition(CalendarDefinition(tz="UTC", holidays=(made,)))
    if problems:
        return _untranslated(holiday, problems[0].text, notes)
    named = [(name, by_file.get((holiday.spot.file, name), name)) for name in dict.fromkeys(holiday.hours)]
    if not named:
        text = f"the holiday {show(holiday.name)} names no business hours, so it closes none (as in Salesforce)"
        notes.append(Note("info", holiday.spot, text))
    for written, name in named:
        if name not in found:
            text = f"the holiday {show(holiday.name)} closes the business hours {show(written)}, which are not imported"
            notes.append(Note("check", holiday.spot, text, "import the settings that define them"))
            continue
        before = found[name]
        definition = msgspec.structs.replace(before.definition, holidays=(*before.definition.holidays, made))
        found[name] = msgspec.structs.replace(before, definition=definition, spots=(*before.spots, holiday.spot))
    return True


def _odd_part(raw: Mapping[str, object]) -> str:
    """Return what about a recurrence cannot be read."""
    for key in ("recurrenceInterval", "recurrenceDayOfMonth"):
        text = str(raw.get(key) or "0")
        if not (text.removeprefix("-").isascii() and text.removeprefix("-").isdigit()):
            return f"{key} {show(text)} is not a whole number"
    for key, known in (("recurrenceType", get_args(RecurrenceType)), ("recurrenceInstance", get_args(Instance))):
        if raw.get(key) and raw[key] not in known:
            return f"{key} {show(raw[key])} is not one of {', '.join(known)}"
    return "its recurrence cannot be read"


def _untranslated(holiday: NativeHoliday, why: str, notes: list[Note]) -> bool:
    text = f"the holiday {show(holiday.name)}: {why}"
    notes.append(Note("untranslated", holiday.spot, text, "add it to calendars.yaml by hand"))
    return False


def _opening(found: dict[str, Hours], notes: list[Note]) -> dict[str, Hours]:
    """Return the calendars that ever open; the others are noted, since no clock could run in them."""
    kept: dict[str, Hours] = {}
    for name, one in found.items():
        try:
            calendar = compile_calendar(one.definition)
            recurring = (holiday.recurrence for holiday in one.definition.holidays)
            if any(found is not None and not found.end for found in recurring):
                calendar.next_open(_FAR)
        except (CalendarError, ConfigError) as cause:
            notes.append(Note("untranslated", one.spot, str(cause), "nothing that waits in these hours ever fires"))
            continue
        kept[name] = one
    return kept
