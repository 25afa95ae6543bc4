"""Policies made live, promoted and rolled back: who keeps which mode, and what is looked at again."""

from __future__ import annotations

import pytest

from triage.domain.instant import HOUR, MINUTE
from triage.errors import ConfigError, StoreError
from triage.policy import RuleMode
from triage.ports import Outline, StoredPolicy
from triage.publishing import next_modes, promote, publish, resume_waking, rollback, wake_open
from triage.store.memory import MemoryStore
from triage.testing import SMALL_POLICY, START, Sandbox


def edited(before: str, after: str) -> dict[str, str]:
    assert before in SMALL_POLICY["rules.yaml"]
    return {**SMALL_POLICY, "rules.yaml": SMALL_POLICY["rules.yaml"].replace(before, after)}


def live(**outlines: str) -> StoredPolicy:
    modes = {name: RuleMode("act", 5) for name in outlines}
    return StoredPolicy(digest="d", texts={}, modes=modes, outlines={n: Outline(d) for n, d in outlines.items()})


def test_every_rule_of_a_first_policy_observes() -> None:
    assert next_modes(None, {"a": Outline("1", "act")}, 9) == {"a": RuleMode("observe", 9)}


def test_an_unchanged_rule_keeps_its_mode_and_since_when() -> None:
    assert next_modes(live(a="1"), {"a": Outline("1")}, 9) == {"a": RuleMode("act", 5)}


def test_a_changed_rule_keeps_its_mode_but_is_live_from_now_on() -> None:
    assert next_modes(live(a="1"), {"a": Outline("2")}, 9) == {"a": RuleMode("act", 9)}


def test_a_new_rule_observes_and_a_removed_one_is_forgotten() -> None:
    assert next_modes(live(a="1"), {"b": Outline("1")}, 9) == {"b": RuleMode("observe", 9)}


def test_publishing_says_what_changed_and_is_audited() -> None:
    sandbox = Sandbox()
    sandbox.create("1", "2", "3")
    sandbox.happen("updated", "3", changes={"Status": "Closed"})
    sandbox.clock.move(MINUTE)
    published = sandbox.publish(edited("age >= 1h", "age >= 30m"))
    assert (published.added, published.changed, published.removed) == ((), ("age-1h",), ())
    assert published.woken == 2
    line = sandbox.audit("policy_published")[-1]
    assert (line.actor, line.body["digest"], list(line.body["changed"])) == ("tester", published.digest, ["age-1h"])


def test_publishing_what_is_in_force_already_changes_nothing() -> None:
    sandbox = Sandbox()
    sandbox.create("1")
    again = sandbox.publish(SMALL_POLICY)
    assert (again.previous, again.woken) == (again.digest, 0)
    assert len(sandbox.audit("policy_published")) == 1


def test_a_change_of_a_calendar_or_milestone_counts_as_a_change_of_every_rule() -> None:
    sandbox = Sandbox()
    words = {**SMALL_POLICY, "words.yaml": "words:\n  urgent: [now, at once]\n"}
    assert set(sandbox.publish(words).changed) == {"age-1h", "gold-2h", "high-3h"}


def test_all_faults_are_told_and_nothing_is_published() -> None:
    sandbox = Sandbox()
    broken = edited("age >= 1h", "agee >= 1h")
    with pytest.raises(ConfigError, match="agee"):
        sandbox.publish(broken)
    with sandbox.store.read() as unit:
        assert len(unit.policies.history()) == 1


def test_promoting_makes_one_rule_live_with_actor_and_reason() -> None:
    sandbox = Sandbox(virtual=False)
    now = sandbox.clock.move(HOUR)
    published = promote(sandbox.store, sandbox.engine, "age-1h", "act", now, actor="me", reason="two weeks watched")
    assert published.modes["age-1h"] == RuleMode("act", now)
    assert published.modes["high-3h"] == RuleMode("observe", START)
    line = sandbox.audit("policy_published")[-1]
    assert (line.actor, line.body["reason"]) == ("me", "two weeks watched")


