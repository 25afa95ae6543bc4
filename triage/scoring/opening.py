"""Models that are opened when something is first scored: most commands never do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence

from triage.domain.work import Event, Scores, WorkItem
from triage.errors import ModelRefused
from triage.ports import Journal, Scorer
from triage.scoring.drift import Moved
from triage.scoring.together import Scorers

QUICK = frozenset({"urgency", "lead"})
"""The families that no encoder of texts gives."""


class OpeningScorer:
    """See `triage.ports.Scorer`. Threads and organisations may share it: the models are opened once."""

    def __init__(self, opening: Callable[[], Scorer], journal: Journal | None = None) -> None:
        """*opening* gives the scorer, or raises ModelRefused: that is told as a warning, once until it works."""
        self._opening = opening
        self._journal = journal
        self._lock = threading.Lock()
        self._opened: Scorer | None = None
        self._told = ""

    def score(
        self, items: Sequence[tuple[WorkItem, Sequence[Event]]], now: int, wanted: Collection[str] = ()
    ) -> list[Scores]:
        """
        Return one Scores per item, in order.

        Raises:
            ModelRefused: the models cannot be opened; the next call looks again.
        """
        return self.opened().score(items, now, wanted)

    def opened(self) -> Scorer:
        """Return the scorer behind, opened now where it is not yet; raise ModelRefused where that cannot be."""
        with self._lock:
            if self._opened is None:
                try:
                    self._opened = self._opening()
                except ModelRefused as cause:
                    self._warn(str(cause))
                    raise
            return self._opened

    def is_quick(self, wanted: Collection[str]) -> bool:
        """Tell whether *wanted* (none: all there are) is given within a millisecond or so: open, and numbers alone."""
        found = self._opened
        if found is None:
            return False
        given = found.families if isinstance(found, Scorers) else QUICK
        return QUICK.issuperset(wanted or given)

    def drifts(self) -> dict[str, Moved]:
        """Return how far each family's scores have moved; nothing where no model is open yet."""
        return self._opened.drifts() if isinstance(self._opened, Scorers) else {}

    def reopen(self) -> None:
        """Open the models anew with the next call: another one is in charge."""
        with self._lock:
            self._opened = None

    def _warn(self, why: str) -> None:
        if self._journal is not None and why != self._told:
            self._journal.tell("no_models", "warning", why=why)
        self._told = why
