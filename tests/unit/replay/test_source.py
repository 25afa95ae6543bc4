"""What a replay is given: every line of a log or an export is an event with its place, or a refusal."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tests.unit.replay.scenes import created, line, policy_of, updated
from triage.errors import IntakeError
from triage.replay.source import history_of_log, kind_of, open_history
from triage.replay.table import Refusal

LOG = "\n".join([created("09:30"), "no json", created("09:00", "500B"), updated("10:00", Status="Closed")]) + "\n"


def test_log_keeps_the_line_of_each_event_when_it_is_put_in_order() -> None:
    found = history_of_log(LOG.splitlines(keepends=True), "log.jsonl")
    assert [(entry.event.id, entry.file, entry.line) for entry in found.entries] == [
        ("500B", "log.jsonl", 3),
        ("500A", "log.jsonl", 1),
        ("500A", "log.jsonl", 4),
    ]
    assert found.late == 1


def test_log_counts_add_up_when_a_line_is_refused() -> None:
    found = history_of_log(LOG.splitlines(keepends=True), "log.jsonl")
    assert (found.files["log.jsonl"].rows, found.files["log.jsonl"].used, found.files["log.jsonl"].refused) == (4, 3, 1)
    assert [one.line for one in found.refused] == [2]


@pytest.mark.parametrize("name", ["log.jsonl", "LOG.NDJSON", "log.jsonl.gz"])
def test_a_log_is_known_by_its_name(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(gzip.compress(LOG.encode()) if name.endswith("gz") else LOG.encode())
    assert len(open_history(file, policy_of()).entries) == 3


def test_a_log_cut_off_within_its_gzip_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl.gz"
    file.write_bytes(gzip.compress(LOG.encode() * 40)[:-12])
    found = open_history(file)
    assert "the file ends early" in found.refused[-1].reason
    assert found.files["log.jsonl.gz"].rows == len(found.entries) + len(found.refused)


@pytest.mark.parametrize("name", ["absent.jsonl", "absent"])
def test_nothing_there_is_an_error_that_names_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(IntakeError, match="absent"):
        open_history(tmp_path / name)


CASES = """Id,CreatedDate,Status,Priority,OwnerId,IsClosed
500A,2026-01-12T09:00:00Z,Closed,Low,005A,True
500B,,New,Low,005A,False
"""
STEPS = """Id,CaseId,CreatedDate,CreatedById,Field,OldValue,NewValue
017A,500A,2026-01-12T11:00:00Z,005A,Status,New,Closed
017B,500X,2026-01-12T11:00:00Z,005A,Status,New,Closed
"""
PROMISES = """Id,CaseId,MilestoneType,StartDate,TargetDate,CompletionDate,IsViolated
555A,500A,Resolution,2026-01-12T09:00:00Z,,2026-01-12T11:00:00Z,False
"""


@pytest.fixture
def export(tmp_path: Path) -> Path:
    for name, text in {"Case": CASES, "CaseHistory": STEPS, "CaseMilestone": PROMISES}.items():
        (tmp_path / f"{name}.csv").write_text(text)
    (tmp_path / "Lead.csv").write_text("Id,CreatedDate,Status\n00QA,2026-01-12T09:00:00Z,Open\n")
    return tmp_path


def test_an_export_becomes_events_that_name_their_file(export: Path) -> None:
    found = open_history(export, policy_of())
    assert [(entry.event.type, entry.file, entry.line) for entry in found.entries] == [
        ("created", "Case.csv", 0),
        ("created", "Lead.csv", 0),
        ("updated", "CaseHistory.csv", 0),
    ]


def test_an_export_counts_every_row_of_every_file(export: Path) -> None:
    found = open_history(export, policy_of())
    assert {name: (count.rows, count.used, count.refused) for name, count in found.files.items()} == {
        "Case.csv": (2, 1, 1),
        "CaseHistory.csv": (2, 1, 1),
        "CaseMilestone.csv": (1, 1, 0),
        "Lead.csv": (1, 1, 0),
    }
    assert found.compared == {"CaseMilestone.csv": 1}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("belongs to the unknown record '5005g0d1u2fhmKKAAY'", "belongs to the unknown record '5005g0GKslouJZ5AGM'"),
        ("history of 5005g0d1u2fhmKKAAY from before", "history of 5005g0GKslouJZ5AGM from before"),
        ("duplicate of line 3", "duplicate of line 77"),
        ("created a second time (row Case:500A)", "created a second time (row Case:500B)"),
    ],
)
def test_refusals_are_of_one_kind_when_only_the_row_differs(one: str, other: str) -> None:
    assert kind_of(Refusal("f", 1, "", one)) == kind_of(Refusal("f", 2, "", other))


def test_refusals_are_of_two_kinds_when_the_file_or_the_reason_differs() -> None:
    kinds = {kind_of(Refusal(*one)) for one in (("f", 1, "", "a"), ("f", 1, "", "b"), ("g", 1, "", "a"))}
    assert len(kinds) == 3


def _logs(folder: Path, **logs: str) -> Path:
    for name, text in logs.items():
        (folder / f"{name}.jsonl").write_text(text)
    return folder


def test_a_folder_of_logs_is_read_as_one_and_names_what_it_leaves_out(tmp_path: Path) -> None:
    """An event that two logs hold counts once, and every line is accounted for."""
    first, second = line("09:00", "created"), line("10:00", "updated")
    (tmp_path / "run1.txt").write_text("any text\n")
    found = open_history(_logs(tmp_path, b=f"{first}\n{second}\n", a=f"{second}\n"), policy_of())
    assert [(entry.file, entry.line) for entry in found.entries] == [("b.jsonl", 1), ("a.jsonl", 1)]
    assert [(one.file, one.line, one.reason) for one in found.refused] == [
        ("b.jsonl", 2, "duplicate of line 1 of a.jsonl")
    ]
    assert all(count.rows == count.used + count.refused for count in found.files.values())
    assert found.skipped == {"run1.txt": "no event log"}


def test_a_log_beside_tables_of_records_is_named_as_left_out(tmp_path: Path) -> None:
    (tmp_path / "Case.csv").write_text("Id,CreatedDate\n500A,2026-01-12T09:00:00Z\n")
    found = open_history(_logs(tmp_path, log=line("09:00", "created")), policy_of())
    assert list(found.files) == ["Case.csv"]
    assert "replay it by its own name" in found.skipped["log.jsonl"]


def test_a_line_from_before_its_record_was_created_says_so() -> None:
    """Whatever the order of the lines; a record that the log never creates is another matter."""
    lines = [line("09:00", "created"), line("08:00", "updated"), line("08:00", "updated", "500Z")]
    found = history_of_log([f"{one}\n" for one in lines])
    assert [(one.line, one.reason) for one in found.refused] == [
        (2, "updated event from before its record was created")
    ]
    assert [entry.event.id for entry in found.entries] == ["500Z", "500A"]
