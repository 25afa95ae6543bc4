"""What says who somebody is, taken out before a text leaves: by its form, or because the record knows it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping

LEAST = 3
"""A known value shorter than this is left: it would stand in half of all words."""

MOST_KNOWN = 200
"""A known value longer than this is a text, not somebody's name."""

_MAIL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}", re.IGNORECASE)
_CARD = re.compile(r"\d(?<![\d.]\d)(?:[ .-]?\d){12,18}(?!\d)")
_PHONE = re.compile(r"(?<![\w.])(?:\+|00)?\(?\d[\d \t()./-]{5,22}\d(?!\w)")
_DIGIT = re.compile(r"\d")
_IBAN_DIGITS, _LEAST_DIGITS = 2, 7
_DATE = re.compile(r"\d{4}-\d\d-\d\d|^\d{1,2}[./]\d{1,2}[./]\d{2,4}$")
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_COMMON = frozenset(("the", "and", "for", "von", "van", "der", "den", "del", "und", "inc", "ltd", "gmbh", "corp"))


def known_values(values: Iterable[object]) -> tuple[str, ...]:
    """Return what is to be masked among a record's own *values*: each text, and the names that it is made of."""
    found: dict[str, None] = {}
    for value in values:
        if not isinstance(value, str) or not LEAST <= len(value.strip()) <= MOST_KNOWN:
            continue
        value = unicodedata.normalize("NFKC", value).strip()
        found[value] = None
        words = _WORD.findall(value)
        if 1 < len(words) <= 5:
            found.update(dict.fromkeys(word for word in words if _telling(word)))
    return tuple(sorted(found, key=lambda text: (-len(text), text)))


def mask(text: str, known: Iterable[str] = ()) -> tuple[str, Mapping[str, int]]:
    """
    Return *text* with marks such as `[email]` in place of what it must not say, and how many of each.

    E-mail addresses, IBANs (mod 97), card numbers (Luhn), telephone numbers, then every one of *known* as whole words,
    whatever their capitals. A mark holds nothing that another form could match.
    """
    counts: dict[str, int] = {}

    def put(mark: str) -> str:
        counts[mark] = counts.get(mark, 0) + 1
        return f"[{mark}]"

    if "@" in text:
        text = _MAIL.sub(lambda _: put("email"), text)
    digits = len(_DIGIT.findall(text))
    if digits >= _IBAN_DIGITS:
        text = _IBAN.sub(lambda found: _iban(found[0], put), text)
    # Cards and telephones have seven digits at least: most texts have not.
    if digits >= _LEAST_DIGITS:
        text = _CARD.sub(lambda found: put("card") if luhn(found[0]) else found[0], text)
        text = _PHONE.sub(lambda found: put("phone") if _is_phone(found[0]) else found[0], text)
    words = [re.escape(value) for value in known]
    if words:
        # The longest first: a whole name is one mark.
        text = re.sub(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)", lambda _: put("known"), text, flags=re.IGNORECASE)
    return text, counts


def luhn(text: str) -> bool:
    """Tell whether the digits of *text* carry a card's check digit."""
    digits = [int(one) for one in text if one.isdigit()]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[-2::-2])
    return 13 <= len(digits) <= 19 and len(set(digits)) > 1 and (sum(doubled) + sum(digits[-1::-2])) % 10 == 0


def iban(text: str) -> bool:
    """Tell whether *text* is an account number whose check digits are right."""
    plain = re.sub(r"[ -]", "", text).upper()
    if not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", plain):
        return False
    return int("".join(str(int(one, 36)) for one in plain[4:] + plain[:4])) % 97 == 1


def _iban(text: str, put: Callable[[str], str]) -> str:
    """Return *text* with the account number at its beginning masked; what follows it may have been read along."""
    for end in range(len(text), 14, -1):
        if text[end - 1].isalnum() and not text[end : end + 1].isalnum() and iban(text[:end]):
            return put("iban") + text[end:]
    return text


def _is_phone(text: str) -> bool:
    digits = sum(one.isdigit() for one in text)
    return _LEAST_DIGITS <= digits <= 15 and not _DATE.search(text)


def _telling(word: str) -> bool:
    return len(word) >= LEAST and word.casefold() not in _COMMON and not word.isdigit()
