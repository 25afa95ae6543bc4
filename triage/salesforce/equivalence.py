"""
The imported policy beside Salesforce's own semantics, on random timelines: what differs, if anything does.

Timelines are made from the rule itself: values that its criteria name, near misses, blanks; saves at, before and after
the instants at which something is due; comments, mail and changes of parents in between; closing and reopening.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from triage.config import load_policy
from triage.domain.facts import Facts
from triage.domain.instant import format_instant, from_datetime
from triage.domain.work import Event
from triage.observe import observe
from triage.pipeline import advance
from triage.policy import Policy, compile_policy
from triage.salesforce.criteria import All, Leaf, Not, Tree, leaves_of
from triage.salesforce.criteria import Any as Any_
from triage.salesforce.criteria_fields import Mapped
from triage.salesforce.hours import DAYS, Hours, calendar_name
from triage.salesforce.importing import Imported, ImportedRule
from triage.salesforce.metadata_model import Entry
from triage.salesforce.native import Fired, Save, escalate
from triage.salesforce.native_hours import NativeHours

BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
SPAN_DAYS = 700
LONGEST_WAIT = 200 * 24 * 60
"""Between two steps of a timeline, in minutes; FARTHEST is how far one is looked at, less than the oracle reaches."""
FARTHEST = timedelta(days=3900)
_STAMPS = ("Case.CreatedDate", "Case.LastModifiedDate")
_INSTANT = "%Y-%m-%dT%H:%M:%S.000Z"
SHOWN = 5

Line = tuple[str, str, str, int]
"""Instant of firing, instant due, entry's id, step: what both sides are compared by."""


class Difference(Struct, frozen=True, kw_only=True):
    """One timeline on which both sides differ: its seed, its saves, and what each of them fires."""

    seed: int
    timeline: tuple[str, ...]
    native: tuple[Line, ...]
    ours: tuple[Line, ...]


class Comparison(Struct, frozen=True, kw_only=True):
    """What *timelines* random timelines of one rule came to: actions fired, late ones, entries used, differences."""

    rule: str
    timelines: int
    fired: int
    late: int
    entries: int
    entries_fired: int
    differences: int
    examples: tuple[Difference, ...] = ()


def native_rule(imported: ImportedRule) -> dict[str, Any]:
    """Return a rule in the shape that the literal interpreter reads; entries left out match nothing."""
    entries = []
    for entry, name in zip(imported.native.entries, imported.ids, strict=True):
        entries.append(_native_entry(entry) if name else {"formula": "FALSE", "escalationActions": []})
    return {"fullName": imported.native.name, "active": imported.native.active, "entries": entries}


def _native_entry(entry: Entry) -> dict[str, Any]:
    items = [
        {"field": _path(one.field), "operation": one.operation, "value": one.value} for one in entry.criteria.items
    ]
    return {
        "criteriaItems": items,
        "booleanFilter": entry.criteria.filter or None,
        "formula": entry.criteria.formula,
        "businessHoursSource": entry.hours_source,
        "businessHours": calendar_name(entry.hours) if entry.hours else None,
        "escalationStartTime": entry.start,
        "disableEscalationWhenModified": entry.until_modified,
        "escalationActions": [{"minutesToEscalation": one.minutes} for one in entry.actions],
    }


def _path(field: str) -> str:
    return field if "." in field else f"Case.{field}"


def native_hours(hours: Hours) -> NativeHours:
    """Return one calendar in the shape that the literal interpreter reads."""
    definition = hours.definition
    weekly = {
        day: [w.replace("24:00", "00:00") for w in definition.weekly[day][0]]
        for day in DAYS
        if day in definition.weekly
    }
    holidays: list[dict[str, Any]] = []
    for one in definition.holidays:
        raw: dict[str, Any] = {"activityDate": one.date, "startTime": one.start, "endTime": one.end}
        if one.recurrence is not None:
            found = one.recurrence
            raw |= {
                "recurrenceType": found.type, "recurrenceStartDate": found.start, "recurrenceEndDate": found.end,
                "recurrenceInterval": found.interval, "recurrenceDayOfWeek": list(found.days),
                "recurrenceDayOfMonth": found.day, "recurrenceMonthOfYear": found.month,
                "recurrenceInstance": found.instance,
            }  # fmt: skip
        holidays.append(raw)
    return NativeHours({"timeZoneId": definition.tz, "hours": weekly, "holidays": holidays})


