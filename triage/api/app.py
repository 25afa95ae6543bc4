"""The application: each request is named, bounded, let in by its key, carried out off the event loop, and answered."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio.to_thread
import msgspec
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from triage.api.desk import Call, Desk
from triage.api.limits import Buckets
from triage.api.openapi import document, document_30
from triage.api.problems import MEDIA, Problem, Refused, problem_of, refusal_of
from triage.api.routes import ROUTES, Route
from triage.api.shapes import AuditPage, ScoreRequest
from triage.domain.instant import DAY
from triage.errors import TriageError
from triage.keys import Keyring
from triage.ports import Answer, ApiKey, Journal

BODY_LIMIT = 8 * 1024 * 1024
"""Bytes of one request."""

SMALL = 4 * 1024
"""Bytes of a request that may be answered on the event loop: a record or two."""

READ_OUT = 4
"""How many times that is read and thrown away of a longer one, so that whoever sends it hears why it is refused."""

RATE, BURST = 500.0, 1000.0
"""Requests a second that one key may send, and at once."""

NOBODY = ApiKey(id="", org="", secret_hash="", scopes=(), created=0, expires=0)
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_IDEMPOTENCY = re.compile(r"[A-Za-z0-9._:-]{1,100}")
_encode = msgspec.json.Encoder(order="sorted").encode


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How much one key, and one request, may take."""

    rate: float = RATE
    burst: float = BURST
    body_limit: int = BODY_LIMIT


def create_app(
    desk: Desk,
    version: str,
    new_id: Callable[[], str],
    *,
    settings: Settings | None = None,
    journal: Journal | None = None,
    closing: Callable[[], None] = lambda: None,
) -> FastAPI:
    """
    Return the application over *desk*.

    Args:
        new_id: Names a request that bears no name of its own.
        closing: Called when the server has answered its last request.
    """
    chosen = settings or Settings()

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await anyio.to_thread.run_sync(closing)

    app = _App(title="triage", version=version, openapi_url=None, docs_url=None, redoc_url=None, lifespan=life)
    server = _Server(desk, Buckets(chosen.rate, chosen.burst, desk.ticks), new_id, chosen.body_limit, journal)
    for path in dict.fromkeys(route.path for route in ROUTES):
        here = {str(route.method): server.endpoint(route) for route in ROUTES if route.path == path}
        app.router.add_route(path, _chosen(here), methods=list(here))
        app.straight |= {("POST", path): here["POST"]} if path == "/v1/score" else {}
    whole, older = _encode(document(version)), _encode(document_30(version))

    for path, scope, org, text, media in (
        ("/openapi.json", "", "", lambda: whole, "application/json"),
        ("/openapi-3.0.json", "", "", lambda: older, "application/json"),
        ("/metrics", "read", desk.keys.org, desk.figures or bytes, "text/plain; version=0.0.4"),
    ):
        app.router.add_route(path, server.guarded(scope, org, text, media), methods=["GET"])
    app.add_exception_handler(HTTPException, server.unrouted)
    return app


