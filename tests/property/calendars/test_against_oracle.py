"""Calendars against a minute-by-minute oracle on seeded random calendars around zone transitions: no difference."""

from __future__ import annotations

from random import Random

import pytest

from tests.property.calendars.cases import random_calendar, random_pauses, random_window
from tests.property.calendars.oracle import Oracle, Running
from triage.calendars import Calendar, compile_calendar, read_definition
from triage.errors import CalendarError

QUERIES = 8


@pytest.mark.parametrize("block", range(10))
def test_zero_differences_on_a_seeded_tenth(block: int) -> None:
    """A thousand random calendars answer every question as the oracle does."""
    compared = sum(_compare(seed) for seed in range(block * 100, block * 100 + 100))
    assert compared > 100 * QUERIES * 4


@pytest.mark.laws
@pytest.mark.parametrize("block", range(100))
def test_zero_differences_on_ten_thousand(block: int) -> None:
    """Ten thousand random calendars answer every question as the oracle does."""
    compared = sum(_compare(seed) for seed in range(block * 100, block * 100 + 100))
    assert compared > 100 * QUERIES * 4


def _compare(seed: int) -> int:
    """Compare one random calendar with the oracle; return how many answers were compared."""
    rng = Random(seed)
    step = 1 if seed % 25 == 0 else 60
    zone, begin, end = random_window(rng, step)
    definition = random_calendar(rng, zone, begin, end, step)
    oracle = Oracle(definition, begin, end, step)
    try:
        calendar = compile_calendar(read_definition(definition))
    except CalendarError:
        assert 1 not in oracle.units, f"seed {seed}: refused as never open: {definition}"
        return QUERIES * 5
    pauses = random_pauses(rng, begin, end, step)
    running = [(oracle.paused(given), given) for given in ([], pauses)]
    _compare_ledger(calendar, oracle, *running[1], seed)
    return sum(_compare_once(rng, calendar, oracle, *running[rng.random() < 0.7], seed) for _ in range(QUERIES))


def _compare_once(rng: Random, calendar: Calendar, oracle: Oracle, running: Running, pauses, seed: int) -> int:
    step, where = oracle.step, f"seed {seed}: {oracle.definition} pauses {pauses}"
    start, end = (rng.randrange(oracle.begin, oracle.end, step) for _ in range(2))
    given = _millis(pauses)
    assert calendar.elapsed(start * 1000, end * 1000, given) == running.elapsed(start, end) * 1000, where
    assert calendar.is_open(start * 1000) == oracle.is_open(start), where
    compared = 2
    amount = rng.choice((0, running.elapsed(start, end), rng.randrange(0, 3 * 86_400, step)))
    for ask, expected, edge in (
        (lambda: calendar.add(start * 1000, amount * 1000, given), running.add(start, amount), oracle.end),
        (lambda: calendar.next_open(start * 1000), oracle.next_open(start), oracle.end),
        (lambda: calendar.subtract(end * 1000, amount * 1000, given), running.subtract(end, amount), oracle.begin),
        (lambda: calendar.prev_open(end * 1000), oracle.prev_open(end), oracle.begin),
    ):
        found = _ask(ask)
        if expected is not None:
            assert found == expected * 1000, where
        elif found is not None:
            # The oracle ran out of its window: the answer must then lie beyond that edge.
            assert found >= edge * 1000 if edge == oracle.end else found <= edge * 1000, where
        compared += 1
    return compared


def _compare_ledger(calendar: Calendar, oracle: Oracle, running: Running, pauses, seed: int) -> None:
    """Every unit of the window is in exactly one stretch, which calls it open, paused or neither as the oracle does."""
    at, painted = oracle.begin * 1000, []
    for stretch in calendar.ledger(oracle.begin * 1000, oracle.end * 1000, _millis(pauses)):
        assert stretch.start == at < stretch.end, f"seed {seed}: {stretch}"
        at = stretch.end
        shade = {"open": b"\2", "paused": b"\1"}.get(stretch.kind, b"\0")
        painted.append(shade * ((stretch.end - stretch.start) // 1000 // oracle.step))
    assert at == oracle.end * 1000
    # Added as one long number, byte by byte: 2 is open and counting, 1 is open and paused, 0 is closed.
    expected = int.from_bytes(oracle.units, "big") + int.from_bytes(running.counting, "big")
    assert int.from_bytes(b"".join(painted), "big") == expected, f"seed {seed}: {oracle.definition} pauses {pauses}"


def _millis(pauses):
    return [(start * 1000, None if end is None else end * 1000) for start, end in pauses]


def _ask(question) -> int | None:
    try:
        return question()
    except CalendarError:
        return None
