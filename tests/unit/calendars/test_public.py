"""Public holidays by country, the same under every locale."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from triage.calendars import PublicHolidays
from triage.calendars.public import HOLIDAYS_VERSION, check_public, holidays_of_year
from triage.calendars.recurrence import parse_day

GERMANY = PublicHolidays(country="DE")


def test_a_year_has_its_own_holidays_only() -> None:
    found = holidays_of_year(GERMANY, 2026)
    assert found[parse_day("2026-10-03")] == "German Unity Day"
    assert all(parse_day("2026-01-01") <= day < parse_day("2027-01-01") for day in found)


def test_subdivisions_add_their_own() -> None:
    both = holidays_of_year(PublicHolidays(country="DE", subdivisions=("BY", "BB")), 2026)
    assert {parse_day("2026-01-06"), parse_day("2026-10-31")} <= both.keys()
    assert parse_day("2026-01-06") not in holidays_of_year(GERMANY, 2026)


def test_years_the_package_does_not_cover_have_none() -> None:
    assert holidays_of_year(GERMANY, 2150) == {}


def test_names_do_not_follow_the_environments_language() -> None:
    code = (
        "from triage.calendars import PublicHolidays; from triage.calendars.public import holidays_of_year;"
        "print(sorted(holidays_of_year(PublicHolidays(country='DE'), 2026).items()))"
    )
    root = Path(__file__).resolve().parents[3]
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=root,
            env={**os.environ, "LANGUAGE": language, "LANG": language},
            capture_output=True,
            check=True,
        ).stdout
        for language in ("de", "uk", "C")
    }
    assert len(outputs) == 1


def test_a_country_or_part_that_is_unknown_is_named() -> None:
    assert check_public(GERMANY) == ""
    assert "country 'Germany'" in check_public(PublicHolidays(country="Germany"))
    assert "no subdivision 'XX'" in check_public(PublicHolidays(country="DE", subdivisions=("BY", "XX")))
    assert HOLIDAYS_VERSION[0] == "0"
