"""How evenly work is spread and how it is picked, and who may see it of whom."""

from __future__ import annotations

from tests.unit.build import agent
from triage.routing.figures import Given, Pick, cherry_picking, fairness, gini
from triage.rules.document import Routing

PEOPLE = [agent("ann"), agent("bob")]
GIVEN = [Given(agent="ann", at=n, urgent=n < 15, after_hours=n < 3) for n in range(30)] + [
    Given(agent="bob", at=n) for n in range(10)
]


def test_a_team_is_told_its_spread_and_people_are_hidden_by_default() -> None:
    found = fairness(GIVEN, [], {}, PEOPLE, Routing(), ["people"])
    assert (found.records, found.spread, found.gini) == (40, 0.5, 0.25)
    assert (found.hot_spread, found.after_hours_spread, found.cherry) == (0.5, 0.1, None)
    assert (found.people, found.hidden) == ((), {"figures about people are off (routing: figures)": 2})


def test_people_need_the_scope_and_twenty_cases() -> None:
    routing = Routing(figures=True)
    assert fairness(GIVEN, [], {}, PEOPLE, routing, []).hidden == {"the scope people is needed": 2}
    found = fairness(GIVEN, [Pick(agent="ann", place=3, waiting=5)], {"ann": 2}, PEOPLE, routing, ["people"])
    (ann,) = found.people
    assert (ann.agent, ann.cases, ann.hot_share, ann.after_hours_share, ann.cherry, ann.skips) == (
        "ann", 30, 0.5, 0.1, 0.5, 2,
    )  # fmt: skip
    assert found.hidden == {"fewer than 20 cases": 1}


def test_cherry_picking_is_0_for_always_the_first_and_1_for_always_the_last() -> None:
    assert cherry_picking([Pick(agent="a", place=1, waiting=9)] * 3) == 0
    assert cherry_picking([Pick(agent="a", place=9, waiting=9)]) == 1
    assert cherry_picking([Pick(agent="a", place=1, waiting=1)]) is None


def test_gini_is_0_where_all_have_the_same() -> None:
    assert (gini([3, 3, 3]), gini([]), gini([0, 0])) == (0, 0, 0)
    assert gini([0, 0, 9]) > 0.6
