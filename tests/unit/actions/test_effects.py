"""What a done action changed on its record."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.build import at, make_policy
from triage.actions.effects import effect_event, field_changes
from triage.domain.decision import Action

POLICY = make_policy()


def action(kind: Any, target: str, **params: Any) -> Action:
    """Return an action of rule r on case 1."""
    return Action(
        object="Case", id="1", rule="r", step="", position=0, kind=kind, target=target, params=params, due=0, at=0,
        episode="e", key="k",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("one", "changes"),
    [
        (action("reassign", "user:bob"), {"OwnerId": "bob"}),
        (action("reassign", "queue:Tier2"), {"OwnerId": "queue:Tier2"}),
        (action("move", "pool:last"), {"OwnerId": "pool:last"}),
        (action("reprioritise", "field:priority", to="High"), {"Priority": "High"}),
        (action("set", "field:country", value="FR"), {"Country": "FR"}),
        (action("notify", "user:bob"), {}), (action("acknowledge", "customer"), {}),
        (action("custom", "webhook:x"), {}),
    ],
)  # fmt: skip
def test_changes_are_told_by_their_names_in_the_crm(one: Action, changes: dict[str, str]) -> None:
    assert field_changes(one, POLICY) == changes


def test_the_event_is_of_origin_triage_and_names_rule_and_key() -> None:
    found = effect_event(action("reassign", "user:bob"), POLICY, at("10:00"))
    assert found is not None
    assert (found.at, found.type, found.origin, found.actor) == (at("10:00"), "updated", "triage", "triage")
    assert (found.object, found.id, found.rule, found.key, found.event_id) == ("Case", "1", "r", "k", "effect:k")


def test_an_action_that_changes_no_field_comes_back_as_nothing() -> None:
    assert effect_event(action("notify", "user:bob"), POLICY, at("10:00")) is None


def test_a_field_without_column_keeps_its_own_name() -> None:
    policy = make_policy("", "objects: {Lead: {fields: {status: Status}}}")
    one = Action(
        object="Lead", id="1", rule="r", step="", position=0, kind="reassign", target="user:bob", due=0, at=0,
        episode="e", key="k",
    )  # fmt: skip
    assert field_changes(one, policy) == {"owner": "bob"}
