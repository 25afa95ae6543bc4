"""OpenAI and whatever speaks like it (vLLM, Ollama, gateways): the Responses API, or chat completions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import openai

from triage.domain.instant import SECOND
from triage.errors import AnswerRefused, VendorBusy, VendorTimeout
from triage.llm.prompting import Prompt
from triage.llm.providers.wire import below_http, client
from triage.llm.vendor import Reply, Stop, Usage, status_error
from triage.rules.llm_policy import Wire

NAME = "triage_scores"


class OpenAIProvider:
    """See `triage.llm.vendor.Provider`."""

    def __init__(self, endpoint: str, key: str, now: Callable[[], int], *, api: Wire = "responses") -> None:
        self._now = now
        self._api = api
        self._client = self._open(endpoint, key)

    def ask(self, prompt: Prompt, timeout: int) -> Reply:
        """Return the reply; `store` is off, so that the vendor keeps no conversation."""
        with errors(self._now), below_http():
            return self._respond(prompt, timeout) if self._api == "responses" else self._chat(prompt, timeout)

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def _open(self, endpoint: str, key: str) -> openai.OpenAI:
        return openai.OpenAI(api_key=key, base_url=endpoint, max_retries=0, http_client=client())

    def _respond(self, prompt: Prompt, timeout: int) -> Reply:
        shape: Any = {"type": "json_schema", "name": NAME, "schema": prompt.schema, "strict": True}
        raw = self._client.responses.with_raw_response.create(
            model=prompt.model, instructions=prompt.system, input=prompt.user, text={"format": shape},
            max_output_tokens=prompt.most_output, store=False, timeout=timeout / SECOND,
        )  # fmt: skip
        body = raw.parse()
        parts = [part for item in body.output if item.type == "message" for part in item.content]
        refused = any(part.type == "refusal" for part in parts)
        text = "".join(part.text for part in parts if part.type == "output_text")
        used = body.usage
        details = used.input_tokens_details if used else None
        cached = (details.cached_tokens or 0) if details else 0
        usage = Usage(used.input_tokens, cached, used.output_tokens) if used else None
        why = body.incomplete_details.reason if body.incomplete_details else ""
        stop: Stop = "refusal" if refused else _STOPS.get(why or "", "complete")
        if body.status == "failed":
            raise VendorBusy("server_error", str(body.error.code if body.error else ""), request=body.id)
        return Reply(text=text, stop=stop, usage=usage, request=raw.headers.get("x-request-id") or body.id)

    def _chat(self, prompt: Prompt, timeout: int) -> Reply:
        shape: Any = {"type": "json_schema", "json_schema": {"name": NAME, "schema": prompt.schema, "strict": True}}
        raw = self._client.chat.completions.with_raw_response.create(
            model=prompt.model,
            messages=[{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}],
            response_format=shape, max_completion_tokens=prompt.most_output, timeout=timeout / SECOND,
        )  # fmt: skip
        body = raw.parse()
        choice = body.choices[0]
        used = body.usage
        details = used.prompt_tokens_details if used else None
        cached = (details.cached_tokens or 0) if details else 0
        usage = Usage(used.prompt_tokens, cached, used.completion_tokens) if used else None
        stop: Stop = "refusal" if choice.message.refusal else _STOPS.get(choice.finish_reason, "complete")
        text = choice.message.content or ""
        return Reply(text=text, stop=stop, usage=usage, request=raw.headers.get("x-request-id") or body.id)


_STOPS: dict[str, Stop] = {"length": "length", "max_output_tokens": "length", "content_filter": "safety"}


@contextmanager
def errors(now: Callable[[], int]) -> Iterator[None]:
    """Turn the SDK's errors into ours, by class and status."""
    try:
        yield
    except openai.APITimeoutError as cause:
        raise VendorTimeout("timeout") from cause
    except openai.APIConnectionError as cause:
        with below_http():
            raise cause.__cause__ or VendorTimeout("disconnected") from cause
    except openai.APIResponseValidationError as cause:
        raise AnswerRefused("malformed") from cause
    except openai.APIStatusError as cause:
        code = str(cause.code or cause.type or "")
        raise status_error(cause.status_code, code, code=code, headers=cause.response.headers, now=now()) from cause
    except openai.OpenAIError as cause:
        raise AnswerRefused("malformed", type(cause).__name__) from cause
