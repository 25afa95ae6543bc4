"""Laws that hold on every calendar, at millisecond resolution and at any distance."""

from __future__ import annotations

from random import Random

import pytest

from tests.property.calendars.cases import random_calendar, random_pauses, random_window
from triage.calendars import Calendar, WallTime, compile_calendar, read_definition
from triage.domain.instant import DAY
from triage.errors import CalendarError

SEEDS = range(120)


class Case:
    """One random calendar with pauses and sorted random instants, the farthest some years apart."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = Random(seed)
        zone, begin, end = random_window(rng, 60)
        self.hours: Calendar | WallTime
        try:
            self.hours = compile_calendar(read_definition(random_calendar(rng, zone, begin, end, 60)))
        except CalendarError:
            self.hours = WallTime()
        reach = rng.choice((DAY, 30 * DAY, 3 * 366 * DAY))
        self.at = sorted(begin * 1000 + rng.randrange(-reach, reach) for _ in range(4))
        closed = [(start, end) for start, end in random_pauses(rng, begin, end, 60) if end is not None]
        self.pauses = [(start * 1000 + 7, end * 1000 + 311) for start, end in closed]


@pytest.fixture(params=SEEDS)
def case(request: pytest.FixtureRequest) -> Case:
    return Case(request.param)


def test_elapsed_adds_up(case: Case) -> None:
    """From a to c is from a to b and from b to c, whatever is paused."""
    a, b, c, _ = case.at
    for pauses in ((), case.pauses):
        parts = case.hours.elapsed(a, b, pauses) + case.hours.elapsed(b, c, pauses)
        assert case.hours.elapsed(a, c, pauses) == parts
        assert 0 <= parts <= c - a


def test_add_is_the_earliest_instant_that_elapsed_agrees_with(case: Case) -> None:
    start, end = case.at[0], case.at[-1]
    for pauses in ((), case.pauses):
        total = case.hours.elapsed(start, end, pauses)
        for amount in {1, total // 3, total} - {0}:
            if amount > total:
                continue
            due = case.hours.add(start, amount, pauses)
            assert due is not None
            assert case.hours.elapsed(start, due, pauses) == amount
            assert case.hours.elapsed(start, due - 1, pauses) == amount - 1


def test_subtract_is_the_latest_instant_that_elapsed_agrees_with(case: Case) -> None:
    start, end = case.at[0], case.at[-1]
    for pauses in ((), case.pauses):
        total = case.hours.elapsed(start, end, pauses)
        for amount in {1, total // 3, total} - {0}:
            if amount > total:
                continue
            begun = case.hours.subtract(end, amount, pauses)
            assert begun is not None
            assert case.hours.elapsed(begun, end, pauses) == amount
            assert case.hours.elapsed(begun + 1, end, pauses) == amount - 1


def test_add_rises_with_the_amount_and_never_falls_with_the_start(case: Case) -> None:
    start, later = case.at[0], case.at[1]
    total = case.hours.elapsed(start, case.at[-1], case.pauses)
    amounts = sorted(case.rng.randrange(total + 1) for _ in range(4))
    dues = [case.hours.add(start, amount, case.pauses) for amount in amounts]
    assert dues == sorted(dues)
    reachable = min(amounts[0], case.hours.elapsed(later, case.at[-1], case.pauses))
    assert case.hours.add(start, reachable, case.pauses) <= case.hours.add(later, reachable, case.pauses)


def test_adding_twice_is_adding_the_sum(case: Case) -> None:
    start = case.at[0]
    total = case.hours.elapsed(start, case.at[-1], case.pauses)
    one = case.rng.randrange(total + 1)
    between = case.hours.add(start, one, case.pauses)
    if total > one:
        whole = case.hours.add(start, total, case.pauses)
        assert case.hours.add(between, total - one, case.pauses) == whole


def test_the_ledger_tiles_the_span_and_its_open_stretches_sum_to_elapsed(case: Case) -> None:
    start, end = case.at[1], case.at[2]
    stretches = case.hours.ledger(start, end, case.pauses)
    assert [stretch.end for stretch in stretches[:-1]] == [stretch.start for stretch in stretches[1:]]
    if stretches:
        assert (stretches[0].start, stretches[-1].end) == (start, end)
    counted = sum(stretch.end - stretch.start for stretch in stretches if stretch.kind == "open")
    assert counted == case.hours.elapsed(start, end, case.pauses)
    pauses_only = sum(stretch.end - stretch.start for stretch in stretches if stretch.kind == "paused")
    assert counted + pauses_only == case.hours.elapsed(start, end)


def test_openings_enclose_closed_instants_and_nothing_opens_in_between(case: Case) -> None:
    at = case.at[1]
    try:
        before, after = case.hours.prev_open(at), case.hours.next_open(at)
    except CalendarError:
        return
    assert before <= at <= after
    assert case.hours.is_open(after)
    assert case.hours.elapsed(before, after) == 0
    assert (before == at == after) or not case.hours.is_open(at)
