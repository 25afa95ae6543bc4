"""
The worker: take events in, fire what is due, carry effects out, and go on until told to stop.

`ingest`, `fire` and `act` each do one bounded piece and take the instant from the caller; `run` calls them in turn by
its clock. Firing makes no remote call, and no remote call is made inside a transaction.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

from msgspec import Struct, field

from triage.again import again
from triage.again import stored as in_one
from triage.announcing import Announcer
from triage.delivery import Delivered, Delivery
from triage.domain.instant import HOUR
from triage.domain.work import Event
from triage.errors import StoreError
from triage.lateness import Lateness
from triage.ports import (
    Clock,
    Compiled,
    EffectFilter,
    Engine,
    Journal,
    Listener,
    Refusal,
    Scorer,
    Sink,
    SourceState,
    Store,
    Unit,
    record_key,
)  # fmt: skip
from triage.publishing import resume_waking
from triage.rescoring import SOURCE, Rescoring
from triage.sending import Pace
from triage.store.codec import encode
from triage.store.upkeep import BUCKETS_FOR
from triage.taken import Ingested, Numbered, added, counted, numbered_events
from triage.turn import HELD_PIECES, Settled, Turn

PLACE_EVERY = 30_000
"""How often, in ms, a running worker looks for somebody for what nobody could take, beside the starts of shifts."""

ROUND_EVERY = 10_000
"""How often, in ms, a running worker says in the store that it has finished a round."""

ANNOUNCE_EVERY = 500
"""How often, in ms, a running worker looks for decisions to tell."""

PRUNE_EVERY = HOUR
"""How often, in ms, a running worker forgets what the caps counted days ago."""


class Fired(Struct, frozen=True, kw_only=True):
    """What one firing did: how many records, the new effects by state, and the due instants that were met."""

    records: int = 0
    effects: dict[str, int] = field(default_factory=dict)
    due: tuple[int, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)


class Health(Struct, frozen=True, kw_only=True):
    """Whether the worker can do its work; *fault* says why not, since *since*."""

    ok: bool = True
    fault: str = ""
    since: int = 0


class Worker:
    """One worker of one organisation on one store, with one sink."""

    def __init__(
        self,
        store: Store,
        sink: Sink,
        engine: Engine,
        clock: Clock,
        *,
        name: str = "worker",
        pace: Pace | None = None,
        journal: Journal | None = None,
        scorer: Scorer | None = None,
        listeners: Sequence[Listener] = (),
    ) -> None:
        self.store = store
        self._sink = sink
        self.engine = engine
        self.clock = clock
        self.name = name
        self.scorer = scorer
        self.pace = pace or Pace()
        self.lateness = Lateness()
        self.health = Health()
        self.rounds: dict[str, int] = {}
        self.quota: Callable[[], tuple[int, int]] | None = None
        """How many calls the connected organisation has used today, of how many; 0 of 0 before it was heard."""
        self._journal = journal
        self._faults: dict[str, str] = {}
        self._placed_at = 0
        self._opens_at = 0
        self._told_at = 0
        self._pruned_at = 0
        self._compiled: tuple[str, Compiled] | None = None
        self._scoring: Rescoring | None = None
        if scorer is not None:
            self._scoring = Rescoring(store, engine, scorer, self.policy, self._told_scores, journal)
        self._announcer = Announcer(store, listeners, engine, clock, self.policy, journal) if listeners else None
        self._delivery = Delivery(store, sink, engine, clock, name=name, policy=self.policy, pace=self.pace)

    def policy(self, unit: Unit) -> Compiled:
        """
        Return the policy in force, compiled once.

        Raises:
            StoreError: none has been published, or it was published for a sandbox and the sink is a live one.
        """
        live = unit.policies.live_digest()
        if not live:
            raise StoreError("no policy is in force: publish one with `triage policy publish`")
        if self._compiled is None or self._compiled[0] != live:
            stored = unit.policies.live()
            if stored is not None and stored.virtual and self._sink.live:
                raise StoreError(
                    f"the policy in force lets every rule act, for a sandbox; {self._sink.name} reaches the outside: "
                    "publish the policy again with `triage policy publish`"
                )
            before = "" if self._compiled is None else self._compiled[0]
            self._compiled = (live, compiled_policy(unit, self.engine, live))
            self.tell("policy", digest=live[:12], before=before[:12])
        return self._compiled[1]

    def ingest_lines(
        self,
        lines: Iterable[bytes | str],
        read: Callable[[bytes | str], Event],
        now: int,
        *,
        source: str = "file",
        live_from: int | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Ingested:
        """
        Take in one event a line, as `ingest` does; *read* raises IntakeError for a line that is none.

        Refusals name the line of the file, from 1; empty lines are counted there and nowhere else.
        """
        return self.ingest_numbered(
            numbered_events(enumerate(lines, start=1), source, now, read),
            now,
            source=source,
            live_from=live_from,
            progress=progress,
        )

    def ingest(
        self,
        events: Iterable[Event | Refusal],
        now: int,
        *,
        source: str = "file",
        live_from: int | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Ingested:
        """
        Take in *events* in order, a batch a transaction, and return what became of each.

        An event taken in before (same source and event id) changes nothing, so a broken run is simply repeated.

        Args:
            live_from: What was true on a new record before this instant is backlog; by default the instant at which
                *source* was first read. 0: nothing is backlog.
            progress: Called with the number of lines read so far, after each batch.
        """
        with self.store.read() as unit:
            state = unit.intake.source(source)
        read = 0 if state is None else state.accepted + state.repeated + state.refused
        numbered = enumerate(events, start=read + 1)
        return self.ingest_numbered(numbered, now, source=source, live_from=live_from, progress=progress)

    def ingest_numbered(
        self,
        numbered: Numbered,
        now: int,
        *,
        source: str,
        live_from: int | None = None,
        progress: Callable[[int], None] | None = None,
        label: str = "",
        stored: Callable[[Unit, int, Ingested], None] | None = None,
    ) -> Ingested:
        """
        Take in events that bear line numbers, as `ingest` does.

        Args:
            label: What refusals call the place of their line (a file of the source), *source* where it is empty.
            stored: Called inside each batch's transaction with the last line and what became of the batch: what it
                stores is stored with the batch, or not at all.
        """
        total = Ingested()
        while batch := list(itertools.islice(numbered, self.pace.ingest_batch)):
            piece = partial(self._ingest, batch, now, source, live_from, label or source, stored)
            total = added(total, again(lambda _, piece=piece: piece()))  # type: ignore[misc]
            if progress is not None:
                progress(total.read)
        return total

    def fire(self, now: int, limit: int | None = None) -> Fired:
        """
        Decide at most *limit* records whose timer is due at *now*, in one transaction, the longest due first.

        Where another worker was first to give somebody work, fewer are tried: a short transaction meets fewer others.
        """
        most = self.pace.fire_batch if limit is None else limit
        return again(lambda attempt: self._fire(now, max(1, most >> attempt)))

    def act(self, now: int, limit: int | None = None) -> Delivered:
        """Carry out at most *limit* effects that are due at *now*, highest priority first."""
        return self._delivery.act(now, self.pace.act_batch if limit is None else limit)

    def score(self, now: int, limit: int | None = None) -> int:
        """Score at most *limit* records whose rules read scores and that have news; return how many there were."""
        return 0 if self._scoring is None else self._scoring.score(now, limit or self.pace.score_batch)

    def _told_scores(self, events: Sequence[Event], now: int) -> Ingested:
        return self.ingest(events, now, source=SOURCE, live_from=0)

    def announce(self, now: int, stopped: Callable[[], bool] = lambda: False) -> int:
        """Tell whoever listens of decisions that are new, see `Announcer.tell`; return 0 where nothing is left."""
        return 0 if self._announcer is None else self._announcer.tell(now, stopped)

    def place_held(self, now: int) -> int:
        """Give effects that nobody could take to whoever can now (a shift has begun); return how many."""
        with self.store.read() as unit:
            if not unit.outbox.find(EffectFilter(states=("held",), target="", limit=1)):
                self._opens_at = now + PLACE_EVERY
                return 0
            change = self.engine.next_change(unit.related.agents(), self.policy(unit), now)
            self._opens_at = now + PLACE_EVERY if change is None else min(change, now + PLACE_EVERY)
        return again(lambda _: self._place_held(now))

    def _place_held(self, now: int) -> int:
        with self.store.write() as unit:
            turn = Turn(unit, self.engine, self.policy(unit), now)
            turn.place_held(HELD_PIECES)
            return sum(one.state == "ready" for one in turn.settle().effects)

    def next_due(self) -> int | None:
        """Return the earliest instant at which there is anything to fire or to send, None for never."""
        with self.store.read() as unit:
            found = [unit.records.next_due(), unit.outbox.next_run()]
            found += [unit.rescores.next_due()] if self._scoring is not None else []
        return min((instant for instant in found if instant is not None), default=None)

    def drain(self, now: int) -> int:
        """Fire, place and carry out until nothing more is due at *now*; return how many effects were done."""
        self.announce(self.clock.now())
        self.place_held(now)
        done = 0
        while True:
            scored = self.score(now)
            fired = self.fire(now)
            acted = self.act(now)
            done += acted.done
            # By the clock: who alone tells is a matter of time, and what is due at *now* may take a while.
            if not fired.records and not acted.claimed and not scored and not self.announce(self.clock.now()):
                return done

    def run(self, stop: threading.Event) -> None:
        """
        Work until *stop* is set; what has been begun is finished first. Raise StoreBusy where another worker runs.

        Effects and scores have threads of their own: a slow other side delays no timer.
        """
        with self.store.hold(), self.store.watch(self.clock.wake):
            self._survived("fire", self._resume)
            self.rounds.clear()
            acting = ThreadPoolExecutor(3, thread_name_prefix="act")
            self.tell("worker_started", worker=self.name, sink=self._sink.name)
            others = [acting.submit(self._act_on, stop)]
            if self._scoring is not None:
                others.append(acting.submit(self._loop, stop, self._score_round, "score"))
            if self._announcer is not None:
                tell = partial(self._announce_round, stop.is_set)
                others.append(acting.submit(self._loop, stop, tell, "announce"))
            try:
                self._loop(stop, self._fire_round, "fire")
            finally:
                self.clock.wake()
                acting.shutdown()
                late = self.lateness
                self.tell("worker_stopped", worker=self.name, fired=late.total, worst_lateness_ms=late.worst)
            for other in others:
                other.result()

    def close(self) -> None:
        """End the threads that send."""
        if self._announcer is not None:
            self._announcer.close()
        self._delivery.close()

    def tell(self, what: str, level: str = "info", **said: str | int | bool) -> None:
        """Write a line of the journal, where there is one: ids and counts, never a customer's words."""
        if self._journal is not None:
            self._journal.tell(what, level, **said)

    def _loop(self, stop: threading.Event, piece: Callable[[], int], half: str) -> None:
        try:
            while not stop.is_set():
                pause = self._survived(half, piece)
                if pause and not stop.is_set():
                    self.clock.wait(pause)
        finally:
            # Whatever ends one half ends the other: half a worker looks alive and is not.
            stop.set()

    def _act_on(self, stop: threading.Event) -> None:
        try:
            self._loop(stop, self._act_round, "act")
        finally:
            # What a lost server keeps from being stored is sent again under its key, by whoever comes next.
            with suppress(StoreError):
                self._delivery.end()

    def _survived(self, half: str, piece: Callable[[], int]) -> int:
        """Run one piece and return after how many ms to go on; a store that cannot be used is waited for."""
        try:
            pause = piece()
        except StoreError as fault:
            if self.health.ok:
                self.tell("unwell", "error", worker=self.name, half=half, fault=str(fault))
            self._faults[half] = str(fault)
            self.health = Health(ok=False, fault=str(fault), since=self.health.since or self.clock.now())
            return self.pace.poll * 50
        self.rounds[half] = self.clock.now()
        if self._faults.pop(half, None) is not None and not self._faults:
            self.tell("well_again", worker=self.name, after_ms=self.clock.now() - self.health.since)
            self.health = Health()
        return pause

    def _resume(self) -> int:
        resume_waking(self.store)
        return 0

    def _pause(self, now: int, due: int | None) -> int:
        """Return how many ms to wait where the next thing is due at *due*; news from others ends a wait sooner."""
        most = self.pace.idle if self.store.tells else self.pace.poll
        return most if due is None else max(1, min(most, due - now))

    def _fire_round(self) -> int:
        now = self.clock.now()
        if now - self._placed_at >= PLACE_EVERY or now >= self._opens_at:
            self._placed_at = now
            self.place_held(now)
        if now - self._told_at >= ROUND_EVERY:
            self._told_at = now
            with self.store.write() as unit:
                unit.upkeep.mark(f"round:{self.name}", now)
        if now - self._pruned_at >= PRUNE_EVERY:
            self._pruned_at = now
            in_one(self.store, lambda unit: unit.upkeep.prune_counts(now - BUCKETS_FOR))
        with self.store.read() as unit:
            due = unit.records.next_due()
        if due is None or due > now:
            return self._pause(now, min(self._opens_at, due or self._opens_at))
        fired = self.fire(now)
        stored = self.clock.now()
        for instant in fired.due:
            self.lateness.add(stored - instant)
        for record in fired.failed:
            self.tell("record_failed", "error", record=record)
        if fired.effects.get("ready"):
            self.clock.wake()
        # None where others have all that is due in hand.
        return 0 if fired.records else self.pace.poll

    def _act_round(self) -> int:
        now = self.clock.now()
        delivered = self._delivery.pump(now)
        for effect in delivered.died:
            self.tell("effect_dead", "error", record=effect.record, rule=effect.action.rule, key=effect.action.key)
        if delivered.claimed or delivered.busy:
            return 0
        # All that is due belongs to a halted rule or waits behind a lease: no need to ask fifty times a second.
        return self.pace.poll * 10 if delivered.blocked else self._pause(now, delivered.next_run)

    def _score_round(self) -> int:
        now = self.clock.now()
        if self._scoring is None or self.score(now):
            return 0
        return self._pause(now, self._scoring.next_due())

    def _announce_round(self, stopped: Callable[[], bool]) -> int:
        return 0 if self.announce(self.clock.now(), stopped) else ANNOUNCE_EVERY

    def _ingest(
        self,
        batch: Sequence[tuple[int, Event | Refusal]],
        now: int,
        source: str,
        live_from: int | None,
        label: str,
        stored: Callable[[Unit, int, Ingested], None] | None,
    ) -> Ingested:
        with self.store.write() as unit:
            turn = Turn(unit, self.engine, self.policy(unit), now)
            since = now if live_from is None else live_from
            state = unit.intake.source(source) or SourceState(name=source, live_from=since)
            events = [one for _, one in batch if isinstance(one, Event)]
            seen = unit.intake.seen(source, [one.event_id for one in events])
            own = [one for one in events if one.type not in ("agent", "related")]
            keys = sorted({record_key(one.object, one.id) for one in own})
            turn.load(keys)
            seen |= unit.upkeep.forgotten(keys, own)
            taken, refused = _fold(turn, batch, seen, state.live_from, label, now)
            unit.intake.add(source, taken)
            unit.intake.refuse(refused)
            settled = turn.settle()
            repeated = len(batch) - len(taken) - len(refused)
            unit.intake.save_source(counted(state, len(taken), repeated, len(refused)))
            states = _states(settled)
            done = Ingested(
                read=len(batch),
                accepted=len(taken),
                repeated=repeated,
                refused=len(refused),
                planned=states.get("ready", 0),
                observed=states.get("would_have", 0),
                refusals=tuple(refused),
            )
            if stored is not None:
                stored(unit, batch[-1][0], done)
        return done

    def _fire(self, now: int, limit: int) -> Fired:
        with self.store.write() as unit:
            due = unit.records.due(now, limit, lock=True)
            if not due:
                return Fired()
            turn = Turn(unit, self.engine, self.policy(unit), now)
            for record in due:
                turn.wake(record)
            settled = turn.settle()
        return Fired(
            records=len(due),
            effects=_states(settled),
            due=tuple(record.due for record in due if record.due is not None),
            failed=settled.failed,
        )


