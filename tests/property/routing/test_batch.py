"""Laws of giving out many records at once, against every plan there is and against one by one."""

from __future__ import annotations

import random

import pytest

from tests.property.routing.people import DESK, best_by_force, scene
from triage.domain.work import Agent
from triage.routing.batch import Plan, assign_batch
from triage.routing.choose import choose
from triage.routing.eligible import why_not
from triage.routing.wanted import Wanted
from triage.rules.grammar import MATCHES


def check(plan: Plan, items: list[Wanted], agents: list[Agent]) -> None:
    """Every record is given out or stays, and nobody gets what they cannot take."""
    assert sorted([one.key for one in plan.placed] + [one.key for one in plan.staying]) == [one.key for one in items]
    known, wanted = {agent.id: agent for agent in agents}, {one.key: one for one in items}
    held = {agent.id: agent.load for agent in agents}
    taken = dict.fromkeys(held, 0)
    for one in plan.placed:
        agent = known[one.agent]
        assert why_not(agent, wanted[one.key], DESK) == ""
        held[agent.id] += wanted[one.key].weight
        taken[agent.id] += 1
        assert agent.capacity is None or held[agent.id] <= agent.capacity
        assert agent.max_per_hour is None or taken[agent.id] + len(agent.standing.given) <= agent.max_per_hour
        assert one.note and one.second != one.agent
    assert all(one.why for one in plan.staying)


@pytest.mark.parametrize("match", MATCHES)
def test_nobody_gets_more_than_they_can_take_whatever_the_policy(match: str) -> None:
    for seed in range(30):
        items, agents = scene(seed, 25, 8, tight=seed % 2 == 0, weights=(1, 2, 3))
        check(assign_batch(items, agents, DESK, match), items, agents)


@pytest.mark.parametrize("match", MATCHES)
def test_the_same_facts_give_the_same_plan_in_whatever_order_they_come(match: str) -> None:
    for seed in range(10):
        items, agents = scene(seed, 20, 6)
        plan = assign_batch(items, agents, DESK, match)
        rng = random.Random(seed)
        rng.shuffle(items)
        rng.shuffle(agents)
        assert assign_batch(items, agents, DESK, match) == plan


def test_optimal_is_what_trying_every_plan_finds() -> None:
    """Up to six records and four people: as many are served, and the sum of scores is the same to 1/100,000."""
    for seed in range(120):
        items, agents = scene(seed, 2 + seed % 4, 2 + seed % 3)
        may = {(one.key, agent.id): not why_not(agent, one, DESK) for one in items for agent in agents}
        plan = assign_batch(items, agents, DESK, "optimal")
        served, total = best_by_force(items, agents, may)
        assert plan.solver == "OR-tools, exact"
        assert (len(plan.placed), plan.total) == (served, pytest.approx(total, abs=1e-5))


def never_worse(seeds: range) -> None:
    for seed in seeds:
        items, agents = scene(seed, 40, 8, tight=seed % 3 != 0, weights=(1, 2, 4) if seed % 2 else (1,))
        plan = assign_batch(items, agents, DESK, "optimal")
        check(plan, items, agents)
        assert len(plan.placed) > plan.greedy_placed or plan.total >= plan.greedy_total - 1e-5


def test_optimal_is_never_worse_than_one_by_one() -> None:
    never_worse(range(60))


@pytest.mark.laws
def test_optimal_is_never_worse_than_one_by_one_on_1000_random_desks() -> None:
    never_worse(range(1_000))


@pytest.mark.parametrize("match", MATCHES)
def test_a_record_by_itself_goes_where_a_rule_would_send_it(match: str) -> None:
    """The batch and the choice for one record are worked out apart, and agree."""
    for seed in range(60):
        items, agents = scene(seed, 1, 8, tight=False)
        free = [agent for agent in agents if not why_not(agent, items[0], DESK)]
        plan = assign_batch(items, agents, DESK, match)
        assert bool(plan.placed) == bool(free)
        if free:
            assert plan.placed[0].agent == choose(match, free, items[0], "desk", agents, DESK).agent.id
