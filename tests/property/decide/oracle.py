"""
A second opinion on what holds, second by second, written from the contract alone; shares no code with the deciding core.

Nothing here adds time to an instant: a clock is a running count of open seconds, and a condition is judged at every
second with three values. `Timeline` folds a record's events, paints each rule's truth over the seconds that follow, and
reads matches, changes and firings off the painted seconds. Instants are whole seconds UTC.
"""

from __future__ import annotations

import hashlib
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate
from typing import Any, NamedTuple

import msgspec

from tests.property.calendars.oracle import Oracle as OpenTime
from triage.domain.work import Event
from triage.rules.document import MilestoneSpec, PolicyDocument
from triage.rules.language import AllOf, AnyOf, Change, ClockLeaf, Condition, Leaf, Negation, Rule, Step

SLACK = 200
"""Seconds painted beyond the next event, as if it never came: what a decision taken before it must foresee."""

LOOK_BACK = 3 * 3600, 5 * 86_400
"""How many seconds before a history's end hours are painted from, so that histories of one policy share the paint."""

SAVES = ("created", "updated", "deleted", "undeleted")
COUNTERS = ("inbound_count", "outbound_count", "reopen_count", "reassignment_count")
QUEUES = ("00G", "queue:", "pool:", "team:")
MINUTES = b"\0" * 60, b"\1" * 60


class Held(NamedTuple):
    """One rule, step or milestone of a rule that holds, since when, and the episode it fires once for."""

    rule: str
    step: str
    subject: str
    since: int
    due: int
    episode: str


class Fired(NamedTuple):
    """One action of one firing, as it must come out of the core."""

    rule: str
    step: str
    position: int
    due: int
    at: int
    key: str


class Stretch(NamedTuple):
    """The seconds from one event to the next (`end`), and what holds from each second on at which that changes."""

    begin: int
    end: int
    changes: tuple[tuple[int, frozenset[Held]], ...]

    def held(self, second: int) -> frozenset[Held]:
        """Return what holds at *second*."""
        return [what for start, what in self.changes if start <= second][-1]

    def next_change(self, second: int) -> int | None:
        """Return the first second after *second* at which something else holds, if no event comes before."""
        return next((start for start, _ in self.changes if start > second), None)


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


