"""Pauses: unioned, absolute, and only ever taking open time."""

from __future__ import annotations

from triage.calendars import WallTime
from triage.calendars.pauses import FOREVER, union_pauses

WALL = WallTime()


def test_pauses_are_joined_and_empty_ones_dropped() -> None:
    assert union_pauses([(5, 8), (1, 3), (3, 4), (9, 9), (12, 11), (6, 7)]) == [(1, 4), (5, 8)]


def test_an_open_pause_lasts_for_ever_and_swallows_later_ones() -> None:
    assert union_pauses([(20, 30), (10, None), (5, 6)]) == [(5, 6), (10, FOREVER)]


def test_overlapping_pauses_remove_time_once() -> None:
    assert WALL.elapsed(0, 100, [(10, 30), (20, 40), (90, 500)]) == 100 - 30 - 10


def test_pauses_before_the_start_or_after_the_end_remove_nothing() -> None:
    assert WALL.elapsed(50, 100, [(0, 50), (100, None)]) == 50


def test_add_ends_where_a_pause_begins_when_the_amount_just_fits() -> None:
    assert WALL.add(0, 10, [(10, 50)]) == 10
    assert WALL.add(0, 11, [(10, 50)]) == 51


def test_add_from_inside_a_pause_starts_counting_at_its_end() -> None:
    assert WALL.add(20, 5, [(10, 50)]) == 55


def test_add_is_never_inside_an_open_pause() -> None:
    assert WALL.add(20, 1, [(10, None)]) is None
    assert WALL.add(20, 0, [(10, None)]) == 20


def test_subtract_mirrors_add() -> None:
    assert WALL.subtract(60, 10, [(10, 50)]) == 50
    assert WALL.subtract(60, 11, [(10, 50)]) == 9
    assert WALL.subtract(30, 5, [(10, 50)]) == 5


def test_subtract_steps_back_over_an_open_pause() -> None:
    assert WALL.subtract(60, 5, [(10, None)]) == 5
