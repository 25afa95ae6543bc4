"""The loop: events come in when their instant has come, models score, timers fire, effects go out, people react."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field

from triage.demo.breaches import Breach, breaches_in, stored_facts, without_rules
from triage.demo.scores import ListeningScorer, Scored
from triage.domain.decision import Action
from triage.domain.instant import MINUTE
from triage.domain.work import Event
from triage.engine import PureEngine
from triage.policy import Policy
from triage.ports import Scorer, Store
from triage.publishing import publish
from triage.rules.document import PolicyDocument
from triage.sample import START, Organisation, Script
from triage.sending import Pace
from triage.testing import ManualClock, RecordingSink
from triage.worker import Worker

if TYPE_CHECKING:
    from triage.demo.inside import Inside

TICK = 5 * MINUTE
"""
How much virtual time one round takes at most. A worker's own rounds are milliseconds; here each costs a transaction,
so effects come up to this much after their due instant. What is decided, and as of when, does not depend on it.
"""

ORG = "default"


class Upcoming(Struct, frozen=True):
    """One timer: when it is due, for which record, and which rule it waits for."""

    due: int
    record: str
    why: str


class Progress(Struct, frozen=True, kw_only=True):
    """How far the play has come at the virtual instant `now`: what the board shows."""

    now: int
    share: float
    events: int
    records_open: int
    fired: int
    effects: int
    by_rule: dict[str, int]
    upcoming: tuple[Upcoming, ...]
    missed: int
    missed_without: int
    lateness: dict[str, int]


class Played(Struct, frozen=True, kw_only=True):
    """
    What happened between `began` and `ended` (virtual ms UTC); not `finished` means that somebody stopped it.

    `given` events came from the script: `accepted` + `repeated` + `refused`; `scored` says what models added to them.
    `events` are all of these, as they were taken in. `actions` were carried out, each once; `states` counts all that
    was planned by where it stands. `missed` and `missed_without` are promises broken with and without escalation by
    `ended`. `logged` is how many actions Salesforce's log object holds, None without Salesforce; `calls` how many API
    calls that took.
    """

    seed: int
    began: int
    ended: int
    finished: bool
    given: int
    accepted: int
    repeated: int
    refused: int
    reactions: int
    records: dict[str, int]
    fired: int
    actions: tuple[Action, ...]
    states: dict[str, int]
    lateness: dict[str, int]
    missed: tuple[Breach, ...]
    missed_without: tuple[Breach, ...]
    scored: Scored = field(default_factory=Scored)
    events: tuple[Event, ...] = ()
    logged: int | None = None
    calls: int = 0


Watch = Callable[[int, Callable[[], Progress]], None]


class _Tally(Struct):
    """What is counted on the way."""

    given: int = 0
    accepted: int = 0
    repeated: int = 0
    refused: int = 0
    reactions: int = 0
    fired: int = 0
    by_rule: Counter[str] = field(default_factory=Counter)
    actions: list[Action] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


class Player:
    """Plays one organisation through a worker on *store*, whose policy is published as virtual: it touches nothing."""

    def __init__(
        self,
        document: PolicyDocument,
        organisation: Organisation,
        store: Store,
        scorer: Scorer | None = None,
        *,
        folder: Path | None = None,
    ) -> None:
        """
        Publish *document* on *store*; without a *scorer*, rules that read scores find none.

        Args:
            folder: Play inside a Salesforce sandbox whose certificates go there; by default events come as they are.
        """
        engine = PureEngine()
        self.organisation = organisation
        self.store = store
        self.script = Script(organisation)
        self.clock = ManualClock(START)
        self.inside = None if folder is None else _inside(organisation, document, self.clock, folder)
        self.sink = RecordingSink(live=False, name="demo") if self.inside is None else self.inside.sink
        self._scorer = None if scorer is None else ListeningScorer(scorer)
        self.worker = Worker(
            store, self.sink, engine, self.clock, name="demo", pace=Pace(threads=2), scorer=self._scorer
        )
        publish(store, engine, document.texts, START, actor="demo", reason="the sample organisation", virtual=True)
        self._document = document
        self._tally = _Tally()
        self._scored_at = -1
        self._without = without_rules(document, organisation.events, organisation.end, ORG)
        with store.read() as unit:
            self._policy: Policy = self.worker.policy(unit)
        if self.inside is not None:
            self.inside.begin(self.worker)

    def play(self, watch: Watch | None = None, stop: Callable[[], bool] = lambda: False) -> Played:
        """
        Return what happened, once the script has ended or *stop* says so; a round that has begun is finished.

        Args:
            watch: Called after each round with the virtual instant and a function that says more; asking it costs some.
        """
        while not stop():
            now = self._next()
            if now is None:
                return self._played(self.organisation.end, finished=True)
            self._round(now)
            if watch is not None:
                watch(self.clock.now(), self.progress)
        return self._played(self.clock.now(), finished=False)

    def progress(self) -> Progress:
        """Return how far the play has come."""
        now = self.clock.now()
        with self.store.read() as unit:
            records_open = unit.records.count()["open"]
            next_ones = unit.records.due(self.organisation.end, 6)
        upcoming = [Upcoming(one.due, one.key, one.why) for one in next_ones if one.due is not None]
        return Progress(
            now=now,
            share=min(1.0, (now - START) / (self.organisation.end - START)),
            events=self._tally.given,
            records_open=records_open,
            fired=self._tally.fired,
            effects=len(self._tally.actions),
            by_rule=dict(self._tally.by_rule),
            upcoming=tuple(upcoming),
            missed=len(breaches_in(stored_facts(self.store), self._policy, now)),
            missed_without=sum(breach.due <= now for breach in self._without),
            lateness=self.worker.lateness.report(),
        )

    def _next(self) -> int | None:
        """Return the end of the next round: a tick after the next thing to happen; None where nothing is left."""
        found = [at for at in (self.script.next_at, self.worker.next_due()) if at is not None]
        first = min(found, default=self.organisation.end)
        return None if first >= self.organisation.end else min(self.organisation.end, first + TICK)

    def _round(self, now: int) -> None:
        self.clock.set(max(now, self.clock.now()))
        now = self.clock.now()
        ready = self._take_in(self.script.take(now), now)
        self._score(now)
        due = self.worker.next_due()
        if due is not None and due <= now:
            fired = self.worker.fire(now)
            ready += fired.effects.get("ready", 0)
            self._tally.fired += fired.records
            for instant in fired.due:
                self.worker.lateness.add(now - instant)
        # What a score made ready is not counted there.
        if ready or self._scored_at == now:
            self._carry_out(now)

    def _take_in(self, events: tuple[Event, ...], now: int) -> int:
        """Take *events* in, those that happen in Salesforce through it; return how many effects they made ready."""
        self._tally.events += events
        if self.inside is None:
            return self._take(events, now)
        events = self.inside.write(events)
        ready = self.inside.read()
        return ready + self._take(events, now)

    def _take(self, events: tuple[Event, ...], now: int) -> int:
        if not events:
            return 0
        taken = self.worker.ingest(events, now, source="sample", live_from=0)
        self._tally.given += taken.read
        self._tally.accepted += taken.accepted
        self._tally.repeated += taken.repeated
        self._tally.refused += taken.refused
        return taken.planned

    def _score(self, now: int) -> None:
        """Let the models score whatever has news, and keep what they told."""
        if self._scorer is None:
            return
        with self.store.read() as unit:
            due = unit.rescores.next_due()
        if due is None or due > now:
            return
        self._scored_at = now
        while self.worker.score(now) == self.worker.pace.score_batch:
            continue
        self._tally.events += self._scorer.take()

    def _carry_out(self, now: int) -> None:
        """Send what is ready, and let people react to it."""
        while self.worker.act(now).claimed:
            pass
        done = sorted(self.sink.done.values(), key=lambda action: (action.due, action.key))
        self.sink.done.clear()
        self._tally.actions += done
        self._tally.by_rule.update(action.rule for action in done)
        self._tally.reactions += self.script.feed(done, now)

    def _played(self, ended: int, *, finished: bool) -> Played:
        self.clock.set(ended)
        tally = self._tally
        with self.store.read() as unit:
            records, states = unit.records.count(), unit.outbox.counts()
        self.worker.close()
        logged, calls = None, 0
        if self.inside is not None:
            read, accepted, repeated, refused = self.inside.taken
            tally.given, tally.accepted = tally.given + read, tally.accepted + accepted
            tally.repeated, tally.refused = tally.repeated + repeated, tally.refused + refused
            logged, calls = self.inside.logged(), self.inside.calls()
            self.inside.close()
        without = self._without
        if not finished:
            without = without_rules(self._document, self.organisation.events, ended, ORG)
        return Played(
            seed=self.organisation.seed, began=START, ended=ended, finished=finished, given=tally.given,
            accepted=tally.accepted, repeated=tally.repeated, refused=tally.refused, reactions=tally.reactions,
            records=records, fired=tally.fired, actions=tuple(tally.actions), states=states,
            lateness=self.worker.lateness.report(),
            missed=breaches_in(stored_facts(self.store), self._policy, ended), missed_without=without,
            scored=Scored() if self._scorer is None else self._scorer.scored(tally.actions),
            events=tuple(tally.events), logged=logged, calls=calls,
        )  # fmt: skip


def _inside(organisation: Organisation, document: PolicyDocument, clock: ManualClock, folder: Path) -> Inside:
    """Return the sandbox to play in; what speaks to Salesforce takes a second to import."""
    from triage.demo.inside import Inside

    return Inside(organisation, document, clock, folder)
