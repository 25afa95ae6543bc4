"""
Criteria and formulas judged as Salesforce judges them, straight on a record's raw values: no tree, no compilation.

A record is a mapping from API paths (`Case.Status`, `Account.SLA__c`) to raw values; absent, None and "" are blank.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

Record = Mapping[str, Any]
CHECKBOXES = frozenset({"true", "false"})


class Unsupported(Exception):
    """The criteria ask for something that is not emulated."""


def matches(record: Record, entry: Mapping[str, Any]) -> bool:
    """Return whether *record* matches an entry: its formula, else its criteria joined by its filter or by AND."""
    if entry.get("formula") is not None:
        return formula_holds(record, str(entry["formula"]))
    results = [criterion_holds(record, item) for item in entry.get("criteriaItems") or ()]
    joined = entry.get("booleanFilter")
    return filter_holds(str(joined), results) if joined else all(results)


def criterion_holds(record: Record, item: Mapping[str, Any]) -> bool:
    """Return whether one line of criteria holds."""
    raw = record.get(str(item["field"]))
    operation = str(item["operation"])
    wanted = values_of(str(item.get("value") or ""))
    if operation in ("equals", "notEqual"):
        return any(same(raw, value) for value in wanted) == (operation == "equals")
    if operation in ("contains", "notContain"):
        text = as_text(raw).casefold()
        return any(value and value.casefold() in text for value in wanted) == (operation == "contains")
    if operation == "startsWith":
        return any(value and as_text(raw).casefold().startswith(value.casefold()) for value in wanted)
    if operation in ("includes", "excludes"):
        chosen = {part.strip().casefold() for part in as_text(raw).split(";")}
        return any(value.casefold() in chosen for value in wanted if value) == (operation == "includes")
    if operation in ("lessThan", "lessOrEqual", "greaterThan", "greaterOrEqual"):
        return ranked(raw, operation, wanted[0])
    raise Unsupported(operation)


def same(raw: Any, value: str) -> bool:
    """Return whether a raw value equals one of a criterion's, capitals aside; an unticked checkbox may be absent."""
    if value.casefold() in CHECKBOXES and (raw is None or isinstance(raw, bool)):
        return bool(raw) == (value.casefold() == "true")
    if is_blank(raw) or value == "":
        return is_blank(raw) and value == ""
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        return as_number(value) == float(raw)
    left, right = as_moment(as_text(raw)), as_moment(value)
    if left is not None and right is not None:
        return left == right
    return as_text(raw).casefold() == value.casefold()


def ranked(raw: Any, operation: str, value: str) -> bool:
    """Return a comparison of numbers, or of texts such as dates; a blank never compares."""
    if is_blank(raw):
        return False
    left: Any = as_number(as_text(raw))
    right: Any = as_number(value)
    if left is None or right is None:
        left, right = as_moment(as_text(raw)), as_moment(value)
    if left is None or right is None:
        left, right = as_text(raw), value
    return bool({
        "lessThan": left < right, "lessOrEqual": left <= right, "greaterThan": left > right,
        "greaterOrEqual": left >= right,
    }[operation])  # fmt: skip


def is_blank(raw: Any) -> bool:
    """Return whether a raw value says nothing."""
    return raw is None or (isinstance(raw, str) and not raw.strip())


def as_text(raw: Any) -> str:
    """Return a raw value as text."""
    if raw is None:
        return ""
    if isinstance(raw, bool):
        return "true" if raw else "false"
    return f"{raw:g}" if isinstance(raw, float) else str(raw)


def as_moment(text: str) -> datetime | None:
    """Return the instant that *text* is, None for none; a date alone is none."""
    if "T" not in text:
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None


def as_number(text: str) -> float | None:
    """Return the number that *text* is, None for none."""
    return float(text) if re.fullmatch(r"-?\d+(\.\d+)?", text) else None


def values_of(text: str) -> list[str]:
    """Return the values of a comma list, in which quotes protect commas; one blank for nothing."""
    values, current, quoted, was_quoted = [], "", False, False
    letters = list(text)
    while letters:
        letter = letters.pop(0)
        if letter == '"' and quoted and letters[:1] == ['"']:
            current += letters.pop(0)
        elif letter == '"' and (quoted or not current.strip()):
            quoted, was_quoted = not quoted, True
        elif letter == "," and not quoted:
            values.append(current if was_quoted else current.strip())
            current, was_quoted = "", False
        else:
            current += letter
    if current.strip() or was_quoted or not values:
        values.append(current.rstrip() if was_quoted else current.strip())
    return [value.strip() for value in values]


