"""Taking in, firing, and what stands between them: counts that add up, order, fan-out, agents, faults kept apart."""

from __future__ import annotations

import threading

import pytest

from triage.domain.instant import DAY, HOUR, MINUTE, SECOND, format_instant
from triage.domain.work import Event
from triage.engine import PureEngine
from triage.errors import CalendarError, StoreBusy, StoreError
from triage.intake.event import parse_event
from triage.ports import Refusal
from triage.publishing import promote
from triage.safety import Bucket
from triage.store.memory import MemoryStore
from triage.testing import SMALL_POLICY, START, ManualClock, RecordingSink, Sandbox
from triage.worker import Worker

CREATED = (
    '{{"at":"{at}","type":"created","object":"Case","id":"{id}","changes":{{"Priority":"Low","Status":"New"}}}}'.format
)


def test_counts_add_up_when_lines_are_good_repeated_broken_or_about_unknown_records() -> None:
    sandbox = Sandbox()
    good = CREATED(at="2026-03-02T09:00:00Z", id="1")
    lines = [good, good, "", "nonsense", good.replace("created", "updated").replace('"1"', '"9"')]
    report = sandbox.worker.ingest_lines(lines, parse_event, START, source="log.jsonl")
    assert (report.read, report.accepted, report.repeated, report.refused) == (4, 1, 1, 2)
    with sandbox.store.read() as unit:
        kept = unit.intake.refusals("log.jsonl")
        state = unit.intake.source("log.jsonl")
    assert [(one.line, one.record) for one in kept] == [(4, ""), (5, "9")]
    assert kept[0].text == "nonsense"
    assert '"type":"updated"' in kept[1].text
    assert state is not None
    assert (state.accepted, state.repeated, state.refused) == (1, 1, 2)


def test_taking_in_the_same_log_again_changes_nothing() -> None:
    sandbox = Sandbox()
    lines = [CREATED(at="2026-03-02T09:00:00Z", id=str(number)) for number in range(3)]
    sandbox.worker.ingest_lines(lines, parse_event, START)
    before = sandbox.facts("1")
    again = sandbox.worker.ingest_lines(lines, parse_event, START + HOUR)
    assert (again.accepted, again.repeated) == (0, 3)
    assert sandbox.facts("1") == before


def test_progress_is_told_after_each_batch() -> None:
    sandbox = Sandbox()
    told: list[int] = []
    events = [sandbox.event("created", str(number)) for number in range(1200)]
    sandbox.worker.ingest(events, START, progress=told.append)
    assert told == [500, 1000, 1200]


def test_refusals_found_before_are_counted_and_kept() -> None:
    sandbox = Sandbox()
    refusal = Refusal(source="x", line=1, reason="bad row")
    assert sandbox.worker.ingest([refusal], START, source="x").refused == 1
    with sandbox.store.read() as unit:
        assert unit.intake.refusals("x") == [refusal]


def test_nothing_works_without_a_policy() -> None:
    worker = Worker(MemoryStore(), RecordingSink(), PureEngine(), ManualClock())
    event = Event(at=1, type="created", event_id="e", object="Case", id="1")
    with pytest.raises(StoreError, match="triage policy publish"):
        worker.ingest([event], 1)


def test_a_record_fires_at_its_due_instant_and_not_before() -> None:
    sandbox = Sandbox()
    sandbox.create("1")
    assert sandbox.worker.next_due() == START + HOUR
    assert sandbox.worker.fire(START + HOUR - 1).records == 0
    fired = sandbox.worker.fire(START + HOUR)
    assert (fired.records, fired.effects, fired.due) == (1, {"ready": 1}, (START + HOUR,))
    assert sandbox.worker.fire(START + HOUR).records == 0


def test_fire_takes_no_more_than_asked() -> None:
    sandbox = Sandbox()
    sandbox.create(*"12345")
    assert [sandbox.worker.fire(START + HOUR, 2).records for _ in range(4)] == [2, 2, 1, 0]


def test_timers_before_an_event_are_decided_before_it() -> None:
    """The case was open for an hour; that it is closed later does not undo what was due."""
    sandbox = Sandbox()
    sandbox.create("1")
    sandbox.clock.move(2 * HOUR)
    sandbox.happen("updated", "1", changes={"Status": "Closed"})
    assert [(one.action.rule, one.action.due) for one in sandbox.effects()] == [("age-1h", START + HOUR)]


