"""A host that did not answer is left alone for a while, so that waiting for it does not keep others waiting."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from triage.domain.instant import SECOND
from triage.errors import SinkBusy, SinkSilent

REST = 30 * SECOND


class Rests:
    """Hosts that rest, by name, each with what was said when it began to; of this process only."""

    def __init__(self, now: Callable[[], int], millis: int = REST) -> None:
        self._now = now
        self._millis = millis
        self._resting: dict[str, tuple[int, str]] = {}

    @contextlib.contextmanager
    def unless(self, host: str) -> Iterator[None]:
        """
        Run what is inside unless *host* rests; it rests from now on where nothing was heard from it.

        Raises:
            SinkBusy: it rests; `after` says how long.
        """
        until, words = self._resting.get(host, (0, ""))
        left = until - self._now()
        if left > 0:
            raise SinkBusy(f"{words}; not asked again so soon", left)
        try:
            yield
        except SinkSilent as cause:
            self._resting[host] = (self._now() + self._millis, str(cause))
            raise
