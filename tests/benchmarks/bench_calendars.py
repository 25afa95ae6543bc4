"""How many add and between questions a calendar answers a second on one core, and against `businesstimedelta`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import time
from itertools import cycle, islice
from pathlib import Path
from random import Random
from time import process_time

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import businesstimedelta
import pytz

from triage.calendars import Calendar, CalendarDefinition, compile_calendar
from triage.domain.instant import DAY, HOUR, from_datetime, parse_instant, to_datetime

SPANS = (("1 day", DAY), ("30 days", 30 * DAY), ("5 years", 5 * 365 * DAY))
WORKDAYS = ("mon", "tue", "wed", "thu", "fri")
Query = tuple[int, int, int]
"""A start, an end and the open time between them, in ms."""


def run() -> list[tuple[str, float, str]]:
    """Return name, value and unit of each figure; a few seconds on one core. Seeded, so that runs compare."""
    calendar = compile_calendar(
        CalendarDefinition(tz="Europe/London", weekly=dict.fromkeys(WORKDAYS, (("09:00", "12:30"), ("13:15", "17:30"))))
    )
    figures = []
    for name, span in SPANS:
        queries = _queries(calendar, span)
        ours = _measure(calendar, queries)
        figures += [(f"calendar {kind}, {name}", rate, "calls/s") for kind, rate in ours.items()]
        theirs = _rival(queries[: max(3, 60 * DAY // span)])
        figures.append((f"calendar between, {name}, to businesstimedelta", ours["between"] / theirs, "x"))
    return [*figures, ("calendar compile and first answer", _compile_time() * 1000, "ms")]


def _queries(calendar: Calendar, span: int) -> list[Query]:
    rng = Random(20260112)
    origin = parse_instant("2020-01-01T00:00:00Z")
    starts = [origin + rng.randrange(4 * 365 * DAY) // 1000 * 1000 for _ in range(1000)]
    return [(start, start + span, calendar.elapsed(start, start + span)) for start in starts]


def _measure(calendar: Calendar, queries: list[Query]) -> dict[str, float]:
    def add(rounds: list[Query]) -> None:
        ask = calendar.add
        for start, _, amount in rounds:
            ask(start, amount)

    def between(rounds: list[Query]) -> None:
        ask = calendar.elapsed
        for start, end, _ in rounds:
            ask(start, end)

    def add_paused(rounds: list[Query]) -> None:
        ask = calendar.add
        for start, end, amount in rounds:
            ask(start, amount, ((start + HOUR, start + 3 * HOUR), (end - 2 * HOUR, end)))

    def between_paused(rounds: list[Query]) -> None:
        ask = calendar.elapsed
        for start, end, _ in rounds:
            ask(start, end, ((start + HOUR, start + 3 * HOUR), (end - 2 * HOUR, end)))

    plain, paused = list(islice(cycle(queries), 100_000)), list(islice(cycle(queries), 10_000))
    return {
        "add": _rate(add, plain),
        "between": _rate(between, plain),
        "add with 2 pauses": _rate(add_paused, paused),
        "between with 2 pauses": _rate(between_paused, paused),
    }


def _rate(task: Callable[[list[Query]], None], queries: list[Query]) -> float:
    """Return queries per second of processor time, the best of three rounds: other work on the machine counts less."""
    best = float("inf")
    for _ in range(3):
        begun = process_time()
        task(queries)
        best = min(best, process_time() - begun)
    return len(queries) / best


def _rival(queries: list[Query]) -> float:
    zone = pytz.timezone("Europe/London")
    parts = ((time(9), time(12, 30)), (time(13, 15), time(17, 30)))
    rules = businesstimedelta.Rules(
        [
            businesstimedelta.WorkDayRule(start_time=start, end_time=end, working_days=[0, 1, 2, 3, 4], tz=zone)
            for start, end in parts
        ]
    )

    def between(rounds: list[Query]) -> None:
        for start, end, amount in rounds:
            found = rules.difference(to_datetime(start), to_datetime(end))
            open_ms = (found.hours * 3600 + found.seconds) * 1000
            # A rival that answers something else would be no rival; a second is rounding.
            if abs(open_ms - amount) > 1000:
                raise SystemExit(f"businesstimedelta disagrees from {start} to {end}: {open_ms} against {amount}")

    return _rate(between, queries)


def _compile_time() -> float:
    start = from_datetime(to_datetime(parse_instant("2026-01-12T10:00:00Z")))
    begun = process_time()
    for minute in range(30):
        hours = (("09:00", f"17:{minute:02d}"),)
        compile_calendar(CalendarDefinition(tz="Europe/London", weekly=dict.fromkeys(WORKDAYS, hours))).add(start, HOUR)
    return (process_time() - begun) / 30


if __name__ == "__main__":
    for label, value, unit in run():
        print(f"{label:<50} {value:>14,.2f} {unit}")
