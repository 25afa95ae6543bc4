"""Every route in one table: what it is called, who may ask, what goes in and out. Application and OpenAPI follow it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from msgspec import Struct

from triage.api import handout, reading, shapes, writing
from triage.api.desk import Call
from triage.api.problems import Refused
from triage.domain.instant import parse_instant
from triage.errors import IntakeError

Kind = Literal["text", "integer", "flag", "instant"]
MOST = 1_000
"""The longest page."""


class Param(Struct, frozen=True, kw_only=True):
    """One query parameter: its kind, what stands for it where it is left out, and what it is for."""

    name: str
    kind: Kind = "text"
    default: Any = ""
    text: str = ""

    def read(self, raw: str) -> Any:
        """Return the value that *raw* tells; refuse with 422 where it is none of its kind."""
        if self.kind == "flag":
            if raw not in ("true", "false"):
                raise Refused(422, f"{self.name} must be true or false")
            return raw == "true"
        if self.kind == "integer":
            if not (raw.isascii() and raw.isdigit() and 1 <= int(raw[:6]) <= MOST and len(raw) <= 6):
                raise Refused(422, f"{self.name} must be a whole number from 1 to {MOST}")
            return int(raw)
        if self.kind == "instant":
            try:
                parse_instant(raw)
            except IntakeError as cause:
                raise Refused(422, f"{self.name}: {cause.reason}") from cause
        elif len(raw) > 200 or not raw.isprintable():
            raise Refused(422, f"{self.name} must be text of at most 200 characters")
        return raw


class Route(Struct, frozen=True, kw_only=True):
    """One operation. `scope` "" is open to everybody; `expected` are statuses beside the usual ones."""

    method: Literal["GET", "POST", "PUT"]
    path: str
    name: str
    summary: str
    scope: str
    handler: Callable[[Call, Any], Any]
    answer: type
    body: type | None = None
    params: tuple[Param, ...] = ()
    example: Mapping[str, Any] | None = None
    shown: Mapping[str, Any] | None = None
    expected: tuple[int, ...] = ()


OBJECT = Param(name="object", text="The object's API name, where an id alone does not tell.")
CURSOR = Param(name="cursor", text="`next` of the page before.")
LIMIT = Param(name="limit", kind="integer", default=100, text=f"At most so many, up to {MOST}.")
AT = Param(name="at", kind="instant", default=None, text="As of this instant instead of now.")

_CASE = {"Id": "500A", "Subject": "Portal is down", "Priority": "High", "Status": "New",
         "CreatedDate": "2026-01-12T09:00:00Z"}  # fmt: skip
_TEXTS = {
    "rules.yaml": "object: Case\nrules:\n  - id: old\n    when: [age >= 3h]\n    do: [{reprioritise: {raise: 1}}]\n"
}

ROUTES: tuple[Route, ...] = (
    Route(
        method="POST", path="/v1/score", name="score", scope="score", handler=writing.score, body=shapes.ScoreRequest,
        answer=shapes.ScoreAnswer, summary="Score up to 1,000 records: urgency, lead value, sentiment",
        example={"object": "Case", "records": [_CASE], "scores": ["urgency"]}, expected=(409, 503),
    ),
    Route(
        method="POST", path="/v1/decide", name="decide", scope="score", handler=writing.decide,
        body=shapes.DecideRequest, answer=shapes.DecideAnswer, expected=(503,),
        summary="Say which rules match at an instant and what they would do, without doing it",
        example={"object": "Case", "record": _CASE, "at": "2026-01-12T15:00:00Z"},
    ),
    Route(
        method="POST", path="/v1/events", name="takeEvents", scope="operate", handler=writing.events,
        body=shapes.EventsRequest, answer=shapes.EventsAnswer, expected=(409, 503),
        summary="Take in events of any system; the same id of one source counts once",
        example={
            "source": "crm",
            "events": [{"at": "2026-01-12T09:00:00Z", "type": "created", "object": "Case", "id": "500A",
                        "changes": {"Priority": "High", "Status": "New"}}],
        },
    ),
    Route(
        method="GET", path="/v1/items", name="listItems", scope="read", handler=reading.items,
        answer=shapes.ItemsPage, summary="List records by key",
        params=(CURSOR, LIMIT, OBJECT, Param(name="open", kind="flag", default=False, text="Only open ones.")),
    ),
    Route(
        method="GET", path="/v1/items/{id}", name="getItem", scope="read", handler=reading.item,
        answer=shapes.ItemDetail, params=(OBJECT, AT), expected=(404, 503),
        summary="Show one record: timeline, scores over time, promises with every hour counted",
    ),
    Route(
        method="POST", path="/v1/items/{id}/override", name="overrideItem", scope="operate",
        handler=writing.override, body=shapes.OverrideRequest, answer=shapes.OverrideAnswer, params=(OBJECT,),
        summary="Pull back, hold, reroute or release one record; who and why are logged on it",
        example={"action": "hold", "until": "2999-01-01T00:00:00Z", "reason": "agreed with the customer"},
        expected=(404, 409, 503),
    ),
    Route(
        method="GET", path="/v1/pending", name="listPending", scope="read", handler=reading.pending,
        answer=shapes.PendingPage, params=(CURSOR, LIMIT), 
        summary="Say what will fire next: which record, when, and why",
    ),
    Route(
        method="GET", path="/v1/audit", name="listAudit", scope="read", handler=reading.audit,
        answer=shapes.AuditPage, summary="Read the append-only log; as CSV or JSON lines where Accept asks for it",
        params=(
            CURSOR, LIMIT, OBJECT,
            Param(name="record", text="Only of this record."),
            Param(name="event", text="Only this kind of line, such as done."),
            Param(name="key", text="Only of the action with this key."),
            Param(name="verify", kind="flag", default=False, text="Check every hash chain as well."),
        ),
        expected=(404,),
    ),
    Route(
        method="GET", path="/v1/agents", name="listAgents", scope="read", handler=reading.agents,
        answer=shapes.AgentsAnswer, summary="List the people who can own work",
    ),
    Route(
        method="PUT", path="/v1/agents", name="putAgents", scope="operate", handler=writing.put_agents,
        body=shapes.AgentsRequest, answer=shapes.AgentsAnswer, summary="Add or change people who can own work",
        example={"agents": [{"id": "005A", "changes": {"name": "Ada", "presence": "online", "capacity": 6}}]},
        expected=(409, 503),
    ),
    Route(
        method="POST", path="/v1/agents/{id}/next", name="nextItem", scope="operate", handler=handout.next_item,
        body=shapes.NextRequest, answer=shapes.NextAnswer, expected=(404, 409, 503),
        summary="Hand out the one item to work on next; skip one with a reason", example={"skip": "", "reason": ""},
    ),
    Route(
        method="GET", path="/v1/rules", name="getRules", scope="read", handler=reading.rules,
        answer=shapes.RulesAnswer, params=(Param(name="version", text="An earlier version, by its digest."),),
        summary="Read the policy in force, or an earlier version", expected=(404,),
    ),
    Route(
        method="POST", path="/v1/rules/check", name="checkRules", scope="score", handler=writing.check_rules,
        body=shapes.CheckRequest, answer=shapes.CheckAnswer, example={"texts": _TEXTS},
        summary="Check policy files: every fault with its line, then what can never hold",
    ),
    Route(
        method="PUT", path="/v1/rules", name="putRules", scope="admin", handler=writing.put_rules,
        body=shapes.PutRulesRequest, answer=shapes.PutRulesAnswer, expected=(409, 503),
        summary="Publish policy files in place of the version that is expected to be in force",
        example={"texts": _TEXTS, "expected": "", "reason": "first rules"},
    ),
    Route(
        method="GET", path="/v1/models", name="listModels", scope="read", handler=reading.models,
        answer=shapes.ModelsAnswer, summary="List the models and which version gives scores",
    ),
    Route(
        method="POST", path="/v1/models/{name}/promote", name="promoteModel", scope="admin",
        handler=writing.promote_model, body=shapes.PromoteRequest, answer=shapes.ModelsAnswer,
        summary="Let a version give scores, where the promotion gate lets it", expected=(404, 409, 503),
        example={"version": "2026-01-12", "reason": "better on every segment"},
    ),
    Route(
        method="GET", path="/v1/llm/usage", name="getLlmUsage", scope="read", handler=reading.usage,
        answer=shapes.UsageAnswer, summary="Say what language models have cost, and what is left of the budgets",
    ),
    Route(
        method="GET", path="/healthz", name="health", scope="", handler=reading.alive, answer=shapes.Alive,
        summary="Say that this process answers",
    ),
    Route(
        method="GET", path="/readyz", name="readiness", scope="", handler=reading.ready, answer=shapes.Ready,
        summary="Say whether requests can be answered", expected=(503,),
    ),
)  # fmt: skip