def filter_holds(text: str, results: Sequence[bool]) -> bool:
    """Return the value of a filter such as `(1 OR 2) AND NOT 3` over the *results* of the criteria, from 1."""
    for symbol, word in (("&&", " and "), ("||", " or "), ("!", " not ")):
        text = text.replace(symbol, word)
    tokens = re.findall(r"\d+|\(|\)|and|or|not", text.lower())
    # Innermost brackets are worked out first, then NOT, AND, OR, until one value is left.
    values: list[Any] = [results[int(one) - 1] if one.isdigit() else one for one in tokens]
    while "(" in values:
        close = values.index(")")
        begin = max(place for place in range(close) if values[place] == "(")
        values[begin : close + 1] = [_flat(values[begin + 1 : close])]
    return _flat(values)


def _flat(values: list[Any]) -> bool:
    while "not" in values:
        last = max(place for place, value in enumerate(values) if value == "not")
        values[last : last + 2] = [not values[last + 1]]
    terms: list[list[bool]] = [[]]
    for value in values:
        if value == "or":
            terms.append([])
        elif value != "and":
            terms[-1].append(bool(value))
    return any(all(term) for term in terms)


_TOKEN = re.compile(
    r"\s*(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|-?\d+(?:\.\d+)?|[A-Za-z_][\w.:]*|<>|!=|==|<=|>=|&&|\|\||[=<>!(),])"
)


def formula_holds(record: Record, text: str) -> bool:
    """Return the value of a formula of the simple kind: calls, comparisons, `&&`, `||`, `!`."""
    tokens = _TOKEN.findall(re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL))
    return bool(_Formula(record, tokens).disjunction())


class _Formula:
    """Evaluates while it reads."""

    def __init__(self, record: Record, tokens: list[str]) -> None:
        self.record = record
        self.tokens = tokens

    def disjunction(self) -> Any:
        value = self._conjunction()
        while self.tokens[:1] == ["||"]:
            self.tokens.pop(0)
            other = self._conjunction()
            value = bool(value) or bool(other)
        return value

    def _conjunction(self) -> Any:
        value = self._comparison()
        while self.tokens[:1] == ["&&"]:
            self.tokens.pop(0)
            other = self._comparison()
            value = bool(value) and bool(other)
        return value

    def _comparison(self) -> Any:
        left = self._value()
        if self.tokens and self.tokens[0] in ("=", "==", "<>", "!=", "<", "<=", ">", ">="):
            op = self.tokens.pop(0)
            right = self._value()
            if isinstance(right, bool):
                return (bool(left) == right) == (op in ("=", "=="))
            if op in ("=", "==", "<>", "!="):
                return _equal(left, right) == (op in ("=", "=="))
            names = {"<": "lessThan", "<=": "lessOrEqual", ">": "greaterThan", ">=": "greaterOrEqual"}
            return ranked(left, names[op], as_text(right))
        return left

    def _value(self) -> Any:
        word = self.tokens.pop(0)
        if word == "!":
            return not self._value()
        if word == "(":
            inner = self.disjunction()
            self.tokens.pop(0)
            return inner
        if word[0] in "\"'":
            return re.sub(r"\\(.)", r"\1", word[1:-1])
        if word.lstrip("-")[:1].isdigit():
            return float(word)
        if self.tokens[:1] == ["("]:
            return self._call(word.upper())
        if word.upper() in ("TRUE", "FALSE"):
            return word.upper() == "TRUE"
        return self.record.get(word if "." in word else f"Case.{word}")

    def _call(self, name: str) -> Any:
        self.tokens.pop(0)
        given: list[Any] = []
        while self.tokens[:1] != [")"]:
            given.append(self.disjunction())
            if self.tokens[:1] == [","]:
                self.tokens.pop(0)
        self.tokens.pop(0)
        if name not in _FUNCTIONS:
            raise Unsupported(name)
        return _FUNCTIONS[name](given)


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, int | float) and not isinstance(left, bool):
        return as_number(as_text(right)) == float(left)
    return as_text(left).casefold() == as_text(right).casefold()


def _inside(given: list[Any]) -> bool:
    return bool(given[1]) and as_text(given[1]).casefold() in as_text(given[0]).casefold()


def _chosen(given: list[Any]) -> bool:
    return as_text(given[1]).casefold() in {part.strip().casefold() for part in as_text(given[0]).split(";")}


_FUNCTIONS = {
    "AND": lambda given: all(bool(one) for one in given),
    "OR": lambda given: any(bool(one) for one in given),
    "NOT": lambda given: not given[0],
    "IF": lambda given: given[1] if given[0] else given[2],
    "ISPICKVAL": lambda given: _equal(given[0], given[1]),
    "TEXT": lambda given: as_text(given[0]),
    "ISBLANK": lambda given: is_blank(given[0]),
    "ISNULL": lambda given: is_blank(given[0]),
    "BEGINS": lambda given: as_text(given[0]).casefold().startswith(as_text(given[1]).casefold()),
    "CONTAINS": _inside,
    "INCLUDES": _chosen,
}
