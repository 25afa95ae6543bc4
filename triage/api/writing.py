"""Handlers that score, decide dry, take events in and steer."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from triage.api import shapes
from triage.api.desk import Call, not_found
from triage.api.problems import Refused
from triage.api.reading import agents as all_agents
from triage.api.reading import record_of
from triage.config import load_policy
from triage.domain.instant import format_instant
from triage.domain.schema import ObjectSpec
from triage.domain.work import Event, Scores, WorkItem
from triage.errors import ConfigError, IntakeError
from triage.explain import explain
from triage.intake.event import parse_event
from triage.pipeline import decide as decide_facts
from triage.policy import Policy, compile_policy
from triage.publishing import next_modes, publish
from triage.replay.dry import dry_run, events_of
from triage.rules.analysis import analyse
from triage.rules.llm_policy import LlmPolicy
from triage.scored import opened, rounded
from triage.taken import Ingested
from triage.wording import reason_text

LOOKED_AT = 5_000
"""How many open records are decided to say what new rules would do."""

_IDS = ("Id", "id", "ID", "LeadNumber", "CaseNumber")


def score(call: Call, body: shapes.ScoreRequest) -> shapes.ScoreAnswer:
    """Return calibrated scores with their reasons. Nothing is stored but a language model's cost and answer."""
    scorer = call.desk.scorer
    if scorer is None:
        raise Refused(503, "no models are loaded: name their folder with TRIAGE_MODELS", headers={"Retry-After": "60"})
    now = call.instant(body.at)
    begun = call.desk.ticks()
    spec = call.desk.spec(call.org, body.object)
    items = [_opened(record, body.object, number, now, spec) for number, record in enumerate(body.records)]
    llm = call.desk.llm(call.org, body.object, body.scores) if body.llm else None
    if llm is not None and call.desk.asking is not None:
        found = call.desk.asking(call.store).score(items, now, body.scores, at_once=True)
    else:
        found = scorer.score(items, now, body.scores)
    given = [rounded(scores) for scores in found]
    _pinned(body.model_versions, given)
    known = _Known(call, _sent(llm, body.object, spec))
    results = [
        known.scored(item, record, one) for (item, _), record, one in zip(items, body.records, given, strict=True)
    ]
    if not any(one.used for one in results) and any(one.ignored for one in results):
        raise Refused(422, f"no field is known to the models: {', '.join(results[0].ignored[:10])}")
    return shapes.ScoreAnswer(results=results, latency_ms=round(call.desk.ticks() - begun, 3))


def _opened(
    record: Mapping[str, Any], object_name: str, number: int, now: int, spec: ObjectSpec | None
) -> tuple[WorkItem, tuple[Event, ...]]:
    for name, value in record.items():
        if name == "attributes":
            continue
        if isinstance(value, dict) or (isinstance(value, list) and not all(isinstance(one, str) for one in value)):
            raise Refused(
                422, f"record {number + 1}: {name} must be text, a number, true, false, null or a list of text"
            )
    identity = next((str(record[name]) for name in _IDS if record.get(name) is not None), str(number + 1))
    created = record.get("CreatedDate")
    born = now if not isinstance(created, str) else min(now, _created(created, number))
    return opened(object_name, identity[:120], born, record, spec, now)


def _created(text: str, number: int) -> int:
    from triage.intake.instants import read_instant

    try:
        return read_instant(text, zone="UTC")
    except IntakeError as cause:
        raise Refused(422, f"record {number + 1}: CreatedDate: {cause.reason}") from cause


def _pinned(wanted: Mapping[str, str], given: Sequence[Scores]) -> None:
    for family, version in wanted.items():
        held = next((one.model_versions[family] for one in given if family in one.model_versions), None)
        if held != version:
            raise Refused(409, f"{family} is scored by {held or 'no model'}, not by {version}")


def _sent(llm: LlmPolicy | None, object_name: str, spec: ObjectSpec | None) -> frozenset[str]:
    """Return the CRM names of the fields that the language model may see."""
    if llm is None or spec is None:
        return frozenset()
    names = llm.fields.get(object_name, ())
    wanted = {*names, "subject", "description"} if "text" in names else set(names)
    return frozenset(field.source for field in spec.fields if field.name in wanted)