def test_at_the_same_instant_the_event_comes_before_the_timer() -> None:
    sandbox = Sandbox()
    sandbox.create("1")
    sandbox.clock.move(HOUR)
    sandbox.happen("updated", "1", changes={"Status": "Closed"})
    sandbox.after(0)
    assert sandbox.effects() == []


def test_a_late_worker_plans_what_a_punctual_one_does() -> None:
    punctual, late = Sandbox(), Sandbox()
    for sandbox in (punctual, late):
        sandbox.create("1", Priority="High")
    for _ in range(8):
        punctual.after(HOUR)
    late.after(8 * HOUR)
    keys = [[(one.action.rule, one.action.due, one.action.key) for one in s.effects()] for s in (punctual, late)]
    assert sorted(keys[0]) == sorted(keys[1])


def test_what_was_true_when_a_source_went_live_is_backlog() -> None:
    sandbox = Sandbox(virtual=False)
    worker, now = sandbox.worker, sandbox.clock.move(3 * HOUR)
    old = CREATED(at=format_instant(START), id="old")
    worker.ingest_lines([old], parse_event, now, source="live")
    assert sandbox.facts("old").live_from == now
    worker.ingest_lines([CREATED(at=format_instant(now + HOUR), id="new")], parse_event, now + HOUR, source="live")
    assert sandbox.facts("new").live_from == now


def test_a_done_effect_comes_back_as_an_event_of_ours() -> None:
    sandbox = Sandbox()
    sandbox.create("1")
    sandbox.after(HOUR)
    assert sandbox.facts("1").item.fields["priority"] == "Medium"
    with sandbox.store.read() as unit:
        event = unit.intake.events("Case/1")[-1]
    (effect,) = sandbox.effects("done")
    assert (event.origin, event.rule, event.key) == ("triage", "age-1h", effect.action.key)
    assert effect.before == {"priority": {"was": "Low", "is": "Medium"}}


def test_a_related_change_reaches_the_open_records_that_read_it() -> None:
    sandbox = Sandbox()
    sandbox.create("1", "2", AccountId="001A")
    sandbox.create("3", AccountId="001B")
    sandbox.happen("updated", "2", changes={"Status": "Closed"})
    sandbox.happen("related", "001A", object="Account", changes={"Tier__c": "Gold"})
    assert sandbox.facts("1").item.fields.get("account.tier") == "Gold"
    assert sandbox.facts("2").item.fields.get("account.tier") is None
    assert sandbox.facts("3").item.fields.get("account.tier") is None


def test_a_reopened_record_reads_what_became_of_its_account_meanwhile() -> None:
    sandbox = Sandbox()
    sandbox.create("1", AccountId="001A")
    sandbox.happen("updated", "1", changes={"Status": "Closed"})
    sandbox.happen("related", "001A", object="Account", changes={"Tier__c": "Gold"})
    sandbox.happen("updated", "1", changes={"Status": "New"})
    assert sandbox.facts("1").item.fields["account.tier"] == "Gold"


FULL = SMALL_POLICY | {
    "rules.yaml": """
object: Case
match: all_matches
rules:
  - id: full
    when: [owner.overloaded]
    do:
      - notify: {who: owner, template: late}
"""
}


def test_what_an_owner_holds_concerns_all_of_their_records() -> None:
    sandbox = Sandbox(FULL)
    sandbox.agent("005A", presence="online", capacity=1)
    sandbox.create("1")
    sandbox.after(MINUTE)
    assert sandbox.effects() == []
    sandbox.create("2")
    sandbox.after(MINUTE)
    assert sorted(one.action.id for one in sandbox.effects()) == ["1", "2"]


def test_an_agent_who_comes_with_their_records_in_one_batch_holds_them() -> None:
    sandbox = Sandbox()
    events = [
        sandbox.event("created", "1", changes={"Status": "New", "OwnerId": "005A"}),
        sandbox.event("agent", "005A", changes={"capacity": 3}),
        sandbox.event("created", "2", changes={"Status": "New", "OwnerId": "005A"}),
    ]
    sandbox.worker.ingest(events, START, live_from=0)
    assert sandbox.load("005A") == 2


