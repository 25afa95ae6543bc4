"""Deciding: pure, in order, at each crossing; what is remembered, and when to look again."""

from __future__ import annotations

from random import Random

import msgspec
import pytest
from msgspec.structs import replace

from tests.unit.build import ORG, agent, at, clock, created, event, known, make_policy, message, run, updated
from triage.domain.facts import Facts
from triage.observe import observe
from triage.pipeline import advance, advancing, after, decide
from triage.policy import RuleMode

RULES = """
- {id: early, when: [age >= 1h], do: [{reassign: {to: {team: desk}}}]}
- {id: later, when: [age >= 3h, priority == High], do: [{notify: {who: owner, template: note}}]}
- {id: nag, when: [awaiting_reply], do: [{notify: {who: owner, template: note}}], repeat: {every: 2h, at_most: 3}}
- {id: told, when: [{became: priority == High}], deliver: in_hours, do: [{notify: {who: owner, template: note}}]}
"""
POLICY = make_policy(RULES, "milestones: {solve: {object: Case, target: 4h, complete: [is_contacted]}}")


class TestDecide:
    def test_the_same_arguments_give_the_same_bytes(self) -> None:
        facts = observe(None, created(Priority="High"), POLICY, {}, ORG)
        texts = {msgspec.json.encode(decide(facts, POLICY, at("13:00")), order="deterministic") for _ in range(3)}
        assert len(texts) == 1

    def test_facts_stay_as_they_were(self) -> None:
        facts = observe(None, created(Priority="High"), POLICY, {}, ORG)
        before = msgspec.json.encode(facts, order="deterministic")
        decide(facts, POLICY, at("13:00"))
        assert msgspec.json.encode(facts, order="deterministic") == before

    def test_matches_name_what_holds_with_since_and_due(self) -> None:
        facts = observe(None, created(Priority="High"), POLICY, {}, ORG)
        found = decide(facts, POLICY, at("13:00")).matches
        assert [(one.rule, clock(one.since), clock(one.due)) for one in found] == [
            ("early", "10:00", "10:00"), ("later", "12:00", "12:00"),
        ]  # fmt: skip

    def test_next_says_why(self) -> None:
        decision = decide(observe(None, created(), POLICY, {}, ORG), POLICY, at("09:00"))
        assert (decision.next_at, decision.next_why) == (at("10:00"), "early")

    def test_nothing_ahead_is_never(self) -> None:
        policy = make_policy()
        decision = decide(observe(None, created(), policy, {}, ORG), policy, at("09:00"))
        assert (decision.next_at, decision.next_why) == (None, "")

    def test_a_later_at_is_told_and_changes_neither_key_nor_due(self) -> None:
        facts = observe(None, created(), POLICY, {}, ORG)
        now, late = decide(facts, POLICY, at("10:00")), decide(facts, POLICY, at("10:00"), at=at("15:00"))
        assert [(a.key, a.due) for a in now.actions] == [(a.key, a.due) for a in late.actions]
        assert {clock(a.at) for a in late.actions} == {"15:00"}

    def test_agents_change_the_target_and_nothing_else(self) -> None:
        facts = observe(None, created(), POLICY, {}, ORG)
        one, two = (
            decide(replace(facts, agents=(agent(name),)), POLICY, at("10:00")).actions[0] for name in ("b", "c")
        )
        assert (one.target, two.target) == ("user:b", "user:c")
        assert (one.key, one.due, one.episode, one.step) == (two.key, two.due, two.episode, two.step)

    def test_reasons_carry_the_leaves_the_clock_and_who_was_passed_over(self) -> None:
        facts = observe(None, created(), POLICY, {}, ORG)
        facts = replace(facts, agents=(agent("bob", presence="away"), agent("cat")))
        reason = decide(facts, POLICY, at("10:00")).actions[0].reason
        assert [one.leaf for one in reason.evidence] == ["age >= 1h"]
        assert (reason.clock, reason.clock_start) == ("created", at("09:00"))
        assert reason.passed_over == ("bob: away",)

    def test_a_step_tells_its_clock_start_and_amount(self) -> None:
        entry = "- {id: e, when: [priority == High], steps: [{after: {clock: created, over: 1h}, do: [%s]}]}"
        policy = make_policy(entry % "{reassign: {to: {queue: Tier2}}}", match="first_match")
        (action,) = run(policy, [created(Priority="High")], "12:00").actions
        assert (action.reason.clock, action.reason.over) == ("created", 3_600_000)
        assert [one.leaf for one in action.reason.evidence] == ["priority == High"]


