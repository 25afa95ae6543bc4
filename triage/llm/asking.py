"""One question to a language model: reserve, ask, settle, try again where that helps, and never later than allowed."""

from __future__ import annotations

import queue
import random
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from triage.again import again, stored
from triage.errors import AnswerRefused, BudgetSpent, ScoringError, StoreError, VendorBusy, VendorError, VendorTimeout
from triage.llm.answers import Finding, read_answer
from triage.llm.breaker import Breaker
from triage.llm.health import limits_of
from triage.llm.prices import cost, price_of, worst_case
from triage.llm.prompting import Prompt, Question, prompt_of
from triage.llm.retry import pause
from triage.llm.vendor import Provider, Reply, Usage
from triage.ports import Clock, LlmCall, Store
from triage.rules.llm_policy import LlmPolicy

T = TypeVar("T")

Compare = Callable[[Mapping[str, Finding]], dict[str, tuple[Any, Any]]]

_STOPPED = {"length": "length_stop", "refusal": "refusal", "safety": "safety_stop"}


class Outcome(Struct, frozen=True, kw_only=True):
    """
    What came of one question. `code` is `answered`, or the reason why `found` is empty; `calls` are its attempts, the
    amounts in micro-dollars; `said` is the vendor's own machine-readable word, for people who mend settings.
    """

    code: str
    found: dict[str, Finding] = field(default_factory=dict)
    calls: tuple[LlmCall, ...] = ()
    said: str = ""

    @property
    def answered(self) -> bool:
        """Whether there is an answer."""
        return self.code == "answered"


class Asker:
    """
    Asks one endpoint for one organisation. Thread-safe. `open` gives the provider when it is first needed.

    Every attempt is reserved at its worst case before it leaves, and settled after: at what it used where the vendor
    says so, at nothing where the vendor does not bill, else at the reservation.
    """

    def __init__(
        self,
        policy: LlmPolicy,
        store: Store,
        clock: Clock,
        opening: Callable[[], Provider],
        ids: Callable[[], str],
        *,
        chance: random.Random | None = None,
    ) -> None:
        """
        Args:
            ids: Random words that nobody can guess: ids of calls, and what makes a fence unforgeable.
        """
        self.breaker = Breaker(policy.rest, clock.now)
        self._policy = policy
        self._store = store
        self._clock = clock
        self._opening = opening
        self._ids = ids
        self._chance = chance or random.Random(0)
        self._provider: Provider | None = None
        self._lock = threading.Lock()

    def ask(
        self, asked: Question, purpose: str = "answer", compare: Compare = lambda _: {}, *, until: int | None = None
    ) -> Outcome:
        """
        Return what came of *asked*; it never raises for anything the other side, the budget or the store did.

        Args:
            compare: From the findings to what both models said, kept beside the call.
            until: When whoever waits for it has waited long enough, by the clock; the policy's deadline holds as well.
        """
        allowed = self._clock.now() + self._policy.deadline
        until = allowed if until is None else min(until, allowed)
        calls: list[LlmCall] = []
        code = "deadline"
        while True:
            if not self.breaker.allows():
                return Outcome(code=self.breaker.code or "resting", calls=tuple(calls))
            done = self._attempt(asked, purpose, until - self._clock.now(), compare)
            calls += done.calls
            # A deadline that passes between two attempts hides no reason.
            code = code if done.code == "deadline" else done.code
            if not isinstance(done.error, VendorError):
                return Outcome(code=code, found=done.found, calls=tuple(calls))
            left = until - self._clock.now()
            wait = pause(done.error, len(calls), left, self._chance)
            if wait is None:
                return Outcome(code=done.code, calls=tuple(calls), said=str(done.error))
            self._clock.wait(wait)

    def keep(self, asked: Question, call: LlmCall, found: Mapping[str, Finding], *, usage: Usage | None) -> None:
        """Settle the answered *call* of somebody else's asking (a batch), and keep its answer."""
        self._settle(asked, replace(call, outcome="answered"), usage, found)

    def reserve(self, asked: Question, purpose: str) -> tuple[LlmCall, Prompt]:
        """
        Return a reserved call for *asked* with its prompt.

        Raises:
            BudgetSpent, VendorRefused, StoreError: it must not be made.
        """
        policy = self._policy
        prompt = prompt_of(asked, policy, self._ids())
        call = LlmCall(
            id=self._ids(), at=self._clock.now(), record=asked.record, provider=policy.provider, model=policy.model,
            prompt=asked.prompt, purpose=purpose, reserved=worst_case(prompt, price_of(policy)),
        )  # fmt: skip
        limits = limits_of(policy, self._store.org, asked.record, call.at)
        if scope := stored(self._store, lambda unit: unit.llm.reserve(call, limits)):
            raise BudgetSpent(scope)
        return call, prompt

    def failed(self, asked: Question, call: LlmCall, error: VendorError, usage: Usage | None = None) -> LlmCall:
        """Settle a call that brought no answer, and return it as stored."""
        free = Usage() if error.free and usage is None else usage
        return self._settle(asked, replace(call, outcome=error.code, request=error.request or call.request), free)

    def provider(self) -> Provider:
        """Return the opened provider; raise VendorRefused where its key or package is missing."""
        with self._lock:
            if self._provider is None:
                self._provider = self._opening()
            return self._provider

    def close(self) -> None:
        """Close connections."""
        with self._lock:
            if self._provider is not None:
                self._provider.close()
                self._provider = None

    def _attempt(self, asked: Question, purpose: str, left: int, compare: Compare) -> _Attempt:
        """Return what came of one attempt, settled."""
        if left <= 0:
            self.breaker.let_go()
            return _Attempt(code="deadline")
        try:
            provider = self.provider()
            call, prompt = self.reserve(asked, purpose)
        except VendorError as cause:
            self.breaker.failed(cause.code)
            return _Attempt(code=cause.code, error=cause)
        except (BudgetSpent, StoreError) as cause:
            self.breaker.let_go()
            return _Attempt(code=f"budget_{cause.scope}" if isinstance(cause, BudgetSpent) else "ledger")
        send = partial(provider.ask, prompt, min(left, self._policy.attempt))
        return self._sent(asked, call, send, min(left, self._policy.attempt), compare)

    def _sent(self, asked: Question, call: LlmCall, send: Callable[[], Reply], most: int, compare: Compare) -> _Attempt:
        reply: Reply | None = None
        try:
            reply = within(most, send)
            call = replace(call, request=reply.request, millis=self._clock.now() - call.at)
            found = checked(reply, asked, self._policy)
        except VendorError as cause:
            if isinstance(cause, AnswerRefused):
                # The other side works; it is this text it says nothing usable about.
                self.breaker.succeeded()
            else:
                self.breaker.failed(cause.code)
            call = replace(call, millis=self._clock.now() - call.at)
            done = self.failed(asked, call, cause, reply.usage if reply else None)
            return _Attempt(code=cause.code, error=cause, calls=(done,))
        self.breaker.succeeded()
        call = self._settle(asked, replace(call, outcome="answered", compared=compare(found)), reply.usage, found)
        return _Attempt(code="answered", found=found, calls=(call,))

    def _settle(
        self, asked: Question, call: LlmCall, usage: Usage | None, found: Mapping[str, Finding] | None = None
    ) -> LlmCall:
        """Return *call* as stored; where the store fails, its reservation stays, which is the safe side."""
        price = price_of(self._policy)
        amount = None
        if usage is not None and min(usage.input, usage.cached, usage.output) >= 0:
            amount = cost(usage, price)
            call = replace(call, input=usage.input, cached=usage.cached, output=usage.output)
        # More than the worst case is no usage that can be believed: it counts as not known.
        booked = call.reserved if amount is None or amount > call.reserved else amount
        call = replace(call, cost=booked)

        def store(_attempt: int) -> None:
            # Not forced to disk: where a power cut takes it back, the reservation stands, which is the safe side.
            with self._store.write(lasting=False) as unit:
                unit.llm.settle([call])
                if found is not None:
                    unit.llm.keep(asked.key, asked.record, call.at, encode_answer(found))

        try:
            again(store)
        except StoreError:
            return replace(call, cost=call.reserved)
        return call


