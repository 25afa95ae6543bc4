"""The contract's section Clocks and milestones, with what Events says of them, as timetables (12 January 2026)."""

from __future__ import annotations

import pytest

from tests.unit.build import ORG, Outcome, at, clock, created, event, make_policy, message, run, updated
from triage.domain.facts import Facts, MilestoneState
from triage.domain.work import Event
from triage.observe import observe
from triage.pipeline import advance, decide
from triage.policy import Policy
from triage.sla.milestones import due, paused_ms, violated

NOTE = "do: [{notify: {who: 'queue:Tier1', template: note}}]"


def rules(*pairs: tuple[str, str]) -> str:
    """Return all-matches rules of one condition each that notify."""
    return "".join(f"- {{id: {rule}, when: ['{when}'], {NOTE}}}\n" for rule, when in pairs)


def milestone(name: str = "solve", **settings: str) -> str:
    """Return a file with one milestone in wall time unless told otherwise."""
    lines = {"object": "Case", "target": "4h", "hours": "none"} | settings
    return f"milestones:\n  {name}:\n" + "".join(f"    {key}: {value}\n" for key, value in lines.items())


def state(facts: Facts, name: str = "solve") -> MilestoneState:
    """Return the milestone's latest run."""
    return next(one for one in facts.memory.milestones if one.name == name)


def due_of(outcome: Outcome, policy: Policy, name: str = "solve") -> str:
    """Return when the milestone is due."""
    found = due(state(outcome.facts, name), lambda hours: policy.hours_for(outcome.facts.item))
    assert found is not None
    return clock(found)


def published(old: Policy, new: Policy, events: list[Event], when: str) -> Facts:
    """Return the facts of *events* under *old*, decided at *when* under *new*."""
    facts = run(old, events, when).facts
    return advance(facts, new, at(when))[0]


class TestClocks:
    @pytest.mark.parametrize(
        ("leaf", "fires"),
        [
            ("age >= 2h", ["11:00"]), ("age_until_modified >= 2h", []), ("since_modified >= 2h", ["12:00"]),
            ("since_assignment >= 2h", ["13:00"]), ("since_contact >= 2h", ["11:00", "14:00"]),
            ("since_queued >= 2h", []),
        ],
    )  # fmt: skip
    def test_each_clock_starts_where_its_name_says(self, leaf: str, fires: list[str]) -> None:
        policy = make_policy(rules(("r", leaf)))
        events = [created(), updated("10:00", Subject="x"), updated("11:00", by="triage", OwnerId="bob")]
        events.append(message("12:00", "out"))
        assert [when for _, when in run(policy, events, "20:00").fired()] == fires

    def test_a_queue_runs_the_queued_clock_and_a_person_the_assigned_one(self) -> None:
        policy = make_policy(rules(("waits", "since_queued >= 1h"), ("sits", "since_assignment >= 1h")))
        events = [created(OwnerId="queue:Tier1"), updated("10:30", OwnerId="ann"), updated("12:00", OwnerId="00G7")]
        assert run(policy, events, "20:00").fired() == [("waits", "10:00"), ("sits", "11:30"), ("waits", "13:00")]

    @pytest.mark.parametrize(("hours", "due"), [("none", "23:00"), ("record", "13 15:00"), ("late", "13 22:00")])
    def test_hours_are_wall_time_by_default_the_records_or_a_calendar(self, hours: str, due: str) -> None:
        policy = make_policy(f"- {{id: r, when: [age >= 14h], hours: {hours}, {NOTE}}}")
        (action,) = run(policy, [created()], "20 00:00").actions
        assert clock(action.due) == due

    def test_hours_in_front_of_a_leaf_win_over_the_rules(self) -> None:
        policy = make_policy(f"- {{id: r, when: [{{clock: created, over: 9h, hours: lon}}], {NOTE}}}")
        assert run(policy, [created()], "20 00:00").fired() == [("r", "13 10:00")]


class TestModification:
    RULE = rules(("stale", "since_modified >= 2h"))

    @pytest.mark.parametrize("kind", ["message", "comment", "activity", "scored", "override"])
    def test_what_is_no_update_never_counts(self, kind: str) -> None:
        more = {"message": {"direction": "in"}, "scored": {"scores": {"language": "en"}}}
        other = event(kind, "10:00", **(more | {"override": {"action": "release"}}).get(kind, {}))
        assert run(make_policy(self.RULE), [created(), other], "20:00").fired() == [("stale", "11:00")]

    def test_a_related_change_never_counts(self) -> None:
        other = event("related", "10:00", object="Account", id="A", changes={"Tier": "Gold"})
        assert run(make_policy(self.RULE), [created(AccountId="A"), other], "20:00").fired() == [("stale", "11:00")]

    @pytest.mark.parametrize("by", ["user", "system"])
    def test_an_update_counts_even_with_empty_changes(self, by: str) -> None:
        outcome = run(make_policy(self.RULE), [created(), updated("10:00", by=by)], "20:00")
        assert outcome.fired() == [("stale", "12:00")]

    def test_our_own_owner_change_restarts_since_assignment_but_no_modification_clock(self) -> None:
        policy = make_policy(self.RULE + rules(("new", "age_until_modified >= 2h"), ("sits", "since_assignment >= 2h")))
        outcome = run(policy, [created(), updated("10:00", by="triage", OwnerId="bob")], "20:00")
        assert outcome.fired() == [("stale", "11:00"), ("new", "11:00"), ("sits", "12:00")]


