"""Which deployment of ours acts on an organisation: one row there says it, and a second deployment only observes."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from triage.domain.instant import HOUR, MINUTE, format_instant, parse_instant
from triage.errors import KeyTaken, RecordGone
from triage.salesforce import package
from triage.salesforce.client import Client

KEY = "acting"
SEEN_EVERY = 5 * MINUTE
FREE_AFTER = 24 * HOUR
"""A deployment that has not been heard of for so long has gone, and another one may take its place."""


class Deployment:
    """The claim of one deployment. Threads share it."""

    def __init__(self, client: Client, name: str) -> None:
        """*name* must be the same after a restart, and another one for every other installation."""
        self._client = client
        self._name = name
        self._seen_at: int | None = None
        self._why = ""
        self._lock = threading.Lock()

    def refused(self, now: int) -> str:
        """Return why this deployment may not act, "" where it may; asked again every few minutes."""
        with self._lock:
            if self._seen_at is None or not 0 <= now - self._seen_at < SEEN_EVERY:
                self._why = self._claim(now)
                self._seen_at = now
            return self._why

    def other(self, now: int) -> str:
        """Return which other deployment acts there, "" for none; claims nothing."""
        try:
            return self._held(self._client.rest("GET", self._path()), now)
        except RecordGone:
            return ""

    def take_over(self, now: int) -> None:
        """Make this deployment the one that acts, whoever did before."""
        with self._lock:
            self._client.rest("PATCH", self._path(), self._row(now))
            self._seen_at, self._why = None, ""

    def _claim(self, now: int) -> str:
        try:
            row = self._client.rest("GET", self._path())
        except RecordGone:
            try:
                self._client.rest(
                    "POST", f"sobjects/{package.DEPLOYMENT}", {package.DEPLOYMENT_KEY: KEY} | self._row(now)
                )
            except KeyTaken:
                # Another deployment was quicker by a moment.
                row = self._client.rest("GET", self._path())
            else:
                return ""
        held = self._held(row, now)
        if held:
            return held
        self._client.rest("PATCH", self._path(), self._row(now))
        return ""

    def _held(self, row: Mapping[str, Any], now: int) -> str:
        holder, seen = row[package.DEPLOYMENT_NAME], row[package.DEPLOYMENT_SEEN]
        if holder == self._name or not seen or now - parse_instant(seen) >= FREE_AFTER:
            return ""
        since = format_instant(parse_instant(seen))
        return (
            f"deployment {holder!r} acts on this organisation (seen {since}): stop it, "
            "then `triage salesforce take-over`"
        )

    def _path(self) -> str:
        return f"sobjects/{package.DEPLOYMENT}/{package.DEPLOYMENT_KEY}/{KEY}"

    def _row(self, now: int) -> dict[str, str]:
        return {package.DEPLOYMENT_NAME: self._name, package.DEPLOYMENT_SEEN: format_instant(now)}
