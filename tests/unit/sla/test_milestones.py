"""The milestone state machine, event by event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.build import at, make_policy
from triage.domain.facts import MilestoneState
from triage.domain.instant import HOUR
from triage.sla.clocks import NEVER
from triage.sla.milestones import Milestone, Progress, due, follow, paused_ms, violated

CALENDARS = make_policy().calendars
OPENED = at("09:00")


def says(name: str) -> Any:
    """Return the condition that the value *name* is true."""
    return lambda values: values.get(name) is True


def milestone(**more: Any) -> Milestone:
    """Return a milestone of four hours of wall time."""
    return Milestone(**({"name": "m", "targets": ((None, 4 * HOUR),), "hours": "none"} | more))


def followed(one: Milestone, *events: tuple[str, Mapping[str, Any]]) -> Progress:
    """Return the progress after events of (instant, values)."""
    progress = Progress()
    for when, values in events:
        progress = follow(progress, [one], values, at(when), OPENED, CALENDARS.__getitem__)
    return progress


def latest(one: Milestone, *events: tuple[str, Mapping[str, Any]]) -> MilestoneState:
    """Return the one run under way."""
    (state,) = followed(one, *events).current
    return state


def test_a_milestone_without_start_begins_with_the_record() -> None:
    assert latest(milestone(), ("11:00", {})).start == OPENED


def test_a_milestone_begins_when_its_start_holds() -> None:
    one = milestone(start=says("go"))
    assert followed(one, ("10:00", {})) == Progress()
    assert latest(one, ("10:00", {}), ("11:00", {"go": True}), ("12:00", {})).start == at("11:00")


def test_a_milestone_that_is_done_as_it_would_start_does_not_begin() -> None:
    assert (
        followed(milestone(start=says("go"), complete=says("done")), ("10:00", {"go": True, "done": True})).current
        == ()
    )


def test_a_record_created_done_has_a_completed_milestone() -> None:
    assert latest(milestone(complete=says("done")), ("09:00", {"done": True})).completed == OPENED


def test_completion_keeps_its_instant_while_it_lasts_and_reopening_takes_it_back() -> None:
    one = milestone(complete=says("done"))
    done = [("10:00", {"done": True}), ("11:00", {"done": True})]
    assert latest(one, *done).completed == at("10:00")
    again = latest(one, *done, ("12:00", {}))
    assert (again.completed, again.start, again.pauses) == (None, OPENED, ())


def test_a_target_is_the_first_whose_condition_holds_and_follows_the_values() -> None:
    one = milestone(targets=((says("vip"), HOUR), (None, 4 * HOUR)))
    assert [latest(one, ("09:00", {}), ("10:00", {"vip": vip})).target for vip in (True, False)] == [HOUR, 4 * HOUR]
    assert latest(one, ("09:00", {}), ("10:00", {"vip": True})).start == OPENED


@pytest.mark.parametrize("targets", [(), ((None, 0),), ((None, None),), ((says("vip"), HOUR),)])
def test_no_target_or_zero_is_no_deadline(targets: Any) -> None:
    state = latest(milestone(targets=targets), ("09:00", {}))
    assert due(state, CALENDARS.__getitem__) is None
    assert not violated(state, CALENDARS.__getitem__, at("20 00:00"))


def test_pauses_open_and_close_with_their_condition() -> None:
    one = milestone(pause=says("wait"))
    events = [("10:00", {"wait": True}), ("10:30", {"wait": True}), ("11:00", {}), ("12:00", {"wait": True})]
    assert latest(one, *events).pauses == ((at("10:00"), at("11:00")), (at("12:00"), None))


@pytest.mark.parametrize("ends", [{"done": True, "wait": True}, {"spam": True, "wait": True}])
def test_completion_and_stop_end_a_pause(ends: dict[str, bool]) -> None:
    one = milestone(pause=says("wait"), complete=says("done"), stop=says("spam"))
    assert latest(one, ("10:00", {"wait": True}), ("11:00", ends)).pauses == ((at("10:00"), at("11:00")),)


def test_a_stopped_milestone_resumes_the_same_run_when_the_stop_is_gone() -> None:
    one = milestone(stop=says("spam"))
    assert latest(one, ("10:00", {"spam": True}), ("11:00", {"spam": True})).stopped == at("10:00")
    resumed = latest(one, ("10:00", {"spam": True}), ("11:00", {}))
    assert (resumed.stopped, resumed.start) == (None, OPENED)


@pytest.mark.parametrize(
    ("recurrence", "starts"),
    [("none", ["10:00"]), ("independent", ["10:00", "12:00"]), ("chained", ["10:00", "14:00"])],
)
def test_recurring_runs_start_when_asked_or_where_the_last_target_was(recurrence: str, starts: list[str]) -> None:
    one = milestone(start=says("asked"), complete=says("done"), recurrence=recurrence)
    progress = followed(one, ("10:00", {"asked": True}), ("11:00", {"done": True}), ("12:00", {"asked": True}))
    assert [state.start for state in (*progress.past, *progress.current)] == [at(start) for start in starts]


def test_a_chained_run_after_a_late_answer_starts_when_asked() -> None:
    one = milestone(start=says("asked"), complete=says("done"), recurrence="chained")
    progress = followed(one, ("10:00", {"asked": True}), ("15:00", {"done": True}), ("16:00", {"asked": True}))
    assert [state.start for state in progress.current] == [at("16:00")]
    assert violated(progress.past[0], CALENDARS.__getitem__, at("20:00"))


def test_a_milestone_that_the_policy_dropped_is_kept_as_it_was() -> None:
    state = latest(milestone(), ("09:00", {}))
    assert follow(Progress((state,)), [], {}, at("10:00"), OPENED, CALENDARS.__getitem__) == Progress((state,))


@pytest.mark.parametrize(
    ("ended", "now", "late"),
    [
        ({}, "12:59", False), ({}, "13:00", True), ({"completed": at("13:00")}, "20:00", False),
        ({"completed": at("13:00") + 1}, "20:00", True), ({"stopped": at("12:00")}, "20:00", False),
        ({"stopped": at("13:00")}, "20:00", True),
    ],
)  # fmt: skip
def test_violated_once_the_target_has_passed_and_not_when_met_exactly(
    ended: dict[str, int], now: str, late: bool
) -> None:
    state = replace(latest(milestone(), ("09:00", {})), **ended)
    assert violated(state, CALENDARS.__getitem__, at(now)) is late


def test_due_is_never_under_an_open_pause() -> None:
    state = latest(milestone(pause=says("wait")), ("10:00", {"wait": True}))
    assert due(state, CALENDARS.__getitem__) == NEVER


def test_paused_time_is_the_open_time_of_the_run_that_pauses_took() -> None:
    one = milestone(pause=says("wait"), complete=says("done"), hours="lon")
    events = [("16:00", {"wait": True}), ("13 10:00", {}), ("13 11:00", {"done": True}), ("13 12:00", {"wait": True})]
    state = latest(one, *events[:3])
    assert paused_ms(state, CALENDARS.__getitem__, at("20 00:00")) == 2 * HOUR
    running = latest(one, *events[:1])
    assert paused_ms(running, CALENDARS.__getitem__, at("16:30")) == HOUR // 2
