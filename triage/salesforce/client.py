"""
The seam over simple-salesforce: logins, queries, composite requests, and errors as our own types.

The library logs in and speaks REST; what it lacks is here: one refresh under a lock, no endless repetition on a session
that stays refused, bulk with a fresh token, and an identity that is checked before anything is written.
"""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit

import requests
from msgspec import Struct
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceAuthenticationFailed
from simple_salesforce.exceptions import SalesforceError as VendorError
from simple_salesforce.login import SalesforceLogin

from triage.errors import (
    KeyTaken,
    LimitReached,
    LoginRefused,
    QueryRefused,
    RecordGone,
    RecordLocked,
    SalesforceError,
    SessionExpired,
    Unreachable,
    WriteRefused,
)
from triage.salesforce.session import Gate, make_session
from triage.salesforce.settings import Connection, way_in

T = TypeVar("T")

_BY_CODE: dict[str, type[SalesforceError]] = {
    "INVALID_SESSION_ID": SessionExpired,
    "REQUEST_LIMIT_EXCEEDED": LimitReached,
    "UNABLE_TO_LOCK_ROW": RecordLocked,
    "ENTITY_IS_DELETED": RecordGone,
    "NOT_FOUND": RecordGone,
    "DUPLICATE_VALUE": KeyTaken,
    **dict.fromkeys(("INVALID_FIELD", "MALFORMED_QUERY", "INVALID_TYPE"), QueryRefused),
    **dict.fromkeys(("SERVER_UNAVAILABLE", "UNKNOWN_EXCEPTION", "SERVER_ERROR"), Unreachable),
}
"""Which error a code of Salesforce's is; any other one of a refused write is WriteRefused."""

BULK_PAGE = 50_000


class Identity(Struct, frozen=True, kw_only=True):
    """Who we are there, and which organisation it is."""

    organization_id: str
    is_sandbox: bool
    name: str
    user_id: str


