"""Several scorers as one, each for the families that it knows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from triage.domain.work import Event, Scores, Value, WorkItem
from triage.ports import Scorer
from triage.scoring.drift import Moved
from triage.scoring.local import LocalScorer

FAMILIES = ("urgency", "lead", "sentiment", "language", "complexity")
SALES = ("Lead", "Opportunity")


class Scorers:
    """One `ports.Scorer` of several, asked only for what is wanted of them."""

    def __init__(self, scorers: Mapping[Scorer, tuple[str, ...]]) -> None:
        """Take each scorer with the families that it gives."""
        self._scorers = dict(scorers)

    @property
    def families(self) -> frozenset[str]:
        """What all of them give together."""
        return frozenset(name for families in self._scorers.values() for name in families)

    def asked(self, object_name: str, wanted: Collection[str] = ()) -> frozenset[str]:
        """Return the families that a record of *object_name* is given; without *wanted*, all that fit it."""
        return frozenset(name for name in self.families if (name in wanted if wanted else _fits(name, object_name)))

    def drifts(self) -> dict[str, Moved]:
        """Return how far each family's live scores have moved from what its model was calibrated on."""
        local = (scorer for scorer in self._scorers if isinstance(scorer, LocalScorer))
        return {family: moved for scorer in local for family, moved in scorer.drifts().items()}

    def score(
        self, items: Sequence[tuple[WorkItem, Sequence[Event]]], now: int, wanted: Collection[str] = ()
    ) -> list[Scores]:
        """Return one Scores per item, in order; without *wanted*, all that fit the object of each."""
        given = [Scores() for _ in items]
        for scorer, families in self._scorers.items():
            for places, asked in _asked(items, families, wanted):
                found = scorer.score([items[place] for place in places], now, asked)
                for place, scores in zip(places, found, strict=True):
                    given[place] = _joined(given[place], scores)
        return given


def _asked(
    items: Sequence[tuple[WorkItem, Any]], families: tuple[str, ...], wanted: Collection[str]
) -> list[tuple[list[int], tuple[str, ...]]]:
    """Return which items one scorer is asked about, and for which of its *families*."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for place, (item, _) in enumerate(items):
        fit = tuple(name for name in families if (name in wanted if wanted else _fits(name, item.object)))
        if fit:
            groups.setdefault(fit, []).append(place)
    return [(places, fit) for fit, places in groups.items()]


def _fits(family: str, object_name: str) -> bool:
    return family not in ("urgency", "lead") or (family == "lead") == (object_name in SALES)


def _joined(one: Scores, other: Scores) -> Scores:
    values: dict[str, Value] = {**one.values, **other.values}
    return Scores(
        values=values,
        model_versions={**one.model_versions, **other.model_versions},
        reasons={**one.reasons, **other.reasons},
    )
