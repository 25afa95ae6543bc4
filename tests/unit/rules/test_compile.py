"""Compiled rules: since when they hold, when that changes, what a first-match set selects."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from tests.unit.build import at, clock, make_policy
from triage.domain.instant import HOUR, MINUTE
from triage.rules.compile import CompiledRule, CompiledSet, RuleBook, rules_of, standing
from triage.rules.conditions import Moment, Terms, judge
from triage.rules.language import AllOf, AnyOf, Change, ClockLeaf, Condition, Leaf, Negation, Rule, RuleSet
from triage.sla.clocks import NEVER, Clocks

POLICY = make_policy()
SPECS = POLICY.objects["Case"].specs
VIP = Leaf(field="vip", op="is true")


def age(amount: int, *, until: bool = False, name: str = "created") -> ClockLeaf:
    """Return a clock leaf of so many minutes."""
    return ClockLeaf(clock=name, amount=amount * MINUTE, until=until)


def compiled(*parts: Condition, **more: Any) -> CompiledRule:
    """Return one rule."""
    return CompiledRule(Rule(id="r", when=AllOf(parts), **more), Terms(SPECS, "none", {}))


def moment(now: str, **values: Any) -> Moment:
    """Return a record created at nine, assigned at ten, at an instant."""
    marks = {"created": at("09:00"), "assigned": at("10:00")}
    return Moment(values, Clocks(marks, (), POLICY.calendars, POLICY.calendars["lon"]), at(now))


def told(rule: CompiledRule, now: str, lower: str = "09:00", **values: Any) -> tuple[bool, str, str]:
    """Return whether it holds, since when, and when that flips."""
    truth = rule.truth(moment(now, **values), at(lower))
    flips = "never" if truth.flips_at >= NEVER else clock(truth.flips_at)
    return truth.holds, clock(truth.since) if truth.holds else "", flips


class TestTruth:
    @pytest.mark.parametrize(
        ("now", "lower", "wanted"),
        [
            ("09:30", "09:00", (False, "", "10:00")), ("10:00", "09:00", (True, "10:00", "12:00")),
            ("11:30", "09:00", (True, "10:00", "12:00")), ("11:30", "11:00", (True, "11:00", "12:00")),
            ("12:00", "09:00", (False, "", "never")), ("12:30", "12:15", (False, "", "never")),
        ],
    )  # fmt: skip
    def test_a_conjunction_holds_from_its_last_clock_until_the_first_that_must_not(
        self, now: str, lower: str, wanted: tuple[bool, str, str]
    ) -> None:
        assert told(compiled(age(60), age(180, until=True)), now, lower) == wanted
        nested = compiled(AnyOf((AllOf((age(60), age(180, until=True))),)))
        assert told(nested, now, lower) == wanted

    def test_a_window_that_never_opens_asks_for_no_wake_up(self) -> None:
        assert told(compiled(age(180), age(60, until=True)), "09:30") == (False, "", "never")

    def test_any_of_clocks_is_looked_at_at_every_flip(self) -> None:
        rule = compiled(AnyOf((AllOf((age(30), age(60, until=True))), age(120))))
        wanted = {
            "09:00": (False, "", "09:30"), "09:30": (True, "09:30", "10:00"), "10:00": (False, "", "11:00"),
            "11:00": (True, "11:00", "never"), "15:00": (True, "11:00", "never"),
        }  # fmt: skip
        assert {now: told(rule, now) for now in wanted} == wanted

    def test_a_static_part_that_fails_asks_for_no_wake_up(self) -> None:
        rule = compiled(age(60), AnyOf((VIP, Leaf(field="country", op="==", values=("FR",)))))
        assert told(rule, "09:30", country="DE") == (False, "", "never")
        assert told(rule, "09:30", vip=True) == (False, "", "10:00")

    def test_a_clock_that_does_not_run_never_holds(self) -> None:
        assert told(compiled(age(60, name="queued")), "20:00") == (False, "", "never")

    def test_a_rule_without_clocks_holds_since_the_latest_event(self) -> None:
        assert told(compiled(), "11:00", "10:30") == (True, "10:30", "never")

    @pytest.mark.parametrize("seed", range(60))
    def test_nothing_changes_between_an_instant_and_its_flip(self, seed: int) -> None:
        """Random nests of clocks: truth, since and flips agree with judging every quarter of an hour."""
        rng = Random(seed)
        rule = compiled(random_condition(rng, 3))
        steps = [at("09:00") + n * 15 * MINUTE for n in range(26)]
        seen = []
        for instant in steps:
            found = moment("09:00", vip=True)
            found.now = instant
            seen.append((rule.truth(found, at("09:00")), rule.whole(found)))
        for n, (truth, holds) in enumerate(seen):
            assert truth.holds is holds
            change = next((steps[m] for m in range(n, len(steps)) if seen[m][1] is not holds), None)
            assert (truth.flips_at if truth.flips_at <= steps[-1] else None) == change
            if holds:
                first = next(m for m in range(n, -1, -1) if m == 0 or not seen[m - 1][1])
                assert truth.since == steps[first]


def random_condition(rng: Random, depth: int) -> Condition:
    """Return any nest of clocks in quarters of an hour."""
    if depth == 0 or rng.random() < 0.3:
        leaf = age(15 * rng.randint(0, 20), until=rng.random() < 0.5, name=rng.choice(("created", "assigned")))
        return leaf if rng.random() < 0.9 else VIP
    parts = tuple(random_condition(rng, depth - 1) for _ in range(rng.randint(1, 3)))
    kind = rng.choice(("all", "any", "not"))
    if kind == "not":
        return Negation(AllOf(parts))
    return AllOf(parts) if kind == "all" else AnyOf(parts)


class TestShape:
    def test_guards_are_the_static_conjuncts(self) -> None:
        text = Leaf(field="text", op="contains", values=("x",))
        rule = compiled(VIP, age(60), text, AllOf((Leaf(field="country", op="is present"),)))
        assert [guard.field for guard in rule.guards] == ["vip", "country"]

    @pytest.mark.parametrize(
        ("parts", "more", "on_event"),
        [
            ((VIP,), {}, False),
            ((VIP,), {"on": ("message",)}, True),
            ((AnyOf((Change(raised="priority"), VIP)),), {}, True),
        ],
    )
    def test_a_rule_with_on_or_a_change_is_an_event_rule(self, parts: Any, more: Any, on_event: bool) -> None:
        assert compiled(*parts, **more).on_event is on_event

    def test_plain_sla_makes_a_rule_one_for_each_milestone(self) -> None:
        assert compiled(ClockLeaf(clock="sla", amount=HOUR)).by_milestone
        assert not compiled(ClockLeaf(clock="milestone:m", amount=HOUR)).by_milestone

    def test_standing_keeps_what_a_change_left_behind(self) -> None:
        condition = AllOf((AnyOf((Change(became=Negation(VIP)), Change(raised="priority"))), Change(became=VIP)))
        found = judge(standing(condition), Terms(SPECS, "none", {}))
        assert found(moment("10:00", vip=True))
        assert not found(moment("10:00", vip=False))


class TestSets:
    RULES = (
        Rule(id="vip", when=VIP),
        Rule(id="shut", when=AllOf(()), while_closed=True),
        Rule(id="rest", when=AllOf(())),
    )

    @pytest.mark.parametrize(
        ("values", "closed", "chosen"),
        [({"vip": True}, False, "vip"), ({}, False, "shut"), ({"vip": True}, True, "shut")],
    )
    def test_select_takes_the_first_that_holds_and_for_closed_records_asks_while_closed(
        self, values: dict[str, Any], closed: bool, chosen: str
    ) -> None:
        found = CompiledSet(RuleSet(id="s", object="Case", rules=self.RULES), Terms(SPECS, "none", {}))
        selected = found.select(values, closed)
        assert selected is not None
        assert selected.id == chosen

    def test_select_may_choose_nobody(self) -> None:
        found = CompiledSet(RuleSet(id="s", object="Case", rules=self.RULES[:1]), Terms(SPECS, "none", {}))
        assert found.select({}, False) is None

    def test_a_book_keeps_first_match_sets_apart_and_masks_the_rest(self) -> None:
        every = RuleSet(id="a", object="Case", rules=(*self.RULES, Rule(id="e", when=VIP, on=("message",))))
        first = RuleSet(id="f", object="Case", match="first_match", rules=self.RULES)
        book = RuleBook([every, first], SPECS)
        assert [one.id for one in book.sets] == ["f"]
        ids = {
            name: [rule.rule.id for rule in rules_of(mask, book.rules)]
            for name, mask in (("open", book.open_mask), ("event", book.event_mask), ("closed", book.closed_mask))
        }
        assert ids == {"open": ["vip", "shut", "rest"], "event": ["e"], "closed": ["shut"]}

    def test_rules_of_an_empty_mask_are_none(self) -> None:
        assert rules_of(0, ()) == []
