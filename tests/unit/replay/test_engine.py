"""The clock of a replay: what happens when, what is refused, and that nothing else moves it."""

from __future__ import annotations

import json

import pytest

from tests.unit.replay.scenes import at, created, history, instant, line, play, policy_of, told, updated
from triage.domain.instant import HOUR
from triage.observe import observe
from triage.pipeline import advance
from triage.replay.engine import LONGEST_CHAIN, run_replay
from triage.replay.lines import ActionLine, MilestoneLine

TIMETABLE = [
    created("09:00", "500A", Status="New"),
    created("09:30", "500B", Priority="High"),
    updated("10:30", "500A", Status="Waiting"),
    updated("11:30", "500A", Status="Active"),
    updated("12:00", "500B", Status="Closed"),
]


def test_lines_are_the_timetable_when_a_pause_moves_one_deadline_and_a_close_stops_another() -> None:
    assert told(play(TIMETABLE, until="16:00")) == [
        "11:00:00Z 500B at-risk notify queue:desk",
        "11:30:00Z 500B breached reassign queue:tier2",
        "11:30:00Z 500B breached reprioritise field:priority cancelled",
        "13:00:00Z 500A at-risk notify queue:desk",
        "14:00:00Z 500A breached reassign queue:tier2",
        "14:00:00Z 500A breached reprioritise field:priority",
    ]


def test_replay_stops_at_the_last_event_when_no_end_is_given() -> None:
    replayed = play(TIMETABLE)
    assert told(replayed)[-1].startswith("11:30:00Z 500B")
    assert replayed.summary().until == at("12:00")


def test_until_is_inclusive_when_a_timer_is_due_at_it() -> None:
    assert told(play([created("09:00")], until="12:00")) == ["12:00:00Z 500A at-risk notify queue:desk"]
    assert told(play([created("09:00")], until="11:59:59")) == []


def test_events_after_until_are_counted_when_they_are_not_played() -> None:
    events = play(TIMETABLE, until="11:00").summary().events
    assert (events.read, events.replayed, events.refused, events.after_until) == (5, 3, 0, 2)


def test_an_event_goes_first_when_a_timer_is_due_at_the_same_instant() -> None:
    assert told(play([created("09:00"), updated("12:00", Status="Closed")], until="17:00")) == []


def test_all_events_of_an_instant_go_first_when_the_second_one_closes_the_record() -> None:
    lines = [created("09:00"), updated("12:00", Stage__c="x"), updated("12:00", Status="Closed")]
    assert told(play(lines, until="17:00")) == []


def test_records_keep_file_order_when_they_are_due_at_one_instant() -> None:
    lines = [created("09:00", "500Z"), created("09:00", "500A"), created("09:00", "500M")]
    assert [one.split()[1] for one in told(play(lines, until="12:00"))] == ["500Z", "500A", "500M"]


def test_a_log_out_of_order_is_played_by_instant_and_counted() -> None:
    shuffled = [TIMETABLE[index] for index in (4, 1, 0, 3, 2)]
    replayed = play(shuffled, until="16:00")
    assert told(replayed) == told(play(TIMETABLE, until="16:00"))
    assert replayed.summary().late == 4


def test_history_alone_moves_the_record_when_effects_are_not_applied() -> None:
    replayed = play([created("09:00")], until="17:00")
    assert len(told(replayed)) == 3
    assert next(replayed.records()).facts.item.fields["owner"] == "005A"
    assert replayed.summary().effects == 0


def test_effects_come_back_as_our_own_events_when_applied() -> None:
    replayed = play([created("09:00")], until="17:00", apply=True)
    assert told(replayed)[1:] == [
        "13:00:00Z 500A breached reassign queue:tier2",
        "13:00:00Z 500A breached reprioritise field:priority",
    ]
    facts = next(replayed.records()).facts
    assert (facts.item.fields["owner"], facts.item.fields["priority"]) == ("queue:tier2", "Medium")
    assert facts.item.marks["last_modified"] == instant("09:00")
    assert facts.memory.ours["owner"].rule == "breached"
    assert replayed.summary().effects == 2