class _Known:
    """What became of the fields of each record of one request; *sent* are those that a language model may see."""

    def __init__(self, call: Call, sent: frozenset[str] = frozenset()) -> None:
        self._models = call.desk.models
        self._sent = sent
        self._fields: dict[tuple[str, ...], frozenset[str]] = {}

    def scored(self, item: WorkItem, record: Mapping[str, Any], scores: Scores) -> shapes.ScoreResult:
        known = self._known(tuple(scores.model_versions))
        told = {name for name, value in record.items() if value is not None and name != "attributes"}
        return shapes.ScoreResult(
            id=item.id, scores=dict(scores.values), reasons=scores.reasons, model_versions=scores.model_versions,
            used=tuple(sorted(known & told)), missing=tuple(sorted(known - told)),
            ignored=tuple(sorted(told - known)) if known else (),
        )  # fmt: skip

    def _known(self, families: tuple[str, ...]) -> frozenset[str]:
        if families not in self._fields:
            models = self._models
            # What a model beside the one in charge says is told under a name of its own, and reads nothing.
            own = [family for family in families if "." not in family]
            each = () if models is None else (models.fields(family) for family in own)
            self._fields[families] = self._sent.union(*each)
        return self._fields[families]


def decide(call: Call, body: shapes.DecideRequest) -> shapes.DecideAnswer:
    """Return what rules would have done by the instant asked for; nothing is stored."""
    if (body.record is None) == (not body.events):
        raise Refused(422, "name either record or events")
    policy, at = call.desk.virtual(call.org), call.instant(body.at)
    if body.record is not None:
        events = events_of(json.dumps(body.record), body.object, policy, name="record")
    else:
        events = sorted((parse_event(event) for event in body.events), key=lambda event: event.at)
    facts, decisions = dry_run(events, policy, at)
    rows = [
        shapes.PlannedAction(
            at=format_instant(one.at), due=format_instant(one.due), rule=one.rule, step=one.step, action=one.kind,
            target=one.target, status=one.status, reason=reason_text(one.reason), key=one.key,
        )
        for decision in decisions
        for one in decision.actions
    ]  # fmt: skip
    return shapes.DecideAnswer(actions=rows, explanation=msgspec.to_builtins(explain(facts, policy, at)))


def events(call: Call, body: shapes.EventsRequest) -> shapes.EventsAnswer:
    """Take events in; the answer comes once all are stored or refused."""
    return _taken(call.desk.door(call.org).take(body.events, body.source, call.now))


def _taken(found: Ingested) -> shapes.EventsAnswer:
    refusals = [shapes.Refusal(line=one.line, record=one.record, reason=one.reason) for one in found.refusals]
    return shapes.EventsAnswer(
        read=found.read, accepted=found.accepted, repeated=found.repeated, refused=found.refused,
        planned=found.planned, observed=found.observed, refusals=refusals,
    )  # fmt: skip


def override(call: Call, body: shapes.OverrideRequest) -> shapes.OverrideAnswer:
    """Put a manager's word on one record: pull back, hold, reroute or release."""
    if body.action == "reroute" and not body.to:
        raise Refused(422, "reroute needs `to`: a user's id, or queue:NAME")
    with call.store.read() as unit:
        record = record_of(unit, call.path["id"], call.query["object"])
    until = None if body.until is None else call.instant(body.until)
    if until is not None and until <= call.now:
        raise Refused(422, f"{body.until} has passed")
    item = record.facts.item
    event = Event(
        at=call.now, type="override", event_id=f"override:{record.key}:{call.now}", object=item.object, id=item.id,
        action=body.action, until=until, rules=tuple(body.rules) or ("*",), reason=body.reason, actor=call.actor,
        to=body.to,
    )  # fmt: skip
    found = call.desk.door(call.org).take([event], "api", call.now, live_from=0)
    if found.refused:
        raise Refused(422, found.refusals[0].reason)
    return shapes.OverrideAnswer(record=record.key, action=body.action, planned=found.planned)


