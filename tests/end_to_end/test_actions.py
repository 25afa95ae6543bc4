"""The contract's section Actions and effects, with overrides and hops, as timetables of 12 January 2026."""

from __future__ import annotations

from hashlib import sha256

import pytest
from msgspec.structs import replace

from tests.unit.build import ORG, Outcome, agent, at, clock, created, event, known, make_policy, message, run, updated
from triage.actions.effects import effect_event
from triage.actions.plan import make_key
from triage.domain.decision import Action
from triage.domain.facts import Facts
from triage.domain.work import Agent, Event
from triage.observe import observe
from triage.pipeline import advance, still_holds
from triage.policy import Policy, compile_policy

NOTE = "do: [{notify: {who: 'queue:Tier1', template: note}}]"
ESCALATE = "- {id: up, when: [age >= 1h], do: [{reassign: {to: {queue: Tier2}}}, {reprioritise: {to: High}}]}\n"
MOVES = "- {{id: {0}, when: [age >= {1}], do: [{{reassign: {{to: {{user: {2}}}}}}}]}}\n"


def keys(outcome: Outcome) -> set[str]:
    """Return the distinct keys of all actions."""
    return {action.key for action in outcome.actions}


def moves(*people: str) -> str:
    """Return rules that give the record to one person after the other, an hour apart."""
    return "".join(MOVES.format(f"r{number}", f"{number}h", name) for number, name in enumerate(people, 1))


class TestKeys:
    def test_a_key_is_the_hash_of_who_what_and_episode(self) -> None:
        (action, *_) = run(make_policy(ESCALATE), [created()], "20:00").actions
        assert action.episode == f"clock:created:{at('09:00')}"
        assert action.key == make_key("acme", "Case", "1", "up", "", 0, action.episode)
        assert make_key("o", "Case", "1", "r", "s", 2, "e") == sha256(b"o|Case|1|r|s|2|e").hexdigest()

    def test_two_actions_of_one_rule_have_keys_of_their_own(self) -> None:
        assert len(keys(run(make_policy(ESCALATE), [created()], "20:00"))) == 2

    def test_thresholds_are_not_in_the_key(self) -> None:
        first = run(make_policy(ESCALATE), [created()], "20:00")
        second = run(make_policy(ESCALATE.replace("1h", "2h")), [created()], "20:00")
        assert keys(first) == keys(second)

    def test_targets_of_milestones_and_policy_versions_are_not_in_the_key(self) -> None:
        rule = f"- {{id: r, when: [sla.used >= 80%], {NOTE}}}"
        texts = [f"milestones: {{solve: {{object: Case, hours: none, target: {target}}}}}" for target in ("4h", "5h")]
        one, two = (run(make_policy(rule, text), [created()], "20:00") for text in texts)
        assert keys(one) == keys(two)
        assert [clock(outcome.actions[0].at) for outcome in (one, two)] == ["12:12", "13:00"]

    def test_editing_eighty_percent_to_seventy_five_does_not_fire_again(self) -> None:
        text = "milestones: {solve: {object: Case, hours: none, target: 4h}}"
        old, new = (make_policy(f"- {{id: r, when: [sla.used >= {share}%], {NOTE}}}", text) for share in (80, 75))
        facts = run(old, [created()], "12:30").facts
        _, decisions = advance(facts, new, at("20:00"))
        assert [action for decision in decisions for action in decision.actions] == []

    def test_another_organisation_object_record_rule_step_position_or_episode_is_another_key(self) -> None:
        base = ("o", "Case", "1", "r", "s", 0, "e")
        others = {
            make_key(*base[:place], ("x" if place != 5 else 1), *base[place + 1 :])  # type: ignore[arg-type]
            for place in range(7)
        }
        assert len(others | {make_key(*base)}) == 8


