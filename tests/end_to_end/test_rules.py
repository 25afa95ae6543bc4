"""The contract's section Rules, sentence by sentence, as timetables of Monday 12 January 2026 (London: 09:00-17:00)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.unit.build import ORG, agent, at, clock, created, event, known, make_policy, message, run, updated
from triage.errors import ConfigError
from triage.observe import observe
from triage.pipeline import advance, decide

TIERS = """
- id: high
  when: [priority == High]
  steps:
    - {id: one, after: {clock: created, over: 1h}, do: [{reassign: {to: {queue: Tier2}}}]}
    - {id: two, after: {clock: created, over: 4h}, do: [{reassign: {to: {queue: Tier3}}}]}
- id: rest
  when: []
  steps:
    - {id: late, after: {clock: created, over: 6h}, do: [{reassign: {to: {queue: Tier1}}}]}
"""
NOTE = "do: [{notify: {who: 'queue:Tier1', template: note}}]"


def note(rule: str, when: str, **settings: str) -> str:
    """Return one all-matches rule that notifies."""
    more = "".join(f"\n  {key}: {value}" for key, value in settings.items())
    return f"- id: {rule}\n  when: {when}{more}\n  {NOTE}\n"


class TestFirstMatch:
    def test_an_entry_with_a_clock_in_when_is_a_load_error(self) -> None:
        with pytest.raises(ConfigError, match="static conditions only"):
            make_policy("- {id: x, when: [age >= 1h], steps: []}", match="first_match")

    def test_the_first_entry_that_holds_takes_the_record(self) -> None:
        outcome = run(make_policy(TIERS, match="first_match"), [created(Priority="High")], "20:00")
        assert outcome.fired() == [("high/one", "10:00"), ("high/two", "13:00")]

    def test_a_displaced_entry_loses_its_pending_steps(self) -> None:
        events = [created(Priority="High"), updated("12:00", Priority="Low")]
        outcome = run(make_policy(TIERS, match="first_match"), events, "20:00")
        assert outcome.fired() == [("high/one", "10:00"), ("rest/late", "15:00")]

    def test_a_step_due_before_its_entry_came_into_force_fires_at_once(self) -> None:
        events = [created(Priority="Low"), updated("12:30", Priority="High")]
        outcome = run(make_policy(TIERS, match="first_match"), events, "20:00")
        assert outcome.fired() == [("high/one", "12:30"), ("high/two", "13:00")]
        assert [clock(action.due) for action in outcome.actions] == ["10:00", "13:00"]

    def test_a_late_step_waits_for_the_hours_of_its_entry(self) -> None:
        rules = """
        - id: high
          when: [priority == High]
          steps: [{id: s, after: {clock: created, over: 1h, hours: lon}, do: [{reassign: {to: {queue: Tier2}}}]}]
        """
        events = [created(Priority="Low"), updated("20:00", Priority="High")]
        outcome = run(make_policy(_dedented(rules), match="first_match"), events, "14 00:00")
        assert [(clock(one.due), clock(one.at)) for one in outcome.actions] == [("10:00", "13 09:00")]

    def test_the_latch_keeps_since_when_the_entry_holds(self) -> None:
        events = [created(Priority="High"), updated("10:30", Subject="x"), updated("11:30", Status="Open")]
        facts = run(make_policy(TIERS, match="first_match"), events, "12:00").facts
        assert facts.memory.in_force["rules"].rule == "high"
        assert facts.memory.in_force["rules"].since == at("09:00")

    def test_an_entry_without_steps_takes_the_record(self) -> None:
        rules = "- {id: quiet, when: [vip == false]}\n" + TIERS
        outcome = run(make_policy(rules, match="first_match"), [created(Vip=False, Priority="High")], "20:00")
        assert outcome.actions == []

    def test_a_step_fired_once_is_not_repeated_when_its_entry_comes_back(self) -> None:
        events = [created(Priority="High"), updated("10:30", Priority="Low"), updated("11:00", Priority="High")]
        outcome = run(make_policy(TIERS, match="first_match"), events, "20:00")
        assert outcome.fired() == [("high/one", "10:00"), ("high/two", "13:00")]

    def test_a_last_modified_clock_restarts_its_steps(self) -> None:
        rules = """
        - id: stale
          when: []
          steps: [{id: s, after: {clock: last_modified, over: 1h}, do: [{reassign: {to: {queue: Tier2}}}]}]
        """
        events = [created(), updated("11:00", Subject="x")]
        outcome = run(make_policy(_dedented(rules), match="first_match"), events, "20:00")
        assert outcome.fired() == [("stale/s", "10:00"), ("stale/s", "12:00")]
        assert len({action.key for action in outcome.actions}) == 2

    def test_a_clock_until_modified_never_fires_after_an_edit(self) -> None:
        rules = """
        - id: untouched
          when: []
          steps: [{id: s, after: {clock: created_until_modified, over: 1h}, do: [{reassign: {to: {queue: Tier2}}}]}]
        """
        policy = make_policy(_dedented(rules), match="first_match")
        assert run(policy, [created(), message("09:30")], "20:00").fired() == [("untouched/s", "10:00")]
        assert run(policy, [created(), updated("09:30")], "20:00").fired() == []

    def test_a_deleted_record_fires_no_step(self) -> None:
        for reevaluate_on in ("record", "related"):
            policy = make_policy(TIERS, match="first_match", reevaluate_on=reevaluate_on)
            assert run(policy, [created(Priority="High"), event("deleted", "09:30")], "20:00").actions == []


class TestReevaluation:
    RULES = """
