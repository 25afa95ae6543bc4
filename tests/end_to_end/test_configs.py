"""The shipped policies: they load without a finding, and every rule of the example fires in the sample organisation."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from triage.config import load_policy, read_folder
from triage.demo.play import Played, Player
from triage.domain.facts import Facts
from triage.domain.instant import DAY, HOUR
from triage.observe import observe
from triage.pipeline import advance
from triage.policy import compile_policy
from triage.replay.history import read_export
from triage.rules.analysis import analyse
from triage.rules.deeds import BUILTIN_FIELDS
from triage.rules.document import PolicyDocument
from triage.rules.findings import actions_of
from triage.rules.sections import placeholders
from triage.sample import AGENTS, invent
from triage.sla.milestones import violated
from triage.store.memory import MemoryStore
from triage.wiring import open_scorer

CONFIGS = Path(__file__).parents[2] / "configs"
POLICIES = sorted(folder.name for folder in CONFIGS.iterdir() if any(folder.rglob("*.yaml")))


@cache
def document(name: str) -> PolicyDocument:
    return load_policy(read_folder(CONFIGS / name))


@cache
def example() -> Played:
    """The sample organisation under the example policy and the shipped models: the demo's own loop, in memory."""
    return Player(document("example"), invent(7), MemoryStore("default"), open_scorer()).play()


RULES = [
    pytest.param(rule, id=rule.id)
    for name in POLICIES
    for rule_set in document(name).rule_sets
    for rule in rule_set.rules
]
EXAMPLE = [rule for rule_set in document("example").rule_sets for rule in rule_set.rules]
ACTING = [rule.id for rule in EXAMPLE if next(actions_of(rule), None) is not None]


@pytest.mark.parametrize("name", POLICIES)
def test_a_shipped_policy_loads_compiles_and_has_no_finding(name):
    """No fault, no warning, no error of the static analysis."""
    assert compile_policy(document(name), virtual=True).rules
    assert [str(finding) for finding in analyse(document(name))] == []


@pytest.mark.parametrize("rule", RULES)
def test_every_shipped_rule_says_what_it_is_for(rule):
    """One sentence that ends with a full stop."""
    assert rule.description.endswith(".")
    assert 20 < len(rule.description) < 120


@pytest.mark.parametrize("name", POLICIES)
def test_every_shipped_file_begins_with_a_word_to_its_reader(name):
    """A comment on top says what the file is."""
    for file, text in read_folder(CONFIGS / name).items():
        assert text.startswith("# "), file


@pytest.mark.parametrize("name", POLICIES)
def test_every_template_is_used_and_speaks_of_fields_that_exist(name):
    """No message is left over, none has a hole that no field fills."""
    policy = document(name)
    used: dict[str, set[str]] = {}
    for rule_set in policy.rule_sets:
        for rule in rule_set.rules:
            for action in actions_of(rule):
                if "template" in action.params:
                    used.setdefault(action.params["template"], set()).add(rule_set.object)
    assert used.keys() == policy.templates.keys()
    builtin = {spec.name for spec in BUILTIN_FIELDS}
    for template, objects in used.items():
        fields = builtin.union(*(policy.objects[name].spec.by_name for name in objects))
        assert set(placeholders(policy.templates[template])) <= fields


@pytest.mark.parametrize("rule", ACTING)
def test_every_rule_of_the_example_fires_in_the_sample_organisation(rule):
    """The sample and the rules are alive: something was carried out because of each."""
    assert Counter(action.rule for action in example().actions)[rule] > 0


def test_the_shipped_models_score_every_family_that_the_rules_read():
    """Cases, leads and deals alike; and the rules act upon it."""
    scored = example().scored
    assert scored.models.keys() == {"urgency", "lead", "sentiment", "complexity"}
    assert scored.records == example().records["total"]
    assert scored.actions > 50


def test_an_entry_without_steps_takes_its_cases():
    """Enterprise cases are never escalated by age: the entry above swallows them."""
    aged = {action.id for action in example().actions if action.rule.startswith("ageing")}
    enterprise = {action.id for action in example().actions if action.rule == "tier1-enterprise-sla"}
    assert aged
    assert enterprise
    assert not aged & enterprise