CHAIN = """
  - id: first
    when: [status == Hot]
    do: [{set: {field: stage, value: one}}]
  - id: second
    when: [stage == one]
    do: [{set: {field: stage, value: two}}]
  - id: third
    when: [stage == two]
    do: [{notify: {who: "queue:desk", template: news}}]
"""


def test_an_effect_is_decided_at_the_same_instant_once_when_rules_follow_from_rules() -> None:
    replayed = play([created("09:00", Status="Hot")], policy_of(CHAIN), until="10:00", apply=True)
    assert told(replayed) == [
        "09:00:00Z 500A first set field:stage",
        "09:00:00Z 500A second set field:stage",
        "09:00:00.001Z 500A third notify queue:desk",
    ]


LOOP = """
  - id: tick
    on: [updated]
    when: [became: stage == tick]
    do: [{set: {field: stage, value: tock}}]
  - id: tock
    on: [updated]
    when: [became: stage == tock]
    do: [{set: {field: stage, value: tick}}]
"""


def test_a_circle_of_rules_is_cut_and_counted_when_effects_are_applied() -> None:
    replayed = play([created("09:00"), updated("09:30", Stage__c="tick")], policy_of(LOOP), until="17:00", apply=True)
    assert LONGEST_CHAIN < len(told(replayed)) <= 2 * LONGEST_CHAIN + 2
    assert replayed.summary().cut == 1


def test_a_late_related_event_reaches_the_records_that_refer_to_it() -> None:
    lines = [
        created("09:00", "500A", AccountId="001X"),
        created("09:05", "500B", AccountId="001Y"),
        line("09:10", "related", "001X", "Account", changes={"SLA__c": "Platinum"}),
        updated("09:20", "500B", AccountId="001X"),
    ]
    assert told(play(lines)) == ["09:10:00Z 500A vip notify queue:desk", "09:20:00Z 500B vip notify queue:desk"]


def test_a_related_event_no_longer_reaches_a_record_that_has_left_for_another() -> None:
    lines = [
        created("09:00", AccountId="001X"),
        updated("09:05", AccountId="001Y"),
        line("09:10", "related", "001X", "Account", changes={"SLA__c": "Platinum"}),
    ]
    assert told(play(lines)) == []


OWNERS = """
  - id: away
    when: [owner.presence == offline]
    do: [{notify: {who: "queue:desk", template: news}}]
    once: per_episode
  - id: overloaded
    when: [owner.overloaded]
    do: [{notify: {who: manager, template: news}}]
    once: per_record
"""


def agent(clock: str, name: str, **changes: object) -> str:
    return line(clock, "agent", name, changes=changes)


def test_an_agent_event_redecides_their_records_when_rules_look_at_owners() -> None:
    lines = [
        agent("08:00", "005A", presence="online"),
        created("09:00", "500A"),
        created("09:01", "500B", OwnerId="005B"),
        agent("10:00", "005A", presence="offline"),
    ]
    assert told(play(lines, policy_of(OWNERS))) == ["10:00:00Z 500A away notify queue:desk"]


def test_the_load_of_an_owner_follows_their_open_records_when_it_has_a_limit() -> None:
    lines = [
        agent("08:00", "005A", presence="online", capacity=1, manager="005M"),
        created("09:00", "500A"),
        created("09:30", "500B"),
        updated("10:00", "500B", Status="Closed"),
        created("11:00", "500C", OwnerId="005B"),
    ]
    assert told(play(lines, policy_of(OWNERS))) == [
        "09:30:00Z 500B overloaded notify user:005M",
        "09:30:00Z 500A overloaded notify user:005M",
    ]


