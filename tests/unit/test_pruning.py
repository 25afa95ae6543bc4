"""Retention: what goes, what stays, and that an old log read again is not double."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from triage.domain.instant import DAY, HOUR
from triage.errors import ConfigError
from triage.pruning import prune
from triage.steering import rederive
from triage.store.memory import MemoryStore, MemoryUnit
from triage.testing import Sandbox

YEAR = 365 * DAY


def lived(cases: int = 3, store: MemoryStore | None = None) -> Sandbox:
    """Cases that fired and were closed two years ago, and case `open`, which was not."""
    sandbox = Sandbox(store=store)
    names = [str(number) for number in range(cases)]
    sandbox.create(*names, "open")
    sandbox.after(HOUR)
    for name in names:
        sandbox.happen("updated", name, changes={"Status": "Closed"})
    sandbox.clock.move(2 * YEAR)
    return sandbox


def test_closed_records_lose_their_history_and_keep_their_state_and_audit() -> None:
    sandbox = lived()
    before = sandbox.facts("1")
    done = prune(sandbox.store, sandbox.clock.now(), older_than=YEAR, actor="me", reason="policy")
    assert (done.records, done.rows["events"], done.rows["effects"], done.rows["decisions"]) == (3, 9, 3, 3)
    assert sandbox.facts("1") == before
    assert [effect.action.id for effect in sandbox.effects()] == ["open"]
    with sandbox.store.read() as unit:
        assert unit.audit.verify() == []
        assert len(unit.audit.lines(record="Case/1")) == 2
    assert sandbox.audit("pruned")[0].body["records"] == 3


def test_a_second_time_there_is_nothing_left_to_forget() -> None:
    sandbox = lived()
    prune(sandbox.store, sandbox.clock.now(), older_than=YEAR, actor="me")
    again = prune(sandbox.store, sandbox.clock.now(), older_than=YEAR, actor="me")
    assert (again.records, sum(again.rows.values())) == (0, 0)


def test_a_dry_run_counts_the_same_and_changes_nothing() -> None:
    sandbox = lived(450)
    now = sandbox.clock.now()
    would = prune(sandbox.store, now, older_than=YEAR, actor="me", dry_run=True)
    assert len(sandbox.effects()) == 451
    assert sandbox.audit("pruned") == []
    assert prune(sandbox.store, now, older_than=YEAR, actor="me").rows["events"] == would.rows["events"] == 1350
    assert would.records == 450


def test_an_old_log_read_again_changes_nothing_on_a_pruned_record() -> None:
    sandbox = lived()
    with sandbox.store.read() as unit:
        log = unit.intake.events("Case/1")
    prune(sandbox.store, sandbox.clock.now(), older_than=YEAR, actor="me")
    again = sandbox.worker.ingest(log, sandbox.clock.now(), source="another")
    assert (again.accepted, again.repeated, again.refused) == (0, 3, 0)
    assert sandbox.after(HOUR) == 0


def test_a_pruned_record_that_is_opened_again_goes_on_and_does_not_fire_twice() -> None:
    sandbox = lived()
    prune(sandbox.store, sandbox.clock.now(), older_than=YEAR, actor="me")
    sandbox.happen("updated", "1", changes={"Status": "Working"})
    assert sandbox.after(5 * HOUR) == 0
    assert sandbox.facts("1").item.fields["status"] == "Working"


def test_decisions_of_open_records_can_still_be_derived() -> None:
    sandbox = lived()
    prune(sandbox.store, sandbox.clock.now(), older_than=YEAR, actor="me")
    with sandbox.store.read() as unit:
        (decision,) = unit.policies.decisions("Case/open")
    assert rederive(sandbox.store, sandbox.engine, decision.id)[1]


def test_audit_bodies_go_only_when_asked_and_the_chain_verifies() -> None:
    sandbox = lived()
    done = prune(sandbox.store, sandbox.clock.now(), older_than=YEAR, actor="me", erase_audit=True)
    assert done.rows["audit bodies"] == 6
    with sandbox.store.read() as unit:
        assert all(line.erased for line in unit.audit.lines(record="Case/1"))
        assert not any(line.erased for line in unit.audit.lines(record="Case/open"))
        assert unit.audit.verify() == []


def test_a_record_opened_again_between_its_listing_and_its_pruning_loses_nothing() -> None:
    class Interrupted(MemoryStore):
        """Something happens right after the first look."""

        @contextmanager
        def read(self) -> Iterator[MemoryUnit]:
            with super().read() as unit:
                yield unit
            if waiting:
                waiting.pop()()

    waiting: list[Callable[[], object]] = []
    sandbox = lived(store=Interrupted("acme"))
    waiting.append(lambda: sandbox.happen("updated", "1", changes={"Status": "Working"}))
    done = prune(sandbox.store, sandbox.clock.now(), older_than=YEAR, actor="me")
    assert (done.records, done.rows["events"]) == (2, 6)
    with sandbox.store.read() as unit:
        assert len(unit.intake.events("Case/1")) == 4


def test_a_retention_of_hours_is_refused() -> None:
    with pytest.raises(ConfigError, match="less than 7 days"):
        prune(lived().store, 0, older_than=DAY, actor="me")


def test_answers_of_language_models_go_with_the_cut() -> None:
    """What was asked and said before it is forgotten; a dry run only counts."""
    sandbox = lived()
    now = sandbox.clock.now()
    with sandbox.store.write() as unit:
        unit.llm.keep("old", "Case/1", now - 2 * YEAR, "{}")
        unit.llm.keep("new", "Case/1", now, "{}")
    for dry in (True, False):
        done = prune(sandbox.store, now, older_than=YEAR, actor="me", dry_run=dry)
        assert done.rows["model answers"] == 1
    with sandbox.store.read() as unit:
        assert unit.llm.answers(["old", "new"]) == {"new": "{}"}