class TestEffects:
    def test_effects_come_back_as_events_of_origin_triage(self) -> None:
        policy = make_policy(ESCALATE)
        first, second = run(policy, [created(Priority="Low")], "20:00").actions
        moved, raised = effect_event(first, policy, first.at), effect_event(second, policy, second.at)
        assert moved is not None and raised is not None
        assert (moved.type, moved.origin, moved.changes) == ("updated", "triage", {"OwnerId": "queue:Tier2"})
        assert (moved.rule, moved.key) == ("up", first.key)
        assert raised.changes == {"Priority": "High"}

    def test_a_message_changes_no_field(self) -> None:
        policy = make_policy(f"- {{id: r, when: [vip], {NOTE}}}")
        (action,) = run(policy, [created(Vip=True)], "09:00").actions
        assert effect_event(action, policy, action.at) is None

    def test_a_set_field_comes_back_under_its_name_in_the_crm(self) -> None:
        policy = make_policy("- {id: r, when: [vip], do: [{set: {field: amount, value: '7'}}]}")
        (action,) = run(policy, [created(Vip=True)], "09:00").actions
        found = effect_event(action, policy, action.at)
        assert found is not None
        assert found.changes == {"Amount": 7}

    def test_effects_chain_at_the_next_decision_only(self) -> None:
        chained = "- {id: b, when: [priority == High], do: [{notify: {who: 'queue:Tier1', template: note}}]}\n"
        policy = make_policy(ESCALATE + chained)
        first = run(policy, [created(Priority="Low")], "20:00")
        assert [one.rule for one in first.actions] == ["up", "up"]
        fed = run(policy, [created(Priority="Low")], "20:00", apply=True)
        assert [one.rule for one in fed.done()] == ["up", "up", "b"]


class TestPriority:
    @pytest.mark.parametrize(
        ("now", "do", "to", "status"),
        [
            ("Low", "to: High", "High", "planned"), ("High", "to: High", "High", "cancelled"),
            ("Urgent", "to: High", "High", "cancelled"), (None, "to: High", "High", "planned"),
            ("Low", "raise: 1", "Medium", "planned"), ("Medium", "raise: 2", "Urgent", "planned"),
            ("High", "raise: 5", "Urgent", "planned"), ("Urgent", "raise: 1", "Urgent", "cancelled"),
            (None, "raise: 1", "Low", "planned"),
        ],
    )  # fmt: skip
    def test_reprioritise_raises_and_never_lowers(self, now: str | None, do: str, to: str, status: str) -> None:
        policy = make_policy(f"- {{id: r, when: [vip], do: [{{reprioritise: {{{do}}}}}]}}")
        (action,) = run(policy, [created(Vip=True, Priority=now)], "09:00").actions
        assert (action.target, action.params, action.status) == ("field:priority", {"to": to}, status)

    def test_boosts_raise_the_priority_of_actions_and_gate_nothing(self) -> None:
        boosts = "boost: [{when: amount > 5, add: 20}, {when: country == FR, add: 7}]"
        rule = f"- {{id: r, when: [vip], {boosts}, {NOTE}}}"
        for fields, priority in (({}, 0), ({"Amount": 9}, 20), ({"Amount": 9, "Country": "FR"}, 27)):
            (action,) = run(make_policy(rule), [created(Vip=True, **fields)], "09:00").actions
            assert action.priority == priority


