"""Numbers as people and exports write them. What could be read in two ways is refused, never guessed."""

from __future__ import annotations

import re
from decimal import Decimal

from triage.errors import IntakeError
from triage.intake.text import show

MOST = 1 << 63
"""Numbers reach to what 64 bits hold; beyond that, neither stores nor JSON readers agree."""

_SPACES = re.compile(r"(?<=\d)[ \u00a0\u202f'\u2019](?=\d{3}(?:\D|$))")
_PLAIN = re.compile(r"[+-]?\d{1,40}(?:\.\d{1,40})?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_COMMAS = re.compile(r"[+-]?\d{1,3}(?:(?:,\d{3}){2,}|(?:,\d{3})+\.\d{1,20})(?:\.\d{1,20})?", re.ASCII)
_POINTS = re.compile(r"[+-]?\d{1,3}(?:(?:\.\d{3}){2,}|(?:\.\d{3})+,\d{1,20})(?:,\d{1,20})?", re.ASCII)
_CURRENCY = re.compile(
    r"^([+-]?)\s*([A-Z]{3}|[$\u20ac\u00a3\u00a5\u20b9])\s*(.*)$|^(.*?)\s*([A-Z]{3}|[$\u20ac\u00a3\u00a5\u20b9])$"
)
_SIGNS = {
    "$": ("USD", "CAD", "AUD", "NZD", "SGD", "HKD", "MXN"),
    "\u20ac": ("EUR",),
    "\u00a3": ("GBP",),
    "\u00a5": ("JPY", "CNY"),
    "\u20b9": ("INR",),
}


def read_number(raw: object) -> Decimal:
    """
    Return the number *raw* states: an int, a finite float, or text such as `12`, `-1.5e3`, `1,234.5`, `1.234.567,8`.

    `1,5` and `1,234` could be one and a half or more than a thousand: IntakeError, as for all that is no number.
    """
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        raise IntakeError(f"{show(raw)} is not a number")
    number = _read_text(raw) if isinstance(raw, str) else Decimal(str(raw)) if _short(raw) else None
    if number is None or not number.is_finite() or not -MOST <= number < MOST:
        raise IntakeError(f"{show(raw)} is not a finite number of 64 bits")
    return number


def read_money(raw: object, currency: str = "") -> Decimal:
    """
    Return the amount *raw* states, with or without a currency sign or code: `$1,234.50`, `EUR 12`, `12.5 USD`.

    Where *currency* is declared, an amount in another one is refused with IntakeError.
    """
    if not isinstance(raw, str):
        return read_number(raw)
    match = _CURRENCY.match(raw.strip())
    if match is None:
        return read_number(raw)
    mark = match[2] or match[5]
    if currency and currency.upper() not in _SIGNS.get(mark, (mark,)):
        raise IntakeError(f"{show(raw)} is not in {currency}")
    return read_number(f"{match[1]}{match[3]}" if match[2] else match[4])


def plain_number(number: Decimal) -> int | float:
    """Return *number* as an int where it is whole and as the nearest float otherwise, so `12`, `12.0` read alike."""
    return int(number) if number == number.to_integral_value() else float(number)


def _short(raw: float) -> bool:
    return not isinstance(raw, int) or -MOST <= raw < MOST


def _read_text(raw: str) -> Decimal:
    text = _SPACES.sub("", raw.strip())
    if _PLAIN.fullmatch(text):
        return Decimal(text)
    if _COMMAS.fullmatch(text):
        return Decimal(text.replace(",", ""))
    if _POINTS.fullmatch(text):
        return Decimal(text.replace(".", "").replace(",", "."))
    if re.fullmatch(r"[+-]?\d+,\d+", text, re.ASCII):
        raise IntakeError(f"{show(raw)} could be a fraction or thousands: write it with a point, or without separators")
    raise IntakeError(f"{show(raw)} is not a number")
