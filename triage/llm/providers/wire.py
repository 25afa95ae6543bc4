"""The one HTTP client that every SDK is given: no redirects, no waiting for ever, and failures below HTTP by class."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2

from triage.errors import AnswerRefused, VendorBusy, VendorTimeout

_ODD = (ValueError, TypeError, AttributeError, LookupError)
CONNECT = 5.0
"""How long a connection may take to be made, in seconds."""


def client() -> httpx2.Client:
    """Return a client that follows no redirect: a text goes to the endpoint that the policy names, or nowhere."""
    limits = httpx2.Limits(max_connections=64, max_keepalive_connections=16)
    return httpx2.Client(follow_redirects=False, timeout=httpx2.Timeout(10.0, connect=CONNECT), limits=limits)


@contextmanager
def below_http() -> Iterator[None]:
    """Turn what goes wrong before or after HTTP into ours: no connection costs nothing, a cut one nobody knows."""
    try:
        yield
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as cause:
        raise VendorBusy("unreachable", type(cause).__name__, free=True) from cause
    except httpx2.TimeoutException as cause:
        raise VendorTimeout("timeout", type(cause).__name__) from cause
    except httpx2.TransportError as cause:
        raise VendorTimeout("disconnected", type(cause).__name__) from cause
    except (httpx2.DecodingError, *_ODD) as cause:
        # All three SDKs let JSONDecodeError, a ValueError, through on a malformed 200; half a body is an odd attribute.
        raise AnswerRefused("malformed", type(cause).__name__) from cause