def test_the_steps_of_one_entry_all_fire():
    """Both ages of both entries were met by some case."""
    steps = {(action.rule, action.step) for action in example().actions if action.rule.startswith("ageing")}
    assert steps >= {("ageing-high", "tier2"), ("ageing-high", "again"), ("ageing-medium", "tier2")}


def test_a_neglected_lead_is_passed_on_three_times_at_most():
    """Then it goes to the pool, once."""
    counts = Counter((action.id, action.kind) for action in example().actions if action.rule == "neglected-lead")
    assert max(count for (_, kind), count in counts.items() if kind == "reassign") <= 3
    assert all(count == 1 for (_, kind), count in counts.items() if kind == "move")


def test_nobody_has_more_than_four_automatic_owners_in_a_day():
    """The hop bound holds over the whole play; what people ordered does not count."""
    moves: dict[str, list[int]] = {}
    for action in example().actions:
        if action.kind in ("reassign", "move") and action.rule != "override" and action.step != "hops":
            moves.setdefault(action.id, []).append(action.at)
    for instants in moves.values():
        for at in instants:
            assert sum(at - DAY < other <= at for other in instants) <= 5


def test_messages_to_customers_are_one_a_day():
    """An acknowledgement is sent to each customer at most once a day."""
    sent = Counter((action.target, action.at // DAY) for action in example().actions if action.kind == "acknowledge")
    assert sent
    assert set(sent.values()) == {1}


def test_pre_breach_texts_are_never_sent_after_the_breach():
    """A warning about a first answer goes out before that answer is late."""
    missed = {breach.record: breach.due for breach in example().missed if breach.milestone == "first_response"}
    warned = 0
    for action in example().actions:
        record = f"{action.object}/{action.id}"
        if action.rule == "sla-80-percent" and action.reason.clock == "first_response" and record in missed:
            assert action.due <= action.at < missed[record]
            warned += 1
    assert warned


def test_the_people_of_the_example_are_those_of_the_sample():
    """One roster in two places: id, team, pools, tier, capacity, skills and shift agree."""
    named = {agent.id: agent for agent in document("example").directory.agents}
    assert named == {seat.agent.id: seat.agent for seat in AGENTS}


def test_escalation_keeps_promises():
    """With it, much less is missed than without it."""
    assert len(example().missed) < 0.6 * len(example().missed_without)


@pytest.mark.shared
def test_the_incidents_run_and_a_meaningful_share_is_missed(shared):
    """A tenth of the real incidents: every rule fires, and between 5 and 40 % miss each promise."""
    policy = compile_policy(document("incidents"), virtual=True)
    export = read_export(shared / "data" / "sf_export", objects=["Case"], specs={"Case": policy.objects["Case"].spec})
    chosen = {event.id for event in export.stream if event.type == "created" and event.id[-4] in "ABCDEF"}
    desk = policy.calendars["service_desk"]
    known: dict[str, Facts] = {}
    fired: Counter[str] = Counter()
    for event in export.stream:
        if event.id not in chosen:
            continue
        before = known.get(event.id)
        if before is not None:
            before, decisions = advance(before, policy, event.at - 1)
            fired.update(action.rule for decision in decisions for action in decision.actions)
        facts, decisions = advance(observe(before, event, policy, {}, "o"), policy, event.at)
        fired.update(action.rule for decision in decisions for action in decision.actions)
        known[event.id] = facts
    end = export.stream[-1].at + HOUR
    missed: Counter[str] = Counter()
    for facts in known.values():
        facts, decisions = advance(facts, policy, end)
        fired.update(action.rule for decision in decisions for action in decision.actions)
        missed.update(state.name for state in facts.memory.milestones if violated(state, lambda _: desk, end))
    assert fired.keys() == {rule.id for rs in document("incidents").rule_sets for rule in rs.rules} - {"ageing-waiting"}
    for name in ("resolution", "first_owner"):
        assert 0.05 < missed[name] / len(known) < 0.4
    assert not [warning for facts in known.values() for warning in facts.item.warnings if "unknown" in warning]
