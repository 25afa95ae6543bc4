"""One effect sent: whether it may go now, what the other side's answer means, and when it is tried again."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable

from msgspec import Struct

from triage.domain.decision import Action
from triage.domain.message import UNWRITTEN, Message
from triage.errors import SinkBusy, SinkError, SinkLimit, StoreError
from triage.ports import Clock, Effect, Receipt, Sink, State, Store

EVERYTHING = "*"
"""The name under which all rules are halted."""

STOP_WITHIN = 250
"""How old, in ms, the stop flags may be when an effect starts."""

AHEAD = 250
"""For how many ms of sending, at the speed of late, effects are taken in hand: an urgent one waits no longer."""

FIRST_GUESS = 25
"""How many ms a call is taken to last before any was made."""


class Pace(Struct, frozen=True, kw_only=True):
    """
    How much at once, and how patient. Times are ms; *attempts* is how often one effect is sent before it is dead.

    A worker with nothing to do looks again after *poll*, or after *idle* where the store tells what others change.
    *act_batch* is the most that is under way at once; where the other side is slow it is fewer.
    """

    ingest_batch: int = 500
    fire_batch: int = 500
    act_batch: int = 256
    score_batch: int = 64
    threads: int = 8
    lease: int = 60_000
    attempts: int = 8
    backoff: int = 1_000
    backoff_most: int = 15 * 60_000
    poll: int = 20
    idle: int = 1_000
    seed: int = 0


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


class Sender:
    """What a worker's sending threads share: the sink, the stop flags, and until when each lease lasts."""

    def __init__(self, store: Store, sink: Sink, clock: Clock, pace: Pace) -> None:
        self._store = store
        self._sink = sink
        self._clock = clock
        self._pace = pace
        self._looking = threading.Lock()
        self._stops: frozenset[str] = frozenset()
        self._stops_read = 0
        self._until: dict[str, int] = {}
        self._took = float(FIRST_GUESS)
        self.ending = False

    def halt(self, stops: Iterable[str], now: int) -> frozenset[str]:
        """Know *stops* as of *now*, and return them."""
        self._stops, self._stops_read = frozenset(stops), now
        return self._stops

    def stopped(self, rule: str) -> bool:
        """Tell whether *rule* was halted when somebody last looked."""
        return rule in self._stops

    def lease(self, keys: Iterable[str], until: int) -> None:
        """Know that the leases of *keys* last until *until*."""
        self._until.update(dict.fromkeys(keys, until))

    def end(self, key: str) -> None:
        """Forget a lease, which has ended or was lost."""
        self._until.pop(key, None)

    def until(self, key: str) -> int:
        """Return when the lease of *key* ends, 0 for none."""
        return self._until.get(key, 0)

    def room(self) -> int:
        """Return how many effects may be under way at once, given how long a call took of late."""
        some = self._pace.threads * AHEAD / max(self._took, 0.1)
        return min(self._pace.act_batch, max(2 * self._pace.threads, int(some)))

    def send(self, parcel: Parcel) -> Outcome:
        """Send one effect unless it was halted meanwhile, its lease is half over, or all ends; called by any thread."""
        effect = parcel.effect
        now = self._clock.now()
        late = now > self.until(effect.action.key) - self._pace.lease // 2
        if self._halted(effect, now) or late or self.ending:
            return returned(effect, now)
        try:
            receipt = self._sink.send(effect.action, parcel.message)
        except SinkError as fault:
            return self._failed(effect, fault, now)
        except Exception as fault:  # a sink's own bug must not take the worker with it
            return _dead(effect, f"{type(fault).__name__}: {fault}")
        finally:
            self._took += 0.1 * (self._clock.now() - now - self._took)
        return _done(effect, receipt)

    def _halted(self, effect: Effect, now: int) -> bool:
        with self._looking:
            if now - self._stops_read >= STOP_WITHIN:
                try:
                    with self._store.read() as unit:
                        self.halt(unit.control.stops(), now)
                except StoreError:
                    # Who cannot ask whether it was halted does not send: the effect goes back.
                    return True
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


def returned(effect: Effect, now: int) -> Outcome:
    """Return *effect* as it was: it has not been sent, and may be at once."""
    return Outcome(effect=effect, state="ready", attempt=effect.attempt, run_at=now)


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
