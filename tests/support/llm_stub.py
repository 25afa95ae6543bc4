"""
A small server that speaks the wire formats of OpenAI (Responses, chat completions), Anthropic and Google over loopback.

It answers every request by a *manner*: well, or in one of the ways in which vendors fail. A real socket, so that the
real SDKs are under test, and their clients' handling of it.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

Wire = Literal["responses", "chat", "anthropic", "google"]
Manner = str | Mapping[str, Any]
"""A name of `MANNERS`, or the answer to give as an object."""

GOOD = {
    "sentiment": {"label": "negative", "score": -60, "shift": -10, "reason": "The customer is angry about an outage."},
    "urgency": {"score": 70, "reason": "Nobody can log in."},
    "complexity": {"score": 40, "reason": "Two systems are involved."},
    "intent": {"label": "outage", "reason": "It does not work."},
    "product_line": {"label": "mobile", "reason": "The app is named."},
    "language": {"label": "en"},
}
USED = {"input": 400, "cached": 100, "output": 60}

STATUSES = {
    "429": (429, {"Retry-After": "0"}), "429-later": (429, {"Retry-After": "120"}), "500": (500, {}), "529": (529, {}),
    "503": (503, {}), "401": (401, {}), "403": (403, {}), "unknown-model": (404, {}), "quota": (429, {}),
    "402": (402, {}), "400": (400, {}), "408": (408, {}), "409": (409, {}),
    "redirect": (307, {"Location": "/elsewhere"}),
}  # fmt: skip
BAD_TEXT = {
    "truncated": json.dumps(GOOD)[:80],
    "empty": "",
    "wrong-enum": json.dumps(GOOD | {"sentiment": GOOD["sentiment"] | {"label": "furious"}}),
    "out-of-range": json.dumps(GOOD | {"urgency": {"score": 1000, "reason": ""}}),
    "missing": json.dumps({"sentiment": GOOD["sentiment"]}),
    "no-object": "[1, 2]",
}
STOPS = ("refusal", "length", "safety")
BELOW = ("hang", "disconnect", "malformed-200", "half-200", "drip")


class Seen:
    """One request as it came."""

    def __init__(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> None:
        self.path = path
        self.headers = headers
        self.body = body

    @property
    def text(self) -> str:
        """All of the body."""
        return json.dumps(self.body, ensure_ascii=False)


class Stub:
    """The server. `manners` are used up one by one, the last one stays; `seen` is what was asked."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.manners: list[Manner] = ["good"]
        self.choose: Callable[[Seen], Manner] | None = None
        self.usage: dict[str, int] | None = dict(USED)
        self.batches: dict[str, list[dict[str, Any]]] = {}
        self._lock = threading.Lock()
        self.released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, *manners: Manner) -> None:
        """Answer the next requests so."""
        self.manners = list(manners)

    def endpoint(self, wire: Wire) -> str:
        """Return what a policy writes as its endpoint."""
        return self.url + ("/v1" if wire in ("responses", "chat") else "")

    @contextmanager
    def running(self) -> Iterator[Stub]:
        """Serve until the end."""
        thread = threading.Thread(target=lambda: self._server.serve_forever(0.01), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.released.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def next_manner(self, seen: Seen) -> Manner:
        """Return how to answer *seen*."""
        with self._lock:
            self.seen.append(seen)
            if self.choose is not None:
                return self.choose(seen)
            return self.manners.pop(0) if len(self.manners) > 1 else self.manners[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def do_GET(self) -> None:
                """Answer about batches."""
                self._reply(*stub.batch_answer(self.path))

            def do_POST(self) -> None:
                """Answer as told."""
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                seen = Seen(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                if self.path.endswith("/batches"):
                    self._reply(*stub.take_batch(body))
                    return
                manner = stub.next_manner(seen)
                wire = wire_of(self.path)
                if manner in BELOW:
                    self._misbehave(str(manner), wire)
                elif isinstance(manner, str) and manner in STATUSES:
                    status, headers = STATUSES[manner]
                    self._reply(status, json.dumps(error_body(wire, manner, status)).encode(), headers)
                else:
                    self._reply(200, json.dumps(good_body(wire, manner, stub.usage)).encode())

            def _reply(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
                self.send_response(status)
                given = {"Content-Type": "application/json", "x-request-id": "req_1", "request-id": "req_1"}
                for name, value in {**given, **(headers or {})}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def _misbehave(self, manner: str, wire: Wire) -> None:
                whole = json.dumps(good_body(wire, "good", stub.usage)).encode()
                if manner == "malformed-200":
                    self._reply(200, b"<html>oops</html>")
                elif manner == "half-200":
                    self._reply(200, whole[: len(whole) // 2])
                elif manner == "hang":
                    stub.released.wait(20)
                    self.close_connection = True
                elif manner == "drip":
                    self.send_response(200)
                    self.send_header("Content-Length", "100000")
                    self.end_headers()
                    with contextlib.suppress(OSError):
                        while not stub.released.wait(0.05):
                            self.wfile.write(b" ")
                    self.close_connection = True
                else:
                    # A reset, not a goodbye.
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True

        return Handler

    def take_batch(self, body: dict[str, Any]) -> tuple[int, bytes]:
        """Keep an Anthropic batch."""
        name = f"msgbatch_{len(self.batches) + 1}"
        self.batches[name] = body["requests"]
        return 200, json.dumps(_batch(name, "in_progress", self.url)).encode()

    def batch_answer(self, path: str) -> tuple[int, bytes]:
        """Return the state of a batch, or its results."""
        found = re.search(r"batches/([^/?]+)(/results)?", path)
        assert found is not None
        if not found[2]:
            state = "ended" if "good" in self.manners else "in_progress"
            return 200, json.dumps(_batch(found[1], state, self.url)).encode()
        lines = []
        for at, one in enumerate(self.batches[found[1]]):
            failed = {"type": "errored", "error": {"type": "error", "error": {"type": "api_error", "message": "x"}}}
            well = {"type": "succeeded", "message": good_body("anthropic", "good", self.usage)}
            lines.append(json.dumps({"custom_id": one["custom_id"], "result": well if at % 2 == 0 else failed}))
        return 200, "\n".join(lines).encode()


def _batch(name: str, state: str, url: str) -> dict[str, Any]:
    counts = {"processing": 0, "succeeded": 1, "errored": 1, "canceled": 0, "expired": 0}
    return {
        "id": name, "type": "message_batch", "processing_status": state, "request_counts": counts,
        "created_at": "2026-03-02T09:00:00Z", "expires_at": "2026-03-03T09:00:00Z", "ended_at": None,
        "archived_at": None, "cancel_initiated_at": None, "results_url": f"{url}/v1/messages/batches/{name}/results",
    }  # fmt: skip


def wire_of(path: str) -> Wire:
    """Return which vendor's format a path speaks."""
    if path.endswith("/responses"):
        return "responses"
    return "chat" if "chat/completions" in path else "anthropic" if path.endswith("/messages") else "google"


def good_body(wire: Wire, manner: Manner, usage: Mapping[str, int] | None) -> dict[str, Any]:
    """Return a 200: the answer *manner* is, or one that ended badly."""
    text = json.dumps(GOOD if isinstance(manner, str) else manner)
    stop = manner if manner in STOPS else "complete"
    if isinstance(manner, str) and manner in BAD_TEXT:
        text = BAD_TEXT[manner]
    if manner in ("refusal", "safety"):
        text = ""
    return {"responses": _responses, "chat": _chat, "anthropic": _anthropic, "google": _google}[wire](text, stop, usage)


def _responses(text: str, stop: Manner, usage: Mapping[str, int] | None) -> dict[str, Any]:
    part: dict[str, Any] = {"type": "output_text", "text": text, "annotations": []}
    if stop == "refusal":
        part = {"type": "refusal", "refusal": "I cannot help with that."}
    why = {"length": "max_output_tokens", "safety": "content_filter"}.get(str(stop))
    used = usage and {
        "input_tokens": usage["input"], "input_tokens_details": {"cached_tokens": usage["cached"]},
        "output_tokens": usage["output"], "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage["input"] + usage["output"],
    }  # fmt: skip
    message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}
    return {
        "id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-5-mini", "usage": used or None,
        "status": "incomplete" if why else "completed", "error": None, "output": [message],
        "incomplete_details": {"reason": why} if why else None, "parallel_tool_calls": False, "tool_choice": "none",
        "tools": [],
    }  # fmt: skip


def _chat(text: str, stop: Manner, usage: Mapping[str, int] | None) -> dict[str, Any]:
    why = {"length": "length", "safety": "content_filter"}.get(str(stop), "stop")
    refusal = "I cannot help with that." if stop == "refusal" else None
    message = {"role": "assistant", "content": None if refusal else text, "refusal": refusal}
    used = usage and {
        "prompt_tokens": usage["input"], "completion_tokens": usage["output"],
        "total_tokens": usage["input"] + usage["output"], "prompt_tokens_details": {"cached_tokens": usage["cached"]},
    }  # fmt: skip
    choice = {"index": 0, "message": message, "finish_reason": why, "logprobs": None}
    return {"id": "chatcmpl_1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]} | (
        {"usage": used} if used else {}
    )


def _anthropic(text: str, stop: Manner, usage: Mapping[str, int] | None) -> dict[str, Any]:
    why = {"length": "max_tokens", "refusal": "refusal", "safety": "refusal"}.get(str(stop), "end_turn")
    used = usage and {
        "input_tokens": usage["input"] - usage["cached"], "cache_read_input_tokens": usage["cached"],
        "cache_creation_input_tokens": 0, "output_tokens": usage["output"],
    }  # fmt: skip
    content = [{"type": "text", "text": text}] if text else []
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content,
            "stop_reason": why, "stop_sequence": None} | ({"usage": used} if used else {})  # fmt: skip


def _google(text: str, stop: Manner, usage: Mapping[str, int] | None) -> dict[str, Any]:
    why = {"length": "MAX_TOKENS", "safety": "SAFETY"}.get(str(stop), "STOP")
    used = usage and {
        "promptTokenCount": usage["input"], "cachedContentTokenCount": usage["cached"],
        "candidatesTokenCount": usage["output"] - 10, "thoughtsTokenCount": 10,
        "totalTokenCount": usage["input"] + usage["output"],
    }  # fmt: skip
    body: dict[str, Any] = {"responseId": "g_1", "modelVersion": "m"} | ({"usageMetadata": used} if used else {})
    if stop == "refusal":
        return body | {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}
    content = {"role": "model", "parts": [{"text": text}] if text else []}
    return body | {"candidates": [{"index": 0, "content": content, "finishReason": why}]}


def error_body(wire: Wire, manner: str, status: int) -> dict[str, Any]:
    """Return the body of an error as the vendor words it."""
    if wire == "google":
        return {"error": _google_error(manner, status)}
    if wire == "anthropic":
        kinds = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 529: "overloaded_error",
                 402: "billing_error", 429: "rate_limit_error", 400: "invalid_request_error"}  # fmt: skip
        kind = "billing_error" if manner == "quota" else kinds.get(status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": "said the vendor"}, "request_id": "req_1"}
    code = {"quota": "insufficient_quota", "unknown-model": "model_not_found", "401": "invalid_api_key"}.get(manner)
    return {"error": {"message": "said the vendor", "type": code or "error", "param": None, "code": code}}


def _google_error(manner: str, status: int) -> dict[str, Any]:
    details: list[dict[str, Any]] = []
    named = {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}
    if manner == "401":
        # Google says 400 to a wrong key, and why as data.
        details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]
    if manner == "quota":
        rule = {"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}
        details = [{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [rule]}]
    if manner == "429-later":
        details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "120s"}]
    return {"code": status, "message": "said the vendor", "status": named.get(status, "INTERNAL"), "details": details}