class TestHops:
    SAFETY = "safety: {terminal_pool: last, manager: max@acme.example, recipient_domains: [acme.example]}\n"

    def test_at_most_four_automatic_changes_in_a_day_then_the_terminal_pool_and_one_notice(self) -> None:
        policy = make_policy(moves("bob", "cat", "dan", "eve", "fay", "gus"), self.SAFETY)
        outcome = run(policy, [created()], "20:00", apply=True)
        assert [(clock(one.at), one.kind, one.target) for one in outcome.done()] == [
            ("10:00", "reassign", "user:bob"), ("11:00", "reassign", "user:cat"), ("12:00", "reassign", "user:dan"),
            ("13:00", "reassign", "user:eve"), ("14:00", "move", "pool:last"),
            ("14:00", "notify", "address:max@acme.example"), ("15:00", "notify", "address:max@acme.example"),
        ]  # fmt: skip
        assert len({one.key for one in outcome.done() if one.kind == "notify"}) == 1

    def test_hops_older_than_a_day_count_no_more(self) -> None:
        policy = make_policy(moves("bob", "cat", "dan", "eve") + MOVES.format("r9", "25h", "fay"), self.SAFETY)
        outcome = run(policy, [created()], "14 00:00", apply=True)
        assert [one.target for one in outcome.done()][-1] == "user:fay"

    def test_two_rules_of_one_instant_share_what_hops_are_left(self) -> None:
        twins = MOVES.format("x", "4h", "eve") + MOVES.format("y", "4h", "fay")
        policy = make_policy(moves("bob", "cat", "dan") + twins, self.SAFETY)
        outcome = run(policy, [created()], "20:00", apply=True)
        assert [one.target for one in outcome.done()][3:] == ["user:eve", "pool:last", "address:max@acme.example"]

    def test_peoples_changes_do_not_count(self) -> None:
        policy = make_policy(moves("bob"), self.SAFETY)
        events = [created(), *(updated(f"09:{n}0", OwnerId=f"p{n}") for n in range(1, 6))]
        assert [one.target for one in run(policy, events, "20:00").done()] == ["user:bob"]

    def test_what_a_manager_orders_does_not_count_either(self) -> None:
        policy = make_policy(moves("bob"), self.SAFETY)
        orders = [event("override", f"09:{n}0", action="reroute", to=f"p{n}", actor="max") for n in range(1, 6)]
        outcome = run(policy, [created(), *orders], "20:00", apply=True)
        assert [one.target for one in outcome.done()][-1] == "user:bob"

    @pytest.mark.parametrize("known_here", [True, False])
    def test_no_return_to_a_previous_owner_within_a_day(self, known_here: bool) -> None:
        policy = make_policy(moves("bob", "ann") + MOVES.format("r9", "26h", "ann"), self.SAFETY)
        agents = tuple(agent(name) for name in ("ann", "bob")) if known_here else ()
        outcome = run(policy, [created()], "14 00:00", agents=agents, apply=True)
        assert [(one.rule, one.status) for one in outcome.actions] == [
            ("r1", "planned"), ("r2", "held"), ("r9", "planned"),
        ]  # fmt: skip
        assert "had it within 24 h" in outcome.actions[1].note

    def test_a_queue_may_have_the_record_back(self) -> None:
        rules = "- {id: r, when: [age >= 1h], do: [{reassign: {to: {queue: Tier1}}}]}"
        events = [created(OwnerId="queue:Tier1"), updated("09:30", OwnerId="ann")]
        assert [one.target for one in run(make_policy(rules), events, "20:00").done()] == ["queue:Tier1"]

    def test_else_is_bound_by_the_hops_too(self) -> None:
        spare = "else: [{reassign: {to: {user: fay}}}]"
        other = f"- {{id: z, when: [age >= 5h], do: [{{notify: {{who: backup, template: note, {spare}}}}}]}}"
        policy = make_policy(moves("bob", "cat", "dan", "eve") + other, self.SAFETY)
        assert run(policy, [created()], "20:00", apply=True).done()[4].target == "pool:last"

    def test_giving_a_record_to_its_owner_is_pointless(self) -> None:
        for agents in ((), (agent("ann"),)):
            (action,) = run(make_policy(moves("ann")), [created()], "20:00", agents=agents).actions
            assert (action.status, action.note) == ("cancelled", "it is there already")


class TestNobodyEligible:
    RULE = "- {id: r, when: [vip], do: [{reassign: {to: {pool: senior}}}]}"

    def decided(self, *agents: Agent) -> Action:
        (action,) = run(make_policy(self.RULE), [created(Vip=True)], "09:00", agents=agents).actions
        return action

    def test_the_least_loaded_eligible_member_takes_it(self) -> None:
        action = self.decided(agent("bob", load=3), agent("cat", load=1), agent("dan", presence="away"))
        assert (action.target, action.reason.passed_over) == ("user:cat", ("dan: away",))

    def test_then_the_next_tier_then_the_pools_in_order(self) -> None:
        busy = agent("bob", capacity=1, load=1)
        assert self.decided(busy, agent("cat", pools=("chief",)), agent("dan", pools=("last",))).target == "user:cat"
        only_last = self.decided(busy, agent("cat", pools=("chief",), presence="break"))
        assert (only_last.target, only_last.status) == ("", "held")
        assert only_last.note == "nobody eligible in senior"
        assert only_last.reason.passed_over == ("bob: at capacity (1 of 1)", "cat: break")

    def test_a_group_that_nobody_is_known_to_belong_to_is_a_queue(self) -> None:
        assert self.decided(agent("bob", pools=())).target == "pool:senior"

    def test_eligibility_is_judged_when_it_fires_and_the_key_does_not_notice(self) -> None:
        assert self.decided(agent("bob")).key == self.decided(agent("cat")).key


