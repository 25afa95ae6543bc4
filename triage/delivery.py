"""Effects carried out: claimed with a lease, sent outside any transaction, and finished where the lease still holds."""

from __future__ import annotations

import contextlib
import itertools
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from triage.again import again
from triage.domain.decision import Action, AuditEntry
from triage.domain.message import UNWRITTEN, Message
from triage.domain.work import Event, WorkItem
from triage.errors import SinkBusy, SinkError, SinkLimit, StoreError, StoreLost, TriageError
from triage.ports import (
    Clock,
    Compiled,
    Effect,
    EffectFilter,
    Engine,
    Finish,
    Receipt,
    Sink,
    State,
    Store,
    Unit,
    record_key,
)
from triage.turn import Turn, entry_of

EVERYTHING = "*"
"""The name under which all rules are halted."""

STOP_WITHIN = 250
"""How old, in ms, the stop flags may be when an effect starts."""

LOST_AGAIN, LOST_AGAIN_MOST = 50, 2_000
"""How soon, in ms, a server that is gone is tried again, at first and later."""

EFFECTS = "triage"
"""The source under which our own effects come back as events."""


class Pace(Struct, frozen=True, kw_only=True):
    """
    How much at once, and how patient. Times are ms; *attempts* is how often one effect is sent before it is dead.

    A worker with nothing to do looks again after *poll*, or after *idle* where the store tells what others change.
    """

    ingest_batch: int = 500
    fire_batch: int = 500
    act_batch: int = 64
    score_batch: int = 64
    threads: int = 8
    lease: int = 60_000
    attempts: int = 8
    backoff: int = 1_000
    backoff_most: int = 15 * 60_000
    poll: int = 20
    idle: int = 1_000
    seed: int = 0


class Delivered(Struct, frozen=True, kw_only=True):
    """
    What became of the effects of one round; `lost` ones had passed to another worker meanwhile.

    `blocked`: some are due and none of them may go now. `next_run`: where nothing was, when there will be something.
    """

    claimed: int = 0
    done: int = 0
    retried: int = 0
    dead: int = 0
    cancelled: int = 0
    returned: int = 0
    lost: int = 0
    blocked: bool = False
    died: tuple[Effect, ...] = ()
    next_run: int | None = None


class Parcel(Struct, frozen=True):
    """An effect ready to go, with its words."""

    effect: Effect
    message: Message = UNWRITTEN

    @property
    def action(self) -> Action:
        """What is to be done."""
        return self.effect.action


class Outcome(Struct, frozen=True, kw_only=True):
    """How one effect ended, or why it goes back; *event* is the word for it in the audit, empty for no line."""

    effect: Effect
    state: State
    event: str = ""
    attempt: int = 0
    run_at: int = 0
    error: str = ""
    already: bool = False
    detail: str = ""
    pause_until: int = 0


