"""The parts of a turn that are easier to see alone: who holds what, what is read once, what an agent event changes."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from triage.domain.decision import Action
from triage.domain.facts import Facts
from triage.domain.work import Agent, Event, WorkItem
from triage.errors import IntakeError, StaleRecord
from triage.ports import Effect, Record
from triage.store.memory import MemoryStore
from triage.turn import RelatedView, Roster, changed_agent, entry_of, merged_agent, planned_entry


def action(**changed: object) -> Action:
    given = {"object": "Case", "id": "1", "rule": "r", "step": "s", "position": 0, "kind": "reassign"}
    given |= {"target": "user:a", "due": 1, "at": 2, "episode": "e", "key": "k"}
    return Action(**(given | changed))  # type: ignore[arg-type]


def record(owner: str, **changed: object) -> Record:
    facts = Facts(org="o", item=WorkItem(object="Case", id="1", created_at=0))
    return Record(**({"key": "Case/1", "facts": facts, "owner": owner} | changed))  # type: ignore[arg-type]


def event(**changes: object) -> Event:
    return Event(at=1, type="agent", event_id="e", id="a", changes=dict(changes))


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


def test_an_agent_event_changes_what_it_names() -> None:
    before = Agent(id="a", name="Ann", skills={"x": 1}, teams=("t",))
    after = changed_agent(before, event(presence="online", skills={"y": 3}))
    assert after == Agent(id="a", name="Ann", presence="online", skills={"y": 3}, teams=("t",))
    assert changed_agent(None, event(capacity=2, pools=["p"])) == Agent(id="a", capacity=2, pools=("p",))


@pytest.mark.parametrize("changes", [{"presence": "asleep"}, {"capacity": "two"}, {"skills": ["x"]}])
def test_an_agent_event_of_a_wrong_type_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(IntakeError, match=next(iter(changes))):
        changed_agent(Agent(id="a"), event(**changes))


def test_an_agent_keeps_its_id_whatever_an_event_says() -> None:
    assert changed_agent(None, event(id="b")).id == "a"


def test_related_records_are_read_once_and_again_when_forgotten() -> None:
    store = MemoryStore()
    target = ("Account", "1")
    with store.write() as unit:
        view = RelatedView(unit)
        assert view.get(target) is None
        unit.related.merge(target, {"Tier": "Gold"}, 1)
        assert view.get(target) is None
        view.forget(target)
        assert view[target] == {"Tier": "Gold"}
        assert (list(view), len(view)) == ([target], 1)


def test_a_planned_line_holds_all_that_was_decided() -> None:
    line = planned_entry(Effect(action=action(note="n"), state="ready"), "o", 9)
    assert (line.event, line.at, line.key, line.rule) == ("planned", 9, "k", "r")
    assert {"step", "kind", "target", "due", "decided", "note", "params", "reason"} == set(line.body)
    assert planned_entry(Effect(action=action(), state="backlog"), "o", 9).event == "backlog"


def test_a_line_says_who_did_it() -> None:
    assert entry_of(action(), "o", "released", 5, actor="me", reason="x").actor == "me"


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