class TestContact:
    OWN = "safety: {own_addresses: [Help@Acme.Example]}\n"

    def test_an_answer_is_contact_and_ends_the_waiting(self) -> None:
        policy = make_policy(rules(("waits", "awaiting_reply")))
        facts = run(policy, [created(), message("10:00", body="hi"), message("11:00", "out")], "12:00").facts
        assert facts.item.fields["is_contacted"] is True
        assert facts.item.fields["awaiting_reply"] is False
        assert (facts.item.fields["inbound_count"], facts.item.fields["outbound_count"]) == (1, 1)
        assert facts.item.fields["latest_message"] == "hi"

    @pytest.mark.parametrize(
        "other",
        [
            message("10:00", "out", auto=True), message("10:00", "in", auto=True, body="Out of office"),
            message("10:00", "in", body="Noted", sender="help@acme.example"),
            message("10:00", "out", body="Noted", sender="help@acme.example"),
        ],
    )  # fmt: skip
    def test_automatic_replies_and_our_own_mail_never_count(self, other: Event) -> None:
        policy = make_policy(rules(("r", "since_contact >= 2h")), self.OWN, milestone(complete="[is_contacted]"))
        outcome = run(policy, [created(), other], "20:00")
        assert outcome.fired() == [("r", "11:00")]
        fields = outcome.facts.item.fields
        assert (fields["is_contacted"], fields["awaiting_reply"], fields.get("latest_message")) == (False, False, None)
        assert state(outcome.facts).completed is None

    def test_an_outgoing_activity_is_contact_and_another_is_none(self) -> None:
        policy = make_policy("", milestone(complete="[is_contacted]"))
        logged = [created(), event("activity", "10:00"), event("activity", "10:30", direction="out", auto=True)]
        logged.append(event("activity", "11:00", direction="out"))
        assert state(run(policy, logged, "12:00").facts).completed == at("11:00")


class TestShares:
    @pytest.mark.parametrize(
        ("target", "leaf", "fires"),
        [
            ("4h", "milestone.solve.used >= 80%", "12:12"), ("4h", "milestone.solve.remaining <= 20%", "12:12"),
            ("4h", "milestone.solve.used >= 100%", "13:00"), ("4h", "milestone.solve.remaining <= 0%", "13:00"),
            ("4h", "milestone.solve.used >= 150%", "15:00"), ("4h", "milestone.solve.remaining <= 30m", "12:30"),
            ("4h", "sla.used >= 1h", "10:00"), ("4h", "milestone.solve.remaining <= 5h", "09:00"),
            ("10m", "milestone.solve.used >= 33%", "09:03:18.000"),
            ("1s", "milestone.solve.used >= 1%", "09:00:01.000"),
            ("100s", "milestone.solve.used >= 33.3%", "09:00:34.000"),
        ],
    )  # fmt: skip
    def test_percent_is_an_exact_share_of_the_target_rounded_up_to_seconds(
        self, target: str, leaf: str, fires: str
    ) -> None:
        policy = make_policy(rules(("r", leaf)), milestone(target=target))
        assert [when for _, when in run(policy, [created()], "20:00").fired()] == [fires]

    def test_shares_and_offsets_are_added_to_the_start_and_so_never_fall_into_closed_time(self) -> None:
        policy = make_policy(
            rules(("r", "milestone.solve.remaining <= 2h"), ("s", "milestone.solve.used >= 80%")),
            milestone(target="10h", hours="record"),
        )
        assert run(policy, [created()], "20 00:00").fired() == [("r", "17:00"), ("s", "17:00")]

    def test_plain_sla_ranges_over_open_milestones_one_match_each(self) -> None:
        two = milestone() + milestone("answer", target="2h", complete="[is_contacted]").removeprefix("milestones:\n")
        policy = make_policy(rules(("r", "sla.used >= 50%")), two)
        assert run(policy, [created()], "20:00").fired() == [("r", "10:00"), ("r", "11:00")]
        assert run(policy, [created(), message("09:30", "out")], "20:00").fired() == [("r", "11:00")]

    @pytest.mark.parametrize("target", ["0", "none", "{by: [{when: [vip], target: 1h}]}"])
    def test_no_target_or_zero_means_no_deadline(self, target: str) -> None:
        warnings = rules(("a", "sla.used >= 80%"), ("b", "milestone.solve.remaining <= 1h"))
        outcome = run(make_policy(warnings, milestone(target=target)), [created()], "20:00")
        assert outcome.fired() == []
        assert state(outcome.facts).target is None

    def test_milestones_default_to_the_records_calendar(self) -> None:
        text = "milestones: {solve: {object: Case, target: 9h}}"
        policy = make_policy("", text)
        assert due_of(run(policy, [created()], "10:00"), policy) == "13 10:00"

    def test_a_record_that_names_a_calendar_runs_in_it(self) -> None:
        policy = make_policy("", milestone(hours="record"))
        assert due_of(run(policy, [created(Hours="late")], "10:00"), policy) == "20:00"