class Delivery:
    """The acting half of a worker."""

    def __init__(
        self,
        store: Store,
        sink: Sink,
        engine: Engine,
        clock: Clock,
        *,
        name: str,
        policy: Callable[[Unit], Compiled],
        pace: Pace,
    ) -> None:
        self._store = store
        self._sink = sink
        self._engine = engine
        self._clock = clock
        self._name = name
        self._policy = policy
        self._pace = pace
        self._tickets = itertools.count(1)
        self._stops: frozenset[str] = frozenset()
        self._stops_read = 0
        self._pool = ThreadPoolExecutor(pace.threads, thread_name_prefix="send")

    def act(self, now: int, limit: int) -> Delivered:
        """Carry out at most *limit* effects that are due at *now*; nothing where all is stopped or paused."""
        due = self._next(now)
        if due is None or due > now:
            return Delivered(next_run=due)
        parcels, cancelled = again(lambda _: self._claim(now, limit))
        outcomes, lost = self._carry_out(parcels, now)
        tally = [outcome.event for outcome in outcomes]
        return Delivered(
            claimed=len(parcels) + cancelled,
            done=tally.count("done") - lost,
            retried=tally.count("retry"),
            dead=tally.count("dead"),
            cancelled=cancelled,
            returned=tally.count(""),
            lost=lost,
            blocked=not parcels and not cancelled,
            died=tuple(outcome.effect for outcome in outcomes if outcome.event == "dead"),
        )

    def _carry_out(self, parcels: Sequence[Parcel], now: int) -> tuple[list[Outcome], int]:
        """
        Send *parcels* and store how each ended; return that, and how many were lost.

        Those whose other side knows no keys are finished one by one, so that a crash repeats one of them at most.
        """
        forgetful = [parcel for parcel in parcels if not self._sink.remembers(parcel.action)]
        sent = [self._pool.submit(self._send, parcel) for parcel in parcels if self._sink.remembers(parcel.action)]
        outcomes, lost = [], 0
        for parcel in forgetful:
            outcomes.append(self._send(parcel))
            lost += self._keep(outcomes[-1:], now)
        together = [future.result() for future in sent]
        lost += self._keep(together, now) if together else 0
        return [*outcomes, *together], lost

    def close(self) -> None:
        """Let the threads end."""
        self._pool.shutdown()

    def _next(self, now: int) -> int | None:
        """Return when there will be anything to send, None where nothing is waiting or all is halted."""
        with self._store.read() as unit:
            due = unit.outbox.next_run()
            if due is None or due > now:
                return due
            paused = unit.control.paused_until()
            if paused > now:
                return paused
            return None if EVERYTHING in unit.control.stops() else due

    def _claim(self, now: int, limit: int) -> tuple[list[Parcel], int]:
        """Lease what is due, and cancel at once what no longer holds."""
        lease = f"{self._name}/{next(self._tickets)}"
        with self._store.write() as unit:
            self._stops, self._stops_read = frozenset(unit.control.stops()), now
            claimed = unit.outbox.claim(
                now,
                owner=self._name,
                lease=lease,
                until=now + self._pace.lease,
                limit=limit,
                stopped=sorted(self._stops),
            )
            turn = Turn(unit, self._engine, self._policy(unit), now)
            named = {name for effect in claimed for name in (effect.record, *_told_of(effect))}
            turn.load(sorted(named), lock=False)
            kept = []
            for effect in claimed:
                state, why = self._checked(effect, turn, now)
                if "digest" in effect.action.params:
                    effect, why = self._gathered(effect, why, turn, unit, now)
                if not why:
                    kept.append(self._worded(effect, turn, now))
                    continue
                unit.outbox.change([effect.action.key], state, run_at=0, error=why)
                turn.free(effect)
                turn.note(entry_of(effect.action, unit.org, state, now, why=why))
            turn.settle()
        return kept, len(claimed) - len(kept)

    def _checked(self, effect: Effect, turn: Turn, now: int) -> tuple[State, str]:
        """Return the state for an effect that must not go, and why; an empty reason where it may."""
        facts = turn.known(effect.record)
        if facts is None:
            return "cancelled", ""
        try:
            return "cancelled", self._engine.still_holds(facts, turn.policy, effect.action, now)
        except TriageError as fault:
            return "dead", f"cannot be checked: {fault}"

    def _worded(self, effect: Effect, turn: Turn, now: int) -> Parcel:
        """Return *effect* with its words; where there can be none, no sink lets it outside."""
        facts = turn.known(effect.record)
        if facts is not None:
            with contextlib.suppress(TriageError):
                return Parcel(effect, self._engine.message(effect.action, facts, turn.policy, now))
        return Parcel(effect)

    def _gathered(self, effect: Effect, why: str, turn: Turn, unit: Unit, now: int) -> tuple[Effect, str]:
        """
        Return a digest with what may still be told, and why nothing may, if so; *why* speaks against its own line.

        A line of a halted rule leaves the digest and waits as a message of its own; one that ceased is cancelled.
        """
        kept = []
        for line in effect.action.params["digest"]:
            key = str(line.get("key", effect.action.key))
            if key == effect.action.key:
                kept += [] if why else [line]
                continue
            one = next(iter(unit.outbox.find(EffectFilter(key=key, states=("superseded",), lock=True))), None)
            if one is None:
                continue
            if one.action.rule in self._stops:
                unit.outbox.change([key], "ready", run_at=now)
                turn.note(entry_of(one.action, unit.org, "planned", now, why="its rule is halted: out of the digest"))
                continue
            state, ceased = self._checked(one, turn, now)
            if ceased:
                unit.outbox.change([key], state, run_at=0, error=ceased)
                turn.note(entry_of(one.action, unit.org, state, now, why=ceased))
            else:
                kept.append(line)
        told = replace(effect.action, params=effect.action.params | {"digest": kept})
        return replace(effect, action=told), "" if kept else why or "nothing in it holds any longer"

    def _send(self, parcel: Parcel) -> Outcome:
        """Send one effect unless it was halted meanwhile or its lease is half over; runs in a thread of its own."""
        effect = parcel.effect
        now = self._clock.now()
        if self._halted(effect, now) or now > effect.run_at - self._pace.lease // 2:
            return Outcome(effect=effect, state="ready", attempt=effect.attempt, run_at=now)
        try:
            receipt = self._sink.send(effect.action, parcel.message)
        except SinkError as fault:
            return self._failed(effect, fault, now)
        except Exception as fault:  # a sink's own bug must not take the worker with it
            return _dead(effect, f"{type(fault).__name__}: {fault}")
        return _done(effect, receipt)

    def _halted(self, effect: Effect, now: int) -> bool:
        if now - self._stops_read >= STOP_WITHIN:
            try:
                with self._store.read() as unit:
                    self._stops = frozenset(unit.control.stops())
            except StoreError:
                # Who cannot ask whether it was halted does not send: the effect goes back.
                return True
            self._stops_read = now
        rules = {effect.action.rule, *(line["rule"] for line in effect.action.params.get("digest", ()))}
        return EVERYTHING in self._stops or not self._stops.isdisjoint(rules)

    def _failed(self, effect: Effect, fault: SinkError, now: int) -> Outcome:
        if isinstance(fault, SinkLimit):
            until = now + fault.pause
            return Outcome(
                effect=effect,
                state="ready",
                event="limited",
                attempt=effect.attempt,
                run_at=until,
                error=str(fault),
                pause_until=until,
            )
        attempt = effect.attempt + 1
        if not isinstance(fault, SinkBusy) or attempt >= self._pace.attempts:
            return _dead(effect, str(fault))
        run_at = now + max(fault.after, self._backoff(effect.action.key, attempt))
        return Outcome(effect=effect, state="ready", event="retry", attempt=attempt, run_at=run_at, error=str(fault))

    def _backoff(self, key: str, attempt: int) -> int:
        """Return ms to wait: anything up to a bound that doubles each time, so that not all return at once."""
        most = min(self._pace.backoff_most, self._pace.backoff << min(attempt, 30))
        return random.Random(f"{self._pace.seed}:{key}:{attempt}").randint(1, most)

    def _keep(self, outcomes: Sequence[Outcome], now: int) -> int:
        """
        Store how effects ended, and return how many were lost to other workers.

        A server that is gone is waited for as long as the leases last: an answer that is lost is an effect sent twice.
        """
        pause = LOST_AGAIN
        while True:
            try:
                return again(lambda _: self._finish(outcomes, max(now, self._clock.now())))
            except StoreLost:
                if self._clock.now() >= min(outcome.effect.run_at for outcome in outcomes):
                    raise
            self._clock.wait(pause)
            pause = min(LOST_AGAIN_MOST, pause * 2)

    def _finish(self, outcomes: Sequence[Outcome], at: int) -> int:
        """Store how effects ended, one audit line each, and what they changed as events; return how many were lost."""
        with self._store.write() as unit:
            policy = self._policy(unit)
            turn = Turn(unit, self._engine, policy, at)
            # Records before effects, as in firing: two that lock in one order cannot wait for each other.
            turn.load(sorted({outcome.effect.record for outcome in outcomes}))
            held = unit.outbox.finish([_finish(outcome, at) for outcome in outcomes])
            kept = [outcome for outcome in outcomes if outcome.effect.action.key in held]
            for outcome in kept:
                if outcome.event:
                    turn.note(self._entry(outcome, unit.org, at))
                if outcome.state in ("done", "dead"):
                    turn.free(outcome.effect)
            done = self._effects(turn, policy, kept, at)
            events, before = _returned(turn, done, unit.org, at)
            turn.settle()
            unit.intake.add(EFFECTS, events)
            unit.outbox.remember({key: values for key, values in before.items() if values})
            pause = max(outcome.pause_until for outcome in outcomes)
            if pause:
                unit.control.pause(pause)
        return len(outcomes) - len(held)

    def _effects(
        self, turn: Turn, policy: Compiled, outcomes: Sequence[Outcome], at: int
    ) -> list[tuple[Action, Event]]:
        """Return what was done to records of ours, each with the event that it comes back as."""
        done = [outcome.effect for outcome in outcomes if outcome.state == "done"]
        found = [(effect.action, self._engine.effect_event(effect.action, policy, at)) for effect in done]
        known = [turn.known(effect.record) is not None for effect in done]
        return [(action, event) for (action, event), ours in zip(found, known, strict=True) if event and ours]

    def _entry(self, outcome: Outcome, org: str, at: int) -> AuditEntry:
        body: dict[str, Any] = {"attempt": outcome.attempt, "sink": self._sink.name}
        for name, value in (("error", outcome.error), ("detail", outcome.detail), ("already", outcome.already)):
            if value:
                body[name] = value
        if outcome.state == "ready":
            body["again_at"] = outcome.run_at
        return entry_of(outcome.effect.action, org, outcome.event, at, **body)


