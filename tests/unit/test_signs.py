"""Signs that somebody works for the figures, and what is none."""

from __future__ import annotations

import pytest

from tests.unit.build import created, make_policy, message, updated
from triage.domain.work import Event
from triage.people import report
from triage.signs import signs

POLICY = make_policy(
    "",
    """
milestones:
  answer: {object: Case, target: 2h, complete: [is_contacted], pause: [status == Waiting], hours: none}
""",
)


def kinds(*events: Event) -> list[str]:
    return [sign.kind for sign in signs(sorted(events, key=lambda one: one.at), POLICY)]


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ([updated("10:50", actor="ann", Subject="x")], ["edit_before_threshold"]),
        ([updated("10:30", actor="ann", Subject="x")], []),
        ([updated("11:10", actor="ann", Subject="x")], []),
        ([updated("10:50", actor="ann", Subject="x"), message("10:55", "out")], []),
        ([updated("10:50", by="triage", Subject="x")], []),
        ([updated("10:50", actor="ann", Status="Waiting")], ["pause_near_deadline"]),
        ([updated("09:30", actor="ann", Status="Waiting")], []),
        ([updated("10:50", actor="ann", Priority="Low")], ["severity_lowered"]),
        ([updated("09:10", actor="ann", Priority="Low")], []),
        ([updated("09:20", IsClosed=True), updated("09:40", IsClosed=False)], ["close_and_reopen"]),
        ([updated("09:20", IsClosed=True), message("09:30"), updated("09:40", IsClosed=False)], []),
        ([updated("09:20", IsClosed=True), updated("14 09:40", IsClosed=False)], []),
    ],
)
def test_a_sign_is_what_happens_near_a_deadline_without_a_word_to_the_customer(
    events: list[Event], found: list[str]
) -> None:
    assert kinds(created(Priority="High"), *events) == found


def test_a_sign_names_the_record_who_and_what() -> None:
    (sign,) = signs([created(), updated("10:50", actor="ann", Subject="x")], POLICY)
    assert (sign.record, sign.actor) == ("Case/1", "ann")
    assert sign.words == "an edit 10m before answer is due, no word to the customer"


def test_a_report_counts_signs_and_picks_and_names_nobody_without_leave() -> None:
    picked = updated("09:05", actor="ann", OwnerId="ann")
    events = [created(OwnerId="queue:Tier1", Priority="High"), picked, updated("10:50", actor="ann", Subject="x")]
    found = report(events, POLICY, ["people"])
    assert (found.signs, found.shown, found.fairness.records) == ({"edit_before_threshold": 1}, (), 1)


def test_picking_the_lowest_of_a_queue_is_cherry_picking() -> None:
    policy = make_policy("", "routing: {figures: true}")
    high = Event(
        at=created().at, type="created", event_id="h", object="Case", id="2",
        changes={"OwnerId": "queue:Tier1", "Priority": "Urgent", "Status": "New"},
    )  # fmt: skip
    low = created(OwnerId="queue:Tier1", Priority="Low")
    found = report([high, low, updated("09:05", actor="ann", OwnerId="ann")], policy, [])
    assert found.fairness.cherry == 1