def test_a_new_record_reads_what_was_known_of_its_account() -> None:
    sandbox = Sandbox()
    sandbox.happen("related", "001A", object="Account", changes={"Tier__c": "Gold"})
    sandbox.create("1", AccountId="001A")
    assert sandbox.facts("1").item.fields["account.tier"] == "Gold"


def test_a_related_change_reaches_records_of_the_same_batch() -> None:
    sandbox = Sandbox()
    created = sandbox.event("created", "1", changes={"AccountId": "001A"})
    account = sandbox.event("related", "001A", object="Account", changes={"Tier__c": "Gold"})
    sandbox.worker.ingest([created, account], START, live_from=0)
    assert sandbox.facts("1").item.fields["account.tier"] == "Gold"


def senior(sandbox: Sandbox, name: str, **changes: object) -> None:
    sandbox.agent(name, **({"presence": "online", "capacity": 5, "pools": ["seniors"]} | changes))


def gold(sandbox: Sandbox, *names: str) -> None:
    sandbox.happen("related", "001A", object="Account", changes={"Tier__c": "Gold"})
    sandbox.create(*names, AccountId="001A")


def test_work_given_out_in_one_firing_is_shared() -> None:
    """The load of the first is reserved before the second is decided."""
    sandbox = Sandbox()
    senior(sandbox, "a")
    senior(sandbox, "b")
    gold(sandbox, "1", "2", "3", "4")
    sandbox.after(2 * HOUR)
    owners = [sandbox.facts(name).item.fields["owner"] for name in "1234"]
    assert sorted(map(str, owners)) == ["a", "a", "b", "b"]
    assert (sandbox.load("a"), sandbox.load("b")) == (2, 2)


def test_load_is_given_back_when_a_record_closes_or_moves_on() -> None:
    sandbox = Sandbox()
    senior(sandbox, "a")
    gold(sandbox, "1", "2", "3")
    sandbox.after(2 * HOUR)
    assert sandbox.load("a") == 3
    sandbox.happen("updated", "1", changes={"Status": "Closed"})
    sandbox.happen("updated", "2", changes={"OwnerId": "somebody"})
    assert sandbox.load("a") == 1


def test_a_new_agent_holds_the_open_records_that_are_theirs_already() -> None:
    sandbox = Sandbox()
    sandbox.create("1", "2", OwnerId="a")
    senior(sandbox, "a")
    assert sandbox.load("a") == 2


def test_an_agent_with_a_wrong_type_is_refused() -> None:
    sandbox = Sandbox()
    report = sandbox.agent("a", capacity="many")
    assert report.refused == 1
    assert "capacity" in report.refusals[0].reason


def test_held_for_want_of_anybody_goes_when_somebody_comes_online() -> None:
    sandbox = Sandbox()
    senior(sandbox, "a", presence="offline")
    gold(sandbox, "1")
    sandbox.after(2 * HOUR)
    assert [one.action.rule for one in sandbox.effects("held")] == ["gold-2h"]
    sandbox.agent("a", presence="online")
    sandbox.after(MINUTE)
    assert sandbox.facts("1").item.fields["owner"] == "a"
    assert sandbox.load("a") == 1


class Faulty(PureEngine):
    """An engine that cannot decide case `bad`."""

    def advance(self, facts, policy, upto, at):  # type: ignore[no-untyped-def]
        if facts.item.id == "bad" and upto > START:
            raise CalendarError("beyond the years this calendar covers")
        return super().advance(facts, policy, upto, at)


def test_a_record_that_cannot_be_decided_keeps_nobody_waiting() -> None:
    sandbox = Sandbox()
    sandbox.create("bad", "good")
    worker = Worker(sandbox.store, sandbox.sink, Faulty(), sandbox.clock)
    now = sandbox.clock.move(HOUR)
    fired = worker.fire(now)
    assert (fired.records, fired.failed) == (2, {"Case/bad": "beyond the years this calendar covers"})
    assert [one.action.id for one in sandbox.effects()] == ["good"]
    assert [entry.id for entry in sandbox.audit("failed")] == ["bad"]
    assert worker.fire(now).records == 0
    assert worker.fire(now + 5 * MINUTE).records == 1


