"""Effects carried out: claimed with a lease, sent outside any transaction, and finished where the lease still holds."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from triage.again import again, stored
from triage.domain.decision import Action, AuditEntry
from triage.domain.message import Message
from triage.domain.work import Event, WorkItem
from triage.errors import StoreLost, TriageError
from triage.policy import FAMILIES
from triage.ports import (
    Clock,
    Compiled,
    Effect,
    EffectFilter,
    Engine,
    Finish,
    Sink,
    State,
    Store,
    Unit,
    record_key,
)
from triage.sending import EVERYTHING, Outcome, Pace, Parcel, Sender, returned
from triage.turn import Turn, entry_of

LOST_AGAIN, LOST_AGAIN_MOST = 50, 2_000
"""How soon, in ms, a server that is gone is tried again, at first and later."""

EFFECTS = "triage"
"""The source under which our own effects come back as events."""


LINGER = 50
"""For how many ms answers are gathered, so that one transaction stores many of them."""

LETTERS = 16
"""How many effects at most are in hand of those that are sent one by one."""


class Delivered(Struct, frozen=True, kw_only=True):
    """
    What became of the effects of one round; `lost` ones had passed to another worker meanwhile.

    `blocked`: some are due and none of them may go now. `next_run`: where nothing was, when there will be something.
    `busy`: calls are under way, the next round gathers their answers.
    """

    claimed: int = 0
    done: int = 0
    retried: int = 0
    dead: int = 0
    cancelled: int = 0
    returned: int = 0
    lost: int = 0
    blocked: bool = False
    busy: bool = False
    died: tuple[Effect, ...] = ()
    next_run: int | None = None


class Delivery:
    """
    The acting half of a worker.

    Effects whose other side knows keys go out side by side, and their answers are stored together. The others go one
    by one, each stored before the next, in a thread of their own: a crash repeats one of them at most.
    """

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
        self._sender = Sender(store, sink, clock, pace)
        self._pool = ThreadPoolExecutor(pace.threads, thread_name_prefix="send")
        self._one = ThreadPoolExecutor(1, thread_name_prefix="send-one")
        self._flights: dict[Future[Outcome], Parcel] = {}
        self._letters: dict[Future[tuple[Outcome, int]], Parcel] = {}
        self._forgotten: set[str] = set()
        self._more = False

    def act(self, now: int, limit: int) -> Delivered:
        """Carry out at most *limit* effects that are due at *now*, to the end; nothing where all is stopped."""
        due = self._next(now)
        if due is None or due > now:
            return Delivered(next_run=due)
        claimed, cancelled = self._take(now, limit)
        self._await_all()
        told = self._landed(now)
        return replace(told, claimed=claimed, cancelled=cancelled, blocked=not claimed)

    def pump(self, now: int) -> Delivered:
        """
        Take in hand what is due at *now* and there is room for, and store the answers that have come by soon after.

        No slow other side keeps anything waiting but its own: what is under way stays so over any number of rounds, and
        its leases are renewed.
        """
        self._renew(now)
        claimed = cancelled = 0
        due: int | None = now
        room = self._sender.room() - len(self._flights)
        letters = LETTERS - len(self._letters) if self._forgotten else 0
        some, few = room * 2 >= self._sender.room(), letters * 2 >= LETTERS
        if some or few:
            due = now if self._more else self._next(now)
            if due is not None and due <= now:
                if some:
                    claimed, cancelled = self._take(now, room, without=self._forgotten)
                    self._more = claimed >= room
                    self._give_back(now)
                if few:
                    more, gone = self._take(now, letters, kinds=self._forgotten)
                    claimed, cancelled = claimed + more, cancelled + gone
        if self._flights:
            wait(self._flights, LINGER / 1000)
        told = self._landed(now)
        blocked = not claimed and due is not None and due <= now
        return replace(
            told, claimed=claimed, cancelled=cancelled, busy=bool(self._flights), blocked=blocked, next_run=due
        )  # fmt: skip

    def end(self) -> None:
        """Let what has been begun end, give the rest back, and store it; nothing is taken in hand any more."""
        self._sender.ending = True
        try:
            self._await_all()
            self._landed(self._clock.now())
        finally:
            self._sender.ending = False

    def close(self) -> None:
        """Let the threads end."""
        self._pool.shutdown()
        self._one.shutdown()

    def _await_all(self) -> None:
        wait(self._flights)
        wait(self._letters)

    def _give_back(self, now: int) -> None:
        """Let others have what is more than `LETTERS`: only once sent is it known which kinds go one by one."""
        surplus = [future for future in list(self._letters)[LETTERS:] if future.cancel()]
        parcels = [self._letters.pop(future) for future in surplus]
        if parcels:
            self._keep([returned(parcel.effect, now) for parcel in parcels], now)

    def _take(
        self, now: int, limit: int, *, kinds: Collection[str] = (), without: Collection[str] = ()
    ) -> tuple[int, int]:
        """Claim and begin at most *limit* effects; return how many were claimed, and how many of them cancelled."""
        parcels, cancelled = again(lambda _: self._claim(now, limit, kinds, without))
        self._sender.lease([parcel.action.key for parcel in parcels], now + self._pace.lease)
        for parcel in parcels:
            if self._sink.remembers(parcel.action):
                self._flights[self._pool.submit(self._sender.send, parcel)] = parcel
            else:
                self._forgotten.add(parcel.action.kind)
                self._letters[self._one.submit(self._send_one, parcel, now)] = parcel
        return len(parcels) + cancelled, cancelled

    def _send_one(self, parcel: Parcel, now: int) -> tuple[Outcome, int]:
        outcome = self._sender.send(parcel)
        return outcome, self._keep([outcome], now)

    def _landed(self, now: int) -> Delivered:
        """Store the answers that have come, and return what became of those effects."""
        flown = [future for future in self._flights if future.done()]
        read = [future for future in self._letters if future.done()]
        keys = [self._flights.pop(future).action.key for future in flown]
        keys += [self._letters.pop(future).action.key for future in read]
        try:
            outcomes = [future.result() for future in flown]
            lost = self._keep(outcomes, now) if outcomes else 0
            for future in read:
                outcome, gone = future.result()
                outcomes.append(outcome)
                lost += gone
        finally:
            for key in keys:
                self._sender.end(key)
        tally = [outcome.event for outcome in outcomes]
        return Delivered(
            done=tally.count("done") - lost,
            retried=tally.count("retry"),
            dead=tally.count("dead"),
            returned=tally.count(""),
            lost=lost,
            died=tuple(outcome.effect for outcome in outcomes if outcome.event == "dead"),
        )

    def _renew(self, now: int) -> None:
        """Let the leases of what is in hand last on, long before they end; whoever lost one is not sent any more."""
        until = now + self._pace.lease
        ending = {
            parcel.action.key: parcel.effect.lease
            for parcel in (*self._flights.values(), *self._letters.values())
            if self._sender.until(parcel.action.key) < until - self._pace.lease // 4
        }
        if not ending:
            return
        held = stored(self._store, lambda unit: unit.outbox.renew(ending, until))
        self._sender.lease(held, until)
        for key in ending.keys() - held:
            self._sender.end(key)

    def _next(self, now: int) -> int | None:
        """Return when there will be anything to send, None where nothing is waiting or all is halted."""
        with self._store.read() as unit:
            due = unit.outbox.next_run()
            if due is None or due > now:
                return due
            stops, paused = unit.control.gate()
            if paused > now:
                return paused
            return None if EVERYTHING in stops else due

    def _claim(
        self, now: int, limit: int, kinds: Collection[str], without: Collection[str]
    ) -> tuple[list[Parcel], int]:
        """Lease what is due, and cancel at once what no longer holds; nothing where all is stopped or paused."""
        lease = f"{self._name}/{next(self._tickets)}"
        with self._store.write() as unit:
            halted, paused = unit.control.gate()
            stops = self._sender.halt(halted, now)
            if EVERYTHING in stops or paused > now:
                return [], 0
            claimed = unit.outbox.claim(
                now,
                owner=self._name,
                lease=lease,
                until=now + self._pace.lease,
                limit=limit,
                stopped=sorted(stops),
                kinds=kinds,
                without=without,
            )
            if not claimed:
                return [], 0
            turn = Turn(unit, self._engine, self._policy(unit), now)
            named = {name for effect in claimed for name in (effect.record, *_told_of(effect))}
            turn.load(sorted(named), lock=False)
            kept = []
            for effect in claimed:
                state, why = self._checked(effect, turn, now)
                if "digest" in effect.action.params:
                    effect, why = self._gathered(effect, why, turn, unit, now)
                if not why:
                    kept.append(self._worded(effect, turn, unit, now))
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

    def _worded(self, effect: Effect, turn: Turn, unit: Unit, now: int) -> Parcel:
        """Return *effect* with its words; where there can be none, no sink lets it outside."""
        facts = turn.known(effect.record)
        if facts is not None:
            with contextlib.suppress(TriageError):
                message = self._engine.message(effect.action, facts, turn.policy, now)
                return Parcel(effect, replace(message, model_versions=_models(unit, effect.record, message)))
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
            if self._sender.stopped(one.action.rule):
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
                ends = [self._sender.until(outcome.effect.action.key) for outcome in outcomes]
                if self._clock.now() >= min(ends):
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
            held = unit.outbox.leased({outcome.effect.action.key: outcome.effect.lease for outcome in outcomes})
            kept = [outcome for outcome in outcomes if outcome.effect.action.key in held]
            for outcome in kept:
                if outcome.event:
                    turn.note(self._entry(outcome, unit.org, at))
                if outcome.state in ("done", "dead"):
                    turn.free(outcome.effect)
            done = self._effects(turn, policy, kept, at)
            events, before = _returned(turn, done, unit.org, at)
            unit.outbox.finish([_finish(outcome, at, before) for outcome in kept])
            turn.settle()
            unit.intake.add(EFFECTS, events)
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


def _models(unit: Unit, record: str, message: Message) -> dict[str, str]:
    """Return which model of each family gave *record* the scores that *message* speaks of; none where it has none."""
    if not any(name.partition(".")[0] in FAMILIES for name in message.values):
        return {}
    told = unit.intake.scored(record)
    found = {} if told is None else told.scores.get("model_versions", {})
    return {str(family): str(version) for family, version in found.items()} if isinstance(found, dict) else {}


def changes(before: WorkItem, after: WorkItem) -> dict[str, object]:
    """Return the fields that differ, each with what it was and what it is; derived ones are left out."""
    names = sorted(set(before.fields) | set(after.fields))
    return {
        name: {"was": before.fields.get(name), "is": after.fields.get(name)}
        for name in names
        if name not in ("owner_is_queue", "reassignment_count") and before.fields.get(name) != after.fields.get(name)
    }


def _finish(outcome: Outcome, at: int, before: Mapping[str, dict[str, object]]) -> Finish:
    return Finish(
        key=outcome.effect.action.key,
        state=outcome.state,
        at=at,
        run_at=outcome.run_at,
        attempt=outcome.attempt,
        error=outcome.error,
        before=before.get(outcome.effect.action.key, {}),
    )
