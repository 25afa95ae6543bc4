"""Scores as they were recorded: what was asked once is an event of the record, and no replay asks again."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

import msgspec

from triage.domain.work import Event, Scores, WorkItem


def scored_event(item: WorkItem, scores: Scores, at: int) -> Event:
    """Return the event that makes *scores* part of the record's past; the same scores at one instant have one id."""
    body = msgspec.json.encode([item.object, item.id, at, scores.values], order="sorted")
    return Event(
        at=at, type="scored", event_id=f"scored-{hashlib.sha256(body).hexdigest()[:24]}", object=item.object,
        id=item.id, origin="system", scores=dict(scores.values),
    )  # fmt: skip


class RecordedScorer:
    """See `triage.ports.Scorer`. It says what the record's own past says, and nothing where that is silent."""

    def score(
        self, items: Sequence[tuple[WorkItem, Sequence[Event]]], now: int, wanted: Collection[str] = ()
    ) -> list[Scores]:
        """Return the latest recorded value of each score; *wanted* is by family."""
        return [_recorded(past, now, wanted) for _, past in items]


def _recorded(past: Sequence[Event], now: int, wanted: Collection[str]) -> Scores:
    values = {}
    for event in past:
        if event.type == "scored" and event.at <= now:
            values.update(event.scores)
    return Scores(values={name: one for name, one in values.items() if not wanted or name.split(".")[0] in wanted})
