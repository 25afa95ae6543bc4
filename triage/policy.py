"""A policy ready to decide with: rules, calendars, milestones and modes compiled from its document, and its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import msgspec
from msgspec import Struct

from triage.calendars.calendar import Calendar, compile_calendar
from triage.calendars.describe import describe_openings
from triage.calendars.wall_time import WallTime
from triage.domain.schema import BUILTIN_FIELDS, FieldSpec
from triage.domain.work import Agent, WorkItem
from triage.rules.compile import CompiledSet, RuleBook
from triage.rules.conditions import leaves, normal, static_test
from triage.rules.document import MilestoneSpec, ObjectConfig, PolicyDocument
from triage.rules.findings import actions_of
from triage.rules.language import Change, Condition, Leaf, Mode, Rule
from triage.rules.leaves import Holds
from triage.sla.clocks import Hours
from triage.sla.milestones import Milestone


class RuleMode(Struct, frozen=True):
    """How far one rule may go, and since when: what was already true before `live_since` (ms UTC) is backlog."""

    mode: Mode = "observe"
    live_since: int = 0


VIRTUAL = RuleMode("act", 0)
"""The mode of every rule in a demo, a replay or a sandbox, which touch nothing outside."""


class ObjectPolicy:
    """One object's part of a policy: fields, calendar, closing condition, milestones and rules, compiled."""

    def __init__(self, name: str, config: ObjectConfig, document: PolicyDocument) -> None:
        self.name = name
        self.spec = config.spec
        self.specs: dict[str, FieldSpec] = {spec.name: spec for spec in BUILTIN_FIELDS} | config.spec.by_name
        self.calendar = config.calendar
        self.closed: Holds = _test(config.closed_when, self.specs) or (lambda values: values.get("is_closed") is True)
        self.closing_is_mapped = config.closed_when is not None
        self.milestones = tuple(_milestone(spec, self.specs) for spec in document.milestones if spec.object == name)
        self.book = RuleBook([rule_set for rule_set in document.rule_sets if rule_set.object == name], self.specs)
        entries = [rule.when for rule_set in self.book.sets for rule in rule_set.by_id.values()]
        self.entries_use_owner = _uses_owner(entries)
        every = [
            condition
            for compiled in self.book.rules
            for condition in (compiled.condition, *(boost.when for boost in compiled.rule.boosts))
        ]
        self.uses_owner = self.entries_use_owner or _uses_owner(every)
        self.uses_shift = _uses_owner([*entries, *every], "owner.on_shift")
        self.families = _families([*entries, *every], self.specs)

    def counts_itself(self, name: str) -> bool:
        """Return whether counter *name* (reopen_count, ..) is ours to keep, the field map having no column for it."""
        spec = self.spec.by_name.get(name)
        return spec is None or not spec.source

    def set_of(self, set_id: str) -> CompiledSet | None:
        """Return the first-match set called *set_id*."""
        return next((rule_set for rule_set in self.book.sets if rule_set.id == set_id), None)


class Policy:
    """A compiled policy. Two policies with the same `digest` decide alike, on any machine."""

    def __init__(self, document: PolicyDocument, modes: Mapping[str, RuleMode], *, virtual: bool) -> None:
        self.document = document
        self.modes = dict(modes)
        self.virtual = virtual
        self.safety = document.safety
        self.directory = document.directory
        self.routing = document.routing
        self.calendars: dict[str, Calendar | WallTime] = {"none": WallTime()}
        self.calendars |= {name: compile_calendar(definition) for name, definition in document.calendars.items()}
        self.objects = {name: ObjectPolicy(name, config, document) for name, config in document.objects.items()}
        self.rules: dict[str, Rule] = {
            rule.id: rule for rule_set in document.rule_sets for rule in rule_set.rules
        }  # fmt: skip
        named = {action.match for rule in self.rules.values() for action in actions_of(rule)}
        self.matches = frozenset(named | {self.routing.match, *self.routing.groups.values()}) - {""}
        self.keeps_last_agent = "sticky" in self.matches
        self.rules_digest = _digest({"document": _content(document), "calendars": self._calendar_digests()})
        self.digest = _digest(
            {"rules": self.rules_digest, "modes": msgspec.to_builtins(self.modes), "virtual": virtual},
        )

    def mode_of(self, rule_id: str) -> RuleMode:
        """Return how far rule *rule_id* may go: `observe` until somebody promotes it, `act` where all is virtual."""
        if self.virtual:
            return VIRTUAL
        return self.modes.get(rule_id, RuleMode())

    def hours_for(self, item: WorkItem) -> Hours:
        """Return the record's own calendar: the one its `calendar` field names, else its object's."""
        named = self.calendars.get(str(item.fields.get("calendar", "")))
        return named if named is not None else self.calendars[self.objects[item.object].calendar]

    def _calendar_digests(self) -> dict[str, str]:
        return {name: calendar.digest for name, calendar in self.calendars.items() if isinstance(calendar, Calendar)}


