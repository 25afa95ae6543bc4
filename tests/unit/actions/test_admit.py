"""Which of the rules that hold fire now: once, overrides, repeats, cool-down, delivery."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.build import at, clock, created, event, known, make_policy, message, updated
from triage.actions.admit import Firing, Ledger, admit, dropped, held_by
from triage.actions.matches import Found, holding
from triage.actions.view import View
from triage.domain.facts import Override, Pending, Run
from triage.domain.work import Event
from triage.policy import Policy, RuleMode

NOTE = "do: [{notify: {who: 'queue:Tier1', template: note}}]"


def rule(more: str = "", when: str = "[age >= 1h]") -> Policy:
    """Return a policy of one rule."""
    return make_policy(f"- {{id: r, when: {when}, {more}{NOTE}}}")


def look(policy: Policy, now: str, *events: Event, **memory: object) -> tuple[Found, View, Ledger]:
    """Return the rule as found at *now*, with the view and its ledger."""
    facts = known(policy, created(), *events)
    facts = replace(facts, memory=replace(facts.memory, **memory))
    view = View(facts, facts.memory, policy, at(now))
    (found,) = holding(view)
    return found, view, Ledger(view)


def hold(*rules: str, until: str | None = None) -> Override:
    """Return a hold since nine."""
    return Override(action="hold", rules=rules, since=at("09:00"), until=at(until) if until else None)


class TestOnce:
    def test_it_fires_and_never_again_in_this_episode(self) -> None:
        found, view, ledger = look(rule(), "10:00")
        firing = admit(found, view, ledger)
        assert firing is not None
        assert (firing.episode, firing.due, firing.held_by) == (found.episode, at("10:00"), None)
        assert admit(found, view, ledger) is None
        assert list(ledger.fired.values()) == [at("10:00")]
        assert ledger.last_fired == {"r": at("10:00")}

    @pytest.mark.parametrize(
        ("before", "now", "fires"),
        [
            ("observe", "observe", False), ("observe", "notify", True), ("observe", "act", True),
            ("notify", "observe", False), ("notify", "notify", False), ("notify", "act", True),
            ("act", "observe", False), ("act", "notify", False), ("act", "act", False),
        ],
    )  # fmt: skip
    def test_what_was_only_noted_is_let_through_again_when_promoted(self, before: Any, now: Any, fires: bool) -> None:
        policies = [
            make_policy(f"- {{id: r, when: [age >= 1h], {NOTE}}}", virtual=False, modes={"r": RuleMode(mode)})
            for mode in (before, now)
        ]
        found, view, ledger = look(policies[0], "10:00")
        assert admit(found, view, ledger) is not None
        found, view, _ = look(policies[1], "11:00")
        assert (admit(found, view, ledger) is not None) is fires


class TestOverrides:
    @pytest.mark.parametrize("names", [("r",), ("*",), ("x", "r")])
    def test_a_hold_suppresses_once_and_keeps_the_firing_for_later(self, names: tuple[str, ...]) -> None:
        found, view, ledger = look(rule(), "10:00", overrides=(hold(*names, until="12:00"),))
        firing = admit(found, view, ledger)
        assert isinstance(firing, Firing)
        assert firing.held_by is not None
        assert firing.episode.startswith(found.episode)
        assert firing.episode != found.episode
        assert admit(found, view, ledger) is None
        assert clock(view.wake) == "12:00"
        assert ledger.last_fired == {}

    def test_another_rules_hold_is_none_and_an_ended_one_neither(self) -> None:
        _, view, _ = look(rule(), "10:00", overrides=(hold("x"), hold("r", until="10:00")))
        assert held_by(view, "r") is None

    def test_a_hold_without_end_wakes_nobody(self) -> None:
        _, view, _ = look(rule(), "10:00", overrides=(hold("r"),))
        before = view.wake
        assert held_by(view, "r") is not None
        assert view.wake == before


class TestRepeats:
    EVERY = "repeat: {every: 30m, at_most: 2, then: [{move: {to: {pool: last}}}]}, "

    def test_the_first_firing_begins_a_run_and_wakes_for_the_next(self) -> None:
        found, view, ledger = look(rule(self.EVERY), "10:00")
        assert admit(found, view, ledger) is not None
        assert ledger.runs == {"r//": Run(1, at("10:00"))}
        assert clock(view.wake) == "10:30"

    @pytest.mark.parametrize(
        ("run", "now", "step", "kinds", "after"),
        [
            (Run(1, at("10:00")), "10:30", "", ["notify"], Run(2, at("10:30"))),
            (Run(2, at("10:30")), "11:00", "then", ["move"], Run(2, at("11:00"), ended=True)),
        ],
    )  # fmt: skip
    def test_each_repeat_has_its_due_instant_and_the_last_does_what_then_says(
        self, run: Run, now: str, step: str, kinds: list[str], after: Run
    ) -> None:
        found, view, ledger = look(rule(self.EVERY), now, runs={"r//": run})
        firing = admit(found, view, ledger)
        assert firing is not None
        assert (firing.step, [one.kind for one in firing.do], firing.due) == (step, kinds, at(now))
        assert firing.episode == f"{found.episode}:{at(now)}"
        assert ledger.runs["r//"] == after

    @pytest.mark.parametrize("run", [Run(1, at("10:00")), Run(2, at("11:00"), ended=True)])
    def test_nothing_fires_before_its_time_or_after_the_end(self, run: Run) -> None:
        found, view, ledger = look(rule(self.EVERY), "10:29", runs={"r//": run})
        assert admit(found, view, ledger) is None

    def test_without_then_the_run_just_ends(self) -> None:
        found, view, ledger = look(
            rule("repeat: {every: 30m, at_most: 1}, "), "10:30", runs={"r//": Run(1, at("10:00"))}
        )
        assert admit(found, view, ledger) is None
        assert ledger.runs["r//"].ended

    def test_repeats_count_in_the_rules_hours(self) -> None:
        found, view, ledger = look(rule(self.EVERY + "hours: lon, "), "16:45", runs={"r//": Run(1, at("16:45"))})
        assert admit(found, view, ledger) is None
        assert clock(view.wake) == "13 09:15"

    @pytest.mark.parametrize(
        ("one", "ends"),
        [
            (updated("10:10", Subject="x"), True), (message("10:10"), True),
            (event("override", "10:10", action="release"), True),
            (updated("10:10", by="triage", OwnerId="bob"), False), (event("comment", "10:10"), False),
            (event("scored", "10:10", scores={"language": "fr"}), False),
        ],
    )  # fmt: skip
    def test_a_run_ends_where_a_person_or_customer_made_the_rule_false(self, one: Event, ends: bool) -> None:
        facts = known(rule(self.EVERY), created())
        memory = replace(facts.memory, runs={"r//": Run(1, at("10:00"))})
        facts = replace(facts, memory=memory, fresh=((one, {}),))
        view = View(facts, memory, rule(self.EVERY), at("10:10"))
        ledger = Ledger(view)
        ledger.end_runs(view, list(holding(view)))
        assert ledger.runs != {}
        ledger.end_runs(view, [])
        assert (ledger.runs == {}) is ends


class TestWaiting:
    def test_a_cool_down_keeps_it_until_it_is_over(self) -> None:
        found, view, ledger = look(rule("cool_down: 2h, "), "10:00", last_fired={"r": at("09:00")})
        assert admit(found, view, ledger) is None
        assert (clock(view.wake), ledger.fired, ledger.pending) == ("11:00", {}, [])

    def test_a_closed_window_keeps_it_until_it_opens(self) -> None:
        found, view, ledger = look(rule("deliver: in_hours, "), "18:00")
        assert admit(found, view, ledger) is None
        assert clock(view.wake) == "13 09:00"

    def test_cool_down_and_window_are_waited_for_one_after_the_other(self) -> None:
        found, view, ledger = look(rule("deliver: in_hours, cool_down: 2h, "), "16:00", last_fired={"r": at("15:30")})
        assert admit(found, view, ledger) is None
        assert clock(view.wake) == "13 09:00"

    def test_what_came_by_an_event_is_kept_in_the_ledger(self) -> None:
        found, view, ledger = look(rule("deliver: in_hours, "), "18:00")
        assert admit(replace(found, on_event=True), view, ledger) is None
        (pending,) = ledger.pending
        assert (pending.rule, pending.episode, pending.deliver_at) == ("r", found.episode, at("13 09:00"))


def test_a_dropped_delivery_keeps_rule_step_due_and_episode() -> None:
    pending = Pending(rule="r", step="s", subject="m", episode="event:1", due=5, deliver_at=9)
    firing = dropped(pending, rule().rules["r"])
    assert (firing.found.rule.id, firing.step, firing.due, firing.episode) == ("r", "s", 5, "event:1")