def compiled_policy(unit: Unit, engine: Engine, digest: str) -> Compiled:
    """Return a stored policy compiled again; raise StoreError where that does not give the same policy."""
    stored = unit.policies.get(digest)
    if stored is None:
        raise StoreError(f"policy {digest[:12]} is not in the store")
    compiled = engine.compile(stored.texts, stored.modes, virtual=stored.virtual)
    if compiled.digest != digest:
        raise StoreError(f"policy {digest[:12]} compiles to another one now: publish it with `triage policy publish`")
    return compiled


def _fold(
    turn: Turn, batch: Sequence[tuple[int, Event | Refusal]], seen: set[str], live_from: int, label: str, now: int
) -> tuple[list[Event], list[Refusal]]:
    taken: list[Event] = []
    refused: list[Refusal] = []
    for group in _instants(batch, seen):
        events = [one for _, one in group if isinstance(one, Event)]
        refused += [one for _, one in group if isinstance(one, Refusal)]
        if not events:
            continue
        came = turn.fold_instant(events, live_from)
        for (line, _), event, happened in zip(group, events, came, strict=True):
            if happened.fault is None:
                seen.add(event.event_id)
                taken.append(event)
                continue
            text, reason = encode(event), happened.fault.reason
            refused.append(Refusal(source=label, line=line, reason=reason, record=event.id, text=text, at=now))
    return taken, refused


def _instants(
    batch: Sequence[tuple[int, Event | Refusal]], seen: set[str]
) -> Iterator[list[tuple[int, Event | Refusal]]]:
    """Yield what is new in *batch*: a refusal by itself, events that follow each other at one instant together."""
    group: list[tuple[int, Event | Refusal]] = []
    at, ids = 0, set[str]()
    for line, one in batch:
        if group and (isinstance(one, Refusal) or one.at != at):
            yield group
            group, ids = [], set()
        if isinstance(one, Refusal):
            yield [(line, one)]
        elif one.event_id not in seen and one.event_id not in ids:
            group.append((line, one))
            ids.add(one.event_id)
            at = one.at
    if group:
        yield group


def _states(settled: Settled) -> dict[str, int]:
    counts: dict[str, int] = {}
    for effect in settled.effects:
        counts[effect.state] = counts.get(effect.state, 0) + 1
    return counts
