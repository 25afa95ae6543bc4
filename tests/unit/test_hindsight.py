"""A record as it was: nothing that came later shows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from triage.domain.facts import Facts
from triage.domain.instant import HOUR
from triage.engine import PureEngine
from triage.errors import IntakeError
from triage.hindsight import effects_then, facts_then
from triage.store.database import SqlStore
from triage.testing import SMALL_POLICY, START, Sandbox


@pytest.fixture(params=["memory", "sqlite"])
def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sandbox]:
    """Case 1 of a standard account that turns gold after 90 minutes; raised after one hour, by hand after four."""
    store = SqlStore(tmp_path / "t.db", "acme") if request.param == "sqlite" else None
    made = Sandbox(store=store)
    made.happen("related", "001A", object="Account", changes={"Tier__c": "Standard"})
    made.create("1", AccountId="001A")
    made.after(HOUR)
    made.after(HOUR // 2)
    made.happen("related", "001A", object="Account", changes={"Tier__c": "Gold"})
    made.after(HOUR)
    made.after(3 * HOUR // 2)
    made.happen("updated", "1", changes={"Priority": "High"}, actor="005M")
    made.after(HOUR)
    yield made
    made.store.close()


def then(sandbox: Sandbox, at: int) -> Facts:
    policy = PureEngine().compile(SMALL_POLICY, {}, virtual=True)
    with sandbox.store.read() as unit:
        return facts_then(unit, unit.records.get(["Case/1"])["Case/1"], policy, at)


def test_the_fields_are_those_of_then(sandbox: Sandbox) -> None:
    found = [then(sandbox, START + int(hours * HOUR)).item.fields["priority"] for hours in (0, 0.9, 1, 3.9, 4)]
    assert found == ["Low", "Low", "Medium", "Medium", "High"]


def test_other_records_are_those_of_then(sandbox: Sandbox) -> None:
    found = [then(sandbox, START + int(hours * HOUR)).item.fields["account.tier"] for hours in (0, 1, 1.5, 5)]
    assert found == ["Standard", "Standard", "Gold", "Gold"]


def test_all_of_its_events_give_what_is_stored(sandbox: Sandbox) -> None:
    assert then(sandbox, sandbox.clock.now()).item == sandbox.facts("1").item


def test_before_its_creation_there_is_no_answer(sandbox: Sandbox) -> None:
    with pytest.raises(IntakeError, match=r"Case/1: it was not there at 2026-03-02T08:59:59.999Z: it came at"):
        then(sandbox, START - 1)


def test_effects_decided_later_do_not_show_and_those_done_later_were_ready(sandbox: Sandbox) -> None:
    every = sandbox.effects()
    assert effects_then(every, START) == []
    assert [one.state for one in effects_then(every, START + HOUR)] == ["done"]
    first = every[0]
    assert first.done_at is not None
    assert [one.state for one in effects_then([first], first.action.at)] in (["ready"], ["done"])
    assert len(effects_then(every, sandbox.clock.now())) == len(every)