def at_work(agent: Agent, calendars: Mapping[str, Calendar | WallTime], now: int) -> bool:
    """Return whether *agent*'s shift is open, a break is not, and they are not out of office; without one: always."""
    shift = calendars.get(agent.shift) if agent.shift else None
    if isinstance(shift, Calendar) and not shift.is_open(now):
        return False
    return not any(start <= now and (end is None or now < end) for start, end in agent.away)


def work_changes(agent: Agent, calendars: Mapping[str, Calendar | WallTime], now: int) -> int | None:
    """Return the next instant at which `at_work` may change, None for never."""
    found = [instant for span in agent.away for instant in span if instant is not None and instant > now]
    shift = calendars.get(agent.shift) if agent.shift else None
    if isinstance(shift, Calendar):
        found += [change.at for change in describe_openings(shift, now, 2) if change.at > now][:1]
    return min(found, default=None)


def compile_policy(
    document: PolicyDocument, modes: Mapping[str, RuleMode] | None = None, *, virtual: bool = False
) -> Policy:
    """
    Return *document* compiled, with the modes that people have given its rules (none: everything observes).

    Raises:
        CalendarError: a calendar that is never open, or names an unknown zone.
    """
    return Policy(document, modes or {}, virtual=virtual)


def _content(document: PolicyDocument) -> Any:
    return document.texts or msgspec.to_builtins(document, enc_hook=_plain)


def _plain(value: object) -> object:
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _digest(content: object) -> str:
    return hashlib.sha256(msgspec.json.encode(content, order="deterministic", enc_hook=_plain)).hexdigest()


FAMILIES = ("urgency", "lead", "sentiment", "complexity", "language", "intent", "product_line")
"""What is scored: the first part of a score's field name."""


def _families(conditions: Iterable[Condition], specs: Mapping[str, FieldSpec]) -> tuple[str, ...]:
    """Return the score families that *conditions* read, sorted; a field that the CRM has of its own is no score."""
    names = {name for condition in conditions for name in _names(condition)}
    scored = {name.partition(".")[0] for name in names if name in specs and not specs[name].source}
    return tuple(sorted(scored & set(FAMILIES)))


def _names(condition: Condition) -> Iterator[str]:
    """Yield every field that *condition* reads, what a change watches included."""
    for leaf in leaves(condition):
        if isinstance(leaf, Leaf):
            yield leaf.field
        elif isinstance(leaf, Change):
            yield leaf.raised
            yield from _names(leaf.became) if leaf.became is not None else ()


def _uses_owner(conditions: Iterable[Condition], prefix: str = "owner.") -> bool:
    return any(
        isinstance(leaf, Leaf) and leaf.field.startswith(prefix)
        for condition in conditions
        for leaf in leaves(condition)
    )


def _test(condition: Condition | None, specs: Mapping[str, FieldSpec]) -> Holds | None:
    return None if condition is None else static_test(normal(condition), specs)


def _milestone(spec: MilestoneSpec, specs: Mapping[str, FieldSpec]) -> Milestone:
    return Milestone(
        name=spec.name,
        targets=tuple((_test(target.when, specs), target.allowed) for target in spec.targets),
        start=_test(spec.start, specs),
        complete=_test(spec.complete, specs),
        pause=_test(spec.pause, specs),
        stop=_test(spec.stop, specs),
        hours=spec.hours,
        recurrence=spec.recurrence,
    )
