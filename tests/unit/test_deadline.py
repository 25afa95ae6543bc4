"""Deadline lines: one answer or one error per question, in order."""

from __future__ import annotations

import json
from time import perf_counter

import pytest

from triage.deadline import answer_lines

LONDON = {"tz": "Europe/London", "weekly": {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}}
START = "2026-01-12T09:00:00Z"


def ask(**fields: object) -> dict:
    """Return the one answer to a question on London's office hours, decoded."""
    ((text, ok),) = answer_lines([json.dumps({"id": "q", "calendar": LONDON, **fields})])
    answer = json.loads(text)
    assert ok == ("result" in answer)
    assert answer["id"] == "q"
    return answer


@pytest.mark.parametrize(
    ("question", "result"),
    [
        ({"kind": "add", "start": START, "seconds": 3600}, "2026-01-12T10:00:00Z"),
        ({"kind": "add", "start": START, "seconds": 8 * 3600}, "2026-01-12T17:00:00Z"),
        ({"kind": "add", "start": "2026-01-10T03:00:00Z", "seconds": 0}, "2026-01-10T03:00:00Z"),
        ({"kind": "add", "start": "2026-01-12T09:00:00.250Z", "seconds": 1}, "2026-01-12T09:00:01.250Z"),
        ({"kind": "add", "start": "2026-01-12T10:00:00+01:00", "seconds": 60}, "2026-01-12T09:01:00Z"),
        ({"kind": "subtract", "end": "2026-01-13T10:00:00Z", "seconds": 7200}, "2026-01-12T16:00:00Z"),
        ({"kind": "subtract", "start": "2026-01-13T10:00:00Z", "seconds": 7200}, "2026-01-12T16:00:00Z"),
        ({"kind": "subtract", "start": START, "end": "2026-01-13T10:00:00Z", "seconds": 0}, "2026-01-13T10:00:00Z"),
        ({"kind": "between", "start": START, "end": "2026-01-13T10:00:00Z"}, 9 * 3600),
        ({"kind": "between", "start": "2026-01-12T09:00:00.001Z", "end": "2026-01-12T09:00:01.002Z"}, 2),
        ({"kind": "between", "start": "2026-01-13T10:00:00Z", "end": START}, 0),
        ({"kind": "next_open", "start": "2026-01-10T03:00:00Z"}, START),
        ({"kind": "next_open", "start": START}, START),
        ({"kind": "prev_open", "start": "2026-01-10T03:00:00Z"}, "2026-01-09T17:00:00Z"),
        ({"kind": "is_open", "start": START}, True),
        ({"kind": "is_open", "start": "2026-01-12T17:00:00Z"}, False),
    ],
)
def test_each_kind_is_answered(question: dict, result: object) -> None:
    assert ask(**question) == {"id": "q", "result": result}


def test_pauses_move_the_answer() -> None:
    pauses = [["2026-01-12T10:00:00Z", "2026-01-12T11:00:00Z"], ["2026-01-12T10:30:00Z", "2026-01-12T11:30:00Z"]]
    assert ask(kind="add", start=START, seconds=2 * 3600, pauses=pauses)["result"] == "2026-01-12T12:30:00Z"
    assert ask(kind="between", start=START, end="2026-01-12T17:00:00Z", pauses=pauses)["result"] == 6.5 * 3600
    assert ask(kind="subtract", end="2026-01-12T12:30:00Z", seconds=7200, pauses=pauses)["result"] == START


def test_an_open_pause_that_swallows_the_amount_is_never() -> None:
    answer = ask(kind="add", start=START, seconds=3601, pauses=[["2026-01-12T10:00:00Z", None]])
    assert answer["error"].startswith("never: ")


def test_an_open_pause_that_begins_as_the_amount_is_used_up_is_in_time() -> None:
    answer = ask(kind="add", start=START, seconds=3600, pauses=[["2026-01-12T10:00:00Z", None]])
    assert answer["result"] == "2026-01-12T10:00:00Z"


