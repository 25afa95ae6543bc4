"""The journal: JSON lines with the instant of our own clock."""

from __future__ import annotations

import io
import json

import pytest

from triage.logs import LEVELS, JsonJournal


def test_a_line_is_json_with_instant_level_and_what_was_said() -> None:
    out = io.StringIO()
    JsonJournal(lambda: 1_772_442_000_000, out=out).tell("effect_dead", "error", record="Case/1", tries=3)
    assert json.loads(out.getvalue()) == {
        "at": "2026-03-02T09:00:00Z", "event": "effect_dead", "level": "error", "record": "Case/1", "tries": 3,
    }  # fmt: skip


@pytest.mark.parametrize(("level", "lines"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_what_is_below_the_level_is_not_written(level: str, lines: int) -> None:
    out = io.StringIO()
    journal = JsonJournal(lambda: 0, level, out)
    for said in LEVELS:
        journal.tell("x", said)
    assert len(out.getvalue().splitlines()) == lines


def test_text_that_looks_like_more_lines_stays_one_line() -> None:
    out = io.StringIO()
    JsonJournal(lambda: 0, out=out).tell("x", file='a\n{"event":"forged"}')
    assert out.getvalue().count("\n") == 1
