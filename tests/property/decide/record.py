"""
What the contract says a record comes to after its events, and how many seconds count: the oracle's own reading of both.

Open time is painted second by second (see the calendars' oracle) and counted; nothing adds time to an instant.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

from tests.property.calendars.oracle import Oracle as OpenTime
from triage.domain.work import Event
from triage.rules.document import MilestoneSpec, PolicyDocument
from triage.rules.language import AllOf, AnyOf, Condition, Leaf, Negation

SAVES = ("created", "updated", "deleted", "undeleted")
COUNTERS = ("inbound_count", "outbound_count", "reopen_count", "reassignment_count")
QUEUES = ("00G", "queue:", "pool:", "team:")
MINUTES = b"\0" * 60, b"\1" * 60


class Run:
    """One run of a milestone: its start, when it completed or was stopped, and the seconds it was paused for."""

    def __init__(self, name: str, start: int) -> None:
        self.name = name
        self.start = start
        self.target: int | None = None
        self.done = False
        self.stopped = False
        self.pauses: list[list[int | None]] = []

    @property
    def open(self) -> bool:
        """Say whether its clock is one that rules can read."""
        return not self.done and not self.stopped


class Hours:
    """Open seconds by name, painted once for the whole of a history."""

    def __init__(self, document: PolicyDocument, begin: int, end: int) -> None:
        self.begin = begin - begin % 60
        self.end = end + 60 - end % 60
        self._painted = {"none": b"\1" * (self.end - self.begin)}
        for name, definition in document.calendars.items():
            self._painted[name] = _painted(msgspec.json.encode(definition), self.begin, self.end)
        self._kept: dict[Any, bytes] = {}
        self._reached: dict[Any, int | None] = {}

    def counting(self, name: str, pauses: Any = ()) -> bytes:
        """Return one byte a second: 1 where the hours are open and no pause runs."""
        if not pauses:
            return self._painted[name]
        key = (name, tuple(tuple(pause) for pause in pauses))
        if key not in self._kept:
            counted = bytearray(self._painted[name])
            for start, end in pauses:
                low, high = max(0, start - self.begin), len(counted) if end is None else max(0, end - self.begin)
                counted[low:high] = bytes(high - low)
            self._kept[key] = bytes(counted)
        return self._kept[key]

    def used(self, name: str, start: int, second: int, pauses: Any = ()) -> int:
        """Return how many seconds count from *start* to *second*."""
        return self.counting(name, pauses).count(1, max(0, start - self.begin), max(0, second - self.begin))

    def used_up(self, name: str, start: int, amount: int, pauses: Any = ()) -> int | None:
        """Return the first second at which *amount* is used up, counting one second after the other."""
        key = (name, start, amount, tuple(tuple(pause) for pause in pauses))
        if key not in self._reached:
            self._reached[key] = self._one_by_one(self.counting(name, pauses), start, amount)
        return self._reached[key]

    def _one_by_one(self, counted: bytes, start: int, amount: int) -> int | None:
        if amount <= 0:
            return start
        place = max(0, start - self.begin)
        while amount:
            place = counted.find(1, place) + 1
            if not place:
                return None
            amount -= 1
        return self.begin + place

    def opens(self, name: str, second: int) -> int | None:
        """Return the first open second from *second* on."""
        if second >= self.end:
            return None
        place = self.counting(name).find(1, second - self.begin)
        return None if place < 0 else self.begin + place


@lru_cache(maxsize=8)
def _painted(definition: bytes, begin: int, end: int) -> bytes:
    units = OpenTime(_without_none(msgspec.json.decode(definition)), begin, end, 60).units
    return b"".join(MINUTES[unit] for unit in units)


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    return [_without_none(inner) for inner in value] if isinstance(value, list | tuple) else value


class Record:
    """What the contract says a record comes to after its events: values, clock starts, milestones, entries in force."""

    def __init__(self, document: PolicyDocument, hours: Hours, related: Any) -> None:
        self.document = document
        self.config = document.objects["Case"]
        self.sources = {spec.source: spec.name for spec in self.config.spec.fields}
        self.hours = hours
        self.related = related
        self.fields: dict[str, Any] = {}
        self.before: dict[str, Any] = {}
        self.marks: dict[str, int] = {}
        self.runs: dict[str, Run] = {}
        self.in_force: dict[str, tuple[str, int]] = {}
        self.deleted = False
        self.orders: list[tuple[int, int | None, tuple[str, ...]]] = []

    @property
    def closed(self) -> bool:
        """Say whether only rules for closed records may hold."""
        return self.deleted or self.fields["is_closed"]

    def own_hours(self, name: str) -> str:
        """Return the calendar behind *name*: `record` is the one its own field names, else its object's."""
        if name != "record":
            return name
        own = self.fields.get("calendar")
        return own if own in self.document.calendars else self.config.calendar

    def take(self, event: Event) -> None:
        """Fold *event* in."""
        at = event.at // 1000
        self.before = dict(self.fields)
        owner = self.fields.get("owner")
        if event.type == "created":
            self.fields |= {"is_contacted": False, "awaiting_reply": False} | dict.fromkeys(COUNTERS, 0)
        self._values(event)
        if event.type == "created":
            self.marks |= dict.fromkeys(("created", "created_until_modified", "last_modified", "last_contact"), at)
        elif event.type == "updated" and event.origin != "triage":
            self.marks["last_modified"] = at
            self.marks.pop("created_until_modified", None)
        elif event.type == "message" and event.direction == "out" and not event.auto:
            self.marks["last_contact"] = at
        if event.type in ("created", "updated") and self.fields.get("owner") != owner:
            self._owned(at)
        if event.type in ("deleted", "undeleted"):
            self.deleted = event.type == "deleted"
        if event.type == "override":
            self._ordered(event)
        self._derive()
        for spec in self.document.milestones:
            self._follow(spec, at)
        self._latch(event, at)

    def _ordered(self, event: Event) -> None:
        rules = event.rules or ("*",)
        if event.action == "release":
            self.orders = [one for one in self.orders if "*" not in rules and not set(one[2]) <= set(rules)]
        else:
            self.orders.append((event.at // 1000, None if event.until is None else event.until // 1000, rules))

    def free_from(self, rule: str, second: int) -> int | None:
        """Return the first second from *second* on at which no person's word keeps *rule* off; None for never."""
        for _ in self.orders:
            for _, until, rules in self.orders:
                if "*" in rules or rule in rules:
                    if until is None:
                        return None
                    second = max(second, until)
        return second

    def _values(self, event: Event) -> None:
        if event.type in ("created", "updated"):
            for source, value in event.changes.items():
                if source == "AccountId":
                    self.fields["account.id"] = value
                    self._set("account.tier", self.related.get(("Account", value), {}).get("SLA__c"))
                else:
                    self._set(self.sources[source], value)
        elif event.type == "scored":
            for name, value in event.scores.items():
                self._set(name, value)
        elif event.type == "related" and event.id == self.fields.get("account.id"):
            self._set("account.tier", event.changes.get("SLA__c"))
        elif event.type == "message" and not event.auto:
            self.fields["awaiting_reply"] = event.direction == "in"
            count = "inbound_count" if event.direction == "in" else "outbound_count"
            self.fields[count] = self.fields.get(count, 0) + 1
            if event.direction == "out":
                self.fields["is_contacted"] = True

    def _set(self, name: str, value: Any) -> None:
        self.fields.pop(name, None)
        if value is not None:
            self.fields[name] = tuple(value) if isinstance(value, list) else value

    def _owned(self, at: int) -> None:
        if "owner" in self.before:
            self.fields["reassignment_count"] = self.fields.get("reassignment_count", 0) + 1
        self.marks.pop("assigned", None)
        self.marks.pop("queued", None)
        owner = self.fields.get("owner")
        if owner is not None:
            self.marks["queued" if owner.startswith(QUEUES) else "assigned"] = at

    def _derive(self) -> None:
        was = self.before.get("is_closed", False)
        self.fields["is_closed"] = self.fields.get("status") == "Closed"
        self.fields["owner_is_queue"] = str(self.fields.get("owner", "")).startswith(QUEUES)
        if was and not self.fields["is_closed"]:
            self.fields["reopen_count"] = self.fields.get("reopen_count", 0) + 1

    def _true(self, condition: Condition | None) -> bool:
        return condition is not None and static(condition, self.fields) is True

    def _follow(self, spec: MilestoneSpec, at: int) -> None:
        wanted = spec.start is None or self._true(spec.start)
        done, stop = self._true(spec.complete), self._true(spec.stop)
        run = self.runs.get(spec.name)
        if run is None:
            if not wanted or (spec.start is not None and done):
                return
            run = Run(spec.name, self.marks["created"] if spec.start is None else at)
        elif run.done and spec.recurrence != "none":
            if not wanted or done:
                return
            due = self._due(spec, run) if spec.recurrence == "chained" else None
            run = Run(spec.name, at if due is None else max(at, due))
        self.runs[spec.name] = run
        run.target = self._target(spec)
        run.done = done
        if run.stopped and wanted and not stop:
            run.stopped = False
        elif stop and not done:
            run.stopped = True
        paused = self._true(spec.pause) and run.open
        if paused and not (run.pauses and run.pauses[-1][1] is None):
            run.pauses.append([at, None])
        elif not paused and run.pauses and run.pauses[-1][1] is None:
            run.pauses[-1][1] = at

    def _target(self, spec: MilestoneSpec) -> int | None:
        for target in spec.targets:
            if target.when is None or self._true(target.when):
                return target.allowed // 1000 if target.allowed else None
        return None

    def _due(self, spec: MilestoneSpec, run: Run) -> int | None:
        if not run.target:
            return None
        due = self.hours.used_up(self.own_hours(spec.hours), run.start, run.target, run.pauses)
        if due is None:
            raise BeyondSightError
        return due

    def _latch(self, event: Event, at: int) -> None:
        for rule_set in self.document.rule_sets:
            if rule_set.match != "first_match":
                continue
            if rule_set.reevaluate_on == "record" and event.type not in SAVES:
                continue
            chosen = next(
                (r for r in rule_set.rules if (r.while_closed or not self.closed) and self._true(r.when)), None
            )
            held = self.in_force.get(rule_set.id)
            if chosen is None:
                self.in_force.pop(rule_set.id, None)
            elif held is None or held[0] != chosen.id:
                self.in_force[rule_set.id] = (chosen.id, at)


class BeyondSightError(Exception):
    """The answer lies beyond the seconds that were painted; the case is passed over."""


def static(condition: Condition, fields: Any) -> bool | None:
    """Return what a condition of static leaves comes to on *fields*; None is unknown."""
    if isinstance(condition, Negation):
        inner = static(condition.part, fields)
        return None if inner is None else not inner
    if isinstance(condition, AllOf | AnyOf):
        found = [static(part, fields) for part in condition.parts]
        decisive = isinstance(condition, AnyOf)
        return decisive if decisive in found else None if None in found else not decisive
    assert isinstance(condition, Leaf)
    answer = _leaf(condition, fields)
    return answer if answer is None or not condition.negate else not answer


def _leaf(leaf: Leaf, fields: Any) -> bool | None:
    value = fields.get(leaf.field)
    if leaf.op in ("is missing", "is present"):
        return (value is None) == (leaf.op == "is missing")
    if value is None:
        return None
    folded = leaf.field in FREE
    wanted = [_fold(one) if folded else one for one in leaf.values]
    match leaf.op:
        case "==" | "in" | "!=" | "not in":
            return ((_fold(value) if folded else value) in wanted) == (leaf.op in ("==", "in"))
        case "is true" | "is false":
            return (value is True) == (leaf.op == "is true")
        case "contains":
            return any(_fold(one) in _fold(value) for one in leaf.values)
        case "starts_with":
            return any(_fold(value).startswith(_fold(one)) for one in leaf.values)
        case "includes" | "excludes":
            return any(_fold(part) in [_fold(one) for one in leaf.values] for part in value) == (leaf.op == "includes")
    if leaf.field in LADDERS:
        if value not in LADDERS[leaf.field]:
            return False
        value, bound = LADDERS[leaf.field].index(value), LADDERS[leaf.field].index(leaf.values[0])
    else:
        bound = leaf.values[0]
    return {"<": value < bound, "<=": value <= bound, ">": value > bound, ">=": value >= bound}[leaf.op]


FREE = ("status", "owner", "subject")
LADDERS = {"priority": ("Low", "Medium", "High")}


def _fold(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value
