"""The transport under simple-salesforce: one requests Session whose adapter has timeouts, retries, headers, limits."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from msgspec import Struct
from requests.adapters import HTTPAdapter

from triage.domain.instant import SECOND
from triage.errors import LimitReached
from triage.salesforce.package import CLIENT
from triage.salesforce.settings import Connection

NO_ASSIGNMENT = {"Sforce-Auto-Assign": "FALSE"}
"""Without it a write may start the assignment rules, which would move the record once more."""

CONNECT_WITHIN = 10
RETRIED = frozenset({502, 503, 504})
RETRIES = 3
RETRY_AFTER, RETRY_AFTER_MOST = 200, 5_000
"""How long, in ms, a repeat waits at first and at most; the true wait is drawn from 0 up to that."""

IDEMPOTENT = frozenset({"GET", "HEAD"})


class Usage(Struct, frozen=True):
    """How many API calls the organisation has used today, of how many; 0 of 0 where nothing was heard yet."""

    used: int = 0
    allowed: int = 0


class Gate:
    """How fast, and how much of the quota, calls may go out. Threads share it."""

    def __init__(self, now: Callable[[], int], wait: Callable[[int], None], per_second: int, share: int) -> None:
        self.usage = Usage()
        self.calls = 0
        self._now = now
        self._wait = wait
        self._gap = SECOND // per_second if per_second < SECOND else 0
        self._share = share
        self._free_at = 0
        self._burst = self._gap * per_second
        self._lock = threading.Lock()

    def enter(self) -> None:
        """Come back when a call may go out; raise LimitReached where what is left of the quota is not ours."""
        usage = self.usage
        if usage.allowed and usage.used * 100 >= usage.allowed * self._share:
            # One look in a while tells whether the day has moved on; what is left stays with the people.
            with self._lock:
                now = self._now()
                if now < self._free_at:
                    raise LimitReached(
                        f"{usage.used} of {usage.allowed} API calls are used: triage stops at {self._share} %",
                        code="REQUEST_LIMIT_EXCEEDED",
                    )
                self._free_at = now + 60 * SECOND
            return
        with self._lock:
            self.calls += 1
            now = self._now()
            self._free_at = max(self._free_at, now - self._burst) + self._gap
            pause = self._free_at - now
        if pause > 0:
            self._wait(pause)

    def heard(self, headers: Mapping[str, str]) -> None:
        """Take note of what an answer says about the quota."""
        for part in headers.get("Sforce-Limit-Info", "").split(","):
            name, _, amounts = part.strip().partition("=")
            used, _, allowed = amounts.partition("/")
            if name == "api-usage" and used.isdigit() and allowed.isdigit():
                self.usage = Usage(int(used), int(allowed))


class Transport(HTTPAdapter):
    """
    Sends each request with a timeout, our headers and our certificates, and repeats those that change nothing.

    Logins that simple-salesforce addresses to `*.salesforce.com` go to the login page of the settings, where it names
    one: a sandbox on this machine, or a My Domain.
    """

    def __init__(self, connection: Connection, gate: Gate, wait: Callable[[int], None]) -> None:
        self._connection = connection
        self._gate = gate
        self._wait = wait
        self._draw = random.Random(connection.deployment).random
        super().__init__(pool_connections=2, pool_maxsize=16)

    def send(self, request: requests.PreparedRequest, *args: Any, **given: Any) -> requests.Response:
        """Return the answer; raise requests' own errors where there is none."""
        self._prepare(request)
        given["timeout"] = (CONNECT_WITHIN, self._connection.timeout)
        if self._connection.ca_bundle:
            # Given here, as a variable of the environment would outdo the session's own.
            given["verify"] = self._connection.ca_bundle
        last = RETRIES if request.method in IDEMPOTENT else 0
        for attempt in range(last + 1):
            self._gate.enter()
            try:
                answer = super().send(request, *args, **given)
            except (requests.ConnectionError, requests.Timeout):
                if attempt == last:
                    raise
            else:
                self._gate.heard(answer.headers)
                if answer.status_code not in RETRIED or attempt == last:
                    return answer
                answer.close()
            self._wait(int(self._draw() * min(RETRY_AFTER_MOST, RETRY_AFTER << attempt)) + 1)
        raise AssertionError("the last attempt returns or raises")

    def _prepare(self, request: requests.PreparedRequest) -> None:
        request.headers.update(NO_ASSIGNMENT)
        request.headers.setdefault("Sforce-Call-Options", f"client={CLIENT}")
        login = self._connection.login_url
        url = urlsplit(str(request.url))
        if login and str(url.hostname).endswith(".salesforce.com"):
            there = urlsplit(login)
            request.url = urlunsplit((there.scheme, there.netloc, url.path, url.query, ""))


def make_session(connection: Connection, gate: Gate, wait: Callable[[int], None]) -> requests.Session:
    """Return the one session of a connection."""
    session = requests.Session()
    session.mount("https://", Transport(connection, gate, wait))
    session.headers.update(NO_ASSIGNMENT)
    return session