- {id: gold, when: [account.tier == Gold], steps: [{id: s, after: {clock: created, over: 1h},
   do: [{reassign: {to: {queue: Tier2}}}]}]}
"""
    RELATED = event("related", "10:30", object="Account", id="A", changes={"Tier": "Gold"})

    def test_related_changes_select_again_by_default(self) -> None:
        outcome = run(make_policy(self.RULES, match="first_match"), [created(AccountId="A"), self.RELATED], "20:00")
        assert outcome.fired() == [("gold/s", "10:30")]

    def test_related_changes_wait_for_the_records_own_save_with_reevaluate_on_record(self) -> None:
        policy = make_policy(self.RULES, match="first_match", reevaluate_on="record")
        events = [created(AccountId="A"), self.RELATED]
        assert run(policy, events, "20:00").fired() == []
        assert run(policy, [*events, updated("11:00")], "20:00").fired() == [("gold/s", "11:00")]

    @pytest.mark.parametrize("kind", ["comment", "activity", "message", "scored"])
    def test_what_is_no_save_selects_nothing_with_reevaluate_on_record(self, kind: str) -> None:
        policy = make_policy(self.RULES, match="first_match", reevaluate_on="record")
        other = event(kind, "11:00", **({"scores": {"urgency": {"score": 0.5}}} if kind == "scored" else {}))
        assert run(policy, [created(AccountId="A"), self.RELATED, other], "20:00").fired() == []

    def test_the_state_of_an_owner_selects_again_too(self) -> None:
        policy = make_policy(self.RULES.replace("account.tier == Gold", "owner.load >= 80%"), match="first_match")
        calm, busy = (agent("ann", capacity=10, load=load) for load in (1, 9))
        facts = run(policy, [created()], "09:30", agents=(calm,)).facts
        assert advance(facts, policy, at("10:30"))[1] == ()
        decision = decide(replace(facts, agents=(busy,)), policy, at("10:30"))
        assert [(one.rule, one.step, one.due) for one in decision.actions] == [("gold", "s", at("10:00"))]
        assert decision.memory.in_force["rules"].since == at("10:30")

    def test_a_fields_of_another_account_touch_nothing(self) -> None:
        outcome = run(make_policy(self.RULES, match="first_match"), [created(AccountId="B"), self.RELATED], "20:00")
        assert outcome.actions == []

    def test_a_new_reference_brings_the_fields_of_the_record_it_names(self) -> None:
        policy = make_policy(self.RULES, match="first_match")
        accounts = {("Account", "A"): {"Tier": "Gold"}}
        outcome = run(policy, [created(), updated("09:30", AccountId="A")], "20:00", related=accounts)
        assert outcome.fired() == [("gold/s", "10:00")]


class TestAllMatches:
    def test_clock_leaves_may_stand_in_when_and_fire_at_the_crossing(self) -> None:
        policy = make_policy(note("old", "[age >= 1h, priority == High]"))
        assert run(policy, [created(Priority="High")], "20:00").fired() == [("old", "10:00")]
        assert run(policy, [created(), updated("11:30", Priority="High")], "20:00").fired() == [("old", "11:30")]

    def test_every_rule_that_holds_fires(self) -> None:
        policy = make_policy(note("a", "[age >= 1h]") + note("b", "[age >= 1h]") + note("c", "[age >= 2h]"))
        assert run(policy, [created()], "20:00").fired() == [("a", "10:00"), ("b", "10:00"), ("c", "11:00")]

    def test_a_window_between_two_clocks_closes_again(self) -> None:
        policy = make_policy(note("between", "[age >= 2h, age < 3h, vip]"))
        assert run(policy, [created(), updated("11:30", Vip=True)], "20:00").fired() == [("between", "11:30")]
        assert run(policy, [created(), updated("12:00", Vip=True)], "20:00").fired() == []

    def test_any_of_two_clocks_fires_at_the_first(self) -> None:
        policy = make_policy(note("either", "[{any: [since_contact >= 2h, age >= 4h]}]"))
        outcome = run(policy, [created(), message("10:30", "out")], "20:00")
        assert outcome.fired() == [("either", "12:30")]


class TestKleene:
    @pytest.mark.parametrize(
        ("when", "fires"),
        [
            ("[country == FR]", False), ("[country != FR]", False), ("[not country == FR]", False),
            ("['country in [FR, DE]']", False), ("['country not in [FR]']", False), ("[amount < 5]", False),
            ("[not amount < 5]", False), ("[vip]", False), ("[not vip]", False), ("[vip != true]", False),
            ("[description contains x]", False), ("[not description contains x]", False),
            ("['tags excludes [legal]']", False), ("['not tags includes [legal]']", False),
            ("[priority < High]", False),
            ("[{any: [country != FR, status == New]}]", True),
            ("[{not: {all: [country == FR, status == Old]}}]", True),
            ("[{not: {any: [country == FR, status == Old]}}]", False), ("[country is missing]", True),
            ("[not country is present]", True), ("[country is present]", False),
            ("[{any: [country is missing, country != FR]}]", True),
        ],
    )  # fmt: skip
    def test_a_rule_fires_only_on_true_when_a_value_is_missing(self, when: str, fires: bool) -> None:
        assert bool(run(make_policy(note("r", when)), [created()], "09:00").fired()) is fires

    @pytest.mark.parametrize(("country", "fires"), [(None, True), ("DE", True), ("fr", False), ("FR", False)])
    def test_imported_not_equal_is_missing_or_not(self, country: str | None, fires: bool) -> None:
        policy = make_policy(note("r", "[{any: [country is missing, country != FR]}]"))
        assert bool(run(policy, [created(Country=country)], "09:00").fired()) is fires

    def test_a_clock_that_does_not_run_is_unknown(self) -> None:
        policy = make_policy(note("r", "[since_queued < 1h]") + note("s", "[since_queued >= 0h]"))
        assert run(policy, [created(OwnerId="ann")], "20:00").fired() == []

    def test_what_is_folded_from_events_is_known_from_creation(self) -> None:
        when = "[not is_contacted, not awaiting_reply, inbound_count == 0, outbound_count == 0, reopen_count == 0]"
        assert run(make_policy(note("r", when)), [created()], "09:00").fired() == [("r", "09:00")]


class TestText:
    @pytest.mark.parametrize("country", ["france", "FRANCE", "FrancE"])
    def test_text_compares_casefolded(self, country: str) -> None:
        rules = (
            note("a", "[country == France]")
            + note("b", "['country in [x, fRANCE]']")
            + note("c", "[country != FRANCE]")
        )
        assert [rule for rule, _ in run(make_policy(rules), [created(Country=country)], "09:00").fired()] == ["a", "b"]

    def test_sharp_s_folds(self) -> None:
        assert run(make_policy(note("a", "[country == Straße]")), [created(Country="STRASSE")], "09:00").fired()

    WORDS = "words:\n  trouble: {en: [outage, data loss], fr: [panne], de: [Ausfall], es: [caída]}\n"

    @pytest.mark.parametrize(
        ("field", "text", "fires"),
        [
            ("Subject", "Outage in Leeds", True), ("Description", "grosse PANNE ici", True),
            ("Subject", "Hay una caida", True), ("Subject", "Ausfall", True), ("Subject", "outages", False),
            ("Subject", "no outage today", False), ("Description", "ce n'est pas une panne", False),
            ("Description", "kein Ausfall", False), ("Subject", "data  loss", True),
        ],
    )  # fmt: skip
    def test_words_are_whole_folded_and_heed_negation_in_several_languages(
        self, field: str, text: str, fires: bool
    ) -> None:
        policy = make_policy(note("r", "[text in words(trouble)]"), self.WORDS)
        assert bool(run(policy, [created(**{field: text})], "09:00").fired()) is fires

    def test_words_are_looked_for_in_the_latest_inbound_message_too(self) -> None:
        policy = make_policy(note("r", "[text in words(trouble)]"), self.WORDS)
        said = [created(Subject="Hello"), message("10:00", body="We see an outage")]
        assert run(policy, said, "20:00").fired() == [("r", "10:00")]
        late = [*said, message("10:30", body="It works"), updated("11:00", Status="Open")]
        assert run(policy, late, "20:00").decisions[-1].matches == ()

    def test_our_own_words_are_not_the_customers(self) -> None:
        policy = make_policy(note("r", "[text in words(trouble)]"), self.WORDS)
        assert run(policy, [created(), message("10:00", "out", body="What an outage")], "20:00").fired() == []


class TestTriggers:
    def test_on_limits_a_rule_to_events_of_those_types(self) -> None:
        policy = make_policy(note("r", "[status == New]", on="[message, comment]"))
        events = [created(), updated("10:00"), message("10:30"), event("comment", "11:00"), event("activity", "11:30")]
        assert run(policy, events, "20:00").fired() == [("r", "10:30"), ("r", "11:00")]

    def test_became_fires_at_the_change_only(self) -> None:
        policy = make_policy(note("r", "[became: priority == High, vip]"))
        changes = [updated("10:00", Priority="High"), updated("10:30", Vip=True), updated("11:00", Priority="Low")]
        assert run(policy, [created(Vip=False), *changes], "20:00").fired() == []
        again = updated("11:30", Priority="High")
        assert run(policy, [created(Vip=False), *changes, again], "20:00").fired() == [("r", "11:30")]

    def test_became_holds_at_creation(self) -> None:
        policy = make_policy(note("r", "[became: priority == High]"))
        assert run(policy, [created(Priority="High")], "20:00").fired() == [("r", "09:00")]

    def test_raised_fires_when_a_ranked_field_goes_up_and_not_down(self) -> None:
        policy = make_policy(note("r", "[raised: priority]"))
        steps = [("10:00", "Low"), ("11:00", "High"), ("12:00", "Medium"), ("13:00", "Urgent"), ("14:00", None)]
        events = [created(Priority="Medium"), *(updated(when, Priority=to) for when, to in steps)]
        assert run(policy, events, "20:00").fired() == [("r", "11:00"), ("r", "13:00")]

    def test_raised_reads_numbers_too(self) -> None:
        policy = make_policy(note("r", "[raised: amount]"))
        events = [created(Amount=5), updated("10:00", Amount=9.5), updated("11:00", Amount=2)]
        assert run(policy, events, "20:00").fired() == [("r", "10:00")]

    def test_a_change_of_a_score_triggers(self) -> None:
        policy = make_policy(note("r", "[became: sentiment.label == negative]"))
        scores = [
            event("scored", when, scores={"sentiment": {"label": label}})
            for when, label in (("10:00", "neutral"), ("11:00", "negative"), ("12:00", "negative"))
        ]
        assert run(policy, [created(), *scores], "20:00").fired() == [("r", "11:00")]


class TestOnce:
    EVENTS = (created(), updated("11:00", Subject="a"), updated("13:00", Subject="b"))

    def test_per_clock_fires_once_for_each_run_of_the_clock(self) -> None:
        policy = make_policy(note("r", "[since_modified >= 1h]"))
        assert [when for _, when in run(policy, self.EVENTS, "20:00").fired()] == ["10:00", "12:00", "14:00"]

    def test_per_record_fires_once_in_all(self) -> None:
        policy = make_policy(note("r", "[since_modified >= 1h]", once="per_record"))
        assert run(policy, self.EVENTS, "20:00").fired() == [("r", "10:00")]

    def test_per_clock_on_a_created_clock_never_repeats_although_the_condition_does(self) -> None:
        policy = make_policy(note("r", "[age >= 1h, priority == High]"))
        events = [created(Priority="High"), updated("11:00", Priority="Low"), updated("12:00", Priority="High")]
        assert run(policy, events, "20:00").fired() == [("r", "10:00")]

    def test_per_episode_fires_each_time_the_condition_becomes_true(self) -> None:
        policy = make_policy(note("r", "[age >= 1h, priority == High]", once="per_episode"))
        events = [created(Priority="High"), updated("11:00", Priority="Low"), updated("12:00", Priority="High")]
        outcome = run(policy, events, "20:00")
        assert outcome.fired() == [("r", "10:00"), ("r", "12:00")]
        assert [action.episode for action in outcome.actions] == [f"state:{at('10:00')}", f"state:{at('12:00')}"]

    def test_a_condition_that_goes_on_holding_is_one_episode(self) -> None:
        policy = make_policy(note("r", "[priority == High]", once="per_episode"))
        events = [created(Priority="High"), updated("11:00", Subject="x"), message("12:00")]
        assert run(policy, events, "20:00").fired() == [("r", "09:00")]

    def test_per_milestone_fires_once_for_each_milestone(self) -> None:
        milestones = """
