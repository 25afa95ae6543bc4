"""What must never happen, shown with a sink that remembers: a worker that writes, floods, goes on or cannot go back."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from triage.domain.decision import Action
from triage.domain.instant import HOUR, MINUTE
from triage.publishing import promote
from triage.sending import Pace
from triage.steering import release, start, stop, waiting
from triage.store.database import SqlStore
from triage.testing import SMALL_POLICY, Sandbox
from triage.undo import preview, undo
from triage.wiring import SystemClock
from triage.worker import Worker


@pytest.fixture(params=["memory", "sqlite"])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Sandbox:
    """A worker with a live sink and a policy just published."""
    store = SqlStore(tmp_path / "t.db", "acme") if request.param == "sqlite" else None
    return Sandbox(virtual=False, store=store)


def edited(before: str, after: str) -> dict[str, str]:
    assert before in SMALL_POLICY["rules.yaml"]
    return {**SMALL_POLICY, "rules.yaml": SMALL_POLICY["rules.yaml"].replace(before, after)}


def test_a_fresh_configuration_on_a_live_sink_writes_nothing(fresh: Sandbox) -> None:
    fresh.create("1", "2", Priority="High")
    assert fresh.after(5 * HOUR) == 0
    assert fresh.sink.calls == []
    assert len(fresh.audit("would_have")) == len(fresh.effects("would_have")) > 0


def test_a_promoted_rule_fires_only_what_becomes_true_from_then_on(fresh: Sandbox) -> None:
    fresh.create("old")
    fresh.after(2 * HOUR)
    promote(fresh.store, fresh.engine, "age-1h", "act", fresh.clock.now(), actor="me", reason="ready")
    fresh.create("new")
    fresh.after(2 * HOUR)
    assert [(call.id, call.rule) for call in fresh.sink.calls] == [("new", "age-1h")]
    assert [(one.action.id, one.action.rule) for one in fresh.effects("backlog")] == [("old", "age-1h")]


def test_a_rule_edit_that_makes_5000_records_due_becomes_backlog() -> None:
    sandbox = Sandbox(virtual=False)
    promote(sandbox.store, sandbox.engine, "age-1h", "act", sandbox.clock.now(), actor="me", reason="ready")
    sandbox.create(*(f"{number:04}" for number in range(5_000)))
    sandbox.after(30 * MINUTE)
    published = sandbox.publish(edited("age >= 1h", "age >= 10m"), virtual=False)
    assert published.woken == 5_000
    sandbox.after(0)
    assert sandbox.sink.calls == []
    assert len(sandbox.effects("backlog", rule="age-1h")) == 5_000
    assert [(row.rule, row.count) for row in waiting(sandbox.store)] == [("age-1h", 5_000)]


def test_a_backlog_goes_only_as_far_as_it_is_released(fresh: Sandbox) -> None:
    promote(fresh.store, fresh.engine, "age-1h", "act", fresh.clock.now(), actor="me", reason="ready")
    fresh.create("1", "2", "3", "4")
    fresh.after(30 * MINUTE)
    fresh.publish(edited("age >= 1h", "age >= 10m"), virtual=False)
    fresh.after(0)
    fresh.happen("updated", "1", changes={"Status": "Closed"})
    let_go = release(fresh.store, fresh.engine, fresh.clock.now(), rule="age-1h", limit=2, actor="me")
    assert (len(let_go.released), list(let_go.cancelled.values())) == (1, ["the record is closed"])
    assert fresh.after(0) == 1
    assert [call.id for call in fresh.sink.calls] == ["2"]
    assert len(fresh.effects("backlog")) == 2


def test_stop_halts_effects_within_a_second_while_clocks_and_audit_go_on(tmp_path: Path) -> None:
    """A real worker with a slow sink: what starts after the stop starts within a second of it."""
    began: list[int] = []
    clock = SystemClock()

    def slow(_: Action) -> None:
        began.append(clock.now())
        time.sleep(0.05)

    sandbox = Sandbox(store=SqlStore(tmp_path / "t.db", "acme"), answer=slow)
    sandbox.clock.set(clock.now() - 2 * HOUR)
    sandbox.publish(edited("age >= 1h", "age >= 61m"))
    sandbox.create(*(str(number) for number in range(400)))
    worker = Worker(
        sandbox.store, sandbox.sink, sandbox.engine, clock, name="real", pace=Pace(fire_batch=300, threads=4)
    )
    halt = threading.Event()
    thread = threading.Thread(target=worker.run, args=(halt,))
    thread.start()
    while len(began) < 20:
        time.sleep(0.01)
    stopped_at = clock.now()
    stop(sandbox.store, stopped_at, actor="me", reason="flood")
    time.sleep(1.5)
    sent = len(began)
    sandbox.worker.ingest([sandbox.event("created", "late", at=clock.now() - 2 * HOUR)], clock.now(), source="test")
    time.sleep(0.5)
    halt.set()
    thread.join()
    assert max(began) - stopped_at <= 1_000
    assert sent == len(began) < 400
    assert "late" in {entry.id for entry in sandbox.audit()} | {effect.action.id for effect in sandbox.effects()}
    start(sandbox.store, clock.now(), actor="me")
    sandbox.worker.drain(clock.now() + HOUR)
    assert len(sandbox.sink.done) == len(sandbox.effects("done"))


def test_a_stopped_rule_waits_and_the_others_go_on(fresh: Sandbox) -> None:
    sandbox = Sandbox()
    stop(sandbox.store, sandbox.clock.now(), rule="high-3h", actor="me")
    sandbox.create("1", Priority="High")
    sandbox.create("2", Priority="Low")
    sandbox.after(4 * HOUR)
    assert {call.rule for call in sandbox.sink.calls} == {"age-1h"}
    assert start(sandbox.store, sandbox.clock.now(), rule="high-3h", actor="me")
    sandbox.after(1)
    assert {call.rule for call in sandbox.sink.calls} == {"age-1h", "high-3h"}


def test_undo_restores_owner_and_priority_where_nobody_has_touched_them(tmp_path: Path) -> None:
    sandbox = Sandbox(store=SqlStore(tmp_path / "t.db", "acme"))
    begin = sandbox.clock.now()
    sandbox.create("1", "2", "3", Priority="High")
    sandbox.after(4 * HOUR)
    sandbox.happen("updated", "2", changes={"OwnerId": "005Z"}, actor="005M")
    planned = preview(sandbox.store, "high-3h", begin, sandbox.clock.now())
    assert [(one.record, one.field, one.now, one.again, one.kept) for one in planned] == [
        ("Case/1", "owner", "queue:Tier2", "005A", ""),
        ("Case/2", "owner", "005Z", "005A", "somebody has changed owner since"),
        ("Case/3", "owner", "queue:Tier2", "005A", ""),
    ]
    undo(sandbox.store, sandbox.engine, "high-3h", begin, sandbox.clock.now(), actor="me", reason="wrong queue")
    undo(sandbox.store, sandbox.engine, "high-3h", begin, sandbox.clock.now(), actor="me", reason="twice")
    assert sandbox.after(1) == 2
    assert [sandbox.facts(name).item.fields["owner"] for name in "123"] == ["005A", "005Z", "005A"]


def test_a_live_undo_waits_for_nothing_but_the_stop_of_everything(fresh: Sandbox) -> None:
    sandbox = Sandbox()
    begin = sandbox.clock.now()
    sandbox.create("1", Priority="High")
    sandbox.after(4 * HOUR)
    stop(sandbox.store, sandbox.clock.now(), rule="high-3h", actor="me")
    undo(sandbox.store, sandbox.engine, "high-3h", begin, sandbox.clock.now(), actor="me")
    assert sandbox.after(1) == 1
