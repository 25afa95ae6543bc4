"""Two solvers for one problem."""

from __future__ import annotations

import numpy as np
import pytest
from ortools.graph.python import min_cost_flow
from scipy import optimize

from triage.routing.flow import Flow, by_flow, by_matrix, solve


def problem(seed: int, *, fair: float = 0.0) -> Flow:
    rng = np.random.default_rng(seed)
    rows, people = 6, 4
    gains = np.where(rng.random((rows, people)) < 0.7, 10 + rng.random((rows, people)), -np.inf)
    slots = rng.integers(0, 4, people)
    return Flow(
        gains=gains, supply=rng.integers(1, 3, rows), urgent=rng.random(rows) < 0.5, slots=slots,
        load=np.full(people, 0.1), load_from=rng.random(people) / 10, fair=np.full(people, fair), hot=np.zeros(people),
    )  # fmt: skip


def worth(flow: Flow, found: dict[int, list[int]]) -> float:
    """Return the gain of an answer, after checking that nobody got more than their slots or a row more than it has."""
    taken = np.zeros(len(flow.slots), dtype=int)
    total = 0.0
    for row, agents in found.items():
        assert len(agents) <= flow.supply[row]
        for agent in agents:
            taken[agent] += 1
            total += flow.gains[row, agent] - flow.load_from[agent] - taken[agent] * flow.load[agent]
    assert (taken <= flow.slots).all()
    return total


@pytest.mark.parametrize("seed", range(12))
def test_both_solvers_find_the_same_worth(seed: int) -> None:
    flow = problem(seed)
    assert worth(flow, by_matrix(flow, optimize)) == pytest.approx(worth(flow, by_flow(flow, min_cost_flow)), abs=1e-5)


def test_urgent_records_are_spread_where_fairness_costs() -> None:
    even = Flow(
        gains=np.full((1, 2), 10.0), supply=np.array([4]), urgent=np.array([True]), slots=np.array([4, 4]),
        load=np.zeros(2), load_from=np.zeros(2), fair=np.full(2, 0.5), hot=np.zeros(2),
    )  # fmt: skip
    found = by_flow(even, min_cost_flow)[0]
    assert sorted(found) == [0, 0, 1, 1]


def test_the_answer_says_who_solved_it() -> None:
    assert solve(problem(1))[0] == "OR-tools, exact"
