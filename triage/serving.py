"""The API put together over real stores, and served by uvicorn."""

from __future__ import annotations

import gc
import socket
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from importlib.metadata import version
from typing import Any

import msgspec
import uvicorn
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, generate_latest

from triage.api.app import Settings, create_app
from triage.api.desk import Desk, Models
from triage.config import load_policy
from triage.domain.instant import DAY, format_instant
from triage.engine import PureEngine
from triage.errors import TriageError
from triage.llm.figures import SEEN, forecast, usage_report
from triage.llm.following import FollowingScorer
from triage.llm.health import limits_of
from triage.metrics import TriageCollector
from triage.ports import Journal, LlmTally, Scorer, Store
from triage.scoring.catalogue import Catalogue
from triage.scoring.opening import OpeningScorer
from triage.scoring.together import Scorers
from triage.sinks import StoreSink
from triage.wiring import SystemClock, find_models, follow_policy, open_models, open_worker, ticks

USAGE_DAYS = 30
"""How far back usage of language models is told."""


def local_models(store: Store, journal: Journal | None = None) -> tuple[OpeningScorer, Catalogue]:
    """Return the models at hand (see `find_models`) as a scorer, and as what the API lists and promotes."""
    scorer = open_models(journal=journal)
    return scorer, Catalogue(find_models(), store, SystemClock().now, scorer.reopen)


def warm(scorer: Scorer) -> None:
    """
    Open the models of *scorer* now, and keep all that stays for good out of garbage collection.

    A full collection walks a hundred thousand of their objects: every request of that moment would wait for it.
    """
    with suppress(TriageError):
        if isinstance(scorer, OpeningScorer):
            scorer.opened()
    gc.collect()
    gc.freeze()


def open_api(
    store: Store,
    stores: Callable[[str], Store],
    *,
    scorer: Scorer | None = None,
    models: Models | None = None,
    journal: Journal | None = None,
    settings: Settings | None = None,
) -> FastAPI:
    """
    Return the application over *store*, in which keys are looked up, and *stores* by organisation.

    Events go into the store; whatever they bring about is done by `triage run`.
    """
    registry = CollectorRegistry(auto_describe=False)
    followers = _Followers(scorer or Scorers({}))
    worker = open_worker(store, StoreSink(), scorer=followers.of(store))
    registry.register(TriageCollector(lambda: {store.org: worker}))
    desk = Desk(
        stores,
        PureEngine(),
        SystemClock().now,
        lambda one: open_worker(one, StoreSink(), journal=journal),
        keys=store,
        ticks=ticks,
        scorer=scorer,
        models=models,
        usage=llm_usage,
        figures=lambda: generate_latest(registry),
        concerns=lambda: followers.concerns([store, *desk.opened()]),
        quick=scorer.is_quick if isinstance(scorer, OpeningScorer) else lambda _: False,
        asking=followers.of,
    )
    return create_app(
        desk, version("triage"), lambda: uuid.uuid4().hex, settings=settings, journal=journal, closing=followers.close
    )


class _Followers:
    """What asks the language model of each organisation's policy, and knows how that goes."""

    def __init__(self, local: Scorer) -> None:
        self._local = local
        self._lock = threading.Lock()
        self._held: dict[str, FollowingScorer] = {}

    def of(self, store: Store) -> FollowingScorer:
        """Return the follower of the policy of *store*."""
        with self._lock:
            if store.org not in self._held:
                self._held[store.org] = follow_policy(self._local, store)
            return self._held[store.org]

    def close(self) -> None:
        """Close the connections to every language model."""
        with self._lock:
            held = list(self._held.values())
        for one in held:
            one.close()

    def concerns(self, stores: Iterable[Store]) -> list[str]:
        """Return what a person has to mend, without amounts or names: anybody may read it."""
        found = []
        for store in {one.org: one for one in stores}.values():
            with suppress(TriageError):
                health = self.of(store).health()
                if health.state == "fault":
                    found.append(f"the language model is not heard ({health.code}): {health.fix}")
        return sorted(set(found))


def llm_usage(store: Store) -> dict[str, Any]:
    """Return what language models have cost *store*'s organisation: the last 30 days, and today's budgets."""
    now = SystemClock().now()
    since = (now // DAY - USAGE_DAYS + 1) * DAY
    with store.read() as unit:
        days = unit.llm.tally(since)
        live = unit.policies.live()
        policy = None if live is None else load_policy(live.texts).llm
        limits = () if policy is None else limits_of(policy, unit.org, "", now)[:2]
        spent = {limit.scope: (limit.most, unit.llm.spent(limit)) for limit in limits}
        calls = unit.llm.calls(since=since, limit=SEEN) if policy is not None else []
    found: dict[str, Any] = {
        "days": [{**msgspec.to_builtins(one), "day": format_instant(one.day * DAY)[:10]} for one in days],
        "budget": {scope: {"most": most, "left": most - used} for scope, (most, used) in spent.items()},
    }
    if policy is not None:
        found["report"] = msgspec.to_builtins(usage_report(days, calls, policy, USAGE_DAYS))
        found["forecast"] = _forecast(days, *spent["org"], now)
    return found


def _forecast(days: Sequence[LlmTally], most: int, used: int, now: int) -> dict[str, Any]:
    """Return how today will end, by the pace of today and of the days before."""
    past: Counter[int] = Counter()
    for one in days:
        if one.day < now // DAY:
            past[one.day] += one.cost
    told = forecast(used, most, past, now)
    return {**msgspec.to_builtins(told), "ends": None if told.ends is None else format_instant(told.ends)}


class Server:
    """uvicorn in a thread of its own, on a socket that is open before it begins: its port is known at once."""

    def __init__(self, app: FastAPI, host: str, port: int) -> None:
        """Open the socket; port 0 takes any. Raise OSError where the address cannot be had."""
        self._socket = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.host, self.port = self._socket.getsockname()[:2]
        config = uvicorn.Config(app, log_level="critical", access_log=False, lifespan="on", server_header=False)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name="api", daemon=True)

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def wait(self, stop: threading.Event) -> None:
        """Come back when *stop* is set, or the server has ended by itself."""
        while not stop.wait(0.2) and self._thread.is_alive():
            pass

    def close(self) -> None:
        """Answer what was begun, then end."""
        self._server.should_exit = True
        if self._thread.ident is not None:
            self._thread.join(10)
        self._socket.close()
