"""The literal interpreter by itself: entries, clocks, hours and late matches as Salesforce documents them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from triage.salesforce.native import Save, as_datetime, escalate
from triage.salesforce.native_criteria import Unsupported, criterion_holds, filter_holds, formula_holds, values_of
from triage.salesforce.native_hours import NativeHours, falls_on, zone_called

NINE = as_datetime("2026-01-12T09:00:00Z")
WEEK = {day: ["09:00", "17:00"] for day in ("mon", "tue", "wed", "thu", "fri")}
LONDON = NativeHours({"timeZoneId": "Europe/London", "hours": WEEK})


def hour(count: float) -> datetime:
    return NINE + timedelta(hours=count)


def entry(minutes: list[int], field: str = "", value: str = "", **more: Any) -> dict[str, Any]:
    items = [{"field": field, "operation": "equals", "value": value}] if field else []
    return {"criteriaItems": items, "escalationActions": [{"minutesToEscalation": one} for one in minutes], **more}


def fires(
    entries: list[dict[str, Any]], *saves: Save, until: float = 24 * 7
) -> list[tuple[int, int, datetime, datetime]]:
    found = escalate({"entries": entries}, saves, {"london": LONDON}, "", hour(until))
    return [(one.entry, one.action, one.due, one.at) for one in found]


def save(at: float, *, modifies: bool = True, **fields: Any) -> Save:
    return Save(hour(at), {f"Case.{name}": value for name, value in fields.items()}, modifies)


def test_tiers_count_from_the_same_start() -> None:
    assert fires([entry([60, 240])], save(0)) == [(1, 1, hour(1), hour(1)), (1, 2, hour(4), hour(4))]


def test_the_first_entry_that_matches_holds_the_case_even_without_actions() -> None:
    swallow = entry([], "Case.Priority", "High")
    assert fires([swallow, entry([60])], save(0, Priority="High")) == []
    assert fires([swallow, entry([60])], save(0, Priority="Low")) == [(2, 1, hour(1), hour(1))]


def test_an_overdue_match_fires_at_once_and_the_old_entry_is_dropped() -> None:
    entries = [entry([180], "Case.Priority", "High"), entry([360], "Case.Priority", "Medium")]
    assert fires(entries, save(0, Priority="Medium"), save(5, Priority="High")) == [(1, 1, hour(3), hour(5))]


def test_a_late_match_outside_hours_waits_for_the_opening() -> None:
    entries = [entry([60], "Case.Priority", "High", businessHoursSource="Static", businessHours="london")]
    found = fires(entries, save(0, Priority="Low"), save(12, Priority="High"))
    assert found == [(1, 1, hour(1), hour(24))]


def test_saves_restart_a_last_modified_clock_and_comments_do_not() -> None:
    entries = [entry([300], escalationStartTime="CaseLastModified")]
    assert fires(entries, save(0), save(1), save(2, modifies=False)) == [(1, 1, hour(6), hour(6))]


def test_the_first_modification_ends_a_clock_that_says_so() -> None:
    entries = [entry([120], disableEscalationWhenModified=True)]
    assert fires(entries, save(0), save(1)) == []
    assert len(fires(entries, save(0), save(3))) == 1


def test_a_change_of_a_parent_is_seen_at_the_next_save() -> None:
    entries = [entry([60], "Account.SLA__c", "Gold")]
    gold = {"Account.SLA__c": "Gold"}
    found = fires(entries, save(0), Save(hour(2), gold, False), Save(hour(3), gold))
    assert found == [(1, 1, hour(1), hour(3))]


def test_closed_cases_wait_and_fired_tiers_do_not_repeat() -> None:
    found = fires([entry([60, 240, 480])], save(0), save(2, IsClosed=True), save(5, IsClosed=False))
    assert [(action, at) for _, action, _, at in found] == [(1, hour(1)), (2, hour(5)), (3, hour(8))]


def test_a_save_at_the_very_instant_comes_first() -> None:
    assert fires([entry([300])], save(0), save(5, IsClosed=True)) == []


def test_open_time_ends_at_closing_and_knows_the_next_opening() -> None:
    friday = as_datetime("2026-01-09T16:00:00Z")
    assert LONDON.after(friday, 60) == friday + timedelta(hours=1)
    assert LONDON.next_open(friday + timedelta(hours=1)) == NINE
    assert not LONDON.is_open(friday + timedelta(hours=1))


@pytest.mark.parametrize(
    ("start", "minutes", "end"),
    [
        ("2026-03-08T05:00:00Z", 240, "2026-03-08T09:00:00Z"),
        ("2026-03-08T05:00:00Z", 480, "2026-03-09T05:00:00Z"),
        ("2026-11-01T04:00:00Z", 240, "2026-11-01T08:00:00Z"),
    ],
)
def test_changes_of_the_clocks_take_or_give_real_hours(start: str, minutes: int, end: str) -> None:
    every_day = {day: ["00:00", "08:00"] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
    hours = NativeHours({"timeZoneId": "America/New_York", "hours": every_day})
    assert hours.after(as_datetime(start), minutes) == as_datetime(end)


def test_a_window_inside_the_repeated_hour_is_open_twice() -> None:
    hours = NativeHours({"timeZoneId": "America/New_York", "hours": {"sun": ["01:00", "01:30"]}})
    assert hours.is_open(as_datetime("2026-11-01T05:10:00Z"))
    assert hours.is_open(as_datetime("2026-11-01T06:10:00Z"))
    assert not hours.is_open(as_datetime("2026-11-01T05:40:00Z"))


def test_recurring_holidays_fall_where_they_should() -> None:
    last_monday = {
        "recurrenceType": "RecursYearlyNth", "recurrenceInstance": "Last", "recurrenceDayOfWeek": ["Monday"],
        "recurrenceMonthOfYear": "May",
    }  # fmt: skip
    assert falls_on(last_monday, as_datetime("2026-05-25T00:00:00Z").date())
    assert not falls_on(last_monday, as_datetime("2026-05-18T00:00:00Z").date())
    assert zone_called("GMT").key == "GMT"


@pytest.mark.parametrize(
    ("raw", "operation", "value", "holds"),
    [
        ("high", "equals", "High,Low", True), ("Mid", "notEqual", "High,Low", True), (None, "notEqual", "High", True),
        ("", "equals", "", True), ("x", "notEqual", "", True), (24, "equals", "24", True), (24.0, "equals", "24", True),
        (None, "equals", "False", True), (True, "equals", "true", True), ("An outage", "contains", "OUT,x", True),
        (None, "notContain", "x", True), ("Urgent: x", "startsWith", "urgent", True), ("a;b", "includes", "b,c", True),
        ("a;b", "excludes", "c", True), (5, "greaterThan", "4", True), (None, "lessThan", "4", False),
        ("TAIWAN, ROC", "equals", 'HONG KONG,"Taiwan, ROC"', True),
    ],
)  # fmt: skip
def test_a_criterion_holds_as_documented(raw: Any, operation: str, value: str, holds: bool) -> None:
    assert criterion_holds({"Case.F": raw}, {"field": "Case.F", "operation": operation, "value": value}) is holds


def test_an_operation_nobody_knows_is_no_guess() -> None:
    with pytest.raises(Unsupported):
        criterion_holds({}, {"field": "a", "operation": "within", "value": "1"})


@pytest.mark.parametrize(
    ("text", "value"),
    [("1 AND (2 OR 3)", True), ("(1 OR 2 )AND( 2)", False), ("1 and not 2 and 3", True), ("2 OR 1 AND 3", True)],
)
def test_a_filter_joins_results(text: str, value: bool) -> None:
    assert filter_holds(text, [True, False, True]) is value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("AND(ISPICKVAL(Priority, 'High'), NOT(ISBLANK(Status)))", True),
        ("Level__c >= 2 && Account.SLA__c <> 'Gold'", True),
        ("IF(Vip__c, FALSE, BEGINS(Status, 'Ne'))", True),
        ("CONTAINS(Status, 'zz') || Vip__c = TRUE", False),
    ],
)
def test_a_formula_is_evaluated_as_it_is_read(text: str, value: bool) -> None:
    record = {"Case.Priority": "High", "Case.Status": "New", "Case.Level__c": 2, "Account.SLA__c": "Silver"}
    assert formula_holds(record, text) is value


def test_lists_are_cut_at_commas_outside_quotes() -> None:
    assert values_of('a, "b, c",,d') == ["a", "b, c", "", "d"]
    assert values_of("") == [""]
