"""Errors as RFC 9457 says: one JSON object with a title, a status, what is wrong, and the request's id."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from triage.errors import (
    AccessError,
    ConfigError,
    IntakeError,
    ScoringError,
    StaleRecord,
    StoreError,
    TriageError,
)  # fmt: skip

MEDIA = "application/problem+json"

TITLES = {
    400: "The request cannot be read",
    401: "A key is needed",
    403: "This key may not do that",
    404: "There is no such thing",
    405: "This address does not do that",
    409: "The state is another one than the request expects",
    412: "The state is another one than the request expects",
    413: "The request is too long",
    415: "The body is not JSON",
    422: "The request cannot be carried out as it stands",
    428: "The request must say what it expects",
    429: "Too many requests",
    500: "Something went wrong here",
    503: "The store or a model cannot be used now",
}


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One error. `errors` names each fault of a body or a policy by its place; `request_id` is also in the log."""

    title: str
    status: int
    type: str = "about:blank"
    detail: str = ""
    request_id: str = ""
    errors: tuple[dict[str, Any], ...] = ()


class Refused(TriageError):
    """A request is answered with *status*; *headers* go with the answer."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: tuple[dict[str, Any], ...] = (),
        headers: dict[str, str] | None = None,
    ) -> None:
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}
        super().__init__(detail)


def refusal_of(cause: TriageError) -> Refused:
    """Return what an error of ours is for whoever asked; its class says which status, never its words."""
    if isinstance(cause, Refused):
        return cause
    if isinstance(cause, AccessError):
        return Refused(401, str(cause), headers={"WWW-Authenticate": "Bearer"})
    if isinstance(cause, ConfigError):
        faults = ({"file": f.file, "line": f.line, "column": f.column, "text": f.text} for f in cause.faults)
        return Refused(422, str(cause).splitlines()[0] if str(cause) else "", errors=tuple(faults))
    if isinstance(cause, StaleRecord):
        return Refused(409, str(cause))
    if isinstance(cause, IntakeError):
        return Refused(422, str(cause))
    if isinstance(cause, ScoringError | StoreError):
        return Refused(503, str(cause), headers={"Retry-After": "5"})
    return Refused(422, str(cause))


def problem_of(refused: Refused, request_id: str) -> Problem:
    """Return the body of the answer."""
    title = TITLES.get(refused.status, "The request was refused")
    return Problem(
        title=title, status=refused.status, detail=refused.detail, request_id=request_id, errors=refused.errors
    )
