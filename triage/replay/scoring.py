"""History with scores: what a punctual worker would have put between its events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from triage.domain.work import Event, Value
from triage.intake.values import coerce
from triage.policy import Policy
from triage.ports import Scorer
from triage.replay.source import Entry, History
from triage.scored import known_fields, with_scores


def score_history(history: History, scorer: Scorer, policy: Policy) -> History:
    """
    Return *history* with `scored` events of *scorer* after all news of a record whose rules read scores.

    Scores that the history already tells of a record's object stay, and nothing is added to them: recorded answers are
    not asked for again.
    """
    told = {entry.event.object for entry in history.entries if entry.event.type == "scored"}
    places = {id(entry.event): entry for entry in history.entries}

    def wanted(object_name: str) -> tuple[str, ...]:
        part = policy.objects.get(object_name)
        return () if part is None or object_name in told else part.families

    def is_closed(object_name: str, values: Mapping[str, Any]) -> bool:
        part = policy.objects[object_name]
        return part.closed({name: one for name, one in coerce(values, part.spec).fields.items() if one is not None})

    def fields(object_name: str, values: Mapping[str, Any]) -> dict[str, Value]:
        return known_fields(values, policy.objects[object_name].spec)

    def entries() -> Iterator[Entry]:
        last = Entry(Event(at=0, type="created", event_id=""), "", 0)
        events = (entry.event for entry in history.entries)
        for event in with_scores(events, scorer, wanted, is_closed, fields):
            last = places.get(id(event), last)
            yield last if last.event is event else Entry(event, "scores", 0)

    return replace(history, entries=tuple(entries()))
