"""
One event folded into what is known of a record: fields, clocks, contact, ownership, milestones, entries in force.

Pure, and the only place that does it: the worker, the replay and the tests all come through `observe`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from triage.domain.facts import Facts, InForce, Memory, Ours, Override, OwnerChange
from triage.domain.instant import DAY
from triage.domain.work import Agent, Event, Value, WorkItem
from triage.errors import IntakeError
from triage.intake.text import show
from triage.intake.values import coerce, read_value
from triage.policy import ObjectPolicy, Policy, at_work
from triage.sla.milestones import Progress, follow

Related = Mapping[tuple[str, str], Mapping[str, Any]]
"""(object, id) of another record -> its raw fields by CRM name."""

QUEUE_PREFIXES = ("00G", "queue:", "pool:", "team:")
"""An owner that begins so is a queue, not a person: Salesforce's key prefix for groups, or one of our own targets."""

AT_CREATION: dict[str, Value] = {
    "is_contacted": False, "awaiting_reply": False, "inbound_count": 0, "outbound_count": 0, "reopen_count": 0,
    "reassignment_count": 0,
}  # fmt: skip
"""What is folded from a record's events is known from the first, so that `not is_contacted` can hold."""

ORDERED = "override"
"""The rule that actions ordered by a person bear: a person's change, though triage carries it out."""

EVERY_SET = ("created", "updated", "deleted", "merged", "undeleted")
"""Events that make every first-match set choose again, those that re-evaluate on the record's own save alone too."""

WATCHED = ("owner", "priority")
"""A person who changes one of these after an action of ours overrides the rule that caused it."""


CUSTOMER = "#customer"
"""The object under which it is kept who wrote to a customer last, where a policy asks for it."""


def contact_of(facts: Facts, event: Event, policy: Policy) -> tuple[tuple[str, str], dict[str, Any]] | None:
    """Return who wrote to which customer by *event*, as another object's values to be kept; None for nobody."""
    customer = facts.item.fields.get("customer")
    if not policy.keeps_last_agent or event.direction != "out" or not event.actor or not customer:
        return None
    return None if is_automatic(event, policy) else ((CUSTOMER, str(customer)), {"agent": event.actor})


def observe(facts: Facts | None, event: Event, policy: Policy, related: Related, org: str) -> Facts:
    """
    Return *facts* with *event* applied; None begins a record and takes a `created` event.

    Args:
        related: Other records this one may refer to, as far as they are known.

    Raises:
        IntakeError: an object the policy does not have, an event of an unknown record, or a second `created`.
    """
    part = policy.objects.get(event.object if facts is None else facts.item.object)
    if part is None:
        raise IntakeError(f"object {show(event.object)} is not in the policy: {', '.join(policy.objects)}", event.id)
    if facts is None:
        if event.type != "created":
            raise IntakeError(f"{event.type} event of a record that was never created", event.id)
        blank = WorkItem(object=event.object, id=event.id, created_at=event.at)
        return _settle(Facts(org=org, item=blank), _created(blank, event, part, policy, related), event, part, policy)
    if event.type == "created":
        raise IntakeError("created a second time", event.id)
    if facts.item.deleted or facts.item.fields.get("is_closed") is True:
        facts = replace(facts, item=_caught_up(facts.item, part, related))
    return _settle(facts, _applied(facts.item, event, part, policy, related), event, part, policy)


def _caught_up(item: WorkItem, part: ObjectPolicy, related: Related) -> WorkItem:
    """Related events reach open records only: one that was closed reads what has become of the others meanwhile."""
    fields: dict[str, Value | None] = {}
    for relation in part.spec.related:
        identity = str(item.fields.get(f"{relation.alias}.id", ""))
        fields |= _read_related(related.get((relation.object, identity), {}), relation.fields)
    return _patched(item, fields, ())


def _created(item: WorkItem, event: Event, part: ObjectPolicy, policy: Policy, related: Related) -> WorkItem:
    after = _merged(item, event.changes, part, related)
    ours = {name: value for name, value in AT_CREATION.items() if part.counts_itself(name)}
    known = related.get((CUSTOMER, str(after.fields.get("customer", ""))), {}) if policy.keeps_last_agent else {}
    if known and "last_agent" not in after.fields:
        after = _with(after, last_agent=str(known["agent"]))
    marks = dict.fromkeys(("created", "created_until_modified", "last_modified", "last_contact"), event.at)
    return replace(after, fields=ours | after.fields, marks=marks | _ownership_marks(after, event.at, policy))


