"""Definitions from decoded JSON or YAML, and holidays from Salesforce's metadata."""

from __future__ import annotations

import pytest

from triage.calendars import Holiday, Recurrence, read_definition, read_salesforce_holiday
from triage.errors import ConfigError


def test_bare_dates_are_holidays_and_the_given_name_is_kept() -> None:
    read = read_definition(
        {"tz": "UTC", "holidays": ["2026-12-25", {"date": "2026-12-26", "name": "Boxing Day"}]}, "uk"
    )
    assert read.name == "uk"
    assert read.holidays == (Holiday(date="2026-12-25"), Holiday(date="2026-12-26", name="Boxing Day"))


def test_a_name_in_the_definition_wins() -> None:
    assert read_definition({"tz": "UTC", "name": "own"}, "given").name == "own"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ([], "expected tz"),
        (None, "expected tz"),
        ({}, "missing required field `tz`"),
        ({"tz": 5}, "Expected `str`"),
        ({"tz": "UTC", "holiday": []}, "unknown field `holiday`"),
        ({"tz": "UTC", "holidays": [{"dat": "2026-01-01"}]}, "unknown field `dat`"),
        ({"tz": "UTC", "holidays": "2026-01-01"}, "Expected `array`"),
        ({"tz": "UTC", "weekly": {"mon": [["09:00"]]}}, "length 2"),
        ({"tz": "UTC", "weekly": {"mon": [[540, 1020]]}}, "Expected `str`"),
        ({"tz": "UTC", "holidays": [{"recurrence": {"type": "RecursHourly"}}]}, "Invalid enum value"),
    ],
)
def test_a_wrong_shape_is_refused_with_its_place(raw: object, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        read_definition(raw, "uk")


def test_a_salesforce_recurrence_keeps_its_local_times_without_the_z() -> None:
    holiday = read_salesforce_holiday(
        {
            "name": "Half day",
            "recurrenceType": "RecursYearlyNth",
            "recurrenceInstance": "Last",
            "recurrenceDayOfWeek": "Friday",
            "recurrenceMonthOfYear": "May",
            "recurrenceStartDate": "2014-05-26",
            "startTime": "12:00:00.000Z",
            "endTime": "17:00:00.000Z",
        }
    )
    assert holiday == Holiday(
        name="Half day",
        start="12:00:00",
        end="17:00:00",
        recurrence=Recurrence(
            type="RecursYearlyNth", instance="Last", days=("Friday",), month="May", start="2014-05-26"
        ),
    )


def test_a_salesforce_date_is_a_plain_holiday() -> None:
    assert read_salesforce_holiday({"name": "Opening", "activityDate": "2026-04-03"}) == Holiday(
        name="Opening", date="2026-04-03"
    )


def test_an_unknown_salesforce_recurrence_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="holiday 'Odd'"):
        read_salesforce_holiday({"name": "Odd", "recurrenceType": "RecursHourly"})
