"""What changes about somebody as work comes and goes."""

from __future__ import annotations

from tests.unit.build import agent, at, make_policy
from triage.domain.instant import HOUR, MINUTE
from triage.domain.work import AT_REST, Standing
from triage.routing.standing import changed, gained, lost, next_change, restated, tracked, ungiven
from triage.routing.wanted import Burden
from triage.rules.document import Overload

NOW = at("12:00")
LIMITS = Overload(load=100, urgent=3, missed=2, clear_load=80, clear_urgent=1, clear_missed=0)


def test_only_the_load_moves_where_nobody_asks_for_more() -> None:
    one = gained(agent("a"), Burden(2), NOW, track=False)
    assert (one.load, one.standing) == (2, AT_REST)
    assert lost(one, Burden(2), NOW, track=False).load == 0


def test_turns_and_idleness_are_kept_where_somebody_asks() -> None:
    one = gained(agent("a"), Burden(urgent=True), NOW, track=True)
    assert one.standing == Standing(urgent=1, given_at=NOW, idle_since=NOW)
    assert lost(one, Burden(urgent=True), NOW + 5, track=True).standing == Standing(given_at=NOW, idle_since=NOW + 5)


def test_an_hour_is_kept_of_those_with_a_limit_an_hour_and_given_back() -> None:
    one = agent("a", max_per_hour=3, standing=Standing(given=(NOW - HOUR, NOW - MINUTE)))
    more = gained(one, Burden(), NOW, track=False)
    assert more.standing.given == (NOW - MINUTE, NOW)
    assert ungiven(more, Burden()).standing.given == (NOW - MINUTE,)


def test_a_record_that_counts_for_more_moves_the_load_and_the_urgent() -> None:
    one = changed(agent("a", load=1), Burden(1), Burden(3, urgent=True, missed=True))
    assert (one.load, one.standing.urgent, one.standing.missed) == (3, 1, 1)


def test_overload_begins_at_a_limit_and_clears_only_when_all_has_cleared() -> None:
    full = restated(agent("a", capacity=10, load=10), LIMITS)
    assert full.standing.overloaded == "overloaded (10 of 10)"
    for load, state in ((9, "overloaded (10 of 10)"), (8, "")):
        assert restated(agent("a", capacity=10, load=load, standing=full.standing), LIMITS).standing.overloaded == state
    assert restated(agent("a", standing=Standing(urgent=3)), LIMITS).standing.overloaded == "overloaded (3 urgent)"
    missed = restated(agent("a", standing=Standing(missed=2)), LIMITS)
    assert missed.standing.overloaded == "overloaded (2 promises missed)"
    assert restated(missed, None) == missed


def test_the_next_change_is_a_shift_an_absence_or_an_hour_that_ends() -> None:
    policy = make_policy()
    late = agent("a", shift="late")
    assert next_change([late], policy, NOW) == at("16:00")
    assert next_change([late, agent("b", away=((0, at("13:00")),))], policy, NOW) == at("13:00")
    busy = agent("c", max_per_hour=1, standing=Standing(given=(NOW - MINUTE,)))
    assert next_change([late, busy], policy, NOW) == NOW - MINUTE + HOUR
    assert next_change([agent("d")], policy, NOW) is None


def test_a_policy_asks_for_turns_only_where_it_uses_them() -> None:
    assert not tracked(make_policy())
    assert tracked(make_policy("", "routing: {match: round_robin}"))
    assert tracked(make_policy("", "routing: {overloaded: {when: {urgent: 2}}}"))
    rule = "- {id: r, when: [age >= 1h], do: [{reassign: {to: {team: desk}, match: longest_idle}}]}"
    assert tracked(make_policy(rule))
