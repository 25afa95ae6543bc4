"""How much of the server one key may have: a bucket of requests that fills by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Buckets:
    """One bucket a key: *rate* requests a second on average, *burst* of them at once."""

    def __init__(self, rate: float, burst: float, ticks: Callable[[], float]) -> None:
        """*ticks* are milliseconds that only ever grow."""
        self._rate = rate / 1000
        self._burst = burst
        self._ticks = ticks
        self._levels: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def take(self, name: str) -> int:
        """Return 0 where the request may go on, else after how many seconds to ask again."""
        with self._lock:
            now = self._ticks()
            level, at = self._levels.get(name, (self._burst, now))
            level = min(self._burst, level + (now - at) * self._rate)
            allowed = level >= 1
            self._levels[name] = (level - 1 if allowed else level, now)
            if len(self._levels) > 10_000:
                self._levels.clear()
        return 0 if allowed else max(1, int((1 - level) / self._rate / 1000) + 1)
