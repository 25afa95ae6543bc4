"""No effect is planned twice, whatever is edited, repeated or looked at again; a new episode is a new key."""

from __future__ import annotations

from fractions import Fraction
from random import Random

import pytest
from msgspec.structs import replace

from tests.property.decide.case import Case, shrunk
from tests.property.decide.generate import random_cases, waiting
from tests.property.decide.walk import taken
from triage.domain.decision import Action
from triage.domain.facts import Facts
from triage.pipeline import advance, after, decide
from triage.policy import Policy, compile_policy
from triage.rules.document import PolicyDocument
from triage.rules.language import AllOf, AnyOf, ClockLeaf, Condition, Negation, Rule

CASES = 35


@pytest.mark.parametrize("block", range(4))
def test_no_key_is_planned_twice_over_edits_and_repeated_looks(block: int) -> None:
    """Thresholds moved in mid-life, every advance and decision made twice: each key comes once."""
    assert sum(_check(block * 1_000 + seed) for seed in range(CASES)) > CASES


@pytest.mark.laws
@pytest.mark.parametrize("block", range(20))
def test_no_key_is_planned_twice_over_many_histories(block: int) -> None:
    """The same over three thousand histories."""
    assert sum(_check(100_000 + block * 1_000 + seed) for seed in range(150)) > 150


def _check(seed: int) -> int:
    case = waiting(random_cases(seed, 1)[0])
    if _wrong(case):
        small = shrunk(case, lambda one: bool(_wrong(one)))
        pytest.fail(f"{small}\n\n{_wrong(small)}")
    return len(_lived(case))


def _wrong(case: Case) -> str:
    seen: dict[str, Action] = {}
    episodes: dict[str, tuple[object, ...]] = {}
    for action in _lived(case):
        if action.key in seen:
            return f"planned twice: {seen[action.key]}\nand again: {action}"
        seen[action.key] = action
        what = (action.rule, action.step, action.position, action.episode)
        if episodes.setdefault(action.key, what) != what:
            return f"one key for two: {what} and {episodes[action.key]}"
    return ""


def _lived(case: Case) -> list[Action]:
    """Return all actions of a record whose policy was edited twice, everything looked at twice."""
    rng = Random(case.seed)
    begin, end = case.events[0].at, case.end * 1000
    documents = [case.document, edited(case.document, Fraction(15, 16)), edited(case.document, Fraction(9, 8))]
    policies = [compile_policy(document, virtual=True) for document in documents]
    edits = sorted(rng.randrange(begin, end) for _ in policies[1:])
    wakes = [rng.randrange(begin, end) for _ in range(4)]
    agenda = sorted([*((event.at, n) for n, event in enumerate(case.events)), *((t, -1) for t in (*wakes, *edits))])
    facts: Facts | None = None
    actions: list[Action] = []
    for instant, number in [*agenda, (end, -1)]:
        policy = policies[sum(edit <= instant for edit in edits)]
        if facts is not None:
            facts = _twice(facts, policies[sum(edit < instant for edit in edits)], instant - 1, actions)
        if number >= 0:
            facts = taken(facts, case.events[number], policy)
        if facts is not None:
            facts = _twice(facts, policy, instant, actions)
    return actions


def _twice(facts: Facts, policy: Policy, instant: int, actions: list[Action]) -> Facts:
    for _ in range(2):
        facts, decided = advance(facts, policy, instant)
        actions += [action for decision in decided for action in decision.actions]
    if facts.last_decided_at == instant:
        decision = decide(facts, policy, instant)
        actions += decision.actions
        facts = after(facts, decision)
    return facts


def edited(document: PolicyDocument, factor: Fraction) -> PolicyDocument:
    """Return *document* with every amount of a clock times *factor*: 80 % becomes 75 %."""
    return replace(
        document,
        rule_sets=tuple(
            replace(rule_set, rules=tuple(_edited_rule(rule, factor) for rule in rule_set.rules))
            for rule_set in document.rule_sets
        ),
    )


def _edited_rule(rule: Rule, factor: Fraction) -> Rule:
    steps = tuple(replace(step, over=_scaled(step.over, factor)) for step in rule.steps)
    return replace(rule, when=_edited(rule.when, factor), steps=steps)


def _edited(condition: Condition, factor: Fraction) -> Condition:
    if isinstance(condition, AllOf | AnyOf):
        return type(condition)(tuple(_edited(part, factor) for part in condition.parts))
    if isinstance(condition, Negation):
        return Negation(_edited(condition.part, factor))
    if isinstance(condition, ClockLeaf):
        return replace(condition, amount=_scaled(condition.amount, factor))
    return condition


def _scaled(amount: int | Fraction, factor: Fraction) -> int | Fraction:
    return amount * factor if isinstance(amount, Fraction) else int(amount * factor) // 1000 * 1000