def test_an_unknown_rule_is_not_promoted() -> None:
    sandbox = Sandbox()
    with pytest.raises(ConfigError, match="no rule nope: it has age-1h"):
        promote(sandbox.store, sandbox.engine, "nope", "act", START, actor="me", reason="")


def test_nothing_is_promoted_before_a_policy_is_published() -> None:
    with pytest.raises(StoreError, match="no policy is in force"):
        promote(MemoryStore(), Sandbox().engine, "age-1h", "act", START, actor="me", reason="")


def test_rolling_back_publishes_the_earlier_texts_again() -> None:
    sandbox = Sandbox()
    first = sandbox.publish(SMALL_POLICY).digest
    sandbox.clock.move(MINUTE)
    sandbox.publish(edited("age >= 1h", "age >= 30m"))
    back = rollback(sandbox.store, sandbox.engine, "", sandbox.clock.move(MINUTE), actor="me")
    assert back.changed == ("age-1h",)
    with sandbox.store.read() as unit:
        now = unit.policies.live()
    assert now is not None
    assert now.texts == SMALL_POLICY
    assert now.reason == f"rollback to {first[:12]}"


def test_rolling_back_to_what_never_was_is_refused() -> None:
    sandbox = Sandbox()
    with pytest.raises(StoreError, match="0 earlier policies"):
        rollback(sandbox.store, sandbox.engine, "abc", START, actor="me")


def test_agents_of_the_directory_are_stored_once_and_not_overwritten() -> None:
    sandbox = Sandbox()
    people = SMALL_POLICY["people.yaml"] + "\n"
    people = people.replace("  pools: [seniors]", "  pools: [seniors]\n  agents:\n    a: {capacity: 5}")
    sandbox.agent("b", presence="online")
    texts = {**SMALL_POLICY, "people.yaml": people}
    publish(sandbox.store, sandbox.engine, texts, START + 1, actor="me", virtual=True)
    sandbox.agent("a", presence="online")
    publish(sandbox.store, sandbox.engine, SMALL_POLICY, START + 2, actor="me", virtual=True)
    publish(sandbox.store, sandbox.engine, texts, START + 3, actor="me", virtual=True)
    with sandbox.store.read() as unit:
        assert [(agent.id, agent.presence) for agent in unit.related.agents()] == [("a", "online"), ("b", "online")]


def test_waking_goes_in_batches_and_tells_progress() -> None:
    sandbox = Sandbox()
    sandbox.create(*(f"{number:05}" for number in range(2_500)))
    told: list[int] = []
    assert wake_open(sandbox.store, START, told.append) == 2_500
    assert told == [1_000, 2_000, 2_500]
    assert sandbox.worker.next_due() == START


class Cut(Exception):
    """What ends a publication in the middle."""


def test_a_publication_that_was_cut_off_is_finished_by_the_worker() -> None:
    sandbox = Sandbox()
    sandbox.create(*(f"{number:05}" for number in range(2_500)))
    now = sandbox.clock.move(MINUTE)

    def cut(_: int) -> None:
        raise Cut

    with pytest.raises(Cut):
        publish(
            sandbox.store,
            sandbox.engine,
            edited("age >= 1h", "age >= 30m"),
            now,
            actor="me",
            virtual=True,
            progress=cut,
        )
    with sandbox.store.read() as unit:
        assert len(unit.records.due(now, 5_000)) == 1_000
    assert resume_waking(sandbox.store) == 1_500
    assert resume_waking(sandbox.store) == 0
    with sandbox.store.read() as unit:
        assert len(unit.records.due(now, 5_000)) == 2_500


FALLING = """
object: Case
match: first_match
rules:
  - id: first
    when: [priority == High]
  - id: second
    when: [status is present]
    steps:
      - id: late
        after: {clock: created, over: 1h}
        do: [{reassign: {to: {queue: Tier2}}}]
"""