class TestOverrides:
    def test_a_hold_suppresses_and_its_end_lets_go(self) -> None:
        hold = event("override", "09:30", action="hold", rules=("up",), until=at("11:00"), reason="known", actor="max")
        outcome = run(make_policy(ESCALATE), [created(), hold], "20:00")
        assert outcome.fired("suppressed") == [("up", "10:00")] * 2
        assert outcome.fired() == [("up", "11:00")] * 2
        assert outcome.done("suppressed")[0].note == "hold by max: known"
        assert {clock(one.due) for one in outcome.actions} == {"10:00"}

    def test_a_hold_names_rules_or_all(self) -> None:
        other = event("override", "09:30", action="hold", rules=("other",))
        everything = event("override", "09:30", action="hold")
        assert len(run(make_policy(ESCALATE), [created(), other], "20:00").fired()) == 2
        assert run(make_policy(ESCALATE), [created(), everything], "20:00").fired() == []

    def test_a_hold_without_end_lasts_until_released(self) -> None:
        hold = event("override", "09:30", action="hold", rules=("*",))
        release = event("override", "15:00", action="release", rules=("*",))
        assert run(make_policy(ESCALATE), [created(), hold, release], "20:00").fired() == [("up", "15:00")] * 2

    def test_releasing_one_rule_leaves_the_others_held(self) -> None:
        holds = [event("override", "09:30", action="hold", rules=(rule,), event_id=rule) for rule in ("up", "x")]
        release = event("override", "15:00", action="release", rules=("x",))
        facts = run(make_policy(ESCALATE), [created(), *holds, release], "20:00").facts
        assert [one.rules for one in facts.memory.overrides] == [("up",)]

    def test_a_persons_change_of_owner_after_ours_overrides_the_rule_that_caused_it(self) -> None:
        rules = "- {id: r, when: [since_assignment >= 1h], do: [{reassign: {to: {user: bob}}}]}\n"
        rules += ESCALATE.replace("1h", "9h")
        events = [created(), updated("10:30", OwnerId="cat", actor="cat")]
        outcome = run(make_policy(rules), events, "20:00", apply=True)
        assert outcome.fired("suppressed") == [("r", "11:30")]
        (override,) = outcome.facts.memory.overrides
        assert (override.rules, override.implied_by, override.until) == (("r",), "owner", None)
        assert ("up", "18:00") in outcome.fired()

    def test_a_persons_change_of_priority_after_ours_overrides_it_too(self) -> None:
        events = [created(Priority="Low"), updated("10:30", Priority="Low")]
        outcome = run(make_policy(ESCALATE), events, "20:00", apply=True)
        assert [one.implied_by for one in outcome.facts.memory.overrides] == ["priority"]

    @pytest.mark.parametrize("by", ["system", "triage"])
    def test_a_machines_change_is_no_override(self, by: str) -> None:
        events = [created(), updated("10:30", by=by, OwnerId="cat", rule="other")]
        assert run(make_policy(ESCALATE), events, "20:00", apply=True).facts.memory.overrides == ()

    def test_a_change_before_any_of_ours_is_no_override(self) -> None:
        events = [created(), updated("09:30", OwnerId="cat")]
        assert run(make_policy(ESCALATE), events, "09:45").facts.memory.overrides == ()

    def test_a_reroute_goes_where_it_says_and_overrides_the_rule_that_moved_the_record(self) -> None:
        reroute = event("override", "10:30", action="reroute", to="cat", actor="max", reason="hers")
        outcome = run(make_policy(ESCALATE), [created(), reroute], "20:00", apply=True)
        order = outcome.done()[-1]
        assert (order.rule, order.step, order.target) == ("override", "reroute", "user:cat")
        assert order.reason.note == "reroute by max: hers"
        assert outcome.facts.item.fields["owner"] == "cat"
        assert [one.rules for one in outcome.facts.memory.overrides] == [("up",)]

    @pytest.mark.parametrize(("rules", "restores"), [((), True), (("*",), True), (("up",), True), (("other",), False)])
    def test_a_pull_back_restores_owner_and_priority_and_holds(self, rules: tuple[str, ...], restores: bool) -> None:
        pull = event("override", "10:30", action="pull_back", rules=rules, actor="max")
        outcome = run(make_policy(ESCALATE), [created(Priority="Low"), pull], "20:00", apply=True)
        orders = [(one.kind, one.target, one.params) for one in outcome.done() if one.rule == "override"]
        restored = [("reassign", "user:ann", {}), ("reprioritise", "field:priority", {"to": "Low"})]
        assert orders == (restored if restores else [])
        assert [one.action for one in outcome.facts.memory.overrides] == ["pull_back"]
        assert [one.at for one in outcome.done() if one.rule == "up"] == [at("10:00")] * 2

    def test_a_pull_back_leaves_alone_what_a_person_has_touched_since(self) -> None:
        events = [
            created(Priority="Low"), updated("10:15", OwnerId="cat"), event("override", "10:30", action="pull_back"),
        ]  # fmt: skip
        outcome = run(make_policy(ESCALATE), events, "20:00", apply=True)
        assert [one.kind for one in outcome.done() if one.rule == "override"] == ["reprioritise"]