def test_an_event_that_cannot_be_decided_is_refused_and_leaves_the_record_as_it_was() -> None:
    sandbox = Sandbox()
    sandbox.create("bad")
    before = sandbox.facts("bad")
    worker = Worker(sandbox.store, sandbox.sink, Faulty(), sandbox.clock)
    now = sandbox.clock.move(MINUTE)
    report = worker.ingest([sandbox.event("updated", "bad", changes={"Status": "Working"})], now)
    assert report.refused == 1
    assert sandbox.facts("bad") == before


def test_run_ends_when_told_and_finishes_what_is_due() -> None:
    sandbox = Sandbox()
    sandbox.create("1")
    sandbox.clock.move(HOUR)
    stop = threading.Event()
    thread = threading.Thread(target=sandbox.worker.run, args=(stop,))
    thread.start()
    while not sandbox.effects("done"):
        stop.wait(0.01)
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    assert sandbox.worker.lateness.total == 1
    assert sandbox.worker.health.ok


def test_run_is_refused_while_another_worker_runs() -> None:
    sandbox = Sandbox()
    with sandbox.store.hold(), pytest.raises(StoreBusy):
        sandbox.worker.run(threading.Event())


def test_a_bug_in_one_half_ends_the_whole_worker() -> None:
    """Half a worker looks alive and is not."""

    class Broken(PureEngine):
        def still_holds(self, facts, policy, action, now):  # type: ignore[no-untyped-def]
            raise ZeroDivisionError

    sandbox = Sandbox()
    sandbox.create("1")
    sandbox.clock.move(HOUR)
    worker = Worker(sandbox.store, sandbox.sink, Broken(), sandbox.clock)
    with pytest.raises(ZeroDivisionError):
        worker.run(threading.Event())


def test_a_published_policy_is_used_from_the_next_transaction_on() -> None:
    sandbox = Sandbox()
    sandbox.create("1")
    rules = SMALL_POLICY["rules.yaml"].replace("age >= 1h", "age >= 5m")
    sandbox.clock.move(SECOND)
    sandbox.publish({**SMALL_POLICY, "rules.yaml": rules})
    sandbox.after(5 * MINUTE)
    assert [one.action.due for one in sandbox.effects("done")] == [START + 5 * MINUTE]


def test_held_for_want_of_anybody_goes_when_a_shift_begins() -> None:
    """No event says so: the worker looks."""
    hours = ", ".join(f"{day}: ['12:00-18:00']" for day in ("mon", "tue", "wed", "thu", "fri"))
    calendars = {"calendars.yaml": f"calendars:\n  afternoon:\n    tz: UTC\n    weekly: {{{hours}}}\n"}
    sandbox = Sandbox({**SMALL_POLICY, **calendars})
    senior(sandbox, "a", shift="afternoon")
    gold(sandbox, "1")
    sandbox.after(2 * HOUR)
    assert len(sandbox.effects("held")) == 1
    assert sandbox.after(30 * MINUTE) == 0
    assert sandbox.after(30 * MINUTE) == 1
    assert sandbox.facts("1").item.fields["owner"] == "a"


TO_MANAGERS = SMALL_POLICY | {
    "rules.yaml": """
object: Case
match: all_matches
rules:
  - id: tell
    when: [age >= 1h]
    do:
      - notify: {who: manager, template: late}
"""
}


def test_a_manager_who_is_found_later_is_held_against_the_allow_list_all_the_same() -> None:
    sandbox = Sandbox(TO_MANAGERS)
    sandbox.agent("005A", presence="online")
    sandbox.create("1")
    sandbox.after(HOUR)
    assert [one.state for one in sandbox.effects()] == ["held"]
    sandbox.agent("005A", manager="boss@elsewhere.example")
    sandbox.after(MINUTE)
    (effect,) = sandbox.effects()
    assert (effect.state, effect.error) == ("cancelled", "elsewhere.example is not among safety.recipient_domains")
    assert sandbox.sink.calls == []


