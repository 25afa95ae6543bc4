"""live_through: a final row and its history give the opening and the steps, outcomes unknown at first."""

from __future__ import annotations

import pytest
from msgspec import structs

from triage.domain.instant import parse_instant
from triage.replay.rollback import Change, Life, drop_name_twins, find_outcome, live_through, same_value

ADA, BOB = "005000000000001AAA", "005000000000002AAA"


def _change(at: int, field: str, old: str, new: str, actor: str = "a") -> Change:
    return Change(at, actor, field, old, new, f"{field}{at}")


def _life(final: dict[str, str], *changes: Change, closed: tuple[str, ...] = ("Closed",)) -> Life:
    rows = [{**final, "IsClosed": "True", "Status": status} for status in closed]
    outcome = find_outcome(final, [*rows, {**final, "IsClosed": "False", "Status": "New"}])
    return live_through("Case", "500A", 0, final, changes, outcome)


def test_a_field_without_history_keeps_its_final_value_from_the_start() -> None:
    """Nothing says that it was ever another."""
    assert _life({"Priority": "High", "Origin": ""}).opening == {"Priority": "High"}


def test_a_field_that_was_empty_at_opening_is_absent_then() -> None:
    """The old value of its first change was nothing."""
    life = _life({"Reason": "Broken"}, _change(5, "Reason", "", "Broken"))
    assert life.opening == {}
    assert life.steps[0].changes == {"Reason": "Broken"}


def test_a_field_that_is_emptied_becomes_none() -> None:
    """Missing from then on."""
    assert _life({"Reason": ""}, _change(5, "Reason", "Broken", "")).steps[0].changes == {"Reason": None}


def test_columns_of_the_last_save_are_never_told() -> None:
    """LastModifiedDate at opening would give away the end."""
    life = _life({"Id": "500A", "LastModifiedDate": "2027", "SystemModstamp": "2027", "Status": "New"})
    assert life.opening == {"Status": "New"}


def test_changes_of_one_instant_and_actor_are_one_step() -> None:
    """Those of another actor at that instant are another."""
    changes = (_change(5, "A", "1", "2"), _change(5, "B", "1", "2", "b"), _change(5, "C", "1", "2"))
    steps = _life({"A": "2", "B": "2", "C": "2"}, *changes).steps
    assert [(step.actor, step.changes) for step in steps] == [("a", {"A": "2", "C": "2"}), ("b", {"B": "2"})]


def test_a_broken_chain_is_reported_with_both_values() -> None:
    """A row of history is missing between the two."""
    life = _life({"A": "4"}, _change(1, "A", "1", "2"), _change(2, "A", "3", "4"))
    (found,) = life.inconsistencies
    assert (found.field, found.expected, found.found) == ("A", "2", "3")
    assert [step.changes for step in life.steps] == [{"A": "2"}, {"A": "4"}]


def test_without_a_closed_column_nothing_is_an_outcome() -> None:
    """Then only history speaks."""
    assert find_outcome(["Status"], [{"Status": "Closed"}]) is None


def test_a_status_of_open_and_closed_records_closes_nothing() -> None:
    """Ambiguous: the closing date decides."""
    rows = [{"IsClosed": "True", "Status": "Done"}, {"IsClosed": "False", "Status": "Done"}]
    outcome = find_outcome(["IsClosed", "Status"], rows)
    assert outcome is not None
    assert outcome.closed == frozenset()


def test_closing_by_date_is_put_between_the_steps_in_time_order() -> None:
    """What people edit after the closing stays after it."""
    final = {"IsClosed": "True", "ClosedDate": "1970-01-01T00:00:03Z", "Status": "Closed", "Priority": "High"}
    life = _life(final, _change(1000, "Priority", "Low", "Medium"), _change(9000, "Priority", "Medium", "High"))
    assert [(step.at, step.origin) for step in life.steps] == [(1000, "user"), (3000, "system"), (9000, "user")]
    assert life.steps[1].changes["Status"] == "Closed"