def _applied(item: WorkItem, event: Event, part: ObjectPolicy, policy: Policy, related: Related) -> WorkItem:
    if event.type == "updated":
        return _updated(item, event, part, policy, related)
    if event.type == "message" or (event.type == "activity" and event.direction == "out"):
        return _contacted(item, event, part, policy)
    if event.type == "related":
        return _related(item, event, part)
    if event.type == "scored":
        return _scored(item, event, part)
    if event.type in ("deleted", "merged", "undeleted"):
        return replace(item, deleted=event.type != "undeleted")
    return item


def _updated(item: WorkItem, event: Event, part: ObjectPolicy, policy: Policy, related: Related) -> WorkItem:
    after = _merged(item, event.changes, part, related)
    marks = dict(after.marks)
    if event.origin != "triage":
        marks["last_modified"] = event.at
        marks.pop("created_until_modified", None)
    if after.fields.get("owner") != item.fields.get("owner"):
        marks.pop("assigned", None)
        marks.pop("queued", None)
        marks |= _ownership_marks(after, event.at, policy)
        if part.counts_itself("reassignment_count") and "owner" in item.fields:
            after = _with(after, reassignment_count=_count(item, "reassignment_count") + 1)
    return replace(after, marks=marks)


def _contacted(item: WorkItem, event: Event, part: ObjectPolicy, policy: Policy) -> WorkItem:
    """Automatic replies and mail from our own addresses are no contact, in either direction."""
    if is_automatic(event, policy):
        return item
    if event.direction == "in":
        found = {"inbound_count": _count(item, "inbound_count") + 1, "awaiting_reply": True}
        return _with(item, **found, latest_message=event.body) if event.body else _with(item, **found)
    after = _with(item, outbound_count=_count(item, "outbound_count") + 1, awaiting_reply=False, is_contacted=True)
    if policy.keeps_last_agent and event.actor:
        after = _with(after, last_agent=event.actor)
    return replace(after, marks=after.marks | {"last_contact": event.at})


def is_automatic(event: Event, policy: Policy) -> bool:
    """Return whether *event* is an automatic reply, a bounce, or mail from one of our own addresses."""
    own = {address.casefold() for address in policy.safety.own_addresses}
    return event.auto or event.sender.casefold() in own


def _related(item: WorkItem, event: Event, part: ObjectPolicy) -> WorkItem:
    fields: dict[str, Value | None] = {}
    for relation in part.spec.related:
        if relation.object == event.object and item.fields.get(f"{relation.alias}.id") == event.id:
            fields |= _read_related(event.changes, relation.fields)
    return _patched(item, fields, ())


ABOUT_SCORES = ("model_versions", "reasons")
"""What a `scored` event tells beside the scores, for people and the audit."""


def _scored(item: WorkItem, event: Event, part: ObjectPolicy) -> WorkItem:
    fields: dict[str, Value | None] = {}
    warnings = []
    for name, raw in _flat({name: raw for name, raw in event.scores.items() if name not in ABOUT_SCORES}):
        spec = part.specs.get(name)
        try:
            value = None if raw is None or spec is None else read_value(raw, spec)
        except (ValueError, IntakeError) as cause:
            warnings.append(f"{name}: {cause}")
            continue
        if spec is None:
            warnings.append(f"unknown score {show(name)}")
        else:
            fields[name] = round(value, 6) if isinstance(value, float) else value
    return _patched(item, fields, tuple(warnings))