class TestAdvance:
    def test_it_decides_fresh_events_first_then_every_crossing(self) -> None:
        facts = observe(None, created(Priority="High"), POLICY, {}, ORG)
        facts, decisions = advance(facts, POLICY, at("12:30"))
        assert [clock(one.at) for one in decisions] == ["09:00", "10:00", "12:00"]
        assert (facts.last_decided_at, facts.next_at, facts.fresh) == (at("12:00"), None, ())

    def test_upto_is_inclusive(self) -> None:
        facts = known(POLICY, created())
        assert [clock(one.at) for one in advance(facts, POLICY, at("10:00"))[1]] == ["10:00"]
        assert advance(facts, POLICY, at("10:00") - 1)[1] == ()

    def test_advancing_in_steps_is_advancing_at_once(self) -> None:
        facts = observe(None, created(Priority="High"), POLICY, {}, ORG)
        whole, decisions = advance(facts, POLICY, at("20:00"))
        step, parts = facts, []
        for hour in range(9, 21):
            step, more = advance(step, POLICY, at(f"{hour:02}:00"))
            parts += more
        assert (step, tuple(parts)) == (whole, decisions)

    def test_advancing_yields_the_facts_after_each_decision(self) -> None:
        facts = observe(None, created(), POLICY, {}, ORG)
        for state, decision in advancing(facts, POLICY, at("12:00")):
            assert after(facts, decision) == state
            facts = state

    def test_a_late_event_is_decided_no_earlier_than_the_last_decision(self) -> None:
        facts, _ = advance(known(POLICY, created()), POLICY, at("10:00"))
        facts = observe(facts, message("09:30"), POLICY, {}, ORG)
        assert [clock(one.at) for one in advance(facts, POLICY, at("11:00"))[1]] == ["10:00"]

    def test_a_record_is_decided_once_when_its_policy_was_replaced(self) -> None:
        facts = known(POLICY, created())
        _, decisions = advance(facts, make_policy(RULES.replace("1h", "2h")), at("09:30"))
        assert [clock(one.at) for one in decisions] == ["09:30"]

    def test_a_change_of_modes_alone_replaces_no_choice(self) -> None:
        live = make_policy(RULES, virtual=False)
        facts = known(live, created())
        assert advance(facts, make_policy(RULES, virtual=False, modes={"early": RuleMode("act")}), at("09:30"))[1] == ()

    @pytest.mark.parametrize("seed", range(25))
    def test_a_late_worker_agrees_with_a_punctual_one(self, seed: int) -> None:
        """Random histories: waking at every minute or only at events gives the same rules, dues and keys."""
        rng = Random(seed)
        events = [created(Priority=rng.choice(("Low", "High")))]
        for n in range(rng.randint(1, 6)):
            when = f"{rng.randint(9, 19):02}:{rng.randint(1, 59):02}"
            one = rng.choice(
                (message(when), message(when, "out"), updated(when, Priority="High"), event("comment", when))
            )
            events.append(replace(one, event_id=str(n)))
        events.sort(key=lambda one: one.at)
        late = run(POLICY, events, "13 12:00")
        told = [(one.rule, one.due, one.key) for one in late.actions]
        assert told == [(one.rule, one.due, one.key) for one in self.by_minute(events)]

    def by_minute(self, events: list) -> list:
        facts: Facts | None = None
        actions, waiting = [], list(events)
        for minute in range(at("09:00"), at("13 12:00") + 1, 60_000):
            while waiting and waiting[0].at == minute:
                facts = observe(facts, waiting.pop(0), POLICY, {}, ORG)
            assert facts is not None
            facts, decisions = advance(facts, POLICY, minute)
            actions += [action for decision in decisions for action in decision.actions]
        return actions


class TestMemory:
    def test_what_holds_is_remembered_since_when_and_forgotten_when_it_ceases(self) -> None:
        events = [created(), message("10:00"), message("12:00", event_id="again")]
        assert run(POLICY, events, "13:00").facts.memory.true_since["nag/"] == at("10:00")
        answered = run(POLICY, [*events, message("13:30", "out")], "14:00").facts.memory
        assert "nag/" not in answered.true_since
        assert answered.runs == {}

    def test_a_waiting_delivery_is_remembered_until_its_window(self) -> None:
        facts = run(POLICY, [created(), updated("18:00", Priority="High")], "18:30").facts
        (pending,) = facts.memory.pending
        assert (pending.rule, pending.due, pending.deliver_at) == ("told", at("18:00"), at("13 09:00"))
        assert advance(facts, POLICY, at("13 09:00"))[0].memory.pending == ()

    def test_a_delivery_whose_rule_is_gone_is_dropped(self) -> None:
        facts = run(POLICY, [created(), updated("18:00", Priority="High")], "18:30").facts
        facts, decisions = advance(facts, make_policy(), at("13 10:00"))
        assert facts.memory.pending == ()
        assert [action for decision in decisions for action in decision.actions] == []


def test_memory_does_not_grow_with_each_event_that_fires_a_rule() -> None:
    """An event happens once: that it fired is not asked again."""
    policy = make_policy("- {id: each, on: [message], when: [], do: [{notify: {who: owner, template: note}}]}")
    facts = known(policy, created(), *(message(f"10:{minute:02d}") for minute in range(50)))
    assert len(facts.memory.fired) <= 1
