"""Set arithmetic on spans."""

from __future__ import annotations

from random import Random

from triage.calendars.spans import to_utc, union, without


def test_union_joins_overlapping_and_touching_spans_and_drops_empty_ones() -> None:
    assert union([(5, 7), (0, 2), (2, 4), (9, 9), (8, 6), (6, 8)]) == [(0, 4), (5, 8)]


def test_union_keeps_spans_that_begin_at_nought_or_below() -> None:
    assert union([(-5, -3), (0, 1), (-3, -2)]) == [(-5, -2), (0, 1)]
    assert union([]) == []


def test_union_swallows_a_span_inside_another() -> None:
    assert union([(0, 10), (2, 3), (9, 10)]) == [(0, 10)]


def test_without_cuts_holes_out() -> None:
    assert without([(0, 10), (20, 30)], [(-1, 1), (3, 4), (8, 22), (30, 40)]) == [(1, 3), (4, 8), (22, 30)]


def test_without_nothing_is_all() -> None:
    assert without([(0, 10)], []) == [(0, 10)]
    assert without([], [(0, 10)]) == []


def test_without_and_union_agree_with_sets_on_random_spans() -> None:
    rng = Random(7)
    for _ in range(500):
        one, other = ([(a, a + rng.randrange(6)) for a in rng.choices(range(40), k=5)] for _ in range(2))
        left = without(union(one), union(other))
        assert _members(left) == _members(one) - _members(other)
        assert left == union(left)


def test_to_utc_drops_what_falls_into_a_skipped_hour() -> None:
    """The clock jumps from 100 to 110: local 100 to 110 never happens."""
    assert to_utc([(95, 105), (107, 115)], [(0, 100, 0), (100, 200, 10)]) == [(95, 105)]


def test_to_utc_repeats_what_falls_into_a_repeated_hour() -> None:
    """The clock falls back from 100 to 90: local 92 to 94 happens twice."""
    assert to_utc([(92, 94)], [(0, 100, 0), (100, 200, -10)]) == [(92, 94), (102, 104)]


def test_to_utc_joins_a_span_that_goes_on_through_a_change() -> None:
    assert to_utc([(0, 300)], [(0, 100, 0), (100, 200, -10)]) == [(0, 200)]


def test_to_utc_of_nothing_is_nothing() -> None:
    assert to_utc([], [(0, 100, 0)]) == []
    assert to_utc([(500, 600)], [(0, 100, 0)]) == []


def _members(spans) -> set[int]:
    return {item for start, end in spans for item in range(start, end)}
