"""`triage deadline` lines against the oracle: the same questions as text."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from random import Random

from tests.property.calendars.cases import random_calendar, random_pauses, random_window
from tests.property.calendars.oracle import Oracle
from triage.deadline import answer_lines


def test_deadline_lines_agree_with_the_oracle() -> None:
    """Six kinds on 150 random calendars, one stream of lines: zero differences."""
    lines, expected = [], []
    for seed in range(20_000, 20_150):
        for line, wanted, edge in _questions(seed):
            lines.append(line)
            expected.append((wanted, edge))
    answers = [json.loads(text) for text, _ in answer_lines(lines)]
    compared = 0
    for line, answer, (wanted, edge) in zip(lines, answers, expected, strict=True):
        if wanted is None:
            # Beyond the oracle's window: an error, or an instant on the far side of its edge.
            assert (
                "error" in answer or (answer["result"] >= edge[1:]) == (edge[0] == ">") or answer["result"] == edge[1:]
            )
            continue
        assert answer == {"id": seed_of(line), "result": wanted}, line
        compared += 1
    assert compared > len(lines) // 2


def seed_of(line: str) -> int:
    return json.loads(line)["id"]


def _questions(seed: int):
    rng = Random(seed)
    zone, begin, end = random_window(rng, 60)
    definition = random_calendar(rng, zone, begin, end, 60)
    oracle = Oracle(definition, begin, end, 60)
    if 1 not in oracle.units:
        return
    pauses = random_pauses(rng, begin, end, 60)
    running = oracle.paused(pauses)
    start, stop = (rng.randrange(begin, end, 60) for _ in range(2))
    amount = rng.choice((0, running.elapsed(start, stop), rng.randrange(0, 86_400, 60)))
    first, last = f"<{_text(begin)}", f">{_text(end)}"
    for kind, fields, wanted, edge in (
        ("add", {"start": start, "seconds": amount}, _text(running.add(start, amount)), last),
        ("subtract", {"end": stop, "seconds": amount}, _text(running.subtract(stop, amount)), first),
        ("between", {"start": start, "end": stop}, running.elapsed(start, stop), ""),
        ("next_open", {"start": start}, _text(oracle.next_open(start)), last),
        ("prev_open", {"start": start}, _text(oracle.prev_open(start)), first),
        ("is_open", {"start": start}, oracle.is_open(start), ""),
    ):
        texts = {key: value if key == "seconds" else _text(value) for key, value in fields.items()}
        given = [[_text(begun), _text(ended)] for begun, ended in pauses]
        yield json.dumps({"id": seed, "kind": kind, "calendar": definition, "pauses": given, **texts}), wanted, edge


def _text(second: int | None) -> str | None:
    return None if second is None else datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