def test_a_released_reassignment_is_no_hop_too_many() -> None:
    """A backlog that is let go may not be the fifth automatic change of owner within a day."""
    sandbox = Sandbox()
    sandbox.create("1", Priority="High")
    sandbox.worker.fire(sandbox.clock.move(3 * HOUR))
    for number in range(4):
        change = {"OwnerId": f"005{number}"}
        sandbox.happen("updated", "1", changes=change, origin="triage", rule="other", key=str(number))
    sandbox.worker.act(sandbox.clock.now())
    assert [one.error for one in sandbox.effects("cancelled") if one.action.kind == "reassign"] == [
        "4 automatic changes of owner within 24 h"
    ]


def test_what_an_event_of_the_future_makes_due_is_sent_when_it_is_due() -> None:
    """A source whose clock is five hours ahead neither hastens an escalation nor loses it."""
    sandbox = Sandbox()
    sandbox.create("1", Priority="High")
    sandbox.happen("comment", "1", at=START + 5 * HOUR)
    sandbox.worker.drain(sandbox.clock.now())
    assert sandbox.sink.calls == []
    sandbox.after(2 * HOUR)
    assert sandbox.sink.calls == []
    sandbox.after(HOUR)
    assert [one.rule for one in sandbox.sink.calls] == ["high-3h", "high-3h"]


def test_a_record_that_was_woken_stays_woken_when_its_effect_goes_first() -> None:
    """Carrying out reads the record; that must not put its timer back to where its last decision wanted it."""
    sandbox = Sandbox()
    sandbox.create("1")
    sandbox.worker.fire(sandbox.clock.move(HOUR))
    with sandbox.store.write() as unit:
        unit.records.wake(["Case/1"], sandbox.clock.now() + 5, "policy")
    sandbox.happen("updated", "1", changes={"Status": "Closed"})
    with sandbox.store.write() as unit:
        unit.records.wake(["Case/1"], sandbox.clock.now() + 5, "policy")
    assert sandbox.worker.act(sandbox.clock.now()).cancelled == 1
    assert sandbox.worker.next_due() == sandbox.clock.now() + 5
    assert sandbox.worker.fire(sandbox.clock.move(5)).records == 1
    assert sandbox.worker.fire(sandbox.clock.now()).records == 0


def test_a_record_woken_at_the_instant_of_its_last_decision_is_looked_at_once() -> None:
    sandbox = Sandbox()
    sandbox.create("1")
    with sandbox.store.write() as unit:
        unit.records.wake(["Case/1"], START, "policy")
    assert [sandbox.worker.fire(START).records for _ in range(2)] == [1, 0]
    assert sandbox.worker.next_due() == START + HOUR


def test_a_related_event_reaches_the_others_when_one_record_cannot_be_decided() -> None:
    sandbox = Sandbox()
    sandbox.create("bad", "good", AccountId="001A")
    worker = Worker(sandbox.store, sandbox.sink, Faulty(), sandbox.clock)
    sandbox.clock.move(MINUTE)
    event = sandbox.event("related", "001A", object="Account", changes={"Tier__c": "Gold"})
    assert worker.ingest([event], sandbox.clock.now()).accepted == 1
    assert sandbox.facts("good").item.fields["account.tier"] == "Gold"
    assert [entry.id for entry in sandbox.audit("failed")] == ["bad"]


def test_a_policy_of_a_sandbox_never_meets_a_live_sink() -> None:
    sandbox = Sandbox()
    sandbox.create("1")
    live = Worker(sandbox.store, RecordingSink(live=True), sandbox.engine, sandbox.clock)
    with pytest.raises(StoreError, match="lets every rule act, for a sandbox; recording reaches the outside"):
        live.fire(START + HOUR)


def test_what_a_sandbox_left_ready_is_cancelled_when_the_store_goes_live() -> None:
    sandbox = Sandbox()
    sandbox.create("1")
    sandbox.worker.fire(sandbox.clock.move(HOUR))
    sandbox.publish(SMALL_POLICY, virtual=False)
    live = Worker(sandbox.store, RecordingSink(live=True), sandbox.engine, sandbox.clock)
    assert live.act(sandbox.clock.now()).cancelled == 1
    assert [entry.body["why"] for entry in sandbox.audit("cancelled")] == ["the rule is in mode observe"]


