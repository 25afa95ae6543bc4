"""Which days a recurrence falls on."""

from __future__ import annotations

import pytest

from triage.calendars.definition import Recurrence
from triage.calendars.recurrence import days_between, parse_day, read_pattern, to_date, weekday_of


def days_of(first: str, last: str, **fields: object) -> list[str]:
    pattern = read_pattern(Recurrence(**fields))  # type: ignore[arg-type]
    return [to_date(day).isoformat() for day in days_between(pattern, parse_day(first), parse_day(last))]


def test_daily_counts_its_interval_from_the_start() -> None:
    assert days_of("2026-01-01", "2026-01-10", type="RecursDaily", interval=3, start="2025-12-31") == [
        "2026-01-03", "2026-01-06", "2026-01-09",
    ]  # fmt: skip


def test_daily_keeps_to_its_start_and_end_dates_both_included() -> None:
    days = days_of("2026-01-01", "2026-02-01", type="RecursDaily", start="2026-01-05", end="2026-01-06")
    assert days == ["2026-01-05", "2026-01-06"]


def test_every_weekday_leaves_the_weekend_out() -> None:
    assert days_of("2026-01-09", "2026-01-13", type="RecursEveryWeekday") == ["2026-01-09", "2026-01-12"]


def test_weekly_takes_every_second_week_counted_from_sunday() -> None:
    days = days_of(
        "2026-01-01", "2026-02-01", type="RecursWeekly", interval=2, days=("Sunday", "Sat"), start="2026-01-07"
    )
    assert days == ["2026-01-10", "2026-01-18", "2026-01-24"]


def test_monthly_skips_months_that_lack_the_day() -> None:
    days = days_of("2026-01-01", "2026-06-01", type="RecursMonthly", day=31)
    assert days == ["2026-01-31", "2026-03-31", "2026-05-31"]


def test_monthly_counts_its_interval_in_months_from_the_start() -> None:
    days = days_of("2026-01-01", "2027-01-01", type="RecursMonthly", day=1, interval=5, start="2025-11-20")
    assert days == ["2026-04-01", "2026-09-01"]


@pytest.mark.parametrize(
    ("instance", "expected"),
    [
        ("First", "2026-01-03"),
        ("Second", "2026-01-10"),
        ("Third", "2026-01-17"),
        ("Fourth", "2026-01-24"),
        ("Last", "2026-01-31"),
    ],
)
def test_monthly_nth_counts_weekdays_within_the_month(instance: str, expected: str) -> None:
    days = days_of("2026-01-01", "2026-02-01", type="RecursMonthlyNth", instance=instance, days=("Saturday",))
    assert days == [expected]


def test_monthly_nth_of_several_weekdays_counts_them_together() -> None:
    """The first of Monday to Friday is the first working day; the last of all seven is the month's last day."""
    workdays = ("mon", "tue", "wed", "thu", "fri")
    assert days_of("2026-08-01", "2026-09-01", type="RecursMonthlyNth", instance="First", days=workdays) == [
        "2026-08-03"
    ]
    week = (*workdays, "sat", "sun")
    assert days_of("2026-02-01", "2026-03-01", type="RecursMonthlyNth", instance="Last", days=week) == ["2026-02-28"]


def test_yearly_keeps_its_date_and_the_leap_day_waits_for_leap_years() -> None:
    assert days_of("2026-01-01", "2029-01-01", type="RecursYearly", month="december", day=25) == [
        "2026-12-25", "2027-12-25", "2028-12-25",
    ]  # fmt: skip
    assert days_of("2023-01-01", "2030-01-01", type="RecursYearly", month="February", day=29) == [
        "2024-02-29", "2028-02-29",
    ]  # fmt: skip


def test_yearly_nth_finds_thanksgiving() -> None:
    fields = {"type": "RecursYearlyNth", "month": "November", "instance": "Fourth", "days": ("Thursday",)}
    assert days_of("2025-01-01", "2027-01-01", **fields) == ["2025-11-27", "2026-11-26"]


def test_yearly_counts_its_interval_from_the_start_year() -> None:
    fields = {"type": "RecursYearly", "month": "May", "day": 1, "interval": 2, "start": "2025-12-01"}
    assert days_of("2025-01-01", "2030-01-01", **fields) == ["2027-05-01", "2029-05-01"]


def test_a_range_before_the_start_or_after_the_end_has_no_days() -> None:
    for kind in ("RecursDaily", "RecursEveryWeekday"):
        assert days_of("2020-01-01", "2020-02-01", type=kind, start="2026-01-01") == []
        assert days_of("2020-01-01", "2020-02-01", type=kind, end="2019-01-01") == []
    assert days_of("2020-01-01", "2020-02-01", type="RecursMonthly", day=1, start="2026-01-01") == []


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"type": "RecursYearly", "month": "May"}, "needs day"),
        ({"type": "RecursYearly", "day": 1}, "needs month"),
        ({"type": "RecursMonthly", "day": 32}, "needs day"),
        ({"type": "RecursWeekly"}, "needs days"),
        ({"type": "RecursMonthlyNth", "days": ("Monday",)}, "needs instance"),
        ({"type": "RecursDaily", "interval": 0}, "interval 0 must be 1 or more"),
        ({"type": "RecursDaily", "interval": 2}, "needs a start date"),
        ({"type": "RecursWeekly", "days": ("Mo",)}, "'Mo' is not a day of the week"),
        ({"type": "RecursYearly", "day": 1, "month": "Mai"}, "'Mai' is not a month"),
        ({"type": "RecursDaily", "start": "1.5.2026"}, "is not a date"),
    ],
)
def test_an_incomplete_recurrence_is_refused_with_what_it_lacks(fields: dict, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_pattern(Recurrence(**fields))


@pytest.mark.parametrize("text", ["2026-02-30", "20260101", "2026-W01-1", "", "2026-1-1", "２０２６-01-01"])
def test_a_date_not_written_in_full_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a date"):
        parse_day(text)


def test_days_and_weekdays_count_from_1970() -> None:
    assert parse_day("1970-01-01") == 0
    assert weekday_of(0) == 3
    assert weekday_of(parse_day("2026-01-12")) == 0
