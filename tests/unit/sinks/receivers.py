"""Real servers on loopback that behave as they are told: an HTTP receiver, a mail server, and one that never talks."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from email import message_from_bytes
from email.message import Message as Mail
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

CERTIFICATE = Path(__file__).with_name("loopback.pem")
"""A certificate and key for localhost and 127.0.0.1, good for nothing but these tests."""


class Request(NamedTuple):
    """One POST as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes


Behave = Callable[["Post"], None]


class Post(BaseHTTPRequestHandler):
    """One request; the receiver's next behaviour answers it."""

    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append(Request(self.path, dict(self.headers), body))
        behaviours = self.server.behaviours
        (behaviours.pop(0) if behaviours else self.server.otherwise)(self)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class Receiver(ThreadingHTTPServer):
    """An HTTP server that does what it is told, in turn, then `otherwise`; it keeps every request."""

    daemon_threads = True

    def __init__(self, tls: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), Post)
        if tls:
            self.socket = trusting_server().wrap_socket(self.socket, server_side=True)
        self.requests: list[Request] = []
        self.behaviours: list[Behave] = []
        self.otherwise: Behave = answer(200)
        self.url = f"{'https' if tls else 'http'}://localhost:{self.server_port}/hook"

    def handle_error(self, *_: Any) -> None:
        """A client that goes away is what these tests are about."""


@contextlib.contextmanager
def receiver(*behaviours: Behave, tls: bool = False) -> Iterator[Receiver]:
    """Run a receiver that behaves so."""
    server = Receiver(tls)
    server.behaviours.extend(behaviours)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answer(status: int, body: bytes = b"", **headers: str) -> Behave:
    """Answer with this status, body and headers (`_` for `-`)."""

    def behave(post: Post) -> None:
        post.send_response(status)
        for name, value in headers.items():
            post.send_header(name.replace("_", "-"), value)
        post.send_header("Content-Length", str(len(body)))
        post.end_headers()
        post.wfile.write(body)

    return behave


def hang(post: Post) -> None:
    """Say nothing for longer than anybody waits."""
    time.sleep(3)


def reset(post: Post) -> None:
    """Break the connection off."""
    post.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    post.connection.close()


def raw(*parts: bytes, pause: float = 0.0) -> Behave:
    """Send these bytes, *pause* s apart, and close."""

    def behave(post: Post) -> None:
        with contextlib.suppress(OSError):
            for part in parts:
                post.wfile.write(part)
                post.wfile.flush()
                time.sleep(pause)
        post.close_connection = True

    return behave


def flood(post: Post) -> None:
    """Refuse with an answer without end."""
    with contextlib.suppress(OSError):
        post.wfile.write(b"HTTP/1.1 400 Bad\r\n\r\n")
        while True:
            post.wfile.write(b"x" * 65_536)


def trusting_server() -> ssl.SSLContext:
    """Return the server side of our certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


class PostOffice:
    """A mail server's mind: keeps what it takes, and says what it is told to the next RCPT and DATA commands."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.envelopes: list[tuple[str, list[str]]] = []
        self.to_rcpt: dict[str, str] = {}
        self.to_data: list[str] = []
        self.on_data: Callable[[], None] = lambda: None

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        said = self.to_rcpt.get(address, "250 OK")
        if said.startswith("2"):
            envelope.rcpt_tos.append(address)
        return said

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        said = self.to_data.pop(0) if self.to_data else "250 queued"
        if said.startswith("2"):
            self.mails.append(message_from_bytes(envelope.content, policy=default))
            self.envelopes.append((envelope.mail_from, list(envelope.rcpt_tos)))
            self.on_data()
        return said


@contextlib.contextmanager
def mail_server(*, tls: bool = False, login: tuple[str, str] | None = None) -> Iterator[tuple[PostOffice, int]]:
    """Run a mail server on loopback and give its mind and port; *tls*: STARTTLS is offered and asked for."""
    office = PostOffice()
    given: dict[str, Any] = {"tls_context": trusting_server(), "require_starttls": True} if tls else {}
    if login:
        given |= {"auth_required": True, "authenticator": _authenticator(login)}
    controller = Controller(office, hostname="127.0.0.1", port=free_port(), **given)
    controller.start()
    try:
        yield office, controller.port
    finally:
        controller.stop(no_assert=True)


def _authenticator(login: tuple[str, str]) -> Callable[..., AuthResult]:
    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=(data.login.decode(), data.password.decode()) == login, handled=False)

    return check


@contextlib.contextmanager
def silent(greeting: bytes = b"", pause: float = 0.0) -> Iterator[int]:
    """Take connections and say *greeting*, a byte each *pause* s, or nothing at all; give the port."""
    listening = socket.create_server(("127.0.0.1", 0))
    taken: list[socket.socket] = []

    def take() -> None:
        with contextlib.suppress(OSError):
            while True:
                one, _ = listening.accept()
                taken.append(one)
                for byte in greeting:
                    one.send(bytes([byte]))
                    time.sleep(pause)

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(5)
        for one in taken:
            one.close()


def free_port() -> int:
    """Return a port that nobody listens at now."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
