"""One policy and one history of one record: told in a few lines, and made smaller while it still fails."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

from msgspec.structs import replace

from triage.domain.instant import format_instant
from triage.domain.work import Event
from triage.rules.document import PolicyDocument
from triage.rules.language import (
    AllOf,
    AnyOf,
    Change,
    ClockLeaf,
    Condition,
    Negation,
    Rule,
)


class Case(NamedTuple):
    """One policy and one history of one record, from the first event to `end` (seconds UTC)."""

    seed: int
    document: PolicyDocument
    events: tuple[Event, ...]
    end: int

    def __str__(self) -> str:
        lines = [f"seed {self.seed}, until {format_instant(self.end * 1000)}"]
        for name, definition in self.document.calendars.items():
            lines.append(f"calendar {name}: {definition}")
        lines.append(f"object's calendar: {self.document.objects['Case'].calendar}")
        lines += [f"milestone {spec}" for spec in self.document.milestones]
        for rule_set in self.document.rule_sets:
            lines.append(f"{rule_set.match} {rule_set.id} ({rule_set.reevaluate_on})")
            lines += [f"  {said(rule)}" for rule in rule_set.rules]
        for event in self.events:
            rest = {name: value for name, value in _plain(event).items() if name not in ("at", "type", "event_id")}
            lines.append(f"{format_instant(event.at)} {event.type} {rest}")
        return "\n".join(lines)


def _plain(event: Event) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__struct_fields__ if getattr(event, name)}


def said(rule: Rule) -> str:
    """Return *rule* in a line: only what is not as usual."""
    plain = {name: getattr(rule, name) for name in rule.__struct_fields__ if name not in ("when", "do", "steps")}
    usual = {name: getattr(Rule(id="", when=AllOf(())), name) for name in plain}
    other = {name: value for name, value in plain.items() if value != usual[name]}
    steps = "; ".join(
        f"{s.id}: {s.clock} {'-' if s.of_remaining else ''}{_amount(s.over)} in {s.hours}" for s in rule.steps
    )
    return f"{other} when {_worded(rule.when)} {steps} do {len(rule.do)}"


def _worded(condition: Condition) -> str:
    if isinstance(condition, Negation):
        return f"not({_worded(condition.part)})"
    if isinstance(condition, AllOf | AnyOf):
        word = "all" if isinstance(condition, AllOf) else "any"
        return f"{word}({', '.join(map(_worded, condition.parts))})"
    if isinstance(condition, ClockLeaf):
        side = "remaining" if condition.of_remaining else "used"
        bound = f"{'until' if condition.until else 'from'} {_amount(condition.amount)} in {condition.hours!r}"
        return f"{condition.clock} {side} {bound}"
    if isinstance(condition, Change):
        return f"became({_worded(condition.became)})" if condition.became is not None else f"raised {condition.raised}"
    return f"{'NOT ' if condition.negate else ''}{condition.field} {condition.op} {condition.values}"


def _amount(amount: Any) -> str:
    return str(amount) if isinstance(amount, Fraction) else f"{amount // 1000}s"


def smaller(case: Case) -> list[Case]:
    """Return *case* with one thing less, every way there is: an event, a rule, a step, a part of a condition."""
    found = [case._replace(events=(*case.events[:n], *case.events[n + 1 :])) for n in range(1, len(case.events))]
    found += [case._replace(document=document) for document in _smaller_documents(case.document)]
    return found


def _smaller_documents(document: PolicyDocument) -> list[PolicyDocument]:
    found = []
    for place, rule_set in enumerate(document.rule_sets):
        for number, rule in enumerate(rule_set.rules):
            choices: list[tuple[Rule, ...]] = [()]
            choices += [(replace(rule, steps=_less(rule.steps, n)),) for n in range(len(rule.steps))]
            choices += [(replace(rule, when=when),) for when in _smaller_conditions(rule.when)]
            for choice in choices:
                rules = (*rule_set.rules[:number], *choice, *rule_set.rules[number + 1 :])
                sets = (*document.rule_sets[:place], replace(rule_set, rules=rules), *document.rule_sets[place + 1 :])
                found.append(replace(document, rule_sets=sets))
    for number, spec in enumerate(document.milestones):
        for key in ("start", "complete", "pause", "stop"):
            if getattr(spec, key) is not None:
                milestones = (*document.milestones[:number], replace(spec, **{key: None}))
                found.append(replace(document, milestones=(*milestones, *document.milestones[number + 1 :])))
    return found


def _less(items: tuple[Any, ...], place: int) -> tuple[Any, ...]:
    return (*items[:place], *items[place + 1 :])


def _smaller_conditions(condition: Condition) -> list[Condition]:
    if isinstance(condition, Negation):
        return [condition.part, *(Negation(part) for part in _smaller_conditions(condition.part))]
    if not isinstance(condition, AllOf | AnyOf):
        return []
    kind = type(condition)
    found: list[Condition] = [kind(_less(condition.parts, n)) for n in range(len(condition.parts))]
    for n, part in enumerate(condition.parts):
        found += [kind((*condition.parts[:n], inner, *condition.parts[n + 1 :])) for inner in _smaller_conditions(part)]
    return found


def shrunk(case: Case, fails: Callable[[Case], bool], tries: int = 400) -> Case:
    """Return the smallest case that *tries* attempts find in *case* while *fails* still says so."""
    left = iter(smaller(case))
    for _ in range(tries):
        simpler = next(left, None)
        if simpler is None:
            break
        if fails(simpler):
            case, left = simpler, iter(smaller(simpler))
    return case
