"""The scorer of one organisation: local models, with the language model of whatever policy is in force around them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence

from triage.config import load_policy
from triage.domain.instant import SECOND
from triage.domain.work import Event, Scores, WorkItem
from triage.llm.health import LlmHealth, health_of
from triage.llm.scorer import LlmScorer
from triage.ports import Clock, Journal, Scorer, Store, Unit
from triage.rules.llm_policy import LlmPolicy

TELL_EVERY = 10 * SECOND
"""How often at most, in ms, it is looked whether asking goes well, to tell the journal."""

Around = Callable[[Scorer, LlmPolicy], LlmScorer]


class FollowingScorer:
    """
    See `triage.ports.Scorer`. It follows the policy: one that names no language model, and nobody is asked.

    Between two looks at the policy lies one call of `score`; a fuse that is open closes with a new policy.
    """

    def __init__(
        self, local: Scorer, store: Store, clock: Clock, around: Around, *, journal: Journal | None = None
    ) -> None:
        """*around* puts the language model of a policy around a scorer."""
        self._local = local
        self._store = store
        self._clock = clock
        self._around = around
        self._journal = journal
        self._lock = threading.Lock()
        self._digest: str | None = None
        self._llm: LlmPolicy | None = None
        self._asking: LlmScorer | None = None
        self._told_at = 0
        self._told = ""

    @property
    def local(self) -> Scorer:
        """The scorer of the models at hand."""
        return self._local

    def score(
        self,
        items: Sequence[tuple[WorkItem, Sequence[Event]]],
        now: int,
        wanted: Collection[str] = (),
        *,
        at_once: bool = False,
    ) -> list[Scores]:
        """Return one Scores per item, in order; *at_once* is what it is for `LlmScorer`."""
        asking = self._followed()
        if asking is None:
            return self._local.score(items, now, wanted)
        try:
            return asking.score(items, now, wanted, at_once=at_once)
        finally:
            self._tell()

    def health(self) -> LlmHealth:
        """Return how asking goes: this process's fuse first, then what the store says of all of them."""
        asking = self._followed()
        if asking is not None:
            return asking.health()
        with self._store.read() as unit:
            return health_of(self._llm, unit, self._clock.now())

    def close(self) -> None:
        """Close connections."""
        with self._lock:
            if self._asking is not None:
                self._asking.close()
            self._digest, self._asking = None, None

    def _followed(self) -> LlmScorer | None:
        with self._lock:
            with self._store.read() as unit:
                digest = unit.policies.live_digest()
                if digest != self._digest:
                    self._follow(unit, digest)
            return self._asking

    def _follow(self, unit: Unit, digest: str) -> None:
        live = unit.policies.live() if digest else None
        llm = None if live is None else load_policy(live.texts).llm
        if llm != self._llm or self._digest is None:
            if self._asking is not None:
                self._asking.close()
            self._asking = None if llm is None else self._around(self._local, llm)
        self._digest, self._llm = digest, llm

    def _tell(self) -> None:
        now = self._clock.now()
        if self._journal is None or now - self._told_at < TELL_EVERY:
            return
        self._told_at = now
        health = self.health()
        if health.code != self._told:
            self._told = health.code
            level = "info" if health.ok else "error" if health.state == "fault" else "warning"
            self._journal.tell("language_model", level, state=health.state, code=health.code, fix=health.fix)
