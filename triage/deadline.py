"""
Answers `triage deadline --jsonl`: questions on calendars in, one line each, results out, in the same order.

No clock, no files: lines come in and lines go out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

import msgspec

from triage.calendars import Calendar, compile_calendar, read_definition
from triage.domain.facts import Pause
from triage.domain.instant import SECOND, format_instant, parse_instant
from triage.errors import IntakeError, TriageError

_CACHED = 2_000
_FIELDS = ("id", "kind", "calendar", "start", "end", "seconds", "pauses")
_Line = Mapping[str, Any]


def answer_lines(lines: Iterable[str | bytes]) -> Iterator[tuple[str, bool]]:
    """
    Yield one compact JSON text per line of *lines*, in order, and whether the question could be answered.

    `{"id","result"}`, or `{"id","error"}` in its place, with id null where the line cannot be read. Instants come
    back as ISO 8601 with Z, amounts as whole seconds rounded up. Blank lines hold no question and are passed over.
    """
    compiled: dict[bytes, Calendar] = {}
    for line in lines:
        if line.strip():
            yield _answer_line(line, compiled)


def _answer_line(line: str | bytes, compiled: dict[bytes, Calendar]) -> tuple[str, bool]:
    asked_by: object = None
    try:
        question = _decode(line)
        asked_by = question.get("id")
        answer = {"id": asked_by, "result": _answer(question, compiled)}
        return msgspec.json.encode(answer).decode(), True
    except TriageError as cause:
        return msgspec.json.encode({"id": asked_by, "error": str(cause)}).decode(), False


def _decode(line: str | bytes) -> _Line:
    try:
        decoded = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as cause:
        raise IntakeError(f"the line is not JSON: {cause}") from cause
    if not isinstance(decoded, dict):
        raise IntakeError(f"the line is not a JSON object but {type(decoded).__name__}")
    return decoded


def _answer(question: _Line, compiled: dict[bytes, Calendar]) -> str | int | bool:
    # Keys of others pass (a file may carry notes), but one that looks like a slip would change the answer unseen.
    for key in question:
        if key not in _FIELDS and (near := get_close_matches(key, _FIELDS, n=1, cutoff=0.75)):
            raise IntakeError(f"unknown field {key!r}: did you mean {near[0]!r}?")
    kind = question.get("kind")
    if not isinstance(kind, str) or kind not in _KINDS:
        near = get_close_matches(str(kind), _KINDS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"write one of {', '.join(_KINDS)}"
        raise IntakeError(f"unknown kind {kind!r}: {hint}")
    return _KINDS[kind](question, _calendar(question, compiled))


def _calendar(question: _Line, compiled: dict[bytes, Calendar]) -> Calendar:
    raw = question.get("calendar")
    if raw is None:
        raise IntakeError('calendar is missing: write {"tz":"UTC","weekly":{"mon":[["09:00","17:00"]]}}')
    key = msgspec.json.encode(raw, order="sorted")
    calendar = compiled.get(key)
    if calendar is None:
        calendar = compile_calendar(read_definition(raw))
        if len(compiled) >= _CACHED:
            compiled.clear()
        compiled[key] = calendar
    return calendar


def _add(question: _Line, calendar: Calendar) -> str:
    seconds, pauses = _seconds(question), _pauses(question)
    due = calendar.add(_instant(question, "start"), seconds * SECOND, pauses)
    return _told(due, seconds)


def _subtract(question: _Line, calendar: Calendar) -> str:
    seconds, pauses = _seconds(question), _pauses(question)
    begun = calendar.subtract(_instant(question, "end", "start"), seconds * SECOND, pauses)
    return _told(begun, seconds)


def _between(question: _Line, calendar: Calendar) -> int:
    elapsed = calendar.elapsed(_instant(question, "start"), _instant(question, "end"), _pauses(question))
    return -(-elapsed // SECOND)


def _next_open(question: _Line, calendar: Calendar) -> str:
    return format_instant(calendar.next_open(_instant(question, "start", "end")))


def _prev_open(question: _Line, calendar: Calendar) -> str:
    return format_instant(calendar.prev_open(_instant(question, "start", "end")))


def _is_open(question: _Line, calendar: Calendar) -> bool:
    return calendar.is_open(_instant(question, "start", "end"))


def _told(instant: int | None, seconds: int) -> str:
    if instant is None:
        raise IntakeError(f"never: a pause without end begins before {seconds} s are used up")
    return format_instant(instant)


def _instant(question: _Line, *fields: str) -> int:
    for field in fields:
        text = question.get(field)
        if text is not None:
            return _parse(field, text)
    raise IntakeError(f"{fields[0]} is missing: write an instant such as 2026-01-31T09:00:00Z")


def _parse(field: str, text: object) -> int:
    if not isinstance(text, str):
        raise IntakeError(f"{field}: {text!r} is not an instant: write 2026-01-31T09:00:00Z")
    try:
        return parse_instant(text)
    except IntakeError as cause:
        raise IntakeError(f"{field}: {cause.reason}") from cause


def _seconds(question: _Line) -> int:
    seconds = question.get("seconds")
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        raise IntakeError(f"seconds: {seconds!r} is not a whole number of seconds")
    if seconds < 0:
        raise IntakeError(f"seconds: {seconds} is negative: write 0 or more")
    return seconds


def _pauses(question: _Line) -> tuple[Pause, ...]:
    raw = question.get("pauses")
    if raw is None:
        return ()
    if not isinstance(raw, list):
        raise IntakeError("pauses: write a list of [from, to], with null for a pause without end")
    return tuple(_pause(f"pauses[{index}]", pair) for index, pair in enumerate(raw))


def _pause(field: str, pair: object) -> Pause:
    if not isinstance(pair, list) or len(pair) != 2:
        raise IntakeError(f"{field}: write [from, to], with null for a pause without end")
    start, end = _parse(field, pair[0]), None if pair[1] is None else _parse(field, pair[1])
    if end is not None and end < start:
        raise IntakeError(f"{field}: ends before it starts: {pair[0]} to {pair[1]}")
    return start, end


_KINDS: dict[str, Callable[[_Line, Calendar], str | int | bool]] = {
    "add": _add,
    "subtract": _subtract,
    "between": _between,
    "next_open": _next_open,
    "prev_open": _prev_open,
    "is_open": _is_open,
}
