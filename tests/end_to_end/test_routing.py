"""Work given out by a whole worker: capacity by weight, turns, overload, the hold queue, shifts, the queue by hand."""

from __future__ import annotations

from typing import Any

import pytest

from triage.domain.instant import HOUR, MINUTE
from triage.errors import IntakeError
from triage.handing import hand_out, orders_of, queue_of_agent, queue_of_team, skip, skips_of, spread
from triage.policy import Policy
from triage.routing.standing import tracked
from triage.rules.language import Target
from triage.steering import rederive
from triage.testing import SMALL_POLICY, START, Sandbox
from triage.turn import HELD_AT_ONCE

RULE = """
object: Case
match: all_matches
rules:
  - {id: give, when: [since_queued >= 1m], do: [{reassign: {to: {pool: seniors}, match: MATCH}}], once: per_episode}
"""


def sandbox(match: str = "least_loaded", routing: str = "", rules: str = RULE, more: str = "") -> Sandbox:
    texts = SMALL_POLICY | {"rules.yaml": rules.replace("MATCH", match)}
    if routing:
        texts["routing.yaml"] = f"routing: {{{routing}}}"
    if more:
        texts["more.yaml"] = more
    return Sandbox(texts)


def people(box: Sandbox, *names: str, **more: Any) -> None:
    for name in names:
        box.agent(name, **({"presence": "online", "capacity": 10, "pools": ["seniors"]} | more))


def waits(box: Sandbox, *names: str, **changes: Any) -> None:
    box.create(*names, **({"OwnerId": "queue:Tier2"} | changes))


def owners(box: Sandbox, *names: str) -> list[str]:
    return [str(box.facts(name).item.fields["owner"]) for name in names]


def policy_of(box: Sandbox) -> Policy:
    with box.store.read() as unit:
        found: Policy = box.worker.policy(unit)
    return found


def test_round_robin_goes_from_one_to_the_next() -> None:
    box = sandbox("round_robin")
    people(box, "ann", "bob", "cat")
    for number in range(6):
        waits(box, f"{number}")
        box.after(2 * MINUTE)
    assert owners(box, *"012345") == ["ann", "bob", "cat"] * 2


def test_longest_idle_is_whoever_finished_or_came_first() -> None:
    box = sandbox("longest_idle")
    people(box, "ann")
    box.after(MINUTE)
    people(box, "bob")
    waits(box, "1")
    box.after(2 * MINUTE)
    waits(box, "2")
    box.after(2 * MINUTE)
    box.after(MINUTE)
    box.happen("updated", "1", changes={"Status": "Closed"})
    waits(box, "3")
    box.after(2 * MINUTE)
    assert owners(box, "1", "2", "3") == ["ann", "bob", "bob"]


def test_records_of_weight_take_more_of_a_capacity_and_give_it_back() -> None:
    box = sandbox(routing="weights: {Case: {by: {High: 3}}}")
    people(box, "ann", capacity=5)
    waits(box, "1", Priority="High")
    waits(box, "2", "3")
    box.after(2 * MINUTE)
    assert box.load("ann") == 5
    waits(box, "4")
    box.after(2 * MINUTE)
    assert owners(box, "4") == ["queue:Tier2"]
    box.happen("updated", "1", changes={"Priority": "Low"})
    assert box.load("ann") == 4  # 3 cases of weight 1, and the one that waited is on its way
    box.after(MINUTE)
    assert owners(box, "4") == ["ann"]
    for name in "1234":
        box.happen("updated", name, changes={"Status": "Closed"})
    assert box.load("ann") == 0


def test_nobody_is_given_more_in_an_hour_than_they_take() -> None:
    box = sandbox()
    people(box, "ann", max_per_hour=2)
    waits(box, "1", "2", "3")
    box.after(2 * MINUTE)
    assert sorted(owners(box, "1", "2", "3")) == ["ann", "ann", "queue:Tier2"]
    (held,) = box.effects("held")
    assert held.action.reason.passed_over == ("ann: took 2 in the last hour (at most 2)",)
    box.after(HOUR)
    assert owners(box, "1", "2", "3") == ["ann"] * 3


def test_an_overloaded_agent_is_passed_over_until_all_has_cleared() -> None:
    box = sandbox(routing="urgent_from: High, overloaded: {when: {urgent: 2}, clears: {urgent: 0}}")
    people(box, "ann")
    waits(box, "1", "2", Priority="High")
    box.after(2 * MINUTE)
    waits(box, "3")
    box.after(2 * MINUTE)
    assert box.effects("held")[0].action.reason.passed_over == ("ann: overloaded (2 urgent)",)
    box.happen("updated", "1", changes={"Status": "Closed"})
    assert box.effects("held")
    box.happen("updated", "2", changes={"Status": "Closed"})
    box.after(0)
    assert owners(box, "3") == ["ann"]


def test_the_hold_queue_overloads_nobody_at_one_go() -> None:
    """Three urgent ones wait for the one person who comes, who is overloaded with two."""
    box = sandbox(routing="urgent_from: High, overloaded: {when: {urgent: 2}}")
    people(box, "ann", presence="offline")
    waits(box, "1", "2", "3", Priority="High")
    box.after(2 * MINUTE)
    people(box, "ann")
    box.after(0)
    assert sorted(owners(box, "1", "2", "3")) == ["ann", "ann", "queue:Tier2"]


