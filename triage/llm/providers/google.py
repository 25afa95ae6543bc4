"""Google's generateContent. The client is kept: the SDK closes its connections when nobody refers to it any more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from google import genai
from google.genai import errors as genai_errors
from google.genai import types

from triage.domain.instant import SECOND
from triage.errors import VendorBusy, VendorError
from triage.llm.prompting import Prompt
from triage.llm.providers.wire import below_http, client
from triage.llm.vendor import Reply, Stop, Usage, status_error

_COMPLETE = ("STOP", "FINISH_REASON_UNSPECIFIED", "OTHER")
VERSION = "v1"
_KEYS = ("API_KEY_INVALID", "API_KEY_EXPIRED")


class GoogleProvider:
    """See `triage.llm.vendor.Provider`."""

    def __init__(self, endpoint: str, key: str, now: Callable[[], int], *, api_version: str = "") -> None:
        """Args: api_version: `v1` where the policy names none, whatever the environment says; mocks may need v1beta."""
        self._now = now
        self._http = client()
        options = types.HttpOptions(
            base_url=endpoint,
            api_version=api_version or VERSION,
            httpx_client=self._http,
            retry_options=types.HttpRetryOptions(attempts=1),
        )
        self._client = genai.Client(vertexai=False, api_key=key, http_options=options)

    def ask(self, prompt: Prompt, timeout: int) -> Reply:
        """Return the reply; a prompt that was blocked is a safety stop."""
        config = types.GenerateContentConfig(
            system_instruction=prompt.system,
            response_mime_type="application/json",
            response_json_schema=prompt.schema,
            max_output_tokens=prompt.most_output,
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
            http_options=types.HttpOptions(timeout=timeout),
        )
        with _errors(self._now), below_http():
            body = self._client.models.generate_content(model=prompt.model, contents=prompt.user, config=config)
            return _reply(body)

    def close(self) -> None:
        """Close connections."""
        self._client.close()
        self._http.close()


def _reply(body: types.GenerateContentResponse) -> Reply:
    used = body.usage_metadata
    usage = None
    if used is not None and used.prompt_token_count is not None:
        written = (used.candidates_token_count or 0) + (used.thoughts_token_count or 0)
        usage = Usage(used.prompt_token_count, used.cached_content_token_count or 0, written)
    request = body.response_id or ""
    if not body.candidates:
        blocked = body.prompt_feedback is not None and body.prompt_feedback.block_reason is not None
        return Reply(text="", stop="safety" if blocked else "complete", usage=usage, request=request)
    first = body.candidates[0]
    parts = (first.content.parts or []) if first.content else []
    text = "".join(part.text or "" for part in parts if not part.thought)
    why = str(first.finish_reason.value if first.finish_reason else "STOP")
    stop: Stop = "length" if why == "MAX_TOKENS" else "complete" if why in _COMPLETE else "safety"
    return Reply(text=text, stop=stop, usage=usage, request=request)


@contextmanager
def _errors(now: Callable[[], int]) -> Iterator[None]:
    """Turn the SDK's errors into ours, by status and by the reasons that Google attaches as data."""
    try:
        yield
    except genai_errors.APIError as cause:
        raise _error(cause, now()) from cause


def _error(cause: genai_errors.APIError, now: int) -> VendorError:
    details = _details(cause.details)
    headers = dict(getattr(cause.response, "headers", None) or {})
    reasons = [str(one.get("reason", "")) for one in details]
    violated = [str(rule.get("quotaId", "")) for one in details for rule in one.get("violations", ())]
    code, status = "", cause.code
    if any(rule.casefold().find("perday") >= 0 for rule in violated):
        code = "quota_per_day"
    if set(reasons) & set(_KEYS):
        status = 401
    delay = next((str(one["retryDelay"]) for one in details if "retryDelay" in one), "")
    found = status_error(status, cause.status or "", code=code, headers=headers, now=now)
    if isinstance(found, VendorBusy) and delay.removesuffix("s").replace(".", "", 1).isdigit():
        found.after = found.after or int(float(delay.removesuffix("s")) * SECOND)
    return found


def _details(body: Any) -> list[dict[str, Any]]:
    inner = body.get("error", body) if isinstance(body, dict) else {}
    found = inner.get("details", ()) if isinstance(inner, dict) else ()
    return [one for one in found if isinstance(one, dict)]