class Bench:
    """One import ready to be compared: its policy compiled, its hours in both shapes."""

    def __init__(self, imported: Imported) -> None:
        self.imported = imported
        self.policy: Policy = compile_policy(load_policy(imported.texts), virtual=True)
        self.hours = {name: native_hours(one) for name, one in imported.hours.items()}
        self.fields = {one.path: one for one in imported.fields.get("Case", ())}

    def compare(self, rule: ImportedRule, timelines: int, seed: int = 7) -> Comparison:
        """Return what *timelines* random timelines of *rule* come to on both sides."""
        native = native_rule(rule)
        kit = _Kit(rule, self.fields, tuple(self.hours))
        fired = late = differences = 0
        used: set[int] = set()
        examples: list[Difference] = []
        for number in range(timelines):
            chance = random.Random(f"{seed}/{rule.native.name}/{number}")
            timeline = kit.timeline(chance)
            theirs = self._native(native, rule, timeline)
            ours = self._ours(rule, timeline)
            fired += len(theirs)
            late += sum(at != due for at, due, _, _ in theirs)
            used |= {rule.ids.index(entry) for _, _, entry, _ in theirs}
            if theirs != ours:
                differences += 1
                if len(examples) < SHOWN:
                    told = tuple(event.told() for event in timeline.events)
                    examples.append(Difference(seed=number, timeline=told, native=tuple(theirs), ours=tuple(ours)))
        acting = sum(
            bool(entry.actions) and bool(name) for entry, name in zip(rule.native.entries, rule.ids, strict=True)
        )
        return Comparison(
            rule=rule.native.name, timelines=timelines, fired=fired, late=late, entries=acting,
            entries_fired=len(used), differences=differences, examples=tuple(examples),
        )  # fmt: skip

    def _native(self, native: Mapping[str, Any], rule: ImportedRule, timeline: Timeline) -> list[Line]:
        found = escalate(native, list(_saves(timeline)), self.hours, self.imported.default_hours, timeline.horizon)
        return sorted(_line(one, rule) for one in found)

    def _ours(self, rule: ImportedRule, timeline: Timeline) -> list[Line]:
        """Return what the policy does under the same `observe` and `decide` as the worker."""
        lines: set[Line] = set()
        facts: Facts | None = None
        parents: dict[tuple[str, str], dict[str, Any]] = {}
        for at, group in groupby(timeline.events, key=lambda one: one.at):
            now = from_datetime(at)
            if facts is not None:
                facts = self._advance(facts, now - 1, rule, lines)
            for step in group:
                for event in step.as_events(self.fields):
                    if event.type == "related":
                        parents.setdefault((event.object, event.id), {}).update(event.changes)
                    if event.type != "related" or facts is not None:
                        facts = observe(facts, event, self.policy, parents, "equivalence")
            assert facts is not None
            facts = self._advance(facts, now, rule, lines)
        assert facts is not None
        self._advance(facts, from_datetime(timeline.horizon), rule, lines)
        return sorted(lines)

    def _advance(self, facts: Facts, upto: int, rule: ImportedRule, lines: set[Line]) -> Facts:
        facts, decisions = advance(facts, self.policy, upto)
        for action in (action for decision in decisions for action in decision.actions):
            if action.rule in rule.ids:
                lines.add((format_instant(action.at), format_instant(action.due), action.rule, int(action.step)))
        return facts


def _line(one: Fired, rule: ImportedRule) -> Line:
    at, due = (format_instant(from_datetime(moment)) for moment in (one.at, one.due))
    return at, due, rule.ids[one.entry - 1], one.action