def test_events_of_one_record_and_instant_are_decided_together() -> None:
    """A case that is raised and closed in one save was never open at its new priority."""
    sandbox = Sandbox()
    line = '{{"at":"2026-03-02T13:00:00Z","type":"updated","object":"Case","id":"1","changes":{{{}}}}}'.format
    sandbox.worker.ingest_lines([CREATED(at="2026-03-02T09:00:00Z", id="1")], parse_event, START)
    both = [line('"Priority":"High"'), line('"Status":"Closed"')]
    report = sandbox.worker.ingest_lines(both, parse_event, START + 5 * HOUR)
    assert report.accepted == 2
    assert sorted({one.action.rule for one in sandbox.effects()}) == ["age-1h"]


def test_an_event_refused_among_those_of_its_instant_leaves_the_others_to_be_decided() -> None:
    sandbox = Sandbox()
    line = '{{"at":"2026-03-02T13:00:00Z","type":"{}","object":"Case","id":"1","changes":{{"Priority":"High"}}}}'.format
    sandbox.worker.ingest_lines([CREATED(at="2026-03-02T09:00:00Z", id="1")], parse_event, START)
    report = sandbox.worker.ingest_lines([line("updated"), line("created")], parse_event, START + 4 * HOUR)
    assert (report.accepted, report.refused) == (1, 1)
    sandbox.after(4 * HOUR)
    assert "high-3h" in {one.action.rule for one in sandbox.effects()}


def test_a_record_stays_when_the_last_event_of_its_instant_is_refused() -> None:
    sandbox = Sandbox()
    events = [sandbox.event("created", "1", changes={"Priority": "Low"}) for _ in range(2)]
    report = sandbox.worker.ingest(events, START, source="log", live_from=0)
    assert (report.accepted, [one.reason for one in report.refusals]) == (1, ["created a second time"])
    assert sandbox.facts("1").item.fields["priority"] == "Low"
    assert sandbox.worker.next_due() == START + HOUR


def test_events_of_one_instant_are_decided_together_though_others_stand_between_them() -> None:
    sandbox = Sandbox()
    sandbox.create("1", "2")
    now = sandbox.clock.move(4 * HOUR)
    changes = [("1", {"Priority": "High"}), ("2", {"Priority": "High"}), ("1", {"Status": "Closed"})]
    sandbox.worker.ingest([sandbox.event("updated", name, changes=new) for name, new in changes], now, live_from=0)
    assert {one.action.id for one in sandbox.effects(rule="high-3h")} == {"2"}


def test_all_events_of_an_instant_are_refused_when_it_cannot_be_decided() -> None:
    sandbox = Sandbox()
    sandbox.create("bad")
    before = sandbox.facts("bad")
    worker = Worker(sandbox.store, sandbox.sink, Faulty(), sandbox.clock)
    now = sandbox.clock.move(MINUTE)
    both = [sandbox.event("updated", "bad", changes={"Status": "Working"}) for _ in range(2)]
    report = worker.ingest(both, now)
    assert (report.accepted, report.refused) == (0, 2)
    assert sandbox.facts("bad") == before


def test_what_was_true_when_a_policy_was_published_is_backlog_though_an_event_comes_before_the_wake_up() -> None:
    sandbox = Sandbox(virtual=False)
    sandbox.create("1", Priority="High")
    now = sandbox.clock.now()
    promote(sandbox.store, sandbox.engine, "high-3h", "act", now, actor="me", reason="seen")
    sandbox.clock.move(2 * HOUR)
    earlier = SMALL_POLICY | {"rules.yaml": SMALL_POLICY["rules.yaml"].replace("age >= 3h", "age >= 1h")}
    sandbox.publish(earlier, virtual=False)
    sandbox.happen("updated", "1", changes={"Subject": "again"})
    assert [(one.action.rule, one.state) for one in sandbox.effects() if one.action.rule == "high-3h"] == [
        ("high-3h", "backlog"), ("high-3h", "backlog"),
    ]  # fmt: skip


def test_a_running_worker_forgets_what_the_caps_counted_days_ago() -> None:
    sandbox = Sandbox()
    now = sandbox.clock.now()
    old, new = Bucket("rule", "r", "day", now - 3 * DAY), Bucket("rule", "r", "day", now - DAY)
    with sandbox.store.write() as unit:
        unit.outbox.add_usage({old: 1, new: 1})
    sandbox.worker._fire_round()
    with sandbox.store.read() as unit:
        assert unit.outbox.usage({old, new}) == {new: 1}