class TestLife:
    def test_reopening_resumes_the_same_clock_and_closed_time_is_no_pause(self) -> None:
        policy = make_policy(rules(("r", "milestone.solve.used >= 50%")), milestone(complete="[is_closed]"))
        events = [created(), updated("10:00", IsClosed=True), updated("10:30", IsClosed=False)]
        outcome = run(policy, events, "20:00")
        assert outcome.fired() == [("r", "11:00")]
        assert due_of(outcome, policy) == "13:00"
        assert state(outcome.facts).completed is None

    def test_what_has_fired_is_not_repeated_by_reopening(self) -> None:
        policy = make_policy(rules(("r", "milestone.solve.used >= 50%"), ("age", "age >= 1h")), milestone())
        events = [created(), updated("11:30", IsClosed=True), updated("12:30", IsClosed=False)]
        assert run(policy, events, "20:00").fired() == [("age", "10:00"), ("r", "11:00")]

    def test_completion_keeps_its_first_instant(self) -> None:
        policy = make_policy("", milestone(complete="[is_contacted]"))
        facts = run(policy, [created(), message("10:00", "out"), message("11:00", "out")], "12:00").facts
        assert state(facts).completed == at("10:00")

    def test_a_milestone_completed_at_the_due_instant_is_in_time(self) -> None:
        policy = make_policy(rules(("r", "milestone.solve.remaining <= 0m")), milestone(complete="[is_contacted]"))
        outcome = run(policy, [created(), message("13:00", "out")], "20:00")
        assert outcome.fired() == []
        assert not violated(state(outcome.facts), lambda name: policy.calendars["none"], at("20:00"))

    def test_a_target_changed_midway_keeps_start_and_elapsed(self) -> None:
        target = "{default: 4h, by: [{when: [priority == High], target: 2h}]}"
        policy = make_policy(rules(("r", "milestone.solve.used >= 50%")), milestone(target=target))
        outcome = run(policy, [created(), updated("09:30", Priority="High")], "20:00")
        assert outcome.fired() == [("r", "10:00")]
        assert due_of(outcome, policy) == "11:00"
        late = run(policy, [created(), updated("10:45", Priority="High")], "20:00")
        assert late.fired() == [("r", "10:45")]

    def test_a_milestone_starts_when_its_condition_first_holds(self) -> None:
        policy = make_policy("", milestone(start="[priority == High]"))
        events = [created(), updated("10:00", Priority="High"), updated("11:00", Priority="Low")]
        facts = run(policy, events, "12:00").facts
        assert state(facts).start == at("10:00")

    def test_a_stopped_milestone_is_measured_where_it_stopped(self) -> None:
        policy = make_policy(rules(("r", "sla.used >= 100%")), milestone(stop="[status == Spam]"))
        outcome = run(policy, [created(), updated("10:00", Status="Spam")], "20:00")
        assert outcome.fired() == []
        assert not violated(state(outcome.facts), lambda name: policy.calendars["none"], at("20:00"))

    def test_a_start_condition_takes_static_leaves_only(self) -> None:
        with pytest.raises(Exception, match="static"):
            make_policy("", milestone(start="[age >= 1h]"))


