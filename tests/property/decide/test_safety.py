"""Bounds that hold over any history: hops, backlog, modes, overrides."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from msgspec.structs import replace

from tests.property.decide.case import Case, shrunk
from tests.property.decide.generate import RELATED, SHORT, override, random_cases, some, waiting
from tests.property.decide.oracle import Timeline, on_event
from tests.property.decide.record import BeyondSightError
from tests.property.decide.test_instants import firings
from tests.property.decide.walk import punctual, taken
from triage.actions.effects import effect_event
from triage.domain.decision import Action
from triage.domain.facts import Facts, OwnerChange
from triage.domain.instant import DAY
from triage.domain.work import Agent
from triage.pipeline import advance, advancing
from triage.policy import Policy, RuleMode, compile_policy
from triage.rules.document import Directory, PolicyDocument, Safety
from triage.rules.language import ActionSpec, Repeat, Rule, Target

CASES = 40
OWNERSHIP = ("reassign", "move")
LOST = "pool:lost"


def _prove(block: int, wrong: Callable[[Case], str], changed: Callable[[Case], Case] = lambda case: case) -> None:
    """Ask what is *wrong* with each case of a block, *changed* first; the smallest that fails is shown."""
    for seed in range(block * 1_000, block * 1_000 + CASES):
        case = changed(random_cases(seed, 1)[0])
        if wrong(case):
            small = shrunk(case, lambda one: bool(wrong(one)))
            pytest.fail(f"{small}\n\n{wrong(small)}")


# Overrides


def overridden(case: Case) -> Case:
    """Return *case* with people's overrides and releases among its events."""
    rng = Random(case.seed)
    names = [rule.id for rule_set in case.document.rule_sets for rule in rule_set.rules]
    first = case.events[0].at // 1000
    orders = [override(rng, first + rng.randrange(SHORT - 400), n, names) for n in range(rng.randrange(1, 5))]
    return case._replace(events=tuple(sorted([*case.events, *orders], key=lambda event: event.at)))


@pytest.mark.parametrize("block", range(2))
def test_an_override_defers_exactly_to_its_end(block: int) -> None:
    """Every firing comes at the first second at which its rule holds and no override covers it, as the oracle says."""
    _prove(block, _deferred, overridden)


@pytest.mark.parametrize("block", range(2))
def test_cool_downs_and_delivery_windows_defer_to_the_second(block: int) -> None:
    """Every firing comes at the first second at which nothing makes it wait: override, cool-down or closed hours."""
    _prove(block, _deferred, _deferring)


@pytest.mark.laws
@pytest.mark.parametrize("block", range(10, 40))
def test_waits_end_to_the_second_over_many_histories(block: int) -> None:
    """The same over almost two thousand histories."""
    _prove(block, _deferred, _deferring)


def _deferring(case: Case) -> Case:
    """Return *case* with overrides, cool-downs and delivery windows, no repeats, and only rules that look at time."""
    case = waiting(overridden(case))
    sets = (
        replace(rule_set, rules=tuple(replace(rule, repeat=None) for rule in rule_set.rules if not on_event(rule)))
        for rule_set in case.document.rule_sets
    )
    return case._replace(document=replace(case.document, rule_sets=tuple(sets)))


def _deferred(case: Case) -> str:
    try:
        timeline = Timeline(case.document, list(case.events), case.end, RELATED)
    except BeyondSightError:
        return ""
    _, decisions = punctual(case.events, compile_policy(case.document, virtual=True), case.end * 1000)
    return "\n".join(firings(timeline, decisions))


@pytest.mark.parametrize("block", range(2))
def test_firings_of_a_rule_keep_its_cool_down_apart_repeats_too(block: int) -> None:
    """Two decisions that plan something for one rule lie at least its cool-down apart."""
    _prove(block, _too_soon, waiting)


def _too_soon(case: Case) -> str:
    policy = compile_policy(case.document, virtual=True)
    _, decisions = punctual(case.events, policy, case.end * 1000)
    last: dict[str, int] = {}
    for decision in decisions:
        fired = {action.rule for action in decision.actions if action.status == "planned"} - {"override"}
        for name in fired:
            if decision.at < last.get(name, 0) + policy.rules[name].cool_down:
                return f"{name} at {last[name]} and again at {decision.at}"
        last |= dict.fromkeys(fired, decision.at)
    return ""


# Modes and backlog


@pytest.mark.parametrize("block", range(2))
def test_what_was_observed_or_backlog_never_becomes_planned(block: int) -> None:
    """Promoted in mid-life, a rule acts on new episodes alone; what was noted otherwise stays what it was."""
    _prove(block, _promoted, waiting)


def _promoted(case: Case) -> str:
    """Live one rule after the other, from `observe` over `notify` to `act`; return what went wrong."""
    rng = Random(case.seed)
    names = [rule.id for rule_set in case.document.rule_sets for rule in rule_set.rules]
    begin, end = case.events[0].at, case.end * 1000
    promoted = {name: rng.randrange(begin, end) for name in names if some(rng, 0.8)}
    live_from = rng.choice((0, 0, begin + rng.randrange(SHORT) * 1000))
    other: dict[str, Action] = {}
    for action in _lived_through(case, promoted, live_from):
        floor = max(promoted.get(action.rule, 1 << 62), live_from)
        if action.status != "planned":
            other[action.key] = action
        elif action.key in other:
            return f"{other[action.key]}\nlater planned: {action}"
        elif action.rule != "override" and action.at < floor:
            return f"planned before {floor}, when it went live: {action}"
    return ""


