"""One record at one instant: owner's state as values, and the earliest wake-up."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.build import agent, at, created, event, known, make_policy
from triage.actions.view import View
from triage.observe import owner_values
from triage.sla.clocks import NEVER

POLICY = make_policy("- {id: r, when: [owner.load >= 80%], do: [{notify: {who: owner, template: note}}]}")


def view(policy: Any = POLICY, *agents: Any, **fields: Any) -> View:
    """Return ann's record at ten."""
    facts = replace(known(policy, created(**fields)), agents=agents)
    return View(facts, facts.memory, policy, at("10:00"))


@pytest.mark.parametrize(
    ("more", "values"),
    [
        ({"capacity": 10, "load": 8}, {"owner.load": 0.8, "owner.overloaded": False}),
        ({"capacity": 10, "load": 11}, {"owner.load": 1.1, "owner.overloaded": True}),
        ({"capacity": 0, "load": 1}, {"owner.overloaded": True}), ({"load": 9}, {"owner.overloaded": False}),
    ],
)  # fmt: skip
def test_owner_values_state_load_as_a_share_of_capacity(more: dict[str, int], values: dict[str, Any]) -> None:
    rest = {"owner.tier": 1, "owner.presence": "online", "owner.team": ("desk",)}
    assert owner_values(agent("ann", **more)) == values | rest


def test_the_owners_state_is_among_the_values_where_rules_ask_for_it() -> None:
    busy = agent("ann", capacity=10, load=9)
    assert view(POLICY, busy).moment.values["owner.load"] == 0.9
    assert "owner.load" not in view(make_policy(), busy).moment.values
    assert "owner.load" not in view(POLICY, agent("bob", capacity=10)).moment.values


def test_the_earliest_wake_up_is_kept_with_its_reason() -> None:
    found = view()
    assert (found.wake, found.why) == (NEVER, "")
    for instant, why in ((9, "a"), (5, "b"), (7, "c"), (5, "d")):
        found.wake_at(instant, why)
    assert (found.wake, found.why) == (5, "b")


def test_closed_and_deleted_records_are_closed() -> None:
    assert not view().closed
    assert view(IsClosed=True).closed
    facts = known(POLICY, created(), event("deleted", "09:30"))
    assert View(facts, facts.memory, POLICY, at("10:00")).closed


def test_at_is_now_unless_a_worker_catches_up() -> None:
    facts = known(POLICY, created())
    assert View(facts, facts.memory, POLICY, at("10:00")).at == at("10:00")
    late = View(facts, facts.memory, POLICY, at("10:00"), at("12:00"))
    assert (late.now, late.at) == (at("10:00"), at("12:00"))
