"""Who an action is for, and why others are not."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.build import agent, at, created, known, make_policy, updated
from triage.domain.facts import Facts
from triage.domain.work import Agent
from triage.policy import Policy
from triage.routing.assign import Assignment, assign, ineligible, known_agents, named
from triage.rules.language import ActionSpec, Target

POLICY = make_policy()
NOW = at("12:00")


def spec(kind: str = "team", name: str = "desk", action: str = "reassign", **more: Any) -> ActionSpec:
    """Return an action for a target."""
    return ActionSpec(kind=action, target=Target(kind=kind, name=name), **more)


def facts(*agents: Agent, policy: Policy = POLICY, **fields: Any) -> Facts:
    """Return a record of ann's with these agents about."""
    return known(policy, created(**fields), agents=agents)


def chosen(*agents: Agent, **more: Any) -> Assignment:
    """Return who of team desk is taken."""
    return assign(spec(**more), facts(*agents), POLICY, NOW)


class TestGroups:
    def test_the_least_loaded_is_taken_and_ties_go_by_id(self) -> None:
        assert chosen(agent("cat", load=1), agent("bob", load=1), agent("dan", load=2)).target == "user:bob"

    def test_the_note_says_of_how_many_and_who_was_passed_over(self) -> None:
        found = chosen(agent("bob", capacity=4, load=1), agent("cat", name="Cat", presence="break"))
        assert found.note == "least loaded of 1 in desk (1 of 4)"
        assert found.passed_over == ("Cat: break",)

    def test_only_members_are_asked(self) -> None:
        assert chosen(agent("bob", teams=(), pools=()), agent("cat")).target == "user:cat"

    def test_a_team_of_nobody_known_is_left_to_its_queue(self) -> None:
        assert chosen(agent("bob", teams=())).target == "team:desk"
        assert chosen().target == "team:desk"

    def test_a_pool_counts_teams_of_its_name_too(self) -> None:
        found = assign(spec("pool", "senior"), facts(agent("bob", pools=(), teams=("senior",))), POLICY, NOW)
        assert found.target == "user:bob"

    def test_with_none_eligible_the_pools_follow_then_nobody(self) -> None:
        away = agent("bob", presence="away")
        assert chosen(away, agent("cat", teams=(), pools=("last",))).target == "user:cat"
        assert chosen(away) == Assignment(note="nobody eligible in desk", passed_over=("bob: away", "bob: away"))

    def test_tiers_above_are_asked_and_those_below_are_not(self) -> None:
        busy = agent("bob", pools=("chief",), teams=(), presence="away")
        below = agent("cat", pools=("senior",), teams=())
        assert assign(spec("pool", "chief"), facts(busy, below), POLICY, NOW).target == ""
        assert (
            assign(spec("pool", "senior"), facts(replace(busy, presence="online"), below), POLICY, NOW).target
            == "user:cat"
        )

    def test_if_none_hold_asks_nobody_else(self) -> None:
        away, other = agent("bob", presence="away"), agent("cat", teams=(), pools=("last",))
        assert chosen(away, other, params={"if_none": "next_eligible"}).target == "user:cat"
        assert chosen(away, other, params={"if_none": "hold"}).target == ""

    def test_at_most_ten_are_told_as_passed_over(self) -> None:
        assert len(chosen(*(agent(f"a{n}", presence="away") for n in range(30))).passed_over) == 10

    def test_a_move_goes_to_the_pool_itself(self) -> None:
        assert assign(spec("pool", "senior", "move"), facts(agent("bob")), POLICY, NOW).target == "pool:senior"


class TestEligibility:
    @pytest.mark.parametrize(
        ("more", "settings", "why"),
        [
            ({}, {}, ""), ({"presence": "offline"}, {}, "offline"),
            ({"capacity": 2, "load": 2}, {}, "at capacity (2 of 2)"), ({"capacity": 2, "load": 1}, {}, ""),
            ({"capacity": 0}, {}, "at capacity (0 of 0)"),
            ({"capacity": 2, "load": 2}, {"params": {"respect_capacity": False}}, ""),
            ({"shift": "late"}, {}, "off shift"), ({"shift": "lon"}, {}, ""), ({"shift": "gone"}, {}, ""),
            ({}, {"require": ("skill:billing",)}, "lacks billing"),
            ({"skills": {"billing": 1}}, {"require": ("skill:billing", "present", "free_capacity", "on_shift")}, ""),
            ({"skills": {"billing": 2}}, {"require": ("skill:billing:3",)}, "lacks billing:3"),
            ({"skills": {"billing": 3}}, {"require": ("skill:billing:3",)}, ""),
            ({"tier": 1}, {"require": ("tier:2",)}, "lacks tier:2"), ({"tier": 3}, {"require": ("tier:2",)}, ""),
            ({}, {"require": ("team:night",)}, "lacks team:night"), ({}, {"require": ("team:desk",)}, ""),
            ({}, {"require": ("language",)}, "lacks language"), ({"skills": {"fr": 1}}, {"require": ("language",)}, ""),
            ({}, {"exclude": ("user:bob",)}, "excluded by the rule"),
            ({}, {"exclude": ("team:desk",)}, "excluded by the rule"), ({}, {"exclude": ("user:eve", "owner")}, ""),
        ],
    )  # fmt: skip
    def test_an_agent_can_take_it_or_the_reason_says_why_not(
        self, more: dict[str, Any], settings: dict[str, Any], why: str
    ) -> None:
        one = agent("bob", **more)
        record = facts(one)
        record = replace(record, item=replace(record.item, fields=record.item.fields | {"language": "fr"}))
        assert ineligible(one, spec(**settings), record, POLICY, NOW) == why

    def test_a_language_that_is_not_known_asks_nothing(self) -> None:
        assert ineligible(agent("bob"), spec(require=("language",)), facts(), POLICY, NOW) == ""

    def test_the_owner_and_those_who_had_it_within_a_day_are_passed_over(self) -> None:
        record = known(POLICY, created(OwnerId="bob"), updated("10:00", OwnerId="cat"))
        told = {name: ineligible(agent(name), spec(), record, POLICY, NOW) for name in ("bob", "cat", "dan")}
        assert told == {"bob": "had it within 24 h", "cat": "owns it", "dan": ""}
        assert ineligible(agent("bob"), spec(), record, POLICY, at("13 10:00")) == ""


