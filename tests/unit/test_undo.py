"""What can be put back, and what is left alone and why."""

from __future__ import annotations

from msgspec.structs import replace

from triage.domain.instant import HOUR
from triage.ports import Effect
from triage.testing import START, Sandbox
from triage.undo import preview, undo


def risen() -> Sandbox:
    """Return a sandbox whose case 1 has risen from Low to Medium."""
    sandbox = Sandbox()
    sandbox.create("1")
    sandbox.after(HOUR)
    return sandbox


def test_a_preview_changes_nothing() -> None:
    sandbox = risen()
    before = len(sandbox.audit())
    (one,) = preview(sandbox.store, "age-1h", START, sandbox.clock.now())
    assert (one.record, one.field, one.now, one.again, one.kept) == ("Case/1", "priority", "Medium", "Low", "")
    assert len(sandbox.audit()) == before


def test_only_what_was_done_since_then_is_put_back() -> None:
    sandbox = risen()
    assert preview(sandbox.store, "age-1h", sandbox.clock.now() + 1, sandbox.clock.now()) == []
    assert preview(sandbox.store, "other", START, sandbox.clock.now()) == []


def test_an_undone_field_is_left_alone_the_second_time() -> None:
    sandbox = risen()
    undo(sandbox.store, sandbox.engine, "age-1h", START, sandbox.clock.now(), actor="me", reason="wrong")
    assert sandbox.after(1) == 1
    (one,) = preview(sandbox.store, "age-1h", START, sandbox.clock.now())
    assert one.kept == "it was undone before"
    assert sandbox.facts("1").item.fields["priority"] == "Low"


def test_a_field_that_somebody_changed_and_changed_back_is_left_alone() -> None:
    sandbox = risen()
    sandbox.happen("updated", "1", changes={"Priority": "High"}, actor="005M")
    sandbox.happen("updated", "1", changes={"Priority": "Medium"}, actor="005M")
    (one,) = preview(sandbox.store, "age-1h", START, sandbox.clock.now())
    assert one.kept == "somebody has changed priority since"


def test_a_field_that_was_empty_before_is_left_alone() -> None:
    sandbox = Sandbox()
    sandbox.create("1", Priority=None)
    sandbox.after(HOUR)
    found = preview(sandbox.store, "age-1h", START, sandbox.clock.now())
    assert [one.kept for one in found] in ([], ["it had no value before"])


def test_a_deleted_record_is_left_alone() -> None:
    sandbox = risen()
    sandbox.happen("deleted", "1")
    assert [one.kept for one in preview(sandbox.store, "age-1h", START, sandbox.clock.now())] == ["the record is gone"]


def test_an_undo_is_audited_with_who_and_why_and_gives_the_owner_their_load_back() -> None:
    sandbox = Sandbox()
    sandbox.agent("a", presence="online", capacity=5)
    sandbox.create("1", Priority="High", OwnerId="a")
    sandbox.after(3 * HOUR)
    assert sandbox.load("a") == 0
    undo(sandbox.store, sandbox.engine, "high-3h", START, sandbox.clock.now(), actor="me", reason="wrong")
    assert sandbox.load("a") == 1
    sandbox.after(1)
    assert sandbox.load("a") == 1
    line = next(line for line in sandbox.audit("planned") if line.rule == "override")
    assert (line.actor, line.body["why"]) == ("me", "wrong")


def test_what_an_undo_overtakes_is_audited() -> None:
    sandbox = risen()
    sandbox.happen("updated", "1", changes={"Subject": "again"})
    (done,) = sandbox.effects("done")
    newer = replace(done.action, rule="high-3h", key="newer", episode="e")
    with sandbox.store.write() as unit:
        unit.outbox.plan([Effect(action=newer, state="ready", run_at=sandbox.clock.now())])
    undo(sandbox.store, sandbox.engine, "age-1h", START, sandbox.clock.now(), actor="me", reason="wrong")
    assert [(line.key, line.actor, line.body["why"]) for line in sandbox.audit("superseded")] == [
        ("newer", "me", "undo of age-1h")
    ]


def test_an_undo_that_is_not_carried_out_yet_is_on_its_way() -> None:
    sandbox = risen()
    undo(sandbox.store, sandbox.engine, "age-1h", START, sandbox.clock.now(), actor="me", reason="wrong")
    (one,) = preview(sandbox.store, "age-1h", START, sandbox.clock.now())
    assert one.kept == "its undo is on its way"
