"""The parts of a turn that are easier to see alone: what is read once, what an agent event changes, what is told."""

from __future__ import annotations

import pytest

from triage.domain.decision import Action
from triage.domain.work import Agent, Event
from triage.errors import IntakeError
from triage.intake.agent import changed_agent
from triage.ports import Effect
from triage.store.memory import MemoryStore
from triage.turn import RelatedView, entry_of, planned_entry


def action(**changed: object) -> Action:
    given = {"object": "Case", "id": "1", "rule": "r", "step": "s", "position": 0, "kind": "reassign"}
    given |= {"target": "user:a", "due": 1, "at": 2, "episode": "e", "key": "k"}
    return Action(**(given | changed))  # type: ignore[arg-type]


def event(**changes: object) -> Event:
    return Event(at=1, type="agent", event_id="e", id="a", changes=dict(changes))


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
