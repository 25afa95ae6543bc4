"""coerce: dirty values become missing with a warning each, clean ones typed values, nothing is guessed."""

from __future__ import annotations

from typing import Any

import pytest

from triage.domain.schema import FieldSpec, ObjectSpec
from triage.intake.values import coerce

BERLIN_NINE = 1_769_846_400_000
"""2026-01-31T09:00 in Berlin, 08:00Z."""


def _coerce(raw: object, **settings: Any) -> tuple[Any, tuple[str, ...]]:
    spec = FieldSpec(name="ours", source="Theirs__c", **settings)
    coerced = coerce({"Theirs__c": raw}, ObjectSpec.of("Case", (spec,)))
    return coerced.fields["ours"], coerced.warnings


CLEAN: list[tuple[dict[str, Any], object, object]] = [
    ({"type": "text"}, " as is ", " as is "),
    ({"type": "text"}, "N/A", "N/A"),
    ({"type": "text"}, 12, "12"),
    ({"type": "text"}, True, "true"),
    ({"type": "picklist", "values": ("Low", "High")}, " hIGH ", "High"),
    ({"type": "picklist", "values": ("N/A", "High")}, "n/a", "N/A"),
    ({"type": "picklist"}, " Anything ", "Anything"),
    ({"type": "multipicklist", "values": ("A", "B")}, "b; a;b;", ("B", "A")),
    ({"type": "multipicklist"}, ["x", "y"], ("x", "y")),
    ({"type": "integer"}, "12", 12),
    ({"type": "integer"}, " 12 ", 12),
    ({"type": "integer"}, 12.0, 12),
    ({"type": "integer"}, "1e3", 1000),
    ({"type": "number"}, "1,234.5", 1234.5),
    ({"type": "number"}, "1,234,567", 1234567),
    ({"type": "number"}, "1.234.567,5", 1234567.5),
    ({"type": "number"}, "1 234 567.5", 1234567.5),
    ({"type": "number"}, "1'234.5", 1234.5),
    ({"type": "number"}, "-0.5", -0.5),
    ({"type": "number"}, "12.0", 12),
    ({"type": "percent"}, "80%", 0.8),
    ({"type": "percent"}, "80 %", 0.8),
    ({"type": "percent"}, 0.8, 0.8),
    ({"type": "percent", "unit": "percent"}, 80, 0.8),
    ({"type": "percent", "unit": "percent"}, "0.8", 0.008),
    ({"type": "percent", "unit": "share"}, "1.2", 1.2),
    ({"type": "money"}, "$1,234.50", 1234.5),
    ({"type": "money"}, "EUR 1.234,50", 1234.5),
    ({"type": "money", "unit": "EUR"}, "12.5 EUR", 12.5),
    ({"type": "money", "unit": "EUR"}, "-\u20ac12", -12),
    ({"type": "money", "unit": "USD"}, "99.9", 99.9),
    ({"type": "boolean"}, "Yes", True),
    ({"type": "boolean"}, "Y", True),
    ({"type": "boolean"}, 1, True),
    ({"type": "boolean"}, "1.0", True),
    ({"type": "boolean"}, "FALSE", False),
    ({"type": "boolean"}, False, False),
    ({"type": "datetime"}, "2026-01-31T08:00:00.000Z", BERLIN_NINE),
    ({"type": "datetime"}, "2026-01-31T08:00:00.000+0000", BERLIN_NINE),
    ({"type": "datetime"}, "2026-01-31 09:00:00 +0100", BERLIN_NINE),
    ({"type": "datetime"}, "2026-01-31 08:00 Z", BERLIN_NINE),
    ({"type": "datetime"}, "2026-01-31T08:00:00.0009999Z", BERLIN_NINE),
    ({"type": "datetime", "zone": "Europe/Berlin"}, "2026-01-31 09:00", BERLIN_NINE),
    ({"type": "datetime", "zone": "Europe/Berlin", "date_order": "DMY"}, "31.01.2026 09:00", BERLIN_NINE),
    ({"type": "datetime", "zone": "Europe/Berlin", "date_order": "MDY"}, "1/31/2026, 9:00 AM", BERLIN_NINE),
    ({"type": "datetime", "zone": "Europe/Berlin", "date_order": "MDY"}, "1/31/2026 9:00:00 am", BERLIN_NINE),
    ({"type": "datetime", "zone": "Europe/Berlin", "date_order": "YMD"}, "2026/01/31 09:00", BERLIN_NINE),
    ({"type": "datetime", "unit": "s"}, BERLIN_NINE // 1000, BERLIN_NINE),
    ({"type": "date"}, "2026-01-31", 1_769_817_600_000),
    ({"type": "date", "zone": "Europe/Berlin"}, "2026-01-31", 1_769_814_000_000),
    ({"type": "date", "date_order": "DMY"}, "31.01.2026", 1_769_817_600_000),
    ({"type": "date"}, "2026-01-31T23:30:00Z", 1_769_817_600_000),
    ({"type": "duration", "unit": "m"}, "90", 5_400_000),
    ({"type": "duration", "unit": "minutes"}, 1.5, 90_000),
    ({"type": "duration"}, "1h30m", 5_400_000),
    ({"type": "duration", "unit": "mm:ss"}, "-12:30", -750_000),
    ({"type": "duration", "unit": "hh:mm"}, "1:30", 5_400_000),
    ({"type": "reference"}, " 005A ", "005A"),
]


@pytest.mark.parametrize(("settings", "raw", "value"), CLEAN)
def test_a_clean_value_is_typed_without_a_warning(settings: dict[str, Any], raw: object, value: object) -> None:
    """Value and type, both."""
    read, warnings = _coerce(raw, **settings)
    assert (read, type(read)) == (value, type(value))
    assert warnings == ()


DIRTY: list[tuple[dict[str, Any], object, str]] = [
    ({"type": "text"}, {"a": 1}, "is not text"),
    ({"type": "picklist", "values": ("Low", "High")}, "Hgih", "'Hgih' is not one of its values: did you mean 'High'?"),
    ({"type": "multipicklist", "values": ("A", "B")}, "A;C", "'C' is not one of its values"),
    ({"type": "multipicklist"}, [1], "'1' is not text"),
    ({"type": "integer"}, "12.5", "is not a whole number"),
    ({"type": "integer"}, True, "'True' is not a number"),
    ({"type": "integer"}, 1 << 70, "not a finite number of 64 bits"),
    ({"type": "number"}, "1,5", "could be a fraction or thousands"),
    ({"type": "number"}, "1,234", "could be a fraction or thousands"),
    ({"type": "number"}, float("nan"), "not a finite number"),
    ({"type": "number"}, "1e999", "not a finite number"),
    ({"type": "number"}, "twelve", "is not a number"),
    ({"type": "number"}, "\u0661\u0662", "is not a number"),
    ({"type": "percent"}, 80, "declare unit percent"),
    ({"type": "money", "unit": "EUR"}, "$5", "is not in EUR"),
    ({"type": "money", "unit": "EUR"}, "5 USD", "is not in EUR"),
    ({"type": "boolean"}, "maybe", "neither true nor false"),
    ({"type": "boolean"}, 2, "neither true nor false"),
    ({"type": "datetime"}, "2026-01-31 09:00", "has no zone"),
    ({"type": "datetime"}, "31.12.2025 14:05", "declare date_order"),
    ({"type": "datetime", "date_order": "DMY"}, "31.12.2025 14:05", "has no zone"),
    ({"type": "datetime", "zone": "UTC", "date_order": "MDY"}, "31.12.2025 14:05", "not a date in the order MDY"),
    ({"type": "datetime", "zone": "UTC", "date_order": "DMY"}, "31.12.25 14:05", "year of four digits"),
    ({"type": "datetime", "zone": "UTC", "date_order": "MDY"}, "1/31/2026 13:00 PM", "no such hour"),
    ({"type": "datetime", "zone": "Europe/Berlin"}, "2026-03-29 02:30", "never happened in Europe/Berlin"),
    ({"type": "datetime", "zone": "Mars/Olympus"}, "2026-03-29 02:30", "not a time zone"),
    ({"type": "datetime", "zone": "../../etc/passwd"}, "2026-03-29 02:30", "not a time zone"),
    ({"type": "datetime"}, 1769846400, "is not an instant"),
    ({"type": "datetime"}, "9999-12-31T00:00:00Z", "outside the years 1900 to 2199"),
    ({"type": "date"}, 20260131, "is not a date"),
    ({"type": "date", "zone": "Pacific/Apia"}, "2011-12-30", "its clocks skipped that day"),
    ({"type": "duration"}, "90", "a duration without unit"),
    ({"type": "duration", "unit": "m"}, "soon", "is not a duration"),
    ({"type": "duration", "unit": "mm:ss"}, "12:75", "is not a duration mm:ss"),
    ({"type": "duration", "unit": "w"}, "1e18", "longer than three thousand years"),
    ({"type": "reference"}, ["005"], "is not text"),
]


@pytest.mark.parametrize(("settings", "raw", "reason"), DIRTY)
def test_a_dirty_value_is_missing_with_a_warning(settings: dict[str, Any], raw: object, reason: str) -> None:
    """One warning: our field's name, the value, and why or what to declare."""
    read, warnings = _coerce(raw, **settings)
    assert read is None
    assert len(warnings) == 1
    assert warnings[0].startswith("ours: ")
    assert reason in warnings[0]


@pytest.mark.parametrize("raw", ["", "  ", None, "NULL", "N/A", "null", "#N/A"])
def test_an_empty_value_is_missing_without_a_warning(raw: object) -> None:
    """What exports write for nothing means that the field is empty now."""
    assert _coerce(raw, type="integer") == (None, ())


def test_an_hour_that_happens_twice_is_read_as_the_earlier_instant() -> None:
    """02:30 on the day that summer time ends: 00:30Z in summer time, not 01:30Z."""
    value, warnings = _coerce("2026-10-25 02:30", type="datetime", zone="Europe/Berlin")
    assert (value, warnings) == (1_792_888_200_000, ())


def test_names_are_found_whatever_their_case() -> None:
    """Salesforce ignores the case of API names, and so do exports."""
    spec = ObjectSpec.of("Case", (FieldSpec(name="priority", source="Priority"),))
    assert coerce({"PRIORITY": "High"}, spec).fields == {"priority": "High"}


def test_an_unknown_name_is_left_out_with_a_warning() -> None:
    """Control characters in it are escaped; Id and attributes need no mention."""
    coerced = coerce({"Colour\x1b": 1, "attributes": {"type": "Case"}, "Id": "500"}, ObjectSpec.of("Case", ()))
    assert coerced.fields == {}
    assert coerced.warnings == ("unknown field 'Colour\\x1b'",)


def test_a_warning_shows_at_most_sixty_characters_of_the_value() -> None:
    """Escaped, so that no value can write over a terminal."""
    _, warnings = _coerce("x\x1b" * 5000, type="integer")
    assert len(warnings[0]) < 120
    assert warnings[0].isprintable()


def test_an_endless_instant_is_shown_in_part() -> None:
    """Text that begins and ends like an instant is none, and is not quoted whole."""
    _, warnings = _coerce("2026-01-31T" + "0" * 5000 + "Z", type="datetime")
    assert len(warnings[0]) < 160


def test_long_text_is_cut_with_a_warning() -> None:
    """Ten million characters serve nobody."""
    value, warnings = _coerce("x" * 200_000, type="text")
    assert len(value) == 100_000
    assert warnings == ("ours: text longer than 100,000 characters was cut",)
