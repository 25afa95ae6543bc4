"""
Business hours as Salesforce counts them, minute by minute of local time: slow, literal, and nobody else's code.

A day's window is walked in real time: its local opening and closing become instants, holidays cut instants out of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_FARTHEST = 4000
Window = tuple[datetime, datetime]


class NeverOpen(Exception):
    """The hours do not open any more, or not for so long within ten years."""


class NativeHours:
    """
    One set of business hours, of the shape `{timeZoneId, hours: {mon: [open, close]}, holidays: [..]}`.

    Days without hours are closed. A close of 00:00 is midnight; open and close of 00:00 are the whole day.
    """

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.zone = zone_called(str(raw["timeZoneId"]))
        self.hours: Mapping[str, Sequence[str]] = raw["hours"]
        self.holidays: Sequence[Mapping[str, Any]] = raw.get("holidays") or ()
        self._known: dict[date, list[Window]] = {}

    def is_open(self, at: datetime) -> bool:
        """Return whether *at* lies inside; closing time does not."""
        return any(begin <= at < end for begin, end in self._around(at))

    def next_open(self, at: datetime) -> datetime:
        """Return *at* where it is open, else the next opening; raise NeverOpen where there is none."""
        for day in self._days_from(at):
            for begin, end in self._windows(day):
                if end > at:
                    return max(begin, at)
        raise NeverOpen("these hours do not open any more")

    def after(self, start: datetime, minutes: int) -> datetime:
        """Return the first instant at which *minutes* of open time have passed since *start*; raise NeverOpen."""
        left = timedelta(minutes=minutes)
        if not left:
            return start
        for day in self._days_from(start):
            for begin, end in self._windows(day):
                begin = max(begin, start)
                if end <= begin:
                    continue
                if end - begin >= left:
                    return begin + left
                left -= end - begin
        raise NeverOpen("these hours do not add up to so much")

    def _days_from(self, at: datetime) -> Iterator[date]:
        # The day before may reach into this one where hours run over midnight.
        first = at.astimezone(self.zone).date() - timedelta(days=1)
        return (first + timedelta(days=number) for number in range(_FARTHEST))

    def _around(self, at: datetime) -> list[Window]:
        day = at.astimezone(self.zone).date()
        return [window for near in (day - timedelta(days=1), day) for window in self._windows(near)]

    def _windows(self, day: date) -> list[Window]:
        """Return the open stretches that begin on *day*, in order, as instants."""
        if day not in self._known:
            hours = self.hours.get(WEEKDAYS[day.weekday()])
            windows = self._instants(day, hours[0], hours[1]) if hours else []
            for near in (day - timedelta(days=1), day, day + timedelta(days=1)):
                for holiday in self.holidays:
                    if windows and falls_on(holiday, near):
                        opens = str(holiday.get("startTime") or "00:00")
                        closes = str(holiday.get("endTime") or "00:00")
                        for closed in self._instants(near, opens, closes):
                            windows = _cut(windows, closed)
            self._known[day] = windows
        return self._known[day]

    def _instants(self, day: date, opens: str, closes: str) -> list[Window]:
        """Return the instants whose local time lies from *opens* to *closes*; a close not after is the next day's."""
        begin = datetime.combine(day, _time(opens))
        end = datetime.combine(day, _time(closes))
        end += timedelta(days=0 if end > begin else 1)
        offsets = {_offset(self.zone, begin + timedelta(hours=hours)) for hours in (-30, 0, 30)}
        if len(offsets) == 1:
            return [(_utc(begin, offsets.pop()), _utc(end, _offset(self.zone, end)))]
        return self._walked(begin, end)

    def _walked(self, begin: datetime, end: datetime) -> list[Window]:
        """Near a change of the clocks: look at every minute, whether its local time lies inside."""
        found: list[Window] = []
        at = _utc(begin, timedelta()) - timedelta(hours=30)
        last = _utc(end, timedelta()) + timedelta(hours=30)
        step = timedelta(minutes=1)
        while at < last:
            if begin <= at.astimezone(self.zone).replace(tzinfo=None) < end:
                if found and found[-1][1] == at:
                    found[-1] = (found[-1][0], at + step)
                else:
                    found.append((at, at + step))
            at += step
        return found


def _offset(zone: ZoneInfo, local: datetime) -> timedelta:
    return local.replace(tzinfo=zone).utcoffset() or timedelta()