def _returned(
    turn: Turn, done: Sequence[tuple[Action, Event]], org: str, at: int
) -> tuple[list[Event], dict[str, dict[str, object]]]:
    """Let done effects happen to our own records, all at once; return the events, and by key what each one changed."""
    events: list[Event] = []
    before: dict[str, dict[str, object]] = {}
    came = turn.fold_instant([event for _, event in done]) if done else []
    for (action, event), happened in zip(done, came, strict=True):
        if happened.fault is not None:
            turn.note(entry_of(action, org, "not_applied", at, error=str(happened.fault)))
            continue
        events.append(event)
        if happened.before is not None and happened.after is not None:
            before[action.key] = changes(happened.before, happened.after)
    return events, before


def _told_of(effect: Effect) -> list[str]:
    """Return the records that a digest tells of."""
    return [record_key(line["object"], line["id"]) for line in effect.action.params.get("digest", ())]


def changes(before: WorkItem, after: WorkItem) -> dict[str, object]:
    """Return the fields that differ, each with what it was and what it is; derived ones are left out."""
    names = sorted(set(before.fields) | set(after.fields))
    return {
        name: {"was": before.fields.get(name), "is": after.fields.get(name)}
        for name in names
        if name not in ("owner_is_queue", "reassignment_count") and before.fields.get(name) != after.fields.get(name)
    }


def _done(effect: Effect, receipt: Receipt) -> Outcome:
    return Outcome(
        effect=effect,
        state="done",
        event="done",
        attempt=effect.attempt + 1,
        already=receipt.already,
        detail=receipt.detail,
    )


def _dead(effect: Effect, words: str) -> Outcome:
    return Outcome(effect=effect, state="dead", event="dead", attempt=effect.attempt + 1, error=words)


def _finish(outcome: Outcome, at: int) -> Finish:
    return Finish(
        key=outcome.effect.action.key,
        lease=outcome.effect.lease,
        state=outcome.state,
        at=at,
        run_at=outcome.run_at,
        attempt=outcome.attempt,
        error=outcome.error,
    )
