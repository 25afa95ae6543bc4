"""A stored record as it was at an earlier instant: its events up to then, folded and decided again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any

from msgspec.structs import replace

from triage.domain.facts import Facts
from triage.domain.instant import format_instant
from triage.domain.work import Event
from triage.errors import IntakeError
from triage.observe import observe
from triage.pipeline import advance
from triage.policy import Policy
from triage.ports import Effect, Record, Unit, record_key

Target = tuple[str, str]


def facts_then(unit: Unit, record: Record, policy: Policy, at: int) -> Facts:
    """
    Return what was known of *record* at *at*, as *policy* reads its events up to then; the agents are those of now.

    Raises:
        IntakeError: the record came later.
    """
    events = [event for event in unit.intake.events(record.key) if event.at <= at]
    if not events:
        created = format_instant(record.facts.item.created_at)
        raise IntakeError(f"it was not there at {format_instant(at)}: it came at {created}", record.key)
    related = RelatedThen(unit)
    # The first pass finds out which other records are read, the second lets their events happen in between.
    _folded(events, record, policy, related, unit, at)
    others = [event for event in related.events() if events[0].at < event.at <= at]
    together = sorted([*events, *others], key=lambda event: event.at)
    return _folded(together, record, policy, related, unit, at)


def effects_then(effects: Sequence[Effect], at: int) -> list[Effect]:
    """Return those of *effects* that had been decided by *at*; one done later was still ready."""
    known = [effect for effect in effects if effect.action.at <= at]
    return [
        replace(one, state="ready", done_at=None) if one.state == "done" and (one.done_at or 0) > at else one
        for one in known
    ]


class RelatedThen(dict[Target, Mapping[str, Any]]):
    """Other records as they were at the instant `at`; remembers which were asked for."""

    def __init__(self, unit: Unit) -> None:
        super().__init__()
        self._unit = unit
        self._asked: dict[Target, list[Event]] = {}
        self.at = 0

    def get(self, target: Target, default: Any = None) -> Any:
        """Return the fields of *target* by CRM name, as its events up to `at` leave them."""
        if target not in self._asked:
            found = self._unit.intake.events(record_key(*target))
            self._asked[target] = sorted((one for one in found if one.type == "related"), key=lambda one: one.at)
        fields: dict[str, Any] = {}
        for event in takewhile(lambda one: one.at <= self.at, self._asked[target]):
            fields |= event.changes
        return fields or default

    def events(self) -> list[Event]:
        """Return every event of the records asked for so far."""
        return [event for events in self._asked.values() for event in events]


def _folded(
    events: Sequence[Event], record: Record, policy: Policy, related: RelatedThen, unit: Unit, at: int
) -> Facts:
    agents = unit.related.agents()
    facts: Facts | None = None
    for event in events:
        related.at = event.at
        if facts is not None:
            facts, _ = advance(facts, policy, max(event.at - 1, facts.last_decided_at or 0))
        facts = observe(facts, event, policy, related, unit.org)
        facts = replace(facts, agents=agents, live_from=record.facts.live_from)
        facts, _ = advance(facts, policy, max(event.at, facts.last_decided_at or event.at))
    assert facts is not None  # the caller has looked
    return advance(facts, policy, max(at, facts.last_decided_at or at))[0]
