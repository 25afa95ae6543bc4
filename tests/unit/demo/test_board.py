"""What the play looks like while it runs."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from tests.unit.demo.scenes import NOW, progress
from triage.demo.board import EVERY, REFRESH, LiveBoard, PlainBoard, picture, plain_line
from triage.domain.instant import MINUTE
from triage.sample import START, invent
from triage.testing import ManualClock


def drawn(state) -> str:
    out = io.StringIO()
    Console(file=out, width=110).print(picture(state))
    return out.getvalue()


def test_a_plain_line_says_when_and_how_things_stand():
    """Virtual time with its weekday, counts, the next timer, the busiest rules."""
    line = plain_line(progress())
    assert line.startswith("Wed 2026-09-02 08:00Z")
    for part in (
        "open   7",
        "effects   12",
        "missed   3",
        "without escalation  11",
        "09:00 Case/50009",
        "gold-waiting 8",
    ):
        assert part in line
    assert "\n" not in line


def test_a_plain_line_without_timers_or_effects_leaves_them_out():
    """Nothing due and nothing done is not written about."""
    line = plain_line(progress(upcoming=(), by_rule={}))
    assert line.endswith("(without escalation  11)")


def test_plain_lines_come_every_six_hours_of_virtual_time():
    """Rounds in between print nothing, and nothing is asked for them."""
    out, asked = io.StringIO(), []
    board = PlainBoard(out)

    def tell():
        asked.append(1)
        return progress()

    for now in range(START, START + 2 * EVERY + MINUTE, 10 * MINUTE):
        board.watch(now, tell)
    assert len(out.getvalue().splitlines()) == len(asked) == 2


def test_the_whole_play_takes_at_most_forty_plain_lines():
    """Six days in lines of six hours."""
    assert (invent(7).end - START) / EVERY <= 40


def test_a_plain_board_is_a_context_that_leaves_nothing_behind():
    """It needs no beginning and no end."""
    out = io.StringIO()
    with PlainBoard(out) as board:
        board.watch(START, progress)
    assert out.getvalue() == ""


@pytest.mark.parametrize(
    "part",
    [
        "Virtual time Wed 2026-09-02 08:00Z", "nothing outside is touched", "events 40", "open records 7",
        "timers fired 9", "effects 12", "late at most 3m", "promises missed 3", "without escalation 11",
        "escalations by rule", "gold-waiting", "Case/50009", "sla-80-percent",
    ],
)  # fmt: skip
def test_the_live_table_shows(part):
    """All that the play is about is in the picture."""
    assert part in drawn(progress())


def test_the_live_table_names_the_busiest_rules_first_and_not_too_many():
    """Twelve rules at most, by count, then by name."""
    text = drawn(progress(by_rule={f"rule-{n:02}": n for n in range(30)}))
    assert "rule-29" in text
    assert "rule-17" not in text
    assert text.index("rule-29") < text.index("rule-18")


def test_the_live_board_draws_only_when_the_last_picture_is_old():
    """Between two pictures nothing is asked."""
    clock, asked = ManualClock(1_000_000), []

    def tell():
        asked.append(clock.now())
        return progress(share=0.0)

    with LiveBoard(Console(file=io.StringIO(), force_terminal=True, width=100), clock) as board:
        for _ in range(10):
            board.watch(NOW, tell)
            clock.move(REFRESH // 2)
    assert len(asked) == 5


def test_the_live_board_waits_where_the_machine_is_too_quick():
    """Half of the play is never over before half of the least time is."""
    clock = ManualClock(1_000_000)
    with LiveBoard(Console(file=io.StringIO(), force_terminal=True, width=100), clock, least=8_000) as board:
        board.watch(NOW, progress)
    assert clock.now() == 1_000_000 + 4_000


def test_the_live_board_never_waits_on_a_slow_machine():
    """Behind its time it goes on at once."""
    clock = ManualClock(1_000_000)
    with LiveBoard(Console(file=io.StringIO(), force_terminal=True, width=100), clock, least=100) as board:
        clock.move(5_000)
        board.watch(NOW, progress)
    assert clock.now() == 1_005_000