class Step(Struct, frozen=True, kw_only=True):
    """One event of a timeline: a save of the case (the first creates it), something else about it, or a parent's."""

    at: datetime
    kind: str
    changes: dict[str, Any]
    number: int

    def told(self) -> str:
        """Return the step for people."""
        return f"{format_instant(from_datetime(self.at))} {self.kind} {self.changes}"

    def as_events(self, fields: Mapping[str, Mapped]) -> Iterator[Event]:
        """Yield the step as events of ours; changes of parents come first."""
        at, name = from_datetime(self.at), f"step {self.number}"
        parents: dict[str, dict[str, Any]] = {}
        own: dict[str, Any] = {}
        for path, value in self.changes.items():
            spec = fields.get(path)
            if spec is not None and spec.alias:
                parents.setdefault(spec.alias, {})[spec.source] = value
                by, kind = spec.by, spec.parent
                if self.kind == "created":
                    own[by] = f"{kind}-1"
            elif spec is not None:
                own[spec.source] = value
        for alias, changes in parents.items():
            kind = next(one.parent for one in fields.values() if one.alias == alias)
            yield Event(at=at, type="related", event_id=f"{name} {alias}", object=kind, id=f"{kind}-1", changes=changes)
        if self.kind == "created":
            yield Event(at=at, type="created", event_id=name, object="Case", id="1", changes=own)
        elif self.kind == "updated":
            yield Event(at=at, type="updated", event_id=name, object="Case", id="1", changes=own)
        elif self.kind == "message":
            yield Event(at=at, type="message", event_id=name, object="Case", id="1", direction="in", body="hello")
        elif self.kind != "related":
            yield Event(at=at, type="comment", event_id=name, object="Case", id="1")


class Timeline(Struct, frozen=True):
    """The steps of one case's life, in order, and the last instant looked at."""

    events: tuple[Step, ...]
    horizon: datetime


def _saves(timeline: Timeline) -> Iterator[Save]:
    record: dict[str, Any] = {}
    for step in timeline.events:
        record = record | step.changes
        yield Save(step.at, record, step.kind in ("created", "updated"))


def _around(asked: Sequence[str]) -> list[str]:
    """Return dates or instants: those asked for, and a day before and after each."""
    days = (timedelta(), timedelta(days=-1), timedelta(days=1))
    found = [(datetime.fromisoformat(value) + day, "T" in value) for value in asked for day in days]
    return [at.astimezone(UTC).strftime(_INSTANT) if timed else at.date().isoformat() for at, timed in found]


