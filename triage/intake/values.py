"""CRM names and raw values in, our names and typed values out. Dirty values become missing, with a warning each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

from msgspec import Struct

from triage.domain.instant import UNITS, parse_duration
from triage.domain.schema import FieldSpec, ObjectSpec
from triage.domain.work import Value
from triage.errors import IntakeError
from triage.intake.instants import read_date, read_instant, within_years
from triage.intake.labels import with_labels
from triage.intake.numbers import plain_number, read_money, read_number
from triage.intake.text import clean_text, did_you_mean, show, was_cut

YES = frozenset({"true", "yes", "y", "1", "t"})
NO = frozenset({"false", "no", "n", "0", "f"})
MISSING = frozenset({"null", "n/a", "#n/a", "nan", "--none--"})
"""What exports write for nothing (casefolded). A text field keeps them: there they may be words."""

_UNIT_WORDS = {
    "millisecond": "ms", "second": "s", "sec": "s", "minute": "m", "min": "m", "hour": "h", "hr": "h", "day": "d",
    "week": "w",
}  # fmt: skip
_PERCENT_UNITS = frozenset({"%", "percent", "points"})
_SHARE_UNITS = frozenset({"share", "fraction", "ratio"})


class Coerced(Struct, frozen=True):
    """Values by our field names, None where a field is now missing, and one warning for each value dropped."""

    fields: dict[str, Value | None]
    warnings: tuple[str, ...] = ()


def coerce(changes: Mapping[str, Any], spec: ObjectSpec) -> Coerced:
    """
    Return *changes* (CRM names, raw values) under our names as typed values. Never raises on anything JSON can hold.

    Empty text, null and the words of `MISSING` (not in text fields) mean that the field is now empty: None. A value
    that its field cannot hold is None too, plus a warning that names field, value (60 characters at most) and reason.
    A name the field map lacks is left out with a warning; `Id` and Salesforce's `attributes` are left out silently.
    """
    fields: dict[str, Value | None] = {}
    warnings: list[str] = []
    for source, raw in (with_labels(changes, spec) if spec.labels else changes).items():
        known = spec.by_source.get(source.casefold())
        if known is None:
            if source not in ("attributes", "Id"):
                warnings.append(f"unknown field {show(source)}")
            continue
        try:
            fields[known.name] = read_value(raw, known)
        except IntakeError as dirty:
            fields[known.name] = None
            warnings.append(f"{known.name}: {dirty.reason}")
        else:
            if isinstance(raw, str) and len(raw) > 64 and was_cut(clean_text(raw)):
                warnings.append(f"{known.name}: text longer than 100,000 characters was cut")
    return Coerced(fields, tuple(warnings))


def read_value(raw: object, spec: FieldSpec) -> Value | None:
    """
    Return *raw* as a value of the field *spec*, None where it says that the field is empty.

    Raises:
        IntakeError: *raw* is no value of that field's type; the reason quotes it and names the fix.
    """
    if raw is None:
        return None
    if isinstance(raw, str):
        stripped = raw.strip()
        if not stripped or (spec.type != "text" and _means_missing(stripped, spec)):
            return None
    return _READERS[spec.type](raw, spec)


def _means_missing(stripped: str, spec: FieldSpec) -> bool:
    folded = stripped.casefold()
    return folded in MISSING and folded not in _spellings(spec.values)


def _read_text(raw: object, spec: FieldSpec) -> Value:
    if isinstance(raw, str):
        return clean_text(raw)
    if isinstance(raw, bool):
        return "true" if raw else "false"
    return str(plain_number(read_number(_scalar(raw, "text"))))


def _read_reference(raw: object, spec: FieldSpec) -> Value:
    return str(_read_text(raw, spec)).strip()


@lru_cache(maxsize=4096)
def _spellings(values: tuple[str, ...]) -> dict[str, str]:
    return {value.strip().casefold(): value for value in values}


def _read_picklist(raw: object, spec: FieldSpec) -> Value:
    text = str(_read_text(raw, spec)).strip()
    if not spec.values:
        return text
    spelling = _spellings(spec.values).get(text.casefold())
    if spelling is None:
        raise IntakeError(f"{show(text)} is not one of its values{did_you_mean(text, spec.values)}")
    return spelling


def _read_multipicklist(raw: object, spec: FieldSpec) -> Value:
    parts = raw if isinstance(raw, list | tuple) else str(_read_text(raw, spec)).split(";")
    chosen: dict[str, None] = {}
    for part in parts:
        if not isinstance(part, str):
            raise IntakeError(f"{show(part)} is not text")
        if part.strip():
            chosen[str(_read_picklist(part, spec))] = None
    return tuple(chosen)


def _read_number(raw: object, spec: FieldSpec) -> Value:
    return plain_number(read_number(raw))


def _read_integer(raw: object, spec: FieldSpec) -> Value:
    number = plain_number(read_number(raw))
    if not isinstance(number, int):
        raise IntakeError(f"{show(raw)} is not a whole number")
    return number


def _read_money(raw: object, spec: FieldSpec) -> Value:
    return plain_number(read_money(raw, spec.unit))


def _read_percent(raw: object, spec: FieldSpec) -> Value:
    """Return a share: `80%` is 0.8 always, a bare 80 only where the unit says percent; a bare 0.8 is a share."""
    unit = spec.unit.casefold()
    if isinstance(raw, str) and raw.strip().endswith("%"):
        return plain_number(read_number(raw.strip()[:-1]) / 100)
    number = read_number(raw)
    if unit in _PERCENT_UNITS:
        return plain_number(number / 100)
    if unit not in _SHARE_UNITS and not 0 <= number <= 1:
        raise IntakeError(f"{show(raw)} is no share of 0 to 1: declare unit percent, or write 80%")
    return plain_number(number)


def _read_boolean(raw: object, spec: FieldSpec) -> Value:
    if isinstance(raw, bool):
        return raw
    text = raw.strip().casefold() if isinstance(raw, str) else str(raw) if raw in (0, 1, 0.0, 1.0) else ""
    text = text.removesuffix(".0")
    if text in YES or text in NO:
        return text in YES
    raise IntakeError(f"{show(raw)} is neither true nor false")


def _read_datetime(raw: object, spec: FieldSpec) -> Value:
    if isinstance(raw, str):
        return read_instant(raw, zone=spec.zone, date_order=spec.date_order)
    unit = _unit(spec)
    if unit not in ("ms", "s") or isinstance(raw, bool) or not isinstance(raw, int):
        raise IntakeError(f"{show(raw)} is not an instant: write 2026-01-31T09:00:00Z, or declare unit ms or s")
    return within_years(raw * UNITS[unit], str(show(raw)))


def _read_date(raw: object, spec: FieldSpec) -> Value:
    if not isinstance(raw, str):
        raise IntakeError(f"{show(raw)} is not a date: write 2026-01-31")
    return read_date(raw, zone=spec.zone, date_order=spec.date_order)


def _read_duration(raw: object, spec: FieldSpec) -> Value:
    """Return milliseconds: an amount of the declared unit, `1h30m`, or `mm:ss` / `hh:mm` where that is the unit."""
    unit = _unit(spec)
    if isinstance(raw, str) and unit in ("mm:ss", "hh:mm"):
        return _clock_face(raw, unit)
    try:
        number = read_number(raw)
    except IntakeError:
        return _written_duration(raw)
    if unit not in UNITS:
        raise IntakeError(f"{show(raw)} is a duration without unit: declare unit m, h or d")
    return _bounded(number * UNITS[unit], raw)


def _written_duration(raw: object) -> int:
    try:
        return _bounded(Decimal(parse_duration(str(_scalar(raw, "a duration"))[:100])), raw)
    except ValueError as cause:
        raise IntakeError(f"{show(raw)} is not a duration: write 90s, 15m, 6h or 1h30m") from cause


def _clock_face(raw: str, unit: str) -> int:
    sign, digits = (-1, raw.strip()[1:]) if raw.strip().startswith("-") else (1, raw.strip())
    whole, colon, part = digits.partition(":")
    if not (colon and whole.isdecimal() and part.isdecimal() and len(whole) <= 9 and len(part) == 2 and int(part) < 60):
        raise IntakeError(f"{show(raw)} is not a duration {unit}")
    return sign * (int(whole) * 60 + int(part)) * (1000 if unit == "mm:ss" else 60_000)


def _bounded(millis: Decimal, raw: object) -> int:
    if not -(10**14) < millis < 10**14:
        raise IntakeError(f"{show(raw)} is longer than three thousand years")
    return int(millis)


def _unit(spec: FieldSpec) -> str:
    unit = spec.unit.strip().casefold()
    return _UNIT_WORDS.get(unit.removesuffix("s"), unit) if len(unit) > 2 else unit


def _scalar(raw: object, wanted: str) -> object:
    if isinstance(raw, Mapping | list | tuple):
        raise IntakeError(f"{show(raw)} is not {wanted}")
    return raw


_READERS: dict[str, Callable[[object, FieldSpec], Value]] = {
    "text": _read_text,
    "picklist": _read_picklist,
    "multipicklist": _read_multipicklist,
    "number": _read_number,
    "integer": _read_integer,
    "money": _read_money,
    "percent": _read_percent,
    "boolean": _read_boolean,
    "datetime": _read_datetime,
    "date": _read_date,
    "duration": _read_duration,
    "reference": _read_reference,
}