def _utc(local: datetime, offset: timedelta) -> datetime:
    return (local - offset).replace(tzinfo=UTC)


def _cut(windows: list[Window], closed: Window) -> list[Window]:
    """Return *windows* without the instants of *closed*."""
    left: list[Window] = []
    for begin, end in windows:
        left += [part for part in ((begin, min(end, closed[0])), (max(begin, closed[1]), end)) if part[0] < part[1]]
    return left


def _time(text: str) -> time:
    return time.fromisoformat(text.split(".")[0].removesuffix("Z")[:8]) if text[:2] != "24" else time(0)


def falls_on(holiday: Mapping[str, Any], day: date) -> bool:
    """Return whether *holiday* falls on *day*, by its date or the way it recurs."""
    kind = holiday.get("recurrenceType")
    if not kind:
        return holiday.get("activityDate") == day.isoformat()
    start, end = holiday.get("recurrenceStartDate"), holiday.get("recurrenceEndDate")
    if (start and day.isoformat() < start) or (end and day.isoformat() > end):
        return False
    every = int(holiday.get("recurrenceInterval") or 1)
    origin = date.fromisoformat(start) if start else day
    return _RECURS[str(kind)](holiday, day, origin, every)


def _daily(_holiday: Mapping[str, Any], day: date, origin: date, every: int) -> bool:
    return (day - origin).days % every == 0


def _every_weekday(_holiday: Mapping[str, Any], day: date, _origin: date, _every: int) -> bool:
    return day.weekday() < 5


def _weekly(holiday: Mapping[str, Any], day: date, origin: date, every: int) -> bool:
    def week(one: date) -> int:
        return (one.toordinal() - date(1970, 1, 4).toordinal()) // 7

    return _on_weekday(holiday, day) and (week(day) - week(origin)) % every == 0


def _monthly(holiday: Mapping[str, Any], day: date, origin: date, every: int) -> bool:
    return day.day == int(holiday["recurrenceDayOfMonth"]) and _months(origin, day) % every == 0


def _monthly_nth(holiday: Mapping[str, Any], day: date, origin: date, every: int) -> bool:
    return _nth(holiday, day) and _months(origin, day) % every == 0


def _yearly(holiday: Mapping[str, Any], day: date, origin: date, every: int) -> bool:
    return (
        day.day == int(holiday["recurrenceDayOfMonth"]) and _in_month(holiday, day)
        and (day.year - origin.year) % every == 0
    )  # fmt: skip


def _yearly_nth(holiday: Mapping[str, Any], day: date, origin: date, every: int) -> bool:
    return _nth(holiday, day) and _in_month(holiday, day) and (day.year - origin.year) % every == 0


_RECURS = {
    "RecursDaily": _daily, "RecursEveryWeekday": _every_weekday, "RecursWeekly": _weekly, "RecursMonthly": _monthly,
    "RecursMonthlyNth": _monthly_nth, "RecursYearly": _yearly, "RecursYearlyNth": _yearly_nth,
}  # fmt: skip


def _months(origin: date, day: date) -> int:
    return (day.year - origin.year) * 12 + day.month - origin.month


def _in_month(holiday: Mapping[str, Any], day: date) -> bool:
    return _MONTHS[day.month - 1] == str(holiday["recurrenceMonthOfYear"]).capitalize()


def _on_weekday(holiday: Mapping[str, Any], day: date) -> bool:
    days = holiday.get("recurrenceDayOfWeek") or ()
    return _DAY_NAMES[day.weekday()] in [name.capitalize() for name in ([days] if isinstance(days, str) else days)]


def _nth(holiday: Mapping[str, Any], day: date) -> bool:
    """Return whether *day* is the first, second, .. or last of its weekdays in its month."""
    if not _on_weekday(holiday, day):
        return False
    same = [one for one in _month_of(day) if _on_weekday(holiday, one)]
    place = {"First": 0, "Second": 1, "Third": 2, "Fourth": 3, "Last": -1}[str(holiday["recurrenceInstance"])]
    return same[place] == day


def _month_of(day: date) -> list[date]:
    first = day.replace(day=1)
    days = (first + timedelta(days=number) for number in range(31))
    return [one for one in days if one.month == day.month]


@lru_cache(maxsize=256)
def zone_called(name: str) -> ZoneInfo:
    """Return a zone as the pinned tzdata package has it."""
    with files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as stream:
        return ZoneInfo.from_file(stream, key=name)
