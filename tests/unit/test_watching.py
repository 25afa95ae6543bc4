"""Watched folders: real files, complete or not, replaced, damaged, in order, once each."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

from triage.domain.instant import SECOND, format_instant
from triage.intake.event import LINE_LIMIT
from triage.intaking import Door
from triage.testing import Sandbox
from triage.watching import ORDER_FOR, TORN_AFTER, Watcher

SETTLE = 2 * SECOND


class Desk:
    """A sandbox that watches a folder, and what it said."""

    def __init__(self, folder: Path, **given: Any) -> None:
        self.folder = folder
        self.sandbox = Sandbox()
        self.said: list[tuple[str, dict[str, Any]]] = []
        self.options = {"settle": SETTLE} | given
        self.restart()

    def restart(self) -> None:
        """A new process: nothing is known but what the store keeps."""
        self.watcher = Watcher(
            Door(self.sandbox.worker), self.sandbox.clock, self.folder, source="in", journal=self, **self.options
        )

    def tell(self, what: str, level: str = "info", **said: Any) -> None:
        self.said.append((what, said))

    def round(self, after: int = 0) -> list[tuple[str, int, int]]:
        """Look *after* ms later; return name, accepted and refused of what was taken."""
        return [(one.name, one.accepted, one.refused) for one in self.watcher.round(self.sandbox.clock.move(after))]

    def settled(self) -> list[tuple[str, int, int]]:
        """Look, and look again when files count as complete."""
        return self.round() + self.round(SETTLE)

    def cases(self) -> list[str]:
        with self.sandbox.store.read() as unit:
            return unit.records.keys(after="", limit=1_000, only_open=False)

    def write(self, name: str, *cases: str, end: str = "\n", kind: str = "created") -> Path:
        """Write a file of events, one a case."""
        path = self.folder / name
        lines = [self.line(case, kind) for case in cases]
        path.write_text("\n".join(lines) + end)
        return path

    def line(self, case: str, kind: str = "created") -> str:
        at = format_instant(self.sandbox.clock.now())
        changes = {"Status": "New", "Priority": "Low", "OwnerId": "005A"}
        return json.dumps({"at": at, "type": kind, "object": "Case", "id": case, "changes": changes})


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A folder that is watched."""
    return Desk(tmp_path / "in")


def test_a_file_is_taken_when_it_has_not_changed_for_a_while_and_then_moved(desk: Desk) -> None:
    desk.write("a.jsonl", "1", "2")
    assert desk.round() == []
    assert desk.round(SETTLE - 1) == []
    assert desk.round(1) == [("a.jsonl", 2, 0)]
    assert desk.cases() == ["Case/1", "Case/2"]
    assert sorted(path.name for path in desk.folder.iterdir()) == ["done"]
    assert desk.settled() == []


def test_a_file_that_grows_is_waited_for(desk: Desk) -> None:
    path = desk.write("a.jsonl", "1")
    desk.round()
    with path.open("a") as more:
        more.write(desk.line("2") + "\n")
    assert desk.round(SETTLE) == []
    assert desk.round(SETTLE) == [("a.jsonl", 2, 0)]


def test_a_last_line_without_an_end_is_waited_for_and_then_taken_as_it_is(desk: Desk) -> None:
    desk.write("a.jsonl", "1", "2", end="")
    desk.round()
    assert desk.round(SETTLE) == []
    assert desk.round(SETTLE * (TORN_AFTER - 1)) == [("a.jsonl", 2, 0)]


def test_half_a_line_that_nobody_ends_is_refused_and_not_lost(desk: Desk) -> None:
    path = desk.write("a.jsonl", "1", "2")
    path.write_bytes(path.read_bytes()[:-30])
    desk.round()
    assert desk.round(SETTLE * TORN_AFTER) == [("a.jsonl", 1, 1)]


def test_files_are_taken_in_the_order_of_their_names(desk: Desk) -> None:
    """The change of a case comes in a later file than its creation, though it was written first."""
    desk.write("b.jsonl", "1", kind="updated")
    desk.write("a.jsonl", "1")
    assert desk.settled() == [("a.jsonl", 1, 0), ("b.jsonl", 1, 0)]


