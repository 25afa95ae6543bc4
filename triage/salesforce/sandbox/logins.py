"""The ways in: SOAP password, OAuth password, client credentials and JWT bearer; sessions, and how they end."""

from __future__ import annotations

import base64
import json
import secrets
import threading
from collections.abc import Callable, Mapping
from typing import Any
from xml.sax.saxutils import escape

import jwt
from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException
from msgspec import Struct

from triage.salesforce.sandbox.values import Refused

_ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
)

SESSION_LASTS = 2 * 3_600_000
"""How long a session lasts, in ms."""


class Account(Struct, frozen=True, kw_only=True):
    """Who may come in, and with what; the sandbox prints it, so none of it is a secret."""

    user: str = "005TRIAGE0000001"
    username: str = "triage@sandbox.example"
    password: str = "sandbox"  # noqa: S105 - printed at start
    security_token: str = "token"  # noqa: S105 - printed at start
    consumer_key: str = "sandbox-app"
    consumer_secret: str = "sandbox-secret"  # noqa: S105 - printed at start
    public_key: bytes = b""


class LoginRefused(Exception):
    """Nobody comes in this way; `code` is OAuth's or SOAP's word for it."""

    def __init__(self, code: str, text: str) -> None:
        self.code = code
        super().__init__(text)


class Sessions:
    """Sessions by their token. Threads may share it."""

    def __init__(self, account: Account, now: Callable[[], int]) -> None:
        self.account = account
        self.issued = 0
        self._now = now
        self._ends: dict[str, int] = {}
        self._lock = threading.Lock()

    def issue(self) -> str:
        """Return the token of a new session."""
        token = f"00D5e0000000001!{secrets.token_urlsafe(48)}"
        with self._lock:
            self.issued += 1
            self._ends[token] = self._now() + SESSION_LASTS
        return token

    def check(self, token: str) -> str:
        """Return whose session *token* is; refuse one that has ended or never was."""
        with self._lock:
            end = self._ends.get(token)
        if end is None or end <= self._now():
            raise Refused("INVALID_SESSION_ID", "Session expired or invalid", status=401)
        return self.account.user

    def expire(self) -> int:
        """End every session; return how many."""
        with self._lock:
            count = len(self._ends)
            self._ends.clear()
        return count

    def soap(self, body: bytes) -> str:
        """Return the token for a SOAP login request."""
        try:
            tree = ElementTree.fromstring(body)
        except (ElementTree.ParseError, DefusedXmlException) as cause:
            raise LoginRefused("UNKNOWN_EXCEPTION", "the request is no XML that is read here") from cause
        found = {str(one.tag).rpartition("}")[2]: one.text or "" for one in tree.iter()}
        self._known(found.get("username", ""), found.get("password", ""), "INVALID_LOGIN")
        return self.issue()

    def oauth(self, form: Mapping[str, str], authorization: str) -> str:
        """Return the token for a request to the token endpoint."""
        kind = form.get("grant_type", "")
        app, secret = form.get("client_id", ""), form.get("client_secret", "")
        if authorization.startswith("Basic "):
            app, _, secret = base64.b64decode(authorization[6:]).decode().partition(":")
        if kind == "urn:ietf:params:oauth:grant-type:jwt-bearer":
            self._assertion(form.get("assertion", ""))
            return self.issue()
        if kind not in ("password", "client_credentials"):
            raise LoginRefused("unsupported_grant_type", "grant type not supported")
        if app != self.account.consumer_key:
            raise LoginRefused("invalid_client_id", "client identifier invalid")
        if secret != self.account.consumer_secret:
            raise LoginRefused("invalid_client", "invalid client credentials")
        if kind == "password":
            self._known(form.get("username", ""), form.get("password", ""), "invalid_grant")
        return self.issue()

    def _known(self, username: str, password: str, code: str) -> None:
        account = self.account
        if username != account.username or password not in (
            account.password,
            account.password + account.security_token,
        ):
            raise LoginRefused(code, "Invalid username, password, security token; or user locked out.")

    def _assertion(self, assertion: str) -> None:
        if not self.account.public_key:
            raise LoginRefused("invalid_client_id", "the app has no certificate")
        try:
            claims: dict[str, Any] = jwt.decode(
                assertion, self.account.public_key, algorithms=["RS256"], options={"verify_aud": False}
            )
        except jwt.PyJWTError as cause:
            raise LoginRefused("invalid_grant", "invalid assertion") from cause
        if claims.get("iss") != self.account.consumer_key:
            raise LoginRefused("invalid_client_id", "client identifier invalid")
        if not str(claims.get("aud", "")).startswith("https://"):
            raise LoginRefused("invalid_grant", "audience is invalid")
        if claims.get("sub") != self.account.username:
            raise LoginRefused("invalid_grant", "user hasn't approved this consumer")


def soap_answer(token: str, host: str, org: str, user: str) -> bytes:
    """Return what a SOAP login answers."""
    return (
        f"{_ENVELOPE} "
        'xmlns="urn:partner.soap.sforce.com"><soapenv:Body><loginResponse><result>'
        f"<serverUrl>https://{host}/services/Soap/u/59.0/{org[:15]}</serverUrl><sessionId>{escape(token)}</sessionId>"
        f"<userId>{user}</userId></result></loginResponse></soapenv:Body></soapenv:Envelope>"
    ).encode()


def soap_fault(cause: LoginRefused) -> bytes:
    """Return what a refused SOAP login answers."""
    return (
        f"{_ENVELOPE} "
        'xmlns:sf="urn:fault.partner.soap.sforce.com"><soapenv:Body><soapenv:Fault>'
        f"<faultcode>sf:{cause.code}</faultcode><faultstring>{escape(str(cause))}</faultstring><detail>"
        f"<sf:LoginFault><sf:exceptionCode>{cause.code}</sf:exceptionCode>"
        f"<sf:exceptionMessage>{escape(str(cause))}</sf:exceptionMessage></sf:LoginFault></detail>"
        "</soapenv:Fault></soapenv:Body></soapenv:Envelope>"
    ).encode()


def token_answer(token: str, host: str, org: str, user: str) -> dict[str, Any]:
    """Return what the token endpoint answers."""
    url = f"https://{host}"
    return {
        "access_token": token, "instance_url": url, "token_type": "Bearer", "signature": "c2FuZGJveA==",
        "id": f"{url}/id/{org}/{user}", "issued_at": "0", "scope": "api",
    }  # fmt: skip


def token_fault(cause: LoginRefused) -> bytes:
    """Return what the token endpoint answers to somebody whom it refuses."""
    return json.dumps({"error": cause.code, "error_description": str(cause)}).encode()
