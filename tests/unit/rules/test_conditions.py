"""Conditions: Kleene truth against a table, negation at the leaves, clocks, changes, evidence."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.unit.build import at, make_policy
from triage.domain.instant import HOUR
from triage.domain.schema import FieldSpec
from triage.rules.conditions import (
    Moment,
    Terms,
    conjuncts,
    evidence,
    is_static,
    judge,
    leaves,
    normal,
    static_test,
    witnesses,
)
from triage.rules.language import AllOf, AnyOf, Change, ClockLeaf, Condition, Leaf, Negation
from triage.sla.clocks import Clocks

SPECS = {
    "a": FieldSpec(name="a", source="A", type="boolean"),
    "b": FieldSpec(name="b", source="B", type="boolean"),
    "n": FieldSpec(name="n", source="N", type="number"),
    "rank": FieldSpec(name="rank", source="R", type="picklist", values=("Low", "Mid", "High"), ordered=True),
}
A, B = Leaf(field="a", op="is true"), Leaf(field="b", op="is true")
POLICY = make_policy()


def moment(values: dict[str, Any], now: str = "12:00", before: dict[str, Any] | None = None) -> Moment:
    """Return values at an instant, of a record created at nine."""
    return Moment(
        values, Clocks({"created": at("09:00")}, (), POLICY.calendars, POLICY.calendars["lon"]), at(now), before
    )


def true(condition: Condition, found: Moment) -> bool:
    """Return whether *condition* is TRUE."""
    return judge(normal(condition), Terms(SPECS, "none", {}))(found)


def kleene(condition: Condition, values: dict[str, Any]) -> bool | None:
    """Return the three-valued truth by the book: minimum, maximum and complement."""
    if isinstance(condition, Leaf):
        return values.get(condition.field)
    if isinstance(condition, Negation):
        inner = kleene(condition.part, values)
        return None if inner is None else not inner
    assert isinstance(condition, AllOf | AnyOf)
    parts = [kleene(part, values) for part in condition.parts]
    decisive = isinstance(condition, AnyOf)
    if decisive in parts:
        return decisive
    return None if None in parts else not decisive


@pytest.mark.parametrize(
    "condition",
    [
        A, Negation(A), Negation(Negation(A)), AllOf((A, B)), AnyOf((A, B)), Negation(AllOf((A, B))),
        Negation(AnyOf((A, B))), AllOf((A, Negation(A))), AnyOf((A, Negation(A))), AllOf(()), AnyOf(()),
        Negation(AllOf(())), Negation(AllOf((Negation(A), AnyOf((B, Negation(AllOf((A, B)))))))),
    ],
)  # fmt: skip
def test_judging_is_true_exactly_where_kleene_logic_is(condition: Condition) -> None:
    for a, b in itertools.product((True, False, None), repeat=2):
        values = {name: value for name, value in (("a", a), ("b", b)) if value is not None}
        wanted = kleene(condition, values) is True
        assert true(condition, moment(values)) is wanted
        assert static_test(normal(condition), SPECS)(values) is wanted


def test_normal_leaves_no_negation_and_flips_clocks() -> None:
    clock = ClockLeaf(clock="created", amount=HOUR)
    found = normal(Negation(AllOf((A, clock))))
    assert isinstance(found, AnyOf)
    assert [(leaf.negate if isinstance(leaf, Leaf) else leaf.until) for leaf in found.parts] == [True, True]  # type: ignore[union-attr]


def test_conjuncts_flatten_nested_all() -> None:
    assert conjuncts(AllOf((A, AllOf((B, AnyOf((A, B))))))) == (A, B, AnyOf((A, B)))
    assert conjuncts(A) == (A,)


def test_leaves_come_in_the_order_written() -> None:
    assert list(leaves(AllOf((B, Negation(AnyOf((A, B))))))) == [B, A, B]


@pytest.mark.parametrize(("now", "holds"), [("09:59", False), ("10:00", True), ("12:00", True)])
def test_a_clock_leaf_holds_from_its_instant_and_its_negation_until_then(now: str, holds: bool) -> None:
    leaf = ClockLeaf(clock="created", amount=HOUR)
    assert true(leaf, moment({}, now)) is holds
    assert true(Negation(leaf), moment({}, now)) is not holds


@pytest.mark.parametrize("until", [True, False])
def test_a_clock_that_does_not_run_is_unknown(until: bool) -> None:
    assert not true(ClockLeaf(clock="queued", amount=HOUR, until=until), moment({}))


def test_hours_of_a_leaf_come_before_the_rules() -> None:
    leaf = ClockLeaf(clock="created", amount=9 * HOUR)
    assert judge(leaf, Terms(SPECS, "none", {}))(moment({}, "18:00"))
    assert not judge(leaf, Terms(SPECS, "lon", {}))(moment({}, "18:00"))
    own = ClockLeaf(clock="created", amount=9 * HOUR, hours="none")
    assert judge(own, Terms(SPECS, "lon", {}))(moment({}, "18:00"))


@pytest.mark.parametrize(
    ("before", "now", "became"),
    [
        ({}, {"a": True}, True),
        ({"a": False}, {"a": True}, True),
        ({"a": True}, {"a": True}, False),
        ({"a": True}, {}, False),
    ],
)
def test_became_is_true_at_the_event_that_turned_its_leaf_true(
    before: dict[str, Any], now: dict[str, Any], became: bool
) -> None:
    assert true(Change(became=A), moment(now, before=before)) is became
    assert not true(Change(became=A), moment(now))


@pytest.mark.parametrize(
    ("field", "old", "new", "raised"),
    [
        ("rank", "Low", "High", True), ("rank", "High", "Low", False), ("rank", "Mid", "Mid", False),
        ("rank", None, "High", False), ("rank", "Low", None, False), ("n", 1, 2, True), ("n", 2, 1, False),
    ],
)  # fmt: skip
def test_raised_is_true_where_a_known_rank_went_up(field: str, old: Any, new: Any, raised: bool) -> None:
    values = [{field: value} if value is not None else {} for value in (old, new)]
    assert true(Change(raised=field), moment(values[1], before=values[0])) is raised
    assert not true(Change(raised=field), moment(values[1]))


def test_is_static_says_whether_a_clock_or_change_stands_anywhere() -> None:
    assert is_static(AllOf((A, Negation(B))))
    assert not is_static(AnyOf((A, ClockLeaf(clock="created", amount=1))))
    assert not is_static(Change(became=A))


def test_static_test_refuses_a_clock() -> None:
    with pytest.raises(TypeError, match="not a static condition"):
        static_test(ClockLeaf(clock="created", amount=1), SPECS)


def test_evidence_names_the_leaves_that_hold_with_what_they_found() -> None:
    long = Leaf(field="t", op="contains", values=("x",), text="t contains x")
    clock = ClockLeaf(clock="created", amount=HOUR, text="age >= 1h")
    condition = AnyOf((long, Leaf(field="a", op="is true", text="a"), clock, Change(became=B, text="became b")))
    found = evidence(
        witnesses(condition, Terms(SPECS, "none", {})), moment({"t": "x" * 200, "a": False, "b": True}, before={})
    )
    told = {one.leaf: one.found for one in found}
    assert told == {"t contains x": "x" * 79 + "…", "age >= 1h": at("10:00"), "became b": True}
