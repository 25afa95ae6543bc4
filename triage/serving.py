"""The API put together over real stores, and served by uvicorn."""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Callable
from importlib.metadata import version

import uvicorn
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, generate_latest

from triage.api.app import Settings, create_app
from triage.api.desk import Desk, Models
from triage.engine import PureEngine
from triage.metrics import TriageCollector
from triage.ports import Journal, Scorer, Store
from triage.sinks import StoreSink
from triage.wiring import SystemClock, open_worker, ticks


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
    registry.register(TriageCollector(open_worker(store, StoreSink())))
    desk = Desk(
        stores,
        PureEngine(),
        SystemClock().now,
        lambda one: open_worker(one, StoreSink(), journal=journal),
        keys=store,
        ticks=ticks,
        scorer=scorer,
        models=models,
        figures=lambda: generate_latest(registry),
    )
    return create_app(desk, version("triage"), lambda: uuid.uuid4().hex, settings=settings, journal=journal)


class Server:
    """uvicorn in a thread of its own, on a socket that is open before it begins: its port is known at once."""

    def __init__(self, app: FastAPI, host: str, port: int) -> None:
        """Open the socket; port 0 takes any. Raise OSError where the address cannot be had."""
        self._socket = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.host, self.port = self._socket.getsockname()[:2]
        config = uvicorn.Config(app, log_level="critical", access_log=False, lifespan="off", server_header=False)
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
