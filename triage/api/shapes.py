"""What requests and answers look like. Instants are text with a zone, amounts seconds, scores as the rules see them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

Name = Annotated[str, Meta(min_length=1, max_length=80, pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Identity = Annotated[str, Meta(min_length=1, max_length=120, pattern=r"^[A-Za-z0-9._:@-]+$")]
Instant = Annotated[str, Meta(max_length=40, extra_json_schema={"format": "date-time"})]
Reason = Annotated[str, Meta(min_length=1, max_length=500)]
Family = Literal["urgency", "lead", "sentiment", "complexity", "language", "intent", "product_line"]
Fields = Annotated[dict[str, Any], Meta(min_length=1, max_length=500, description="One record by its CRM field names.")]


class ScoreRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    Records of one object to score.

    `llm` true asks the language model about what the policy in force names it for, within the policy's budgets and one
    deadline for the whole request; what it does not answer has its local score, and `reasons.llm` says why.
    """

    records: Annotated[list[Fields], Meta(min_length=1, max_length=1000)]
    object: Name = "Case"
    scores: Annotated[list[Family], Meta(max_length=7, description="Only these; none: all that fit the object.")] = []
    at: Instant | None = None
    llm: Annotated[bool, Meta(description="Ask the language model where the policy names one; false: never.")] = True
    model_versions: Annotated[dict[str, str], Meta(description="Score family to the version that must give it.")] = {}


class ScoreResult(Struct, frozen=True, kw_only=True):
    """
    One record's scores.

    `used`, `missing` and `ignored` say what became of its fields, by the models that were asked.
    """

    id: str
    scores: dict[str, Any]
    reasons: dict[str, tuple[str, ...]]
    model_versions: dict[str, str]
    used: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()


class ScoreAnswer(Struct, frozen=True, kw_only=True):
    """Scores in the order of the records, and how long they took (ms)."""

    results: list[ScoreResult]
    latency_ms: float


class DecideRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One record by CRM field names, or the events of one record; nothing is stored and nothing is done."""

    record: Fields | None = None
    events: Annotated[list[dict[str, Any]], Meta(max_length=1000)] = []
    object: Name = "Case"
    at: Instant | None = None


class PlannedAction(Struct, frozen=True, kw_only=True):
    """One action that a rule chooses, with the key that makes it happen once."""

    at: str
    due: str
    rule: str
    step: str
    action: str
    target: str
    status: str
    reason: str
    key: str


class DecideAnswer(Struct, frozen=True, kw_only=True):
    """What rules would have done by the instant asked for, and why nothing else: the same as `triage decide --json`."""

    actions: list[PlannedAction]
    explanation: dict[str, Any]


class EventsRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Events to take in; the same id of one source counts once."""

    events: Annotated[list[dict[str, Any]], Meta(min_length=1, max_length=1000)]
    source: Identity = "api"


class Refusal(Struct, frozen=True, kw_only=True):
    """One event that was refused: its place in the request from 1, and why."""

    line: int
    record: str
    reason: str


class EventsAnswer(Struct, frozen=True, kw_only=True):
    """What became of the events, all stored by now: accepted + repeated + refused = read."""

    read: int
    accepted: int
    repeated: int
    refused: int
    planned: int
    observed: int
    refusals: list[Refusal]


class Item(Struct, frozen=True, kw_only=True):
    """One record in short."""

    object: str
    id: str
    open: bool
    owner: str
    next_at: str | None
    why: str
    fields: dict[str, Any]


class ItemsPage(Struct, frozen=True, kw_only=True):
    """A page of records by key; `next` is the cursor of the next one."""

    items: list[Item]
    next: str | None = None


class ItemDetail(Struct, frozen=True, kw_only=True):
    """One record with its timeline, scores over time, promises with their ledgers, and what was done."""

    item: Item
    explanation: dict[str, Any]
    timeline: list[dict[str, Any]]
    scores: list[dict[str, Any]]
    actions: list[dict[str, Any]]


class PendingRow(Struct, frozen=True, kw_only=True):
    """What will fire: which record, when, and for which rule."""

    record: str
    due: str
    why: str
    owner: str


class PendingPage(Struct, frozen=True, kw_only=True):
    """The next timers, the earliest first; `next` is the cursor of the next page."""

    pending: list[PendingRow]
    next: str | None = None


class AuditLine(Struct, frozen=True, kw_only=True):
    """One line of the append-only log, with its own hash and that of the line before it in its chain."""

    seq: int
    at: str
    record: str
    event: str
    rule: str
    actor: str
    key: str
    body: dict[str, Any]
    hash: str
    prev: str


