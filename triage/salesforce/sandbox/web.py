"""HTTPS on loopback: requests to resources, with sessions, limits and misbehaviour in front of them."""

from __future__ import annotations

import contextlib
import http.server
import socket
import ssl
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from triage.salesforce.sandbox import logins
from triage.salesforce.sandbox.bulk import Bulk
from triage.salesforce.sandbox.certificate import Authority
from triage.salesforce.sandbox.composite import collection, composite
from triage.salesforce.sandbox.faults import Fault, Faults
from triage.salesforce.sandbox.organisation import Organisation
from triage.salesforce.sandbox.rest import Answer, Call, Resources
from triage.salesforce.sandbox.values import Refused

_encode = msgspec.json.Encoder().encode
MOST_BYTES = 32 * 1024 * 1024


class Cut(Exception):
    """The line is to be cut without a word."""


class Site:
    """All that the server answers: logins, the API, and `/sandbox/..`, where it is told what to do."""

    def __init__(self, org: Organisation, sessions: logins.Sessions, control: Mapping[str, Any] | None = None) -> None:
        self.org = org
        self.sessions = sessions
        self.resources = Resources(org)
        self.bulk = Bulk(org)
        self.faults = Faults()
        self.host = ""
        self.stopping = threading.Event()
        self._control = dict(control or {})

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Return the answer to one request; raise Cut where there is to be none."""
        url = urlsplit(target)
        if url.path.startswith("/sandbox/"):
            return self._told(url.path.removeprefix("/sandbox/"), body)
        fault = self.faults.next(method, url.path)
        if fault is not None:
            early = self._before(fault)
            if early is not None:
                return early
        found = self._refusing(method, url.path, dict(parse_qsl(url.query)), headers, body)
        if fault is not None and fault.kind == "lost_answer":
            raise Cut
        if fault is not None and fault.kind == "malformed":
            return Answer(status=200, raw=b'{"records": [', headers={"Content-Type": "application/json"})
        return found

    def _before(self, fault: Fault) -> Answer | None:
        """Misbehave before anything is done; None where the request is to go on."""
        if fault.kind == "unavailable":
            error = {"message": "Service temporarily unavailable", "errorCode": "SERVER_UNAVAILABLE"}
            return Answer(status=503, body=[error])
        if fault.kind == "limit":
            return _limit_reached()
        if fault.kind == "html":
            return Answer(
                status=401, raw=b"<html><body>Please log in</body></html>", headers={"Content-Type": "text/html"}
            )
        if fault.kind == "lost_request":
            raise Cut
        if fault.kind == "expire":
            self.sessions.expire()
        if fault.kind == "slow":
            self.stopping.wait(fault.seconds)
        return None

    def _refusing(
        self, method: str, path: str, params: dict[str, str], headers: Mapping[str, str], body: bytes
    ) -> Answer:
        if path.startswith("/services/Soap/u/"):
            return self._soap(body)
        if path == "/services/oauth2/token":
            return self._token(body, headers)
        try:
            user = self.sessions.check(headers.get("authorization", "").removeprefix("Bearer "))
            if path == "/services/oauth2/userinfo":
                return Answer(body={"user_id": user, "organization_id": self.org.id})
            return self._counted(method, path, params, headers, body, user)
        except Refused as cause:
            return Answer(status=cause.status, body=[cause.body()])

    def _counted(
        self, method: str, path: str, params: dict[str, str], headers: Mapping[str, str], body: bytes, user: str
    ) -> Answer:
        pieces = tuple(piece for piece in path.split("/") if piece)
        if pieces[:2] != ("services", "data") or len(pieces) < 4:
            raise Refused("NOT_FOUND", "The requested resource does not exist", status=404)
        used = self.resources
        if used.used >= used.allowed:
            return _limit_reached()
        used.used += 1
        call = Call(method=method, parts=pieces[3:], params=params, headers=headers, body=body, user=user)
        found = self._routed(call)
        limit = {"Sforce-Limit-Info": f"api-usage={used.used}/{used.allowed}"}
        return Answer(status=found.status, body=found.body, raw=found.raw, headers={**found.headers, **limit})

    def _routed(self, call: Call) -> Answer:
        if call.parts[:2] == ("composite", "sobjects"):
            return collection(call, self.org)
        if call.parts[0] == "composite":
            return composite(call, self.resources)
        if call.parts[0] == "jobs":
            return self.bulk.answer(call)
        return self.resources.answer(call)

    def _soap(self, body: bytes) -> Answer:
        kind = {"Content-Type": "text/xml"}
        try:
            token = self.sessions.soap(body)
        except logins.LoginRefused as cause:
            return Answer(status=500, raw=logins.soap_fault(cause), headers=kind)
        return Answer(raw=logins.soap_answer(token, self.host, self.org.id, self.sessions.account.user), headers=kind)

    def _token(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        form = dict(parse_qsl(body.decode(errors="replace")))
        kind = {"Content-Type": "application/json"}
        try:
            token = self.sessions.oauth(form, headers.get("authorization", ""))
        except logins.LoginRefused as cause:
            return Answer(status=400, raw=logins.token_fault(cause), headers=kind)
        return Answer(body=logins.token_answer(token, self.host, self.org.id, self.sessions.account.user))

    def _told(self, what: str, body: bytes) -> Answer:
        """Do what somebody on this machine tells the sandbox: misbehave, expire, gap, lock, limits."""
        try:
            given = msgspec.json.decode(body) if body else {}
            if what == "faults":
                self.faults.take(given)
            elif what == "clear":
                self.faults.clear()
            elif what == "expire":
                return Answer(body={"expired": self.sessions.expire()})
            elif what == "gap":
                self.org.gap(given["object"], given["kind"], *given.get("ids", ()))
            elif what == "lock":
                self.org.locked[given["id"]] = int(given.get("times", 1))
            elif what == "limits":
                self.resources.used = int(given.get("used", self.resources.used))
                self.resources.allowed = int(given.get("allowed", self.resources.allowed))
            elif what in self._control:
                return Answer(body=self._control[what](given))
            else:
                return Answer(status=404, body={"error": f"the sandbox knows no {what}"})
        except (msgspec.MsgspecError, KeyError, ValueError) as cause:
            return Answer(status=400, body={"error": str(cause)})
        return Answer(body={"ok": True})


def _limit_reached() -> Answer:
    error = {"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}
    return Answer(status=403, body=[error])


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, site: Site, tls: ssl.SSLContext) -> None:
        self.site = site
        self.tls = tls
        self.open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of lines that clients cut."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Two small writes an answer would each wait for the other side's acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        # The handshake belongs to this connection's own thread: one slow client must not keep others out.
        self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        self.server.open.add(self.request)
        super().setup()

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()
        self.server.open.discard(self.request)
        with contextlib.suppress(OSError):
            self.request.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Write no log."""

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > MOST_BYTES:
            self.close_connection = True
            return
        body = self.rfile.read(length)
        headers = {key.lower(): value for key, value in self.headers.items()}
        try:
            found = self.server.site.answer(self.command, self.path, headers, body)
        except Cut:
            self.close_connection = True
            return
        raw = found.raw if found.raw is not None else b"" if found.body is None else _encode(found.body)
        self.send_response(found.status)
        for name, value in {"Content-Type": "application/json;charset=UTF-8", **found.headers}.items():
            self.send_header(name, value)
        if found.status != 204:
            self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = do_HEAD = _answer  # noqa: N815 - the library's names


class Listener:
    """The server in its thread, from `start` to `stop`."""

    def __init__(self, site: Site, authority: Authority) -> None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(authority.chain, authority.key)
        self._site = site
        self._server = _Server(site, tls)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True, name="sandbox")
        self.port = int(self._server.server_address[1])
        site.host = f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Cut every line and end."""
        self._site.stopping.set()
        self._server.shutdown()
        for line in list(self._server.open):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(line, socket.SHUT_RDWR)
        self._server.server_close()
        self._thread.join()
