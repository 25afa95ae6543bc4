"""
A second opinion on calendars: paints every minute (or second) of a window and counts. Shares no code with the room.

It is slow and plain on purpose: one byte per unit of local wall time, then one look at the zone per unit of UTC.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from itertools import accumulate
from zoneinfo import ZoneInfo

DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
LONG = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MONTHS = ["January", "February", "March", "April", "May", "June"]
MONTHS += ["July", "August", "September", "October", "November", "December"]
ZONES: dict[str, ZoneInfo] = {}


def zone_of(name: str) -> ZoneInfo:
    """Return the pinned zone *name*."""
    if name not in ZONES:
        with files("tzdata").joinpath("zoneinfo").joinpath(name).open("rb") as stream:
            ZONES[name] = ZoneInfo.from_file(stream, key=name)
    return ZONES[name]


def seconds_of(text: str) -> int:
    """Return the seconds after midnight of `HH:MM[:SS]`."""
    hours, minutes, *rest = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + (int(rest[0]) if rest else 0)


def window_of(pair) -> tuple[int, int]:
    """Return a window in seconds after its day's midnight; an end not after the start is the next day's."""
    start, end = seconds_of(pair[0]), seconds_of(pair[1])
    return start, end if end > start else end + 86_400


def recurs_on(rule: dict, day: date) -> bool:
    """Say whether the recurrence *rule* falls on *day*, by looking at that day alone."""
    start = date.fromisoformat(rule["start"]) if rule.get("start") else None
    if (start and day < start) or (rule.get("end") and day > date.fromisoformat(rule["end"])):
        return False
    every, kind = rule.get("interval", 1), rule["type"]
    if kind == "RecursDaily":
        return every == 1 or (day - start).days % every == 0
    if kind == "RecursEveryWeekday":
        return day.isoweekday() <= 5
    if kind == "RecursWeekly":
        sunday = day - timedelta(days=day.isoweekday() % 7)
        origin = start - timedelta(days=start.isoweekday() % 7) if start else sunday
        return LONG[day.weekday()] in rule["days"] and (sunday - origin).days // 7 % every == 0
    months = (day.year - start.year) * 12 + day.month - start.month if start else 0
    if kind.startswith("RecursYearly"):
        if MONTHS[day.month - 1] != rule["month"] or (start and (day.year - start.year) % every):
            return False
    elif months % every:
        return False
    if not kind.endswith("Nth"):
        return day.day == rule["day"]
    if LONG[day.weekday()] not in rule["days"]:
        return False
    if rule["instance"] == "Last":
        return (day + timedelta(days=7)).month != day.month
    return (day.day - 1) // 7 == ["First", "Second", "Third", "Fourth"].index(rule["instance"])


class Oracle:
    """The open units of one calendar between two instants (seconds UTC, multiples of *step*)."""

    def __init__(self, definition: dict, begin: int, end: int, step: int) -> None:
        self.definition, self.begin, self.end, self.step = definition, begin, end, step
        zone = zone_of(definition["tz"])
        first = datetime.fromtimestamp(begin, UTC).date() - timedelta(days=4)
        days = (end - begin) // 86_400 + 10
        local = self._paint(first, days)
        origin = first.toordinal()
        per = 86_400 // step
        self.units = bytearray()
        for instant in range(begin, end, step):
            wall = datetime.fromtimestamp(instant, zone)
            second = wall.hour * 3600 + wall.minute * 60 + wall.second
            self.units.append(local[(wall.toordinal() - origin) * per + second // step])

    def _paint(self, first: date, days: int) -> bytearray:
        """Return one byte per unit of local wall time: 1 is open."""
        definition, per = self.definition, 86_400 // self.step
        dates = [first + timedelta(days=index) for index in range(days)]
        overrides = definition.get("overrides", {})
        holidays = [
            (index, span)
            for index, day in enumerate(dates)
            if day.isoformat() not in overrides
            for span in self._holidays(day)
        ]
        painted = bytearray(per * (days + 2))
        for index, day in enumerate(dates):
            hours = overrides.get(day.isoformat(), definition["weekly"].get(DAYS[day.weekday()], []))
            self._brush(painted, index, hours, 1)
        for index, span in holidays:
            self._brush(painted, index, [span], 0)
        breaks = definition.get("breaks", {})
        for index, day in enumerate(dates):
            for key in ("daily", DAYS[day.weekday()], day.isoformat()):
                self._brush(painted, index, breaks.get(key, []), 0)
        return painted

    def _holidays(self, day: date):
        for holiday in self.definition.get("holidays", []):
            if isinstance(holiday, str):
                holiday = {"date": holiday}
            on = holiday.get("date") == day.isoformat()
            if on or ("recurrence" in holiday and recurs_on(holiday["recurrence"], day)):
                yield (holiday.get("start", "00:00"), holiday.get("end", "24:00"))

    def _brush(self, painted: bytearray, index: int, pairs, value: int) -> None:
        per = 86_400 // self.step
        for pair in pairs:
            start, end = (index * per + second // self.step for second in window_of(pair))
            end = min(end, len(painted))
            painted[start:end] = bytes([value]) * max(0, end - start)

    def is_open(self, instant: int) -> bool:
        """Say whether the unit that begins at *instant* is open."""
        return self.units[(instant - self.begin) // self.step] == 1

    def next_open(self, instant: int) -> int | None:
        """Return the first open instant at or after *instant*; None where the window has none."""
        found = self.units.find(1, (instant - self.begin) // self.step)
        return None if found < 0 else self.begin + found * self.step

    def prev_open(self, instant: int) -> int | None:
        """Return *instant* where it is open, else the end of the last open unit before it; None where there is none."""
        if self.is_open(instant):
            return instant
        found = self.units.rfind(1, 0, (instant - self.begin) // self.step)
        return None if found < 0 else self.begin + (found + 1) * self.step

    def paused(self, pauses) -> Running:
        """Return the units that still count when *pauses* (from, to or None) are taken out."""
        counting = bytearray(self.units)
        for start, end in pauses:
            low = max(0, (start - self.begin) // self.step)
            high = len(counting) if end is None else max(low, min(len(counting), (end - self.begin) // self.step))
            counting[low:high] = bytes(high - low)
        return Running(counting, self.begin, self.step)


class Running:
    """Counting units and their running count: `used[i]` units count among the first i."""

    def __init__(self, counting: bytearray, begin: int, step: int) -> None:
        self.counting, self.begin, self.step = counting, begin, step
        self.used = [0, *accumulate(counting)]

    def elapsed(self, start: int, end: int) -> int:
        """Return the counting seconds from *start* to *end*."""
        return max(0, self.used[self._at(end)] - self.used[self._at(start)]) * self.step if end > start else 0

    def add(self, start: int, seconds: int) -> int | None:
        """Return the earliest instant with *seconds* used up; None where that lies beyond the window."""
        if not seconds:
            return start
        wanted = self.used[self._at(start)] + seconds // self.step
        index = bisect_left(self.used, wanted)
        return None if index == len(self.used) else self.begin + index * self.step

    def subtract(self, end: int, seconds: int) -> int | None:
        """Return the latest instant from which *seconds* pass until *end*; None where that lies before the window."""
        if not seconds:
            return end
        index = self._at(end)
        left = seconds // self.step
        while left and index:
            index -= 1
            left -= self.counting[index]
        return None if left else self.begin + index * self.step

    def _at(self, instant: int) -> int:
        return (instant - self.begin) // self.step