class Client:
    """One organisation, as one user. Threads may share it."""

    def __init__(self, connection: Connection, now: Callable[[], int], wait: Callable[[int], None]) -> None:
        """Say how to reach it; nothing is sent before the first call. *wait* takes ms."""
        self.connection = connection
        self.gate = Gate(now, wait, connection.calls_per_second, connection.limit_share)
        self.logins = 0
        self._wait = wait
        self._http = make_session(connection, self.gate, wait)
        self._lock = threading.Lock()
        self._found: Salesforce | None = None
        self._identity: Identity | None = None

    # Who and where

    def identity(self) -> Identity:
        """Return who we are there; asked once."""
        if self._identity is None:
            row = self.query("SELECT Id, IsSandbox, Name FROM Organization")[0]
            base = f"https://{self._salesforce().sf_instance}"
            user = self._get_json(f"{base}/services/oauth2/userinfo").get("user_id", "")
            self._identity = Identity(
                organization_id=row["Id"], is_sandbox=bool(row["IsSandbox"]), name=row["Name"] or "", user_id=user
            )
        return self._identity

    def stranger(self) -> str:
        """Return why the organisation is not the pinned one, "" where it is, or "not pinned" where none is named."""
        found, wanted = self.identity(), self.connection
        if not wanted.organization_id or wanted.is_sandbox is None:
            return (
                f"no organisation is pinned: set organization_id={found.organization_id} and "
                f"is_sandbox={str(found.is_sandbox).lower()} to let triage act on it"
            )
        if found.organization_id[:15] != wanted.organization_id[:15]:
            return f"this is organisation {found.organization_id}, and {wanted.organization_id} is pinned"
        if found.is_sandbox != wanted.is_sandbox:
            kinds = {True: "a sandbox", False: "production"}
            return f"this organisation is {kinds[found.is_sandbox]}, and {kinds[bool(wanted.is_sandbox)]} is pinned"
        return ""

    def access(self) -> tuple[str, str, str]:
        """Return session, instance URL and organisation id, as the Pub/Sub API asks for them."""
        organization = self.identity().organization_id
        found = self._salesforce()
        return str(found.session_id), f"https://{found.sf_instance}", organization

    def refresh(self, refused: str) -> None:
        """Log in again, unless somebody else has since *refused* was refused."""
        with self._lock:
            if self._found is None or self._found.session_id == refused:
                self._found = None
                self._log_in()

    # Reading

    def query(self, soql: str, *, deleted: bool = False) -> list[dict[str, Any]]:
        """Return all records that *soql* finds, without their `attributes`; with *deleted* also those in the bin."""
        return list(self.query_each(soql, deleted=deleted))

    def query_each(self, soql: str, *, deleted: bool = False) -> Iterator[dict[str, Any]]:
        """Yield the records that *soql* finds, page by page."""
        page = self._call(lambda sf: sf.query(soql, include_deleted=deleted))
        while True:
            yield from map(_plain, page["records"])
            if page["done"]:
                return
            locator = page["nextRecordsUrl"]
            page = self._call(lambda sf, locator=locator: sf.query_more(locator, identifier_is_url=True))  # type: ignore[misc]

    def count(self, soql: str) -> int:
        """Return what a `SELECT COUNT()` counts."""
        return int(self._call(lambda sf: sf.query(soql))["totalSize"])

    def describe(self, name: str) -> dict[str, Any]:
        """Return the description of one object."""
        found: dict[str, Any] = self.rest("GET", f"sobjects/{name}/describe")
        return found

    def bulk(self, soql: str, *, deleted: bool = False) -> Iterator[list[dict[str, str | None]]]:
        """Yield the records that *soql* finds through Bulk API 2.0, a page of at most 50,000 at a time, as text."""
        body = {"operation": "queryAll" if deleted else "query", "query": soql}
        job = self._call(lambda sf: _sent(sf, "POST", "jobs/query", body)).json()
        wait = 20
        while (state := self.rest("GET", f"jobs/query/{job['id']}")["state"]) != "JobComplete":
            if state in ("Failed", "Aborted"):
                raise QueryRefused(f"the bulk query was {state.casefold()}", code="BULK_FAILED")
            self._wait(wait)
            wait = min(5_000, wait * 2)
        locator = ""
        while locator != "null":
            suffix = f"&locator={locator}" if locator else ""
            path = f"jobs/query/{job['id']}/results?maxRecords={BULK_PAGE}{suffix}"
            answer = self._call(lambda sf, path=path: _sent(sf, "GET", path, None))  # type: ignore[misc]
            locator = answer.headers.get("Sforce-Locator", "null")
            reader = csv.DictReader(io.StringIO(answer.content.decode("utf-8").replace("\x00", "")))
            yield [{key: value or None for key, value in row.items()} for row in reader]
        self.rest("DELETE", f"jobs/query/{job['id']}")

    # Writing

    def composite(self, parts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return the answers to *parts*, of which all were done or none; raise the error of the one that failed."""
        body = {"allOrNone": True, "compositeRequest": list(parts)}
        answers: list[dict[str, Any]] = self.rest("POST", "composite", body)["compositeResponse"]
        for answer in answers:
            if answer["httpStatusCode"] >= 400 and _code(answer["body"]) != "PROCESSING_HALTED":
                raise _typed(answer["httpStatusCode"], answer["body"], write=True)
        if any(answer["httpStatusCode"] >= 400 for answer in answers):
            raise Unreachable("the request was rolled back, and no part of it says why", code="PROCESSING_HALTED")
        return answers

    def rest(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return what the resource at *path* (below the version) answers, None where it says nothing."""
        answer = self._call(lambda sf: _sent(sf, method, path, body), write=method != "GET")
        if not answer.content:
            return None
        try:
            return answer.json()
        except requests.JSONDecodeError as cause:
            raise Unreachable(f"the answer to {method} {path} is no JSON", status=answer.status_code) from cause

    def url(self, path: str) -> str:
        """Return *path* below the version as a part of a composite request names it."""
        return f"/services/data/v{self.connection.version}/{path}"

    def close(self) -> None:
        """Let go of every line."""
        self._http.close()

    # Inside

    def _call(self, ask: Callable[[Salesforce], T], *, write: bool = False) -> T:
        """Return what *ask* gets; a session that has ended is renewed once, and only once."""
        for attempt in (1, 2):
            found = self._salesforce()
            try:
                return ask(found)
            except VendorError as cause:
                error = _typed(cause.status, cause.content, write=write)
                if isinstance(error, SessionExpired) and attempt == 1 and way_in(self.connection) != "session":
                    self.refresh(str(found.session_id))
                    continue
                raise error from cause
            except (requests.RequestException, KeyError, ValueError) as cause:
                _unreachable(cause)
        raise AssertionError("the second attempt returns or raises")

    def _salesforce(self) -> Salesforce:
        found = self._found
        if found is not None:
            return found
        with self._lock:
            return self._found or self._log_in()

    def _log_in(self) -> Salesforce:
        """Return the library's client on a new session; it never refreshes by itself, as it has no credentials."""
        c = self.connection
        if way_in(c) == "session":
            session, instance = c.session_id, urlsplit(c.instance_url).netloc
        else:
            try:
                session, instance = SalesforceLogin(**self._credentials(), session=self._http)
            except SalesforceAuthenticationFailed as cause:
                if isinstance(cause.code, int) and cause.code >= 500:
                    raise Unreachable(f"the login page answers {cause.code}", status=cause.code) from cause
                raise LoginRefused(
                    f"the login was refused: {cause.auth_message}", code=str(cause.code or "")
                ) from cause
            except (requests.RequestException, ValueError, AttributeError) as cause:
                _unreachable(cause)
        self.logins += 1
        self._found = Salesforce(
            session_id=session, instance_url=f"https://{instance}", session=self._http, version=c.version
        )
        return self._found

    def _credentials(self) -> dict[str, Any]:
        c = self.connection
        domain = c.domain or "login"
        match way_in(c):
            case "soap":
                return {
                    "username": c.username, "password": c.password, "security_token": c.security_token,
                    "domain": domain,
                    "sf_version": c.version,
                }  # fmt: skip
            case "oauth":
                return {
                    "username": c.username, "password": c.password + c.security_token, "consumer_key": c.consumer_key,
                    "consumer_secret": c.consumer_secret, "domain": domain,
                }  # fmt: skip
            case "jwt":
                return {
                    "username": c.username, "consumer_key": c.consumer_key, "privatekey_file": c.private_key,
                    "domain": domain,
                }  # fmt: skip
        # The library takes client credentials on a My Domain only; the transport knows where that is.
        named = domain if domain not in ("login", "test") else "instance"
        return {"consumer_key": c.consumer_key, "consumer_secret": c.consumer_secret, "domain": named}

    def _get_json(self, url: str) -> dict[str, Any]:
        answer = self._call(lambda sf: _sent(sf, "GET", url, None))
        found: dict[str, Any] = answer.json()
        return found


def _sent(sf: Salesforce, method: str, path: str, body: Mapping[str, Any] | None) -> requests.Response:
    """Send through the library, whose errors carry what the server said."""
    url = path if path.startswith("https://") else f"{sf.base_url}{path}"
    given: dict[str, Any] = {} if body is None else {"json": body}
    return sf._call_salesforce(method, url, name=path, **given)


def _plain(record: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _plain(value) if isinstance(value, Mapping) else value
        for key, value in record.items()
        if key != "attributes"
    }


def _first(content: Any) -> Mapping[str, Any]:
    found = content[0] if isinstance(content, list) and content else content
    return found if isinstance(found, Mapping) else {}


def _code(content: Any) -> str:
    found = _first(content)
    return str(found.get("errorCode") or found.get("statusCode") or found.get("error") or "")


def _typed(status: int, content: Any, *, write: bool) -> SalesforceError:
    """Return the error that the server's answer amounts to, with its words."""
    first, code = _first(content), _code(content)
    said = first.get("message") or first.get("error_description") or ""
    text = f"{code}: {said}" if code and said else code or f"HTTP {status} without a word of why"
    kind = _BY_CODE.get(code)
    if kind is QueryRefused and write:
        kind = WriteRefused
    if kind is None:
        by_status = {401: SessionExpired, 404: RecordGone, 429: LimitReached}
        kind = (
            Unreachable
            if status >= 500 or status < 400
            else by_status.get(status, WriteRefused if write else QueryRefused)
        )
    return kind(text, code=code, status=status, fields=first.get("fields") or ())


def _unreachable(cause: Exception) -> NoReturn:
    if isinstance(cause, requests.Timeout):
        raise Unreachable("no answer came in time", code="TIMEOUT") from cause
    if isinstance(cause, requests.exceptions.SSLError):
        raise Unreachable("its certificate is not trusted here: set ca_bundle", code="CERTIFICATE") from cause
    if isinstance(cause, requests.RequestException):
        raise Unreachable("the line was cut, or nobody listens there", code="CONNECTION") from cause
    raise Unreachable("the answer is none that Salesforce gives", code="MALFORMED") from cause
