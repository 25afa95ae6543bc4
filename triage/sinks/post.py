"""One HTTP POST to a checked address, without redirects, bounded in time and size, and what its answer means."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead

from msgspec import Struct

from triage.domain.instant import DAY, SECOND, from_datetime
from triage.errors import NaiveTimeError, SinkBusy, SinkRefused, SinkSilent
from triage.ports import Receipt
from triage.sinks.guard import Place
from triage.sinks.within import within

WORDS_MOST = 500
"""How many characters of the other side's answer are kept."""

READ_MOST = 4_096
"""How many bytes of an answer are read."""

WAIT_MOST = DAY
"""The longest wait, in ms, that a Retry-After is believed."""

_LATER = frozenset({408, 425, 429})
_KNOWN_ALREADY = frozenset({208, 409})


class Answer(Struct, frozen=True, kw_only=True):
    """What the other side said: `after` is its Retry-After in ms, 0 for none."""

    status: int
    words: str = ""
    after: int = 0
    location: str = ""


def post(place: Place, body: bytes, headers: Mapping[str, str], timeout: int, tls: ssl.SSLContext) -> Answer:
    """
    Return the answer of *place* to *body*. Nothing is followed, and at most 4 KiB of the answer are read.

    Args:
        timeout: ms for the whole conversation, name look-up apart.

    Raises:
        SinkSilent: no connection or answer in time.
        SinkBusy: no connection at all, no certificate that holds, or an answer that is not HTTP.
    """
    try:
        raw = reach(place.addresses, place.port, timeout)
    except OSError as cause:
        raise _kind(cause)(f"{place}: {_fault(cause, timeout)}") from cause
    connection = (HTTPSConnection if place.secure else HTTPConnection)(place.host, place.port)
    try:
        with within(timeout, lambda: connection.sock or raw) as late:
            try:
                _secure(connection, raw, place, tls)
                connection.request("POST", place.path, body, dict(headers))
                return _read(connection.getresponse())
            except (OSError, HTTPException, ValueError) as cause:
                fault = TimeoutError() if late.is_set() else cause
                raise _kind(fault)(f"{place}: {_fault(fault, timeout)}") from cause
    finally:
        connection.close()
        raw.close()


def reach(addresses: tuple[str, ...], port: int, timeout: int) -> socket.socket:
    """Return a connection to the first of *addresses* that takes one; raise the last OSError where none does."""
    fault: OSError = OSError("it has no address")
    for address in addresses:
        try:
            found = socket.create_connection((address, port), timeout / SECOND / len(addresses))
        except OSError as cause:
            fault = cause
            continue
        found.settimeout(timeout / SECOND)
        return found
    raise fault


def knock(place: Place, timeout: int, tls: ssl.SSLContext) -> str:
    """Return "" where *place* takes a connection (and TLS), else why not. Nothing is asked of it."""
    connection = HTTPConnection(place.host, place.port)
    try:
        with contextlib.closing(reach(place.addresses, place.port, timeout)) as raw:
            _secure(connection, raw, place, tls)
    except OSError as cause:
        return f"{place}: {_fault(cause, timeout)}"
    finally:
        connection.close()
    return ""


def judged(answer: Answer, who: str) -> Receipt:
    """
    Return the receipt of a 2xx answer, or of 208 and 409, which say that the key is known; *who* heads the words.

    Raises:
        SinkBusy: 408, 425, 429 and 5xx, with the wait that was asked for.
        SinkRefused: anything else, a redirect included, in the other side's words.
    """
    said = f"{who}: {answer.status} {answer.words}".rstrip()
    if answer.status in _KNOWN_ALREADY:
        return Receipt(already=True, detail=f"{who}: {answer.status}")
    if 200 <= answer.status < 300:
        return Receipt(detail=f"{who}: {answer.status}")
    if answer.status in _LATER or answer.status >= 500:
        raise SinkBusy(said, answer.after)
    if 300 <= answer.status < 400:
        raise SinkRefused(f"{said}: sends on to {answer.location or 'nowhere'}, and redirects are not followed")
    raise SinkRefused(said)


def plain_words(raw: bytes) -> str:
    """Return at most 500 characters of what a server said, on one line and without control characters."""
    text = "".join(c if c.isprintable() else " " for c in raw.decode("utf-8", "replace"))
    return re.sub(r" +", " ", text).strip()[:WORDS_MOST]


def _secure(connection: HTTPConnection, raw: socket.socket, place: Place, tls: ssl.SSLContext) -> None:
    """Let *connection* use *raw*, inside TLS where that is asked for: its certificate is held against the name."""
    if not place.secure:
        connection.sock = raw
        return
    # Known to the connection before the handshake, so that a peer that never ends it is cut off too.
    wrapped = tls.wrap_socket(raw, server_hostname=place.host, do_handshake_on_connect=False)
    connection.sock = wrapped
    wrapped.do_handshake()


def _read(response: HTTPResponse) -> Answer:
    raw = b""
    # The status is the answer; what is lost of the words after it changes nothing.
    with contextlib.suppress(OSError, HTTPException, ValueError):
        try:
            raw = response.read(READ_MOST)
        except IncompleteRead as cut:
            raw = cut.partial
    return Answer(
        status=response.status,
        words=plain_words(raw) or plain_words(response.reason.encode()),
        after=_after(response),
        location=plain_words(response.headers.get("Location", "").encode())[:200],
    )


def _after(response: HTTPResponse) -> int:
    """Return the Retry-After in ms: seconds, or a date, counted from the answer's own Date."""
    text = response.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}", text):
        return min(int(text) * SECOND, WAIT_MOST)
    try:
        until, now = (parsedate_to_datetime(one) for one in (text, response.headers.get("Date", "")))
        return max(0, min(from_datetime(until) - from_datetime(now), WAIT_MOST))
    except (ValueError, TypeError, NaiveTimeError):
        return 0


def _kind(cause: Exception) -> type[SinkBusy]:
    return SinkSilent if isinstance(cause, TimeoutError) else SinkBusy


def _fault(cause: Exception, timeout: int) -> str:
    if isinstance(cause, TimeoutError):
        return f"no answer within {timeout / SECOND:g} s"
    if isinstance(cause, ssl.SSLError):
        return f"no trusted connection: {plain_words(str(cause.reason or cause).encode())}"
    words = getattr(cause, "strerror", None) or str(cause)
    return plain_words(f"{type(cause).__name__}: {words}".encode())
