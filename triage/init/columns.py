"""What a column of somebody's table holds: its type, values and order, and what about it remains open."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Any

from msgspec import Struct, structs

from triage.errors import IntakeError
from triage.intake.numbers import read_number
from triage.intake.values import MISSING, NO, YES
from triage.replay.table import Account, Table

MOST_ROWS = 20_000
MOST_VALUES = 25
SAMPLES = 3
_GOOD_SHARE = 0.95

_ZONED = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?\s*(?:Z|[+-]\d{2}:?\d{2})")
_NAIVE = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_ORDERED = re.compile(r"(\d{1,4})[./-](\d{1,2})[./-](\d{1,4})(?:,?\s+(\d{1,2}[:.]\d{2}.*))?")
_MARK = r"(?:[A-Z]{3}|[$\u20ac\u00a3\u00a5\u20b9])"
_MONEY = re.compile(rf"[+-]?\s*{_MARK}\s*[\d.,' ]+|[+-]?[\d.,' ]+\s*{_MARK}")
_SPAN = re.compile(r"(?:\d+(?:\.\d+)?\s*(?:ms|s|m|h|d|w)\s*)+")
_REFERENCE = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?")
_LEADING_ZERO = re.compile(r"0\d+")
_COMMA_NUMBER = re.compile(r"[+-]?\d+,\d+")
_UNITS = (
    (re.compile(r"\b(?:milliseconds?|ms)\b"), "ms"), (re.compile(r"\b(?:seconds?|secs?)\b"), "s"),
    (re.compile(r"\b(?:minutes?|mins?)\b"), "m"), (re.compile(r"\b(?:hours?|hrs?|stunden)\b"), "h"),
    (re.compile(r"\b(?:days?|tage)\b"), "d"), (re.compile(r"\b(?:weeks?)\b"), "w"),
)  # fmt: skip
_LASTING = re.compile(r"\b(?:duration|age|elapsed|handling time|time spent|time on|dauer|alter)\b")
_CURRENCY = re.compile(r"\(([A-Z]{3})\)")


class Column(Struct, frozen=True, kw_only=True):
    """
    One column looked at.

    `naive`: its instants name no zone. `orders` are the date orders that fit every value: one is known, two are open.
    `unit_open`: its numbers last, or are shares, but nothing says in which unit. `notes` are for the person who reads.
    """

    header: str
    type: str = "text"
    samples: tuple[str, ...] = ()
    filled: int = 0
    rows: int = 0
    values: tuple[str, ...] = ()
    naive: bool = False
    orders: tuple[str, ...] = ()
    unit: str = ""
    unit_open: bool = False
    notes: tuple[str, ...] = ()


def look_at(table: Table) -> tuple[Column, ...]:
    """Return what each column of *table* holds, judged by its first 20,000 rows that are whole."""
    cells: list[list[str]] = [[] for _ in table.columns]
    rows = 0
    for _, row in table.rows(Account()):
        rows += 1
        for column, cell in zip(cells, row, strict=True):
            if cell.strip() and cell.strip().casefold() not in MISSING:
                column.append(cell.strip())
        if rows >= MOST_ROWS:
            break
    return tuple(_judge(header, found, rows) for header, found in zip(table.columns, cells, strict=True))


def with_past_values(columns: Sequence[Column], history: Table) -> tuple[Column, ...]:
    """
    Return *columns* with the values that picklists had before, as the field *history* tells: a table of final rows
    knows the last ones only. With more than 50 values in all, a column is text after all.
    """
    if not {"Field", "OldValue", "NewValue"} <= set(history.columns):
        return tuple(columns)
    field, old, new = (history.columns.index(name) for name in ("Field", "OldValue", "NewValue"))
    past: dict[str, dict[str, None]] = {}
    for _, row in history.rows(Account()):
        past.setdefault(row[field], {}).update({row[old].strip(): None, row[new].strip(): None})
    return tuple(_with_past(column, past.get(column.header, {})) for column in columns)


def _with_past(column: Column, past: Collection[str]) -> Column:
    if column.type != "picklist" or not past:
        return column
    known = {value.casefold() for value in column.values}
    more: dict[str, str] = {}
    for value in sorted(past):
        if value and value.casefold() not in known | MISSING:
            more.setdefault(value.casefold(), value)
    values = tuple(sorted((*column.values, *more.values()), key=str.casefold))
    if len(values) > 2 * MOST_VALUES:
        return structs.replace(column, type="text", values=())
    return structs.replace(column, values=values)


def _judge(header: str, found: list[str], rows: int) -> Column:
    samples = tuple(dict.fromkeys(found))[:SAMPLES]
    base: dict[str, Any] = {"header": header, "samples": samples, "filled": len(found), "rows": rows}
    if not found:
        return Column(**base, notes=("always empty",))
    for judge in (_as_instant, _as_ordered, _as_flag, _as_reference, _as_number, _as_span, _as_choice):
        told = judge(header, found)
        if told is not None:
            return Column(**{**base, **told})
    return Column(**base)


def _share(found: Sequence[str], fits: Callable[[str], object]) -> float:
    return sum(bool(fits(value)) for value in found) / len(found)


def _as_instant(header: str, found: list[str]) -> dict[str, Any] | None:
    for pattern, told in (
        (_ZONED, {"type": "datetime"}),
        (_NAIVE, {"type": "datetime", "naive": True}),
        (_DAY, {"type": "date"}),
    ):
        share = _share(found, pattern.fullmatch)
        if share >= _GOOD_SHARE:
            return {**told, "notes": _odd(share, len(found), "cannot be read as such")}
    if _share(found, lambda value: _ZONED.fullmatch(value) or _NAIVE.fullmatch(value)) >= _GOOD_SHARE:
        return {"type": "datetime", "naive": True, "notes": ("some instants name a zone, others do not",)}
    return None


def _as_ordered(header: str, found: list[str]) -> dict[str, Any] | None:
    """Tell dates such as 31.12.2025: the orders that fit all of them, two where no day is above 12."""
    matches = [match for match in map(_ORDERED.fullmatch, found) if match]
    share = len(matches) / len(found)
    if share < _GOOD_SHARE:
        return None
    parts = [match.groups()[:3] for match in matches]
    orders = tuple(order for order in ("DMY", "MDY", "YMD") if all(_fits(part, order) for part in parts))
    if not orders:
        short = any(len(first) < 4 and len(last) < 4 for first, _, last in parts)
        why = "years of two digits" if short else "no one order of day, month and year"
        return {"type": "text", "notes": (f"dates with {why}: export them as 2026-01-31",)}
    timed = any(match[4] for match in matches)
    told: dict[str, Any] = {"type": "datetime" if timed else "date", "naive": timed, "orders": orders}
    return {**told, "notes": _odd(share, len(found), "cannot be read as such")}


def _fits(parts: tuple[str, ...], order: str) -> bool:
    named = dict(zip(order, parts, strict=True))
    return len(named["Y"]) == 4 and 1 <= int(named["M"]) <= 12 and 1 <= int(named["D"]) <= 31


def _as_flag(header: str, found: list[str]) -> dict[str, Any] | None:
    words = {value.casefold() for value in found}
    if words <= YES | NO and (words & {"true", "false", "yes", "no"} or header.casefold().startswith(("is", "has"))):
        return {"type": "boolean"}
    return None


def _as_reference(header: str, found: list[str]) -> dict[str, Any] | None:
    return {"type": "reference"} if _share(found, _REFERENCE.fullmatch) >= _GOOD_SHARE else None


def _as_number(header: str, found: list[str]) -> dict[str, Any] | None:
    if _share(found, lambda value: value.endswith("%") and _is_number(value[:-1])) >= _GOOD_SHARE:
        return {"type": "percent"}
    if _share(found, _MONEY.fullmatch) >= _GOOD_SHARE:
        return {"type": "money", "unit": _one_currency(found)}
    if _share(found, lambda value: _is_number(value) or _COMMA_NUMBER.fullmatch(value)) < _GOOD_SHARE:
        return None
    if any(_LEADING_ZERO.fullmatch(value) for value in found):
        return None
    if any(_COMMA_NUMBER.fullmatch(value) for value in found):
        return {"type": "number", "notes": ("numbers with a lone comma are ambiguous and dropped: export points",)}
    numbers = [read_number(value) for value in found if _is_number(value)]
    return _number_kind(header, all(number == number.to_integral_value() for number in numbers), float(max(numbers)))


def _number_kind(header: str, whole: bool, largest: float) -> dict[str, Any]:
    words = re.sub(r"[^a-z%]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", header).casefold())
    if "%" in header or re.search(r"\b(?:percent|probability)\b", words):
        return {"type": "percent", "unit": "percent" if largest > 1 or "%" in header else "", "unit_open": largest <= 1}
    unit = next((name for pattern, name in _UNITS if pattern.search(words)), "")
    if _LASTING.search(words) or (unit and "(" in header):
        return {"type": "duration", "unit": unit, "unit_open": not unit}
    currency = _CURRENCY.search(header)
    if currency:
        return {"type": "money", "unit": currency[1]}
    if re.search(r"\b(?:amount|price|revenue|value|betrag|umsatz)\b", words):
        return {"type": "money"}
    return {"type": "integer" if whole else "number"}


def _as_span(header: str, found: list[str]) -> dict[str, Any] | None:
    return {"type": "duration", "unit": "m"} if _share(found, _SPAN.fullmatch) >= _GOOD_SHARE else None


def _as_choice(header: str, found: list[str]) -> dict[str, Any] | None:
    """Tell a picklist, or several in one cell parted by semicolons: few short values that come again and again."""
    parts = [part.strip() for value in found for part in value.split(";") if part.strip()]
    several = _share(found, lambda value: ";" in value) > 0.05
    spellings: dict[str, str] = {}
    entries = parts if several else found
    for value in sorted(entries):
        spellings.setdefault(value.casefold(), value)
    counted = Counter(value.casefold() for value in entries)
    if len(counted) > MOST_VALUES or len(entries) < 2 * len(counted) or any(len(value) > 60 for value in counted):
        return None
    values = tuple(spellings[value] for value in sorted(counted))
    return {"type": "multipicklist" if several else "picklist", "values": values}


def _is_number(value: str) -> bool:
    try:
        read_number(value)
    except IntakeError:
        return False
    return True


def _one_currency(found: Sequence[str]) -> str:
    marks = {mark for value in found for mark in re.findall(r"[A-Z]{3}|[\u20ac\u00a3\u20b9]", value)}
    names = {"\u20ac": "EUR", "\u00a3": "GBP", "\u20b9": "INR"}
    return names.get(next(iter(marks)), next(iter(marks))) if len(marks) == 1 else ""


def _odd(share: float, count: int, why: str) -> tuple[str, ...]:
    odd = round((1 - share) * count)
    return (f"{odd} of {count} values {why}",) if odd else ()
