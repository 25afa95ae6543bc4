"""What the sandbox is told to do wrong: each misbehaviour waits for a request that it fits, so many times."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct, convert

Kind = Literal["unavailable", "slow", "lost_answer", "lost_request", "expire", "limit", "html", "malformed"]
"""
unavailable: 503. slow: the answer takes `seconds`. lost_answer: what was asked is done,
and nothing is said. lost_request:
the line is cut before anything is done. expire: the session ends first. limit: 403 REQUEST_LIMIT_EXCEEDED. html: 401
with a web page. malformed: 200 with half a JSON.
"""


class Fault(Struct, kw_only=True):
    """One misbehaviour: for requests whose method and path *match* (a pattern), *times* times, after *after* others."""

    kind: Kind
    match: str = ""
    times: int = 1
    after: int = 0
    seconds: float = 0.0


class Faults:
    """The misbehaviours that wait. Threads may share it."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._lock = threading.Lock()
        self.done: list[tuple[str, str]] = []

    def add(self, kind: Kind, match: str = "", **more: Any) -> None:
        """Let something go wrong."""
        self.take({"kind": kind, "match": match, **more})

    def take(self, given: Mapping[str, Any]) -> None:
        """Let something go wrong, as JSON told it; raise msgspec.ValidationError where that is no fault."""
        with self._lock:
            self._waiting.append(convert(dict(given), Fault))

    def clear(self) -> None:
        """Behave from now on."""
        with self._lock:
            self._waiting.clear()

    def next(self, method: str, path: str) -> Fault | None:
        """Return what goes wrong with this request, None for nothing."""
        line = f"{method} {path}"
        with self._lock:
            for fault in self._waiting:
                if not re.search(fault.match, line):
                    continue
                if fault.after > 0:
                    fault.after -= 1
                    continue
                fault.times -= 1
                if fault.times <= 0:
                    self._waiting.remove(fault)
                self.done.append((fault.kind, line))
                return fault
        return None
