"""
A customer's words taken out of the store: bodies, subjects, addresses and every free text of their records.

What is left still works and still verifies: ids, instants, numbers, picklist values and digests. Clocks go on, and no
rule sees a field as missing that was there: its text is replaced, not removed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from triage.again import stored
from triage.domain.decision import Action, AuditEntry, Evidence
from triage.domain.facts import Facts
from triage.domain.schema import BUILTIN_FIELDS, FieldSpec
from triage.domain.work import Event
from triage.errors import IntakeError
from triage.ports import Compiled, Effect, Engine, Store, Unit
from triage.steering import policy_in_force

ERASED = "(erased)"
"""What stands where a text stood."""

_BUILTIN = {spec.name: spec for spec in BUILTIN_FIELDS}


class Erased(Struct, frozen=True, kw_only=True):
    """What was rewritten or emptied, in rows."""

    records: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    events: int = 0
    effects: int = 0
    decisions: int = 0
    audit_lines: int = 0
    refusals: int = 0
    model_answers: int = 0


def records_of(store: Store, customer: str) -> list[str]:
    """
    Return the records that name *customer*: an id or an e-mail address as it stands in events.

    Raises:
        IntakeError: it is neither; a plain word would match records of many customers.
    """
    if len(customer) < 3 or not ("@" in customer or any(one.isdigit() for one in customer)):
        raise IntakeError("a customer is named by an id or an e-mail address", customer)
    with store.read() as unit:
        return unit.upkeep.concerning(customer)


def erase(
    store: Store, engine: Engine, records: Sequence[str], now: int, *, customer: str = "", actor: str, reason: str
) -> Erased:
    """
    Take every free text out of *records*, and out of the related objects called *customer*; return what was done.

    One transaction a record: a run that is cut off is repeated. Other stores, backups, the files that were taken in and
    what sinks have sent are not reached. `Store.compact` afterwards gives the room back, so that no trace stays.

    Raises:
        IntakeError: one of *records* is not in the store; nothing was erased.
    """
    with store.read() as unit:
        missing = sorted(set(records) - unit.records.get(records).keys())
        policy = policy_in_force(unit, engine)
    if missing:
        raise IntakeError("no such record in the store", missing[0])
    total = Erased()
    pieces: list[Callable[[Unit], Erased]] = [
        partial(_erase_record, policy=policy, key=key, now=now, actor=actor, reason=reason) for key in records
    ]
    if customer:
        pieces.append(partial(_erase_related, policy=policy, customer=customer, now=now, actor=actor, reason=reason))
    for piece in pieces:
        total = _added(total, stored(store, piece))
    return total


def _erase_record(unit: Unit, policy: Compiled, key: str, now: int, actor: str, reason: str) -> Erased:
    # Whoever adds to a record's history locks it first: with the lock nothing is added behind our back.
    before = unit.records.get([key], lock=True)[key]
    object_name, _, identity = key.partition("/")
    redact = Redaction(policy, object_name)
    unit.records.save([(before, replace(before, facts=redact.facts(before.facts), version=before.version + 1))])
    lines = unit.audit.lines(record=key)
    unit.audit.erase([line.seq for line in lines if not line.erased])
    found = Erased(
        records=(key,),
        events=unit.upkeep.rewrite_events(key, redact.event),
        effects=unit.upkeep.rewrite_effects(key, redact.effect),
        decisions=unit.upkeep.forget_facts(key),
        audit_lines=len(lines),
        refusals=unit.upkeep.forget_refusals([identity]),
        model_answers=unit.llm.forget(key),
    )
    body = {"reason": reason, "events": found.events, "effects": found.effects, "decisions": found.decisions}
    entry = AuditEntry(at=now, org=unit.org, object=object_name, id=identity, event="erased", actor=actor, body=body)
    unit.audit.append([entry])
    return found


def _erase_related(unit: Unit, policy: Compiled, customer: str, now: int, actor: str, reason: str) -> Erased:
    def rewrite(object_name: str, values: dict[str, Any]) -> dict[str, Any]:
        return Redaction(policy, object_name).changes(values)

    related = unit.upkeep.rewrite_related(customer, rewrite)
    events = sum(unit.upkeep.rewrite_events(key, Redaction(policy, key.partition("/")[0]).event) for key in related)
    refusals = unit.upkeep.forget_refusals([customer])
    body = {"reason": reason, "related": len(related), "events": events}
    entry = AuditEntry(at=now, org=unit.org, object="org", id=unit.org, event="erased", actor=actor, body=body)
    unit.audit.append([entry])
    return Erased(related=tuple(related), events=events, refusals=refusals)


class Redaction:
    """What may stay of the values of one object: what the field map declares, free text excepted."""

    def __init__(self, policy: Compiled, object_name: str) -> None:
        part = policy.objects.get(object_name)
        self._by_name: Mapping[str, FieldSpec] = _BUILTIN if part is None else part.specs
        self._by_source: dict[str, FieldSpec] = {} if part is None else dict(part.spec.by_source)
        self._references = set() if part is None else {relation.by for relation in part.spec.related}
        for other in policy.objects.values():
            for relation in other.spec.related:
                if relation.object == object_name:
                    self._by_source |= {spec.source.casefold(): spec for spec in relation.fields}

    def changes(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Return CRM *changes*: ids, numbers and declared values as they are, mapped texts replaced, the rest gone."""
        kept = {}
        for name, value in changes.items():
            spec = self._by_source.get(name.casefold())
            if name in self._references:
                kept[name] = value
            elif spec is not None:
                kept[name] = _plain(value, spec)
        return kept

    def fields(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return our own *fields* with texts replaced; the ids of related records stay."""
        kept = {}
        for name, value in fields.items():
            spec = self._by_name.get(name)
            if name.endswith(".id") or not isinstance(value, str | tuple | list):
                kept[name] = value
            else:
                kept[name] = ERASED if spec is None else _plain(value, spec)
        return kept

    def event(self, event: Event) -> Event:
        """Return *event* without a word of anybody's."""
        return replace(
            event,
            changes=self.changes(event.changes),
            body=ERASED if event.body else "",
            sender="",
            reason="",
            actor="" if "@" in event.actor else event.actor,
            to="" if "@" in event.to else event.to,
            scores=_numbers(event.scores),
        )

    def facts(self, facts: Facts) -> Facts:
        """Return *facts* with the same clocks and counters, and without texts."""
        memory = replace(
            facts.memory,
            overrides=tuple(replace(one, reason="") for one in facts.memory.overrides),
            ours={name: replace(one, before=self.fields({name: one.before})[name]) for name, one in
                  facts.memory.ours.items()},
        )  # fmt: skip
        item = replace(facts.item, fields=self.fields(facts.item.fields), warnings=())
        fresh = tuple((self.event(event), self.fields(before)) for event, before in facts.fresh)
        return replace(facts, item=item, memory=memory, fresh=fresh)

    def effect(self, effect: Effect) -> Effect:
        """Return *effect* without what its rule found in texts, and without the other side's words."""
        before = {name: self.fields_of(name, values) for name, values in effect.before.items()}
        error = ERASED if effect.error else ""
        return replace(effect, action=self.action(effect.action), error=error, before=before)

    def action(self, action: Action) -> Action:
        """Return *action* with its reason, but for the texts that were found."""
        evidence = tuple(
            Evidence(one.leaf, ERASED if isinstance(one.found, str | tuple) else one.found, one.instant)
            for one in action.reason.evidence
        )
        return replace(action, reason=replace(action.reason, evidence=evidence))

    def fields_of(self, name: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return {"was", "is"} of one field with texts replaced."""
        return {which: self.fields({name: value})[name] for which, value in values.items()}


def _plain(value: Any, spec: FieldSpec) -> Any:
    """Return *value* where it cannot be free text, else `ERASED`: a picklist's undeclared value may be anything."""
    if not isinstance(value, str | tuple | list) or not value:
        return value
    if spec.type == "text":
        return ERASED
    if spec.type in ("picklist", "multipicklist") and spec.values:
        known = {one.casefold() for one in spec.values}
        parts = value.split(";") if isinstance(value, str) else value
        return value if all(str(one).strip().casefold() in known for one in parts) else ERASED
    return value


def _numbers(scores: Mapping[str, Any]) -> dict[str, Any]:
    """Return *scores* without the words they come with."""
    kept: dict[str, Any] = {}
    for name, value in scores.items():
        if isinstance(value, Mapping):
            kept[name] = _numbers(value)
        elif isinstance(value, bool | int | float):
            kept[name] = value
    return kept


def _added(total: Erased, more: Erased) -> Erased:
    return Erased(
        records=(*total.records, *more.records),
        related=(*total.related, *more.related),
        events=total.events + more.events,
        effects=total.effects + more.effects,
        decisions=total.decisions + more.decisions,
        audit_lines=total.audit_lines + more.audit_lines,
        refusals=total.refusals + more.refusals,
        model_answers=total.model_answers + more.model_answers,
    )
