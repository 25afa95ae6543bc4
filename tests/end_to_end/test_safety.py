"""The contract's section Safety, as far as the deciding core keeps it, as timetables of 12 January 2026."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.unit.build import ORG, Outcome, at, created, event, make_policy, message, run, updated
from triage.observe import observe
from triage.pipeline import advance
from triage.policy import Policy, RuleMode
from triage.safety import apply_caps, catch_up

NOTIFY = "notify: {who: 'queue:Tier1', template: note}"
BOTH = f"- {{id: r, when: [age >= 1h], do: [{{reassign: {{to: {{queue: Tier2}}}}}}, {{{NOTIFY}}}]}}\n"


def live(rules: str, *more: str, **modes: RuleMode) -> Policy:
    """Return a policy as a live worker has it."""
    return make_policy(rules, *more, modes=modes, virtual=False)


def statuses(outcome: Outcome) -> list[tuple[str, str]]:
    """Return kind and status of every action."""
    return [(action.kind, action.status) for action in outcome.actions]


class TestModes:
    def test_every_rule_observes_until_promoted(self) -> None:
        outcome = run(live(BOTH), [created()], "20:00")
        assert statuses(outcome) == [("reassign", "would_have"), ("notify", "would_have")]
        assert {action.note for action in outcome.actions} == {"the rule is in mode observe"}

    def test_the_mode_written_in_a_file_is_a_wish_only(self) -> None:
        wishing = BOTH.replace("id: r,", "id: r, mode: act,")
        assert statuses(run(live(wishing), [created()], "20:00")) == statuses(run(live(BOTH), [created()], "20:00"))

    def test_notify_lets_messages_go_and_nothing_else(self) -> None:
        outcome = run(live(BOTH, r=RuleMode("notify")), [created()], "20:00")
        assert statuses(outcome) == [("reassign", "would_have"), ("notify", "planned")]

    def test_act_lets_everything_go(self) -> None:
        outcome = run(live(BOTH, r=RuleMode("act")), [created()], "20:00")
        assert statuses(outcome) == [("reassign", "planned"), ("notify", "planned")]

    def test_promoting_one_rule_leaves_the_others_observing(self) -> None:
        policy = live(BOTH + BOTH.replace("id: r", "id: s"), r=RuleMode("act"))
        assert [one.rule for one in run(policy, [created()], "20:00").done()] == ["r", "r"]

    def test_virtual_policies_act(self) -> None:
        assert statuses(run(make_policy(BOTH), [created()], "20:00")) == [
            ("reassign", "planned"),
            ("notify", "planned"),
        ]

    @pytest.mark.parametrize("mode", ["observe", "notify", "act"])
    def test_a_mode_changes_no_key_and_no_instant(self, mode: str) -> None:
        found = run(live(BOTH, r=RuleMode(mode)), [created()], "20:00").actions  # type: ignore[arg-type]
        wanted = run(make_policy(BOTH), [created()], "20:00").actions
        assert [(one.key, one.due, one.at) for one in found] == [(one.key, one.due, one.at) for one in wanted]


class TestBacklog:
    def promoted(self, rules: str, *events, when: str, mode: str = "act") -> Outcome:
        facts = run(live(rules), events, when).facts
        policy = live(rules, r=RuleMode(mode, at(when)))  # type: ignore[arg-type]
        facts, decisions = advance(replace(facts, next_at=at(when)), policy, at("20:00"))
        return Outcome(facts, decisions)

    def test_what_was_true_before_the_mode_went_live_is_backlog(self) -> None:
        outcome = self.promoted(BOTH, created(), when="12:00")
        assert statuses(outcome) == [("reassign", "backlog"), ("notify", "backlog")]
        assert outcome.actions[0].note == "was already true when it went live"
        assert [one.key for one in outcome.actions] == [
            one.key for one in run(live(BOTH), [created()], "12:00").actions
        ]

    def test_what_becomes_true_after_it_fires(self) -> None:
        assert statuses(self.promoted(BOTH, created(), when="09:30")) == [
            ("reassign", "planned"),
            ("notify", "planned"),
        ]

    def test_backlog_is_listed_once(self) -> None:
        outcome = self.promoted(BOTH, created(), when="12:00")
        policy = live(BOTH, r=RuleMode("act", at("12:00")))
        after = observe(outcome.facts, updated("21:00", Subject="x"), policy, {}, ORG)
        assert advance(after, policy, at("22:00"))[1][-1].actions == ()

    def test_what_an_acting_rule_has_done_is_not_listed_when_it_is_raised_again(self) -> None:
        policy = live(BOTH, r=RuleMode("act"))
        facts = run(policy, [created()], "12:00").facts
        for mode in ("observe", "notify", "act"):
            later = live(BOTH, r=RuleMode(mode, at("13:00")))  # type: ignore[arg-type]
            assert [d.actions for d in advance(replace(facts, next_at=at("13:00")), later, at("14:00"))[1]] == [()]

    def test_from_notify_to_act_lists_what_was_held_back(self) -> None:
        facts = run(live(BOTH, r=RuleMode("notify")), [created()], "12:00").facts
        policy = live(BOTH, r=RuleMode("act", at("12:00")))
        _, decisions = advance(replace(facts, next_at=at("12:00")), policy, at("13:00"))
        assert [one.status for one in decisions[0].actions] == ["backlog", "backlog"]

    def test_a_repeating_rule_begins_anew_when_promoted(self) -> None:
        rules = BOTH.replace("]}\n", "], repeat: {every: 30m, at_most: 2}}\n")
        observed = run(live(rules), [created()], "12:00")
        assert len(observed.actions) == 4
        promoted = self.promoted(rules, created(), when="12:00")
        assert promoted.actions != []
        assert {one.status for one in promoted.actions} == {"backlog"}

    def test_an_entry_published_later_is_backlog_for_steps_already_due(self) -> None:
        entry = f"- {{id: e, when: [], steps: [{{after: {{clock: created, over: 1h}}, do: [{{{NOTIFY}}}]}}]}}"
        facts = run(live(""), [created()], "12:00").facts
        policy = make_policy(entry, match="first_match", virtual=False, modes={"e": RuleMode("act", at("12:00"))})
        _, decisions = advance(facts, policy, at("12:00"))
        assert [one.status for one in decisions[0].actions] == ["backlog"]

    def test_a_records_own_save_keeps_the_late_match(self) -> None:
        entry = f"- {{id: e, when: [vip], steps: [{{after: {{clock: created, over: 1h}}, do: [{{{NOTIFY}}}]}}]}}"
        policy = make_policy(entry, match="first_match", virtual=False, modes={"e": RuleMode("act", at("11:00"))})
        outcome = run(policy, [created(), updated("12:00", Vip=True)], "13:00")
        assert [(one.status, one.due) for one in outcome.actions] == [("planned", at("10:00"))]

    def test_a_set_that_reevaluates_on_save_is_chosen_at_publication_whatever_event_comes_first(self) -> None:
        entry = f"- {{id: e, when: [], steps: [{{after: {{clock: created, over: 1h}}, do: [{{{NOTIFY}}}]}}]}}"
        facts = run(live(""), [created()], "12:00").facts
        modes = {"e": RuleMode("act", at("12:00"))}
        policy = make_policy(entry, match="first_match", reevaluate_on="record", virtual=False, modes=modes)
        facts = observe(facts, event("comment", "12:30"), policy, {}, ORG)
        _, decisions = advance(facts, policy, at("13:00"))
        assert [one.status for decision in decisions for one in decision.actions] == ["backlog"]

    def test_what_is_true_before_a_source_went_live_is_backlog(self) -> None:
        policy = make_policy(BOTH + BOTH.replace("id: r", "id: s").replace("1h", "5h"))
        outcome = run(policy, [created()], "20:00", live_from=at("12:00"))
        assert [(one.rule, one.status) for one in outcome.actions if one.kind == "notify"] == [
            ("r", "backlog"), ("s", "planned"),
        ]  # fmt: skip


class TestRecipients:
    def told(self, who: str, safety: str = "", template: str = "note", **fields: str):
        rule = f"- {{id: r, when: [status == New], do: [{{notify: {{who: '{who}', template: {template}}}}}]}}"
        (action,) = run(
            make_policy(rule, *([f"safety: {{{safety}}}"] if safety else [])), [created(**fields)], "09:00"
        ).actions
        return action.target, action.status

    def test_addresses_need_a_domain_of_the_allow_list(self) -> None:
        assert self.told("address:a@x.example") == ("address:a@x.example", "suppressed")
        assert self.told("address:a@x.example", "recipient_domains: [y.example]")[1] == "suppressed"
        assert self.told("address:a@X.Example", "recipient_domains: [x.example]")[1] == "planned"
        assert self.told("address:a@evil-x.example", "recipient_domains: [x.example]")[1] == "suppressed"

    def test_an_address_that_a_field_holds_is_no_way_round_it(self) -> None:
        assert self.told("backup", Backup="a@x.example") == ("address:a@x.example", "suppressed")
        assert self.told("backup", Backup="address:a@x.example")[1] == "suppressed"

    @pytest.mark.parametrize(
        "text",
        [
            "mailto:a@evil.example", "user:a@evil.example", "a@evil.example,b@x.example", "a@evil.example b@x.example",
            "a@evil.example\nb@x.example", "a@evil.example;b@x.example", "<a@evil.example>b@x.example",
            "webhook:a@evil.example",
        ],
    )  # fmt: skip
    def test_no_spelling_of_a_field_reaches_somebody_who_is_not_allowed(self, text: str) -> None:
        target, status = self.told("backup", "recipient_domains: [x.example]", Backup=text)
        assert (target.startswith("address:"), status) == (True, "suppressed")

    def test_a_field_names_no_webhook_and_no_customer(self) -> None:
        assert self.told("backup", Backup="webhook:pay")[0] == "user:webhook:pay"
        assert self.told("backup", Backup="customer:5")[0] == "user:customer:5"

    def test_people_and_queues_need_no_domain(self) -> None:
        assert self.told("owner") == ("user:ann", "planned")
        assert self.told("queue:Tier1") == ("queue:Tier1", "planned")

    def test_the_manager_is_the_owners_own_else_the_policys(self) -> None:
        assert self.told("manager")[1] == "held"
        assert self.told("manager", "manager: max") == ("user:max", "planned")

    @pytest.mark.parametrize("do", ["acknowledge: {template: note}", "notify: {who: customer, template: note}"])
    @pytest.mark.parametrize("allowed", [False, True])
    def test_messages_to_customers_need_allow_customer_contact(self, do: str, allowed: bool) -> None:
        policy = make_policy(
            f"- {{id: r, when: [status == New], do: [{{{do}}}]}}",
            f"safety: {{allow_customer_contact: {str(allowed).lower()}}}",
        )
        (action,) = run(policy, [created(ContactEmail="cy@home.example")], "09:00").actions
        assert (action.target, action.status) == ("customer:cy@home.example", "planned" if allowed else "suppressed")

    @pytest.mark.parametrize(
        ("hosts", "status"),
        [("[]", "suppressed"), ("[other.example]", "suppressed"), ("[hooks.example]", "planned")],
    )
    def test_webhooks_need_a_host_of_the_allow_list(self, hosts: str, status: str) -> None:
        policy = make_policy(
            "- {id: r, when: [status == New], do: [{custom: {webhook: chat}}]}",
            "directory: {webhooks: {chat: 'https://hooks.example:8443/in'}}",
            f"safety: {{webhook_hosts: {hosts}}}",
        )
        (action,) = run(policy, [created()], "09:00").actions
        assert (action.target, action.status) == ("webhook:chat", status)


class TestAcknowledgement:
    ALLOWED = "safety: {allow_customer_contact: true}"
    RULE = "- {id: r, when: [status == New], do: [{acknowledge: {template: note}}]}"

    def capped(self, *customers: str | None) -> list[str]:
        policy = make_policy(self.RULE, self.ALLOWED)
        actions = []
        for number, customer in enumerate(customers):
            one = created(ContactEmail=customer)
            actions += run(policy, [replace(one, id=str(number))], "09:00").actions
        return [one.status for one in apply_caps(actions, {}, policy, at("09:00"), ORG).actions]

    @pytest.mark.parametrize(("more", "told"), [({}, 1), ({"auto": True}, 0), ({"sender": "Us@acme.example"}, 0)])
    def test_an_automatic_message_is_never_acknowledged(self, more: dict[str, object], told: int) -> None:
        policy = make_policy(
            "- {id: r, when: [], on: [message], do: [{acknowledge: {template: note}}]}",
            "safety: {allow_customer_contact: true, own_addresses: [us@acme.example]}",
        )
        assert len(run(policy, [created(), message("10:00", **more)], "20:00").done()) == told

    def test_a_customer_gets_at_most_one_a_day(self) -> None:
        assert self.capped("a@x.example", "A@X.example", "b@x.example") == ["planned", "held", "planned"]

    def test_customers_that_records_do_not_name_are_told_apart_by_record(self) -> None:
        assert self.capped(None, None) == ["planned", "planned"]


class TestBreach:
    MILESTONE = "milestones: {solve: {object: Case, target: 4h, hours: none, complete: [is_contacted]}}"
    WARN = "- {id: w, when: [%s], do: [{notify: {who: 'queue:Tier1', template: warning}}]}"

    @pytest.mark.parametrize("leaf", ["milestone.solve.remaining <= 1h", "sla.remaining <= 1h", "priority == High"])
    def test_a_pre_breach_text_is_cancelled_after_the_breach(self, leaf: str) -> None:
        policy = make_policy(self.WARN % f"vip, {leaf}", self.MILESTONE)
        for when, status in (("12:30", "planned"), ("13:00", "cancelled"), ("15:00", "cancelled")):
            outcome = run(policy, [created(Vip=False, Priority="High"), updated(when, Vip=True)], "20:00")
            assert [one.status for one in outcome.actions] == [status]

    def test_a_warning_about_one_milestone_does_not_mind_the_breach_of_another(self) -> None:
        both = self.MILESTONE.replace("}}", "}, quick: {object: Case, target: 1h, hours: none}}")
        outcome = run(make_policy(self.WARN % "milestone.solve.remaining <= 1h", both), [created()], "20:00")
        assert outcome.fired() == [("w", "12:00")]

    def test_a_rule_that_says_so_is_pre_breach_whatever_its_template(self) -> None:
        rule = (self.WARN % "vip").replace("warning", "note").replace("id: w,", "id: w, pre_breach: true,")
        outcome = run(make_policy(rule, self.MILESTONE), [created(Vip=False), updated("15:00", Vip=True)], "20:00")
        assert [one.status for one in outcome.actions] == ["cancelled"]

    def test_a_completed_milestone_has_no_breach(self) -> None:
        events = [created(Vip=False), message("10:00", "out"), updated("15:00", Vip=True)]
        assert len(run(make_policy(self.WARN % "vip", self.MILESTONE), events, "20:00").done()) == 1


class TestCatchUp:
    def test_an_outage_leaves_the_last_owner_and_one_digest_and_warns_of_nothing_past(self) -> None:
        rules = "".join(
            f"- {{id: r{n}, when: [age >= {n}h], do: [{{reassign: {{to: {{queue: Tier{n}}}}}}}, {{{NOTIFY}}}]}}\n"
            for n in (1, 2, 3)
        )
        policy = make_policy(rules)
        facts = observe(None, created(), policy, {}, ORG)
        _, decisions = advance(facts, policy, at("18:00"), at=at("18:00"))
        actions = catch_up([one for d in decisions for one in d.actions], at("18:00"), policy)
        assert [(one.rule, one.status) for one in actions if one.kind == "reassign"] == [
            ("r1", "superseded"), ("r2", "superseded"), ("r3", "planned"),
        ]  # fmt: skip
        notices = [one for one in actions if one.kind == "notify"]
        assert [one.status for one in notices] == ["planned", "superseded", "superseded"]
        assert [line["rule"] for line in notices[0].params["digest"]] == ["r1", "r2", "r3"]
