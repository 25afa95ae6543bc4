"""Public holidays by country and subdivision, from the `holidays` package, one year at a time."""

from __future__ import annotations

from difflib import get_close_matches
from functools import lru_cache
from importlib.metadata import version

import holidays

from triage.calendars.definition import PublicHolidays
from triage.calendars.recurrence import parse_day

HOLIDAYS_VERSION = version("holidays")


def check_public(public: PublicHolidays) -> str:
    """Return what is wrong with *public*, or an empty text."""
    supported: dict[str, list[str]] = holidays.list_supported_countries()
    if public.country not in supported:
        return f"no public holidays for country {public.country!r}{_hint(public.country, list(supported))}"
    known = supported[public.country]
    for part in public.subdivisions:
        if part not in known:
            return f"{public.country} has no subdivision {part!r}{_hint(part, known)}"
    return ""


def holidays_of_year(public: PublicHolidays, year: int) -> dict[int, str]:
    """
    Return the public holidays of *year*: day since 1970-01-01 to name, those of all subdivisions together.

    Empty outside the years that the package covers for the country (mostly up to 2100).
    """
    found: dict[int, str] = {}
    for part in public.subdivisions or (None,):
        found = {**_of_part(public.country, part, year), **found}
    return found


@lru_cache(maxsize=4096)
def _of_part(country: str, part: str | None, year: int) -> dict[int, str]:
    # Without a language the package asks the environment's locale, and the same calendar would read differently.
    language = _language(country)
    listed = holidays.country_holidays(country, subdiv=part, years=year, language=language)
    return {parse_day(day.isoformat()): str(name) for day, name in sorted(listed.items()) if day.year == year}


@lru_cache(maxsize=512)
def _language(country: str) -> str | None:
    entity = holidays.country_holidays(country)
    if "en_US" in entity.supported_languages:
        return "en_US"
    default: str | None = entity.default_language
    return default


def _hint(text: str, known: list[str]) -> str:
    near = [key for key in known if key.casefold() == text.casefold()] or get_close_matches(text.upper(), known, n=3)
    return f": did you mean {' or '.join(repr(key) for key in near)}?" if near else ""