class TestStillHolds:
    MILESTONES = """
milestones:
  answer: {object: Case, target: 2h, hours: none, complete: [is_contacted]}
  solve: {object: Case, target: 2h, hours: none}
"""
    SLA = "- {id: r, when: [sla.used >= 50%], do: [{notify: {who: 'queue:Tier1', template: warning}}]}\n"

    def later(self, policy: Policy, facts: Facts, *events: Event) -> Facts:
        for one in events:
            facts = observe(facts, one, policy, {}, ORG)
        return facts

    def test_it_holds_while_nothing_has_changed(self) -> None:
        policy = make_policy(ESCALATE)
        outcome = run(policy, [created()], "10:00")
        assert still_holds(outcome.facts, policy, outcome.actions[0], at("10:05")) == ""

    @pytest.mark.parametrize(
        ("change", "why"),
        [
            (updated("10:02", IsClosed=True), "the record is closed"),
            (event("deleted", "10:02"), "the record is closed"),
            (event("override", "10:02", action="hold", actor="max", reason="wait"), "hold by max: wait"),
            (updated("10:02", Priority="Low"), "its condition no longer holds"),
        ],
    )  # fmt: skip
    def test_closed_held_and_ceased_cancel(self, change: Event, why: str) -> None:
        policy = make_policy(ESCALATE.replace("[age >= 1h]", "[age >= 1h, priority == Medium]"))
        outcome = run(policy, [created(Priority="Medium")], "10:00")
        facts = self.later(policy, outcome.facts, change)
        assert still_holds(facts, policy, outcome.actions[0], at("10:05")) == why

    def test_a_completed_milestone_cancels_what_spoke_of_it_and_nothing_else(self) -> None:
        policy = make_policy(self.SLA, self.MILESTONES)
        outcome = run(policy, [created()], "10:00")
        facts = self.later(policy, outcome.facts, message("10:02", "out"))
        answers = {one.episode.split(":")[1]: still_holds(facts, policy, one, at("10:05")) for one in outcome.actions}
        assert answers == {"answer": "its condition no longer holds", "solve": ""}

    def test_a_warning_of_a_breach_is_cancelled_once_it_has_happened(self) -> None:
        policy = make_policy(self.SLA, self.MILESTONES)
        outcome = run(policy, [created()], "10:00")
        assert {still_holds(outcome.facts, policy, one, at("10:59")) for one in outcome.actions} == {""}
        why = {still_holds(outcome.facts, policy, one, at("11:00")) for one in outcome.actions}
        assert why == {"the breach it warns of has happened"}

    @pytest.mark.parametrize("when", ["[age >= 1h]", "[priority == Low]"])
    def test_a_warning_by_another_clock_is_cancelled_after_any_breach(self, when: str) -> None:
        policy = make_policy(self.SLA.replace("[sla.used >= 50%]", when), self.MILESTONES)
        outcome = run(policy, [created(Priority="Low")], "10:00")
        assert still_holds(outcome.facts, policy, outcome.actions[0], at("10:30")) == ""
        assert still_holds(outcome.facts, policy, outcome.actions[0], at("11:30")) != ""

    def test_an_event_rule_on_a_milestone_still_holds_while_one_is_open(self) -> None:
        policy = make_policy(self.SLA.replace("id: r,", "id: r, on: [message],"), self.MILESTONES)
        outcome = run(policy, [created(), message("10:10")], "10:10")
        assert outcome.actions != []
        assert still_holds(outcome.facts, policy, outcome.actions[0], at("10:15")) == ""

    def test_the_rest_of_a_firing_goes_on_although_its_first_action_ended_the_condition(self) -> None:
        rules = """
- id: r
  when: [since_assignment >= 1h]
  do: [{reassign: {to: {user: bob}}}, {notify: {who: 'queue:Tier1', template: note}}]
"""
        policy = make_policy(rules)
        outcome = run(policy, [created()], "10:00")
        moved, told = outcome.actions
        effect = effect_event(moved, policy, at("10:01"))
        assert effect is not None
        facts = self.later(policy, outcome.facts, effect)
        assert still_holds(facts, policy, told, at("10:02")) == ""
        taken = self.later(policy, facts, updated("10:03", OwnerId="cat"))
        assert still_holds(taken, policy, told, at("10:04")) != ""

    def test_a_milestone_completed_after_our_own_change_cancels_the_rest(self) -> None:
        both = "[{reassign: {to: {user: bob}}}, {notify: {who: owner, template: note}}]"
        rule = f"- {{id: r, when: [sla.used >= 50%], do: {both}}}"
        policy = make_policy(rule, self.MILESTONES)
        outcome = run(policy, [created()], "10:00", apply=True)
        notices = [one for one in outcome.actions if one.kind == "notify"]
        assert [still_holds(outcome.facts, policy, one, at("10:05")) for one in notices] == ["", ""]
        facts = self.later(policy, outcome.facts, message("10:10", "out"))
        assert [still_holds(facts, policy, one, at("10:15")) != "" for one in notices] == [True, False]

    def test_a_displaced_entrys_step_is_cancelled(self) -> None:
        entry = f"- {{id: e, when: [priority == Low], steps: [{{after: {{clock: created, over: 1h}}, {NOTE}}}]}}"
        policy = make_policy(entry, match="first_match")
        outcome = run(policy, [created(Priority="Low")], "10:00")
        facts = self.later(policy, outcome.facts, updated("10:02", Priority="High"))
        assert still_holds(outcome.facts, policy, outcome.actions[0], at("10:01")) == ""
        assert still_holds(facts, policy, outcome.actions[0], at("10:05")) == "its condition no longer holds"

    def test_a_rule_that_is_gone_cancels(self) -> None:
        outcome = run(make_policy(ESCALATE), [created()], "10:00")
        why = still_holds(outcome.facts, make_policy(), outcome.actions[0], at("10:05"))
        assert why == "the rule is no longer in the policy"

    def test_a_persons_order_is_done_unless_the_record_is_gone(self) -> None:
        policy = make_policy()
        reroute = event("override", "10:00", action="reroute", to="cat")
        outcome = run(policy, [created(), reroute, updated("10:01", IsClosed=True)], "10:02")
        assert still_holds(outcome.facts, policy, outcome.actions[0], at("10:05")) == ""
        gone = self.later(policy, outcome.facts, event("deleted", "10:03"))
        assert still_holds(gone, policy, outcome.actions[0], at("10:05")) == "the record is gone"

    def test_a_reassignment_that_has_become_pointless_is_cancelled(self) -> None:
        policy = make_policy(ESCALATE)
        outcome = run(policy, [created()], "10:00")
        facts = self.later(policy, outcome.facts, updated("10:02", OwnerId="queue:Tier2"))
        assert still_holds(facts, policy, outcome.actions[0], at("10:05")) == "it is there already"

    def test_the_notice_of_a_used_up_hop_bound_holds_after_the_move(self) -> None:
        rules = moves("bob", "cat", "dan", "eve") + MOVES.format("z", "5h", "fay").replace("age", "since_assignment")
        policy = make_policy(rules.replace("since_assignment >= 5h", "since_assignment >= 1h"), TestHops.SAFETY)
        outcome = run(policy, [created()], "20:00", apply=True)
        notices = [one for one in outcome.done() if one.step == "hops"]
        assert notices
        assert still_holds(outcome.facts, policy, notices[0], notices[0].at) == ""


class TestPolicyIsPartOfTheDecision:
    def test_the_same_policy_text_has_the_same_digest_and_decides_alike(self) -> None:
        one, two = make_policy(ESCALATE), make_policy(ESCALATE)
        assert one.digest == two.digest
        assert run(one, [created()], "20:00").actions == run(two, [created()], "20:00").actions

    def test_advancing_changes_nothing_when_done_again(self) -> None:
        policy = make_policy(ESCALATE)
        facts = run(policy, [created()], "20:00").facts
        again, decisions = advance(facts, policy, at("20:00"))
        assert (again, decisions) == (facts, ())
        assert replace(facts) == facts
        assert compile_policy(policy.document, virtual=True).digest == policy.digest
        assert known(policy, created()).memory.fired == {}
