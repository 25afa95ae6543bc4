"""What the handlers work with: stores by organisation, the engine, the clock, and whoever gives scores."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from triage.api.problems import Refused
from triage.domain.instant import parse_instant
from triage.domain.schema import ObjectSpec
from triage.domain.work import Event, Scores, WorkItem
from triage.errors import StoreError
from triage.intaking import Door
from triage.policy import Policy
from triage.ports import ApiKey, Engine, Scorer, Store
from triage.rules.llm_policy import LlmPolicy
from triage.worker import Worker, compiled_policy

LOOK_EVERY = 1000.0
"""How often, in ms, the policy in force is looked for by whoever only reads its field map."""


class Models(Protocol):
    """The models on this machine, as `triage models` shows and promotes them."""

    def listed(self) -> list[dict[str, Any]]:
        """Return each model: name, champion, versions, card."""

    def promote(self, name: str, version: str, *, actor: str, reason: str, acknowledge_volume: bool) -> dict[str, Any]:
        """Let *version* give scores; raise ConfigError where the promotion gate says no."""

    def fields(self, family: str) -> frozenset[str]:
        """Return the CRM fields that the champion of *family* reads; none where there is no such model."""


class Asking(Protocol):
    """A scorer that asks the language model of one organisation's policy: `triage.llm.following.FollowingScorer`."""

    def score(
        self,
        items: Sequence[tuple[WorkItem, Sequence[Event]]],
        now: int,
        wanted: Collection[str] = (),
        *,
        at_once: bool = False,
    ) -> list[Scores]:
        """Return one Scores per item, in order; *at_once*: one deadline for all of them."""


class Desk:
    """Everything behind the API. Stores and doors are opened once for each organisation."""

    def __init__(
        self,
        stores: Callable[[str], Store],
        engine: Engine,
        now: Callable[[], int],
        worker: Callable[[Store], Worker],
        *,
        keys: Store,
        ticks: Callable[[], float],
        scorer: Scorer | None = None,
        models: Models | None = None,
        usage: Callable[[Store], dict[str, Any]] | None = None,
        figures: Callable[[], bytes] | None = None,
        concerns: Callable[[], list[str]] | None = None,
        quick: Callable[[Collection[str]], bool] = lambda _: False,
        asking: Callable[[Store], Asking] | None = None,
    ) -> None:
        """
        Take everything from outside.

        Args:
            keys: The store in which keys of every organisation are looked up.
            ticks: Milliseconds that only ever grow: how long something took.
            usage: What language models have cost, for one organisation's store.
            figures: The Prometheus text.
            concerns: What else stands in the way of being ready, such as a language model's key that is refused.
            quick: Whether scores of these families (none: all) take about a millisecond and wait for nothing.
            asking: What asks the language model that the policy of a store names; None: nobody is ever asked.
        """
        self.engine = engine
        self.now = now
        self.keys = keys
        self.ticks = ticks
        self.scorer = scorer
        self.models = models
        self.usage = usage
        self.figures = figures
        self.concerns = concerns
        self.quick = quick
        self.asking = asking
        self._stores = stores
        self._worker = worker
        self._doors: dict[str, Door] = {}
        self._opened: dict[str, Store] = {}
        self._compiled: dict[str, Policy] = {}
        self._looked: dict[str, tuple[float, Policy | None]] = {}
        self._lock = threading.Lock()

    def store(self, org: str) -> Store:
        """Return the store of *org*."""
        with self._lock:
            if org not in self._opened:
                self._opened[org] = self._stores(org)
            return self._opened[org]

    def door(self, org: str) -> Door:
        """Return where the events of *org* are taken in."""
        store = self.store(org)
        with self._lock:
            if org not in self._doors:
                self._doors[org] = Door(self._worker(store))
            return self._doors[org]

    def policy(self, org: str) -> Policy:
        """Return the policy in force, compiled once; raise StoreError where none is."""
        with self.store(org).read() as unit:
            digest = unit.policies.live_digest()
            if not digest:
                raise StoreError("no policy is in force: publish one with `triage policy publish`")
            held = self._compiled.get(digest)
            if held is None:
                held = self._compiled[digest] = compiled_policy(unit, self.engine, digest)
        return held

    def spec(self, org: str, object_name: str) -> ObjectSpec | None:
        """Return the field map of an object by the policy in force, looked for once a second; None without one."""
        policy = self._lately(org)
        part = None if policy is None else policy.objects.get(object_name)
        return None if part is None else part.spec

    def llm(self, org: str, object_name: str, wanted: Collection[str]) -> LlmPolicy | None:
        """Return the language model that would be asked for scores *wanted* (none: all) of an object; None for none."""
        policy = self._lately(org) if self.asking is not None else None
        found = None if policy is None else policy.document.llm
        tasks = () if found is None else found.tasks_of(object_name)
        return found if any(not wanted or task.name in wanted for task in tasks) else None

    def is_looked(self, org: str) -> bool:
        """Tell whether `spec` would answer without the store."""
        held = self._looked.get(org)
        return held is not None and self.ticks() - held[0] <= LOOK_EVERY

    def published(self, org: str) -> None:
        """Look for the policy of *org* at once: there is a new one."""
        self._looked.pop(org, None)

    def _lately(self, org: str) -> Policy | None:
        held = self._looked.get(org)
        now = self.ticks()
        if held is None or now - held[0] > LOOK_EVERY:
            held = self._looked[org] = (now, self._live(org))
        return held[1]

    def _live(self, org: str) -> Policy | None:
        try:
            return self.policy(org)
        except StoreError:
            return None

    def opened(self) -> list[Store]:
        """Return the stores of the organisations that have asked for anything."""
        with self._lock:
            return list(self._opened.values())

    def virtual(self, org: str) -> Policy:
        """Return the policy in force as a dry run has it: every rule acts."""
        live = self.policy(org)
        name = f"virtual {live.digest}"
        if name not in self._compiled:
            self._compiled[name] = self.engine.compile(live.document.texts, {}, virtual=True)
        return self._compiled[name]


class Call(Struct, frozen=True, kw_only=True):
    """One request that may be carried out: who asks, of which organisation, when, with which parameters."""

    desk: Desk
    key: ApiKey
    now: int
    path: Mapping[str, str]
    query: Mapping[str, Any]

    @property
    def org(self) -> str:
        """The organisation of the key: no request reaches another one's."""
        return self.key.org

    @property
    def store(self) -> Store:
        """The organisation's store."""
        return self.desk.store(self.key.org)

    @property
    def actor(self) -> str:
        """Who it is, for the audit."""
        return f"key:{self.key.label or self.key.id}"

    def instant(self, text: str | None) -> int:
        """Return the instant asked for, or now."""
        return self.now if text is None else parse_instant(text)


def not_found(what: str) -> Refused:
    """Return the refusal of something that is not there, or not this organisation's."""
    return Refused(404, what)