def test_an_agent_who_comes_late_holds_what_is_theirs_already() -> None:
    lines = [created("09:00", "500A"), created("09:01", "500B"), agent("09:30", "005A", presence="online", capacity=1)]
    found = told(play(lines, policy_of(OWNERS)))
    assert [one.split()[1:3] for one in found] == [["500A", "overloaded"], ["500B", "overloaded"]]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (updated("09:30", "500X", Status="New"), "updated event of a record that was never created"),
        (created("09:30", "500A"), "created a second time"),
        (line("09:30", "created", "00Q1", "Lead", changes={}), "object Lead is not in the policy: Case"),
        (line("09:30", "related", "003X", "Contact", changes={}), "no object of the policy reads fields of Contact"),
        (agent("09:30", "005A", capacity="many"), "agent: Expected `int | null`, got `str` - at `$.capacity`"),
        (agent("09:30", "005A", moood="high"), "agent: unknown name 'moood'"),
        ("{", "cut off at its end: not JSON"),
        ("", "an empty line"),
        ('{"at": "2026-01-12T09:30:00", "type": "deleted", "object": "Case", "id": "500A"}', "has no zone"),
    ],
)  # fmt: skip
def test_a_hostile_line_is_refused_with_its_place_and_the_rest_goes_on(bad: str, reason: str) -> None:
    clean = play([TIMETABLE[0]], until="17:00")
    replayed = play([TIMETABLE[0], bad], until="17:00")
    assert told(replayed) == told(clean)
    (refusal,) = replayed.refused
    assert (refusal.file, refusal.line) == ("events.jsonl", 2)
    assert reason in refusal.reason


def test_a_refused_event_moves_no_clock_when_it_lies_far_ahead() -> None:
    lines = [created("09:00"), updated("9999-12-31T23:59:59Z", "500X", Status="New")]
    replayed = play(lines)
    assert told(replayed) == []
    assert replayed.summary().until == at("09:00")


def test_events_at_the_edges_of_time_are_replayed_or_refused_and_counted() -> None:
    lines = [created("09:00"), created("9999-12-31T23:59:59Z", "500B"), updated("0001-01-01T00:00:00Z", "500A")]
    summary = play([*lines, created("2199-12-31T23:59:59Z", "500C")]).summary()
    (count,) = summary.files.values()
    assert count.rows == 4
    assert summary.events.replayed + summary.events.refused + count.refused == 4


ENDLESS = """
  - id: nag
    when: ["age >= 1h"]
    hours: london
    do: [{notify: {who: "queue:desk", template: news}}]
    repeat: {every: 100h, at_most: 3}
"""


def test_a_record_that_cannot_be_decided_at_a_timer_is_named_and_the_rest_goes_on() -> None:
    lines = [
        created("2199-12-31T09:00:00Z", "500A"),
        created("2199-12-31T10:00:00Z", "500B", Priority="High"),
        updated("2199-12-31T11:30:00Z", "500A", Status="Open"),
    ]
    replayed = play(lines, policy_of(ENDLESS))
    list(replayed)
    summary = replayed.summary()
    assert [(one.id, one.at) for one in summary.failed] == [
        ("500A", "2199-12-31T10:00:00Z"),
        ("500B", "2199-12-31T11:00:00Z"),
    ]
    assert "past 2199" in summary.failed[0].reason
    assert (summary.events.replayed, summary.events.refused) == (2, 1)


def test_counts_add_up_when_every_second_line_is_damaged() -> None:
    lines = []
    for number in range(60):
        lines.append(created("09:00", f"500N{number}"))
        lines.append([lines[-1], lines[-1][:-9], "null", created("09:00", "500N0", Priority="Odd"), "\x00"][number % 5])
    replayed = play(lines, until="17:00")
    summary = replayed.summary()
    (count,) = summary.files.values()
    assert count.rows == 120 == count.used + count.refused
    assert summary.events.read == count.used == summary.events.replayed + summary.events.refused
    assert sum(summary.refused.values()) == len(replayed.refused) == count.refused + summary.events.refused
    assert summary.records == 60


