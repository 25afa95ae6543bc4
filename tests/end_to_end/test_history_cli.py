"""Replay, init and decide as people meet them: what is said of lines, values and files that were of no use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from triage.cli.main import main
from triage.testing import SMALL_POLICY

RULES = """
object: Case
rules:
  - id: waits
    when: [priority == High, age >= 6h]
    do: [{reassign: {to: {queue: Tier2}}}]
"""
CREATED = (
    '{"at":"2026-01-12T09:00:00Z","type":"created","object":"Case","id":"500A",'
    '"changes":{"Priority":"High","Status":"New","OwnerId":"005A"}}\n'
)
LATER = (
    '{"at":"2026-01-13T09:00:00Z","type":"updated","object":"Case","id":"500A","changes":{"Priority":"Hihg","X":1}}\n'
)
HOLD = (
    '{"at":"2026-01-12T10:00:00Z","type":"override","object":"Case","id":"500A","action":"hold","rules":["waits"],'
    '"reason":"x"}\n'
)


class Said(NamedTuple):
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


class Desk:
    """A small policy in a folder, and one command line after another in this process."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self._capsys = folder, capsys
        self.policy = folder / "policy"
        self.policy.mkdir()
        for name, text in (SMALL_POLICY | {"rules.yaml": RULES}).items():
            (self.policy / name).write_text(text)

    def file(self, name: str, text: str, encoding: str = "utf-8") -> Path:
        path = self.folder / "data" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode(encoding))
        return path

    def run(self, *arguments: object) -> Said:
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        printed = self._capsys.readouterr()
        return Said(int(str(end.value.code or 0)), printed.out, printed.err)

    def replay(self, source: Path, *more: object) -> Said:
        return self.run("replay", source, "--policy", self.policy, *more)


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, capsys)


@pytest.mark.parametrize(("text", "code"), [(CREATED, 0), (CREATED + "oops\n", 0), ("oops\n", 2)])
def test_the_exit_code_says_whether_anything_was_replayed(desk: Desk, text: str, code: int) -> None:
    said = desk.replay(desk.file("log.jsonl", text))
    assert said.code == code
    assert ("nothing could be replayed" in said.err) == (code == 2)
    assert desk.replay(desk.file("log.jsonl", text), "--json").code == code


def test_values_taken_as_missing_and_columns_not_read_are_named(desk: Desk) -> None:
    said = desk.replay(desk.file("log.jsonl", CREATED + LATER))
    assert "warning: Case priority: 1 time taken as missing, e.g. 'Hihg' is not one of its values" in said.out
    assert "columns that the field map does not read: Case X (1)" in said.out


def test_actions_held_back_are_counted_beside_those_done(desk: Desk) -> None:
    said = desk.replay(desk.file("log.jsonl", CREATED + HOLD + LATER))
    (head,) = [one for one in said.out.splitlines() if one.startswith("rule ")]
    (row,) = [one for one in said.out.splitlines() if one.startswith("waits ")]
    assert head.split()[:2] == ["rule", "actions"]
    assert len(head.split()) == 3
    assert row.split() == ["waits", "0", "1"]


def test_events_are_counted_as_made_of_the_lines_used(desk: Desk) -> None:
    said = desk.replay(desk.file("log.jsonl", CREATED + "oops\n" + LATER.replace("500A", "500Z")))
    assert "the lines used make 2 events: 1 replayed, 1 refused on replay, 0 after --until" in said.out


def test_a_folder_of_logs_is_replayed_and_the_rest_named(desk: Desk) -> None:
    desk.file("run1.txt", "some output\n")
    said = desk.replay(desk.file("log.jsonl", CREATED).parent)
    assert said.code == 0
    assert "not read: run1.txt: no event log" in said.out


def test_an_export_closed_without_history_is_warned_of(desk: Desk) -> None:
    table = (
        "Id,CreatedDate,ClosedDate,Status,Priority\n"
        "500A,2026-01-12T09:00:00Z,2026-01-13T09:00:00Z,Closed,H\u00f6ch\n"
        "500B,2026-01-12T09:00:00Z,,New,Low\n"
    )
    said = desk.replay(desk.file("Case.csv", table, "cp1252").parent)
    assert "warning: Case: 1 of 1 closed records have no field history; 1 close at their closing date" in said.out
    assert "note: Case.csv is not UTF-8: read as cp1252" in said.out


def test_cases_closed_from_the_start_are_said_to_be_unseen(desk: Desk) -> None:
    table = "Id,CreatedDate,Status\n500A,2026-01-12T09:00:00Z,Closed\n"
    said = desk.replay(desk.file("Case.csv", table).parent)
    assert "1 are closed from their creation on: no rule sees them" in said.out


def test_init_asks_two_tables_by_keys_that_work(desk: Desk) -> None:
    rows = "1,2026-01-05T09:00:00Z,New\n2,2026-01-06T09:00:00Z,New\n"
    desk.file("Lead.csv", f"Reference,Created Date,Status\n{rows}")
    folder = desk.file("Case.csv", f"Case Number,Created Date,Status\n{rows}").parent
    said = desk.run("init", "--from", folder)
    assert "repeat with --answer id.Case=.. --answer id.Lead=.." in said.err
    assert (
        desk.run("init", "--from", folder, "--answer", "id.Case=Case Number", "--answer", "id.Lead=Reference").code == 0
    )


def test_decide_takes_a_log(desk: Desk) -> None:
    log = desk.file("log.jsonl", CREATED + HOLD.replace("hold", "release"))
    said = desk.run("decide", log, "--policy", desk.policy, "--at", "2026-01-12T15:00:00Z", "--json")
    assert [action["rule"] for action in json.loads(said.out)["actions"]] == ["waits"]


def test_refused_lines_are_told_with_one_of_them_as_an_example(desk: Desk) -> None:
    said = desk.replay(desk.file("log.jsonl", CREATED + CREATED + LATER + "oops\n"))
    (twice,) = [one for one in said.out.splitlines() if "duplicate of line" in one]
    assert twice == "  refused 1: log.jsonl: duplicate of line .. (e.g. line 2)"
    assert "  --refused FILE lists every line" in said.out


def test_a_table_called_like_no_object_is_told_to_be_renamed(desk: Desk) -> None:
    table = "Id,CreatedDate,Priority\n500A,2026-01-12T09:00:00Z,High\n"
    said = desk.replay(desk.file("messy.csv", table))
    assert said.code == 2
    assert "messy.csv: a table's name tells which object it holds: rename it to Case.csv" in said.err
    assert desk.replay(desk.file("Case.csv", table)).code == 0