def test_records_that_fall_to_an_entry_whose_words_did_not_change_are_backlog() -> None:
    texts = {**SMALL_POLICY, "ladder.yaml": FALLING}
    sandbox = Sandbox(texts, virtual=False)
    sandbox.create("1", "2", Priority="High")
    promote(sandbox.store, sandbox.engine, "second", "act", START, actor="me", reason="seen")
    sandbox.after(4 * HOUR)
    sandbox.publish({**texts, "ladder.yaml": FALLING.replace("== High", "== Medium")}, virtual=False)
    sandbox.after(1)
    assert [one.state for one in sandbox.effects(rule="second")] == ["backlog", "backlog"]


def test_what_a_changed_calendar_of_an_object_makes_due_is_backlog() -> None:
    shut = 'calendars:\n  short: {tz: UTC, weekly: {sat: ["09:00-10:00"]}}\n'
    texts = {**SMALL_POLICY, "calendars.yaml": shut}
    texts["rules.yaml"] = texts["rules.yaml"].replace("- age >= 3h", "- age >= 3h\n    hours: record")
    texts["fields.yaml"] = texts["fields.yaml"].replace("  Case:\n", "  Case:\n    calendar: short\n")
    sandbox = Sandbox(texts, virtual=False)
    sandbox.create("1", Priority="High")
    promote(sandbox.store, sandbox.engine, "high-3h", "act", START, actor="me", reason="seen")
    sandbox.after(4 * HOUR)
    assert sandbox.effects(rule="high-3h") == []
    sandbox.publish({**texts, "fields.yaml": SMALL_POLICY["fields.yaml"]}, virtual=False)
    sandbox.after(1)
    assert {one.state for one in sandbox.effects(rule="high-3h")} == {"backlog"}


def test_a_rule_that_comes_back_by_rollback_has_the_mode_it_had() -> None:
    sandbox = Sandbox(virtual=False)
    promote(sandbox.store, sandbox.engine, "age-1h", "act", sandbox.clock.move(1), actor="me", reason="seen")
    rules = SMALL_POLICY["rules.yaml"]
    without = rules[: rules.index("  - id: age-1h")] + rules[rules.index("  - id: high-3h") :]
    sandbox.clock.move(1)
    sandbox.publish({**SMALL_POLICY, "rules.yaml": without}, virtual=False)
    back = rollback(sandbox.store, sandbox.engine, "", sandbox.clock.move(MINUTE), actor="me")
    assert back.added == ("age-1h",)
    assert back.modes["age-1h"] == RuleMode("act", sandbox.clock.now())


def test_an_agent_whose_declaration_changed_has_the_new_one_and_keeps_presence_and_load() -> None:
    people = SMALL_POLICY["people.yaml"].replace(
        "  pools: [seniors]", "  pools: [seniors]\n  agents:\n    a: {capacity: 5, pools: [seniors]}"
    )
    sandbox = Sandbox({**SMALL_POLICY, "people.yaml": people})
    sandbox.agent("a", presence="online")
    sandbox.create("1", OwnerId="a")
    more = {**SMALL_POLICY, "people.yaml": people.replace("capacity: 5", "capacity: 9")}
    publish(sandbox.store, sandbox.engine, more, START + 1, actor="me", virtual=True)
    with sandbox.store.read() as unit:
        (agent,) = unit.related.agents()
    assert (agent.capacity, agent.presence, agent.load) == (9, "online", 1)


def test_a_newly_declared_agent_holds_the_open_records_that_are_theirs_already() -> None:
    sandbox = Sandbox()
    sandbox.create("1", "2")
    people = "directory:\n  agents:\n    005A: {capacity: 2}"
    texts = {**SMALL_POLICY, "people.yaml": SMALL_POLICY["people.yaml"].replace("directory:", people)}
    sandbox.publish(texts)
    assert sandbox.load("005A") == 2
