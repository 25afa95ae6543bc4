"""Laws of rolling back: forward again gives the final row, and every row of a damaged folder is accounted for."""

from __future__ import annotations

import csv
import gzip
import io
import random
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from triage.domain.instant import format_instant
from triage.domain.work import Event
from triage.replay.history import Refusal, in_order, read_export, read_log
from triage.replay.rollback import AUDIT, Change, find_outcome, live_through, same_value

FIELDS = ("Status", "Priority", "OwnerId", "Reason")
VALUES = ("", "New", "Working", "Closed", "Low", "High")
CLOSED = frozenset({"Closed"})
START = 1_767_225_600_000

rows = st.lists(st.tuples(st.integers(0, 5), st.sampled_from("ab"), st.sampled_from(FIELDS), st.sampled_from(VALUES)))
openings = st.fixed_dictionaries({name: st.sampled_from(VALUES) for name in FIELDS})


def _told(opening: dict[str, str], rows: list[tuple[int, str, str, str]]) -> tuple[dict[str, str], list[Change]]:
    """Return the final row, and the history that led to it, of a life played forward by this test's own hand."""
    state, changes = dict(opening), []
    for number, (minutes, actor, name, new) in enumerate(sorted(rows, key=lambda row: row[0])):
        if state[name] != new:
            changes.append(Change(START + minutes * 60_000, actor, name, state[name], new, f"h{number}"))
            state[name] = new
    return state, changes


@given(openings, rows)
@settings(max_examples=150)
def test_rolling_back_and_forward_gives_the_final_row(
    opening: dict[str, str], rows: list[tuple[int, str, str, str]]
) -> None:
    """The opening is the one it began with, forward it ends as it ended, and a true history contradicts nothing."""
    final, changes = _told(opening, rows)
    life = live_through("Case", "500", START, final, changes, None)
    assert life.opening == {name: value for name, value in opening.items() if value}
    assert life.inconsistencies == ()
    state: dict[str, str | None] = dict(life.opening)
    for step in life.steps:
        state.update(step.changes)
    assert {name: value for name, value in state.items() if value} == {k: v for k, v in final.items() if v}


@given(openings, rows, st.sampled_from(["True", "False"]), st.sampled_from(["", "2026-01-01T00:03:00Z", "rubbish"]))
@settings(max_examples=150)
def test_outcomes_open_unknown_and_end_as_the_final_row_says(
    opening: dict[str, str], rows: list[tuple[int, str, str, str]], closed: str, end: str
) -> None:
    """Whatever the flag says against whatever history, rolling forward ends at the final row, in time order."""
    final, changes = _told(opening, rows)
    final |= {"IsClosed": closed, "ClosedDate": end if closed == "True" else "", "Id": "500"}
    outcome = find_outcome(final, [{"IsClosed": "True", "Status": "Closed"}, {"IsClosed": "False", "Status": "New"}])
    life = live_through("Case", "500", START, final, changes, outcome)
    if opening["Status"] not in CLOSED:
        assert life.opening["IsClosed"] == "False"
        assert "ClosedDate" not in life.opening
    state: dict[str, str | None] = dict(life.opening)
    for before, step in zip((None, *life.steps), life.steps, strict=False):
        assert before is None or before.at <= step.at
        state.update(step.changes)
    for name, value in final.items():
        assert name in AUDIT or same_value(state.get(name) or "", value), name


@given(openings, rows, st.randoms(use_true_random=False))
@settings(max_examples=150)
def test_a_lying_history_still_ends_at_the_final_row_and_is_reported(
    opening: dict[str, str], rows: list[tuple[int, str, str, str]], dice: random.Random
) -> None:
    """A final row that history does not lead to is reached by a system step, and each such field is reported."""
    final, changes = _told(opening, rows)
    tracked = {change.field for change in changes}
    lies = {name: "Elsewhere" for name in tracked if dice.random() < 0.5}
    life = live_through("Case", "500", START, final | lies, changes, None)
    assert {found.field for found in life.inconsistencies} == set(lies)
    assert [step.origin for step in life.steps].count("system") == (1 if lies else 0)
    if lies:
        assert life.steps[-1].changes == lies