def test_a_closed_record_without_any_date_closes_at_its_last_known_instant() -> None:
    """And is reported."""
    life = _life({"IsClosed": "True", "ClosedDate": "", "Status": "Closed"})
    assert (life.steps[0].at, life.steps[0].changes["IsClosed"]) == (0, "True")
    assert [found.reason for found in life.inconsistencies] == ["closed, but nothing says when"]


def test_a_closing_date_before_creation_closes_at_creation() -> None:
    """No event may precede the record."""
    final = {"IsClosed": "True", "ClosedDate": "1960-01-01T00:00:00Z", "Status": "Closed"}
    assert _life(final).steps[0].at == 0


def test_a_record_that_was_opened_closed_says_so() -> None:
    """Its status at opening means closed."""
    final = {"IsClosed": "False", "ClosedDate": "", "Status": "New"}
    life = _life(final, _change(5000, "Status", "Closed", "New"))
    assert life.opening["IsClosed"] == "True"
    assert life.steps[0].changes == {"Status": "New", "IsClosed": "False", "ClosedDate": None}


def test_a_flag_with_history_of_its_own_is_left_to_it() -> None:
    """Nothing is derived where the CRM tracked it."""
    final = {"IsClosed": "True", "ClosedDate": "", "Status": "Closed"}
    life = _life(final, _change(5000, "IsClosed", "False", "True"))
    assert life.opening == {"IsClosed": "False", "Status": "Closed"}
    assert len(life.steps) == 1


def test_a_converted_lead_opens_unconverted() -> None:
    """With all that conversion brings."""
    final = {"IsConverted": "true", "ConvertedDate": "1970-01-02", "ConvertedAccountId": "001", "Status": "Qualified"}
    outcome = find_outcome(final, [final])
    life = live_through("Lead", "00Q", 0, final, (), outcome)
    assert life.opening == {"IsConverted": "False"}
    assert life.steps[0].changes == {
        "IsConverted": "true", "ConvertedAccountId": "001", "ConvertedDate": "1970-01-02", "Status": "Qualified",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("0", "0.0", True), (" High", "high", True), ("", "0", False), ("True", "true", True), ("a", "b", False)],
)
def test_values_are_compared_as_people_would(one: str, other: str, same: bool) -> None:
    """Spelling is no contradiction."""
    assert same_value(one, other) is same


def test_a_change_told_by_name_alone_is_kept() -> None:
    """Without a twin there is nothing better."""
    by_name = _change(1, "OwnerId", "Ada", "Bob")
    assert drop_name_twins([by_name]) == [by_name]
    by_id = _change(1, "OwnerId", ADA, BOB)
    assert drop_name_twins([by_name, by_id]) == [by_id]


def test_without_a_flag_the_closing_date_says_who_is_closed() -> None:
    rows = [{"Status": "Done", "ClosedDate": "2026-01-03"}, {"Status": "New", "ClosedDate": " "}]
    outcome = find_outcome(["Status", "ClosedDate"], rows)
    assert outcome is not None
    assert [outcome.says_closed(row) for row in rows] == [True, False]
    assert outcome.closed == {"Done"}


def test_a_planned_closing_date_alone_closes_nothing() -> None:
    assert find_outcome(["StageName", "CloseDate"], [{"StageName": "Open", "CloseDate": "2026-01-03"}]) is None


def test_the_closing_date_is_read_in_its_own_order_and_zone() -> None:
    final = {"Status": "Done", "ClosedDate": "03.04.2026 10:00"}
    outcome = find_outcome(final, [final])
    assert outcome is not None
    local = structs.replace(outcome, zone="Europe/Berlin", date_order="DMY")
    (step,) = live_through("Case", "500A", 0, final, (), local).steps
    assert step.at == parse_instant("2026-04-03T08:00:00Z")