class _Kit:
    """What random timelines of one rule are made of."""

    def __init__(self, rule: ImportedRule, fields: Mapping[str, Mapped], hours: tuple[str, ...]) -> None:
        self.rule = rule
        self.fields = fields
        self.hours = [*hours, None]
        leaves = [leaf for tree in rule.trees if tree is not None for leaf in leaves_of(tree)]
        self.paths = list(dict.fromkeys(_path(leaf.field) for leaf in leaves))
        self.stamps = [path for path in self.paths if path in fields and path in _STAMPS]
        self.paths = [path for path in self.paths if path in fields and path not in ("Case.IsClosed", *_STAMPS)]
        formulas = any(entry.criteria.formula for entry in rule.native.entries)
        self.pools = {path: self._pool(path, leaves, formulas) for path in self.paths}
        self.minutes = sorted({one.minutes for entry in rule.native.entries for one in entry.actions}) or [60]

    def _pool(self, path: str, leaves: Sequence[Leaf], formulas: bool) -> list[Any]:
        """Return values for one field: those asked for, others like them, and a blank."""
        spec = self.fields[path]
        asked = list(dict.fromkeys(v for leaf in leaves if _path(leaf.field) == path for v in leaf.values))
        if spec.type == "boolean":
            return [True, False, None]
        if spec.type == "number":
            numbers = [float(value) if "." in value else int(value) for value in asked]
            return [*numbers, *(number + 1 for number in numbers), *(number - 1 for number in numbers), None]
        if spec.type in ("date", "datetime"):
            return [*_around(asked), None]
        if path == "Case.BusinessHoursId":
            return list(dict.fromkeys([*asked, *self.hours]))
        likes = [] if formulas else [value.upper() for value in asked] + [value.lower() for value in asked]
        texts = [*asked, *likes, *(f"{value} and more" for value in asked), *(f"no {value}" for value in asked)]
        # Where nothing is known of a field, a value that is not there could be a box that is not ticked.
        boxes = any(value.casefold() in ("true", "false") for value in asked)
        return [*texts, "Something else", "", *([] if boxes else [None])]

    def timeline(self, chance: random.Random) -> Timeline:
        """Return one random life of a case."""
        created = BEGIN + timedelta(minutes=chance.randrange(SPAN_DAYS * 24 * 60), seconds=chance.choice((0, 0, 17)))
        longest = self.minutes[-1]
        steps = [Step(at=created, kind="created", changes=self._first(chance) | self._stamped(created), number=0)]
        at = created
        for number in range(1, chance.choice((1, 2, 3, 3, 4, 5, 7))):
            at = self._next_instant(chance, created, at)
            step = self._step(chance, at, number)
            saved = self._stamped(at, ("Case.LastModifiedDate",)) if step.kind == "updated" else {}
            steps.append(replace(step, changes=step.changes | saved))
        horizon = max(at, created) + timedelta(minutes=longest * 5 + 5 * 24 * 60)
        return Timeline(tuple(steps), min(horizon, created + FARTHEST))

    def _stamped(self, at: datetime, wanted: Sequence[str] = _STAMPS) -> dict[str, Any]:
        """Return what Salesforce itself writes on a record at a save, of those that the rule asks for."""
        return {path: at.strftime(_INSTANT) for path in self.stamps if path in wanted}

    def _next_instant(self, chance: random.Random, created: datetime, at: datetime) -> datetime:
        """Return an instant not before *at*: at once, when something is due (by the wall clock), or whenever."""
        minutes = min(LONGEST_WAIT, chance.choice(self.minutes))
        way = chance.random()
        if way < 0.1:
            return at
        if way < 0.4:
            exact = chance.choice((created, at)) + timedelta(minutes=minutes + chance.choice((-1, 0, 0, 1)))
            return max(exact, at)
        return at + timedelta(minutes=chance.randrange(1, max(3, 2 * minutes)))

    def _first(self, chance: random.Random) -> dict[str, Any]:
        values = {path: chance.choice(pool) for path, pool in self.pools.items()}
        values |= self._aimed(chance)
        values |= {"Case.IsClosed": False, "Case.Subject": "help"}
        values.setdefault("Case.BusinessHoursId", chance.choice(self.hours))
        return values

    def _aimed(self, chance: random.Random) -> dict[str, Any]:
        """Return values that one entry asks for, so that entries with many criteria match now and then."""
        trees = [tree for tree in self.rule.trees if tree is not None]
        if not trees or chance.random() < 0.2:
            return {}
        aimed = self._wished(chance.choice(trees), chance)
        return {path: value for path, value in aimed.items() if path in self.pools}

    def _wished(self, tree: Tree, chance: random.Random) -> dict[str, Any]:
        """Return values under which *tree* may well hold."""
        match tree:
            case All():
                return {path: value for part in tree.parts for path, value in self._wished(part, chance).items()}
            case Any_():
                return self._wished(chance.choice(tree.parts), chance) if tree.parts else {}
            case Not():
                path = _path(tree.leaf.field)
                avoided = {str(value).casefold() for value in tree.leaf.values}
                kept = [one for one in self.pools.get(path, ()) if str(one).casefold() not in avoided]
                return {path: chance.choice(kept)} if kept else {}
        path = _path(tree.field)
        if tree.op == "missing":
            return {path: None}
        if tree.op in ("in", "ticked", "contains", "starts_with", "<=", ">=", "includes") and path in self.fields:
            return {path: self._typed(path, chance.choice(tree.values))}
        return {}

    def _typed(self, path: str, value: str) -> Any:
        kind = self.fields[path].type
        if kind == "boolean":
            return value.casefold() == "true"
        return (float(value) if "." in value else int(value)) if kind == "number" else value

    def _step(self, chance: random.Random, at: datetime, number: int) -> Step:
        way = chance.random()
        parents = [path for path in self.paths if self.fields[path].alias]
        if way < 0.15:
            return Step(at=at, kind=chance.choice(("comment", "message")), changes={}, number=number)
        if way < 0.3 and parents:
            path = chance.choice(parents)
            return Step(at=at, kind="related", changes={path: chance.choice(self.pools[path])}, number=number)
        changes: dict[str, Any] = {}
        if chance.random() < 0.07:
            changes["Case.BusinessHoursId"] = chance.choice(self.hours)
        if way > 0.85:
            changes["Case.IsClosed"] = chance.random() < 0.6
        own = [path for path in self.paths if not self.fields[path].alias]
        if own and way < 0.75:
            aimed = {path: value for path, value in self._aimed(chance).items() if path in own}
            changes |= aimed if chance.random() < 0.5 else {}
            for path in chance.sample(own, chance.randint(1, min(3, len(own)))):
                changes.setdefault(path, chance.choice(self.pools[path]))
        return Step(at=at, kind="updated", changes=changes, number=number)
