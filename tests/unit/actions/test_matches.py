"""What holds, since when, under which episode; steps of entries; deliveries that waited."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.build import ORG, at, clock, created, event, known, make_policy, message, run, updated
from triage.actions.matches import delivered, due_steps, holding, triggered, unchanged
from triage.actions.view import View
from triage.domain.work import Event
from triage.observe import observe
from triage.policy import Policy

NOTE = "do: [{notify: {who: 'queue:Tier1', template: note}}]"
TWO = """
milestones:
  answer: {object: Case, target: 2h, hours: none, complete: [is_contacted]}
  solve: {object: Case, target: 4h, hours: none}
"""


def rule(when: str, **settings: str) -> Policy:
    """Return a policy of one all-matches rule."""
    more = "".join(f", {key}: {value}" for key, value in settings.items())
    return make_policy(f"- {{id: r, when: {when}{more}, {NOTE}}}", TWO)


def view(policy: Policy, now: str, *events: Event) -> View:
    """Return the record after *events* (none decided on) at *now*."""
    facts = observe(None, created(Priority="High"), policy, {}, ORG)
    for one in events:
        facts = observe(facts, one, policy, {}, ORG)
    return View(facts, facts.memory, policy, at(now))


class TestHolding:
    @pytest.mark.parametrize(
        ("when", "once", "episode"),
        [
            ("[age >= 1h]", "per_clock", "clock:created:09:00"), ("[priority == High]", "per_clock", "state:09:00"),
            ("[age >= 1h]", "per_record", "clock:created:09:00"),
            ("[priority == High]", "per_record", "clock:created:09:00"),
            ("[age >= 1h]", "per_episode", "state:10:00"),
            ("[since_assignment >= 1h, age >= 1h]", "per_clock", "clock:assigned:09:00"),
            ("[{any: [since_queued >= 1h, age >= 1h]}]", "per_clock", "clock:created:09:00"),
            ("[milestone.solve.used >= 10%]", "per_milestone", "clock:solve:09:00"),
        ],
    )  # fmt: skip
    def test_episodes_are_named_by_clock_state_or_record(self, when: str, once: str, episode: str) -> None:
        (found,) = holding(view(rule(when, once=once), "11:00"))
        head, _, instant = found.episode.rpartition(":")
        assert f"{head}:{clock(int(instant))}" == episode

    def test_plain_sla_yields_one_for_each_open_milestone(self) -> None:
        policy = rule("[sla.used >= 25%]")
        assert [(one.subject, clock(one.due)) for one in holding(view(policy, "11:00"))] == [
            ("answer", "09:30"), ("solve", "10:00"),
        ]  # fmt: skip
        assert [one.subject for one in holding(view(policy, "11:00", message("09:10", "out")))] == ["solve"]

    def test_it_wakes_where_a_rule_begins_or_ceases(self) -> None:
        found = view(rule("[age >= 2h, age < 3h]"), "09:30")
        assert (list(holding(found)), clock(found.wake)) == ([], "11:00")
        found = view(rule("[age >= 2h, age < 3h]"), "11:30")
        assert (len(list(holding(found))), clock(found.wake)) == (1, "12:00")

    @pytest.mark.parametrize(("settings", "count"), [({}, 0), ({"while_closed": "true"}, 1)])
    def test_a_closed_record_matches_only_rules_for_closed_ones(self, settings: dict[str, str], count: int) -> None:
        policy = rule("[priority == High]", **settings)
        assert len(list(holding(view(policy, "10:00", updated("09:30", IsClosed=True))))) == count


class TestTriggered:
    def test_each_fresh_event_is_looked_at_with_the_values_before_it(self) -> None:
        policy = rule("[{became: priority == High}]")
        events = [updated("10:00", Priority="Low"), updated("11:00", Priority="High")]
        found = list(triggered(view(policy, "11:00", *events)))
        assert [one.episode for one in found] == ["event:created@09:00", "event:updated@11:00"]

    def test_nothing_fresh_triggers_nothing(self) -> None:
        policy = rule("[{became: priority == High}]")
        facts = known(policy, created(Priority="High"))
        assert list(triggered(View(facts, facts.memory, policy, at("10:00")))) == []

    def test_an_event_rule_never_merely_holds(self) -> None:
        policy = rule("[priority == High]", on="[message]")
        assert list(holding(view(policy, "10:00", message("10:00")))) == []
        assert len(list(triggered(view(policy, "10:00", message("10:00"))))) == 1

    @pytest.mark.parametrize(("settings", "count"), [({}, 0), ({"while_closed": "true"}, 1)])
    def test_events_of_closed_records_trigger_only_rules_for_them(self, settings: dict[str, str], count: int) -> None:
        policy = rule("[priority == High]", on="[message]", **settings)
        closed = view(policy, "10:00", updated("09:30", IsClosed=True), message("10:00"))
        assert len(list(triggered(closed))) == count


class TestSteps:
    def entry(self, *steps: str, **settings: Any) -> Policy:
        listed = ", ".join(f"{{after: {{{step}}}, {NOTE}}}" for step in steps)
        return make_policy(
            f"- {{id: e, when: [priority == High], steps: [{listed}]}}", TWO, match="first_match", **settings
        )

    def test_steps_are_found_when_due_and_the_next_is_woken_for(self) -> None:
        policy = self.entry("clock: created, over: 1h", "clock: created, over: 4h")
        found = view(policy, "11:00")
        assert [(one.step, clock(one.due), clock(one.since)) for one in due_steps(found)] == [("1", "10:00", "10:00")]
        assert (clock(found.wake), found.why) == ("13:00", "e/2")

    def test_a_step_on_a_milestone_counts_from_its_target(self) -> None:
        policy = self.entry("clock: solve, remaining: 25%", "clock: solve, over: 50%")
        found = list(due_steps(view(policy, "12:30")))
        assert [(one.step, clock(one.due), one.clock) for one in found] == [
            ("1", "12:00", "solve"),
            ("2", "11:00", "solve"),
        ]

    def test_a_step_whose_clock_does_not_run_is_not_due(self) -> None:
        policy = self.entry("clock: queued, over: 1h", "clock: answer, over: 1h")
        assert list(due_steps(view(policy, "20:00", message("09:10", "out")))) == []

    @pytest.mark.parametrize("kind", ["deleted", "merged"])
    def test_a_record_that_is_gone_has_no_steps(self, kind: str) -> None:
        policy = self.entry("clock: created, over: 1h", reevaluate_on="record")
        assert list(due_steps(view(policy, "20:00", event(kind, "09:30")))) == []


class TestDelivered:
    def test_a_delivery_waits_then_fires_or_is_dropped(self) -> None:
        policy = rule("[{became: priority == High}, vip]", deliver="in_hours")
        base = [created(Vip=True), updated("18:00", Priority="High")]
        facts = run(policy, base, "18:30").facts
        waiting = View(facts, facts.memory, policy, at("20:00"))
        assert (list(delivered(waiting)), clock(waiting.wake)) == ([], "13 09:00")
        ((pending, found),) = delivered(View(facts, facts.memory, policy, at("13 09:00")))
        assert found is not None
        assert (found.episode, found.due, found.since) == (pending.episode, at("18:00"), at("18:00"))
        ceased = run(policy, [*base, updated("19:00", Vip=False)], "19:30").facts
        ((_, dropped),) = delivered(View(ceased, ceased.memory, policy, at("13 09:00")))
        assert dropped is None

    def test_unchanged_asks_for_the_named_milestone_or_any(self) -> None:
        policy = rule("[sla.used >= 25%]", on="[message]")
        compiled = policy.objects["Case"].book.by_id["r"]
        found = view(policy, "09:45")
        assert [unchanged(compiled, found, name) for name in ("answer", "solve", "")] == [True, False, True]