class TestPeople:
    def test_a_known_person_is_taken_only_if_able(self) -> None:
        assert assign(spec("user", "bob"), facts(agent("bob")), POLICY, NOW).target == "user:bob"
        held = assign(spec("user", "bob"), facts(agent("bob", presence="away")), POLICY, NOW)
        assert (held.target, held.note) == ("", "bob: away")

    def test_a_message_reaches_a_person_who_could_take_nothing(self) -> None:
        away = facts(agent("bob", presence="away"))
        assert assign(spec("user", "bob", "notify"), away, POLICY, NOW).target == "user:bob"

    def test_somebody_unknown_is_taken_at_the_rules_word_but_never_again_within_a_day(self) -> None:
        assert assign(spec("user", "eve"), facts(), POLICY, NOW).target == "user:eve"
        record = known(POLICY, created(OwnerId="eve"), updated("10:00", OwnerId="cat"))
        assert assign(spec("user", "eve"), record, POLICY, NOW).note == "eve: had it within 24 h"

    @pytest.mark.parametrize(("owner", "target"), [("ann", "user:ann"), ("queue:Tier1", "queue:Tier1"), (None, "")])
    def test_the_owner_is_told_by_name(self, owner: str | None, target: str) -> None:
        for kind, name in (("owner", ""), ("role", "owner")):
            assert assign(spec(kind, name, "notify"), facts(OwnerId=owner), POLICY, NOW).target == target

    @pytest.mark.parametrize(
        ("managed", "safety", "target"),
        [
            ("max", "", "user:max"), ("", "manager: moe", "user:moe"), ("m@x.example", "", "address:m@x.example"),
            ("max", "manager: moe", "user:max"), ("", "", ""),
        ],
    )  # fmt: skip
    def test_the_manager_is_the_owners_own_else_the_policys(self, managed: str, safety: str, target: str) -> None:
        policy = make_policy("", f"safety: {{{safety}}}") if safety else POLICY
        record = facts(agent("ann", manager=managed), policy=policy)
        assert assign(spec("role", "manager", "notify"), record, policy, NOW).target == target

    def test_a_manager_does_not_get_the_record_back_within_a_day(self) -> None:
        record = known(
            POLICY, created(OwnerId="max"), updated("10:00", OwnerId="ann"), agents=(agent("ann", manager="max"),)
        )
        assert assign(spec("role", "manager"), record, POLICY, NOW).target == ""
        assert assign(spec("role", "manager", "notify"), record, POLICY, NOW).target == "user:max"

    @pytest.mark.parametrize(
        ("value", "target"),
        [("eve", "user:eve"), ("e@x.example", "address:e@x.example"), ("queue:Tier1", "queue:Tier1"), (None, "")],
    )
    def test_a_field_holds_a_person_an_address_or_a_queue(self, value: str | None, target: str) -> None:
        assert assign(spec("field", "backup", "notify"), facts(Backup=value), POLICY, NOW).target == target

    @pytest.mark.parametrize("action", ["set", "reprioritise"])
    def test_a_field_to_be_written_is_itself_the_target(self, action: str) -> None:
        assert assign(spec("field", "priority", action), facts(Priority="Low"), POLICY, NOW).target == "field:priority"

    def test_the_customer_is_named_where_the_record_says_who(self) -> None:
        found = assign(spec("customer", "", "acknowledge"), facts(ContactEmail="c@x.example"), POLICY, NOW)
        assert found.target == "customer:c@x.example"
        assert assign(spec("customer", "", "acknowledge"), facts(), POLICY, NOW).target == "customer"


def test_named_writes_kind_and_name() -> None:
    assert (named(Target(kind="queue", name="Tier2")), named(Target(kind="customer"))) == ("queue:Tier2", "customer")


def test_agents_of_the_policy_are_known_where_no_snapshot_was_taken() -> None:
    policy = make_policy("", "directory: {agents: {bob: {presence: online, teams: [desk]}}}")
    assert [one.id for one in known_agents(facts(policy=policy), policy)] == ["bob"]
    assert [one.id for one in known_agents(facts(agent("cat"), policy=policy), policy)] == ["cat"]
