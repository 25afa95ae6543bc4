"""A compiled policy: modes, calendars of records, digests."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.unit.build import BASE, agent, created, known, make_policy, run
from triage.config import load_policy
from triage.errors import CalendarError, ConfigError
from triage.policy import VIRTUAL, Policy, RuleMode, compile_policy

RULE = "- {id: r, when: [age >= 1h, account.tier == Gold], do: [{reassign: {to: {queue: Tier2}}}]}"


def test_rules_observe_until_they_are_given_a_mode() -> None:
    policy = make_policy(RULE, virtual=False, modes={"s": RuleMode("act", 5)})
    assert policy.mode_of("r") == RuleMode("observe", 0)
    assert policy.mode_of("s") == RuleMode("act", 5)


def test_all_rules_of_a_virtual_policy_act() -> None:
    assert make_policy(RULE, modes={"r": RuleMode("observe", 5)}).mode_of("r") == VIRTUAL


@pytest.mark.parametrize(("named", "calendar"), [("late", "late"), ("", "lon"), ("gone", "lon"), (None, "lon")])
def test_a_record_runs_in_the_calendar_it_names_else_its_objects(named: str | None, calendar: str) -> None:
    policy = make_policy()
    assert policy.hours_for(known(policy, created(Hours=named)).item) is policy.calendars[calendar]


def test_an_object_without_calendar_runs_in_wall_time() -> None:
    policy = compile_policy(load_policy({"a.yaml": "objects: {Case: {fields: {}}}"}))
    assert policy.hours_for(known(policy, created()).item) is policy.calendars["none"]


class TestDigest:
    def test_the_same_texts_have_the_same_digest(self) -> None:
        assert make_policy(RULE).digest == make_policy(RULE).digest

    def others(self) -> list[Policy]:
        return [
            make_policy(RULE), make_policy(RULE.replace("1h", "2h")), make_policy(RULE, virtual=False),
            make_policy(RULE, virtual=False, modes={"r": RuleMode("act", 1)}),
            make_policy(RULE, virtual=False, modes={"r": RuleMode("act", 2)}),
        ]  # fmt: skip

    def test_texts_modes_and_virtual_enter_it(self) -> None:
        assert len({policy.digest for policy in self.others()}) == 5

    def test_modes_do_not_enter_the_digest_of_the_rules(self) -> None:
        assert len({policy.rules_digest for policy in self.others()}) == 2

    def test_the_versions_behind_a_calendar_enter_it(self) -> None:
        policy = make_policy()
        assert set(policy._calendar_digests()) == {"lon", "late"}
        assert policy.digest != make_policy("", "calendars: {more: {tz: UTC, weekly: {mon: ['09:00-10:00']}}}").digest

    def test_a_document_without_texts_has_a_digest_of_its_content(self) -> None:
        share = RULE.replace("age >= 1h", "sla.used >= 80%")
        bare = replace(make_policy(share).document, texts={})
        assert compile_policy(bare).digest == compile_policy(bare).digest


class TestObjects:
    def test_closed_is_what_the_object_says(self) -> None:
        text = BASE.replace("closed_when: [is_closed]", "closed_when: ['status in [Done, Gone]']")
        part = compile_policy(load_policy({"a.yaml": text})).objects["Case"]
        assert [part.closed({"status": status, "is_closed": True}) for status in ("done", "New")] == [True, False]
        assert part.closing_is_mapped

    def test_closed_is_the_field_where_the_object_says_nothing(self) -> None:
        part = compile_policy(load_policy({"a.yaml": "objects: {Case: {fields: {}}}"})).objects["Case"]
        assert (part.closed({"is_closed": True}), part.closed({})) == (True, False)

    def test_counters_are_ours_unless_a_column_holds_them(self) -> None:
        text = "objects: {Case: {fields: {reopen_count: {from: Reopens, type: integer}}}}"
        part = compile_policy(load_policy({"a.yaml": text})).objects["Case"]
        assert (part.counts_itself("reopen_count"), part.counts_itself("inbound_count")) == (False, True)

    @pytest.mark.parametrize(("when", "uses"), [("[owner.load >= 80%]", True), ("[status == New]", False)])
    def test_it_knows_whether_its_rules_read_the_owner(self, when: str, uses: bool) -> None:
        policy = make_policy(f"- {{id: r, when: {when}, do: [{{reassign: {{to: {{queue: Tier2}}}}}}]}}")
        assert policy.objects["Case"].uses_owner is uses

    def test_a_boost_that_reads_the_owner_counts(self) -> None:
        boost = "boost: [{when: owner.load >= 80%, add: 5}]"
        policy = make_policy(f"- {{id: r, when: [vip], {boost}, do: [{{reassign: {{to: {{queue: Tier2}}}}}}]}}")
        busy = agent("ann", capacity=10, load=9)
        (action,) = run(policy, [created(Vip=True)], "09:00", agents=(busy,)).actions
        assert action.priority == 5

    def test_a_set_is_found_by_its_id(self) -> None:
        part = make_policy("- {id: e, when: []}", match="first_match").objects["Case"]
        assert part.set_of("rules") is part.book.sets[0]
        assert part.set_of("other") is None


def test_a_calendar_that_is_never_open_is_refused() -> None:
    with pytest.raises((CalendarError, ConfigError)):
        make_policy("", "calendars: {never: {tz: UTC, weekly: {}}}")
