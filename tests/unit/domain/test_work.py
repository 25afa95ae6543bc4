"""The nouns survive JSON: nothing is lost on the way to the store and back."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.unit.build import agent, created, event, make_policy, message, run, updated
from triage.domain.decision import Decision
from triage.domain.facts import Facts
from triage.domain.work import Agent, Event

RULES = """
- id: r
  when: [age >= 1h, sla.used >= 10%]
  do: [{reassign: {to: {team: desk}}}, {notify: {who: owner, template: note}}]
  repeat: {every: 1h, at_most: 2}
  deliver: in_hours
- {id: e, when: [{became: status == Open}], deliver: in_hours, do: [{notify: {who: owner, template: note}}]}
"""
EVENTS = [
    created(Priority="High", Tags="billing;legal"), message("09:10", body="hé", sender="a@b.example"),
    updated("18:00", Status="Open"), event("override", "18:30", action="hold", rules=("x",)),
]  # fmt: skip


def outcome() -> Any:
    """Return a run with a bit of everything in memory."""
    policy = make_policy(RULES, "milestones: {solve: {object: Case, target: 4h, pause: [status == Open]}}")
    return run(policy, EVENTS, "19:00", agents=(agent("bob"),), apply=True)


@pytest.mark.parametrize("kind", [Event, Agent, Facts, Decision])
def test_it_comes_back_from_json_as_it_went(kind: type) -> None:
    found = outcome()
    values = {Event: EVENTS, Agent: [agent("bob")], Facts: [found.facts], Decision: found.decisions}[kind]
    for value in values:
        text = msgspec.json.encode(value, order="deterministic")
        again = msgspec.json.decode(text, type=kind)
        assert msgspec.json.encode(again, order="deterministic") == text


def test_an_event_says_from_for_its_sender() -> None:
    assert msgspec.to_builtins(message("09:10", sender="a@b.example"))["from"] == "a@b.example"


def test_the_memory_holds_what_the_run_left() -> None:
    memory = outcome().facts.memory
    assert memory.milestones[0].pauses
    assert memory.pending and memory.overrides and memory.owner_changes and memory.ours and memory.fired
