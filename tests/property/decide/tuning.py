"""Amounts of a policy's clocks set so that they run out in the course of a history."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from msgspec.structs import replace

from tests.property.decide.oracle import LOOK_BACK, SLACK, Paint
from tests.property.decide.record import BeyondSightError, Hours, Record, static
from triage.domain.work import Event
from triage.rules.document import PolicyDocument
from triage.rules.language import (
    AllOf,
    AnyOf,
    ClockLeaf,
    Condition,
    Leaf,
    Negation,
    Rule,
    Step,
)


class Tuning:
    """A policy's amounts set to what its clocks show at some second of a history, so that they run out in it."""

    def __init__(
        self, rng: Random, document: PolicyDocument, events: tuple[Event, ...], end: int, related: Any
    ) -> None:
        self._rng = rng
        self._document = document
        hours = Hours(document, end - LOOK_BACK[end - events[0].at // 1000 > LOOK_BACK[0]], end + SLACK + 60)
        self._paints = []
        for place, event in enumerate(events):
            record = Record(document, hours, related)
            try:
                for earlier in events[: place + 1]:
                    record.take(earlier)
            except BeyondSightError:
                break
            until = events[place + 1].at // 1000 if place + 1 < len(events) else end
            if until > event.at // 1000:
                self._paints.append((Paint(record, event.at // 1000, 1), until))

    def document(self) -> PolicyDocument:
        """Return the policy, most of its amounts replaced."""
        sets = tuple(
            replace(rule_set, rules=tuple(map(self._rule, rule_set.rules))) for rule_set in self._document.rule_sets
        )
        return replace(self._document, rule_sets=sets)

    def _rule(self, rule: Rule) -> Rule:
        steps = tuple(replace(step, over=self._amount(step, step.over, step.hours)) for step in rule.steps)
        return replace(rule, when=self._condition(rule.when, rule), steps=steps)

    def _condition(self, condition: Condition, rule: Rule) -> Condition:
        if isinstance(condition, AllOf | AnyOf):
            return type(condition)(tuple(self._condition(part, rule) for part in condition.parts))
        if isinstance(condition, Negation):
            return Negation(self._condition(condition.part, rule))
        if isinstance(condition, ClockLeaf):
            return replace(condition, amount=self._amount(condition, condition.amount, condition.hours or rule.hours))
        if isinstance(condition, Leaf) and self._rng.random() < 0.6:
            paint, _ = self._rng.choice(self._paints)
            return replace(condition, negate=condition.negate ^ (static(condition, paint.record.fields) is False))
        return condition

    def _amount(self, asked: ClockLeaf | Step, amount: int | Fraction, hours: str) -> int | Fraction:
        if self._rng.random() < 0.2:
            return amount
        paint, until = self._rng.choice(self._paints)
        runs = [run for run in paint.record.runs.values() if run.open]
        clock = paint.running(asked.clock, hours, self._rng.choice(runs) if runs and asked.clock == "sla" else None)
        if clock is None:
            return amount
        start, hours, pauses, target = clock
        used = paint.record.hours.used(hours, start, self._rng.randrange(paint.begin, until), pauses)
        if asked.of_remaining:
            used = max(0, (target or 0) - used)
        return Fraction(used, target) if isinstance(amount, Fraction) and target else used * 1000
