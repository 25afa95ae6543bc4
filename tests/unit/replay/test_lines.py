"""The two kinds of lines: exact keys, ISO instants, one sentence, nothing of a customer's text beyond 80 characters."""

from __future__ import annotations

import json

from tests.unit.replay.scenes import at, created, line, play, policy_of, updated
from triage.replay.lines import NOTE_LIMIT, encode_line, outcome_of, runs_of

ACTION_KEYS = ["at", "due", "object", "id", "rule", "step", "action", "target", "reason", "key"]
MILESTONE_KEYS = ["object", "id", "milestone", "start", "target", "completed", "violated", "paused_seconds"]


def lines_of(*log: str, rules: str | None = None, until: str = "17:00", **more: bool) -> list[dict[str, object]]:
    policy = policy_of(rules) if rules else policy_of()
    return [json.loads(encode_line(one)) for one in play(log, policy, until, **more)]


def test_action_line_has_exactly_the_keys_of_the_contract_when_planned() -> None:
    first, *_ = lines_of(created("09:00"))
    assert list(first) == ACTION_KEYS
    assert first | {"key": ""} == {
        "at": at("12:00"),
        "due": at("12:00"),
        "object": "Case",
        "id": "500A",
        "rule": "at-risk",
        "step": "",
        "action": "notify",
        "target": "queue:desk",
        "reason": f"sla.used >= 75% (at {at('12:00')})",
        "key": "",
    }
    assert len(str(first["key"])) == 64


def test_action_line_adds_its_status_when_nothing_would_be_done() -> None:
    cancelled = [one for one in lines_of(created("09:00", Priority="High")) if "status" in one]
    assert [(one["action"], one["status"]) for one in cancelled] == [("reprioritise", "cancelled")]
    assert list(cancelled[0]) == [*ACTION_KEYS, "status"]


def test_reason_is_one_line_of_at_most_80_characters_of_a_value_when_a_customer_wrote_more() -> None:
    rules = """
  - id: loud
    when: [stage contains help]
    do: [{notify: {who: "queue:desk", template: news}}]
"""
    (found,) = lines_of(created("09:00", Stage__c="help\nme " + "x" * 5000), rules=rules)
    reason = str(found["reason"])
    assert reason.startswith("stage contains help (is help me x")
    assert "\n" not in reason
    assert reason.count("x") < 80


def test_note_is_cut_when_a_person_wrote_a_long_reason() -> None:
    reroute = line("09:30", "override", action="reroute", to="queue:tier2", reason="y" * 900, actor="005M")
    (found,) = lines_of(created("09:00"), reroute, until="10:00")
    assert (found["rule"], found["step"], found["target"]) == ("override", "reroute", "queue:tier2")
    assert len(str(found["reason"])) == NOTE_LIMIT


def test_instants_show_milliseconds_only_where_there_are_any() -> None:
    found = lines_of(created("2026-01-12T09:00:00.250Z"))
    assert found[0]["at"] == "2026-01-12T12:00:00.250Z"


def test_milestone_line_has_exactly_the_keys_of_the_contract() -> None:
    log = [created("09:00"), updated("10:00", Status="Waiting"), updated("11:30", Status="New")]
    *_, found = lines_of(*log, updated("15:00", Status="Closed"), milestones=True)
    assert list(found) == MILESTONE_KEYS
    assert found == {
        "object": "Case",
        "id": "500A",
        "milestone": "resolution",
        "start": at("09:00"),
        "target": at("14:30"),
        "completed": at("15:00"),
        "violated": True,
        "paused_seconds": 5400,
    }


def test_milestone_met_exactly_at_its_target_is_not_violated() -> None:
    *_, found = lines_of(created("09:00"), updated("13:00", Status="Closed"), milestones=True)
    assert (found["target"], found["completed"], found["violated"]) == (at("13:00"), at("13:00"), False)


def test_milestone_has_no_target_while_a_pause_holds_it() -> None:
    *_, found = lines_of(created("09:00"), updated("10:00", Status="Waiting"), milestones=True)
    assert (found["target"], found["completed"], found["violated"]) == (None, None, False)
    assert found["paused_seconds"] == 7 * 3600


def test_open_milestone_is_violated_when_its_target_is_the_end_of_the_replay() -> None:
    violated = [lines_of(created("09:00"), until=end, milestones=True)[-1]["violated"] for end in ("12:59:59", "13:00")]
    assert violated == [False, True]


RECURRENT = """
  - id: none
    when: [stage == never]
    do: [{notify: {who: "queue:desk", template: news}}]
"""


def test_every_run_of_a_recurring_milestone_has_its_line() -> None:
    text = policy_of(RECURRENT).document.texts["desk.yaml"]
    again = text.replace("    pause: [status == Waiting]", "    start: [status == New]\n    recurrence: independent")
    rules = again.partition("rules:\n")[2]
    policy = policy_of(rules, again.partition("rules:\n")[0] + "rules:\n")
    log = [
        created("09:00"), updated("10:00", Status="Closed"), updated("11:00", Status="New"),
        updated("16:30", Status="Closed"),
    ]  # fmt: skip
    found = [(one.start, one.completed, one.violated) for one in play(log, policy, "17:00").milestone_lines()]
    assert found == [(at("09:00"), at("10:00"), False), (at("11:00"), at("16:30"), True)]


def test_outcome_has_no_deadline_when_it_lies_beyond_the_years_of_calendars() -> None:
    policy = policy_of(RECURRENT)
    replayed = play([created("2199-12-31T23:00:00Z")], policy)
    facts = next(replayed.records()).facts
    (run,) = runs_of(facts)
    assert outcome_of(facts, policy, run, replayed.until or 0).due is None


def test_lines_are_valid_utf8_json_whatever_the_ids_hold() -> None:
    odd = "500-Ü/☂"
    (found,) = [json.loads(encode_line(one)) for one in play([created("09:00", odd)], until="12:00")]
    assert found["id"] == odd


def test_lines_differ_in_id_and_key_only_when_two_records_live_alike() -> None:
    one, other = lines_of(created("09:00", "500A"), created("09:00", "500B"), until="12:00")
    assert {name for name in one if one[name] != other[name]} == {"id", "key"}
