"""One suite over every store: what holds for the database holds for the one in memory, so that a fake cannot drift."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from triage.domain.decision import Action, AuditEntry, Reason
from triage.domain.facts import Facts
from triage.domain.work import Agent, Event, WorkItem
from triage.errors import StaleRecord, StoreBusy
from triage.policy import RuleMode
from triage.ports import (
    Answer,
    ApiKey,
    Effect,
    EffectFilter,
    Finish,
    Outline,
    Record,
    Refusal,
    SourceState,
    Stop,
    Store,
    StoredDecision,
    StoredPolicy,
)  # fmt: skip
from triage.safety import Bucket
from triage.store.database import SqlStore
from triage.store.memory import MemoryStore
from triage.store.postgres import PostgresStore


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """Each kind of store, empty."""
    opened: Store
    if request.param == "memory":
        opened = MemoryStore("acme")
    elif request.param == "sqlite":
        opened = SqlStore(tmp_path / "triage.db", "acme")
    else:
        opened = PostgresStore(request.getfixturevalue("postgres").new(), "acme")
    yield opened
    opened.close()


def record(name: str, **changed: Any) -> Record:
    facts = Facts(org="acme", item=WorkItem(object="Case", id=name, created_at=0, fields={"tags": ("a", "b")}))
    return Record(**({"key": f"Case/{name}", "facts": facts, "version": 1, "due": 100} | changed))


def action(name: str, **changed: Any) -> Action:
    given: dict[str, Any] = {"kind": "notify", "target": "owner", "rule": "r", "step": "", "position": 0, "due": 5}
    given |= {"object": "Case", "id": "1", "episode": "clock:created:0", "key": f"key-{name}", "at": 7}
    return Action(**(given | {"reason": Reason(note="n")} | changed))


def ready(name: str, run_at: int = 0, **changed: Any) -> Effect:
    return Effect(action=action(name, **changed), state="ready", run_at=run_at)


def plan(store: Store, *effects: Effect) -> list[Effect]:
    with store.write() as unit:
        return unit.outbox.plan(effects)


def claim(store: Store, now: int, *, limit: int = 10, lease: str = "L", until: int = 1000, **more: Any) -> list[str]:
    given = {"stopped": ()} | more
    with store.write() as unit:
        found = unit.outbox.claim(now, owner="w", lease=lease, until=until, limit=limit, **given)
    return [one.action.key for one in found]


def states(store: Store) -> dict[str, str]:
    with store.read() as unit:
        return {one.action.key: one.state for one in unit.outbox.find(EffectFilter())}


def finish(store: Store, name: str, lease: str = "L", **changed: Any) -> bool:
    """Store that an effect ended, where its lease holds; tell whether it did."""
    with store.write() as unit:
        held = unit.outbox.leased({f"key-{name}": lease})
        unit.outbox.finish([Finish(**({"key": key, "state": "done", "at": 9} | changed)) for key in held])
    return bool(held)


def entry(name: str, event: str = "planned", **body: Any) -> AuditEntry:
    return AuditEntry(at=3, org="acme", object="Case", id=name, event=event, key="k", rule="r", body=body)


def test_an_empty_store_has_nothing(store: Store) -> None:
    with store.read() as unit:
        assert unit.records.next_due() is None
        assert unit.outbox.next_run() is None
        assert unit.policies.live() is None
        assert unit.audit.verify() == []


def test_a_record_comes_back_equal_when_it_was_saved(store: Store) -> None:
    event = Event(at=1, type="updated", event_id="e", object="Case", id="1", changes={"a": ["x"]})
    one = record("1", owner="005", references=("Account/1", "agent/005"), why="r")
    one = replace(one, facts=replace(one.facts, fresh=((event, {"tags": ("a",)}),)))
    with store.write() as unit:
        unit.records.save([(None, one)])
    with store.read() as unit:
        assert unit.records.get(["Case/1", "Case/2"]) == {"Case/1": one}


def test_agents_are_not_kept_with_a_record(store: Store) -> None:
    one = record("1")
    with store.write() as unit:
        unit.records.save([(None, replace(one, facts=replace(one.facts, agents=(Agent(id="a"),))))])
        assert unit.records.get(["Case/1"])["Case/1"].facts.agents == ()


def test_a_save_is_refused_when_the_record_has_moved_on(store: Store) -> None:
    one = record("1")
    with store.write() as unit:
        unit.records.save([(None, one)])
    with pytest.raises(StaleRecord), store.write() as unit:
        unit.records.save([(replace(one, version=7), replace(one, version=8))])
    with pytest.raises(StaleRecord), store.write() as unit:
        unit.records.save([(None, one)])


def test_nothing_stays_when_a_transaction_fails(store: Store) -> None:
    with pytest.raises(RuntimeError), store.write() as unit:
        unit.records.save([(None, record("1"))])
        unit.audit.append([entry("1")])
        unit.outbox.plan([ready("a")])
        unit.control.stop(Stop(rule="*", at=1))
        raise RuntimeError
    with store.read() as unit:
        assert unit.records.count() == {"total": 0, "open": 0, "timers": 0}
        assert unit.audit.lines() == []
        assert unit.outbox.counts() == {}
        assert unit.control.stops() == {}


def test_due_records_come_longest_due_first_and_no_more_than_asked(store: Store) -> None:
    with store.write() as unit:
        saved = [record("b", due=5), record("a", due=5), record("c", due=1), record("d", due=9), record("e", due=None)]
        unit.records.save([(None, one) for one in saved])
    with store.read() as unit:
        assert [one.key for one in unit.records.due(5, 10)] == ["Case/c", "Case/a", "Case/b"]
        assert [one.key for one in unit.records.due(5, 2)] == ["Case/c", "Case/a"]
        assert unit.records.next_due() == 1


def test_a_timer_moves_with_its_record(store: Store) -> None:
    one = record("1", due=5)
    with store.write() as unit:
        unit.records.save([(None, one)])
        unit.records.save([(one, replace(one, due=None, version=2))])
        assert unit.records.next_due() is None
        assert unit.records.count()["timers"] == 0


def test_wake_moves_a_timer_only_earlier(store: Store) -> None:
    with store.write() as unit:
        unit.records.save([(None, record("1", due=5)), (None, record("2", due=50)), (None, record("3", due=None))])
        unit.records.wake(["Case/1", "Case/2", "Case/3"], 10, "policy")
        found = unit.records.get(["Case/1", "Case/2", "Case/3"])
    assert [(one.due, one.why) for one in found.values()] == [(5, ""), (10, "policy"), (10, "policy")]


def test_a_woken_timer_survives_a_save_that_does_not_move_it(store: Store) -> None:
    one = record("1", due=50)
    with store.write() as unit:
        unit.records.save([(None, one)])
        unit.records.wake(["Case/1"], 10, "policy")
        unit.records.save([(one, replace(one, version=2))])
        assert unit.records.next_due() == 10


def test_keys_page_through_the_open_records(store: Store) -> None:
    with store.write() as unit:
        unit.records.save([(None, record(name, open=name != "2")) for name in ("1", "2", "3")])
        assert unit.records.keys(after="", limit=1, only_open=True) == ["Case/1"]
        assert unit.records.keys(after="Case/1", limit=9, only_open=True) == ["Case/3"]
        assert unit.records.keys(after="", limit=9, only_open=False) == ["Case/1", "Case/2", "Case/3"]


def test_dependents_are_open_records_that_refer_to_the_target(store: Store) -> None:
    one, two = record("1", references=("Account/9", "agent/5")), record("2", references=("Account/9",))
    with store.write() as unit:
        unit.records.save([(None, one), (None, two), (None, record("3", references=("Account/9",), open=False))])
        assert unit.records.dependents(["Account/9"]) == ["Case/1", "Case/2"]
        unit.records.save([(one, replace(one, version=2, references=("Account/8",)))])
        unit.records.save([(two, replace(two, version=2, open=False))])
        assert unit.records.dependents(["Account/9", "agent/5"]) == []
        assert unit.records.dependents(["Account/8"]) == ["Case/1"]


def test_many_records_are_found_when_more_are_asked_for_than_one_statement_names(store: Store) -> None:
    with store.write() as unit:
        unit.records.save([(None, record(f"{n:04}")) for n in range(1200)])
        assert len(unit.records.get([f"Case/{n:04}" for n in range(1200)])) == 1200


def test_related_fields_are_merged(store: Store) -> None:
    with store.write() as unit:
        unit.related.merge(("Account", "1"), {"Tier": "Gold", "Name": "A"}, 1)
        unit.related.merge(("Account", "1"), {"Tier": None}, 2)
        assert unit.related.get([("Account", "1"), ("Account", "2")]) == {("Account", "1"): {"Tier": None, "Name": "A"}}


def test_agents_are_read_again_when_they_are_locked(store: Store) -> None:
    with store.write() as unit:
        unit.related.save_agents([Agent(id="b", load=1), Agent(id="a")])
    with store.write() as unit:
        assert unit.related.lock_agents(["a", "b", "c"]) == {"a": Agent(id="a"), "b": Agent(id="b", load=1)}
        assert unit.related.lock_agents([]) == {}


def test_locked_records_and_effects_are_the_same_as_those_only_read(store: Store) -> None:
    with store.write() as unit:
        unit.records.save([(None, record("2", due=5)), (None, record("1", due=7))])
    plan(store, Effect(action=action("a"), state="held"))
    with store.write() as unit:
        assert unit.records.get(["Case/2", "Case/1"], lock=True) == unit.records.get(["Case/1", "Case/2"])
        assert [one.key for one in unit.records.due(7, 10, lock=True)] == ["Case/2", "Case/1"]
        assert unit.outbox.find(EffectFilter(lock=True)) == unit.outbox.find(EffectFilter())


def test_agents_come_back_in_order(store: Store) -> None:
    with store.write() as unit:
        unit.related.save_agents([Agent(id="b", load=1), Agent(id="a", skills={"x": 2})])
        unit.related.save_agents([Agent(id="b", load=2)])
        assert unit.related.agents() == (Agent(id="a", skills={"x": 2}), Agent(id="b", load=2))


def test_an_event_is_kept_once_per_source(store: Store) -> None:
    event = Event(at=1, type="created", event_id="e", object="Case", id="1")
    with store.write() as unit:
        unit.intake.add("one", [event])
        unit.intake.add("one", [replace(event, at=2)])
        unit.intake.add("two", [event])
        assert unit.intake.seen("one", ["e", "f"]) == {"e"}
        assert unit.intake.seen("three", ["e"]) == set()
        assert unit.intake.events("Case/1") == [event, event]


def test_the_last_scores_of_a_record_are_found(store: Store) -> None:
    """Whatever a customer wrote, and whatever came since."""
    told = [
        Event(at=at, type=kind, event_id=f"e{at}", object="Case", id="1", body='"type":"scored"', scores={"n": at})
        for at, kind in enumerate(("created", "scored", "scored", "message"))
    ]  # fmt: skip
    with store.write() as unit:
        unit.intake.add("crm", told)
    with store.read() as unit:
        found = unit.intake.scored("Case/1")
        assert found is not None
        assert (found.event_id, unit.intake.scored("Case/2")) == ("e2", None)


def test_a_source_remembers_how_far_it_was_read(store: Store) -> None:
    state = SourceState(name="file", live_from=5, cursor="c", accepted=1, repeated=2, refused=3)
    with store.write() as unit:
        assert unit.intake.source("file") is None
        unit.intake.save_source(state)
        assert unit.intake.source("file") == state


def test_a_refusal_is_kept_once_per_line_and_reason(store: Store) -> None:
    one = Refusal(source="f", line=2, reason="no", record="1", text="x", at=9)
    with store.write() as unit:
        unit.intake.refuse([one, replace(one, line=1), replace(one, source="g")])
        unit.intake.refuse([replace(one, at=10), replace(one, reason="other")])
        assert unit.intake.refusals("f") == [replace(one, line=1), one, replace(one, reason="other")]
        assert len(unit.intake.refusals(limit=2)) == 2


def test_a_key_is_planned_once(store: Store) -> None:
    assert [one.seq for one in plan(store, ready("a"), ready("b"), ready("a"))] == [1, 2]
    assert plan(store, ready("b"), ready("a")) == []


def test_a_held_effect_goes_when_it_is_planned_again(store: Store) -> None:
    plan(store, Effect(action=action("a", target=""), state="held"))
    assert plan(store, Effect(action=action("a"), state="held")) == []
    stored = plan(store, ready("a", target="user:1"))
    assert [one.action.target for one in stored] == ["user:1"]
    assert claim(store, 0) == ["key-a"]


def test_what_was_only_noted_is_taken_up_when_it_is_planned_as_something_else(store: Store) -> None:
    plan(store, Effect(action=action("a"), state="would_have"))
    assert plan(store, Effect(action=action("a"), state="would_have")) == []
    assert len(plan(store, Effect(action=action("a"), state="backlog"))) == 1
    assert plan(store, ready("a")) == []
    assert states(store) == {"key-a": "backlog"}


@pytest.mark.parametrize("state", ["would_have", "backlog", "held", "suppressed", "cancelled", "superseded", "dead"])
def test_only_ready_effects_are_claimed(store: Store, state: Any) -> None:
    plan(store, Effect(action=action("a"), state=state))
    assert claim(store, 10**6) == []
    with store.read() as unit:
        assert unit.outbox.next_run() is None


def test_a_claim_takes_the_highest_priority_first_and_nothing_before_its_time(store: Store) -> None:
    plan(
        store, ready("low", id="1"), ready("high", id="2", priority=20), ready("mid", id="3", priority=5),
        ready("later", 50, id="4", priority=20),
    )  # fmt: skip
    assert claim(store, 10, limit=2) == ["key-high", "key-mid"]
    assert claim(store, 10) == ["key-low"]
    assert claim(store, 50) == ["key-later"]


def test_a_leased_effect_is_due_again_when_its_lease_has_passed(store: Store) -> None:
    plan(store, ready("a"))
    assert claim(store, 0, until=100) == ["key-a"]
    assert claim(store, 99) == []
    with store.read() as unit:
        assert unit.outbox.next_run() == 100
    assert claim(store, 100, lease="M", until=200) == ["key-a"]


def test_a_finish_counts_only_while_its_lease_holds(store: Store) -> None:
    plan(store, ready("a"))
    claim(store, 0, until=100)
    claim(store, 100, lease="M", until=200)
    assert not finish(store, "a")
    assert finish(store, "a", "M", attempt=2, before={"owner": {"was": "x", "is": "y"}})
    assert not finish(store, "a", "M")
    with store.read() as unit:
        (one,) = unit.outbox.find(EffectFilter(key="key-a"))
    assert one.before == {"owner": {"was": "x", "is": "y"}}
    assert (one.state, one.attempt, one.done_at, one.lease, one.owner) == ("done", 2, 9, "", "")


def test_an_effect_waits_behind_an_earlier_one_of_its_record_and_lane(store: Store) -> None:
    plan(
        store, ready("1", kind="reassign"), ready("2", kind="move"), ready("3", kind="notify"),
        ready("4", kind="reassign", id="2"),
    )  # fmt: skip
    assert claim(store, 0) == ["key-1", "key-3", "key-4"]
    assert finish(store, "1", state="ready", run_at=500)
    assert claim(store, 10) == []


def test_a_dead_effect_blocks_nothing(store: Store) -> None:
    plan(store, ready("1"), ready("2"))
    claim(store, 0)
    assert finish(store, "1", state="dead", error="no such user")
    assert claim(store, 0) == ["key-2"]
    assert states(store)["key-1"] == "dead"


def test_a_stopped_rule_is_not_claimed(store: Store) -> None:
    plan(store, ready("1", rule="a", id="1"), ready("2", rule="b", id="2"))
    assert claim(store, 0, stopped=["a"]) == ["key-2"]


def test_a_newer_owner_supersedes_an_unsent_one_and_nothing_else(store: Store) -> None:
    plan(
        store, ready("1", kind="reassign"), ready("2", kind="notify"), ready("3", kind="reprioritise"),
        ready("4", kind="reassign", id="2"), Effect(action=action("5", kind="move"), state="held"),
    )  # fmt: skip
    with store.write() as unit:
        new = unit.outbox.plan([ready("6", kind="move"), ready("7", kind="notify")])
        gone = unit.outbox.supersede(new)
    assert [one.action.key for one in gone] == ["key-1", "key-5"]
    assert states(store)["key-1"] == "superseded"
    assert claim(store, 0) == ["key-2", "key-3", "key-4", "key-6"]


def test_a_leased_owner_change_is_not_superseded(store: Store) -> None:
    plan(store, ready("1", kind="reassign"))
    claim(store, 0)
    with store.write() as unit:
        assert unit.outbox.supersede(unit.outbox.plan([ready("2", kind="reassign")])) == []


def test_an_effect_that_is_rewritten_keeps_its_key_and_place(store: Store) -> None:
    plan(store, ready("a"), ready("b"))
    with store.write() as unit:
        unit.outbox.change(["key-a"], "superseded", run_at=0, error="x")
        (one,) = unit.outbox.find(EffectFilter(key="key-a"))
        action = replace(one.action, params={"digest": [1, 2]})
        unit.outbox.rewrite(replace(one, action=action, state="ready", run_at=7))
    with store.read() as unit:
        found = unit.outbox.find(EffectFilter())
    assert [one.action.key for one in found] == ["key-a", "key-b"]
    assert (found[0].action.params, found[0].state, found[0].run_at) == ({"digest": [1, 2]}, "ready", 7)
    assert (found[0].error, found[0].attempt) == ("", 0)


def test_a_change_by_hand_ends_a_lease(store: Store) -> None:
    plan(store, ready("1"))
    claim(store, 0)
    with store.write() as unit:
        unit.outbox.change(["key-1"], "cancelled", run_at=0, error="why")
    assert not finish(store, "1")
    with store.read() as unit:
        (one,) = unit.outbox.find(EffectFilter(states=("cancelled",)))
    assert one.error == "why"


def test_a_renewed_lease_lasts_on_and_a_lost_one_is_not_renewed(store: Store) -> None:
    plan(store, ready("a", id="1"), ready("b", id="2"))
    claim(store, 0, limit=1, until=100)
    claim(store, 0, lease="M", until=100)
    with store.write() as unit:
        assert unit.outbox.renew({"key-a": "L", "key-b": "L", "key-c": "L"}, 500) == {"key-a"}
    assert claim(store, 499, lease="N", until=600) == ["key-b"]
    assert finish(store, "a")


def test_kinds_are_claimed_apart(store: Store) -> None:
    plan(store, *(ready(name, kind=kind, id=name) for name, kind in (("1", "notify"), ("2", "move"), ("3", "custom"))))
    assert claim(store, 0, kinds=["notify"]) == ["key-1"]
    assert claim(store, 0, without=["move", "notify"]) == ["key-3"]
    assert claim(store, 0) == ["key-2"]


def test_find_filters(store: Store) -> None:
    plan(store, ready("1", rule="a", at=1), ready("2", rule="b", at=2), ready("3", rule="a", id="2", at=3))

    def found(**wanted: Any) -> list[str]:
        with store.read() as unit:
            return [one.action.key[-1] for one in unit.outbox.find(EffectFilter(**wanted))]

    assert found(rule="a") == ["1", "3"]
    assert found(record="Case/1") == ["1", "2"]
    assert found(since=2, until=2) == ["2"]
    assert found(newest_first=True, limit=2) == ["3", "2"]
    assert found(key="key-2") == ["2"]
    assert found(key="key_2") == []
    assert found(target="") == []
    assert found(states=("done",)) == []


def test_counters_grow(store: Store) -> None:
    bucket, other = Bucket("rule", "r", "day", 0), Bucket("rule", "r", "day", 5)
    with store.write() as unit:
        unit.outbox.add_usage({bucket: 2})
        unit.outbox.add_usage({bucket: 3, other: 1})
        assert unit.outbox.usage({bucket, Bucket("rule", "s", "day", 0)}) == {bucket: 5}
        assert unit.outbox.usage(set()) == {}


def test_the_audit_chains_each_record_by_itself(store: Store) -> None:
    with store.write() as unit:
        unit.audit.append([entry("1", a=1), entry("2"), entry("1", "done")])
    with store.write() as unit:
        unit.audit.append([entry("1", "later")])
        one, two, three, four = unit.audit.lines()
        assert (one.previous, two.previous) == ("", "")
        assert (three.previous, four.previous) == (one.hash, three.hash)
        assert one.entry == entry("1", a=1)
        assert unit.audit.verify() == []


def test_the_audit_still_verifies_when_a_body_is_erased(store: Store) -> None:
    with store.write() as unit:
        unit.audit.append([entry("1", secret="x"), entry("1")])
        unit.audit.erase([1])
        line = unit.audit.lines()[0]
        assert (line.erased, line.entry.body) == (True, {})
        assert unit.audit.verify() == []


def test_audit_lines_are_found_by_record_key_and_event(store: Store) -> None:
    with store.write() as unit:
        unit.audit.append([entry("1"), entry("2", "done"), entry("1", "done")])
        assert [line.seq for line in unit.audit.lines(record="Case/1")] == [1, 3]
        assert [line.seq for line in unit.audit.lines(event="done", after=2)] == [3]
        assert [line.seq for line in unit.audit.lines(key="k", limit=1)] == [1]
        assert [line.seq for line in unit.audit.lines(limit=2, last=True)] == [2, 3]
        assert [line.seq for line in unit.audit.lines(last=True)] == [1, 2, 3]
        assert unit.audit.lines(key="other") == []


def policy(digest: str, **changed: Any) -> StoredPolicy:
    given: dict[str, Any] = {"texts": {"a.yaml": "x"}, "modes": {"r": RuleMode("act", 5)}, "at": 1, "actor": "me"}
    given |= {"outlines": {"r": Outline("d", "act")}, "virtual": True}
    return StoredPolicy(**({"digest": digest} | given | changed))


def test_one_policy_is_live_and_the_last_published_comes_first(store: Store) -> None:
    with store.write() as unit:
        unit.policies.publish(policy("1"))
        unit.policies.publish(policy("2"))
        unit.policies.publish(policy("1", reason="back"))
        assert unit.policies.live() == policy("1", reason="back", live=True)
        assert unit.policies.live_digest() == "1"
        assert [one.digest for one in unit.policies.history()] == ["1", "2"]
        assert unit.policies.get("2") == policy("2")
        assert unit.policies.get("3") is None


def test_decisions_come_back_with_their_agents(store: Store) -> None:
    one = StoredDecision(
        id="d", record="Case/1", version=2, policy="p", call="decide", now=5, at=6, facts="{}", agents="h",
        loads={"a": 2}, result="r",
    )  # fmt: skip
    with store.write() as unit:
        unit.policies.keep([one, replace(one, id="c", version=1)], {"h": (Agent(id="a"),)})
        unit.policies.keep([one], {"h": (Agent(id="a"),)})
        assert unit.policies.decision("d") == one
        assert [kept.id for kept in unit.policies.decisions("Case/1")] == ["c", "d"]
        assert unit.policies.roster("h") == (Agent(id="a"),)
        assert unit.policies.roster("none") == ()


def test_stops_are_kept_until_taken_back(store: Store) -> None:
    halt = Stop(rule="r", at=1, actor="me", reason="x")
    with store.write() as unit:
        unit.control.stop(halt)
        unit.control.stop(Stop(rule="*", at=2))
        assert unit.control.stops() == {"*": Stop(rule="*", at=2), "r": halt}
        assert unit.control.start("r")
        assert not unit.control.start("r")
        unit.control.pause(77)
        assert unit.control.gate() == (unit.control.stops(), 77)
        assert list(unit.control.stops()) == ["*"]


def test_a_waking_is_remembered_until_it_has_ended(store: Store) -> None:
    with store.write() as unit:
        assert unit.control.waking() is None
        unit.control.set_waking(5, "")
        unit.control.set_waking(5, "Case/1")
        assert unit.control.waking() == (5, "Case/1")
        unit.control.set_waking(5, None)
        assert unit.control.waking() is None
        assert unit.control.stops() == {}


def test_a_reader_sees_nothing_of_a_transaction_under_way_and_does_not_wait_for_it(store: Store) -> None:
    seen: list[int] = []

    def look() -> None:
        with store.read() as unit:
            seen.append(unit.records.count()["total"])

    with store.write() as unit:
        unit.records.save([(None, record("1"))])
        reader = threading.Thread(target=look)
        reader.start()
        reader.join(5)
    look()
    assert seen == [0, 1]


def test_a_second_worker_is_refused_where_there_may_be_one_only(store: Store) -> None:
    if isinstance(store, PostgresStore):
        with store.hold(), store.hold():
            return
    with store.hold(), pytest.raises(StoreBusy, match="another worker"), store.hold():
        pass
    with store.hold():
        pass


def test_records_that_want_scores_are_taken_once_and_come_back_where_nobody_settled_them(store: Store) -> None:
    """Taken keys are another's business until their lease ends; what was asked for meanwhile is not forgotten."""
    with store.write() as unit:
        unit.rescores.ask(["Case/2", "Case/1"], 10)
        unit.rescores.ask(["Case/1"], 5)
        unit.rescores.ask(["Case/2"], 20)
    with store.write() as unit:
        assert unit.rescores.next_due() == 5
        assert unit.rescores.take(4, 10, 100) == []
        assert unit.rescores.take(50, 10, 100) == ["Case/1", "Case/2"]
    with store.write() as unit:
        assert unit.rescores.take(99, 10, 200) == []
        unit.rescores.ask(["Case/2"], 60)
        unit.rescores.settle({"Case/1": 500, "Case/2": None}, 100)
    with store.write() as unit:
        assert unit.rescores.take(60, 10, 100) == ["Case/2"]
        unit.rescores.settle({"Case/2": None}, 100)
        assert unit.rescores.next_due() == 500
        assert unit.rescores.take(499, 10, 900) == []
        assert unit.rescores.take(500, 10, 900) == ["Case/1"]


def test_keys_are_kept_until_they_are_revoked_and_answers_until_they_are_old(store: Store) -> None:
    """A key is found by its id; another organisation's cannot be revoked here; the first answer stays."""
    key = ApiKey(id="k1", org="acme", secret_hash="h", scopes=("read", "score"), label="me", created=1, expires=9)
    with store.write() as unit:
        unit.access.add(key)
        assert unit.access.find("k1") == key
        assert unit.access.find("k2") is None
        assert unit.access.listed() == [key]
    given = Answer(request_hash="r", status=200, body="{}", at=50)
    with store.write() as unit:
        unit.access.remember("k1", "once", given, 0)
        unit.access.remember("k1", "once", replace(given, body="[]"), 0)
        assert unit.access.answer("k1", "once") == given
        assert unit.access.answer("k2", "once") is None
        unit.access.remember("k1", "later", replace(given, at=90), 60)
        assert unit.access.answer("k1", "once") is None
    with store.write() as unit:
        assert unit.access.revoke("k1", 7)
        assert not unit.access.revoke("k1", 8)
        assert unit.access.listed()[0].revoked == 7
