"""
Records get the scores that their rules read: asked for by their events, given outside of any transaction, and told as
`scored` events, so that a decision is derived again from the store alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from triage.domain.facts import Facts
from triage.domain.instant import HOUR, MINUTE
from triage.domain.work import Event, Scores, WorkItem
from triage.errors import TriageError
from triage.ports import Compiled, Engine, Journal, Scorer, Store, Unit, record_key
from triage.store.codec import digest, encode
from triage.taken import Ingested

AGES = (4 * HOUR, 24 * HOUR, 72 * HOUR)
"""How old an open record is when it is scored again without any news, in ms."""

LEASE = 5 * MINUTE
"""For how long the records that one worker scores are left to it."""

RETRY_AFTER = 5 * MINUTE
"""When scores are tried again that could not be given."""

SOURCE = "scores"
"""The source under which `scored` events are kept."""

Ingest = Callable[[Sequence[Event], int], Ingested]


class Rescoring:
    """Gives scores to the records of one store. *ingest* takes the events in, as the worker does any other."""

    def __init__(
        self,
        store: Store,
        engine: Engine,
        scorer: Scorer,
        policy: Callable[[Unit], Compiled],
        ingest: Ingest,
        journal: Journal | None = None,
    ) -> None:
        self._store = store
        self._engine = engine
        self._scorer = scorer
        self._policy = policy
        self._ingest = ingest
        self._journal = journal

    def score(self, now: int, limit: int) -> int:
        """Score at most *limit* records that want it at *now*; return how many there were."""
        until = now + LEASE
        with self._store.write() as unit:
            keys = unit.rescores.take(now, limit, until)
            if not keys:
                return 0
            policy = self._policy(unit)
            records = unit.records.get(keys)
            pasts = {key: [one for one in unit.intake.events(key) if one.at <= now] for key in records}
        again: dict[str, int | None] = dict.fromkeys(keys)
        by_object: dict[str, list[Facts]] = {}
        for record in records.values():
            if record.open:
                by_object.setdefault(record.facts.item.object, []).append(record.facts)
        for object_name, found in sorted(by_object.items()):
            again |= self._score(object_name, found, pasts, self._engine.families(policy, object_name), now)
        with self._store.write() as unit:
            unit.rescores.settle(again, until)
        return len(keys)

    def next_due(self) -> int | None:
        """Return the earliest instant at which a record wants scores, None for none."""
        with self._store.read() as unit:
            return unit.rescores.next_due()

    def _score(
        self, object_name: str, found: list[Facts], pasts: Mapping[str, list[Event]], wanted: tuple[str, ...], now: int
    ) -> dict[str, int | None]:
        """Score the open records of one object; return when each is to be scored again."""
        if not wanted:
            return {}
        items = [(facts.item, pasts[record_key(object_name, facts.item.id)]) for facts in found]
        try:
            given = self._scorer.score(items, now, wanted)
        except TriageError as fault:
            if self._journal is not None:
                self._journal.tell("unscored", "error", object=object_name, records=len(items), fault=str(fault))
            return {record_key(object_name, item.id): now + RETRY_AFTER for item, _ in items}
        told = [scored_event(item, past, scores, now) for (item, past), scores in zip(items, given, strict=True)]
        self._ingest([event for event in told if event is not None], now)
        return {record_key(object_name, item.id): _next_age(item, now) for item, _ in items}


def scored_event(item: WorkItem, past: Sequence[Event], scores: Scores, now: int) -> Event | None:
    """
    Return the event that tells *scores* at *now*; None where there is nothing to tell.

    Its id follows from the record, its latest event, its age in steps of `AGES` and the models: the same news scored
    twice by the same models is one event.
    """
    if not scores.values:
        return None
    own = [event.event_id for event in past if event.type != "scored" and event.origin != "triage"]
    step = sum(now - item.created_at >= age for age in AGES)
    told = rounded(scores).values
    identity = [record_key(item.object, item.id), own[-1:], step, sorted(scores.model_versions.items()), told]
    body: dict[str, object] = told | {"model_versions": scores.model_versions, "reasons": scores.reasons}
    return Event(
        at=now, type="scored", event_id=f"scored:{digest(encode(identity))}", object=item.object, id=item.id,
        origin="system", actor="triage", scores=body,
    )  # fmt: skip


def rounded(scores: Scores) -> Scores:
    """Return *scores* with every number rounded to 6 decimals, as they leave the models."""
    values = {
        name: round(value, 6) if isinstance(value, float) else value for name, value in sorted(scores.values.items())
    }
    return replace(scores, values=values)


def _next_age(item: WorkItem, now: int) -> int | None:
    return next((item.created_at + age for age in AGES if item.created_at + age > now), None)
