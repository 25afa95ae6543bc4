"""Handlers that only look: items, what is pending, the audit, rules and agents."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec

from triage.api import shapes
from triage.api.desk import Call, not_found
from triage.api.problems import Refused
from triage.domain.instant import format_instant
from triage.domain.work import Event
from triage.errors import StoreError
from triage.explain import explain
from triage.ports import AuditRow, Effect, EffectFilter, Record, Unit, record_key
from triage.wording import reason_text

FOREVER = 1 << 61
LOOKED_THROUGH = 10_000
"""How many timers are listed, page by page."""


def items(call: Call, _body: None) -> shapes.ItemsPage:
    """Return a page of records by key, of one object where that is asked for."""
    limit, wanted = call.query["limit"], call.query["object"]
    after = _opened(call.query["cursor"])
    if wanted and not after.startswith(f"{wanted}/"):
        after = max(after, f"{wanted}/")
    with call.store.read() as unit:
        keys = unit.records.keys(after=after, limit=limit + 1, only_open=call.query["open"])
        if wanted:
            keys = [key for key in keys if key.startswith(f"{wanted}/")]
        found = unit.records.get(keys[:limit])
    rows = [_item(found[key]) for key in keys[:limit] if key in found]
    return shapes.ItemsPage(items=rows, next=_sealed(keys[limit - 1]) if len(keys) > limit else None)


def item(call: Call, _body: None) -> shapes.ItemDetail:
    """Return one record with everything that explains it."""
    policy = call.desk.policy(call.org)
    at = call.instant(call.query["at"])
    with call.store.read() as unit:
        record = _record(unit, call.path["id"], call.query["object"])
        facts = msgspec.structs.replace(record.facts, agents=unit.related.agents())
        events = [event for event in unit.intake.events(record.key) if event.at <= at]
        effects = unit.outbox.find(EffectFilter(record=record.key))
    explanation = explain(facts, policy, max(at, facts.item.marks.get("event", at)))
    return shapes.ItemDetail(
        item=_item(record),
        explanation=msgspec.to_builtins(explanation),
        timeline=[_told(event) for event in events if event.type != "scored"],
        scores=[{"at": format_instant(event.at), **event.scores} for event in events if event.type == "scored"],
        actions=[_effect(effect) for effect in effects],
    )


def pending(call: Call, _body: None) -> shapes.PendingPage:
    """Return a page of the next timers, the earliest first; what fires or moves meanwhile moves the pages."""
    limit, seen = call.query["limit"], _number(_opened(call.query["cursor"]))
    if seen > LOOKED_THROUGH:
        raise Refused(422, f"at most {LOOKED_THROUGH:,} timers are listed")
    with call.store.read() as unit:
        records = unit.records.due(FOREVER, seen + limit + 1)[seen:]
    rows = [
        shapes.PendingRow(record=one.key, due=format_instant(one.due), why=one.why, owner=one.owner)
        for one in records[:limit]
        if one.due is not None
    ]
    return shapes.PendingPage(pending=rows, next=_sealed(str(seen + limit)) if len(records) > limit else None)


def audit(call: Call, _body: None) -> shapes.AuditPage:
    """Return a page of the audit, and whether its chains verify where that is asked for."""
    query, limit = call.query, call.query["limit"]
    with call.store.read() as unit:
        key = _record(unit, query["record"], query["object"]).key if query["record"] else ""
        after = _number(_opened(query["cursor"]))
        lines = unit.audit.lines(record=key, key=query["key"], event=query["event"], after=after, limit=limit + 1)
        verified = not unit.audit.verify() if query["verify"] else None
    following = _sealed(str(lines[limit - 1].seq)) if len(lines) > limit else None
    return shapes.AuditPage(lines=[_line(line) for line in lines[:limit]], next=following, verified=verified)


def rules(call: Call, _body: None) -> shapes.RulesAnswer:
    """Return the policy in force, or the earlier *version* asked for."""
    with call.store.read() as unit:
        history = unit.policies.history()
        wanted = call.query["version"]
        found = next((one for one in history if one.digest == wanted or (not wanted and one.live)), None)
    if found is None:
        raise not_found(f"no policy has version {wanted}" if wanted else "no policy is in force")
    return shapes.RulesAnswer(
        version=found.digest, published=format_instant(found.at), by=found.actor, texts=found.texts,
        modes={name: mode.mode for name, mode in found.modes.items()},
        versions=list(dict.fromkeys(one.digest for one in history)),
    )  # fmt: skip


def agents(call: Call, _body: None) -> shapes.AgentsAnswer:
    """Return all agents as they are known now."""
    with call.store.read() as unit:
        return shapes.AgentsAnswer(agents=[msgspec.to_builtins(agent) for agent in unit.related.agents()])


def models(call: Call, _body: None) -> shapes.ModelsAnswer:
    """Return the models on this machine."""
    found = call.desk.models.listed() if call.desk.models is not None else []
    return shapes.ModelsAnswer(models=[msgspec.convert(one, shapes.ModelShape) for one in found])


def usage(call: Call, _body: None) -> shapes.UsageAnswer:
    """Return what language models have cost this organisation."""
    found = call.desk.usage(call.store) if call.desk.usage is not None else {}
    return shapes.UsageAnswer(**({"days": [], "budget": {}} | found))


def ready(call: Call, _body: None) -> shapes.Ready:
    """Say whether requests can be answered."""
    problems = list(call.desk.concerns()) if call.desk.concerns is not None else []
    try:
        with call.desk.keys.read() as unit:
            if not unit.policies.live_digest():
                problems.append("no policy is in force: publish one with `triage policy publish`")
    except StoreError:
        problems.append("the store cannot be read")
    if problems:
        raise Refused(503, "; ".join(problems))
    return shapes.Ready(ready=True)


def alive(_call: Call, _body: None) -> shapes.Alive:
    """Say that this process answers."""
    return shapes.Alive()


def record_of(unit: Unit, identity: str, object_name: str) -> Record:
    """Return the record *identity* (`OBJECT/ID`, or an id with its object); refuse with 404 where there is none."""
    return _record(unit, identity, object_name)


def _record(unit: Unit, identity: str, object_name: str) -> Record:
    keys = [identity] if "/" in identity else [record_key(name, identity) for name in _objects(unit, object_name)]
    found = list(unit.records.get(keys).values())
    if len(found) == 1:
        return found[0]
    raise not_found(f"no record {identity}" if not found else f"{len(found)} objects have {identity}: name the object")


def _objects(unit: Unit, object_name: str) -> tuple[str, ...]:
    if object_name:
        return (object_name,)
    live = unit.policies.live()
    return ("Case", "Lead", "Opportunity", *_declared(live.texts if live is not None else {}))


def _declared(texts: dict[str, str]) -> tuple[str, ...]:
    from triage.config import load_policy

    declared = load_policy(texts).objects if texts else {}
    return tuple(name for name in declared if name not in ("Case", "Lead", "Opportunity"))


def _item(record: Record) -> shapes.Item:
    facts = record.facts
    return shapes.Item(
        object=facts.item.object, id=facts.item.id, open=record.open, owner=record.owner,
        next_at=None if record.due is None else format_instant(record.due), why=record.why,
        fields=dict(facts.item.fields),
    )  # fmt: skip


def _told(event: Event) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(event)
    return told | {"at": format_instant(event.at)}


def _effect(effect: Effect) -> dict[str, Any]:
    action = effect.action
    return {
        "at": format_instant(action.at), "due": format_instant(action.due), "rule": action.rule, "step": action.step,
        "action": action.kind, "target": action.target, "state": effect.state, "key": action.key,
        "reason": reason_text(action.reason), "note": action.note, "error": effect.error,
    }  # fmt: skip


def _line(row: AuditRow) -> shapes.AuditLine:
    entry = row.entry
    return shapes.AuditLine(
        seq=row.seq, at=format_instant(entry.at), record=record_key(entry.object, entry.id), event=entry.event,
        rule=entry.rule, actor=entry.actor, key=entry.key, body=entry.body, hash=row.hash, prev=row.previous,
    )  # fmt: skip


def _sealed(text: str) -> str:
    """Return a cursor: opaque to whoever asks, so that it may change."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _opened(cursor: str) -> str:
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (ValueError, binascii.Error) as cause:
        raise Refused(422, "this cursor was not given by us: leave it out to begin") from cause


def _number(text: str) -> int:
    if text and not (text.isascii() and text.isdigit() and len(text) < 18):
        raise Refused(422, "this cursor was not given by us: leave it out to begin")
    return int(text or 0)
