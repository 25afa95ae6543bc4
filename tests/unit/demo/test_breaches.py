"""Promises missed: counted from facts, and without any rules."""

from __future__ import annotations

from triage.config import load_policy
from triage.demo.breaches import breaches_in, stored_facts, without_rules
from triage.domain.instant import HOUR, MINUTE, parse_instant
from triage.domain.work import Event
from triage.observe import observe
from triage.policy import compile_policy
from triage.testing import Sandbox

NINE = parse_instant("2026-03-02T09:00:00Z")
DOCUMENT = load_policy(
    {
        "policy.yaml": """
objects:
  Case:
    calendar: office
    closed_when: [status == Closed]
    fields:
      status: {from: Status, values: [New, Waiting, Closed]}
      account.id: AccountId
    related:
      account: {object: Account, by: AccountId, fields: {tier: Tier__c}}
calendars:
  office: {tz: UTC, weekly: {mon-fri: ["09:00-17:00"]}}
milestones:
  answer:
    object: Case
    target:
      by: [{when: [account.tier == Gold], target: 1h}]
      default: 4h
    complete: [is_contacted]
  reply:
    object: Case
    target: 1h
    start: [is_contacted, awaiting_reply]
    complete: [not awaiting_reply]
    recurrence: independent
  end: {object: Case, target: none, complete: [is_closed]}
templates: {late: {subject: late, body: late}}
""",
        "rules.yaml": """
object: Case
rules:
  - {id: all, when: [sla.used >= 50%], do: [{notify: {who: owner, template: late}}]}
""",
    }
)
POLICY = compile_policy(DOCUMENT, virtual=True)


def event(hours: float, number: int, type_: str, **rest) -> Event:
    values = {"object": "Case", "id": "50001", "origin": "user"} | rest
    return Event(at=NINE + int(hours * HOUR), type=type_, event_id=str(number), **values)


def opened(hours: float = 0, **changes) -> Event:
    return event(hours, 1, "created", changes={"Status": "New"} | changes)


def missed(*events: Event, upto: float = 100):
    found = without_rules(DOCUMENT, events, NINE + int(upto * HOUR), "o")
    return [(one.milestone, one.late // MINUTE) for one in found]


def test_an_answer_in_time_misses_nothing():
    """Met exactly at its target is met."""
    assert missed(opened(), event(4, 2, "message", direction="out")) == []


def test_an_answer_that_comes_late_is_late_by_open_time():
    """Two hours after the target are two hours, a night in between is none."""
    assert missed(opened(), event(6, 2, "message", direction="out")) == [("answer", 120)]
    assert missed(opened(), event(24.5, 2, "message", direction="out")) == [("answer", 4 * 60 + 30)]


def test_what_is_still_open_is_missed_from_its_target_on():
    """At the target it is missed by nothing, before it not at all."""
    assert missed(opened(), upto=3.99) == []
    assert missed(opened(), upto=4) == [("answer", 0)]
    assert missed(opened(), upto=5) == [("answer", 60)]


def test_events_after_the_instant_do_not_count():
    """The comparison at half time looks at half of the story."""
    assert missed(opened(), event(6, 2, "message", direction="out"), upto=5) == [("answer", 60)]


def test_every_run_of_a_recurring_milestone_counts():
    """Two late replies are two promises missed."""
    told = [
        opened(),
        event(0.5, 2, "message", direction="out"),
        event(1, 3, "message", direction="in"),
        event(3, 4, "message", direction="out"),
        event(4, 5, "message", direction="in"),
        event(7, 6, "message", direction="out"),
    ]
    assert missed(*told) == [("reply", 60), ("reply", 120)]


def test_a_change_of_the_account_moves_the_targets_of_its_cases():
    """Related records are followed, those told before and those told after the case."""
    gold = event(0.5, 2, "related", object="Account", id="0011", changes={"Tier__c": "Gold"})
    assert missed(opened(AccountId="0011"), gold, upto=2) == [("answer", 60)]
    before = event(-1, 2, "related", object="Account", id="0011", changes={"Tier__c": "Gold"})
    assert missed(before, opened(AccountId="0011"), upto=2) == [("answer", 60)]
    assert missed(opened(AccountId="0012"), gold, upto=2) == []


def test_agents_come_and_go_without_any_record():
    """An agent's event is no record's."""
    assert missed(event(0, 9, "agent", object="", id="005A", changes={"presence": "online"}), upto=9) == []


def test_facts_with_and_without_rules_agree_where_nobody_escalates():
    """Rules change nothing about the clocks themselves."""
    facts = observe(None, opened(), POLICY, {}, "o")
    assert [one.milestone for one in breaches_in([facts], POLICY, NINE + 5 * HOUR)] == ["answer"]


def test_breaches_come_in_the_order_of_their_due_times():
    """Whatever the order of the records."""
    early, late = (
        observe(None, Event(at=NINE + shift, type="created", event_id="1", object="Case", id=name), POLICY, {}, "o")
        for name, shift in (("50001", 0), ("50002", HOUR))
    )
    found = breaches_in([late, early], POLICY, NINE + 8 * HOUR)
    assert [one.record for one in found] == ["Case/50001", "Case/50002"]


def test_stored_facts_are_all_records_of_the_store():
    """Open and closed ones, by key, however many."""
    sandbox = Sandbox()
    now = sandbox.clock.now()
    events = [
        Event(at=now, type="created", event_id=f"e{n}", object="Case", id=f"5{n:04}", changes={"Status": status})
        for n, status in enumerate(["New", "Closed"] * 300)
    ]
    sandbox.worker.ingest(events, now, live_from=0)
    found = [facts.item.id for facts in stored_facts(sandbox.store)]
    assert found == sorted(one.id for one in events)
