"""Clocks of one record: starts, deadlines, shares, pauses."""

from __future__ import annotations

from fractions import Fraction

import pytest

from tests.unit.build import at, make_policy
from triage.domain.facts import MilestoneState
from triage.domain.instant import HOUR, MINUTE, SECOND
from triage.sla.clocks import NEVER, Ask, Clocks, used_amount

POLICY = make_policy()
START = at("09:00")


def clocks(*milestones: MilestoneState) -> Clocks:
    """Return the clocks of a record created at nine, in London's hours."""
    marks = {"created": START, "assigned": at("10:00")}
    return Clocks(marks, milestones, POLICY.calendars, POLICY.calendars["lon"])


def solve(**more: object) -> MilestoneState:
    """Return a milestone of four hours."""
    return MilestoneState(**({"name": "solve", "start": START, "target": 4 * HOUR, "hours": "none"} | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ask", "due"),
    [
        (Ask("created", HOUR, "none"), "10:00"), (Ask("created", 9 * HOUR, "record"), "13 10:00"),
        (Ask("assigned", HOUR, "late"), "17:00"), (Ask("created", 0, "none"), "09:00"),
        (Ask("milestone:solve", HOUR, "none"), "10:00"), (Ask("milestone:solve", HOUR, "none", True), "12:00"),
        (Ask("milestone:solve", Fraction(4, 5), "none"), "12:12"),
        (Ask("milestone:solve", Fraction(1, 5), "none", True), "12:12"),
        (Ask("milestone:solve", 9 * HOUR, "none", True), "09:00"),
    ],
)  # fmt: skip
def test_deadline_is_the_amount_added_to_the_start(ask: Ask, due: str) -> None:
    assert clocks(solve()).deadline(ask) == at(due)


@pytest.mark.parametrize(
    "ask",
    [Ask("queued", HOUR, "none"), Ask("milestone:other", HOUR, "none"), Ask("sla", HOUR, "none")],
)
def test_deadline_is_none_where_the_clock_does_not_run(ask: Ask) -> None:
    assert clocks(solve()).deadline(ask) is None


@pytest.mark.parametrize("ask", [Ask("milestone:solve", Fraction(1, 2), ""), Ask("milestone:solve", HOUR, "", True)])
def test_a_share_of_no_target_has_no_deadline(ask: Ask) -> None:
    assert clocks(solve(target=None)).deadline(ask) is None


def test_an_amount_of_a_milestone_without_target_is_counted_all_the_same() -> None:
    assert clocks(solve(target=None)).deadline(Ask("milestone:solve", HOUR, "")) == at("10:00")


def test_an_open_pause_makes_it_never_and_a_closed_one_later() -> None:
    ask = Ask("milestone:solve", 2 * HOUR, "")
    assert clocks(solve(pauses=((at("10:00"), None),))).deadline(ask) == NEVER
    assert clocks(solve(pauses=((at("10:00"), at("10:30")),))).deadline(ask) == at("11:30")


@pytest.mark.parametrize("ended", [{"completed": START}, {"stopped": START}])
def test_an_ended_milestone_does_not_run(ended: dict[str, int]) -> None:
    assert clocks(solve(**ended)).start("milestone:solve") is None


def test_sla_is_the_subject_looked_at() -> None:
    found = clocks(solve(), solve(name="answer", target=2 * HOUR))
    ask = Ask("sla", Fraction(1, 2), "")
    assert found.deadline(ask) is None
    dues = []
    for milestone in found.milestones.values():
        found.subject = milestone
        dues.append(found.deadline(ask))
    assert dues == [at("11:00"), at("10:00")]
    assert found.start("sla") == START


@pytest.mark.parametrize(
    ("target", "amount", "of_remaining", "used"),
    [
        (50 * MINUTE, Fraction(80, 100), False, 2400 * SECOND), (SECOND, Fraction(1, 100), False, SECOND),
        (3 * SECOND, Fraction(1, 3), False, SECOND), (10 * SECOND, Fraction(1, 3), False, 4 * SECOND),
        (10 * SECOND, Fraction(1, 3), True, 7 * SECOND), (10 * SECOND, Fraction(0), True, 10 * SECOND),
        (10 * SECOND, Fraction(1), True, 0), (10 * SECOND, Fraction(3, 2), False, 15 * SECOND),
        (HOUR, HOUR, True, 0), (HOUR, 2 * HOUR, True, 0), (HOUR, MINUTE, True, 59 * MINUTE),
        (HOUR, MINUTE, False, MINUTE),
        (None, Fraction(1, 2), False, None), (None, MINUTE, True, None), (None, MINUTE, False, MINUTE),
    ],
)  # fmt: skip
def test_used_amount_is_exact_and_rounded_up_to_seconds(
    target: int | None, amount: int | Fraction, of_remaining: bool, used: int | None
) -> None:
    assert used_amount(target, amount, of_remaining) == used
