"""Actions and the data they carry."""

from __future__ import annotations

from typing import Any

import pytest

from triage.config import load_policy
from triage.errors import ConfigError
from triage.rules.check import Known
from triage.rules.deeds import plain, read_actions
from triage.rules.language import ActionSpec
from triage.rules.positions import Sequence, read_tree


def actions(text: str, known: Known) -> tuple[ActionSpec, ...]:
    node, page = read_tree("a.yaml", text)
    assert isinstance(node, Sequence)
    found = read_actions(node.items, known, page)
    assert page.faults == []
    return found


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("true", True),
        ("'true'", "true"),
        ("12", 12),
        ("-3", -3),
        ("'12'", "12"),
        ("010", "010"),
        ("1.5", "1.5"),
        ("NO", "NO"),
        ("null", "null"),
        ("[1, a]", [1, "a"]),
        ("{a: {b: false}}", {"a": {"b": False}}),
        ("&x 1", None),
    ],
)
def test_data_is_typed_only_where_it_can_be_nothing_else(text: str, data: Any) -> None:
    node, _ = read_tree("a.yaml", text)
    assert node is not None
    assert plain(node) == data


@pytest.mark.parametrize(
    ("who", "kind", "name"),
    [
        ("owner", "owner", ""),
        ("customer", "customer", ""),
        ("manager", "role", "manager"),
        ("role:duty manager", "role", "duty manager"),
        ("address:a@b.example", "address", "a@b.example"),
        ("queue:Tier2", "queue", "Tier2"),
        ("team:sales-emea", "team", "sales-emea"),
        ("user:005A", "user", "005A"),
        ("account.csm", "field", "account.csm"),
    ],
)
def test_recipients(who: str, kind: str, name: str, known: Known) -> None:
    (action,) = actions(f"- notify: {{who: '{who}', template: received}}", known)
    assert (action.target.kind, action.target.name) == (kind, name)


@pytest.mark.parametrize("who", ["queue:Tier9", "team:x", "pool:x", "nobody"])
def test_recipients_must_be_declared(who: str, base: str) -> None:
    rules = f"rules: [{{id: a, when: [], do: [{{notify: {{who: '{who}', template: received}}}}]}}]"
    with pytest.raises(ConfigError, match="unknown"):
        load_policy({"base.yaml": base, "rules.yaml": rules})


@pytest.mark.parametrize("kind", ["user: 005A", "queue: Tier2", "pool: sales-pool", "team: sales-emea", "role: lead"])
def test_reassign_goes_to_people_and_places(kind: str, known: Known) -> None:
    (action,) = actions(f"- reassign: {{to: {{{kind}}}}}", known)
    assert f"{action.target.kind}: {action.target.name}" == kind
    assert (action.match, action.exclude, action.require, action.params) == ("", (), (), {})


def test_a_priority_without_ranks_cannot_be_raised() -> None:
    texts = {
        "a.yaml": "objects: {Case: {fields: {priority: Priority}}}",
        "b.yaml": "rules: [{id: a, when: [], do: [{reprioritise: {raise: 1}}]}]",
    }
    with pytest.raises(ConfigError, match="has no order to be raised in"):
        load_policy(texts)


def test_a_priority_needs_a_field() -> None:
    texts = {
        "a.yaml": "objects: {Case: {}}",
        "b.yaml": "rules: [{id: a, when: [], do: [{reprioritise: {to: High}}]}]",
    }
    with pytest.raises(ConfigError, match="has no field 'priority'"):
        load_policy(texts)