@pytest.mark.parametrize(
    ("question", "error"),
    [
        ({"kind": "adds"}, "unknown kind 'adds': did you mean 'add'?"),
        ({}, "unknown kind None: write one of add, subtract"),
        ({"kind": ["add"]}, "unknown kind"),
        ({"kind": "add", "seconds": 1}, "start is missing"),
        ({"kind": "subtract", "seconds": 1}, "end is missing"),
        ({"kind": "between", "start": START}, "end is missing"),
        ({"kind": "add", "start": START}, "seconds: None is not a whole number"),
        ({"kind": "add", "start": START, "seconds": 1.5}, "seconds: 1.5 is not a whole number"),
        ({"kind": "add", "start": START, "seconds": "60"}, "is not a whole number"),
        ({"kind": "add", "start": START, "seconds": True}, "is not a whole number"),
        ({"kind": "add", "start": START, "seconds": -1}, "seconds: -1 is negative"),
        ({"kind": "add", "start": START, "seconds": 10**15}, "would reach past 2199"),
        ({"kind": "add", "start": START, "seconds": 10**30}, "would reach past 2199"),
        ({"kind": "subtract", "end": START, "seconds": 10**15}, "would reach back before 1970"),
        ({"kind": "add", "start": "2026-01-12T09:00:00", "seconds": 1}, "start: '2026-01-12T09:00:00' has no zone"),
        ({"kind": "add", "start": "yesterday", "seconds": 1}, "start: 'yesterday' is not an instant"),
        ({"kind": "add", "start": 1768208400, "seconds": 1}, "start: 1768208400 is not an instant"),
        ({"kind": "is_open", "start": "1969-12-31T23:59:59Z"}, "1969-12-31T23:59:59Z lies outside 1970 to 2199"),
        ({"kind": "is_open", "start": "9999-12-31T00:00:00Z"}, "lies outside 1970 to 2199"),
        ({"kind": "is_open", "start": START, "pause": []}, "unknown field 'pause': did you mean 'pauses'?"),
        ({"kind": "add", "start": START, "seconds": 1, "pauses": {}}, "pauses: write a list"),
        ({"kind": "add", "start": START, "seconds": 1, "pauses": [[START]]}, "pauses[0]: write [from, to]"),
        ({"kind": "add", "start": START, "seconds": 1, "pauses": [[None, START]]}, "pauses[0]: None is not an instant"),
        (
            {"kind": "add", "start": START, "seconds": 1, "pauses": [[START, "2026-01-11T00:00:00Z"]]},
            "pauses[0]: ends before it starts",
        ),
        ({"kind": "is_open", "start": START, "calendar": None}, "calendar is missing"),
        ({"kind": "is_open", "start": START, "calendar": "support"}, "the calendar: expected tz"),
        ({"kind": "is_open", "start": START, "calendar": {"tz": "UTC"}}, "the calendar is never open"),
        (
            {"kind": "is_open", "start": START, "calendar": {"tz": "Europe/Londn", "weekly": {}}},
            "unknown time zone 'Europe/Londn': did you mean 'Europe/London'",
        ),
        (
            {"kind": "is_open", "start": START, "calendar": {"tz": "UTC", "weekly": {"monday": [["09:00", "17:00"]]}}},
            "'monday' is not a day: write 'mon'",
        ),
        ({"kind": "is_open", "start": START, "calendar": {"tz": "UTC", "hours": {}}}, "unknown field `hours`"),
    ],
)
def test_a_question_that_fails_says_why_in_its_place(question: dict, error: str) -> None:
    assert error in ask(**question)["error"]


@pytest.mark.parametrize(
    "line", ["{", "[]", "null", '"x"', "5", b"\xff\xfe{}", '{"id": NaN}', "[" * 100_000, '{"id":"\ud800"}', "\x00"]
)
def test_a_line_that_cannot_be_read_has_no_id(line: str | bytes) -> None:
    ((text, ok),) = answer_lines([line])
    answer = json.loads(text)
    assert (answer["id"], ok) == (None, False)
    assert answer["error"].startswith("the line is not")


def test_answers_keep_the_order_of_their_lines_and_failures_stop_nothing() -> None:
    good = {"kind": "is_open", "calendar": LONDON, "start": START}
    lines = [json.dumps({"id": 1, **good}), "oops", "", "  \n", json.dumps({"id": 2, **good}).encode() + b"\n"]
    answers = [(json.loads(text)["id"], ok) for text, ok in answer_lines(lines)]
    assert answers == [(1, True), (None, False), (2, True)]


def test_an_id_of_any_kind_comes_back_as_it_was() -> None:
    for given in ("a", 7, None, [1, "x"], {"n": 1}):
        ((text, _),) = answer_lines([json.dumps({"id": given, "kind": "is_open", "calendar": LONDON, "start": START})])
        assert json.loads(text)["id"] == given


def test_an_answer_is_compact_json() -> None:
    ((text, _),) = answer_lines([json.dumps({"id": 1, "kind": "is_open", "calendar": LONDON, "start": START})])
    assert text == '{"id":1,"result":true}'


def test_a_full_calendar_is_understood() -> None:
    calendar = {
        **LONDON,
        "holidays": ["2026-01-13", {"date": "2026-01-14", "end": "12:00", "name": "Late start"},
                     {"recurrence": {"type": "RecursMonthly", "day": 15}, "name": "Stocktaking"}],
        "overrides": {"2026-01-17": [["10:00", "14:00"]]},
        "breaks": {"daily": [["13:00", "13:30"]], "fri": [["15:00", "15:15"]], "2026-01-12": [["09:00", "10:00"]]},
    }  # fmt: skip
    hours = {"12": 6.5, "13": 0, "14": 4.5, "15": 0, "16": 7.25, "17": 3.5}
    for day, expected in hours.items():
        start, end = f"2026-01-{day}T00:00:00Z", f"2026-01-{day}T23:59:59Z"
        assert ask(kind="between", calendar=calendar, start=start, end=end)["result"] == expected * 3600


def test_ten_thousand_lines_take_seconds_because_calendars_are_compiled_once() -> None:
    line = json.dumps({"id": 1, "kind": "add", "calendar": LONDON, "start": START, "seconds": 86_400})
    begun = perf_counter()
    answers = list(answer_lines([line] * 10_000))
    assert len(answers) == 10_000
    assert perf_counter() - begun < 5
