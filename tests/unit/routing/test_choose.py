"""One out of those who may: every policy, with who came second; fit and track record behind the scores."""

from __future__ import annotations

import pytest

from tests.unit.build import agent, at
from triage.domain.work import Agent, Standing, Track
from triage.routing.choose import choose
from triage.routing.eligible import Desk
from triage.routing.fit import added, fit, means_of, room_of, score, track_factor
from triage.routing.wanted import Wanted, joint_worth, size_of
from triage.rules.document import Routing

DESK = Desk(Routing(), {}, at("12:00"))
LEAD = Wanted(key="Lead/1", object="Lead", worth=0.8, about=("Lead",))


def stood(name: str, **standing: int) -> Agent:
    return agent(name, standing=Standing(**standing))  # type: ignore[arg-type]


def taken(match: str, *people: Agent, wanted: Wanted = LEAD) -> tuple[str, str]:
    found = choose(match, people, wanted, "desk", people, DESK)
    return found.agent.id, found.note


def test_first_available_is_the_first_by_id() -> None:
    assert taken("first_available", agent("cat"), agent("bob", load=3)) == (
        "bob", "first available of 2 in desk (3, no limit); second cat (0, no limit)",
    )  # fmt: skip


def test_round_robin_takes_whoever_was_given_work_longest_ago() -> None:
    who, note = taken(
        "round_robin", stood("ann", given_at=at("11:00")), stood("bob", given_at=at("10:00")), stood("cat")
    )
    assert who == "cat"
    assert note == "next in turn of 3 in desk (given none yet); second bob (last given work 2026-01-12T10:00:00Z)"


def test_longest_idle_takes_whoever_has_had_nothing_to_do_for_longest() -> None:
    who, note = taken("longest_idle", stood("ann", idle_since=at("11:00")), stood("bob", idle_since=at("09:30")))
    assert (who, note.startswith("longest idle of 2 in desk (idle since 2026-01-12T09:30:00Z)")) == ("bob", True)


def test_best_explains_the_score_and_who_came_second() -> None:
    good = agent("bob", name="Bob", capacity=10, load=4, track={"Lead": Track(100, 50, 500_000)})
    poor = agent("cat", name="Cat", capacity=10, load=4, track={"Lead": Track(100, 10, 100_000)})
    who, note = taken("best", poor, good)
    assert who == "bob"
    assert note.startswith("best of 2 in desk (1.09 = ")
    assert "worth 0.80 x fit 1.00 x track 1.5" in note
    assert "load 0.15" in note
    assert "; second Cat (" in note


def test_a_cheap_record_goes_where_the_load_is_least_and_a_dear_one_to_the_best() -> None:
    good = agent("bob", capacity=10, load=8, track={"Lead": Track(100, 60)})
    free = agent("cat", capacity=10, load=0, track={"Lead": Track(100, 40)})
    assert taken("best", good, free, wanted=Wanted(key="1", worth=0.1, about=("Lead",)))[0] == "cat"
    assert taken("best", good, free, wanted=Wanted(key="1", worth=1.0, about=("Lead",)))[0] == "bob"


def test_sticky_asks_the_one_who_knows_the_customer_and_says_why_where_they_cannot() -> None:
    known = Wanted(key="1", sticky="cat")
    assert taken("sticky", agent("bob"), agent("cat", load=5), wanted=known) == (
        "cat", "knows the customer (5, no limit)",
    )  # fmt: skip
    away = agent("cat", name="Cat", presence="away")
    found = choose("sticky", [agent("bob")], known, "desk", [agent("bob"), away], DESK)
    assert found.note.endswith("; Cat, who knows the customer: away")


def test_a_few_cases_tell_little_and_many_tell_much() -> None:
    team = [agent(f"a{n}", track={"Lead": Track(100, 30)}) for n in range(4)]
    few, many = agent("few", track={"Lead": Track(3, 3)}), agent("many", track={"Lead": Track(300, 270)})
    means = means_of([*team, few, many], ["Lead"])
    alone = track_factor(few, ("Lead",), means, 20)
    assert 1 < alone < 1.2 < track_factor(many, ("Lead",), means, 20) <= 2
    assert track_factor(agent("new"), ("Lead",), means, 20) == 1.0
    assert track_factor(few, ("Case",), means_of([few], ["Case"]), 20) == 1.0


def test_cases_are_judged_by_speed() -> None:
    quick, slow = (
        agent("q", track={"Case": Track(50, 0, 0, 50 * 600)}),
        agent("s", track={"Case": Track(50, 0, 0, 50 * 3000)}),
    )
    means = means_of([quick, slow], ["Case"])
    assert track_factor(quick, ("Case",), means, 20) > 1 > track_factor(slow, ("Case",), means, 20)


def test_fit_is_the_mean_of_skill_language_region_and_experience() -> None:
    one = agent("a", skills={"billing": 3}, languages={"de": 6}, regions=("emea",), months=12)
    wanted = Wanted(key="1", skills=("billing",), language="german", region="apac")
    assert fit(one, wanted) == pytest.approx((0.6 + 1 + 0.5 + 0.75) / 4)
    assert fit(agent("b"), Wanted(key="1")) == 1.0


def test_an_unlimited_capacity_is_judged_as_the_median_of_the_group() -> None:
    people = [agent("a", capacity=8), agent("b", capacity=12), agent("c", capacity=5000), agent("d")]
    means = means_of(people, [])
    assert [room_of(one, means) for one in people] == [8, 12, 8, 8]
    assert room_of(agent("z", capacity=0), means) == 1


def test_fairness_counts_against_whoever_holds_the_urgent_ones() -> None:
    routing = Routing(costs={"load": 0, "fairness": 50})
    urgent = Wanted(key="1", worth=0.5, urgent=True)
    people = [stood("a", urgent=4), stood("b", urgent=0)]
    scores = [score(one, urgent, routing, means_of(people, [])).total for one in people]
    assert scores[0] < scores[1]


def test_worth_joins_money_and_urgency() -> None:
    assert joint_worth(10_000, None, 10_000) == 0.5
    assert joint_worth(10_000, 0.5, 10_000) == 0.75
    assert (joint_worth(None, None, 1), joint_worth(0, 0, 1)) == (0.5, 0.05)
    assert [size_of(money, 10_000) for money in (100, 9_000, 20_000)] == ["small", "medium", "large"]


def test_ended_records_add_to_the_track_record() -> None:
    found = added({"Lead": Track(1, 1, 100.0, 60)}, ("Lead", "Lead/size=small"), won=False, value=50, seconds=30)
    assert found == {"Lead": Track(2, 1, 100.0, 90), "Lead/size=small": Track(1, 0, 0.0, 30)}