milestones:
  answer: {object: Case, target: 2h, hours: none, complete: [is_contacted]}
  solve: {object: Case, target: 4h, hours: none}
"""
        policy = make_policy(note("r", "[sla.remaining <= 50%]", once="per_milestone"), milestones)
        outcome = run(policy, [created(), updated("12:00", Subject="x")], "20:00")
        assert outcome.fired() == [("r", "10:00"), ("r", "11:00")]
        assert len({action.key for action in outcome.actions}) == 2

    def test_an_event_rule_fires_for_each_event_and_once_per_record_where_told(self) -> None:
        policy = make_policy(note("each", "[]", on="message") + note("one", "[]", on="message", once="per_record"))
        outcome = run(policy, [created(), message("10:00"), message("11:00")], "20:00")
        assert outcome.fired() == [("each", "10:00"), ("one", "10:00"), ("each", "11:00")]


class TestCoolDown:
    def test_a_second_firing_waits_until_the_cool_down_is_over(self) -> None:
        policy = make_policy(note("r", "[since_modified >= 1h]", cool_down="3h"))
        assert run(policy, TestOnce.EVENTS, "20:00").fired() == [("r", "10:00"), ("r", "14:00")]

    def test_an_event_in_the_cool_down_is_told_after_it_if_it_still_holds(self) -> None:
        policy = make_policy(note("r", "[vip]", on="message", cool_down="2h"))
        events = [created(Vip=True), message("10:00"), message("10:30")]
        assert run(policy, events, "20:00").fired() == [("r", "10:00"), ("r", "12:00")]
        ceased = run(policy, [*events, updated("11:00", Vip=False)], "20:00")
        assert (ceased.fired(), ceased.fired("cancelled")) == ([("r", "10:00")], [("r", "12:00")])


class TestDelivery:
    def test_in_hours_waits_for_the_records_calendar(self) -> None:
        policy = make_policy(note("r", "[age >= 10h]", deliver="in_hours"))
        outcome = run(policy, [created()], "14 00:00")
        assert [(clock(one.due), clock(one.at)) for one in outcome.actions] == [("19:00", "13 09:00")]

    def test_in_hours_of_the_rules_own_calendar_where_it_names_one(self) -> None:
        policy = make_policy(note("r", "[priority == High]", deliver="in_hours", hours="late"))
        assert run(policy, [created(Priority="High")], "20:00").fired() == [("r", "16:00")]

    def test_an_event_out_of_hours_is_told_at_the_next_opening(self) -> None:
        policy = make_policy(note("r", "[became: priority == High]", deliver="in_hours"))
        outcome = run(policy, [created(), updated("18:00", Priority="High")], "14 00:00")
        assert outcome.fired() == [("r", "13 09:00")]
        assert outcome.actions[0].due == at("18:00")
        assert outcome.actions[0].episode == "event:updated@18:00"

    def test_an_event_rule_is_cancelled_when_its_condition_ceases_meanwhile(self) -> None:
        policy = make_policy(note("r", "[became: priority == High]", deliver="in_hours"))
        events = [created(), updated("18:00", Priority="High"), updated("19:00", Priority="Low")]
        outcome = run(policy, events, "14 00:00")
        assert (outcome.fired(), outcome.fired("cancelled")) == ([], [("r", "13 09:00")])

    def test_an_event_rule_is_cancelled_when_the_record_is_closed_meanwhile(self) -> None:
        policy = make_policy(note("r", "[became: priority == High]", deliver="in_hours"))
        events = [created(), updated("18:00", Priority="High"), updated("19:00", IsClosed=True)]
        assert run(policy, events, "14 00:00").fired("cancelled") == [("r", "13 09:00")]

    def test_a_rule_for_closed_records_is_delivered_to_them(self) -> None:
        policy = make_policy(note("r", "[became: is_closed]", deliver="in_hours", while_closed="true"))
        assert run(policy, [created(), updated("18:00", IsClosed=True)], "14 00:00").fired() == [("r", "13 09:00")]

    def test_a_state_that_ceases_before_the_window_opens_is_never_told(self) -> None:
        policy = make_policy(note("r", "[priority == High]", deliver="in_hours"))
        events = [created("18:00", Priority="High"), updated("19:00", Priority="Low")]
        assert run(policy, events, "14 00:00").actions == []


class TestRepeat:
    RULES = """