class Timeline:
    """One record's whole life under one policy: a Stretch for every event, and every firing."""

    def __init__(self, document: PolicyDocument, events: list[Event], end: int, related: Any, org: str = "o") -> None:
        self.document = document
        self.org = org
        self.hours = Hours(document, end - LOOK_BACK[end - events[0].at // 1000 > LOOK_BACK[0]], end + SLACK + 60)
        self.stretches: list[Stretch] = []
        self.fired: list[Fired] = []
        self._marks: set[tuple[str, str, str]] = set()
        self._since: dict[tuple[str, str, str], int] = {}
        self._named = {rule.id: rule for rule_set in document.rule_sets for rule in rule_set.rules}
        self._last: dict[str, int] = {}
        self.record = Record(document, self.hours, related)
        for event, following in zip(events, [*events[1:], None], strict=True):
            self.record.take(event)
            begin = event.at // 1000
            # Events come before timers of their instant; the last second of all is looked at too.
            self._paint(event, begin, end + 1 if following is None else following.at // 1000)

    def _paint(self, event: Event, begin: int, end: int) -> None:
        paint = Paint(self.record, begin, max(end, begin + 1) - begin + SLACK)
        held: list[tuple[int, int, Held]] = []
        for rule_set in self.document.rule_sets:
            if rule_set.match == "all_matches":
                for rule in rule_set.rules:
                    if rule.while_closed or not self.record.closed:
                        held += self._rule(rule, paint, event)
            elif rule_set.id in self.record.in_force:
                name, since = self.record.in_force[rule_set.id]
                rule = next(rule for rule in rule_set.rules if rule.id == name)
                if rule.while_closed or not self.record.closed:
                    held += [found for step in rule.steps for found in paint.step(rule, step, since)]
        last = max(end - 1, begin)
        self._since = {
            (what.rule, what.step, what.subject): what.since for start, stop, what in held if start <= last < stop
        }
        self._fire_in_order(held, last)
        self.stretches.append(Stretch(begin, end, _changes(held, begin, begin + paint.count)))

    def _fire_in_order(self, held: list[tuple[int, int, Held]], last: int) -> None:
        """Fire what holds, each at the first second at which nothing makes it wait; those of one second together."""
        waiting = [one for one in held if self._mark(one[2]) not in self._marks]
        while True:
            times = [(self._ready(what.rule, start), stop, what) for start, stop, what in waiting]
            able = [(at, what) for at, stop, what in times if at is not None and at <= last and at < stop]
            if not able:
                return
            first = min(at for at, _ in able)
            for at, what in able:
                if at == first:
                    self._fire(what, at)
            self._last |= {what.rule: first for at, what in able if at == first}
            waiting = [one for one in waiting if self._mark(one[2]) not in self._marks]

    def _ready(self, name: str, second: int) -> int | None:
        """Return the first second from *second* on outside overrides and cool-down, inside the delivery window."""
        rule = self._named[name]
        own = self.record.own_hours("record" if rule.hours == "none" else rule.hours)
        while True:
            ready = self.record.free_from(name, second)
            if ready is not None and rule.cool_down and name in self._last:
                ready = max(ready, self._last[name] + rule.cool_down // 1000)
            if ready is not None and rule.deliver == "in_hours":
                ready = self.hours.opens(own, ready)
            if ready is None or ready == second:
                return ready
            second = ready

    def _mark(self, what: Held) -> tuple[str, str, str]:
        return what.rule, what.step, what.episode

    def _rule(self, rule: Rule, paint: Paint, event: Event) -> list[tuple[int, int, Held]]:
        found = []
        for run in paint.subjects(rule):
            subject = "" if run is None else run.name
            if on_event(rule):
                if (not rule.on or event.type in rule.on) and paint.truth(rule, run, 1)[0]:
                    if self.record.free_from(rule.id, paint.begin) == paint.begin:
                        episode = self._event(rule, run, event)
                        self._fire(Held(rule.id, "", subject, paint.begin, paint.begin, episode), paint.begin)
                continue
            for start, stop in _ones(paint.truth(rule, run)):
                since = paint.begin + start
                if start == 0:
                    since = self._since.get((rule.id, "", subject), since)
                what = Held(rule.id, "", subject, since, since, self._episode(rule, run, since))
                found.append((paint.begin + start, paint.begin + stop, what))
        return found

    def _event(self, rule: Rule, run: Run | None, event: Event) -> str:
        if rule.once in ("per_record", "per_milestone"):
            return self._episode(rule, run, event.at // 1000)
        return f"event:{event.event_id}"

    def _episode(self, rule: Rule, run: Run | None, since: int) -> str:
        created = self.record.marks["created"]
        if rule.once == "per_record":
            return f"clock:created:{created}000"
        if rule.once != "per_episode":
            if run is not None:
                return f"clock:{run.name}:{run.start}000"
            for leaf in _clock_leaves(rule.when):
                name = leaf.clock.removeprefix("milestone:")
                start = self.record.marks.get(leaf.clock)
                if leaf.clock.startswith("milestone:") and name in self.record.runs and self.record.runs[name].open:
                    start = self.record.runs[name].start
                if start is not None:
                    return f"clock:{name}:{start}000"
        return f"state:{since}000"

    def _fire(self, what: Held, at: int) -> None:
        if self._mark(what) in self._marks:
            return
        self._marks.add(self._mark(what))
        rule = self._named[what.rule]
        do = next((step.do for step in rule.steps if step.id == what.step), rule.do)
        for position in range(len(do)):
            text = f"{self.org}|Case|{RECORD}|{what.rule}|{what.step}|{position}|{what.episode}"
            key = hashlib.sha256(text.encode()).hexdigest()
            self.fired.append(Fired(what.rule, what.step, position, what.due, at, key))


RECORD = "500X"


def on_event(rule: Rule) -> bool:
    """Say whether *rule* looks at single events: it names their types, or holds a change trigger."""
    return bool(rule.on) or any(isinstance(leaf, Change) for leaf in every_leaf(rule.when))


def every_leaf(condition: Condition) -> list[Any]:
    """Return the leaves of *condition* in the order written."""
    if isinstance(condition, AllOf | AnyOf):
        return [leaf for part in condition.parts for leaf in every_leaf(part)]
    return every_leaf(condition.part) if isinstance(condition, Negation) else [condition]


def _clock_leaves(condition: Condition) -> list[ClockLeaf]:
    return [leaf for leaf in every_leaf(condition) if isinstance(leaf, ClockLeaf)]


class Paint:
    """Truth over the *count* seconds from *begin*, one byte a second; a pair of such numbers for TRUE and FALSE."""

    def __init__(self, record: Record, begin: int, count: int) -> None:
        self.record = record
        self.begin = begin
        self.count = count
        self.full = int.from_bytes(b"\1" * count)

    def subjects(self, rule: Rule) -> list[Run | None]:
        """Return the open milestones that *rule* is judged for, one by one; just None where it names none at large."""
        if any(leaf.clock == "sla" for leaf in _clock_leaves(rule.when)):
            return [run for run in self.record.runs.values() if run.open]
        return [None]

    def truth(self, rule: Rule, run: Run | None, count: int | None = None) -> bytes:
        """Return 1 for every second at which *rule* is TRUE."""
        true, _ = self._judge(rule.when, rule, run)
        return true.to_bytes(self.count)[:count]

    def _judge(self, condition: Condition, rule: Rule, run: Run | None) -> tuple[int, int]:
        if isinstance(condition, Negation):
            true, false = self._judge(condition.part, rule, run)
            return false, true
        if isinstance(condition, AllOf | AnyOf):
            pairs = [self._judge(part, rule, run) for part in condition.parts]
            every = isinstance(condition, AllOf)
            true, false = (self.full, 0) if every else (0, self.full)
            for other_true, other_false in pairs:
                true, false = (
                    (true & other_true, false | other_false) if every else (true | other_true, false & other_false)
                )
            return true, false
        if isinstance(condition, ClockLeaf):
            return self._clock(condition, rule, run)
        if isinstance(condition, Change):
            return (self.full, 0) if self._changed(condition) else (0, self.full)
        answer = static(condition, self.record.fields)
        return (0, 0) if answer is None else (self.full, 0) if answer else (0, self.full)

    def _clock(self, leaf: ClockLeaf, rule: Rule, run: Run | None) -> tuple[int, int]:
        clock = self.running(leaf.clock, leaf.hours or rule.hours, run)
        amount = None if clock is None else _amount(leaf, clock[3])
        if clock is None or amount is None:
            return 0, 0
        start, hours, pauses, _ = clock
        counted = self.record.hours.counting(hours, pauses)
        place = self.begin - self.record.hours.begin
        used = accumulate(
            counted[place : place + self.count - 1],
            initial=self.record.hours.used(hours, start, self.begin, pauses),
        )
        if start > self.begin:
            late = counted[start - self.record.hours.begin : place + self.count - 1]
            used = iter([*[-1] * min(start - self.begin, self.count), *accumulate(late, initial=0)][: self.count])
        up = int.from_bytes(bytes(map(amount.__le__, used)))
        return (self.full ^ up, up) if leaf.until else (up, self.full ^ up)

    def running(self, clock: str, hours: str, run: Run | None) -> tuple[int, str, Any, int | None] | None:
        """Return start, hours, pauses and target of *clock*; None where it does not run."""
        if clock != "sla" and not clock.startswith("milestone:"):
            start = self.record.marks.get(clock)
            return None if start is None else (start, self.record.own_hours(hours), (), None)
        if clock != "sla":
            run = self.record.runs.get(clock[10:])
        if run is None or not run.open:
            return None
        spec = next(spec for spec in self.record.document.milestones if spec.name == run.name)
        return run.start, self.record.own_hours(spec.hours), run.pauses, run.target

    def _changed(self, change: Change) -> bool:
        before, now = self.record.before, self.record.fields
        if change.became is not None:
            return static(change.became, now) is True and static(change.became, before) is not True
        old, new = before.get(change.raised), now.get(change.raised)
        if old is None or new is None:
            return False
        ladder = LADDERS.get(change.raised)
        return new > old if ladder is None else ladder.index(new) > ladder.index(old)

    def step(self, rule: Rule, step: Step, since: int) -> list[tuple[int, int, Held]]:
        """Return from when to when *step* of an entry in force since *since* holds: at most once in these seconds."""
        found = []
        runs = [run for run in self.record.runs.values() if run.open] if step.clock == "sla" else [None]
        for run in runs:
            clock = self.running(step.clock, step.hours, run)
            amount = None if clock is None else _amount(step, clock[3])
            if clock is None or amount is None:
                continue
            start, hours, pauses, _ = clock
            due = self.record.hours.used_up(hours, start, amount, pauses)
            from_ = due
            if due is not None and due < since:
                from_ = since if step.hours == "none" else self.record.hours.opens(hours, since)
            if due is not None and from_ is not None and from_ < self.begin + self.count:
                name = step.clock.removeprefix("milestone:") if run is None else run.name
                subject = "" if run is None else run.name
                what = Held(rule.id, step.id, subject, from_, due, f"clock:{name}:{start}000")
                found.append((max(from_, self.begin), self.begin + self.count, what))
        return found


def _amount(asked: ClockLeaf | Step, target: int | None) -> int | None:
    """Return the seconds that must be used up, rounded up; None for a share of a target that is not there."""
    amount = asked.amount if isinstance(asked, ClockLeaf) else asked.over
    if isinstance(amount, Fraction):
        if not target:
            return None
        exact = (1 - amount if asked.of_remaining else amount) * target
        return max(0, -int(-exact // 1))
    if asked.of_remaining:
        return None if not target else max(0, target - amount // 1000)
    return amount // 1000


def _ones(truth: bytes) -> list[tuple[int, int]]:
    found, place = [], truth.find(1)
    while place >= 0:
        stop = truth.find(0, place)
        stop = len(truth) if stop < 0 else stop
        found.append((place, stop))
        place = truth.find(1, stop)
    return found


def _changes(held: list[tuple[int, int, Held]], begin: int, end: int) -> tuple[tuple[int, frozenset[Held]], ...]:
    edges = sorted({begin, *(start for start, _, _ in held), *(stop for _, stop, _ in held if stop < end)})
    return tuple((edge, frozenset(what for start, stop, what in held if start <= edge < stop)) for edge in edges)
