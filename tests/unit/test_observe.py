"""One event folded into a record: fields, clocks, contact, owners, related records, scores."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.build import ORG, at, created, event, make_policy, message, updated
from triage.domain.facts import Facts, OwnerChange
from triage.domain.work import Event
from triage.errors import IntakeError
from triage.observe import is_queue, observe
from triage.policy import Policy

POLICY = make_policy("", "safety: {own_addresses: [help@acme.example]}")
ACCOUNTS = {("Account", "A"): {"Tier": "Gold", "Csm": "cy"}, ("Account", "B"): {"Tier": "Basic"}}


def folded(*events: Event, policy: Policy = POLICY) -> Facts:
    """Return the facts after events, none of them decided on."""
    facts: Facts | None = None
    for one in events:
        facts = observe(facts, one, policy, ACCOUNTS, ORG)
    assert facts is not None
    return facts


def fields(*events: Event) -> dict[str, Any]:
    """Return the record's values after events."""
    return folded(*events).item.fields


class TestRefusals:
    @pytest.mark.parametrize(
        ("events", "reason"),
        [
            ([updated("09:00")], "never created"), ([created(), created("10:00")], "created a second time"),
            ([event("created", "09:00", object="Lead")], "'Lead' is not in the policy: Case"),
        ],
    )  # fmt: skip
    def test_an_event_that_cannot_be_is_refused_with_its_record(self, events: list[Event], reason: str) -> None:
        with pytest.raises(IntakeError, match=reason) as caught:
            folded(*events)
        assert caught.value.record_id == "1"


class TestFields:
    def test_changes_are_read_by_the_field_map_and_gone_where_emptied(self) -> None:
        found = fields(created(Priority="high", Amount="12", Country="FR"), updated("10:00", Country="", Amount=None))
        assert found["priority"] == "High"
        assert "country" not in found and "amount" not in found

    def test_a_dirty_value_is_missing_and_warned_of_once(self) -> None:
        facts = folded(created(Amount="many"), updated("10:00", Amount="many"))
        assert "amount" not in facts.item.fields
        assert len(facts.item.warnings) == 1
        assert "amount" in facts.item.warnings[0]

    def test_warnings_are_bounded(self) -> None:
        events = [updated(f"10:{n:02}", **{f"Unknown{n}": 1, f"Other{n}": 2}) for n in range(40)]
        assert len(folded(created(), *events).item.warnings) == 50

    def test_the_event_and_the_values_before_it_stay_fresh_until_decided(self) -> None:
        facts = folded(created(Country="FR"), updated("10:00", Country="DE"))
        assert [one.type for one, _ in facts.fresh] == ["created", "updated"]
        assert facts.fresh[0][1] == {}
        assert facts.fresh[1][1]["country"] == "FR"

    def test_the_instant_of_the_latest_event_never_goes_back(self) -> None:
        facts = folded(created(), message("11:00"), message("10:00", event_id="late"))
        assert facts.item.marks["event"] == at("11:00")

    @pytest.mark.parametrize(("kind", "gone"), [("deleted", True), ("merged", True), ("undeleted", False)])
    def test_deletion_can_be_taken_back(self, kind: str, gone: bool) -> None:
        assert folded(created(), event("deleted", "10:00"), event(kind, "11:00")).item.deleted is gone


class TestRelated:
    def test_a_reference_brings_the_fields_known_of_the_other_record(self) -> None:
        found = fields(created(AccountId="A"))
        assert (found["account.id"], found["account.tier"], found["account.csm"]) == ("A", "Gold", "cy")

    def test_another_reference_replaces_all_of_them_and_none_removes_them(self) -> None:
        found = fields(created(AccountId="A"), updated("10:00", AccountId="B"))
        assert (found["account.tier"], "account.csm" in found) == ("Basic", False)
        gone = fields(created(AccountId="A"), updated("10:00", AccountId=None))
        assert not any(name.startswith("account.") for name in gone)

    def test_an_unknown_record_leaves_its_id_alone(self) -> None:
        found = fields(created(AccountId="Z"))
        assert (found["account.id"], "account.tier" in found) == ("Z", False)

    @pytest.mark.parametrize(("account", "tier"), [("A", "Silver"), ("B", "Gold")])
    def test_a_related_event_changes_only_who_refers_to_it(self, account: str, tier: str) -> None:
        other = event("related", "10:00", object="Account", id=account, changes={"Tier": "Silver"})
        assert fields(created(AccountId="A"), other)["account.tier"] == tier


