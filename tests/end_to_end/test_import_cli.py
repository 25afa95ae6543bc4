"""`triage import salesforce` and `triage tryout` as people meet them: what is written, said, and the exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.metadata import escalation_page, hours_page, write_files, write_log
from triage.cli.main import main
from triage.wiring import open_store

RULE = escalation_page("Standard", [{"escalationActions": [{"minutesToEscalation": 60}]}])
HOURS = hours_page({"Desk": {"timeZoneId": "Europe/London", "hours": {"mon": ["09:00", "17:00"]}}}, "Desk")


class Said(NamedTuple):
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str


class Desk:
    """A folder, and one command line after another in this process."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys

    def run(self, *arguments: object) -> Said:
        with pytest.raises(SystemExit) as end:
            main([str(one) for one in arguments])
        printed = self._capsys.readouterr()
        return Said(int(str(end.value.code or 0)), printed.out, printed.err)

    def imported(self, files: dict[str, str], *more: object) -> Said:
        source = write_files(self.folder / "metadata", files)
        return self.run("import", "salesforce", source, "--out", self.folder / "policy", "--timelines", 10, *more)


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, capsys)


def test_an_import_writes_a_policy_that_checks_and_publishes(desk: Desk) -> None:
    said = desk.imported({"a.escalationRules": RULE, "b.settings": HOURS})
    assert said.code == 0
    assert "no difference" in said.out
    policy = desk.folder / "policy"
    assert "| Standard | 10 |" in (policy / "IMPORT.md").read_text()
    assert desk.run("rules", "check", policy).code == 0
    db = f"sqlite:///{desk.folder}/t.db"
    assert desk.run("policy", "publish", "--policy", policy, "--db", db, "--by", "me").code == 0
    open_store(db, "default").close()


def test_what_is_left_out_is_listed_with_file_line_and_fix_and_code_1(desk: Desk) -> None:
    entries = [{"formula": "NOW() > 1"}, {"escalationActions": [{"minutesToEscalation": 1}]}]
    said = desk.imported({"a.escalationRules": escalation_page("R", entries), "c.queue": "<Queue>"})
    assert said.code == 1
    assert "a.escalationRules:" in said.out
    assert "NOW has no counterpart" in said.out
    assert "c.queue:1: refused: this is not XML" in said.out


def test_json_gives_figures_notes_and_the_comparison(desk: Desk) -> None:
    data = json.loads(desk.imported({"a.escalationRules": RULE}, "--json").out)
    assert data["parts"]["escalation entries, plain criteria"] == {"found": 1, "reported": 0, "translated": 1}
    assert data["equivalence"][0]["timelines"] == 10
    assert "rules/escalation-standard.yaml" in data["written"]


@pytest.mark.parametrize("files", [{"README.md": "hello"}, {"a.escalationRules": "<broken"}])
def test_nothing_to_read_is_bad_input_and_writes_nothing(desk: Desk, files: dict[str, str]) -> None:
    said = desk.imported(files)
    assert said.code == 2
    assert "nothing was written" in said.err
    assert not (desk.folder / "policy").exists()


def test_a_folder_that_is_not_empty_is_left_alone_without_force(desk: Desk) -> None:
    write_files(desk.folder / "policy", {"mine.yaml": "x"})
    said = desk.imported({"a.escalationRules": RULE})
    assert (said.code, "--force" in said.err) == (2, True)
    assert desk.imported({"a.escalationRules": RULE}, "--force").code == 0


def test_a_report_goes_where_it_is_told_to(desk: Desk) -> None:
    file = desk.folder / "out" / "report.md"
    assert desk.imported({"a.escalationRules": RULE}, "--report", file).code == 0
    assert file.read_text().startswith("# Import of")


def test_a_path_to_nothing_is_one_sentence(desk: Desk) -> None:
    said = desk.run("import", "salesforce", desk.folder / "nowhere", "--out", desk.folder / "policy")
    assert (said.code, said.out) == (2, "")
    assert "does not exist" in said.err


def test_tryout_writes_a_page_from_a_log_under_an_imported_policy(desk: Desk) -> None:
    desk.imported({"a.escalationRules": RULE})
    log = write_log(
        desk.folder / "log.jsonl",
        [
            {"at": "2026-01-12T09:00:00Z", "type": "created", "changes": {"Status": "New"}},
            {"at": "2026-01-13T09:00:00Z", "type": "updated", "changes": {"Status": "Working"}},
        ],
    )
    file = desk.folder / "page.html"
    said = desk.run("tryout", log, "--policy", desk.folder / "policy", "--out", file)
    assert said.code == 0
    assert "1 record, 0 broken promises" in said.out
    assert "Standard/1" in file.read_text()
    data = json.loads(desk.run("tryout", log, "--policy", desk.folder / "policy", "--out", file, "--json").out)
    assert data["actions"] == 1


def test_tryout_of_what_cannot_be_played_is_bad_input(desk: Desk) -> None:
    log = desk.folder / "log.jsonl"
    log.write_text("oops\n")
    said = desk.run("tryout", log, "--out", desk.folder / "page.html")
    assert said.code == 2
    assert "nothing could be played" in said.err