def test_a_file_still_being_written_keeps_later_names_waiting_but_not_for_ever(desk: Desk) -> None:
    first = desk.write("a.jsonl", "1")
    desk.write("b.jsonl", "2")
    taken = []
    for _ in range(ORDER_FOR // SECOND + 5):
        with first.open("a") as more:
            more.write("\n")
        taken += desk.round(SECOND)
    assert taken == [("b.jsonl", 1, 0)]


def test_other_names_links_and_hidden_files_are_left_alone(desk: Desk, tmp_path: Path) -> None:
    for name in ("a.json", ".b.jsonl", "c.jsonl.tmp", "d.refused.jsonl"):
        desk.write(name, "1")
    (tmp_path / "outside.jsonl").write_text(desk.line("1") + "\n")
    (desk.folder / "link.jsonl").symlink_to(tmp_path / "outside.jsonl")
    (desk.folder / "folder.jsonl").mkdir()
    assert desk.settled() == []
    assert desk.cases() == []


def test_a_packed_file_is_read_like_any_other(desk: Desk) -> None:
    (desk.folder / "a.jsonl.gz").write_bytes(gzip.compress(f"{desk.line('1')}\n{desk.line('2')}\n".encode()))
    assert desk.settled() == [("a.jsonl.gz", 2, 0)]


@pytest.mark.parametrize("damage", ["cut", "spoilt"])
def test_a_damaged_packed_file_gives_what_can_be_read_and_one_refusal(desk: Desk, damage: str) -> None:
    lines = "".join(f"{desk.line(str(number))}\n" for number in range(2_000))
    packed = gzip.compress(lines.encode())
    middle = len(packed) // 2
    spoilt = packed[:middle] if damage == "cut" else packed[:middle] + b"\0" * 50 + packed[middle + 50 :]
    (desk.folder / "a.jsonl.gz").write_bytes(spoilt)
    assert desk.settled() == []
    (name, accepted, refused) = desk.round(SETTLE * TORN_AFTER)[0]
    assert (name, len(desk.cases())) == ("a.jsonl.gz", accepted)
    assert refused >= 1
    assert "damaged or ends too early" in (desk.folder / "a.jsonl.gz.refused.jsonl").read_text()


def test_refused_lines_are_written_beside_the_file_with_their_reason_and_without_their_text(desk: Desk) -> None:
    path = desk.write("a.jsonl", "1")
    path.write_text(path.read_text() + '\n{"secret words"\n' + desk.line("1") + "\n" + desk.line("9", "updated") + "\n")
    assert desk.settled() == [("a.jsonl", 1, 2)]
    text = (desk.folder / "a.jsonl.refused.jsonl").read_text()
    rows = [json.loads(line) for line in text.splitlines()]
    assert [(row["line"], row["record"]) for row in rows] == [(3, ""), (5, "9")]
    assert "never created" in rows[1]["reason"]
    assert "secret words" not in text


def test_the_same_file_again_changes_nothing_and_both_are_kept(desk: Desk) -> None:
    content = desk.write("a.jsonl", "1").read_text()
    desk.settled()
    (desk.folder / "a.jsonl").write_text(content)
    assert desk.settled() == [("a.jsonl", 1, 0)]
    assert desk.cases() == ["Case/1"]
    with desk.sandbox.store.read() as unit:
        assert len(unit.intake.events("Case/1")) == 1


def test_a_file_replaced_under_the_same_name_is_another_file(desk: Desk) -> None:
    desk.write("a.jsonl", "1")
    desk.settled()
    desk.write("a.jsonl", "2")
    assert desk.settled() == [("a.jsonl", 1, 0)]
    assert desk.cases() == ["Case/1", "Case/2"]
    assert len(list((desk.folder / "done").iterdir())) == 2


def test_kept_files_stay_and_are_not_taken_again_even_by_another_process(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "in", keep=True)
    desk.write("a.jsonl", "1")
    assert desk.settled() == [("a.jsonl", 1, 0)]
    assert desk.settled() == []
    desk.restart()
    assert desk.settled() == [("a.jsonl", 1, 0)]
    assert desk.watcher.waiting() == 0
    with desk.sandbox.store.read() as unit:
        state = unit.intake.source("in")
    assert state is not None
    assert (state.accepted, state.repeated) == (1, 0)


def test_a_kept_file_that_is_replaced_is_taken(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "in", keep=True)
    desk.write("a.jsonl", "1")
    desk.settled()
    fresh = desk.write("fresh", "2", "3")
    os.replace(fresh, desk.folder / "a.jsonl")
    assert desk.settled() == [("a.jsonl", 2, 0)]


def test_renamed_files_are_taken_at_once_where_nothing_is_waited_for(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "in", settle=0)
    desk.write("a.jsonl", "1")
    assert desk.round() == [("a.jsonl", 1, 0)]


def test_an_empty_file_is_taken_and_counts_nothing(desk: Desk) -> None:
    (desk.folder / "a.jsonl").touch()
    desk.round()
    assert desk.round(SETTLE * TORN_AFTER) == [("a.jsonl", 0, 0)]


def test_a_line_longer_than_any_event_is_refused_and_the_rest_goes_on(desk: Desk) -> None:
    path = desk.write("a.jsonl", "1")
    path.write_text("x" * (LINE_LIMIT * 2 + 5) + "\n" + path.read_text())
    assert desk.settled() == [("a.jsonl", 1, 1)]
    assert json.loads((desk.folder / "a.jsonl.refused.jsonl").read_text())["line"] == 1


def test_the_journal_names_files_and_counts(desk: Desk) -> None:
    desk.write("a.jsonl", "1")
    desk.settled()
    assert desk.said == [("file_taken_in", {"file": "a.jsonl", "read": 1, "refused": 0})]


def test_a_file_that_cannot_be_put_away_is_said_once_and_tried_again(desk: Desk) -> None:
    (desk.folder / "done").write_text("in the way")
    desk.write("a.jsonl", "1")
    desk.settled()
    desk.round(SETTLE)
    assert [what for what, _ in desk.said] == ["file_failed"]
    (desk.folder / "done").unlink()
    assert desk.settled() == [("a.jsonl", 1, 0)]