class _App(FastAPI):
    """An application whose most asked addresses are answered without the layers that none of them needs."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.straight: dict[tuple[str, str], Callable[[Request], Any]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        endpoint = self.straight.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if endpoint is None:
            await super().__call__(scope, receive, send)
            return
        found: Response = await endpoint(Request(scope, receive))
        await found(scope, receive, send)


def _chosen(endpoints: dict[str, Callable[[Request], Any]]) -> Callable[[Request], Any]:
    """Return the one function of an address, which answers each method by its own."""

    async def endpoint(request: Request) -> Response:
        found: Response = await endpoints.get(request.method, endpoints.get("GET", _nothing))(request)
        return found

    return endpoint


async def _nothing(_request: Request) -> Response:
    return Response(status_code=405)


class _Server:
    """What is done with every request alike."""

    def __init__(
        self, desk: Desk, buckets: Buckets, new_id: Callable[[], str], body_limit: int, journal: Journal | None
    ) -> None:
        self._desk = desk
        self._buckets = buckets
        self._new_id = new_id
        self._body_limit = body_limit
        self._journal = journal
        self._keyring = Keyring(desk.keys, desk.ticks)

    def endpoint(self, route: Route) -> Callable[[Request], Any]:
        """Return the function that answers *route*."""
        decoder: Any = None if route.body is None else msgspec.json.Decoder(route.body)

        async def answer(request: Request) -> Response:
            identity = self._identity(request)
            try:
                body = await self._body(request) if route.body is not None else b""
                given = self._quick(request, decoder, body) if route.name == "score" and len(body) <= SMALL else None
                if given is not None:
                    return self._answered(route, request, decoder, body, identity, given)
                return await anyio.to_thread.run_sync(self._answered, route, request, decoder, body, identity)
            except TriageError as cause:
                return self._refused(refusal_of(cause), identity, route.name)
            except ClientDisconnect:
                return Response(status_code=400)
            except Exception as cause:
                # Whatever was not foreseen is told by its class, in the journal and in a problem without its words.
                self._tell("request_failed", "error", request=identity, route=route.name, fault=type(cause).__name__)
                return self._answer_of(Refused(500, "it was noted under the request's id"), identity)

        return answer

    def guarded(self, scope: str, org: str, text: Callable[[], bytes], media: str) -> Callable[[Request], Any]:
        """Return the function that answers with *text* whoever has a key of *scope* and *org*; "" for any."""

        def told(request: Request) -> Response:
            key = self._let_in(scope, request, self._desk.now())
            if org and key.org != org:
                raise Refused(403, "these are the figures of another organisation than the key's")
            return Response(text(), media_type=media)

        async def answer(request: Request) -> Response:
            try:
                return await anyio.to_thread.run_sync(told, request)
            except TriageError as cause:
                return self._refused(refusal_of(cause), self._identity(request), request.url.path[1:])

        return answer

    def _quick(self, request: Request, decoder: Any, body: bytes) -> ScoreRequest | None:
        """Return what was asked where scores can be given here and now: nothing is read, no text is encoded."""
        key = self._keyring.fresh(_bearer(request)[1], self._desk.now())
        if key is None or "idempotency-key" in request.headers or not self._desk.is_looked(key.org):
            return None
        given: ScoreRequest = _decoded(decoder, body)
        if given.llm and self._desk.llm(key.org, given.object, given.scores) is not None:
            return None
        return given if self._desk.quick(given.scores) else None

    async def unrouted(self, request: Request, cause: Exception) -> Response:
        """Answer what no route is for, and a method that an address does not have."""
        status = cause.status_code if isinstance(cause, HTTPException) else 500
        headers = dict(cause.headers or {}) if isinstance(cause, HTTPException) else {}
        detail = f"{request.method} {request.url.path}"[:200]
        return self._refused(Refused(status, detail, headers=headers), self._identity(request), "none")

    def _answered(
        self, route: Route, request: Request, decoder: Any, body: bytes, identity: str, given: Any = None
    ) -> Response:
        """Carry the request out; *given* is its body where that is read already."""
        now = self._desk.now()
        key = self._let_in(route.scope, request, now) if route.scope else self._anybody(request)
        call = Call(desk=self._desk, key=key, now=now, path=dict(request.path_params), query=_query(route, request))
        if given is None and decoder is not None:
            given = _decoded(decoder, body)
        idem_key = request.headers.get("idempotency-key") if route.method != "GET" else None
        if idem_key is not None:
            return self._once(route, call, given, body, idem_key, request, identity)
        return self._shown(route, route.handler(call, given), request, identity)

    def _anybody(self, request: Request) -> ApiKey:
        """Let in whoever comes without a key, by where they come from, as often as one key."""
        self._spend(f"open {request.client.host if request.client is not None else ''}")
        return NOBODY

    def _let_in(self, scope: str, request: Request, now: int) -> ApiKey:
        scheme, text = _bearer(request)
        if scheme != "bearer" or not text:
            self._anybody(request)
            why = "send `Authorization: Bearer triage_..`; `triage keys create` makes a key"
            raise Refused(401, why, headers={"WWW-Authenticate": "Bearer"})
        key = self._keyring.opened_by(text, now)
        self._spend(key.id)
        if scope and scope not in key.scopes:
            raise Refused(403, f"this needs scope {scope}; the key has {', '.join(key.scopes)}")
        return key

    def _spend(self, name: str) -> None:
        wait = self._buckets.take(name)
        if wait:
            raise Refused(429, f"ask again in {wait} s", headers={"Retry-After": str(wait)})

    def _once(
        self, route: Route, call: Call, given: Any, body: bytes, idem_key: str, request: Request, identity: str
    ) -> Response:
        """Carry the request out, or tell again what it was answered before."""
        if not _IDEMPOTENCY.fullmatch(idem_key):
            raise Refused(422, "Idempotency-Key must be 1 to 100 letters, digits and . _ : -")
        name = f"{route.method} {request.url.path}?{request.url.query}\n".encode()
        seen = hashlib.sha256(name + body).hexdigest()
        with call.store.read() as unit:
            before = unit.access.answer(call.key.id, idem_key)
        if before is not None:
            if before.request_hash != seen:
                raise Refused(422, "this Idempotency-Key was used for another request")
            return Response(before.body, before.status, {"Idempotent-Replayed": "true", "X-Request-Id": identity},
                            "application/json")  # fmt: skip
        answer = self._shown(route, route.handler(call, given), request, identity)
        kept = Answer(request_hash=seen, status=200, body=bytes(answer.body).decode(), at=call.now)
        with call.store.write() as unit:
            unit.access.remember(call.key.id, idem_key, kept, call.now - DAY)
        return answer

    def _shown(self, route: Route, value: Any, request: Request, identity: str) -> Response:
        headers = {"X-Request-Id": identity, "Cache-Control": "no-store"}
        if isinstance(value, AuditPage) and (other := _other_form(value, request.headers.get("accept", ""))):
            text, media = other
            return Response(text, 200, headers, media)
        body = _encode(value)
        if route.method == "GET" and route.scope:
            tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
            headers["ETag"] = tag
            if request.headers.get("if-none-match") == tag:
                return Response(None, 304, headers)
        return Response(body, 200, headers, "application/json")

    def _refused(self, refused: Refused, identity: str, route: str) -> Response:
        """Answer that a request was refused, and note it: by its status and route, never in its words."""
        # Whoever asks too often would write a line each time: not of those.
        if refused.status != 429:
            level = "error" if refused.status >= 500 else "warning" if refused.status in (401, 403) else "info"
            self._tell("request_refused", level, request=identity, route=route, status=refused.status)
        return self._answer_of(refused, identity)

    def _answer_of(self, refused: Refused, identity: str) -> Response:
        body: Problem = problem_of(refused, identity)
        return Response(_encode(body), refused.status, refused.headers | {"X-Request-Id": identity}, MEDIA)

    async def _body(self, request: Request) -> bytes:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().casefold()
        if kind != "application/json":
            raise Refused(415, "send Content-Type: application/json")
        parts: list[bytes] = []
        size = 0
        async for part in request.stream():
            size += len(part)
            if size <= self._body_limit:
                parts.append(part)
            elif size > READ_OUT * self._body_limit:
                break
        if size > self._body_limit:
            raise Refused(413, f"at most {self._body_limit // 1024 // 1024} MiB", headers={"Connection": "close"})
        return b"".join(parts)

    def _identity(self, request: Request) -> str:
        named = request.headers.get("x-request-id", "")
        return named if _ID.fullmatch(named) else self._new_id()

    def _tell(self, what: str, level: str, **said: str | int) -> None:
        if self._journal is not None:
            self._journal.tell(what, level, **said)


def _bearer(request: Request) -> tuple[str, str]:
    """Return the scheme, casefolded, and the key that came with *request*."""
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    return scheme.casefold(), text.strip()


def _query(route: Route, request: Request) -> dict[str, Any]:
    known = {param.name: param for param in route.params}
    found = {param.name: param.default for param in route.params}
    for name, raw in request.query_params.multi_items():
        if name not in known:
            raise Refused(422, f"unknown parameter {name[:40]!r}: {', '.join(known) or 'there are none here'}")
        found[name] = known[name].read(raw)
    return found


def _decoded(decoder: Any, body: bytes) -> Any:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as cause:
        raise Refused(422, str(cause)) from cause
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as cause:
        raise Refused(400, f"the body is not JSON: {cause}") from cause


def _other_form(page: AuditPage, accept: str) -> tuple[str, str] | None:
    """Return the page as CSV or as JSON lines where *accept* asks for it; a cell that Excel would run is quoted."""
    if "text/csv" in accept:
        out = io.StringIO()
        writer = csv.writer(out)
        names = ("seq", "at", "record", "event", "rule", "actor", "key", "body", "hash", "prev")
        writer.writerow(names)
        for line in page.lines:
            cells = [getattr(line, name) for name in names]
            writer.writerow(
                [_cell(msgspec.json.encode(one).decode() if isinstance(one, dict) else one) for one in cells]
            )
        return out.getvalue(), "text/csv"
    if "application/jsonl" in accept:
        return "".join(_encode(line).decode() + "\n" for line in page.lines), "application/jsonl"
    return None


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t") else value