- id: neglect
  when: [not is_contacted, since_assignment >= 15m]
  do: [{reassign: {to: {team: desk}}}]
  repeat: {every: 15m, at_most: 3, then: [{move: {to: {pool: last}}}]}
"""
    DESK = """
directory:
  agents:
    bob: {presence: online, teams: [desk]}
    cat: {presence: online, teams: [desk]}
    dan: {presence: online, teams: [desk]}
"""

    def test_it_fires_at_most_so_often_and_then_does_the_last_thing_once(self) -> None:
        policy = make_policy(self.RULES, self.DESK)
        outcome = run(policy, [created()], "20:00")
        assert [(one.step, clock(one.at), one.kind) for one in outcome.actions] == [
            ("", "09:15", "reassign"), ("", "09:30", "reassign"), ("", "09:45", "reassign"), ("then", "10:00", "move"),
        ]  # fmt: skip
        assert len({action.key for action in outcome.actions}) == 4

    def test_a_run_survives_our_own_reassignments(self) -> None:
        outcome = run(make_policy(self.RULES, self.DESK), [created()], "20:00", apply=True)
        assert [(clock(one.at), one.target) for one in outcome.done()] == [
            ("09:15", "user:bob"), ("09:30", "user:cat"), ("09:45", "user:dan"), ("10:00", "pool:last"),
        ]  # fmt: skip

    def test_a_run_ends_when_a_person_makes_the_rule_false_and_begins_again_later(self) -> None:
        rules = note("nag", "[awaiting_reply]", repeat="{every: 1h, at_most: 2}", once="per_episode")
        events = [created(), message("09:30"), message("11:45", "out"), message("13:00")]
        outcome = run(make_policy(rules), events, "20:00")
        assert [when for _, when in outcome.fired()] == ["09:30", "10:30", "13:00", "14:00"]

    def test_what_was_held_or_waited_repeats_from_when_it_was_let_through(self) -> None:
        rules = note("nag", "[age >= 1h]", repeat="{every: 30m, at_most: 3}")
        hold = event("override", "09:30", action="hold", rules=("*",), until=at("12:00"))
        fired = run(make_policy(rules), [created(), hold], "20:00").fired()
        assert [when for _, when in fired] == ["12:00", "12:30", "13:00"]
        rules = note("nag", "[age >= 10h]", repeat="{every: 30m, at_most: 3}", deliver="in_hours")
        fired = run(make_policy(rules), [created()], "14 00:00").fired()
        assert [when for _, when in fired] == ["13 09:00", "13 09:30", "13 10:00"]

    def test_repeats_append_their_due_instant_to_the_episode(self) -> None:
        rules = note("nag", "[age >= 1h]", repeat="{every: 1h, at_most: 3}")
        outcome = run(make_policy(rules), [created()], "20:00")
        start = f"clock:created:{at('09:00')}"
        assert [one.episode for one in outcome.actions] == [start, f"{start}:{at('11:00')}", f"{start}:{at('12:00')}"]

    def test_a_late_worker_repeats_at_the_same_due_instants(self) -> None:
        policy = make_policy(note("nag", "[age >= 1h]", repeat="{every: 1h, at_most: 3}"))
        facts = observe(None, created(), policy, {}, ORG)
        _, decisions = advance(facts, policy, at("18:00"), at=at("18:00"))
        actions = [action for decision in decisions for action in decision.actions]
        assert [clock(action.due) for action in actions] == ["10:00", "11:00", "12:00"]
        assert {clock(action.at) for action in actions} == {"18:00"}


class TestElse:
    def test_else_stands_in_for_a_target_that_is_nobody(self) -> None:
        rules = """
