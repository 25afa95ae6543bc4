"""The seam to a language model: one structured call in, one reply out, and every failure as one of our errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Literal, Protocol

from msgspec import Struct

from triage.domain.instant import SECOND, from_datetime
from triage.errors import AnswerRefused, NaiveTimeError, VendorBusy, VendorError, VendorRefused
from triage.llm.prompting import Prompt

Stop = Literal["complete", "length", "refusal", "safety"]

WAIT_MOST = 24 * 3600 * SECOND
"""The longest Retry-After that is believed, in ms."""

_LATER = {408: "timeout", 409: "busy", 425: "busy", 429: "rate_limited", 529: "overloaded", 503: "overloaded"}
_REFUSED = {401: "auth", 402: "quota", 403: "forbidden", 404: "unknown_model"}
_FREE_ABOVE = (503, 529)
"""Of the answers from 500 on, these say that nothing was worked on; after others the cost is not known."""

SETTING_FAULTS = (
    "auth",
    "forbidden",
    "unknown_model",
    "quota",
    "bad_request",
    "redirected",
    "no_key",
    "no_sdk",
    "no_price",
)
"""Codes that a person has to mend: said aloud at once, and not tried again for a while."""


class Usage(Struct, frozen=True):
    """Tokens of one call: read (those from the vendor's cache among them), and written (thinking among them)."""

    input: int = 0
    cached: int = 0
    output: int = 0


class Reply(Struct, frozen=True, kw_only=True):
    """What came back: the text as it is, why it ended, what it used (None: not said), the vendor's id of the call."""

    text: str
    stop: Stop = "complete"
    usage: Usage | None = None
    request: str = ""


class Provider(Protocol):
    """One vendor. An adapter keeps its SDK's client, sends once (no retries, tools, streams), and maps errors."""

    def ask(self, prompt: Prompt, timeout: int) -> Reply:
        """
        Return the reply to *prompt*, whatever its stop reason.

        Args:
            timeout: The most that a single wait for the network may take, in ms; `asking.py` bounds the whole.

        Raises:
            VendorBusy, VendorTimeout, VendorRefused, AnswerRefused: no reply, or one that cannot be read.
        """

    def close(self) -> None:
        """Close connections; calls under way end with an error."""


class BatchProvider(Protocol):
    """A vendor's batch endpoint, for backfills: cheaper, answered within a day."""

    def submit(self, prompts: Mapping[str, Prompt]) -> str:
        """Hand in *prompts* by id of our own; return the vendor's id of the batch."""

    def collect(self, batch: str, ids: Sequence[str]) -> dict[str, Reply | VendorError] | None:
        """Return what came of each of *ids*, None while the batch is not ended."""


def status_error(
    status: int, said: str, *, code: str = "", headers: Mapping[str, str] | None = None, now: int = 0
) -> VendorError:
    """
    Return the error that an HTTP *status* means; sorted by status and the vendor's own *code*, never by words.

    Args:
        code: The vendor's machine-readable reason, such as `insufficient_quota`.
        now: For a Retry-After that is a date.
    """
    given = headers or {}
    request = given.get("x-request-id") or given.get("request-id") or ""
    after = retry_after(given, now)
    said = f"{status} {said}".strip()[:200]
    if code in ("insufficient_quota", "billing_error", "credit_exhausted", "quota_per_day"):
        return VendorRefused("quota", said, free=True, request=request)
    if code in ("model_not_found", "DeploymentNotFound", "invalid_model"):
        return VendorRefused("unknown_model", said, free=True, request=request)
    if code in ("content_filter", "content_policy_violation"):
        return AnswerRefused("safety_stop", said, free=True, request=request)
    if status in _REFUSED:
        return VendorRefused(_REFUSED[status], said, free=True, request=request)
    if status in _LATER or status >= 500:
        free = status < 500 or status in _FREE_ABOVE
        return VendorBusy(_LATER.get(status, "server_error"), said, after=after, free=free, request=request)
    return VendorRefused("redirected" if status < 400 else "bad_request", said, free=True, request=request)


def retry_after(headers: Mapping[str, str], now: int) -> int:
    """Return the ms that the other side asks us to wait, 0 where it says nothing that can be read."""
    millis, text = headers.get("retry-after-ms", ""), headers.get("retry-after", "").strip()
    try:
        if millis:
            return max(0, min(int(float(millis)), WAIT_MOST))
        if text.replace(".", "", 1).isdigit():
            return min(int(float(text) * SECOND), WAIT_MOST)
        return max(0, min(from_datetime(parsedate_to_datetime(text)) - now, WAIT_MOST)) if text else 0
    except (ValueError, OverflowError, NaiveTimeError):
        return 0
