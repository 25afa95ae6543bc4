"""The API over a real file and a real socket, with keys of every kind."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from triage.api.app import Settings
from triage.domain.instant import DAY
from triage.domain.work import Event, Scores, WorkItem
from triage.engine import PureEngine
from triage.errors import ConfigError
from triage.keys import create_key
from triage.publishing import publish
from triage.serving import Server, open_api
from triage.store.database import SqlStore
from triage.testing import SMALL_POLICY, FixedScorer
from triage.wiring import SystemClock

KNOWN = frozenset({"Priority", "Subject"})


class FixedModels:
    """Two versions of one model; the second may be promoted, a third not."""

    def __init__(self) -> None:
        self.champion = "v1"

    def listed(self) -> list[dict[str, Any]]:
        return [{"name": "urgency", "champion": self.champion, "versions": ["v1", "v2"], "card": "a model of tests"}]

    def promote(self, name: str, version: str, *, actor: str, reason: str, acknowledge_volume: bool) -> dict[str, Any]:
        if version != "v2":
            raise ConfigError(f"{name} {version} is worse on a segment")
        self.champion = version
        return {"champion": version}

    def fields(self, family: str) -> frozenset[str]:
        return KNOWN


class PriorityScorer(FixedScorer):
    """Scores by priority alone, so that each record has a score of its own."""

    def score(
        self, items: Sequence[tuple[WorkItem, Sequence[Event]]], now: int, wanted: Collection[str] = ()
    ) -> list[Scores]:
        given = super().score(items, now, wanted)
        high = [any(event.changes.get("Priority") == "High" for event in past) for _, past in items]
        return [
            Scores(
                values={**one.values, **({"urgency.score": 0.9 if top else 0.1} if one.values else {})},
                model_versions=one.model_versions,
                reasons={"urgency": ("Priority is High",)} if top else {},
            )
            for one, top in zip(given, high, strict=True)
        ]


class Served:
    """A server that runs until `close`, and a client for each kind of key."""

    def __init__(
        self,
        folder: Path,
        *,
        settings: Settings | None = None,
        policy: bool = True,
        texts: Mapping[str, str] = SMALL_POLICY,
    ) -> None:
        self.file = folder / "api.db"
        self.store = SqlStore(self.file, "acme")
        self.scorer = PriorityScorer(urgency__score=0.5)
        now = SystemClock().now()
        if policy:
            publish(self.store, PureEngine(), texts, now, actor="tests", virtual=False)
        app = open_api(self.store, lambda _: self.store, scorer=self.scorer, models=FixedModels(), settings=settings)
        self.server = Server(app, "127.0.0.1", 0)
        self.server.start()
        self.address = f"http://127.0.0.1:{self.server.port}"
        self._clients: list[httpx.Client] = []

    def key(self, *scopes: str, days: int = 1) -> str:
        """Return the text of a new key."""
        now = SystemClock().now()
        return create_key(self.store, scopes, now + days * DAY, now, label="tests")[1]

    def client(self, *scopes: str, key: str | None = None) -> httpx.Client:
        """Return a client with a key of *scopes*; none at all: without a key."""
        text = key if key is not None else self.key(*scopes) if scopes else ""
        headers = {"Authorization": f"Bearer {text}"} if text else {}
        made = httpx.Client(base_url=self.address, headers=headers, trust_env=False, timeout=30)
        self._clients.append(made)
        return made

    def close(self) -> None:
        """End the server."""
        for client in self._clients:
            client.close()
        self.server.close()
        self.store.close()
