"""Each thing that may be wrong is found, and says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from triage.doctor import Check, examine
from triage.domain.instant import DAY, HOUR, MINUTE
from triage.ports import Refusal
from triage.pruning import prune
from triage.store.database import SqlStore
from triage.testing import SMALL_POLICY, Sandbox


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A policy folder."""
    made = tmp_path / "policy"
    made.mkdir()
    for name, text in SMALL_POLICY.items():
        (made / name).write_text(text)
    return str(made)


def look(sandbox: Sandbox, folder: str, file: Path | None = None) -> dict[str, Check]:
    return {check.name: check for check in examine(sandbox.store, folder, sandbox.clock.now(), file=file)}


def test_a_fresh_installation_has_nothing_wrong(folder: str) -> None:
    found = look(Sandbox(), folder)
    assert {name for name, check in found.items() if check.mark != "ok"} <= {"policy files"}


def test_a_worker_that_has_gone_silent_is_found(folder: str) -> None:
    sandbox = Sandbox()
    with sandbox.store.write() as unit:
        unit.upkeep.mark("round:w", sandbox.clock.now())
    sandbox.clock.move(MINUTE)
    assert look(sandbox, folder)["worker"] == Check(name="worker", found="the last round ended 1m ago")
    sandbox.clock.move(HOUR)
    found = look(sandbox, folder)["worker"]
    assert (found.mark, found.fix) == ("warning", "start a worker: triage run")


def test_lines_refused_in_the_last_day_are_found(folder: str) -> None:
    sandbox = Sandbox()
    with sandbox.store.write() as unit:
        unit.intake.refuse([Refusal(source="s", line=1, reason="r", at=sandbox.clock.now())])
    assert (look(sandbox, folder)["refused lines"].mark, look(sandbox, folder)["refused lines"].found) == (
        "warning", "1 in the last day",
    )  # fmt: skip
    sandbox.clock.move(2 * DAY)
    assert look(sandbox, folder)["refused lines"].mark == "ok"


def test_an_old_backup_is_found(folder: str) -> None:
    sandbox = Sandbox()
    with sandbox.store.write() as unit:
        unit.upkeep.mark("backup", sandbox.clock.now())
    assert look(sandbox, folder)["backup"].mark == "ok"
    sandbox.clock.move(8 * DAY)
    assert look(sandbox, folder)["backup"].mark == "warning"


def test_history_that_could_be_pruned_is_found_until_it_is(folder: str) -> None:
    sandbox = Sandbox()
    sandbox.create("1", "open")
    sandbox.happen("updated", "1", changes={"Status": "Closed"})
    sandbox.after(500 * DAY)
    assert look(sandbox, folder)["growth"].fix == "triage db prune --older-than 400d"
    prune(sandbox.store, sandbox.clock.now(), older_than=400 * DAY, actor="me")
    assert (look(sandbox, folder)["growth"].mark, "what is open" in look(sandbox, folder)["growth"].found) == (
        "ok", True,
    )  # fmt: skip


def test_a_disk_is_looked_at_where_there_is_a_file(folder: str, tmp_path: Path) -> None:
    sandbox = Sandbox(store=SqlStore(tmp_path / "t.db", "acme"))
    assert "MB free" in look(sandbox, folder, tmp_path / "t.db")["disk"].found
    assert "disk" not in look(sandbox, folder)
    sandbox.store.close()
