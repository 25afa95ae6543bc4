"""Scores told as events: the same event from the same news and models, in the worker, in a replay and in a test."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from triage.domain.instant import HOUR
from triage.domain.schema import ObjectSpec
from triage.domain.work import Event, Scores, Value, WorkItem
from triage.intake.values import coerce
from triage.ports import Scorer, record_key

AGES = (4 * HOUR, 24 * HOUR, 72 * HOUR)
"""How old an open record is when it is scored again without any news, in ms."""

SCORED_AFTER = frozenset({"created", "updated", "message", "comment", "activity", "undeleted"})
"""Events after which a record wants new scores, unless they are effects of ours."""


IsClosed = Callable[[str, Mapping[str, Any]], bool]
"""Whether a record of an object, with these values by CRM name, is closed."""


TEXTS = ("subject", "description")
"""The fields that are read where no field map says what the columns mean."""


def opened(
    object_name: str, identity: str, created_at: int, values: Mapping[str, Any], spec: ObjectSpec | None, now: int
) -> tuple[WorkItem, tuple[Event, ...]]:
    """
    Return a bare record as a worker has it that was told of its creation: our fields, and CRM names in its past.

    Args:
        values: Values by CRM name; None and Salesforce's `attributes` are left out.
        spec: The field map of its object; without one only `Subject` and `Description` are known by our names.
        now: The instant of scoring; what is created later than that counts as known now.
    """
    told = {name: value for name, value in values.items() if value is not None and name != "attributes"}
    item = WorkItem(object=object_name, id=identity, created_at=created_at, fields=known_fields(told, spec))
    event = Event(
        at=min(created_at, now), type="created", event_id="opened", object=object_name, id=identity, changes=told
    )
    return item, (event,)


def known_fields(values: Mapping[str, Any], spec: ObjectSpec | None) -> dict[str, Value]:
    """Return *values* (by CRM name) under our names, those left out that say nothing."""
    if spec is not None:
        return {name: value for name, value in coerce(values, spec).fields.items() if value is not None}
    return {name.casefold(): value for name, value in values.items() if value and name.casefold() in TEXTS}


def scored_event(item: WorkItem, past: Sequence[Event], scores: Scores, now: int) -> Event | None:
    """
    Return the event that tells *scores* at *now*; None where there is nothing to tell.

    Its id follows from the record, its latest event, its age in steps of `AGES`, the models and what they said: the
    same news scored twice by the same models is one event.
    """
    if not scores.values:
        return None
    own = [event.event_id for event in past if event.type != "scored" and event.origin != "triage"]
    step = sum(now - item.created_at >= age for age in AGES)
    told = rounded(scores).values
    identity = [record_key(item.object, item.id), own[-1:], step, sorted(scores.model_versions.items()), told]
    text = msgspec.json.encode(identity, order="sorted")
    body: dict[str, object] = told | {"model_versions": scores.model_versions, "reasons": scores.reasons}
    return Event(
        at=now, type="scored", event_id=f"scored:{hashlib.sha256(text).hexdigest()}", object=item.object, id=item.id,
        origin="system", actor="triage", scores=body,
    )  # fmt: skip


def rounded(scores: Scores) -> Scores:
    """Return *scores* with every number rounded to 6 decimals, as they leave the models."""
    values = {
        name: round(value, 6) if isinstance(value, float) else value for name, value in sorted(scores.values.items())
    }
    return replace(scores, values=values)


def next_age(created_at: int, now: int) -> int | None:
    """Return the next instant at which a record created at *created_at* is scored for its age; None after the last."""
    return next((created_at + age for age in AGES if created_at + age > now), None)


Fields = Callable[[str, Mapping[str, Any]], dict[str, Value]]
"""The values of a record of an object, given by CRM name, under our names."""


def with_scores(
    events: Iterable[Event],
    scorer: Scorer,
    wanted: Callable[[str], tuple[str, ...]],
    is_closed: IsClosed,
    fields: Fields = lambda _, values: known_fields(values, None),
) -> Iterator[Event]:
    """
    Yield *events*, which come by instant, with the `scored` events that a punctual worker would have put between them.

    Args:
        wanted: The score families that an object's rules read; none: it is not scored.
        is_closed: Whether a record with these values is closed: it is scored no more until it is reopened.
        fields: What its values are under our names, which scorers read beside those of the CRM.
    """
    stories = _Stories(scorer, wanted, is_closed, fields)
    for event in events:
        yield from stories.aged(event.at)
        yield event
        yield from stories.happened(event)


class _Stories:
    """What has been told of each record, and when the open ones come of age."""

    def __init__(
        self, scorer: Scorer, wanted: Callable[[str], tuple[str, ...]], is_closed: IsClosed, fields: Fields
    ) -> None:
        self._fields = fields
        self._scorer = scorer
        self._wanted = wanted
        self._is_closed = is_closed
        self._pasts: dict[str, tuple[WorkItem, list[Event]]] = {}
        self._values: dict[str, dict[str, Any]] = {}
        self._gone: set[str] = set()
        self._due: list[tuple[int, str]] = []

    def happened(self, event: Event) -> Iterator[Event]:
        """Keep *event*, and yield the scores that it brings."""
        if event.type in ("agent", "related"):
            return
        key = record_key(event.object, event.id)
        if event.type == "created" and key not in self._pasts:
            self._pasts[key] = (WorkItem(object=event.object, id=event.id, created_at=event.at), [])
            first = next_age(event.at, event.at)
            if first is not None and self._wanted(event.object):
                heapq.heappush(self._due, (first, key))
        if key not in self._pasts:
            return
        self._pasts[key][1].append(event)
        self._values.setdefault(key, {}).update(event.changes)
        if event.type in ("deleted", "merged", "undeleted"):
            (self._gone.discard if event.type == "undeleted" else self._gone.add)(key)
        if event.type in SCORED_AFTER and event.origin != "triage":
            yield from self._scored(key, event.at)

    def aged(self, until: int) -> Iterator[Event]:
        """Yield the scores of open records that come of age before or at *until*."""
        while self._due and self._due[0][0] <= until:
            at, key = heapq.heappop(self._due)
            following = next_age(self._pasts[key][0].created_at, at)
            if following is not None:
                heapq.heappush(self._due, (following, key))
            yield from self._scored(key, at)

    def _scored(self, key: str, now: int) -> Iterator[Event]:
        item, past = self._pasts[key]
        families = self._wanted(item.object)
        if not families or key in self._gone or self._is_closed(item.object, self._values[key]):
            return
        item = replace(item, fields=self._fields(item.object, self._values[key]))
        told = scored_event(item, past, self._scorer.score([(item, past)], now, families)[0], now)
        if told is not None:
            past.append(told)
            yield told
