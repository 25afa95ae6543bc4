"""Hours that never close."""

from __future__ import annotations

import pytest

from triage.calendars import Stretch, WallTime
from triage.errors import CalendarError

WALL = WallTime()


def test_every_instant_is_open() -> None:
    assert WALL.is_open(5)
    assert WALL.next_open(5) == WALL.prev_open(5) == 5


def test_time_passes_plainly() -> None:
    assert (WALL.elapsed(5, 12), WALL.elapsed(12, 5), WALL.add(5, 7), WALL.subtract(12, 7)) == (7, 0, 12, 5)


def test_a_negative_amount_is_refused() -> None:
    for ask in (WALL.add, WALL.subtract):
        with pytest.raises(CalendarError, match="negative"):
            ask(0, -1)
        with pytest.raises(CalendarError, match="negative"):
            ask(0, -1, [(0, 5)])


def test_the_ledger_is_open_but_for_pauses() -> None:
    assert WALL.ledger(0, 10, [(3, 5)]) == (Stretch(0, 3, "open"), Stretch(3, 5, "paused"), Stretch(5, 10, "open"))
    assert WALL.ledger(10, 10) == ()


def test_it_is_called_none_and_has_a_digest() -> None:
    assert (WALL.name, WALL.zone, len(WALL.digest)) == ("none", "UTC", 64)