class _Attempt(Struct, frozen=True, kw_only=True):
    code: str
    found: dict[str, Finding] = field(default_factory=dict)
    calls: tuple[LlmCall, ...] = ()
    error: ScoringError | None = None


def checked(reply: Reply, asked: Question, policy: LlmPolicy) -> dict[str, Finding]:
    """Return the findings of *reply*: first why it ended, then what it says; raise AnswerRefused."""
    if reply.stop != "complete":
        raise AnswerRefused(_STOPPED[reply.stop], request=reply.request)
    return read_answer(reply.text, asked.tasks, policy.languages)


def encode_answer(found: Mapping[str, Finding]) -> str:
    """Return findings as they are kept: what was checked, never the text that came."""
    return msgspec.json.encode(found, order="sorted").decode()


def decode_answer(text: str) -> dict[str, Finding]:
    """Return kept findings."""
    return msgspec.json.decode(text, type=dict[str, Finding])


def within(millis: int, call: Callable[[], T]) -> T:
    """
    Return what *call* returns or raises, after *millis* ms at the latest: then VendorTimeout, and nobody waits for it.

    A socket's own timeout bounds a single read, and the other side may send one byte at a time.
    """
    answers: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put((call(), None))
        except BaseException as cause:
            answers.put((None, cause))

    threading.Thread(target=run, name="llm", daemon=True).start()
    try:
        value, error = answers.get(timeout=millis / 1000)
    except queue.Empty:
        raise VendorTimeout("timeout", f"nothing within {millis} ms") from None
    if error is None:
        return value  # type: ignore[return-value]
    if isinstance(error, VendorError):
        raise error
    # Whatever an SDK may still come up with: the record gets its local score all the same.
    raise VendorBusy("sdk_error", type(error).__name__) from error
