"""What the engine adds to the calls it hands on: outlines, references, and places for what nobody could take."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from triage.domain.instant import HOUR
from triage.engine import PureEngine
from triage.policy import RuleMode
from triage.rules.language import Mode
from triage.testing import SMALL_POLICY, Sandbox

ENGINE = PureEngine()


def test_an_outline_changes_with_its_rule_and_with_nothing_else() -> None:
    before = ENGINE.outlines(SMALL_POLICY)
    rules = SMALL_POLICY["rules.yaml"].replace("age >= 1h", "age >= 2h")
    after = ENGINE.outlines({**SMALL_POLICY, "rules.yaml": rules})
    assert [name for name in before if before[name] != after[name]] == ["age-1h"]


def test_every_outline_changes_with_a_shared_part() -> None:
    before = ENGINE.outlines(SMALL_POLICY)
    after = ENGINE.outlines({**SMALL_POLICY, "words.yaml": "words:\n  urgent: [now]\n"})
    assert all(before[name] != after[name] for name in before)


MEASURED = {
    **SMALL_POLICY,
    "calendars.yaml": 'calendars:\n  office: {tz: Europe/Berlin, weekly: {mon: ["09:00-17:00"]}}\n',
    "milestones.yaml": "milestones:\n  response: {object: Case, target: 1h}\n",
}


@pytest.mark.parametrize(
    ("file", "was", "now"),
    [
        ("fields.yaml", "  Case:\n", "  Case:\n    calendar: office\n"),
        ("fields.yaml", "status == Closed", "status == Working"),
        ("fields.yaml", "[Low, Medium, High]", "[High, Medium, Low]"),
        ("calendars.yaml", "17:00", "18:00"),
        ("milestones.yaml", "1h", "2h"),
    ],
)
def test_every_outline_changes_with_what_moves_its_truth(file: str, was: str, now: str) -> None:
    before = ENGINE.outlines(MEASURED)
    after = ENGINE.outlines({**MEASURED, file: MEASURED[file].replace(was, now)})
    assert all(before[name] != after[name] for name in before)


@pytest.mark.parametrize("file", sorted(MEASURED))
def test_no_outline_changes_with_a_comment(file: str) -> None:
    commented = {**MEASURED, file: f"# why\n\n{MEASURED[file]}"}
    assert ENGINE.outlines(commented) == ENGINE.outlines(MEASURED)


LADDER = """
object: Case
match: first_match
rules:
  - id: top
    when: [priority == High]
  - id: rest
    when: [status is present]
    steps:
      - id: late
        after: {clock: created, over: 1h}
        do: [{reprioritise: {raise: 1}}]
"""


def test_every_entry_of_a_first_match_set_changes_with_one_of_them() -> None:
    before = ENGINE.outlines({**SMALL_POLICY, "ladder.yaml": LADDER})
    after = ENGINE.outlines({**SMALL_POLICY, "ladder.yaml": LADDER.replace("== High", "== Medium")})
    assert [name for name in before if before[name] != after[name]] == ["top", "rest"]


def test_the_same_texts_and_modes_compile_to_the_same_policy() -> None:
    modes = {"age-1h": RuleMode("act", 5)}
    digests = {ENGINE.compile(SMALL_POLICY, modes, virtual=False).digest for _ in range(2)}
    digests.add(ENGINE.compile(SMALL_POLICY, {}, virtual=False).digest)
    digests.add(ENGINE.compile(SMALL_POLICY, modes, virtual=True).digest)
    assert len(digests) == 3


def test_references_are_the_related_records_a_record_names() -> None:
    sandbox = Sandbox()
    sandbox.create("1", AccountId="001A")
    sandbox.create("2")
    policy = ENGINE.compile(SMALL_POLICY, {}, virtual=True)
    assert ENGINE.references(sandbox.facts("1"), policy) == (("Account", "001A"),)
    assert ENGINE.references(sandbox.facts("2"), policy) == ()


def held() -> Sandbox:
    sandbox = Sandbox()
    sandbox.agent("a", presence="offline", pools=["seniors"])
    sandbox.happen("related", "001A", object="Account", changes={"Tier__c": "Gold"})
    sandbox.create("1", AccountId="001A")
    sandbox.after(2 * HOUR)
    return sandbox


def test_nobody_is_placed_while_nobody_can_take_it() -> None:
    sandbox = held()
    (effect,) = sandbox.effects("held")
    with sandbox.store.read() as unit:
        policy, agents = sandbox.worker.policy(unit), unit.related.agents()
    facts = replace(sandbox.facts("1"), agents=agents)
    assert ENGINE.place(effect.action, facts, policy, sandbox.clock.now()) is None
    online = replace(facts, agents=(replace(agents[0], presence="online"),))
    placed = ENGINE.place(effect.action, online, policy, sandbox.clock.now())
    assert placed is not None
    assert (placed.target, placed.status, placed.key) == ("user:a", "planned", effect.action.key)


def test_a_held_action_is_not_placed_when_its_rule_has_changed_under_it() -> None:
    sandbox = held()
    (effect,) = sandbox.effects("held")
    other = ENGINE.compile(
        {**SMALL_POLICY, "rules.yaml": SMALL_POLICY["rules.yaml"].replace("gold-2h", "other")}, {}, virtual=True
    )
    assert ENGINE.place(effect.action, sandbox.facts("1"), other, sandbox.clock.now()) is None


def test_a_closed_or_deleted_record_is_not_open() -> None:
    sandbox = Sandbox()
    sandbox.create("1", "2", "3")
    sandbox.happen("updated", "1", changes={"Status": "Closed"})
    sandbox.happen("deleted", "2")
    policy = ENGINE.compile(SMALL_POLICY, {}, virtual=True)
    assert [ENGINE.is_open(sandbox.facts(name), policy) for name in "123"] == [False, False, True]


def test_a_planned_action_is_cancelled_when_its_rule_is_taken_back() -> None:
    sandbox = Sandbox()
    sandbox.create("1", Priority="High")
    sandbox.worker.fire(sandbox.clock.move(3 * HOUR))
    facts = sandbox.facts("1")

    def why(mode: Mode) -> dict[str, str]:
        policy = ENGINE.compile(SMALL_POLICY, {"high-3h": RuleMode(mode, 0)}, virtual=False)
        actions = [one.action for one in sandbox.effects(rule="high-3h")]
        return {one.kind: ENGINE.still_holds(facts, policy, one, sandbox.clock.now()) for one in actions}

    assert why("act") == {"reassign": "", "notify": ""}
    assert why("notify") == {"reassign": "the rule is in mode notify", "notify": ""}
    assert why("observe") == dict.fromkeys(["reassign", "notify"], "the rule is in mode observe")
