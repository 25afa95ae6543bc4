"""doubts_of, blind_closings: values that a replay lost, and closings that no history tells."""

from __future__ import annotations

from tests.unit.replay.scenes import line, policy_of
from triage.domain.work import Event
from triage.replay.doubts import BlindClosing, Doubt, blind_closings, doubts_of
from triage.replay.source import Entry, History, history_of_log


def _doubts(*lines: str) -> tuple[Doubt, ...]:
    return doubts_of(history_of_log(lines), policy_of())


def test_a_value_that_its_field_cannot_hold_is_counted_with_an_example() -> None:
    found = _doubts(
        line("09:00", "created", changes={"Priority": "Hihg"}),
        line("10:00", "updated", changes={"Priority": "Hihg"}),
        line("11:00", "updated", changes={"Priority": "High"}),
    )
    (doubt,) = found
    assert (doubt.object, doubt.column, doubt.field, doubt.count) == ("Case", "Priority", "priority", 2)
    assert doubt.example == "'Hihg' is not one of its values: did you mean 'High'?"


def test_a_column_that_nobody_reads_is_counted_after_values_that_were_lost() -> None:
    changes = {"Prioritty": "High", "priority": "Hihg", "AccountId": "001A", "CreatedDate": "x", "Id": "500A"}
    found = _doubts(line("09:00", "created", changes=changes))
    assert [(one.column, one.field) for one in found] == [("priority", "priority"), ("Prioritty", "")]


def test_emptied_and_long_texts_are_no_doubts() -> None:
    assert _doubts(line("09:00", "created", changes={"Priority": None, "Status": "x" * 500})) == ()


def test_fields_of_other_objects_count_only_where_rules_read_them() -> None:
    found = _doubts(
        line("09:00", "related", "001A", "Account", changes={"SLA__c": ["a"], "Phone": "1"}),
        line("09:00", "related", "003A", "Contact", changes={"Phone": "1"}),
    )
    assert [(one.object, one.field) for one in found] == [("Account", "account.tier")]


def _entry(at: int, record: str, kind: str = "updated", *, origin: str = "user", row: int = 0) -> Entry:
    event = Event(at=at, type=kind, event_id=f"{record}{at}", object="Case", id=record, origin=origin)  # type: ignore[arg-type]
    return Entry(event, "Case.csv", row)


def test_closed_records_without_history_are_told_apart_by_whether_their_closing_is_dated() -> None:
    entries = (
        _entry(1, "dated", "created"), _entry(5, "dated", origin="system"),
        _entry(1, "start", "created"),
        _entry(1, "told", "created"), _entry(4, "told"),
        _entry(1, "open", "created"),
    )  # fmt: skip
    closed = {("Case", name): 1 for name in ("dated", "start", "told")}
    found = blind_closings(History(entries=entries), closed)
    assert found == (BlindClosing(object="Case", closed=3, records=2, from_start=1),)


def test_a_log_tells_its_own_closings() -> None:
    assert blind_closings(History(entries=(_entry(1, "a", "created", row=1),)), {("Case", "a"): 1}) == ()
