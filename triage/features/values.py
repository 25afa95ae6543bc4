"""One raw or coerced value as a level, a number, a text or an instant. Never raises: what cannot be read is missing."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from triage.domain.instant import from_datetime
from triage.features.spelled import decimal_mark, digits_of, number_of, spelled

LONGEST_TEXT = 4_000
"""Characters of one text field that count; what a person writes about a case stands in its beginning."""
LONGEST_LEVEL = 80

_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?", re.ASCII | re.IGNORECASE)
_WHOLE = re.compile(r"-?[1-9]\d*|0", re.ASCII)
_DRESSING = re.compile(r"^[^\w.+-]+|[\s%€$£]+$")


def as_level(value: Any) -> str:
    """Return *value* as a level: casefolded, 12 for 12.0 or its text, `true` for True, "" for missing; cut at 80."""
    if type(value) is str:
        level = value.strip().casefold()[:LONGEST_LEVEL]
        # Where a column of whole numbers has gaps, spreadsheets write 12.0: the number itself is 12.
        return level[:-2] if level.endswith(".0") and _WHOLE.fullmatch(level[:-2]) else level
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (Decimal, timedelta)):
        return as_level(_measured(value))
    return _flat(value).strip().casefold()[:LONGEST_LEVEL]


def as_number(value: Any) -> float:
    """Return *value* as a finite float, NaN where it is none: `1,234.5`, `1.234,50 €` and `12 %` are one, "" is not."""
    if isinstance(value, (int, float)):
        number = float(value) if abs(value) < 1e300 or value != value else math.nan
        return number if math.isfinite(number) else math.nan
    if isinstance(value, (Decimal, timedelta)):
        return _measured(value)
    if not isinstance(value, str):
        return math.nan
    text = _DRESSING.sub("", value.strip())
    number = float(text) if _NUMBER.fullmatch(text) else _spelled(value)
    return number if math.isfinite(number) else math.nan


def _measured(value: Decimal | timedelta) -> float:
    """Return an exact number or a span (in seconds) as the training table holds it."""
    number = float(value) if isinstance(value, Decimal) else value.total_seconds()
    return number if math.isfinite(number) else math.nan


def _spelled(text: str) -> float:
    found = spelled(text)
    point = decimal_mark([digits_of(found)]) if found else None
    return number_of(found, point) if found and point else math.nan


def as_text(value: Any) -> str:
    """Return *value* as text, "" for missing; the first 4,000 characters."""
    if type(value) is str:
        return value[:LONGEST_TEXT]
    if value is None or value != value:
        return ""
    return (as_level(value) if isinstance(value, (bool, int, float)) else _flat(value))[:LONGEST_TEXT]


def as_hours(value: Any) -> float:
    """Return the instant *value* in hours since 1970 UTC, NaN where it names none; text without a zone is UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            return math.nan
    if isinstance(value, datetime):
        if value != value:
            return math.nan
        return from_datetime(value if value.tzinfo else value.replace(tzinfo=UTC)) / 3_600_000
    if isinstance(value, date):
        return from_datetime(datetime(value.year, value.month, value.day, tzinfo=UTC)) / 3_600_000
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return math.nan
    return value / 3_600_000


def _flat(value: Any) -> str:
    if isinstance(value, (list, tuple, set, frozenset)):
        return ", ".join(sorted(as_level(part) for part in value))
    if isinstance(value, dict):
        return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return str(value)
