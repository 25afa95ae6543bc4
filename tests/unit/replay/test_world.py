"""The records of a replay: what one event touches, and that a refused one leaves everything as it was."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.replay.scenes import created, history, line, policy_of, updated
from triage.domain.work import Agent, Event
from triage.errors import IntakeError
from triage.replay.world import Agents, World

OWNERS = """
  - id: away
    when: [owner.presence == offline]
    do: [{notify: {who: "queue:desk", template: news}}]
"""


def event(text: str) -> Event:
    return history([text]).entries[0].event


def world_after(*lines: str, rules: str | None = None) -> World:
    world = World(policy_of(rules) if rules else policy_of(), "org")
    for text in lines:
        world.fold(event(text))
    return world


def touched(world: World, text: str) -> list[str]:
    return [kept.facts.item.id for kept in world.fold(event(text))]


def agent(name: str, **changes: Any) -> str:
    return line("10:00", "agent", name, changes=changes)


def account(name: str, tier: str = "Gold") -> str:
    return line("10:00", "related", name, "Account", changes={"SLA__c": tier})


def test_an_event_touches_its_own_record() -> None:
    world = world_after(created("09:00", "500A"), created("09:00", "500B"))
    assert touched(world, updated("09:05", "500B", Status="Open")) == ["500B"]


def test_a_related_event_touches_its_readers_in_the_order_of_their_creation() -> None:
    world = world_after(*(created("09:00", name, AccountId="001X") for name in ("500Z", "500A", "500M")))
    assert touched(world, account("001X")) == ["500Z", "500A", "500M"]
    assert {kept.facts.item.fields["account.tier"] for kept in world} == {"Gold"}


def test_a_related_event_before_its_readers_is_kept_for_them() -> None:
    world = world_after(account("001X"), account("001X", "Platinum"), created("09:00", AccountId="001X"))
    assert next(iter(world)).facts.item.fields["account.tier"] == "Platinum"


def test_a_closed_record_still_learns_of_what_it_refers_to() -> None:
    world = world_after(created("09:00", AccountId="001X", Status="Closed"), account("001X"))
    assert next(iter(world)).facts.item.fields["account.tier"] == "Gold"


def test_an_agent_event_touches_open_records_of_theirs_only_where_rules_look_at_owners() -> None:
    lines = [created("09:00", "500A"), created("09:00", "500B", Status="Closed"), created("09:00", "500C", OwnerId="x")]
    assert touched(world_after(*lines, rules=OWNERS), agent("005A", presence="away")) == ["500A"]
    assert touched(world_after(*lines), agent("005A", presence="away")) == []


def test_load_follows_owner_closing_and_deletion() -> None:
    world = world_after(agent("005A"), created("09:00", "500A"), created("09:00", "500B"), created("09:00", "500C"))
    loads = [world.agents.snapshot()[0].load]
    for text in (
        updated("09:10", "500A", OwnerId="005B"),
        updated("09:20", "500B", Status="Closed"),
        line("09:30", "deleted", "500C"),
        updated("09:40", "500B", Status="New"),
    ):
        world.fold(event(text))
        loads.append(world.agents.snapshot()[0].load)
    assert loads == [3, 2, 1, 0, 1]


def test_a_load_that_is_told_stands_until_records_move() -> None:
    world = world_after(created("09:00", "500A"), agent("005A", load=7), created("09:00", "500B"))
    assert world.agents.snapshot()[0].load == 8


@pytest.mark.parametrize("changes", [{"capacity": "many"}, {"presence": "asleep"}, {"mood": "good"}, {"teams": 7}])
def test_agents_stay_as_they_were_when_a_change_is_refused(changes: dict[str, Any]) -> None:
    agents = Agents((Agent(id="005A", load=2),))
    before = agents.snapshot()
    with pytest.raises(IntakeError, match="agent"):
        agents.change(event(agent("005A", **changes)), 0)
    assert agents.snapshot() is before


def test_agents_come_by_id_whatever_the_order_of_their_events() -> None:
    world = world_after(agent("005C"), agent("005A"), agent("005B"))
    assert [one.id for one in world.agents.snapshot()] == ["005A", "005B", "005C"]


def test_a_record_that_was_never_decided_is_forgotten_when_taken_back() -> None:
    world = world_after(agent("005A"), created("09:00", AccountId="001X"))
    world.take_back(next(iter(world)))
    assert list(world) == []
    assert world.agents.snapshot()[0].load == 0
    assert touched(world, account("001X")) == []


def test_a_record_goes_back_to_its_last_decision_when_taken_back() -> None:
    world = world_after(agent("005A"), created("09:00"))
    (kept,) = world
    kept.settled = kept.facts
    world.fold(event(updated("09:10", OwnerId="005B", Status="Open")))
    world.take_back(kept)
    assert (kept.facts.item.fields["owner"], kept.facts.item.fields["status"]) == ("005A", "New")
    assert world.agents.snapshot()[0].load == 1


def test_world_is_unchanged_when_an_event_of_an_unknown_record_comes() -> None:
    world = world_after(created("09:00"))
    with pytest.raises(IntakeError, match="never created"):
        world.fold(event(updated("09:10", "500X", Status="Open")))
    assert [kept.facts.item.id for kept in world] == ["500A"]
