"""The assignment of all records together as a flow of least cost: by OR-tools, or by scipy where there are few."""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple

import numpy as np

SCALE = 1_000_000
"""Scores have six decimals; solvers count in whole numbers."""

MOST_CELLS = 4_000_000
"""What scipy's dense solver is still asked: records x places."""


class Flow(NamedTuple):
    """
    One problem. `gains` is of shape (n_rows, n_agents), -inf for who may not; `supply` and `urgent` of shape (n_rows,).

    A row is `supply` records alike. Agent a has `slots[a]` places; the k-th costs `load_from[a] + k load[a]`, and for
    urgent records the k-th of them `fair[a] (hot[a] + k)` besides: all these are of shape (n_agents,).
    """

    gains: Any
    supply: Any
    urgent: Any
    slots: Any
    load: Any
    load_from: Any
    fair: Any
    hot: Any


def solve(flow: Flow) -> tuple[str, dict[int, list[int]] | None]:
    """
    Return who solved it, and for each row the agents that its records go to; None where nobody could.

    OR-tools is exact. Without it scipy solves up to 4,000,000 cells; the k-th urgent record costs as much as the first.
    """
    graph = _module("ortools.graph.python.min_cost_flow")
    if graph is not None:
        return "OR-tools, exact", by_flow(flow, graph)
    optimise = _module("scipy.optimize")
    count = int(flow.supply.sum())
    cells = count * (int(flow.slots.sum()) + count)
    if optimise is not None and cells <= MOST_CELLS:
        return "scipy", by_matrix(flow, optimise)
    missing = "OR-tools is not installed (pip install 'triage[optimal]')"
    if optimise is not None:
        missing += f" and {count} records are too many for scipy"
    return f"one by one: {missing}", None


def by_flow(flow: Flow, graph: Any) -> dict[int, list[int]]:
    """Return who takes the records of each row, by OR-tools: row -> agent (by way of urgent) -> end, at least cost."""
    count, people = flow.gains.shape
    solver = graph.SimpleMinCostFlow()
    rows, agents = np.nonzero(np.isfinite(flow.gains) & (flow.slots > 0)[None, :])
    through = np.where(flow.urgent[rows], count + people + agents, count + agents)
    arcs = _arcs(solver, rows, through, flow.supply[rows], -np.rint(flow.gains[rows, agents] * SCALE))
    end = count + 2 * people
    who, place = _places(flow.slots)
    one = np.ones(len(who))
    _arcs(solver, count + who, np.full(len(who), end), one, _scaled(flow.load_from[who] + place * flow.load[who]))
    _arcs(solver, count + people + who, count + who, one, _scaled(flow.fair[who] * (flow.hot[who] + place)))
    _arcs(solver, np.arange(count), np.full(count, end), flow.supply, np.zeros(count))
    supplies = np.concatenate([flow.supply, np.zeros(2 * people), [-flow.supply.sum()]])
    solver.set_nodes_supplies(np.arange(end + 1, dtype=np.int32), supplies.astype(np.int64))
    solver.solve()
    flows = solver.flows(arcs)
    found: dict[int, list[int]] = {}
    for at in np.nonzero(flows)[0]:
        found.setdefault(int(rows[at]), []).extend([int(agents[at])] * int(flows[at]))
    return found


def _scaled(costs: Any) -> Any:
    return np.rint(costs * SCALE)


def _places(slots: Any) -> tuple[Any, Any]:
    """Return every place there is: whose it is, and that person's how-manieth, from 1."""
    steps = slots.astype(np.int64)
    who = np.repeat(np.arange(len(steps)), steps)
    return who, np.arange(len(who)) - np.repeat(np.cumsum(steps) - steps, steps) + 1


def _arcs(solver: Any, tails: Any, heads: Any, most: Any, costs: Any) -> Any:
    return solver.add_arcs_with_capacity_and_unit_cost(
        tails.astype(np.int32), heads.astype(np.int32), most.astype(np.int64), costs.astype(np.int64)
    )


def by_matrix(flow: Flow, optimise: Any) -> dict[int, list[int]]:
    """Return who takes the records of each row, by scipy: one column a place, and one for each record that waits."""
    who, place = _places(flow.slots)
    row_of = np.repeat(np.arange(len(flow.supply)), flow.supply.astype(np.int64))
    gains = flow.gains[row_of][:, who] - (flow.load_from[who] + place * flow.load[who])[None, :]
    gains -= np.where(flow.urgent[row_of][:, None], (flow.fair * (flow.hot + 1))[who][None, :], 0.0)
    matrix = np.concatenate([np.where(np.isfinite(gains), gains, -1e9), np.zeros((len(row_of),) * 2)], axis=1)
    found: dict[int, list[int]] = {}
    for row, column in zip(*optimise.linear_sum_assignment(matrix, maximize=True), strict=True):
        if column < len(who) and np.isfinite(gains[row, column]):
            found.setdefault(int(row_of[row]), []).append(int(who[column]))
    return found


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
