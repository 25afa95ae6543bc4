"""Promises missed: read off what is known of records, and off the same organisation with its rules taken away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from msgspec.structs import replace

from triage.domain.facts import Facts, MilestoneState
from triage.domain.work import Event
from triage.observe import observe, promised_until
from triage.policy import Policy, compile_policy
from triage.ports import Store, record_key
from triage.rules.document import PolicyDocument
from triage.sla.clocks import NEVER, Hours
from triage.sla.milestones import due, violated

_BATCH = 500


class Breach(NamedTuple):
    """One run of one milestone that was missed: when it was due, and by how much (ms of open time) up to its end."""

    due: int
    record: str
    milestone: str
    start: int
    late: int


def breaches_in(known: Iterable[Facts], policy: Policy, now: int) -> tuple[Breach, ...]:
    """Return every run of a milestone of *known* records that was missed by *now*, in the order of their due times."""
    return tuple(sorted(breach for facts in known for breach in _of_record(facts, policy, now)))


def stored_facts(store: Store) -> Iterator[Facts]:
    """Yield what is known of every record in *store*, by key."""
    after = ""
    while True:
        with store.read() as unit:
            keys = unit.records.keys(after=after, limit=_BATCH, only_open=False)
            found = unit.records.get(keys)
        if not keys:
            return
        yield from (found[key].facts for key in keys)
        after = keys[-1]


def without_rules(document: PolicyDocument, events: Iterable[Event], upto: int, org: str) -> tuple[Breach, ...]:
    """
    Return what is missed up to and including *upto* where *events* happen and nobody escalates anything.

    The same clocks, calendars and milestones, by the same code; only the rules are gone.
    """
    policy = compile_policy(replace(document, rule_sets=()), virtual=True)
    known: dict[str, Facts] = {}
    related: dict[tuple[str, str], dict[str, Any]] = {}
    for event in events:
        if event.at > upto:
            break
        if event.type == "related":
            target = (event.object, event.id)
            related[target] = related.get(target, {}) | event.changes
            touched = [key for key, facts in known.items() if facts.item.fields.get("account.id") == event.id]
        else:
            touched = [record_key(event.object, event.id)] if event.type != "agent" else []
        for key in touched:
            # Nobody decides here, so nothing may pile up for a decision.
            known[key] = replace(observe(known.get(key), event, policy, related, org), fresh=())
    return breaches_in(known.values(), policy, upto)


def _of_record(facts: Facts, policy: Policy, now: int) -> Iterator[Breach]:
    def hours(name: str) -> Hours:
        return policy.hours_for(facts.item) if name == "record" else policy.calendars[name]

    now = promised_until(facts.item, now)
    for state in (*facts.memory.milestones, *facts.memory.past_milestones):
        deadline = due(state, hours)
        if deadline is None or deadline >= NEVER or not violated(state, hours, now):
            continue
        key = record_key(facts.item.object, facts.item.id)
        late = hours(state.hours).elapsed(deadline, _end(state, now), state.pauses)
        yield Breach(deadline, key, state.name, state.start, late)


def _end(state: MilestoneState, now: int) -> int:
    if state.completed is not None:
        return state.completed
    return now if state.stopped is None else state.stopped
