"""Calendars as people write them."""

from __future__ import annotations

import pytest

from triage.calendars.definition import CalendarDefinition, Holiday, PublicHolidays, Recurrence
from triage.config import load_policy
from triage.errors import ConfigError
from triage.rules.hours import days_of


def calendar(body: str) -> CalendarDefinition:
    return load_policy({"a.yaml": f"calendars:\n  c: {{tz: Europe/Berlin, {body}}}\n"}).calendars["c"]


def fault(body: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_policy({"a.yaml": f"calendars:\n  c:\n    tz: Europe/Berlin\n    {body}\n"})
    (found,) = caught.value.faults
    return f"{found.line}:{found.column}: {found.text}"


@pytest.mark.parametrize(
    ("key", "days"),
    [
        ("mon", ("mon",)),
        ("mon-wed", ("mon", "tue", "wed")),
        ("sat-mon", ("sat", "sun", "mon")),
        ("mon, wed-thu", ("mon", "wed", "thu")),
        ("daily", ("daily",)),
        ("2026-12-24", ("2026-12-24",)),
    ],
)
def test_days_may_be_ranges_lists_and_wrap_round_the_week(key: str, days: tuple[str, ...]) -> None:
    assert days_of(key) == days


def test_windows_are_pairs_of_times_with_two_digits() -> None:
    weekly = calendar('weekly: {fri: ["9:00 - 12:30", "13:00-24:00"], sat: []}').weekly
    assert weekly == {"fri": (("09:00", "12:30"), ("13:00", "24:00")), "sat": ()}


def test_holidays_are_dates_parts_of_days_and_recurrences() -> None:
    found = calendar(
        'holidays: [2026-12-24, {date: 2026-12-31, from: "12:00", to: "18:00", name: eve}, '
        "{recurrence: {type: RecursMonthlyNth, instance: First, days: [Monday], month: May}}]"
    ).holidays
    assert found[0] == Holiday(date="2026-12-24")
    assert found[1] == Holiday(name="eve", date="2026-12-31", start="12:00", end="18:00")
    assert found[2].recurrence == Recurrence(type="RecursMonthlyNth", instance="First", days=("Monday",), month="May")


def test_public_holidays_name_a_country_and_its_parts() -> None:
    assert calendar("public_holidays: {country: DE, subdivision: [BY, BE]}").public == PublicHolidays(
        country="DE", subdivisions=("BY", "BE")
    )
    assert calendar("public_holidays: {country: DE}").public == PublicHolidays(country="DE")


def test_breaks_are_daily_by_weekday_or_by_date_and_may_overlap() -> None:
    breaks = calendar('breaks: {daily: ["12:00-12:30"], mon-tue: ["15:00-15:10"], 2026-12-23: ["10:00-11:00"]}').breaks
    assert set(breaks) == {"daily", "mon", "tue", "2026-12-23"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('weekly: {mon: ["09:00-25:00"]}', "4:14: calendar 'c':"),
        ("overrides: {2026-02-30: []}", "4:17: calendar 'c':"),
        ("holidays: [2026-01-01, 2026-02-30]", "4:28: calendar 'c':"),
        ("holidays: [{name: x}]", "4:16: calendar 'c': give either a date or a recurrence"),
        ("public_holidays: {country: XX}", "4:22: calendar 'c':"),
        ("public_holidays: {subdivision: BY}", "4:22: public_holidays lacks country"),
        ("weekly: {mon: [], mon-fri: []}", "4:23: 'mon' is covered twice"),
        ("weekly: {Mon: []}", "4:14: days such as"),
        ("tz: UTC", "4:5: the key 'tz' stands twice"),
    ],
)
def test_faults_stand_where_the_calendar_is_wrong(body: str, expected: str) -> None:
    assert fault(body).startswith(expected)