def put_agents(call: Call, body: shapes.AgentsRequest) -> shapes.AgentsAnswer:
    """Add or change agents, all of them or none."""
    made = []
    for agent in body.agents:
        identity = hashlib.sha256(msgspec.json.encode([agent, call.now], order="sorted")).hexdigest()
        raw = {"at": format_instant(call.now), "type": "agent", "id": agent.id, "changes": agent.changes}
        made.append(parse_event(raw | {"event_id": f"agent:{identity}", "actor": call.actor}))
    found = call.desk.door(call.org).take(made, "api", call.now, live_from=0)
    if found.refused:
        faults = tuple({"agent": one.record, "text": one.reason} for one in found.refusals)
        raise Refused(422, f"{found.refused} agents were refused", errors=faults)
    return all_agents(call, None)


def check_rules(call: Call, body: shapes.CheckRequest) -> shapes.CheckAnswer:
    """Look policy files over: every fault, then what the analysis proves."""
    try:
        document = load_policy(body.texts)
        compile_policy(document)
    except ConfigError as cause:
        faults = [shapes.Finding(file=f.file, line=f.line, column=f.column, text=f.text) for f in cause.faults]
        unplaced = [shapes.Finding(file="", line=0, column=0, text=str(cause))]
        return shapes.CheckAnswer(valid=False, faults=faults or unplaced, findings=[])
    return shapes.CheckAnswer(valid=True, faults=[], findings=[msgspec.to_builtins(one) for one in analyse(document)])


def put_rules(call: Call, body: shapes.PutRulesRequest) -> shapes.PutRulesAnswer:
    """
    Publish policy files. New and changed rules act on nothing that is already true: it becomes backlog.

    Where more would become backlog than the cap of the organisation lets go in five minutes, the digest in the refusal
    has to be sent back as `confirm`.
    """
    engine = call.desk.engine
    with call.store.read() as unit:
        live = unit.policies.live()
        held = "" if live is None else live.digest
    if held != body.expected:
        raise Refused(409, f"the version in force is {held or 'none'}: look at it, then send it as expected")
    modes = next_modes(live, dict(engine.outlines(body.texts)), call.now)
    policy = engine.compile(body.texts, modes, virtual=True)
    waiting = _would_act(call, policy, {name for name, mode in modes.items() if mode.live_since == call.now})
    digest = hashlib.sha256(msgspec.json.encode([body.texts, held, waiting], order="sorted")).hexdigest()
    cap = policy.safety.organisation.per_5_minutes
    if cap and sum(waiting.values()) > cap and body.confirm != digest:
        fault = {"confirm": digest, "would_act": waiting, "cap": cap}
        raise Refused(409, f"{sum(waiting.values())} actions are true already: send confirm to go on", errors=(fault,))
    done = publish(call.store, engine, body.texts, call.now, actor=call.actor, reason=body.reason)
    call.desk.published(call.org)
    return shapes.PutRulesAnswer(
        version=done.digest, previous=done.previous, added=list(done.added), changed=list(done.changed),
        removed=list(done.removed), woken=done.woken, would_act=waiting,
    )  # fmt: skip


def _would_act(call: Call, policy: Policy, rules: set[str]) -> dict[str, int]:
    """Count what *rules* hold on open records now, by rule: what publishing them makes backlog."""
    counts: Counter[str] = Counter()
    with call.store.read() as unit:
        keys = unit.records.keys(after="", limit=LOOKED_AT, only_open=True)
        records, agents = unit.records.get(keys), unit.related.agents()
    for record in records.values():
        if record.facts.item.object not in policy.objects:
            continue
        facts = msgspec.structs.replace(record.facts, agents=agents, fresh=())
        at = max(call.now, facts.item.marks.get("event", call.now))
        counts.update(one.rule for one in decide_facts(facts, policy, at).actions if one.rule in rules)
    return dict(sorted(counts.items()))


def promote_model(call: Call, body: shapes.PromoteRequest) -> shapes.ModelsAnswer:
    """Let a model's version give scores from now on, where the promotion gate lets it."""
    models = call.desk.models
    if models is None or all(one["name"] != call.path["name"] for one in models.listed()):
        raise not_found(f"no model {call.path['name']}")
    models.promote(
        call.path["name"], body.version, actor=call.actor, reason=body.reason,
        acknowledge_volume=body.acknowledge_volume,
    )  # fmt: skip
    return shapes.ModelsAnswer(models=[msgspec.convert(one, shapes.ModelShape) for one in models.listed()])