class AuditPage(Struct, frozen=True, kw_only=True):
    """A page of the audit; `verified` where it was asked for: does every chain still verify?"""

    lines: list[AuditLine]
    next: str | None = None
    verified: bool | None = None


class OverrideRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A manager's word on one record."""

    action: Literal["pull_back", "hold", "reroute", "release"]
    reason: Reason
    until: Instant | None = None
    rules: Annotated[list[Identity], Meta(max_length=100)] = []
    to: Annotated[str, Meta(max_length=120)] = ""


class OverrideAnswer(Struct, frozen=True, kw_only=True):
    """What the override set going."""

    record: str
    action: str
    planned: int


class AgentShape(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who can own work; what is left out stays as it is."""

    id: Identity
    changes: dict[str, Any] = field(default_factory=dict)


class AgentsRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Agents to add or change."""

    agents: Annotated[list[AgentShape], Meta(min_length=1, max_length=1000)]


class AgentsAnswer(Struct, frozen=True, kw_only=True):
    """All agents as they are known now."""

    agents: list[dict[str, Any]]


class NextRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who asks for their next item; `skip` names one (OBJECT/ID) that they will not take, and `reason` says why."""

    skip: Annotated[str, Meta(max_length=240, description="A record of their queue, as OBJECT/ID.")] = ""
    reason: Annotated[str, Meta(max_length=500, description="Needed with `skip`; kept in the audit.")] = ""


class NextAnswer(Struct, frozen=True, kw_only=True):
    """
    What to work on next; `record` is null where there is nothing.

    `own` says that it was the person's already; else it has just been given to them. `why` is its rank in words, and
    `passed` names what stands higher and why it was passed over.
    """

    agent: str
    record: str | None
    own: bool
    rank: float | None
    why: str
    passed: list[str]


class RulesAnswer(Struct, frozen=True, kw_only=True):
    """The policy in force: its version (digest), files and how far each rule may go."""

    version: str
    published: str
    by: str
    texts: dict[str, str]
    modes: dict[str, str]
    versions: list[str]


Texts = Annotated[dict[str, str], Meta(min_length=1, max_length=500, description="File name to YAML text.")]


class CheckRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Policy files to look over."""

    texts: Texts


class Finding(Struct, frozen=True, kw_only=True):
    """A fault, or something that a rule set proves: where it stands, and what."""

    file: str
    line: int
    column: int
    text: str


class CheckAnswer(Struct, frozen=True, kw_only=True):
    """Whether the files can be published, every fault, and what the analysis found."""

    valid: bool
    faults: list[Finding]
    findings: list[dict[str, Any]]


class PutRulesRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Policy files to publish. `expected` is the version that they replace, "" where none is in force."""

    texts: Texts
    expected: Annotated[str, Meta(max_length=64)]
    reason: Reason
    confirm: Annotated[str, Meta(max_length=64, description="The digest that an answer 409 asked to confirm.")] = ""


class PutRulesAnswer(Struct, frozen=True, kw_only=True):
    """What publishing changed, and what the new rules hold on open records: backlog, released by hand only."""

    version: str
    previous: str
    added: list[str]
    changed: list[str]
    removed: list[str]
    woken: int
    would_act: dict[str, int]


class ModelShape(Struct, frozen=True, kw_only=True):
    """One model: its versions, and which of them gives scores now."""

    name: str
    champion: str
    versions: list[str]
    card: str = ""


class ModelsAnswer(Struct, frozen=True, kw_only=True):
    """All models."""

    models: list[ModelShape]


class PromoteRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which version is to give scores from now on."""

    version: Annotated[str, Meta(min_length=1, max_length=80)]
    reason: Reason
    acknowledge_volume: bool = False


class UsageAnswer(Struct, frozen=True, kw_only=True):
    """
    What language models have cost, by day and model, and what is left of the budgets, in micro-dollars.

    `report` adds the days up: cost of 1,000 records, of a month at this pace, and how often both models agree;
    `forecast` says what today will have cost by midnight UTC. Both are empty where no policy asks.
    """

    days: list[dict[str, Any]]
    budget: dict[str, Any]
    report: dict[str, Any] = {}
    forecast: dict[str, Any] = {}


class Ready(Struct, frozen=True, kw_only=True):
    """Whether requests can be answered, and what stands in the way."""

    ready: bool
    problems: list[str] = []


class Alive(Struct, frozen=True, kw_only=True):
    """This process answers."""

    status: Literal["ok"] = "ok"
