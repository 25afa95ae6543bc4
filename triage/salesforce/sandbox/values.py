"""Values as the organisation keeps them (instants ms UTC), as it says them, and as it takes them. Ids, too."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from triage.domain.instant import format_instant, parse_instant, to_datetime
from triage.errors import IntakeError
from triage.salesforce.sandbox.schema import Column

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_TIME = re.compile(r"\d\d:\d\d:\d\d(\.\d{3})?Z?")
_ID = re.compile(r"[0-9A-Za-z]{7,18}")


class Refused(Exception):
    """The organisation says no: HTTP status, its code and words, and the fields that are meant."""

    def __init__(self, code: str, text: str, fields: tuple[str, ...] = (), status: int = 400) -> None:
        self.code = code
        self.text = text
        self.fields = fields
        self.status = status
        super().__init__(f"{code}: {text}")

    def body(self) -> dict[str, Any]:
        """Return the error as the REST API says it."""
        found: dict[str, Any] = {"message": self.text, "errorCode": self.code}
        return found | {"fields": list(self.fields)} if self.fields else found


class Caller(NamedTuple):
    """Who writes: a user, the name their client gave itself, and whether assignment rules run for them."""

    user: str
    client: str = ""
    assigns: bool = False


def make_id(prefix: str, number: int) -> str:
    """Return the 18 characters of the id of record *number* of an object."""
    digits = ""
    for _ in range(9):
        number, rest = divmod(number, 62)
        digits = _DIGITS[rest] + digits
    return long_id(f"{prefix}5e0{digits}")


def long_id(short: str) -> str:
    """Return a 15-character id with its three check letters; any other text as it is."""
    if len(short) != 15:
        return short
    check = ""
    for start in (0, 5, 10):
        bits = sum(
            1 << at for at, letter in enumerate(short[start : start + 5]) if letter.isascii() and letter.isupper()
        )
        check += _LETTERS[bits]
    return short + check


def say_instant(instant: int) -> str:
    """Return an instant as the REST API writes it: `2026-01-31T09:00:00.000+0000`."""
    moment = to_datetime(instant)
    return f"{moment.strftime('%Y-%m-%dT%H:%M:%S')}.{instant % 1000:03d}+0000"


def say(value: Any, column: Column) -> Any:
    """Return a kept value as JSON has it."""
    return say_instant(value) if column.type == "datetime" and isinstance(value, int) else value


def say_csv(value: Any, column: Column) -> str:
    """Return a kept value as Bulk CSV has it."""
    if value is None:
        return ""
    if column.type == "datetime":
        text = format_instant(value)
        return text if "." in text else f"{text[:-1]}.000Z"
    return str(value).lower() if isinstance(value, bool) else str(value)


def take(value: Any, column: Column) -> Any:
    """Return *value* as it is kept; raise Refused where the field cannot hold it."""
    if value is None or value == "":
        if column.type == "boolean":
            raise Refused(
                "INVALID_TYPE_ON_FIELD_IN_RECORD", f"{column.name}: value not of required type: {value}", (column.name,)
            )
        return None
    reader = _READERS.get(column.type, _text)
    try:
        return reader(value, column)
    except (ValueError, IntakeError) as cause:
        words = f"Cannot deserialize instance of {column.type} from {type(value).__name__} value {str(value)[:80]}"
        raise Refused("JSON_PARSER_ERROR", words) from cause


def _text(value: Any, column: Column) -> str:
    if not isinstance(value, str | int | float):
        raise ValueError
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if len(text) > column.length:
        words = f"{column.name}: data value too large: {text[:60]} (max length={column.length})"
        raise Refused("STRING_TOO_LONG", words, (column.name,))
    return text


def _choice(value: Any, column: Column) -> str:
    text = _text(value, column)
    if column.values and text not in column.values:
        words = f"{column.name}: bad value for restricted picklist field: {text}"
        raise Refused("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", words, (column.name,))
    return text


def _reference(value: Any, column: Column) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise Refused("MALFORMED_ID", f"{column.name}: id value of incorrect type: {value}", (column.name,))
    return long_id(value)


def _number(value: Any, column: Column) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError
    return float(value)


def _flag(value: Any, column: Column) -> bool:
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise ValueError
    return value


def _instant(value: Any, column: Column) -> int:
    if not isinstance(value, str):
        raise ValueError
    return parse_instant(value)


def _date(value: Any, column: Column) -> str:
    if not isinstance(value, str) or not _DATE.fullmatch(value[:10]):
        raise ValueError
    return value[:10]


def _time(value: Any, column: Column) -> str:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise ValueError
    return value


_READERS: dict[str, Any] = {
    "reference": _reference, "id": _reference, "picklist": _choice, "boolean": _flag, "datetime": _instant,
    "date": _date, "time": _time, **dict.fromkeys(("double", "currency", "percent", "int"), _number),
}  # fmt: skip
