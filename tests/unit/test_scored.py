"""Scores as events: the worker and a replay of the same log tell the same ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from triage.config import load_policy
from triage.domain.instant import HOUR, format_instant
from triage.domain.work import Event, Scores, WorkItem
from triage.policy import compile_policy
from triage.ports import record_key
from triage.replay.scoring import score_history
from triage.replay.source import history_of_log
from triage.scored import AGES, rounded, scored_event, with_scores
from triage.testing import SMALL_POLICY, START, FixedScorer, Sandbox

URGENT = {
    **SMALL_POLICY,
    "urgent.yaml": """
object: Case
rules:
  - id: u
    when: [urgency.score >= 80%]
    do: [{reprioritise: {to: High}}]
""",
}


class CountingScorer(FixedScorer):
    """Scores by how much has happened, so that each score shows what its scorer saw."""

    def score(self, items: Any, now: int, wanted: Any = ()) -> list[Scores]:
        return [
            Scores(
                values={"urgency.score": round(len(past) / 100 + (now - START) / HOUR / 1000, 6)},
                model_versions={"urgency": "count"},
            )
            for _, past in items
        ]


def line(at: int, kind: str, number: int, **more: Any) -> bytes:
    body = {"at": format_instant(at), "type": kind, "event_id": f"e{number}", "object": "Case", "id": "1"} | more
    return msgspec.json.encode(body)


def test_worker_and_replay_tell_the_same_scores() -> None:
    """Same log, same scorer: the same events by id, at the same instants, with the same values."""
    told = [
        (START, "created", {"changes": {"Status": "New", "Priority": "Low", "OwnerId": "005A"}}),
        (START + HOUR, "message", {"direction": "in", "body": "down"}),
        (START + 5 * HOUR, "updated", {"changes": {"Priority": "Medium"}}),
        (START + 30 * HOUR, "updated", {"changes": {"Status": "Closed"}}),
        (START + 31 * HOUR, "comment", {}),
    ]
    lines = [line(at, kind, number, **more) for number, (at, kind, more) in enumerate(told)]
    policy = compile_policy(load_policy(URGENT), virtual=True)
    history = score_history(history_of_log(lines), CountingScorer(), policy)
    replayed = [entry.event for entry in history.entries if entry.event.type == "scored"]
    house = Sandbox(URGENT, scorer=CountingScorer())
    pending = [(at, kind, number, more) for number, (at, kind, more) in enumerate(told)]
    for hour in range(80):
        now = START + hour * HOUR
        house.clock.set(now)
        for at, kind, number, more in [one for one in pending if one[0] == now]:
            event = Event(at=at, type=kind, event_id=f"e{number}", object="Case", id="1", **more)  # type: ignore[arg-type]
            house.worker.ingest([event], now, source="log", live_from=0)
        house.worker.score(now)
    with house.store.read() as unit:
        lived = [event for event in unit.intake.events(record_key("Case", "1")) if event.type == "scored"]
    assert [(one.event_id, one.at, one.scores["urgency.score"]) for one in lived] == [
        (one.event_id, one.at, one.scores["urgency.score"]) for one in replayed
    ]
    assert len(lived) == 5


def test_a_history_that_tells_scores_is_not_scored_again() -> None:
    """Recorded answers are kept: a replay never asks a model for what was answered."""
    lines = [
        line(START, "created", 0, changes={"Status": "New"}),
        line(START, "scored", 1, scores={"urgency.score": 0.3}),
    ]
    policy = compile_policy(load_policy(URGENT), virtual=True)
    history = history_of_log(lines)
    assert score_history(history, CountingScorer(), policy).entries == history.entries


def test_ages_come_in_their_order_and_a_gone_record_has_none() -> None:
    """Between two events that are far apart every age is scored once; a deleted record is left alone."""
    created = Event(at=START, type="created", event_id="a", object="Case", id="1", changes={"Status": "New"})
    deleted = Event(at=START + 25 * HOUR, type="deleted", event_id="b", object="Case", id="1")
    late = Event(at=START + 100 * HOUR, type="created", event_id="c", object="Case", id="2")

    def open_always(_object: str, _values: Mapping[str, Any]) -> bool:
        return False

    told = with_scores([created, deleted, late], CountingScorer(), lambda _: ("urgency",), open_always)
    ages = [event.at - START for event in told if event.type == "scored" and event.id == "1"]
    assert ages == [0, *AGES[:2]]


def test_numbers_are_rounded_where_they_leave_and_nothing_is_told_of_nothing() -> None:
    """Six decimals; no event without a value."""
    item = WorkItem(object="Case", id="1", created_at=START)
    assert rounded(Scores(values={"urgency.score": 0.12345678})).values == {"urgency.score": 0.123457}
    assert scored_event(item, [], Scores(), START) is None


def test_a_rule_on_what_only_a_language_model_says_asks_for_it() -> None:
    """Intent and product line are families like the others: a rule that reads one gets its records scored."""
    texts = {**URGENT, "urgent.yaml": URGENT["urgent.yaml"].replace("urgency.score >= 80%", "intent.label == refund")}
    assert compile_policy(load_policy(texts), virtual=True).objects["Case"].families == ("intent",)
