"""What scored during the play: a scorer that remembers what it was asked, and the events that tell its answers."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from msgspec import Struct, field

from triage.domain.decision import Action
from triage.domain.work import Event, Scores, WorkItem
from triage.policy import FAMILIES
from triage.ports import Scorer, record_key
from triage.scored import scored_event


class Scored(Struct, frozen=True, kw_only=True):
    """
    What the models did: `models` are versions by family of scores, `events` how often one of `records` records was
    scored, `actions` how many actions had a score among their reasons. `refused` says why nothing was scored.
    """

    models: dict[str, str] = field(default_factory=dict)
    events: int = 0
    records: int = 0
    actions: int = 0
    refused: str = ""


class ListeningScorer:
    """A `ports.Scorer` that passes everything on to another one and keeps the `scored` events that come of it."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self._told: list[Event] = []
        self._ids: set[str] = set()
        self._records: set[str] = set()
        self._models: dict[str, str] = {}

    def score(
        self, items: Sequence[tuple[WorkItem, Sequence[Event]]], now: int, wanted: Collection[str] = ()
    ) -> list[Scores]:
        """Return the other's answers."""
        given = self._scorer.score(items, now, wanted)
        for (item, past), scores in zip(items, given, strict=True):
            self._models |= scores.model_versions
            told = scored_event(item, past, scores, now)
            if told is not None and told.event_id not in self._ids:
                self._ids.add(told.event_id)
                self._told.append(told)
                self._records.add(record_key(item.object, item.id))
        return given

    def take(self) -> list[Event]:
        """Return the events since the last time, in the order in which the worker takes them in."""
        told, self._told = self._told, []
        return told

    def scored(self, actions: Sequence[Action]) -> Scored:
        """Return what was scored so far, and for how many of *actions* it was a reason."""
        return Scored(
            models=dict(sorted(self._models.items())),
            events=len(self._ids),
            records=len(self._records),
            actions=sum(by_score(action) for action in actions),
        )


def by_score(action: Action) -> bool:
    """Tell whether a score is among the reasons of *action*."""
    return any(f"{family}." in one.leaf for one in action.reason.evidence for family in FAMILIES)
