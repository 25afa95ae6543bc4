"""
A second opinion on what holds, second by second, from the contract alone; it shares no code with the deciding core.

Nothing here adds time to an instant: a clock is a running count of open seconds, and a condition is judged at every
second with three values. `Timeline` folds a record's events, paints each rule's truth over the seconds that follow, and
reads matches, changes and firings off the painted seconds. Instants are whole seconds UTC.
"""

from __future__ import annotations

import hashlib
from fractions import Fraction
from itertools import accumulate
from typing import Any, NamedTuple

from tests.property.decide.record import LADDERS, Hours, Record, Run, static
from triage.domain.work import Event
from triage.rules.document import PolicyDocument
from triage.rules.language import AllOf, AnyOf, Change, ClockLeaf, Condition, Negation, Rule, Step

SLACK = 200
"""Seconds painted beyond the next event, as if it never came: what a decision taken before it must foresee."""

LOOK_BACK = 3 * 3600, 5 * 86_400
"""How many seconds before a history's end hours are painted from, so that histories of one policy share the paint."""


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
                asked = not rule.on or event.type in rule.on
                free = self.record.free_from(rule.id, paint.begin) == paint.begin
                if asked and free and paint.truth(rule, run, 1)[0]:
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
