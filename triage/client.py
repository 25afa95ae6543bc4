"""
The API from Python: one method for each operation, the same shapes as the server's, and its problems as one error.

    with Client("http://127.0.0.1:8080", key) as triage:
        triage.score([{"Id": "500A", "Priority": "High"}], scores=["urgency"]).results[0].scores
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
import msgspec

from triage.api import shapes
from triage.api.problems import MEDIA, Problem
from triage.errors import TriageError

Answer = TypeVar("Answer")
_BUSY = (429, 503)
_LONGEST_WAIT = 30


class ApiError(TriageError):
    """The server refused a request, or could not be reached; `problem` is what it said, None where it said nothing."""

    def __init__(self, text: str, problem: Problem | None = None) -> None:
        self.problem = problem
        super().__init__(text)


class Client:
    """A connection to one server with one key. Threads may share it."""

    def __init__(self, address: str, key: str, *, timeout: float = 30.0, attempts: int = 3) -> None:
        """
        Connect to *address* with *key*.

        Args:
            timeout: Seconds for one answer.
            attempts: How often a request is sent while the server says that it is busy. Writes bear a key of their
                own, so that one sent twice is carried out once.
        """
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx.Client(base_url=address, headers=headers, timeout=timeout)
        self._attempts = attempts

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()

    def score(
        self,
        records: Sequence[Mapping[str, Any]],
        *,
        object: str = "Case",
        scores: Sequence[str] = (),
        at: str | None = None,
        llm: bool = True,
        model_versions: Mapping[str, str] | None = None,
    ) -> shapes.ScoreAnswer:
        """Return the scores of up to 1,000 *records*, in order; *llm* false: by local models alone."""
        body = {"records": records, "object": object, "scores": scores, "at": at, "llm": llm}
        return self._write("POST", "/v1/score", body | {"model_versions": model_versions or {}}, shapes.ScoreAnswer)

    def decide(self, record: Mapping[str, Any], *, object: str = "Case", at: str | None = None) -> shapes.DecideAnswer:
        """Return what rules would have done with *record* by *at*; nothing is done."""
        return self._write("POST", "/v1/decide", {"record": record, "object": object, "at": at}, shapes.DecideAnswer)

    def send(self, events: Sequence[Mapping[str, Any]], *, source: str = "api") -> shapes.EventsAnswer:
        """Hand in up to 1,000 *events*; they are stored when this comes back."""
        return self._write("POST", "/v1/events", {"events": events, "source": source}, shapes.EventsAnswer)

    def items(self, *, object: str = "", open: bool = False) -> Iterator[shapes.Item]:
        """Yield every record, page by page."""
        cursor: str | None = ""
        while cursor is not None:
            given = {"cursor": cursor, "object": object, "open": str(open).lower()}
            page = self._read("/v1/items", given, shapes.ItemsPage)
            yield from page.items
            cursor = page.next

    def item(self, id: str, *, object: str = "", at: str | None = None) -> shapes.ItemDetail:
        """Return everything about one record."""
        return self._read(f"/v1/items/{id}", {"object": object, "at": at}, shapes.ItemDetail)

    def pending(self, *, limit: int = 100) -> list[shapes.PendingRow]:
        """Return what will fire next, at most *limit* of 1,000."""
        return self._read("/v1/pending", {"limit": limit}, shapes.PendingPage).pending

    def audit(self, *, record: str = "", event: str = "") -> Iterator[shapes.AuditLine]:
        """Yield every line of the audit, page by page."""
        cursor: str | None = ""
        while cursor is not None:
            page = self._read("/v1/audit", {"cursor": cursor, "record": record, "event": event}, shapes.AuditPage)
            yield from page.lines
            cursor = page.next

    def override(
        self, id: str, action: str, reason: str, *, object: str = "", until: str | None = None, to: str = "",
        rules: Sequence[str] = (),
    ) -> shapes.OverrideAnswer:  # fmt: skip
        """Put a manager's word on one record: pull_back, hold, reroute or release."""
        body = {"action": action, "reason": reason, "until": until, "to": to, "rules": rules}
        return self._write("POST", f"/v1/items/{id}/override", body, shapes.OverrideAnswer, {"object": object})

    def agents(self) -> list[dict[str, Any]]:
        """Return all agents."""
        return self._read("/v1/agents", {}, shapes.AgentsAnswer).agents

    def put_agents(self, agents: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Add or change *agents*, by id; return all."""
        body = {"agents": [{"id": name, "changes": changes} for name, changes in agents.items()]}
        return self._write("PUT", "/v1/agents", body, shapes.AgentsAnswer).agents

    def next_item(self, agent: str, *, skip: str = "", reason: str = "") -> shapes.NextAnswer:
        """Return what *agent* is to work on next, given to them now; *skip* one (OBJECT/ID) with a *reason*."""
        body = {"skip": skip, "reason": reason}
        return self._write("POST", f"/v1/agents/{agent}/next", body, shapes.NextAnswer)

    def rules(self, version: str = "") -> shapes.RulesAnswer:
        """Return the policy in force, or an earlier version."""
        return self._read("/v1/rules", {"version": version}, shapes.RulesAnswer)

    def check_rules(self, texts: Mapping[str, str]) -> shapes.CheckAnswer:
        """Return every fault of policy files."""
        return self._write("POST", "/v1/rules/check", {"texts": texts}, shapes.CheckAnswer)

    def put_rules(
        self, texts: Mapping[str, str], *, expected: str, reason: str, confirm: str = ""
    ) -> shapes.PutRulesAnswer:
        """Publish policy files in place of version *expected*."""
        body = {"texts": texts, "expected": expected, "reason": reason, "confirm": confirm}
        return self._write("PUT", "/v1/rules", body, shapes.PutRulesAnswer)

    def models(self) -> list[shapes.ModelShape]:
        """Return the models, and which versions give scores."""
        return self._read("/v1/models", {}, shapes.ModelsAnswer).models

    def promote(
        self, name: str, version: str, reason: str, *, acknowledge_volume: bool = False
    ) -> list[shapes.ModelShape]:
        """Let *version* give scores."""
        body = {"version": version, "reason": reason, "acknowledge_volume": acknowledge_volume}
        return self._write("POST", f"/v1/models/{name}/promote", body, shapes.ModelsAnswer).models

    def llm_usage(self) -> shapes.UsageAnswer:
        """Return what language models have cost."""
        return self._read("/v1/llm/usage", {}, shapes.UsageAnswer)

    def _read(self, path: str, query: Mapping[str, Any], kind: type[Answer]) -> Answer:
        given = {name: value for name, value in query.items() if value not in ("", None)}
        return self._ask("GET", path, kind, params=given)

    def _write(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any],
        kind: type[Answer],
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        headers = {"Content-Type": "application/json", "Idempotency-Key": secrets.token_hex(16)}
        params = {name: value for name, value in (query or {}).items() if value}
        return self._ask(method, path, kind, params=params, content=msgspec.json.encode(body), headers=headers)

    def _ask(self, method: str, path: str, kind: type[Answer], **given: Any) -> Answer:
        for attempt in range(1, self._attempts + 1):
            try:
                found = self._http.request(method, path, **given)
            except httpx.HTTPError as cause:
                if attempt == self._attempts:
                    raise ApiError(f"{method} {path}: {type(cause).__name__}: {cause}") from cause
                continue
            if found.status_code not in _BUSY or attempt == self._attempts:
                return _read(found, f"{method} {path}", kind)
            time.sleep(min(_LONGEST_WAIT, int(found.headers.get("retry-after", "1"))))
        raise ApiError(f"{method} {path} was not sent")


def _read(found: httpx.Response, what: str, kind: type[Answer]) -> Answer:
    if found.is_success:
        return msgspec.json.decode(found.content, type=kind)
    if found.headers.get("content-type", "").startswith(MEDIA):
        problem = msgspec.json.decode(found.content, type=Problem)
        raise ApiError(f"{what}: {problem.status} {problem.title}: {problem.detail}", problem)
    raise ApiError(f"{what}: {found.status_code}")
