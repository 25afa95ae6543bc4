"""Anthropic's Messages, one at a time or in batches. No temperature is sent, and ranges are ours to check."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import anthropic

from triage.domain.instant import SECOND
from triage.errors import AnswerRefused, VendorBusy, VendorError, VendorTimeout
from triage.llm.prompting import Prompt
from triage.llm.providers.wire import below_http, client
from triage.llm.vendor import Reply, Stop, Usage, status_error

_STOPS: dict[str, Stop] = {
    "max_tokens": "length", "model_context_window_exceeded": "length", "refusal": "refusal"
}  # fmt: skip


class AnthropicProvider:
    """See `triage.llm.vendor.Provider` and `BatchProvider`."""

    def __init__(self, endpoint: str, key: str, now: Callable[[], int]) -> None:
        self._now = now
        self._client = anthropic.Anthropic(api_key=key, base_url=endpoint, max_retries=0, http_client=client())

    def ask(self, prompt: Prompt, timeout: int) -> Reply:
        """Return the reply."""
        with errors(self._now), below_http():
            raw = self._client.messages.with_raw_response.create(**_body(prompt), timeout=timeout / SECOND)
            return _reply(raw.parse(), raw.headers.get("request-id") or "")

    def submit(self, prompts: Mapping[str, Prompt]) -> str:
        """Hand in a batch."""
        requests: Any = [{"custom_id": name, "params": _body(prompt)} for name, prompt in prompts.items()]
        with errors(self._now), below_http():
            return self._client.messages.batches.create(requests=requests).id

    def collect(self, batch: str, ids: Sequence[str]) -> dict[str, Reply | VendorError] | None:
        """Return what came of each of *ids*; None while the batch is not ended."""
        with errors(self._now), below_http():
            if self._client.messages.batches.retrieve(batch).processing_status != "ended":
                return None
            wanted = set(ids)
            lines = [one for one in self._client.messages.batches.results(batch) if one.custom_id in wanted]
            found = {one.custom_id: _of_batch(one.result) for one in lines}
        return found | {name: VendorError("missing", free=True) for name in wanted - set(found)}

    def close(self) -> None:
        """Close connections."""
        self._client.close()


@contextmanager
def errors(now: Callable[[], int]) -> Iterator[None]:
    """Turn the SDK's errors into ours, by class and status."""
    try:
        yield
    except anthropic.APITimeoutError as cause:
        raise VendorTimeout("timeout") from cause
    except anthropic.APIConnectionError as cause:
        with below_http():
            raise cause.__cause__ or VendorTimeout("disconnected") from cause
    except anthropic.APIResponseValidationError as cause:
        raise AnswerRefused("malformed") from cause
    except anthropic.APIStatusError as cause:
        code = _error_type(cause.body)
        raise status_error(cause.status_code, code, code=code, headers=cause.response.headers, now=now()) from cause
    except anthropic.AnthropicError as cause:
        raise AnswerRefused("malformed", type(cause).__name__) from cause


def _error_type(body: object) -> str:
    inner = body.get("error") if isinstance(body, dict) else None
    return str(inner.get("type", "")) if isinstance(inner, dict) else ""


def _body(prompt: Prompt) -> dict[str, Any]:
    return {
        "model": prompt.model,
        "max_tokens": prompt.most_output,
        "system": prompt.system,
        "messages": [{"role": "user", "content": prompt.user}],
        "output_config": {"format": {"type": "json_schema", "schema": prompt.schema}},
    }


def _reply(body: Any, request: str) -> Reply:
    cached = body.usage.cache_read_input_tokens or 0
    written = body.usage.cache_creation_input_tokens or 0
    usage = Usage(body.usage.input_tokens + cached + written, cached, body.usage.output_tokens)
    text = "".join(part.text for part in body.content if part.type == "text")
    return Reply(text=text, stop=_STOPS.get(body.stop_reason, "complete"), usage=usage, request=request or body.id)


def _of_batch(result: Any) -> Reply | VendorError:
    if result.type == "succeeded":
        return _reply(result.message, "")
    if result.type == "errored":
        return VendorBusy("server_error", str(result.error.error.type), free=True)
    return VendorBusy(str(result.type), free=True)