def _lived_through(case: Case, promoted: dict[str, int], live_from: int) -> list[Action]:
    def policy_at(instant: int) -> Policy:
        modes = {name: RuleMode("act", since) for name, since in promoted.items() if since <= instant}
        return compile_policy(case.document, modes)

    instants = sorted(promoted.values())
    policies = [policy_at(instant) for instant in (0, *instants)]
    agenda = sorted([*((event.at, n) for n, event in enumerate(case.events)), *((t, -1) for t in instants)])
    facts: Facts | None = None
    actions: list[Action] = []
    for instant, number in [*agenda, (case.end * 1000, -1)]:
        before = policies[sum(since < instant for since in instants)]
        if facts is not None:
            facts, decided = advance(facts, before, instant - 1)
            actions += [action for decision in decided for action in decision.actions]
        policy = policies[sum(since <= instant for since in instants)]
        if number >= 0:
            facts = taken(facts, case.events[number], policy)
            facts = replace(facts, live_from=live_from)
        if facts is not None:
            facts, decided = advance(facts, policy, instant)
            actions += [action for decision in decided for action in decision.actions]
    return actions


def test_backlog_is_what_held_before_a_rule_went_live() -> None:
    """Whatever a virtual policy would have planned from an earlier start comes as backlog, the rest as planned."""
    compared = 0
    for seed in range(3 * CASES):
        case = random_cases(seed, 1)[0]
        live = case.events[0].at + Random(seed).randrange(SHORT) * 1000
        names = [rule.id for rule_set in case.document.rule_sets for rule in rule_set.rules]
        policy = compile_policy(case.document, {name: RuleMode("act", live) for name in names})
        _, decisions = punctual(case.events, policy, case.end * 1000)
        for decision in decisions:
            since = {(match.rule, match.step, match.episode): match.since for match in decision.matches}
            for action in decision.actions:
                started = since.get((action.rule, action.step, action.episode), action.due)
                assert action.status == ("backlog" if started < live else "planned"), f"{case}\n{action}"
                compared += 1
    assert compared > CASES


# Hops


@pytest.mark.parametrize("block", range(2))
def test_owner_changes_of_ours_stay_within_the_hop_limit(block: int) -> None:
    """Effects fed back as events: no more automatic changes in any 24 h than the limit, then the terminal pool."""
    _prove(block, _hops)


def _hops(case: Case) -> str:
    rng = Random(case.seed)
    limit = rng.randrange(1, 5)
    document = moving(case.document, rng, limit)
    policy = compile_policy(document, virtual=True)
    changes = [change for change in fed_back(case, policy) if change.after != LOST]
    for place, change in enumerate(changes):
        window = [earlier for earlier in changes[: place + 1] if earlier.at > change.at - DAY]
        if len(window) > limit:
            return f"{len(window)} changes of owner within 24 h, {limit} allowed: {window}"
    return ""


def test_random_moves_do_reach_the_hop_limit() -> None:
    """The law above is not empty: every sixth history or more ends in the terminal pool."""
    ended = 0
    for seed in range(CASES):
        case = random_cases(seed, 1)[0]
        policy = compile_policy(moving(case.document, Random(seed), 2), virtual=True)
        ended += any(change.after == LOST for change in fed_back(case, policy))
    assert ended >= CASES / 6


AGENTS = tuple(
    Agent(id=f"005{letter}", presence="online", teams=("Front",), pools=("Back",), capacity=50) for letter in "abcdefgh"
)


def moving(document: PolicyDocument, rng: Random, limit: int) -> PolicyDocument:
    """Return *document* whose rules all move the record about, some of them again and again."""
    sets = tuple(
        replace(rule_set, rules=tuple(_moving(rng, rule, rule_set.match) for rule in rule_set.rules))
        for rule_set in document.rule_sets
    )
    return replace(
        document,
        rule_sets=sets,
        directory=Directory(agents=AGENTS, teams=("Front",), pools=("Back", "lost"), queues=("Tier2",)),
        safety=Safety(hop_limit=limit, terminal_pool=rng.choice(("lost", "lost", "")), manager="005m"),
    )


def _moving(rng: Random, rule: Rule, match: str) -> Rule:
    kinds = [("team", "Front"), ("pool", "Back"), ("queue", "Tier2"), ("user", "005a"), ("user", "005z")]

    def move() -> ActionSpec:
        kind, name = rng.choice(kinds)
        return ActionSpec(kind=rng.choice(OWNERSHIP), target=Target(kind=kind, name=name))

    repeat = Repeat(every=rng.randrange(5, 300) * 1000, at_most=6, then=(move(),)) if match == "all_matches" else None
    steps = tuple(replace(step, do=(move(),)) for step in rule.steps)
    do = tuple(move() for _ in rule.do)
    return replace(rule, steps=steps, do=do, repeat=repeat if some(rng, 0.6) else None)


def fed_back(case: Case, policy: Policy) -> list[OwnerChange]:
    """Return every change of owner by a worker whose effects come back at once, as events of ours."""
    facts: Facts | None = None
    changes: list[OwnerChange] = []
    for event in [*case.events, None]:
        until = case.end * 1000 if event is None else event.at - 1
        if facts is not None:
            facts = _echoed(facts, policy, until, changes)
        if event is not None:
            facts = _echoed(taken(facts, event, policy), policy, event.at, changes)
    return changes


def _echoed(facts: Facts, policy: Policy, until: int, changes: list[OwnerChange]) -> Facts:
    while True:
        step = next(iter(advancing(facts, policy, until)), None)
        if step is None:
            return facts
        facts, decision = step
        for action in decision.actions:
            effect = effect_event(action, policy, decision.at) if action.status == "planned" else None
            if effect is not None:
                before = facts.item.fields.get("owner")
                facts = taken(facts, effect, policy)
                after = facts.item.fields.get("owner")
                if after != before:
                    changes.append(OwnerChange(decision.at, str(before), str(after), True))
