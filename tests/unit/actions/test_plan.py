"""From a firing to actions: positions, keys, statuses, and what makes an action pointless or forbidden."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.build import agent, at, created, event, known, make_policy, run, updated
from triage.actions.plan import key_of, ordered_by_people, out_of_hops, useless
from triage.actions.view import View
from triage.domain.decision import Action
from triage.domain.facts import Facts, Ours, OwnerChange
from triage.policy import Policy

NOTE = "{notify: {who: 'queue:Tier1', template: note}}"


def view(policy: Policy, now: str = "10:00", facts: Facts | None = None, **fields: Any) -> View:
    """Return the record at *now*."""
    found = known(policy, created(**fields)) if facts is None else facts
    return View(found, found.memory, policy, at(now))


def action(kind: Any, target: str, rule: str = "r", **params: Any) -> Action:
    """Return an action as planned."""
    return Action(
        object="Case", id="1", rule=rule, step="", position=0, kind=kind, target=target, params=params, due=0, at=0,
        episode="e", key="k",
    )  # fmt: skip


class TestPositions:
    def test_actions_come_in_the_order_written_with_their_positions(self) -> None:
        policy = make_policy(f"- {{id: r, when: [vip], do: [{NOTE}, {{reassign: {{to: {{queue: Tier2}}}}}}, {NOTE}]}}")
        done = run(policy, [created(Vip=True)], "09:00").actions
        assert [(one.kind, one.position) for one in done] == [("notify", 0), ("reassign", 1), ("notify", 2)]
        found = view(policy)
        assert [one.key for one in done] == [key_of(found, "r", "", n, done[0].episode) for n in range(3)]

    def test_several_recipients_are_several_actions(self) -> None:
        policy = make_policy("- {id: r, when: [vip], do: [{notify: {who: [owner, 'user:max'], template: note}}]}")
        done = run(policy, [created(Vip=True)], "09:00").actions
        assert [(one.target, one.position) for one in done] == [("user:ann", 0), ("user:max", 1)]

    def test_an_else_takes_the_place_and_so_the_key_of_what_it_stands_in_for(self) -> None:
        rule = f"- {{id: r, when: [vip], do: [{{notify: {{who: backup, template: note, else: [{NOTE}, {NOTE}]}}}}]}}"
        policy = make_policy(rule)
        spare = run(policy, [created(Vip=True)], "09:00").actions
        named = run(policy, [created(Vip=True, Backup="eve")], "09:00").actions
        assert [one.position for one in spare] == [0, 1000]
        assert spare[0].key == named[0].key

    def test_a_rules_else_serves_all_its_actions(self) -> None:
        rule = f"- {{id: r, when: [vip], do: [{{notify: {{who: backup, template: note}}}}], else: [{NOTE}]}}"
        assert [one.target for one in run(make_policy(rule), [created(Vip=True)], "09:00").actions] == ["queue:Tier1"]


class TestUseless:
    POLICY = make_policy(
        f"- {{id: r, when: [vip], do: [{NOTE}]}}", "milestones: {m: {object: Case, target: 1h, hours: none}}"
    )

    @pytest.mark.parametrize(
        ("one", "why"),
        [
            (action("reassign", "user:ann"), "it is there already"), (action("move", "ann"), "it is there already"),
            (action("reassign", "user:bob"), ""),
            (action("reprioritise", "field:priority", to="Medium"), "priority is Medium already"),
            (action("reprioritise", "field:priority", to="Low"), "priority is Medium already"),
            (action("reprioritise", "field:priority", to="High"), ""), (action("notify", "user:ann"), ""),
            (action("notify", "user:ann", template="warning"), "the breach it warns of has happened"),
            (action("acknowledge", "customer", template="warning"), "the breach it warns of has happened"),
            (action("custom", "webhook:x", template="warning"), ""),
        ],
    )  # fmt: skip
    def test_what_would_change_nothing_or_comes_too_late_is_told(self, one: Action, why: str) -> None:
        assert useless(one, "", view(self.POLICY, Priority="Medium")) == why

    @pytest.mark.parametrize(("now", "late"), [("09:59", False), ("10:00", True)])
    def test_the_breach_is_the_due_instant_itself(self, now: str, late: bool) -> None:
        warning = action("notify", "user:ann", template="warning")
        assert bool(useless(warning, "m", view(self.POLICY, now))) is late

    def test_a_numbers_priority_is_raised_by_adding(self) -> None:
        text = "objects: {Lead: {fields: {priority: {from: Rank, type: number}, vip: {from: V, type: boolean}}}}"
        policy = make_policy("", text, "object: Lead\nrules: [{id: r, when: [vip], do: [{reprioritise: {raise: 2}}]}]")
        (one,) = run(policy, [replace(created(V=True, Rank=3), object="Lead")], "09:00").actions
        assert (one.params, one.status) == ({"to": 5}, "planned")


class TestHops:
    def hopped(self, *hops: tuple[str, bool]) -> View:
        policy = make_policy()
        facts = known(policy, created())
        changes = tuple(OwnerChange(at(when), "a", "b", automatic) for when, automatic in hops)
        return view(policy, "13 09:00", replace(facts, memory=replace(facts.memory, owner_changes=changes)))

    @pytest.mark.parametrize(
        ("hops", "out"),
        [
            ([("10:00", True)] * 4, True), ([("10:00", True)] * 3, False),
            ([("10:00", True)] * 3 + [("10:00", False)] * 3, False), ([("09:00", True)] + [("10:00", True)] * 3, False),
            ([("09:01", True)] + [("10:00", True)] * 3, True),
        ],
    )  # fmt: skip
    def test_four_automatic_changes_in_the_last_day_are_the_bound(self, hops: Any, out: bool) -> None:
        assert out_of_hops(self.hopped(*hops)) is out

    def test_changes_planned_at_this_instant_count(self) -> None:
        found = self.hopped(*[("10:00", True)] * 3)
        found.moves += 1
        assert out_of_hops(found)

    def test_a_limit_of_nothing_sends_everything_to_the_terminal_pool(self) -> None:
        policy = make_policy(
            "- {id: r, when: [vip], do: [{reassign: {to: {queue: Tier2}}}]}",
            "safety: {hop_limit: 0, terminal_pool: last}",
        )
        assert [one.target for one in run(policy, [created(Vip=True)], "09:00").actions] == ["pool:last", ""]

    def test_without_a_terminal_pool_it_is_held(self) -> None:
        policy = make_policy("- {id: r, when: [vip], do: [{reassign: {to: {queue: Tier2}}}]}", "safety: {hop_limit: 0}")
        assert {one.status for one in run(policy, [created(Vip=True)], "09:00").actions} == {"held"}


class TestOrders:
    def ordered(self, one: Any, **ours: Ours) -> list[tuple[str, str, Any]]:
        policy = make_policy()
        facts = known(policy, created())
        found = view(policy, "10:00", replace(facts, memory=replace(facts.memory, ours=ours)))
        return [(action.kind, action.target, action.params) for action in ordered_by_people(one, found)]

    @pytest.mark.parametrize(("to", "target"), [("bob", "user:bob"), ("queue:Tier2", "queue:Tier2")])
    def test_a_reroute_is_a_reassignment(self, to: str, target: str) -> None:
        assert self.ordered(event("override", "10:00", action="reroute", to=to)) == [("reassign", target, {})]

    def test_a_pull_back_restores_what_we_changed(self) -> None:
        pull = event("override", "10:00", action="pull_back")
        ours = {"owner": Ours("r", 1, "queue:Tier1"), "priority": Ours("r", 1, "Low")}
        assert self.ordered(pull, **ours) == [
            ("reassign", "queue:Tier1", {}), ("reprioritise", "field:priority", {"to": "Low"}),
        ]  # fmt: skip
        assert self.ordered(pull, owner=Ours("r", 1, None)) == []
        assert self.ordered(pull) == []

    @pytest.mark.parametrize(
        "one",
        [event("override", "10:00", action="hold"), event("override", "10:00", action="reroute"), updated("10:00")],
    )
    def test_other_events_order_nothing(self, one: Any) -> None:
        assert self.ordered(one, owner=Ours("r", 1, "ann")) == []


def test_agents_at_capacity_leave_the_record_held_with_the_reason() -> None:
    policy = make_policy("- {id: r, when: [vip], do: [{reassign: {to: {team: desk}, if_none: hold}}]}")
    (one,) = run(policy, [created(Vip=True)], "09:00", agents=(agent("bob", capacity=1, load=1),)).actions
    assert (one.status, one.note) == ("held", "nobody eligible in desk")
    assert one.reason.passed_over == ("bob: at capacity (1 of 1)",)