def test_the_hold_queue_drains_when_a_record_closes_the_highest_rank_first() -> None:
    box = sandbox()
    people(box, "ann", capacity=1)
    waits(box, "1")
    box.after(2 * MINUTE)
    waits(box, "2", "3")
    box.happen("updated", "3", changes={"Priority": "High"})
    box.after(2 * MINUTE)
    assert len(box.effects("held")) == 2
    box.happen("updated", "1", changes={"Status": "Closed"})
    box.after(0)
    assert owners(box, "2", "3") == ["queue:Tier2", "ann"]


def test_the_hold_queue_is_solved_together_where_the_match_is_optimal() -> None:
    box = sandbox("optimal")
    people(box, "ann", "bob", capacity=1, presence="offline")
    waits(box, "1", "2", "3")
    box.after(2 * MINUTE)
    people(box, "ann", "bob", capacity=1)
    box.after(0)
    assert sorted(owners(box, "1", "2", "3")) == ["ann", "bob", "queue:Tier2"]


HARD_AND_EASY = """
object: Case
match: all_matches
rules:
  - id: hard
    when: [since_queued >= 1m, priority == Low]
    do: [{reassign: {to: {pool: seniors}, require: ["skill:welding"]}}]
  - id: easy
    when: [since_queued >= 1m, priority == High]
    do: [{reassign: {to: {pool: seniors}}}]
"""


def test_what_nobody_can_ever_take_keeps_nothing_else_waiting() -> None:
    """As many as are ranked at once need a skill that nobody has; the one behind them is given out all the same."""
    box = sandbox(rules=HARD_AND_EASY)
    people(box, "ann", presence="offline")
    waits(box, *(f"{number:03}" for number in range(HELD_AT_ONCE)))
    waits(box, "last", Priority="High")
    box.after(2 * MINUTE)
    people(box, "ann")
    box.after(0)
    assert owners(box, "000", "last") == ["queue:Tier2", "ann"]


def test_what_waits_goes_to_the_stand_in_of_its_target_too() -> None:
    """`else` names another pool; whoever comes first, of either, is given the record."""
    first = "{reassign: {to: {pool: seniors}, if_none: hold, else: [{reassign: {to: {pool: night}, if_none: hold}}]}}"
    rules = RULE.replace("{reassign: {to: {pool: seniors}, match: MATCH}}", first)
    box = sandbox(rules=rules, more="directory: {pools: [night]}")
    people(box, "ann", presence="offline")
    people(box, "zoe", presence="offline", pools=["night"])
    waits(box, "1")
    box.after(2 * MINUTE)
    assert box.effects("held")
    people(box, "zoe", pools=["night"])
    box.after(0)
    assert owners(box, "1") == ["zoe"]


def test_a_presence_that_is_told_no_more_is_none() -> None:
    box = sandbox(routing="stale_after: 10m")
    people(box, "ann")
    box.after(11 * MINUTE)
    waits(box, "1")
    box.after(2 * MINUTE)
    assert box.effects("held")[0].action.reason.passed_over == ("ann: presence not told for 13m",)
    box.agent("ann", presence="online")
    box.after(0)
    assert owners(box, "1") == ["ann"]


SHIFT = "calendars: {late: {tz: UTC, weekly: {mon-fri: ['10:00-11:00']}}}"


def test_the_hold_queue_drains_at_the_start_of_a_shift() -> None:
    box = sandbox(more=SHIFT)
    people(box, "ann", shift="late")
    waits(box, "1")
    box.after(2 * MINUTE)
    assert owners(box, "1") == ["queue:Tier2"]
    with box.store.read() as unit:
        agents = unit.related.agents()
    assert box.engine.next_change(agents, policy_of(box), box.clock.now()) == START + HOUR
    box.after(58 * MINUTE)
    assert owners(box, "1") == ["ann"]


def test_a_rule_sees_that_the_owners_shift_is_over_at_that_very_instant() -> None:
    rules = """
object: Case
rules:
  - {id: gone, when: [not owner.on_shift, not owner_is_queue], do: [{notify: {who: manager, template: late}}]}
"""
    more = SHIFT + "\nsafety: {manager: max}\n"
    box = sandbox(rules=rules, more=more)
    box.clock.move(70 * MINUTE)
    people(box, "005A", shift="late")
    box.create("1")
    box.after(0)
    assert box.worker.next_due() == START + 2 * HOUR
    box.after(51 * MINUTE)
    (told,) = box.effects(rule="gone")
    assert (told.action.due, told.state) == (START + 2 * HOUR, "done")


