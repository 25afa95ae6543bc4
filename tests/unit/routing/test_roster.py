"""What is said of people who will never be given anything, or more than anybody can hold."""

from __future__ import annotations

from msgspec.structs import replace

from tests.property.routing.people import DESK, NOW
from tests.unit.build import agent
from triage.domain.instant import MINUTE
from triage.domain.work import Standing
from triage.routing.eligible import Desk, stale
from triage.routing.roster import empty_groups, faults, oddities
from triage.rules.document import Routing
from triage.rules.language import ActionSpec, Target


def test_capacities_and_shifts_that_may_be_meant_so_are_odd() -> None:
    people = [agent("a", capacity=0, shift="open"), agent("b", capacity=5000, shift="open"), agent("c", capacity=None)]
    assert oddities(people, DESK, 10) == (
        "capacity 0: 1 of 3 take nothing",
        "unlimited capacity: 1 of 3, whose load is judged as if they could hold 10",
        "no shift: 1 of 3, judged by their presence alone",
    )
    assert oddities([agent("a", capacity=3, shift="open")], DESK, 10) == ()


def test_a_shift_that_is_no_calendars_is_a_fault() -> None:
    people = [agent("a", shift="moon"), agent("b", shift="open")]
    assert faults(people, DESK) == ("shift unknown: 1 of 2, judged by their presence alone: no calendar 'moon'",)


def test_presence_is_stale_from_the_very_instant_and_only_where_a_policy_asks() -> None:
    seen = replace(agent("a"), standing=Standing(seen_at=NOW - 10 * MINUTE))
    late, early = Desk(Routing(stale_after=10 * MINUTE), {}, NOW), Desk(Routing(stale_after=10 * MINUTE + 1), {}, NOW)
    assert (stale(seen, late), stale(seen, early), stale(seen, Desk(Routing(), {}, NOW))) == (10 * MINUTE, 0, 0)
    assert stale(agent("never told of"), late) == 0
    assert faults([seen], late) == ("presence stale: nothing told of 1 of 1 for too long, they are given nothing",)


def test_groups_with_nobody_in_them_are_those_that_rules_give_records_to() -> None:
    """A queue is no group; a pool's members may be a team's of that name, a team's are its own."""
    specs = [ActionSpec(kind="reassign", target=Target(kind=kind, name=name)) for kind, name in
             (("pool", "night"), ("pool", "day"), ("team", "emea"), ("queue", "inbox"))]  # fmt: skip
    specs.append(ActionSpec(kind="move", target=Target(kind="pool", name="overflow")))
    assert empty_groups(specs, [agent("a", teams=["day"])]) == ("night", "emea")
