"""A change of rules against the live ones on the same history: who would hear what, how often, and when."""

from __future__ import annotations

import msgspec

from tests.unit.replay.scenes import DESK, at, created, history, instant, policy_of, updated
from triage.replay.preview import Preview, PreviewRow, preview, preview_table

LOG = [
    created("09:00", "500A"),
    created("09:30", "500B"),
    created("09:45", "500C"),
    updated("12:10", "500C", Status="Closed"),
]
EARLIER = DESK.replace("75%", "50%")
"""Warns an hour earlier, and so about 500C too, which is closed before the other rule would speak."""


def compared(live: str | None = DESK, **more: int) -> Preview:
    policy = None if live is None else policy_of(live)
    return preview(history(LOG), policy_of(EARLIER), policy, until=instant("12:45"), **more)


def row(rule: str, hour: str, new: int, live: int) -> PreviewRow:
    return PreviewRow(rule=rule, recipient="queue:desk", hour=at(hour), new=new, live=live, difference=new - live)


def test_rows_count_by_rule_recipient_and_hour_for_both_policies() -> None:
    assert compared().rows == (row("at-risk", "11:00", 3, 0), row("at-risk", "12:00", 0, 2))


def test_rules_hold_the_sums() -> None:
    assert compared().rules == {"at-risk": (3, 2)}


def test_records_that_newly_act_are_named() -> None:
    found = compared()
    assert found.newly == (("Case", "500C"),)
    assert found.no_longer == ()


def test_records_that_no_longer_act_are_named_when_the_new_policy_is_milder() -> None:
    found = preview(history(LOG), policy_of(DESK), policy_of(EARLIER), until=instant("12:45"))
    assert (found.newly, found.no_longer) == ((), (("Case", "500C"),))


def test_everything_is_new_when_nothing_is_live() -> None:
    found = compared(live=None)
    assert [(one.new, one.live) for one in found.rows] == [(3, 0)]
    assert (found.new.replayed, found.live) == (4, None)


def test_only_actions_from_an_instant_on_are_counted_when_one_is_given() -> None:
    assert [one.hour for one in compared(since=instant("12:00")).rows] == [at("12:00")]


def test_nothing_differs_when_a_policy_is_compared_with_itself() -> None:
    found = compared(live=EARLIER)
    assert {one.difference for one in found.rows} == {0}
    assert (found.newly, found.no_longer) == ((), ())


def test_both_accounts_are_given() -> None:
    found = compared()
    assert found.live is not None
    assert (found.new.read, found.live.read) == (4, 4)


def test_progress_names_the_policy() -> None:
    heard: list[tuple[str, int, int]] = []
    preview(history(LOG), policy_of(EARLIER), policy_of(), on_progress=lambda *told: heard.append(told))
    assert [told[0] for told in heard] == ["new", "live"]
    assert heard[-1] == ("live", 4, 4)


def test_table_says_how_many_records() -> None:
    lines = preview_table(compared()).splitlines()
    assert lines[1].split() == ["at-risk", "3", "2", "+1"]
    assert lines[-1] == "1 records newly acted on, 0 no longer"


def test_preview_is_plain_json() -> None:
    raw = msgspec.json.decode(msgspec.json.encode(compared()))
    assert raw["rows"][0] == {
        "rule": "at-risk", "recipient": "queue:desk", "hour": at("11:00"), "new": 3, "live": 0, "difference": 3,
    }  # fmt: skip
