"""Calendars for people: the next openings and closures, and a ledger as lines. Local and UTC, in English."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

from triage.calendars.calendar import LAST, Calendar
from triage.calendars.ledger import Stretch
from triage.calendars.wall_time import WallTime
from triage.calendars.zones import load_zone
from triage.domain.instant import DAY, format_duration, format_instant, to_datetime

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MIDNIGHT = (0, 0, 0, 0)


class Change(Struct, frozen=True):
    """
    One instant at which a calendar opens, closes, or loses a whole shift to a holiday.

    `at` in ms UTC, `local` and `utc` as text; `reason` names the holiday or break that closes, where one does.
    """

    at: int
    kind: Literal["opens", "closes", "holiday"]
    local: str
    utc: str
    reason: str = ""


class LedgerLine(Struct, frozen=True):
    """One line of a ledger: local time from and until, what it was, and how much of it counted (`8h`, or empty)."""

    when: str
    what: str
    counted: str = ""


def describe_openings(calendar: Calendar | WallTime, now: int, count: int) -> tuple[Change, ...]:
    """
    Return up to *count* changes after *now*, in order; fewer where the calendar changes no more within 20 years.

    A holiday that falls on a shift appears by name where it begins, so that a missing day explains itself.
    """
    found: list[Change] = []
    days = 16
    while len(found) < count and days < 20 * 366:
        until = min(now + days * DAY, LAST - 1)
        # The last stretch may go on beyond the span looked at, but where it begins is certain.
        found = list(itertools.islice(_changes(calendar.ledger(now, until), load_zone(calendar.zone)), count))
        days *= 4
    return tuple(found)


def describe_ledger(stretches: Iterable[Stretch], zone: str) -> tuple[LedgerLine, ...]:
    """Return one line a stretch, open time cut at local midnight, in the local time of *zone* with its weekday."""
    where = load_zone(zone)
    return tuple(
        LedgerLine(_span_text(start, end, where), _what(stretch), format_duration(end - start) if counts else "")
        for stretch in stretches
        for counts in (stretch.kind == "open",)
        for start, end in (_cut_at_midnight(stretch, where) if counts else [(stretch.start, stretch.end)])
    )


def ledger_text(stretches: Sequence[Stretch], zone: str) -> str:
    """Return the ledger as aligned lines and its sum: what counted, what did not, and why."""
    lines = describe_ledger(stretches, zone)
    width = max((len(line.when) for line in lines), default=0)
    total = sum(stretch.end - stretch.start for stretch in stretches if stretch.kind == "open")
    rows = [f"{line.when:<{width}}  {line.what} {line.counted}".rstrip() for line in lines]
    return "\n".join([*rows, f"{'sum':<{width}}  counted {format_duration(total)}"])


def local_text(instant: int, zone: str) -> str:
    """Return *instant* in the local time of *zone*, with weekday and offset: `Mon 12 Jan 2026 09:00 +00:00`."""
    moment = to_datetime(instant).astimezone(load_zone(zone))
    sign, offset = "+", moment.utcoffset() or timedelta(0)
    if offset < timedelta(0):
        sign, offset = "-", -offset
    hours, minutes = divmod(offset // timedelta(minutes=1), 60)
    return f"{_day_text(moment)} {moment.year} {_clock_text(moment)} {sign}{hours:02d}:{minutes:02d}"


def _changes(stretches: Sequence[Stretch], zone: ZoneInfo) -> Iterator[Change]:
    for before, after in itertools.pairwise(stretches):
        if after.kind == "open":
            yield _change(after.start, "opens", "", zone)
        elif before.kind == "open":
            yield _change(after.start, "closes", after.label or _reason(after), zone)
        elif after.kind == "holiday":
            yield _change(after.start, "holiday", after.label, zone)


def _change(at: int, kind: Literal["opens", "closes", "holiday"], reason: str, zone: ZoneInfo) -> Change:
    return Change(at, kind, local_text(at, zone.key), format_instant(at), reason)


def _reason(stretch: Stretch) -> str:
    return stretch.kind if stretch.kind in ("break", "holiday") else ""


def _what(stretch: Stretch) -> str:
    if stretch.kind == "open":
        return "counted"
    if stretch.kind in ("holiday", "break"):
        return f"closed: {stretch.label or stretch.kind}"
    return stretch.kind


def _cut_at_midnight(stretch: Stretch, zone: ZoneInfo) -> Iterator[tuple[int, int]]:
    at = stretch.start
    while at < stretch.end:
        local = to_datetime(at).astimezone(zone)
        midnight = datetime(local.year, local.month, local.day, tzinfo=zone) + timedelta(days=1)
        step = (midnight.astimezone(UTC) - local.astimezone(UTC)) // timedelta(milliseconds=1)
        # Where a zone skips or repeats midnight the step could be none at all; a day is then as good a cut.
        until = min(at + step if step > 0 else at + DAY, stretch.end)
        yield at, until
        at = until


def _span_text(start: int, end: int, zone: ZoneInfo) -> str:
    begin, finish = (to_datetime(instant).astimezone(zone) for instant in (start, end))
    same_day = begin.date() == finish.date()
    next_midnight = finish.date() - begin.date() == timedelta(days=1) and _clock(finish) == _MIDNIGHT
    closing = "24:00" if next_midnight else _clock_text(finish)
    if same_day or next_midnight:
        return f"{_day_text(begin)} {_clock_text(begin)}-{closing}"
    return f"{_day_text(begin)} {_clock_text(begin)} - {_day_text(finish)} {closing}"


def _day_text(moment: datetime) -> str:
    return f"{_DAYS[moment.weekday()]} {moment.day:2d} {_MONTHS[moment.month - 1]}"


def _clock_text(moment: datetime) -> str:
    hour, minute, second, micro = _clock(moment)
    text = f"{hour:02d}:{minute:02d}"
    if second or micro:
        text += f":{second:02d}"
    return text + f".{micro // 1000:03d}" if micro else text


def _clock(moment: datetime) -> tuple[int, int, int, int]:
    return moment.hour, moment.minute, moment.second, moment.microsecond