def test_refusals_of_one_kind_are_counted_together_when_only_the_record_differs() -> None:
    lines = [TIMETABLE[0], *(updated("09:30", f"500x0000000000{number:04d}", Status="A") for number in range(7))]
    replayed = play(lines)
    assert replayed.summary().refused == {"events.jsonl: updated event of a record that was never created": 7}


def test_lines_end_with_the_milestones_when_asked() -> None:
    lines = list(play(TIMETABLE, until="16:00", milestones=True))
    kinds = [type(one) for one in lines]
    assert kinds == [ActionLine] * 6 + [MilestoneLine] * 2
    assert lines[-2:] == list(play(TIMETABLE, until="16:00").milestone_lines())


def test_progress_is_told_to_the_end() -> None:
    heard: list[tuple[int, int]] = []
    lines = [created("09:00", f"500N{number}") for number in range(2500)]
    list(play(lines, on_progress=lambda done, total: heard.append((done, total))))
    assert heard[-1] == (2500, 2500)


def test_a_key_is_told_once_when_two_rules_of_the_hop_bound_would_repeat_it() -> None:
    keys = [one.key for one in play(TIMETABLE, until="16:00") if isinstance(one, ActionLine)]
    assert len(keys) == len(set(keys)) > 0


def test_the_summary_says_what_was_done_by_status_and_rule() -> None:
    summary = play(TIMETABLE, until="16:00").summary()
    assert summary.actions == {"cancelled": 1, "planned": 5}
    assert summary.rules == {"at-risk": 2, "breached": 3}
    assert (summary.begin, summary.until, summary.records) == (at("09:00"), at("16:00"), 2)


def test_nothing_is_played_when_the_log_is_empty() -> None:
    replayed = play([])
    assert list(replayed) == []
    assert (replayed.summary().begin, replayed.summary().until) == (None, None)


def test_lines_are_those_of_advance_when_one_record_walks_alone() -> None:
    policy = policy_of()
    lines = [created("09:00"), updated("10:10", Priority="High"), updated("10:50", Status="Waiting")]
    facts = None
    expected = []
    for entry in history([*lines, updated("15:00", Status="Active")]).entries:
        if facts is not None:
            facts, decisions = advance(facts, policy, entry.event.at - 1)
            expected += [action.key for decision in decisions for action in decision.actions]
        facts = observe(facts, entry.event, policy, {}, "default")
        facts, decisions = advance(facts, policy, entry.event.at)
        expected += [action.key for decision in decisions for action in decision.actions]
    assert facts is not None
    _, decisions = advance(facts, policy, instant("15:00") + 48 * HOUR)
    expected += [action.key for decision in decisions for action in decision.actions]
    replayed = run_replay(
        history([*lines, updated("15:00", Status="Active")]), policy, until=instant("15:00") + 48 * HOUR
    )
    assert [one.key for one in replayed if isinstance(one, ActionLine)] == expected
    assert len(expected) == 3


def test_a_new_run_of_the_same_history_gives_the_same_lines() -> None:
    source = history(TIMETABLE)
    policy = policy_of()
    first, second = (list(run_replay(source, policy, until=instant("16:00"))) for _ in range(2))
    assert first == second


def test_overrides_in_the_log_suppress_when_they_hold() -> None:
    hold = json.loads(line("11:00", "override", action="hold", rules=["*"], reason="known to the customer", actor="5M"))
    lines = [created("09:00"), json.dumps(hold)]
    assert told(play(lines, until="12:30")) == ["12:00:00Z 500A at-risk notify queue:desk suppressed"]


def test_the_organisation_enters_the_keys_when_given() -> None:
    keys = [
        {one.key for one in play([created("09:00")], until="12:00", org=org) if isinstance(one, ActionLine)}
        for org in ("one", "two")
    ]
    assert keys[0].isdisjoint(keys[1])