- id: r
  when: [vip]
  do: [{notify: {who: backup, template: note, else: [{notify: {who: 'user:boss', template: note}}]}}]
"""
        policy = make_policy(rules)
        assert [one.target for one in run(policy, [created(Vip=True)], "09:00").done()] == ["user:boss"]
        assert [one.target for one in run(policy, [created(Vip=True, Backup="eve")], "09:00").done()] == ["user:eve"]

    def test_else_of_an_else_is_tried_and_keys_stay_apart(self) -> None:
        rules = """
- id: r
  when: [vip]
  do:
    - notify:
        who: backup
        template: note
        else:
          - {notify: {who: country, template: note, else: [{notify: {who: 'user:boss', template: note}}]}}
          - {reprioritise: {to: High}}
    - {reassign: {to: {queue: Tier2}}}
"""
        done = run(make_policy(rules), [created(Vip=True)], "09:00").done()
        assert [one.target for one in done] == ["user:boss", "field:priority", "queue:Tier2"]
        assert len({one.key for one in done}) == 3

    def test_a_target_that_is_nobody_without_else_is_held(self) -> None:
        rules = "- {id: r, when: [vip], do: [{notify: {who: backup, template: note}}]}"
        (held,) = run(make_policy(rules), [created(Vip=True)], "09:00").actions
        assert (held.status, held.note) == ("held", "backup is missing")


class TestOrderOfChecks:
    def test_mode_comes_before_override(self) -> None:
        policy = make_policy(note("r", "[age >= 1h]"), virtual=False)
        hold = event("override", "09:30", action="hold", rules=("*",), actor="max")
        assert run(policy, [created(), hold], "20:00").fired("would_have") == [("r", "10:00")]

    def test_override_comes_before_once_so_that_the_rule_fires_when_it_ends(self) -> None:
        policy = make_policy(note("r", "[age >= 1h]"))
        hold = event("override", "09:30", action="hold", until=at("12:00"), rules=("r",), actor="max")
        outcome = run(policy, [created(), hold], "20:00")
        assert (outcome.fired("suppressed"), outcome.fired()) == ([("r", "10:00")], [("r", "12:00")])
        assert [clock(one.due) for one in outcome.actions] == ["10:00", "10:00"]

    def test_decide_at_one_instant_gives_the_same_bytes(self) -> None:
        policy = make_policy(note("r", "[age >= 1h]"))
        facts = replace(known(policy, created()), last_decided_at=None)
        assert decide(facts, policy, at("11:00")) == decide(facts, policy, at("11:00"))


def _dedented(text: str) -> str:
    return "\n".join(line[8:] for line in text.splitlines())