def test_the_one_who_knows_the_customer_gets_the_next_record_too() -> None:
    fields = SMALL_POLICY["fields.yaml"].replace("owner: OwnerId", "owner: OwnerId\n      customer: ContactId")
    box = Sandbox(SMALL_POLICY | {"fields.yaml": fields, "rules.yaml": RULE.replace("MATCH", "sticky")})
    people(box, "ann", "bob")
    box.create("1", OwnerId="bob", ContactId="003C")
    box.happen("message", "1", direction="out", channel="email", body="hello", actor="bob")
    waits(box, "2", ContactId="003C")
    box.after(2 * MINUTE)
    assert owners(box, "2") == ["bob"]
    assert box.effects(rule="give")[0].action.reason.note.startswith("knows the customer")


def test_a_decision_with_turns_is_derived_again_byte_for_byte() -> None:
    box = sandbox("round_robin")
    people(box, "ann", "bob", max_per_hour=5)
    waits(box, "1", "2", "3")
    box.after(2 * MINUTE)
    with box.store.read() as unit:
        kept = [one for name in "123" for one in unit.policies.decisions(f"Case/{name}")]
    assert tracked(policy_of(box))
    assert len(kept) == 3
    for one in kept:
        assert rederive(box.store, box.engine, one.id)[1]


QUIET = "object: Case\nrules: [{id: quiet, when: [age >= 900h], do: [{reassign: {to: {pool: seniors}}}]}]"


def by_hand() -> Sandbox:
    box = sandbox(rules=QUIET)
    people(box, "ann", "bob", name="Ann")
    waits(box, "low")
    waits(box, "high", Priority="High", OwnerId="pool:seniors")
    waits(box, "mid", Priority="Medium", OwnerId="pool:seniors")
    return box


def test_a_queue_is_ranked_and_says_why() -> None:
    box = by_hand()
    with box.store.read() as unit:
        lines = queue_of_team(unit, policy_of(box), "seniors", box.clock.now())
    assert [line.key for line in lines] == ["Case/high", "Case/mid"]
    assert lines[0].rank.words() == "2.00 = 2.00 (urgency 100%)"


def test_next_hands_out_the_highest_and_gives_it_to_whoever_asks() -> None:
    box = by_hand()
    handed = hand_out(box.store, policy_of(box), "ann", box.clock.now())
    assert (handed.record, handed.own) == ("Case/high", False)
    assert handed.order is not None
    other = hand_out(box.store, policy_of(box), "bob", box.clock.now())
    assert (other.record, other.passed) == ("Case/mid", ("Case/high: handed to ann",))
    box.worker.ingest([handed.order], box.clock.now(), source="orders", live_from=0)
    box.after(0)
    assert owners(box, "high") == ["ann"]
    assert hand_out(box.store, policy_of(box), "ann", box.clock.now()).own


def test_skipping_needs_a_reason_is_logged_and_lasts_four_hours() -> None:
    box = by_hand()
    policy, now = policy_of(box), box.clock.now()
    wrong = [
        ("Case/high", " ", "needs a reason"),
        ("Case/high", "x", "too short: at least 3 characters"),
        ("Case/x", "no idea", "no such record"),
    ]
    for record, reason, fault in wrong:
        with pytest.raises(IntakeError, match=fault):
            skip(box.store, policy, "ann", record, reason, now)
    with pytest.raises(IntakeError, match="not in the queue"):
        skip(box.store, policy, "ann", "Case/low", "no idea", now)
    skip(box.store, policy, "ann", "Case/high", "waits for the customer", now)
    (entry,) = box.audit("skipped")
    assert (entry.actor, entry.body) == ("ann", {"reason": "waits for the customer"})
    handed = hand_out(box.store, policy, "ann", now)
    assert (handed.record, handed.passed) == ("Case/mid", ("Case/high: skipped: waits for the customer",))
    with box.store.read() as unit:
        assert skips_of(unit, "ann", now + 4 * HOUR) == {}
        assert [line.why_not for line in queue_of_agent(unit, policy, unit.related.agents()[1], now)] == ["", ""]


def test_people_are_named_by_id_or_by_a_name_that_is_one_persons() -> None:
    box = by_hand()
    for name, fault in (("Ann", "2 people are called"), ("zoe", "no people are called")):
        with pytest.raises(IntakeError, match=fault):
            hand_out(box.store, policy_of(box), name, box.clock.now())


def test_redistribution_shows_a_plan_first_and_then_gives_orders() -> None:
    box = by_hand()
    box.create("1", "2", "3", OwnerId="ann")
    policy, now = policy_of(box), box.clock.now()
    with box.store.read() as unit:
        plan = spread(unit, policy, Target(kind="user", name="ann"), None, now, "optimal")
        to_self = spread(unit, policy, Target(kind="user", name="ann"), Target(kind="user", name="ann"), now, "best")
    assert {(one.key, one.agent) for one in plan.placed} == {(f"Case/{name}", "bob") for name in "123"}
    assert [one.why for one in to_self.staying] == ["nobody can take it: 1 owns it"] * 3
    assert owners(box, "1", "2", "3") == ["ann"] * 3
    box.worker.ingest(orders_of(plan, "boss", "holiday", now), now, source="orders", live_from=0)
    box.after(0)
    assert owners(box, "1", "2", "3") == ["bob"] * 3
    assert (box.load("ann"), box.load("bob")) == (0, 3)
