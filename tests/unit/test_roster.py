"""Who holds what within a turn: loads as work is given out, and what other workers changed in between."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from triage.domain.decision import Action
from triage.domain.work import Agent
from triage.errors import StaleRecord
from triage.roster import Roster, merged_agent


def action(**changed: object) -> Action:
    given = {"object": "Case", "id": "1", "rule": "r", "step": "s", "position": 0, "kind": "reassign"}
    given |= {"target": "user:a", "due": 1, "at": 2, "episode": "e", "key": "k"}
    return Action(**(given | changed))  # type: ignore[arg-type]


def loads(roster: Roster) -> dict[str, int]:
    return {agent.id: agent.load for agent in roster.agents()}


def test_agents_come_in_order_of_their_ids() -> None:
    assert [agent.id for agent in Roster([Agent(id="b"), Agent(id="a")]).agents()] == ["a", "b"]


def test_a_planned_reassignment_is_held_by_whom_it_is_for() -> None:
    roster = Roster([Agent(id="a"), Agent(id="b")])
    roster.reserve(action(), 1)
    roster.reserve(action(kind="notify"), 1)
    roster.reserve(action(status="would_have"), 1)
    roster.reserve(action(target="queue:Q"), 1)
    assert loads(roster) == {"a": 1, "b": 0}


def test_a_load_never_falls_below_nothing() -> None:
    roster = Roster([Agent(id="a")])
    roster.reserve(action(), -1)
    assert loads(roster) == {"a": 0}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("", "a", {"a": 2, "b": 1}),
        ("a", "b", {"a": 0, "b": 2}),
        ("a", "", {"a": 0, "b": 1}),
        ("a", "a", {"a": 1, "b": 1}),
        ("queue:Q", "", {"a": 1, "b": 1}),
    ],
)
def test_a_record_counts_for_who_holds_it(before: str, after: str, expected: dict[str, int]) -> None:
    roster = Roster([Agent(id="a", load=1), Agent(id="b", load=1)])
    roster.moved(before, after)
    assert loads(roster) == expected


def test_the_snapshot_is_kept_without_loads_so_that_it_is_kept_once() -> None:
    roster = Roster([Agent(id="a", load=1)])
    first, held = roster.snapshot()
    roster.reserve(action(), 1)
    second, more = roster.snapshot()
    assert (first, held, more) == (second, {"a": 1}, {"a": 2})
    assert roster.kept == {first: (Agent(id="a"),)}


def test_only_agents_that_differ_are_stored() -> None:
    roster = Roster([Agent(id="a"), Agent(id="b")])
    roster.reserve(action(), 1)
    assert roster.changed() == [Agent(id="a", load=1)]


ANN = Agent(id="ann", capacity=3, load=1)


def test_an_agent_nobody_else_touched_is_stored_as_decided() -> None:
    assert merged_agent(ANN, replace(ANN, load=3), ANN, True).load == 3


def test_what_others_added_to_a_load_is_kept_when_there_is_room() -> None:
    assert merged_agent(ANN, replace(ANN, load=2), replace(ANN, load=2), True).load == 3


def test_what_others_gave_back_is_kept() -> None:
    assert merged_agent(ANN, replace(ANN, load=0), replace(ANN, load=0), False).load == 0
    assert merged_agent(ANN, replace(ANN, load=3), replace(ANN, load=0), True).load == 2


def test_work_is_given_out_again_when_others_took_the_room() -> None:
    with pytest.raises(StaleRecord, match="other work"):
        merged_agent(ANN, replace(ANN, load=2), replace(ANN, load=3), True)


def test_a_load_that_no_decision_gave_is_counted_above_the_capacity() -> None:
    assert merged_agent(ANN, replace(ANN, load=2), replace(ANN, load=3), False).load == 4


def test_an_agent_without_a_limit_takes_all() -> None:
    free = replace(ANN, capacity=None)
    assert merged_agent(free, replace(free, load=2), replace(free, load=9), True).load == 10


@pytest.mark.parametrize("stored", [None, replace(ANN, presence="away")])
def test_work_is_given_out_again_when_the_agent_is_not_who_it_was(stored: Agent | None) -> None:
    with pytest.raises(StaleRecord, match="changed"):
        merged_agent(ANN, replace(ANN, load=2), stored, True)


def test_a_changed_agent_is_not_stored_over_somebody_elses_change() -> None:
    with pytest.raises(StaleRecord, match="changed"):
        merged_agent(ANN, replace(ANN, presence="online"), replace(ANN, load=2), False)
