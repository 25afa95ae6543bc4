"""A fuse before an endpoint: it opens after failures in a row, at once for a wrong setting; one call probes."""

from __future__ import annotations

import threading
from collections.abc import Callable

from triage.domain.instant import MINUTE
from triage.llm.vendor import SETTING_FAULTS

IN_A_ROW = 5
LONGEST = 30 * MINUTE
FAULT_REST = 15 * MINUTE
"""How long nothing is asked after a fault of the settings, in ms, unless the worker is started anew."""


class Breaker:
    """
    Closed: calls go. Open: none goes before `until`, then one goes as a probe; its failure doubles the rest.

    Thread-safe; `now` is the worker's clock in ms.
    """

    def __init__(self, rest: int, now: Callable[[], int]) -> None:
        self._rest = rest
        self._now = now
        self._lock = threading.Lock()
        self._failures = 0
        self._opened = 0
        self._probing = False
        self.until = 0
        self.code = ""
        self.since = 0

    def allows(self) -> bool:
        """Tell whether a call may go now; where it is the probe, nobody else's may until it has ended."""
        with self._lock:
            if not self._opened:
                return True
            if self._now() < self.until or self._probing:
                return False
            self._probing = True
            return True

    def succeeded(self) -> None:
        """Close."""
        with self._lock:
            self._failures = self._opened = self.until = self.since = 0
            self._probing = False
            self.code = ""

    def failed(self, code: str) -> None:
        """Count a failure; a fault of the settings opens at once."""
        with self._lock:
            fault = code in SETTING_FAULTS
            self._failures += 1
            if fault or self._probing or self._failures >= IN_A_ROW:
                if not self._opened:
                    self.since = self._now()
                self._opened += 1
                rest = FAULT_REST if fault else min(LONGEST, self._rest * 2 ** (self._opened - 1))
                self.until, self.code = self._now() + rest, code
            self._probing = False

    def let_go(self) -> None:
        """End a probe that was never sent: it says nothing about the other side."""
        with self._lock:
            self._probing = False
