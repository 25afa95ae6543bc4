"""Loops of re-assignments."""

from __future__ import annotations

import pytest

from triage.config import load_policy
from triage.rules.findings import Finding
from triage.rules.loops import find_loops


def loops(base: str, *rules: str) -> list[Finding]:
    text = "rules:\n" + "".join(f"  - {rule}\n" for rule in rules)
    return list(find_loops("Case", load_policy({"base.yaml": base, "rules.yaml": text})))


THERE = "{id: there, when: [owner == Tier2], do: [{reassign: {to: {queue: Tier3}}}]}"
BACK = "{id: back, when: [owner == Tier3], do: [{reassign: {to: {queue: Tier2}}}]}"
PASSED_ON = "{id: on, when: [since_assignment > 1h], do: [{reassign: {to: {team: sales-emea}}}]}"


def test_two_queues_that_hand_a_record_to_each_other_are_an_error(base: str) -> None:
    (finding,) = loops(base, THERE, BACK)
    assert (finding.level, finding.rule) == ("error", "there")
    assert "there -> back -> there" in finding.text
    assert finding.witness == {}


def test_one_way_is_no_loop(base: str) -> None:
    assert loops(base, THERE) == []


def test_the_record_that_goes_round_is_shown(base: str) -> None:
    (finding,) = loops(base, THERE.replace("Tier2]", "Tier2, priority == High]"), BACK)
    assert finding.witness == {"priority": "High"}


def test_conditions_that_exclude_each_other_break_the_loop(base: str) -> None:
    high, low = THERE.replace("Tier2]", "Tier2, priority == High]"), BACK.replace("Tier3]", "Tier3, priority == Low]")
    assert loops(base, high, low) == []


def test_a_loop_of_three_is_found_once(base: str) -> None:
    first = "{id: a, when: [owner == Tier2], do: [{reassign: {to: {queue: Tier3}}}]}"
    second = "{id: b, when: [owner == Tier3], do: [{reassign: {to: {user: 005A}}}]}"
    third = "{id: c, when: [owner == 005A], do: [{reassign: {to: {queue: Tier2}}}]}"
    (finding,) = loops(base, first, second, third)
    assert "a -> b -> c -> a" in finding.text


def test_a_rule_can_pass_a_record_round_its_own_team(base: str) -> None:
    (finding,) = loops(base, PASSED_ON)
    assert finding.level == "error"
    assert "on -> on" in finding.text


def test_excluding_previous_owners_ends_it(base: str) -> None:
    assert loops(base, PASSED_ON.replace("sales-emea}", "sales-emea}, exclude: [previous_owners]")) == []


def test_the_same_queue_again_is_no_change_of_owner(base: str) -> None:
    assert loops(base, PASSED_ON.replace("team: sales-emea", "queue: Tier2")) == []


@pytest.mark.parametrize("bound", ["cool_down: 2h", "repeat: {every: 1h, at_most: 3}"])
def test_a_bound_makes_it_a_warning(base: str, bound: str) -> None:
    (finding,) = loops(base, THERE, BACK.replace("when:", f"{bound}, when:"))
    assert finding.level == "warning"
    assert "bound" in finding.text


def test_a_loop_without_a_bound_is_not_hidden_by_shorter_ones_with_one(base: str) -> None:
    """Each of the two rules that hand on without end stands in a loop with a bounded rule as well."""
    rules = [
        "{id: a, when: [owner == Tier2], do: [{reassign: {to: {queue: Tier3}}}]}",
        "{id: b, when: [owner == Tier3], cool_down: 1h, do: [{reassign: {to: {queue: Tier2}}}]}",
        "{id: d, when: [owner == Tier2], cool_down: 1h, do: [{reassign: {to: {queue: Tier3}}}]}",
        "{id: c, when: [owner == Tier3], do: [{reassign: {to: {queue: Tier2}}}]}",
    ]
    found = [(one.level, one.text.partition(" (")[0].partition(";")[0]) for one in loops(base, *rules)]
    assert found[0] == ("error", "re-assignment goes round: a -> c -> a")
    assert {level for level, _ in found[1:]} <= {"warning"}


def test_excluding_previous_owners_is_no_bound_between_queues(base: str) -> None:
    (finding,) = loops(base, THERE.replace("Tier3}", "Tier3}, exclude: previous_owners"), BACK)
    assert finding.level == "error"


@pytest.mark.parametrize("once", ["per_record", "per_milestone"])
def test_a_rule_that_fires_once_ends_the_loop(base: str, once: str) -> None:
    assert loops(base, THERE, BACK.replace("when:", f"once: {once}, when:")) == []


def test_a_clock_that_never_restarts_ends_the_loop(base: str) -> None:
    assert loops(base, THERE, BACK.replace("Tier3]", "Tier3, age > 3h]")) == []


def test_rules_that_do_not_hear_of_updates_cannot_loop(base: str) -> None:
    assert loops(base, THERE, BACK.replace("when:", "on: [message], when:")) == []


def test_queues_and_people_are_told_apart(base: str) -> None:
    queue = "{id: q, when: [owner_is_queue], do: [{reassign: {to: {team: sales-emea}}}]}"
    person = "{id: p, when: [not owner_is_queue], do: [{reassign: {to: {queue: Tier2}}}]}"
    assert len(loops(base, queue, person)) == 1
    assert loops(base, queue, person.replace("queue: Tier2", "user: 005A")) == []


def test_a_change_of_owner_can_trigger_the_way_back(base: str) -> None:
    assert (
        len(loops(base, THERE, BACK.replace("[owner == Tier3]", "[{became: owner == Tier3}, since_queued > 1m]"))) == 1
    )


def test_a_change_of_something_else_cannot(base: str) -> None:
    assert loops(base, THERE, BACK.replace("Tier3]", "Tier3, {raised: priority}]")) == []
