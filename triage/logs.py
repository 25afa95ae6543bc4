"""The journal of a process as JSON lines: what it did, with record ids and counts, and never a customer's words."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger

from triage.domain.instant import format_instant
from triage.ports import Journal

LEVELS = ("debug", "info", "warning", "error")
"""From the most to the least that is said."""

_NUMBERS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class JsonJournal:
    """See `triage.ports.Journal`. Threads may share it: each line is written in one piece."""

    def __init__(self, now: Callable[[], int], level: str = "info", out: TextIO | None = None) -> None:
        """
        Write what is at least of *level* to *out* (standard error).

        Args:
            now: The clock, ms UTC: every line says when.
        """

        def stamp(_logger: object, _method: str, line: EventDict) -> EventDict:
            return {"at": format_instant(now()), **line}

        self._logger: FilteringBoundLogger = structlog.wrap_logger(
            structlog.WriteLogger(sys.stderr if out is None else out),
            processors=[structlog.processors.add_log_level, stamp, structlog.processors.JSONRenderer(sort_keys=True)],
            wrapper_class=structlog.make_filtering_bound_logger(_NUMBERS[level]),
            cache_logger_on_first_use=False,
        )

    def tell(self, what: str, level: str = "info", **said: str | int | bool) -> None:
        """Write one line: `at`, `event`, `level`, and what was *said*."""
        self._logger.log(_NUMBERS[level], what, **said)


class NamedJournal:
    """A journal in which every line says which organisation it is about: several share one process."""

    def __init__(self, journal: Journal, org: str) -> None:
        self._journal = journal
        self._org = org

    def tell(self, what: str, level: str = "info", **said: str | int | bool) -> None:
        """Write one line with `org`."""
        self._journal.tell(what, level, org=self._org, **said)
