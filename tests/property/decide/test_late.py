"""A worker that comes late does what a punctual one did: same rules, steps, actions, due instants and keys."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from tests.property.decide.case import Case, shrunk
from tests.property.decide.generate import random_cases, waiting
from tests.property.decide.walk import late, punctual, restless
from triage.domain.decision import Action
from triage.policy import Policy, compile_policy

HISTORIES = 3


@pytest.mark.parametrize("block", range(4))
def test_late_wakes_do_what_punctual_ones_did_over_random_histories(block: int) -> None:
    """Repeats, cool-downs, delivery windows and overrides among them: `at` is all that a late wake-up may change."""
    assert sum(_compare(block * 1_000 + seed) for seed in range(50)) > 300


@pytest.mark.laws
@pytest.mark.parametrize("block", range(20))
def test_late_wakes_do_what_punctual_ones_did_over_many_histories(block: int) -> None:
    """The same over six thousand histories."""
    assert sum(_compare(100_000 + block * 1_000 + seed) for seed in range(100)) > 600


def _compare(seed: int) -> int:
    cases = [waiting(case) for case in random_cases(seed, HISTORIES)]
    policy = compile_policy(cases[0].document, virtual=True)
    compared = 0
    for case in cases:
        wrong = _differences(case, policy)
        if wrong:
            small = shrunk(case, lambda one: bool(_differences(one)))
            pytest.fail(f"{small}\n\n" + "\n".join(_differences(small)))
        compared += sum(_punctual(case, policy).values())
    return compared


def _differences(case: Case, policy: Policy | None = None) -> list[str]:
    policy = policy or compile_policy(case.document, virtual=True)
    expected = _punctual(case, policy)
    rng = Random(case.seed)
    end = case.end * 1000
    wakes = [rng.randrange(case.events[0].at, end) for _ in range(rng.randrange(1, 8))]
    workers = {
        f"woken at {sorted(wakes)}": late(case.events, policy, end, wakes),
        "woken by events alone": late(case.events, policy, end),
    }
    return [
        f"{how}: too many {list(found - expected)[:4]}, missing {list(expected - found)[:4]}"
        for how, actions in workers.items()
        if (found := _facts_of(actions)) != expected
    ]


@pytest.mark.parametrize("block", range(2))
def test_looking_more_often_finds_nothing_that_a_punctual_worker_missed(block: int) -> None:
    """A look every few seconds plans the same at the same instants: every wait that ends is among the next instants."""
    assert sum(_look_often(block * 1_000 + seed) for seed in range(30)) > 60


@pytest.mark.laws
@pytest.mark.parametrize("block", range(10))
def test_looking_more_often_finds_nothing_over_many_histories(block: int) -> None:
    """The same over five hundred histories."""
    assert sum(_look_often(100_000 + block * 1_000 + seed) for seed in range(50)) > 100


def _look_often(seed: int) -> int:
    case = waiting(random_cases(seed, 1)[0])
    if _more_seen(case):
        small = shrunk(case, lambda one: bool(_more_seen(one)))
        pytest.fail(f"{small}\n\n{_more_seen(small)}")
    return sum(_punctual(case, compile_policy(case.document, virtual=True)).values())


def _more_seen(case: Case) -> str:
    policy = compile_policy(case.document, virtual=True)
    rng, end = Random(case.seed), case.end * 1000
    looks = [1000 * rng.randrange(case.events[0].at // 1000, case.end) for _ in range(400)]
    _, decisions = punctual(case.events, policy, end)
    expected = Counter((a.at, a.key, a.status) for decision in decisions for a in decision.actions)
    found = Counter((a.at, a.key, a.status) for a in restless(case.events, policy, end, looks))
    return "" if found == expected else f"seen only by looking: {found - expected}; not then: {expected - found}"


def _punctual(case: Case, policy: Policy) -> Counter[tuple[object, ...]]:
    _, decisions = punctual(case.events, policy, case.end * 1000)
    return _facts_of([action for decision in decisions for action in decision.actions])


def _facts_of(actions: list[Action]) -> Counter[tuple[object, ...]]:
    return Counter((a.rule, a.step, a.position, a.due, a.key, a.status) for a in actions)