def _sheet(header: str, rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header.split(","), *rows])
    return text.getvalue().encode()


def _folder(dice: random.Random) -> dict[str, bytes]:
    ids = [f"500{number}" for number in range(8)]
    cases = [[i, "2026-01-01T00:00:00Z", dice.choice(["New", "Closed"]), 'a "quoted", text\nover lines'] for i in ids]
    history = [
        [f"h{number}", dice.choice([*ids, "nobody"]), "2026-01-02T00:00:00Z", "Status", "New", "Closed"]
        for number in range(12)
    ]
    mails = [[f"m{number}", dice.choice(ids), "2026-01-03T00:00:00Z", "True", "hello"] for number in range(5)]
    return {
        "Case.csv": _sheet("Id,CreatedDate,Status,Description", cases),
        "CaseHistory.csv": _sheet("Id,CaseId,CreatedDate,Field,OldValue,NewValue", history),
        "EmailMessage.csv": _sheet("Id,ParentId,MessageDate,Incoming,TextBody", mails),
        "User.csv": _sheet("Id,Name", [["005a", "Ada"]]),
    }


def _corrupt(data: bytes, dice: random.Random) -> bytes:
    kind = dice.randrange(5)
    at = dice.randrange(len(data) + 1)
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + bytes(dice.randrange(256) for _ in range(3)) + data[at:]
    if kind == 2:
        return data[:at] + dice.choice([b'"', b",", b"\n", b"\x00", b"\xff\xfe"]) + data[at:]
    if kind == 3:
        packed = gzip.compress(data, mtime=0)
        return packed[: dice.randrange(2, len(packed) + 1)]
    packed = bytearray(gzip.compress(data, mtime=0))
    packed[dice.randrange(10, len(packed))] ^= 0x55
    return bytes(packed)


@given(st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_every_row_of_a_damaged_folder_is_used_or_refused(seed: int) -> None:
    """However files are cut, flipped and sprinkled with quotes: no exception, and rows = used + refused in each."""
    dice = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, data in _folder(dice).items():
            (folder / file).write_bytes(_corrupt(data, dice) if dice.random() < 0.7 else data)
        export = read_export(folder)
    for file, count in export.counts.items():
        assert count.rows == count.used + count.refused, file
    assert sum(count.refused for count in export.counts.values()) == len(export.refused)
    assert all(refusal.reason and refusal.line > 0 for refusal in export.refused)
    assert [event.at for event in export.events()] == sorted(event.at for event in export.events())
    assert len({event.event_id for event in export.events()}) == len(export.stream)


@given(st.lists(st.binary(max_size=30) | st.sampled_from([b"\n", b"{}\n"]), max_size=8), st.integers(0, 3))
def test_every_line_of_a_log_is_an_event_or_a_refusal(noise: list[bytes], good: int) -> None:
    """As many answers come back as lines went in."""
    template = '{"at":"2026-01-0%dT00:00:00Z","type":"updated","object":"Case","id":"5"}\n'
    lines = [*noise, *(template % (day + 1) for day in range(good))]
    answers = list(read_log(lines))
    assert len(answers) == len(lines)
    assert sum(isinstance(answer, Event) for answer in answers) == good
    assert all(answer.line == number for number, answer in enumerate(answers, 1) if isinstance(answer, Refusal))


@given(st.lists(st.integers(0, 9)))
def test_in_order_sorts_stably_and_counts_latecomers(instants: list[int]) -> None:
    """Sorted by instant, ties as they came, and late are those below a running maximum."""
    events = [Event(at=at, type="updated", event_id=str(number)) for number, at in enumerate(instants)]
    ordered = in_order(events)
    assert list(ordered.events) == sorted(events, key=lambda event: (event.at, int(event.event_id)))
    assert ordered.late == sum(at < max(instants[: number + 1]) for number, at in enumerate(instants))


def test_instants_of_the_tests_are_what_they_seem() -> None:
    """The start used above is the start of 2026."""
    assert format_instant(START) == "2026-01-01T00:00:00Z"