def _flat(scores: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Return nested scores as dotted names: {"urgency": {"score": 0.8}} -> urgency.score."""
    found: list[tuple[str, Any]] = []
    for name, value in scores.items():
        found += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(f"{prefix}{name}", value)]
    return found


def _merged(item: WorkItem, changes: Mapping[str, Any], part: ObjectPolicy, related: Related) -> WorkItem:
    """Return *item* with CRM *changes* read by the field map, and the fields of records it now refers to."""
    # When it was created is known from the event; a rule may ask for it all the same, where a field map names it.
    own = {name: value for name, value in changes.items() if name != part.spec.created_field or _mapped(name, part)}
    references = {relation.by: relation for relation in part.spec.related}
    coerced = coerce(
        {name: value for name, value in own.items() if _mapped(name, part) or name not in references}, part.spec
    )
    fields: dict[str, Value | None] = dict(coerced.fields)
    for name, relation in references.items():
        if name in own:
            identity = str(own[name] or "")
            fields |= {spec.name: None for spec in relation.fields}
            fields[f"{relation.alias}.id"] = identity or None
            fields |= _read_related(related.get((relation.object, identity), {}), relation.fields)
    return _patched(item, fields, coerced.warnings)


def _mapped(name: str, part: ObjectPolicy) -> bool:
    return name.casefold() in part.spec.by_source


def _read_related(raw: Mapping[str, Any], specs: tuple[Any, ...]) -> dict[str, Value | None]:
    found: dict[str, Value | None] = {}
    for spec in specs:
        if spec.source in raw:
            try:
                found[spec.name] = read_value(raw[spec.source], spec)
            except (ValueError, IntakeError):
                found[spec.name] = None
    return found


def _patched(item: WorkItem, fields: Mapping[str, Value | None], warnings: tuple[str, ...]) -> WorkItem:
    after = item.fields | {name: value for name, value in fields.items() if value is not None}
    for name, value in fields.items():
        if value is None:
            after.pop(name, None)
    fresh = tuple(warning for warning in warnings if warning not in item.warnings)
    return replace(item, fields=after, warnings=(*item.warnings, *fresh)[:50])


def _with(item: WorkItem, **fields: Value) -> WorkItem:
    return replace(item, fields=item.fields | fields)


def _count(item: WorkItem, name: str) -> int:
    found = item.fields.get(name, 0)
    return found if isinstance(found, int) else 0


def is_queue(owner: object, policy: Policy) -> bool:
    """Return whether *owner* is a queue, pool or team rather than a person."""
    directory = policy.directory
    text = str(owner)
    return text.startswith(QUEUE_PREFIXES) or text in (*directory.queues, *directory.pools, *directory.teams)


def _ownership_marks(item: WorkItem, at: int, policy: Policy) -> dict[str, int]:
    owner = item.fields.get("owner")
    if owner is None:
        return {}
    return {"queued": at} if is_queue(owner, policy) else {"assigned": at}


def _settle(facts: Facts, item: WorkItem, event: Event, part: ObjectPolicy, policy: Policy) -> Facts:
    """Derive what follows from the new values: closed or not, milestones, entries in force, overrides, hops."""
    before = facts.item
    item = _derived(item, before, part, policy)
    item = replace(item, marks=item.marks | {"event": max(event.at, before.marks.get("event", event.at))})
    memory = facts.memory
    if memory.latched_by not in ("", policy.rules_digest):
        memory = latch(memory, before, policy, before.marks["event"], agents=facts.agents)
    memory = _remember_people(follow_milestones(memory, item, part, policy, event.at), before, item, event)
    memory = _without_ended(memory, item.marks["event"])
    memory = latch(memory, item, policy, event.at, saved=event.type in EVERY_SET, agents=facts.agents)
    old_values: dict[str, Any] = dict(before.fields)
    return replace(facts, item=item, memory=memory, fresh=(*facts.fresh, (event, old_values)))


def promised_until(item: WorkItem, now: int) -> int:
    """Return up to when promises about *item* are measured at *now*: what is deleted ends them with its last event."""
    return min(now, item.marks.get("event", now)) if item.deleted else now


def follow_milestones(memory: Memory, item: WorkItem, part: ObjectPolicy, policy: Policy, at: int) -> Memory:
    """Return *memory* with the milestones as the values of *item* leave them at *at*."""
    progress = follow(
        Progress(memory.milestones, memory.past_milestones),
        part.milestones,
        item.fields,
        at,
        item.created_at,
        lambda name: policy.hours_for(item) if name == "record" else policy.calendars[name],
    )
    return replace(memory, milestones=progress.current, past_milestones=progress.past)


def _derived(item: WorkItem, before: WorkItem, part: ObjectPolicy, policy: Policy) -> WorkItem:
    closed = part.closed(item.fields)
    fields = dict(item.fields)
    fields["is_closed"] = closed
    owner = fields.get("owner")
    fields["owner_is_queue"] = owner is not None and is_queue(owner, policy)
    if before.fields.get("is_closed") is True and not closed and part.counts_itself("reopen_count"):
        fields["reopen_count"] = _count(item, "reopen_count") + 1
    return replace(item, fields=fields)


def _remember_people(memory: Memory, before: WorkItem, item: WorkItem, event: Event) -> Memory:
    if event.type == "override":
        return replace(memory, overrides=_overrides(memory, event))
    if event.type != "updated":
        return memory
    changed = [name for name in WATCHED if before.fields.get(name) != item.fields.get(name)]
    if not changed:
        return memory
    automatic = event.origin == "triage" and event.rule != ORDERED
    ours, overrides, hops = dict(memory.ours), memory.overrides, memory.owner_changes
    for name in changed:
        earlier = ours.pop(name, None)
        if automatic:
            ours[name] = Ours(event.rule, event.at, before.fields.get(name))
        elif earlier is not None and event.origin == "user" and earlier.rule:
            overrides = (*overrides, _implied(earlier.rule, name, event))
    if "owner" in changed:
        change = OwnerChange(
            event.at, str(before.fields.get("owner", "")), str(item.fields.get("owner", "")), automatic
        )
        hops = (*(hop for hop in hops if hop.at > event.at - DAY), change)
    return replace(memory, ours=ours, overrides=overrides, owner_changes=hops)


def _without_ended(memory: Memory, now: int) -> Memory:
    """Overrides that ended by themselves before the record's latest event are forgotten."""
    if all(held.until is None or held.until > now for held in memory.overrides):
        return memory
    kept = tuple(held for held in memory.overrides if held.until is None or held.until > now)
    return replace(memory, overrides=kept)


def _implied(rule: str, name: str, event: Event) -> Override:
    reason = f"{event.actor or 'somebody'} changed {name} after this rule's action"
    return Override(action="hold", rules=(rule,), since=event.at, reason=reason, actor=event.actor, implied_by=name)


def _overrides(memory: Memory, event: Event) -> tuple[Override, ...]:
    rules = event.rules or ("*",)
    if event.action == "release":
        return tuple(held for held in memory.overrides if "*" not in rules and not set(held.rules) <= set(rules))
    if event.action == "reroute":
        earlier = memory.ours.get("owner")
        return memory.overrides if earlier is None else (*memory.overrides, _implied(earlier.rule, "owner", event))
    new = Override(
        action=event.action, rules=rules, since=event.at, until=event.until, reason=event.reason, actor=event.actor
    )
    return (*memory.overrides, new)


def values_of(item: WorkItem, policy: Policy, agents: Sequence[Agent], now: int | None = None) -> Mapping[str, Any]:
    """
    Return the record's values with its owner's state, as far as one of *agents* (else of the policy's) owns it.

    Args:
        now: The instant to ask whether the owner is on shift at; None leaves that out.
    """
    owner = owner_of(item, policy, agents)
    if owner is None:
        return item.fields
    values = item.fields | owner_values(owner)
    return values if now is None else values | {"owner.on_shift": at_work(owner, policy.calendars, now)}


def owner_of(item: WorkItem, policy: Policy, agents: Sequence[Agent]) -> Agent | None:
    """Return the record's owner, among *agents* or else those of the policy; None where that is nobody known."""
    known = agents or policy.directory.agents
    return next((agent for agent in known if agent.id == item.fields.get("owner")), None)


def owner_values(agent: Agent) -> dict[str, Any]:
    """Return an owner's state as rules read it; `owner.load` is a share of capacity, absent where that is unlimited."""
    values: dict[str, Any] = {"owner.tier": agent.tier, "owner.presence": agent.presence, "owner.team": agent.teams}
    if agent.capacity:
        values["owner.load"] = agent.load / agent.capacity
    over = agent.capacity is not None and agent.load > agent.capacity
    values["owner.overloaded"] = over or bool(agent.standing.overloaded)
    return values


def latch(
    memory: Memory, item: WorkItem, policy: Policy, at: int, *, saved: bool = True, agents: Sequence[Agent] = ()
) -> Memory:
    """
    Return *memory* with each first-match set's entry chosen for the values of now, in force since *at* where it is new.

    Args:
        saved: Every set chooses again: the record itself was saved, or a policy published. Else only those that
            re-evaluate on related changes, the state of an owner among *agents* included.
    """
    part = policy.objects[item.object]
    values = values_of(item, policy, agents, at) if part.entries_use_owner else item.fields
    in_force = dict(memory.in_force)
    closed = item.fields.get("is_closed") is True or item.deleted
    for rule_set in part.book.sets:
        if not saved and rule_set.reevaluate_on == "record":
            continue
        rule = rule_set.select(values, closed)
        held = in_force.get(rule_set.id)
        if rule is None:
            in_force.pop(rule_set.id, None)
        elif held is None or held.rule != rule.id:
            in_force[rule_set.id] = InForce(rule.id, at)
    return replace(memory, in_force=in_force, latched_by=policy.rules_digest)
