"""Seeded random calendars and windows around the transitions that break naive arithmetic."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from random import Random

from tests.property.calendars.oracle import DAYS, LONG, MONTHS

# A zone and an instant near which its clocks do something odd.
MOMENTS = (
    ("Europe/London", "2026-03-29T01:00"),
    ("Europe/London", "2026-10-25T01:00"),
    ("America/New_York", "2026-03-08T07:00"),
    ("America/New_York", "2026-11-01T06:00"),
    ("Australia/Sydney", "2026-04-04T16:00"),
    ("Australia/Lord_Howe", "2026-04-04T15:00"),
    ("Australia/Lord_Howe", "2026-10-03T15:30"),
    ("Pacific/Apia", "2011-12-30T10:00"),
    ("Pacific/Apia", "2011-12-29T12:00"),
    ("Pacific/Kwajalein", "1993-08-21T12:00"),
    ("Africa/Casablanca", "2025-02-23T02:00"),
    ("Africa/Casablanca", "2025-04-06T02:00"),
    ("Africa/Casablanca", "2019-05-05T02:00"),
    ("Africa/El_Aaiun", "2024-03-10T02:00"),
    ("Africa/El_Aaiun", "2024-04-14T02:00"),
    ("Europe/Dublin", "2026-10-25T01:00"),
    ("America/St_Johns", "2006-04-02T03:31"),
    ("America/Sao_Paulo", "2018-11-04T03:00"),
    ("America/Sao_Paulo", "2019-02-17T02:00"),
    ("Asia/Kathmandu", "1985-12-31T18:30"),
    ("Asia/Pyongyang", "2018-05-04T15:00"),
    ("Asia/Gaza", "2026-03-28T00:00"),
    ("America/Caracas", "2016-05-01T07:00"),
    ("Europe/Moscow", "2014-10-25T22:00"),
    ("Asia/Kolkata", "2026-01-01T00:00"),
    ("Antarctica/Troll", "2026-03-29T01:00"),
    ("Europe/London", "2187-03-25T01:00"),
    ("UTC", "2024-02-29T00:00"),
    ("America/Santiago", "2026-04-05T03:00"),
    ("Atlantic/Azores", "2026-10-25T01:00"),
    ("Asia/Tehran", "2022-03-21T20:30"),
)


def random_window(rng: Random, step: int) -> tuple[str, int, int]:
    """Return a zone and a window in seconds UTC around one of its odd moments: 3 to 14 days, or a day by seconds."""
    zone, text = rng.choice(MOMENTS)
    moment = int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) // 60 * 60
    if step == 1:
        return zone, moment - rng.randrange(3, 15) * 3600, moment + rng.randrange(3, 10) * 3600
    days = rng.randint(3, 14)
    before = rng.randrange(days * 1440)
    return zone, moment - before * 60, moment - before * 60 + days * 86_400


def random_calendar(rng: Random, zone: str, begin: int, end: int, step: int) -> dict:
    """Return a calendar definition as JSON has it, whose dates lie about the window."""
    first = datetime.fromtimestamp(begin, UTC).date() - timedelta(days=2)
    dates = [first + timedelta(days=index) for index in range((end - begin) // 86_400 + 5)]
    definition: dict = {"tz": zone, "weekly": {}}
    pattern = [_intervals(rng, step) for _ in range(rng.choice((1, 1, 7)))]
    for index, day in enumerate(DAYS):
        if index < 5 or rng.random() < 0.6:
            definition["weekly"][day] = pattern[index % len(pattern)]
    if rng.random() < 0.5:
        definition["holidays"] = [_holiday(rng, dates, step) for _ in range(rng.randint(1, 3))]
    if rng.random() < 0.5:
        days = rng.sample(dates, rng.randint(1, 3))
        definition["overrides"] = {day.isoformat(): _intervals(rng, step) if rng.random() < 0.7 else [] for day in days}
    if rng.random() < 0.5:
        keys = ["daily", *DAYS, *(day.isoformat() for day in dates)]
        definition["breaks"] = {key: [_short(rng, step)] for key in rng.sample(keys, rng.randint(1, 3))}
    return definition


def _intervals(rng: Random, step: int) -> list[list[str]]:
    shape = rng.random()
    if shape < 0.1:
        return [["00:00", rng.choice(("00:00", "24:00"))]]
    if shape < 0.15:
        opens = _time(rng, step)
        return [[opens, opens]]
    if shape < 0.35:
        return [[_clock(rng.randrange(16 * 3600, 86_400, step)), _clock(rng.randrange(0, 12 * 3600, step))]]
    cuts = sorted(rng.sample(range(0, 86_400, step), 2 * rng.choice((1, 1, 2, 3))))
    return [[_clock(start), _clock(end)] for start, end in zip(cuts[::2], cuts[1::2], strict=True)]


def _short(rng: Random, step: int) -> list[str]:
    start = rng.randrange(0, 86_400, step)
    return [_clock(start), _clock((start + rng.randrange(step, 7200, step)) % 86_400)]


def _holiday(rng: Random, dates: list[date], step: int):
    day = rng.choice(dates)
    if rng.random() < 0.3:
        return day.isoformat()
    holiday: dict = {"name": "feast"}
    if rng.random() < 0.4:
        start, end = sorted(rng.sample(range(0, 86_400, step), 2))
        holiday |= {"start": _clock(start), "end": _clock(end)}
    if rng.random() < 0.4:
        return holiday | {"date": day.isoformat()}
    return holiday | {"recurrence": _recurrence(rng, day)}


def _recurrence(rng: Random, day: date) -> dict:
    start = day - timedelta(days=rng.choice((0, 1, 7, 30, 365)))
    weekdays = [LONG[day.weekday()]]
    nth = ("First", "Second", "Third", "Fourth", "Last")[min((day.day - 1) // 7, 4)]
    rule = rng.choice(
        (
            {"type": "RecursDaily", "interval": rng.randint(2, 4)},
            {"type": "RecursEveryWeekday", "end": day.isoformat()},
            {"type": "RecursWeekly", "interval": rng.randint(1, 2), "days": [*weekdays, "Sunday"]},
            {"type": "RecursMonthly", "day": day.day},
            {"type": "RecursMonthlyNth", "interval": rng.randint(1, 2), "instance": nth, "days": weekdays},
            {"type": "RecursYearly", "month": MONTHS[day.month - 1], "day": day.day},
            {"type": "RecursYearlyNth", "month": MONTHS[day.month - 1], "instance": nth, "days": weekdays},
        )
    )
    return {**rule, "start": start.isoformat()}


def random_pauses(rng: Random, begin: int, end: int, step: int) -> list[tuple[int, int | None]]:
    """Return up to three pauses about the window, sometimes overlapping, sometimes without end."""
    pauses: list[tuple[int, int | None]] = []
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        start = rng.randrange(begin, end, step)
        length = rng.randrange(0, (end - begin) // 2, step)
        pauses.append((start, None if rng.random() < 0.15 else start + length))
    return pauses


def _time(rng: Random, step: int) -> str:
    return _clock(rng.randrange(0, 86_400, step))


def _clock(second: int) -> str:
    text = f"{second // 3600:02d}:{second // 60 % 60:02d}"
    return f"{text}:{second % 60:02d}" if second % 60 else text
