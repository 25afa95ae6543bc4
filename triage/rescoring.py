"""
Records get the scores that their rules read: asked for by their events, given outside of any transaction, and told as
`scored` events, so that a decision is derived again from the store alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from triage.domain.facts import Facts
from triage.domain.instant import MINUTE
from triage.domain.work import Event
from triage.errors import TriageError
from triage.ports import Compiled, Engine, Journal, Scorer, Store, Unit, record_key
from triage.scored import next_age, scored_event
from triage.taken import Ingested

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
        return {record_key(object_name, item.id): next_age(item.created_at, now) for item, _ in items}