class TestOwners:
    def test_a_change_of_owner_restarts_its_clock_and_counts(self) -> None:
        facts = folded(created(), updated("10:00", OwnerId="queue:Tier1"), updated("11:00", OwnerId="bob"))
        assert facts.item.marks["assigned"] == at("11:00")
        assert "queued" not in facts.item.marks
        assert facts.item.fields["reassignment_count"] == 2
        assert facts.memory.owner_changes[0] == OwnerChange(at("10:00"), "ann", "queue:Tier1", False)

    def test_the_same_owner_again_changes_nothing(self) -> None:
        facts = folded(created(), updated("10:00", OwnerId="ann"))
        assert facts.item.marks["assigned"] == at("09:00")
        assert facts.memory.owner_changes == ()

    def test_a_record_without_owner_runs_neither_clock(self) -> None:
        assert not {"assigned", "queued"} & set(folded(created(OwnerId=None)).item.marks)

    def test_changes_of_owner_are_kept_for_a_day(self) -> None:
        facts = folded(created(), updated("10:00", OwnerId="bob"), updated("13 10:00", OwnerId="cat"))
        assert [one.after for one in facts.memory.owner_changes] == ["cat"]

    @pytest.mark.parametrize(
        ("owner", "queue"),
        [("00G123", True), ("queue:x", True), ("Tier1", True), ("senior", True), ("desk", True), ("005A", False)],
    )
    def test_queues_are_told_from_people(self, owner: str, queue: bool) -> None:
        assert is_queue(owner, POLICY) is queue
        assert fields(created(OwnerId=owner))["owner_is_queue"] is queue

    def test_what_we_set_is_remembered_until_a_person_changes_it(self) -> None:
        facts = folded(created(), updated("10:00", by="triage", rule="r", OwnerId="bob"))
        assert (facts.memory.ours["owner"].rule, facts.memory.ours["owner"].before) == ("r", "ann")
        assert facts.memory.owner_changes[0].automatic
        taken = observe(facts, updated("11:00", OwnerId="cat", actor="cat"), POLICY, {}, ORG)
        assert taken.memory.ours == {}
        assert taken.memory.overrides[0].reason == "cat changed owner after this rule's action"

    def test_what_a_person_ordered_is_neither_ours_nor_automatic(self) -> None:
        facts = folded(created(), updated("10:00", by="triage", rule="override", OwnerId="bob"))
        assert facts.memory.ours == {}
        assert not facts.memory.owner_changes[0].automatic


class TestClosing:
    def test_reopening_is_counted(self) -> None:
        found = fields(created(), updated("10:00", IsClosed=True), updated("11:00", IsClosed=False))
        assert (found["is_closed"], found["reopen_count"]) == (False, 1)

    def test_closed_follows_the_objects_own_condition(self) -> None:
        assert fields(created(IsClosed=True))["is_closed"] is True
        assert fields(created())["is_closed"] is False


class TestMessages:
    def test_a_message_without_body_keeps_the_text_of_the_one_before(self) -> None:
        assert fields(created(), message("10:00", body="hi"), message("11:00"))["latest_message"] == "hi"

    def test_counts_and_waiting_follow_the_direction(self) -> None:
        found = fields(created(), message("10:00"), message("10:30"), message("11:00", "out"), message("12:00"))
        assert (found["inbound_count"], found["outbound_count"]) == (3, 1)
        assert (found["awaiting_reply"], found["is_contacted"]) == (True, True)

    def test_contact_is_outward_only(self) -> None:
        assert folded(created(), message("10:00")).item.marks["last_contact"] == at("09:00")
        assert folded(created(), message("10:00", "out")).item.marks["last_contact"] == at("10:00")


class TestScores:
    def scored(self, **scores: Any) -> Facts:
        return folded(created(), event("scored", "10:00", scores=scores))

    def test_scores_are_read_rounded_to_six_decimals_and_dotted(self) -> None:
        found = self.scored(
            urgency={"score": 0.123456789}, language="fr", **{"sentiment.label": "Negative"}
        ).item.fields
        assert (found["urgency.score"], found["language"], found["sentiment.label"]) == (0.123457, "fr", "negative")

    def test_a_score_of_none_is_taken_away(self) -> None:
        facts = observe(
            self.scored(language="fr"), event("scored", "11:00", scores={"language": None}), POLICY, {}, ORG
        )
        assert "language" not in facts.item.fields

    def test_what_is_no_score_or_out_of_range_is_warned_of_and_dropped(self) -> None:
        facts = self.scored(horoscope="good", urgency={"score": "lots"})
        assert "urgency.score" not in facts.item.fields
        assert len(facts.item.warnings) == 2

    def test_only_a_scored_event_changes_scores(self) -> None:
        facts = observe(self.scored(language="fr"), updated("11:00", Language="de"), POLICY, {}, ORG)
        assert facts.item.fields["language"] == "fr"


def test_an_override_that_has_ended_is_forgotten_at_the_next_event() -> None:
    hold = event("override", "10:00", action="hold", until=at("11:00"), rules=("*",))
    assert len(folded(created(), hold, updated("10:30", Subject="x")).memory.overrides) == 1
    assert folded(created(), hold, updated("11:00", Subject="x")).memory.overrides == ()