class TestPauses:
    PAUSED = milestone(pause="[status == Waiting]")
    WARN = rules(("r", "milestone.solve.used >= 50%"))

    def test_a_pause_moves_what_is_due_by_its_length(self) -> None:
        policy = make_policy(self.WARN, self.PAUSED)
        events = [created(), updated("10:00", Status="Waiting"), updated("12:00", Status="Open")]
        outcome = run(policy, events, "20:00")
        assert outcome.fired() == [("r", "13:00")]
        assert paused_ms(state(outcome.facts), lambda name: policy.calendars["none"], at("20:00")) == 2 * 3_600_000

    def test_an_open_pause_keeps_everything_waiting(self) -> None:
        outcome = run(make_policy(self.WARN, self.PAUSED), [created(), updated("10:00", Status="Waiting")], "20:00")
        assert outcome.fired() == []
        assert outcome.facts.next_at is None

    def test_pauses_outlive_a_change_of_policy(self) -> None:
        old = make_policy(self.WARN, self.PAUSED)
        new = make_policy(self.WARN, milestone(pause="[status == Parked]"))
        events = [created(), updated("10:00", Status="Waiting"), updated("11:00", Status="Open")]
        assert state(published(old, new, events, "11:30")).pauses == ((at("10:00"), at("11:00")),)

    def test_a_new_pause_condition_acts_from_publication_on(self) -> None:
        old, new = make_policy(self.WARN, milestone()), make_policy(self.WARN, self.PAUSED)
        facts = published(old, new, [created(Status="Waiting")], "10:00")
        assert state(facts).pauses == ((at("10:00"), None),)

    def test_a_removed_pause_condition_lets_the_clock_go_on_from_publication(self) -> None:
        old, new = make_policy(self.WARN, self.PAUSED), make_policy(self.WARN, milestone())
        facts = published(old, new, [created(), updated("09:30", Status="Waiting")], "10:00")
        assert state(facts).pauses == ((at("09:30"), at("10:00")),)

    def test_a_new_target_acts_from_publication_on_with_start_and_elapsed_kept(self) -> None:
        old, new = make_policy(self.WARN, milestone()), make_policy(self.WARN, milestone(target="8h"))
        facts = published(old, new, [created()], "10:00")
        assert (state(facts).start, state(facts).target) == (at("09:00"), 8 * 3_600_000)
        assert facts.next_at == at("13:00")

    def test_a_new_milestone_counts_from_creation_or_from_publication_where_a_condition_starts_it(self) -> None:
        old = make_policy("")
        facts = published(old, make_policy("", milestone()), [created()], "10:00")
        assert state(facts).start == at("09:00")
        facts = published(old, make_policy("", milestone(start="[status == New]")), [created()], "10:00")
        assert state(facts).start == at("10:00")

    def test_a_milestone_the_policy_no_longer_has_keeps_its_history(self) -> None:
        facts = published(make_policy("", milestone()), make_policy(""), [created()], "10:00")
        assert state(facts).start == at("09:00")


class TestRecurrence:
    RULE = rules(("r", "milestone.reply.used >= 50%"))

    @pytest.mark.parametrize(("recurrence", "fires"), [("none", ["10:00"]), ("independent", ["10:00", "12:30"])])
    def test_a_recurring_milestone_runs_again_with_keys_of_its_own(self, recurrence: str, fires: list[str]) -> None:
        text = milestone(
            "reply", target="2h", start="[awaiting_reply]", complete="[not awaiting_reply]", recurrence=recurrence
        )
        events = [created("08:00"), message("09:00"), message("10:30", "out"), message("11:30")]
        outcome = run(make_policy(self.RULE, text), events, "20:00")
        assert [when for _, when in outcome.fired()] == fires
        assert len({action.key for action in outcome.actions}) == len(fires)


class TestSameInstant:
    def test_events_come_before_timers(self) -> None:
        policy = make_policy(rules(("r", "age >= 1h")))
        assert run(policy, [created(), updated("10:00", IsClosed=True)], "20:00").fired() == []

    def test_a_late_wake_up_agrees_with_a_punctual_one_but_for_at(self) -> None:
        policy = make_policy(rules(("a", "age >= 1h"), ("b", "since_contact >= 90m")), milestone())
        facts = observe(None, created(), policy, {}, ORG)
        _, punctual = advance(facts, policy, at("12:00"))
        _, late = advance(facts, policy, at("12:00"), at=at("12:00"))
        told = [[(a.rule, a.step, a.due, a.key) for d in run for a in d.actions] for run in (punctual, late)]
        assert told[0] == told[1]
        assert {clock(a.at) for d in late for a in d.actions} == {"12:00"}

    def test_next_at_is_the_earliest_crossing_and_nothing_matters_before_it(self) -> None:
        policy = make_policy(rules(("a", "age >= 1h"), ("b", "age >= 2h")))
        facts = observe(None, created(), policy, {}, ORG)
        decision = decide(facts, policy, at("09:00"))
        assert decision.next_at is not None
        assert clock(decision.next_at) == "10:00"
        assert decide(facts, policy, decision.next_at - 1).actions == ()
        assert decide(facts, policy, decision.next_at).actions != ()
