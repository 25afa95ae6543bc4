"""Business hours and holidays: local times, midnights, closed days, every recurrence, who closes whom."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.metadata import RECURRING, hours_page
from triage.salesforce.equivalence import native_hours
from triage.salesforce.hours import HoursFound, local_time, read_hours
from triage.salesforce.metadata import Source
from triage.salesforce.metadata_reading import read_sources

WEEK = {day: ["09:00", "17:00"] for day in ("mon", "tue", "wed", "thu", "fri")}


def found(*pages: str) -> HoursFound:
    read = read_sources([Source(f"{number}.settings", page.encode()) for number, page in enumerate(pages)])
    return read_hours(read.hours, read.holidays)


def one(
    hours: dict[str, Any] | None = None, holidays: list[dict[str, Any]] | None = None, zone: str = "Europe/London"
) -> str:
    return hours_page({"Desk": {"timeZoneId": zone, "hours": hours or WEEK, "holidays": holidays or []}}, "Desk")


def test_times_are_local_whatever_their_z_says() -> None:
    definition = found(one()).calendars["Desk"].definition
    assert definition.tz == "Europe/London"
    assert definition.weekly["mon"] == (("09:00", "17:00"),)
    assert "sat" not in definition.weekly
    assert found(one()).default == "Desk"


def test_midnight_ends_the_day_and_two_midnights_are_the_whole_day() -> None:
    weekly = found(one({"mon": ["16:00", "00:00"], "tue": ["00:00", "00:00"]})).calendars["Desk"].definition.weekly
    assert weekly == {"mon": (("16:00", "24:00"),), "tue": (("00:00", "24:00"),)}


@pytest.mark.parametrize(
    ("text", "time"),
    [("09:00:00.000Z", "09:00"), ("17:30:15.000Z", "17:30:15"), ("08:00", "08:00"), ("25:00", None), ("9am", None)],
)
def test_a_time_loses_its_seconds_and_its_z(text: str, time: str | None) -> None:
    assert local_time(text) == time


@pytest.mark.parametrize("holiday", RECURRING, ids=lambda one: one["name"])
def test_every_recurrence_is_translated(holiday: dict[str, Any]) -> None:
    result = found(one(holidays=[holiday]))
    assert (result.holidays, result.translated, result.notes) == (1, 1, ())
    assert len(result.calendars["Desk"].definition.holidays) == 1


def test_part_of_a_day_is_closed_from_and_to() -> None:
    raw = {"name": "half", "activityDate": "2026-01-14", "startTime": "08:00", "endTime": "12:00"}
    (holiday,) = found(one(holidays=[raw])).calendars["Desk"].definition.holidays
    assert (holiday.date, holiday.start, holiday.end) == ("2026-01-14", "08:00:00", "12:00:00")


def test_a_holiday_without_business_hours_closes_none_and_is_remarked() -> None:
    page = one(holidays=[{"name": "lost", "activityDate": "2026-01-14"}]).replace(
        "    <businessHours>Desk</businessHours>\n", ""
    )
    result = found(page)
    assert result.calendars["Desk"].definition.holidays == ()
    assert "closes none" in result.notes[0].text


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("09:00:00.000Z", "9 o'clock", "a time that cannot be read"),
        ("Europe/London", "Europe/Londn", "unknown time zone"),
        ("    <name>Desk</name>\n", "", "they have no name"),
    ],
)
def test_hours_that_cannot_be_read_are_noted_with_their_line(old: str, new: str, said: str) -> None:
    result = found(one().replace(old, new))
    assert result.calendars == {}
    assert said in result.notes[0].text
    assert result.notes[0].spot.line == 3


def test_a_holiday_that_cannot_be_read_is_noted_and_the_hours_stay() -> None:
    result = found(
        one(holidays=[{"name": "x", "recurrenceType": "RecursOnFullMoons"}, {"name": "y", "activityDate": "soon"}])
    )
    assert (result.holidays, result.translated) == (2, 0)
    assert [note.level for note in result.notes] == ["untranslated", "untranslated"]
    assert list(result.calendars) == ["Desk"]


def test_hours_that_never_open_are_noted() -> None:
    page = one(holidays=[{"name": "shut", "recurrenceType": "RecursDaily", "recurrenceStartDate": "1970-01-01"}])
    result = found(page)
    assert result.calendars == {}
    assert "never open" in result.notes[-1].text


def test_hours_of_one_name_in_two_files_are_kept_apart() -> None:
    result = found(one(), one(zone="Asia/Tokyo"))
    assert {name: one.definition.tz for name, one in result.calendars.items()} == {
        "Desk": "Europe/London", "Desk 2": "Asia/Tokyo",
    }  # fmt: skip


def test_native_hours_count_the_same_windows() -> None:
    hours = native_hours(found(one({"mon": ["16:00", "00:00"]})).calendars["Desk"])
    assert hours.hours == {"mon": ["16:00", "00:00"]}
